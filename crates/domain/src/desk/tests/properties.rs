//! Whatever happens, in whatever order, the desk keeps its invariants (DESIGN §8: 4, 5, 7, 9, 12). They are
//! checked by name in [`World`], after every step and at every event.

use proptest::prelude::*;

use super::{world::World, *};
use crate::desk::{Command, Presence};

/// The agents and queues of two desks of one partition.
fn agents() -> Vec<AgentId> {
    let at = |desk_name, name| AgentId::new(desk(desk_name), name).unwrap();
    vec![at("team", "ann"), at("team", "bob"), at("team", "cid"), at("night", "dee"), at("night", "eve")]
}

fn queues() -> Vec<QueueId> {
    let at = |desk_name, name| QueueId::new(desk(desk_name), name).unwrap();
    vec![at("team", "sales"), at("team", "support"), at("night", "care")]
}

const CHANNELS: [Channel; 3] = [Channel::Sms, Channel::Email, Channel::Messenger];

/// A policy in short: which queues there are, with their priorities, and what each agent may do.
#[derive(Clone, Debug)]
struct Plan {
    queues: Vec<Option<i32>>,
    agents: Vec<Option<AgentPlan>>,
}

#[derive(Clone, Debug)]
struct AgentPlan {
    serves: Vec<bool>,
    total: u32,
    emails: Option<u32>,
}

impl Plan {
    fn policy(&self, version: u64) -> Arc<Policy> {
        let known = queues().into_iter().zip(&self.queues);
        let known: Vec<_> = known.filter_map(|(id, priority)| Some((id, (*priority)?))).collect();
        let serves = |id: &AgentId, plan: &AgentPlan| {
            let all = known
                .iter()
                .zip(&plan.serves)
                .filter(|((queue, _), serves)| queue.desk == id.desk && **serves);
            all.map(|((queue, _), _)| queue.clone()).collect::<Vec<_>>()
        };
        let agents = agents().into_iter().zip(&self.agents).filter_map(|(id, plan)| {
            let plan = plan.as_ref()?;
            let emails: Vec<_> = plan.emails.iter().map(|most| (Channel::Email, *most)).collect();
            let allowed = serving(&serves(&id, plan), plan.total, &emails);
            Some((id, allowed))
        });
        policy(version, &known, &agents.collect::<Vec<_>>())
    }
}

#[derive(Clone, Debug)]
enum Action {
    WantAgent {
        conversation: u8,
        channel: usize,
        queue: usize,
        wanted: Option<usize>,
    },
    Close {
        conversation: u8,
    },
    Deliver,
    Answer,
    SetPresence {
        agent: usize,
        presence: Presence,
        seconds: u64,
    },
    Accept {
        offer: usize,
        agent: Option<usize>,
    },
    Decline {
        offer: usize,
    },
    /// Relays that repeat or come from nowhere.
    Nonsense {
        offer: u64,
    },
    Pass {
        seconds: u64,
    },
    Wait {
        seconds: u64,
    },
    Adopt(Plan),
}

fn plan() -> impl Strategy<Value = Plan> {
    let agent = (prop::collection::vec(prop::bool::weighted(0.8), 3), 0..4_u32, prop::option::of(0..2_u32))
        .prop_map(|(serves, total, emails)| AgentPlan { serves, total, emails });
    (
        prop::collection::vec(prop::option::weighted(0.9, -1..2_i32), 3),
        prop::collection::vec(prop::option::weighted(0.9, agent), 5),
    )
        .prop_map(|(queues, agents)| Plan { queues, agents })
}

fn action() -> impl Strategy<Value = Action> {
    let presence =
        prop_oneof![5 => Just(Presence::Available), 1 => Just(Presence::Away), 1 => Just(Presence::Offline)];
    prop_oneof![
        6 => (0..12_u8, 0..3_usize, 0..3_usize, prop::option::weighted(0.2, 0..5_usize)).prop_map(
            |(conversation, channel, queue, wanted)| Action::WantAgent { conversation, channel, queue, wanted }
        ),
        2 => (0..12_u8).prop_map(|conversation| Action::Close { conversation }),
        8 => Just(Action::Deliver),
        5 => Just(Action::Answer),
        5 => (0..5_usize, presence, 1..400_u64)
            .prop_map(|(agent, presence, seconds)| Action::SetPresence { agent, presence, seconds }),
        6 => (any::<usize>(), prop::option::weighted(0.1, 0..5_usize))
            .prop_map(|(offer, agent)| Action::Accept { offer, agent }),
        2 => any::<usize>().prop_map(|offer| Action::Decline { offer }),
        1 => (0..20_u64).prop_map(|offer| Action::Nonsense { offer }),
        1 => (0..60_u64).prop_map(|seconds| Action::Pass { seconds }),
        3 => (0..60_u64).prop_map(|seconds| Action::Wait { seconds }),
        1 => plan().prop_map(Action::Adopt),
    ]
}

/// One of the offers and assignments that have not ended, if there are any.
fn pick(world: &World, which: usize) -> Option<(OfferId, AgentId)> {
    let all = world.desks().all().flat_map(|(desk, state)| {
        state.offers().map(|(number, offer)| {
            let agent = AgentId { desk: desk.clone(), name: offer.agent.clone() };
            (OfferId { desk: desk.clone(), number }, agent)
        })
    });
    let all: Vec<_> = all.collect();
    all.get(which % all.len().max(1)).cloned()
}

fn act(world: &mut World, version: u64, action: &Action) {
    match action {
        Action::WantAgent { conversation: n, channel, queue, wanted } => {
            let wanted = wanted.map(|agent| agents()[agent].clone());
            world.want_agent(conversation(*n), CHANNELS[*channel], queues()[*queue].clone(), wanted);
        }
        Action::Close { conversation: n } => world.close(conversation(*n)),
        Action::Deliver => world.deliver(),
        Action::Answer => world.answer(),
        Action::SetPresence { agent, presence, seconds } => {
            let until = world.now() + Millis::seconds(*seconds);
            world.command(Command::SetPresence {
                agent: agents()[*agent].clone(),
                presence: *presence,
                until,
            });
        }
        Action::Accept { offer, agent } => {
            if let Some((offer, owner)) = pick(world, *offer) {
                let agent = agent.map_or(owner, |other| agents()[other].clone());
                world.command(Command::Accept { agent, offer });
            }
        }
        Action::Decline { offer } => {
            if let Some((offer, agent)) = pick(world, *offer) {
                world.command(Command::Decline { agent, offer });
            }
        }
        Action::Nonsense { offer } => {
            let offer = OfferId { desk: desk("team"), number: *offer };
            let command = command_id(u128::MAX);
            world.relay(Command::Confirm { offer: offer.clone(), command });
            world.relay(Command::Refuse { offer, command });
            world.relay(Command::Withdraw { conversation: conversation(99), owner_epoch: 1 });
        }
        Action::Pass { seconds } => world.pass(Millis::seconds(*seconds)),
        Action::Wait { seconds } => {
            world.pass(Millis::seconds(*seconds));
            world.fire_all();
        }
        Action::Adopt(plan) => world.adopt(plan.policy(version)),
    }
}

proptest! {
    #[test]
    fn the_desk_keeps_its_invariants(first in plan(), actions in prop::collection::vec(action(), 1..120)) {
        let mut world = World::new(first.policy(1));
        for (number, action) in (2..).zip(&actions) {
            act(&mut world, number, action);
        }
        world.wind_up();
    }
}
