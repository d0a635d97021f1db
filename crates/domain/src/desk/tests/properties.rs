//! Whatever happens, in whatever order, the desk keeps its invariants (DESIGN §8: 4, 5, 7, 9, 12). They are
//! checked by name in [`World`], after every step and at every event.

use proptest::prelude::*;

use super::{world::World, *};
use crate::{
    HoursId, LanguageId, SkillId,
    conversation::Transfer,
    desk::{Command, Presence},
    policy::{
        Ageing, Day, Holiday, Hours, Needs, OpenSpan, Overflow, Relaxation, Selection, Special, WhenClosed,
    },
};

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
    queues: Vec<Option<QueuePlan>>,
    agents: Vec<Option<AgentPlan>>,
}

#[derive(Clone, Debug)]
struct QueuePlan {
    priority: i32,
    ages: bool,
    /// Of the one skill needed at first; 0 for none.
    level: u8,
    german: bool,
    relaxes: usize,
    selection: Selection,
    /// After so long, or so many refusals, to the next queue that there is.
    overflows: Option<(Option<u64>, Option<u32>)>,
    auto_accept: bool,
    wrap_up: Option<u64>,
    /// Which of the hours, and what it does outside of them.
    hours: Option<(usize, Closed)>,
    away_after: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Closed {
    Waits,
    Says,
    /// To the next queue that there is.
    Overflows,
}

#[derive(Clone, Debug)]
struct AgentPlan {
    serves: Vec<bool>,
    total: u32,
    emails: Option<u32>,
    heavy_sms: bool,
    level: u8,
    /// Of the skill that only conversations ask for.
    tax: u8,
    german: bool,
}

impl Plan {
    fn policy(&self, version: u64) -> Arc<Policy> {
        let known = queues().into_iter().zip(&self.queues);
        let known: Vec<_> = known.filter_map(|(id, plan)| Some((id, plan.as_ref()?))).collect();
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
            let mut allowed = serving(&serves(&id, plan), plan.total, &emails);
            if plan.heavy_sms {
                allowed.capacity.weights.insert(Channel::Sms, 2);
            }
            allowed.skills.extend((plan.level > 0).then(|| (skill(), plan.level)));
            allowed.skills.extend((plan.tax > 0).then(|| (tax(), plan.tax)));
            allowed.languages.extend(plan.german.then(german));
            Some((id, allowed))
        });
        let mut policy = Policy::clone(&policy(version, &[], &agents.collect::<Vec<_>>()));
        policy.hours = (0..HOURS.len()).map(|n| (hours_id(n), hours(n))).collect();
        for (place, (id, plan)) in known.iter().enumerate() {
            let next = known.get(place + 1).map(|(id, _)| id.clone());
            policy.queues.insert(id.clone(), plan.queue(next));
        }
        Arc::new(policy)
    }
}

impl QueuePlan {
    fn queue(&self, next: Option<QueueId>) -> Queue {
        let needs = |level: u8, german_too: bool| Needs {
            skills: (level > 0).then(|| (skill(), level)).into_iter().collect(),
            languages: german_too.then(german).into_iter().collect(),
        };
        let relaxed = [
            Relaxation { after: Millis::seconds(20), needs: needs(self.level.min(1), self.german) },
            Relaxation { after: Millis::seconds(40), needs: needs(0, false) },
        ];
        let when_closed = match self.hours {
            Some((_, Closed::Says)) => Some(WhenClosed::Say("We are closed.".into())),
            Some((_, Closed::Overflows)) => next.clone().map(WhenClosed::Overflow),
            Some((_, Closed::Waits)) | None => None,
        };
        let overflow = self.overflows.zip(next);
        Queue {
            priority: self.priority,
            ageing: self.ages.then_some(Ageing { every: Millis::seconds(10), most: 3 }),
            offer_timeout: Millis::seconds(30),
            needs: needs(self.level, self.german),
            relaxations: relaxed.into_iter().take(self.relaxes).collect(),
            selection: self.selection,
            overflow: overflow.map(|((after, refusals), to)| Overflow {
                to,
                after: after.map(Millis::seconds),
                refusals,
            }),
            auto_accept: self.auto_accept,
            wrap_up: self.wrap_up.map(Millis::seconds),
            hours: self.hours.map(|(which, _)| hours_id(which)),
            when_closed,
            away_after_expired: self.away_after,
            ..Queue::default()
        }
    }
}

type Minutes = (u16, u16);

/// When people are there on the first day, and when they are not after all.
const HOURS: [(&[Minutes], Option<Minutes>); 3] =
    [(&[(0, 2), (4, 5), (9, 1440)], None), (&[(1, 20), (20, 25)], Some((6, 7))), (&[(3, 4)], None)];

fn hours_id(which: usize) -> HoursId {
    ["early", "office", "late"][which].parse().unwrap()
}

/// The first day is a Thursday, and New Year's.
fn hours(which: usize) -> Hours {
    let (open, closed) = HOURS[which];
    let new_year = Day { year: None, month: 1, day: 1 };
    let holiday = |(from, to)| Holiday { first: new_year, last: new_year, from, to };
    Hours {
        time_zone: "Africa/Abidjan".into(),
        open: open.iter().map(|(from, to)| OpenSpan { weekday: 4, from: *from, to: *to }).collect(),
        holidays: closed.map(holiday).into_iter().collect(),
    }
}

fn skill() -> SkillId {
    "billing".parse().unwrap()
}

fn tax() -> SkillId {
    "tax".parse().unwrap()
}

/// What a conversation has beyond others.
fn beyond((priority, tax_level, german_too): (u32, u8, bool)) -> Special {
    let needs = Needs {
        skills: (tax_level > 0).then(|| (tax(), tax_level)).into_iter().collect(),
        languages: german_too.then(german).into_iter().collect(),
    };
    Special { priority, needs }
}

fn german() -> LanguageId {
    "de".parse().unwrap()
}

#[derive(Clone, Debug)]
enum Action {
    WantAgent {
        conversation: u8,
        channel: usize,
        queue: usize,
        /// An agent, and for how many seconds that one is waited for.
        wanted: Option<(usize, Option<u64>)>,
        /// Points, the level of a skill that no queue needs (0 for none), and whether German is spoken.
        special: Option<(u32, u8, bool)>,
    },
    /// A supervisor gives it to someone, whoever has it.
    Reassign {
        conversation: u8,
        queue: usize,
        wanted: Option<(usize, Option<u64>)>,
        by_request: bool,
    },
    PutAway {
        conversation: u8,
    },
    /// Its agent asks an agent in, or someone of a queue.
    Consult {
        conversation: u8,
        agent: Option<usize>,
        queue: usize,
    },
    EndConsult,
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
    /// The agent's client renews the lease, as it was told last that the agent is.
    Renew {
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
    FinishWrapUp {
        assignment: usize,
    },
    Recover,
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
    let agent = (
        prop::collection::vec(prop::bool::weighted(0.8), 3),
        0..4_u32,
        prop::option::of(0..2_u32),
        any::<bool>(),
        0..4_u8,
        0..3_u8,
        any::<bool>(),
    );
    let agent = agent.prop_map(|(serves, total, emails, heavy_sms, level, tax, german)| AgentPlan {
        serves,
        total,
        emails,
        heavy_sms,
        level,
        tax,
        german,
    });
    let selection = prop_oneof![
        Just(Selection::LongestIdle),
        Just(Selection::LeastLoaded),
        Just(Selection::MostSkilled),
        Just(Selection::RoundRobin),
    ];
    let overflows = (prop::option::of(30..60_u64), prop::option::of(1..3_u32));
    let closed = prop_oneof![Just(Closed::Waits), Just(Closed::Says), Just(Closed::Overflows)];
    let queue = (
        (-1..2_i32, any::<bool>()),
        (0..3_u8, prop::bool::weighted(0.3), 0..3_usize),
        selection,
        prop::option::of(overflows),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.3, 1..30_u64),
        (prop::option::weighted(0.4, (0..HOURS.len(), closed)), prop::option::of(1..3_u32)),
    );
    let queue = queue.prop_map(
        |(
            (priority, ages),
            (level, german, relaxes),
            selection,
            overflows,
            auto_accept,
            wrap_up,
            (hours, away_after),
        )| {
            QueuePlan {
                priority,
                ages,
                level,
                german,
                relaxes,
                selection,
                overflows,
                auto_accept,
                wrap_up,
                hours,
                away_after,
            }
        },
    );
    (
        prop::collection::vec(prop::option::weighted(0.9, queue), 3),
        prop::collection::vec(prop::option::weighted(0.9, agent), 5),
    )
        .prop_map(|(queues, agents)| Plan { queues, agents })
}

fn action() -> impl Strategy<Value = Action> {
    let presence =
        prop_oneof![5 => Just(Presence::Available), 1 => Just(Presence::Away), 1 => Just(Presence::Offline)];
    let wanted = || (0..5_usize, prop::option::of(1..60_u64));
    let special = prop::option::weighted(0.3, (0..3_u32, 0..3_u8, prop::bool::weighted(0.3)));
    prop_oneof![
        6 => (0..12_u8, 0..3_usize, 0..3_usize, prop::option::weighted(0.2, wanted()), special).prop_map(
            |(conversation, channel, queue, wanted, special)| {
                Action::WantAgent { conversation, channel, queue, wanted, special }
            }
        ),
        3 => (0..12_u8, 0..3_usize, prop::option::weighted(0.8, wanted()), any::<bool>()).prop_map(
            |(conversation, queue, wanted, by_request)| {
                Action::Reassign { conversation, queue, wanted, by_request }
            }
        ),
        1 => (0..12_u8).prop_map(|conversation| Action::PutAway { conversation }),
        3 => (0..12_u8, prop::option::of(0..5_usize), 0..3_usize)
            .prop_map(|(conversation, agent, queue)| Action::Consult { conversation, agent, queue }),
        1 => Just(Action::EndConsult),
        2 => (0..12_u8).prop_map(|conversation| Action::Close { conversation }),
        8 => Just(Action::Deliver),
        5 => Just(Action::Answer),
        5 => (0..5_usize, presence, 1..400_u64)
            .prop_map(|(agent, presence, seconds)| Action::SetPresence { agent, presence, seconds }),
        2 => (0..5_usize, prop_oneof![4 => Just(Presence::Available), 1 => Just(Presence::Away)], 1..400_u64)
            .prop_map(|(agent, presence, seconds)| Action::Renew { agent, presence, seconds }),
        6 => (any::<usize>(), prop::option::weighted(0.1, 0..5_usize))
            .prop_map(|(offer, agent)| Action::Accept { offer, agent }),
        2 => any::<usize>().prop_map(|offer| Action::Decline { offer }),
        2 => any::<usize>().prop_map(|assignment| Action::FinishWrapUp { assignment }),
        1 => Just(Action::Recover),
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

/// An agent, and until when that one is waited for.
fn wish(world: &World, wanted: Option<(usize, Option<u64>)>) -> Option<(AgentId, Option<Timestamp>)> {
    let until = |seconds: Option<u64>| seconds.map(|seconds| world.now() + Millis::seconds(seconds));
    wanted.map(|(agent, seconds)| (agents()[agent].clone(), until(seconds)))
}

fn act(world: &mut World, version: u64, action: &Action) {
    match action {
        Action::WantAgent { conversation: n, channel, queue, wanted, special } => {
            let (wanted, special) = (wish(world, *wanted), special.map(beyond));
            let queue = queues()[*queue].clone();
            world.want_agent(conversation(*n), CHANNELS[*channel], queue, wanted, special);
        }
        Action::Reassign { conversation: n, queue, wanted, by_request } => {
            let wanted = wish(world, *wanted);
            world.reassign(conversation(*n), queues()[*queue].clone(), wanted, *by_request);
        }
        Action::PutAway { conversation: n } => world.put_away(conversation(*n)),
        Action::Consult { conversation: n, agent, queue } => {
            let agent = agent.map(|agent| Transfer::Agent(agents()[agent].clone()));
            let whom = agent.unwrap_or_else(|| Transfer::Queue(queues()[*queue].clone()));
            world.consult(conversation(*n), whom);
        }
        Action::EndConsult => world.end_consult(),
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
        Action::Renew { agent, presence, seconds } => {
            world.renew(&agents()[*agent], *presence, Millis::seconds(*seconds));
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
        Action::FinishWrapUp { assignment } => {
            if let Some((assignment, agent)) = pick(world, *assignment) {
                world.command(Command::FinishWrapUp { agent, assignment });
            }
        }
        Action::Recover => world.recover(),
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

/// Found by the property: one who left a desk without queues took a pool along in which another still stood.
#[test]
fn agents_come_and_go_at_a_desk_without_queues() {
    let able = AgentPlan {
        serves: vec![],
        total: 2,
        emails: None,
        heavy_sms: false,
        level: 0,
        tax: 0,
        german: false,
    };
    let plan = Plan { queues: vec![None; 3], agents: vec![Some(able); 5] };
    let mut world = World::new(plan.policy(1));
    for (agent, presence) in [(3, Presence::Available), (4, Presence::Available), (3, Presence::Offline)] {
        act(&mut world, 2, &Action::SetPresence { agent, presence, seconds: 1 });
    }
    world.wind_up();
}
