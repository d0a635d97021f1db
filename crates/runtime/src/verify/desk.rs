//! Reservations and the room for them, counted from the events of the desks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    AgentId, Cause, Channel, CommandId, ConversationId, OfferId, Policies, Step,
    desk::{Decider, Event, acceptance_by_rule},
};

use super::{
    fold::{Checks, Kept},
    report::Found,
};

#[derive(Default)]
pub(super) struct Reservations {
    policies: Policies,
    /// Of the offer made last; offers of a partition are numbered upwards.
    last: u64,
    live: HashMap<OfferId, Reservation>,
    loads: HashMap<AgentId, BTreeMap<Channel, u32>>,
    /// Which live reservation holds a conversation, of those made under one owner epoch.
    holders: HashMap<(ConversationId, u32), OfferId>,
    /// Agents who were asked in to what others have.
    looking_on: HashMap<CommandId, AgentId>,
}

struct Reservation {
    conversation: ConversationId,
    owner_epoch: u32,
    agent: AgentId,
    channel: Channel,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Offered,
    Accepting(CommandId),
    Assigned,
    WrapUp,
}

impl Checks<Decider> for Reservations {
    fn step(&mut self, step: &Step<Decider>, found: &mut Found) {
        if let Cause::PolicyInForce(policy) = &step.cause {
            self.policies.put(Arc::clone(policy));
        }
        for recorded in &step.events {
            self.event(&recorded.event, found);
        }
    }

    fn finish(self) -> Kept {
        Kept::default()
    }
}

impl Reservations {
    fn event(&mut self, event: &Event, found: &mut Found) {
        match event {
            Event::Offered { offer, conversation, owner_epoch, agent, channel, .. } => {
                let reservation = Reservation {
                    conversation: *conversation,
                    owner_epoch: *owner_epoch,
                    agent: agent.clone(),
                    channel: *channel,
                    stage: Stage::Offered,
                };
                self.offered(offer, reservation, found);
            }
            Event::AcceptRequested { offer, command, .. } => {
                let next = Stage::Accepting(*command);
                self.turn(offer, "accepted", |stage| (stage == Stage::Offered).then_some(next), found);
            }
            Event::Accepted { offer, command, .. } => {
                let asked = Stage::Accepting(*command);
                self.turn(offer, "confirmed", |stage| (stage == asked).then_some(Stage::Assigned), found);
            }
            Event::GivingBack { assignment, .. } => {
                let stays = |stage| (stage == Stage::Assigned).then_some(Stage::Assigned);
                self.turn(assignment, "given back", stays, found);
            }
            Event::Declined { offer, .. } => {
                self.end(offer, "declined", |stage| stage == Stage::Offered, found);
            }
            Event::Expired { offer, .. } => {
                self.end(offer, "expired", |stage| stage == Stage::Offered, found);
            }
            Event::Withdrawn { offer, .. } => {
                let unassigned = |stage| !matches!(stage, Stage::Assigned | Stage::WrapUp);
                self.end(offer, "withdrawn", unassigned, found);
            }
            Event::AssignmentEnded { assignment, .. } => {
                let assigned = |stage| matches!(stage, Stage::Assigned | Stage::WrapUp);
                self.end(assignment, "ended", assigned, found);
            }
            Event::AcceptedByRule { offer, .. } => {
                let next = Stage::Accepting(acceptance_by_rule(offer));
                self.turn(
                    offer,
                    "accepted by rule",
                    |stage| (stage == Stage::Offered).then_some(next),
                    found,
                );
            }
            Event::WrapUpBegan { assignment, .. } => {
                let next = |stage| (stage == Stage::Assigned).then_some(Stage::WrapUp);
                self.turn(assignment, "wrapped up", next, found);
            }
            // Who looks on holds nothing: it ends once, like anything.
            Event::ConsultBegan { consult, agent, .. } => {
                let before = self.looking_on.insert(*consult, agent.clone());
                found.require(
                    before.is_none(),
                    5,
                    format_args!("consultation {consult} begins a second time"),
                );
                let of_agent = self.looking_on.values().filter(|other| *other == agent).count();
                found.require(of_agent <= 3, 4, format_args!("{agent} looks on in {of_agent} of at most 3"));
            }
            Event::ConsultEnded { consult, agent, .. } => {
                let ended = self.looking_on.remove(consult);
                found.require(
                    ended.as_ref() == Some(agent),
                    5,
                    format_args!("consultation {consult} ends, but had ended before, or was never begun"),
                );
            }
            Event::ConsultFailed { .. }
            | Event::Enqueued { .. }
            | Event::Waits { .. }
            | Event::Stranded { .. }
            | Event::PreferenceEnded { .. }
            | Event::Overflowing { .. }
            | Event::QueueClosed { .. }
            | Event::LookSet { .. }
            | Event::Dequeued { .. }
            | Event::PresenceSet { .. }
            | Event::SentAway { .. }
            | Event::LeaseLapsed { .. }
            | Event::WorkDeferred { .. } => {}
        }
    }

    fn offered(&mut self, offer: &OfferId, made: Reservation, found: &mut Found) {
        found.require(offer.number > self.last, 5, format_args!("offer {offer} is made a second time"));
        self.last = self.last.max(offer.number);

        let load = self.loads.entry(made.agent.clone()).or_default();
        *load.entry(made.channel).or_default() += 1;
        let of_channel = load[&made.channel];
        let policy = self.policies.of(&made.agent.desk.tenant);
        match policy.and_then(|policy| policy.agents.get(&made.agent)) {
            None => {
                found.add(4, format_args!("offer {offer} is made to {}, unknown to the policy", made.agent))
            }
            Some(agent) => {
                let most = agent.capacity.total;
                let weight = |(channel, count): (&Channel, &u32)| {
                    u64::from(*count) * u64::from(agent.capacity.weights.get(channel).copied().unwrap_or(1))
                };
                let total = load.iter().map(weight).sum::<u64>();
                let most_of_channel = agent.capacity.per_channel.get(&made.channel).copied();
                found.require(
                    total <= u64::from(most),
                    4,
                    format_args!("offer {offer}: {} holds {total} of at most {most}", made.agent),
                );
                let most = most_of_channel.unwrap_or(u32::MAX);
                let channel = made.channel.as_str();
                found.require(
                    of_channel <= most,
                    4,
                    format_args!(
                        "offer {offer}: {} holds {of_channel} of at most {most} of {channel}",
                        made.agent
                    ),
                );
            }
        }

        let conversation = made.conversation;
        if let Some(other) = self.holders.insert((conversation, made.owner_epoch), offer.clone()) {
            found.add(
                3,
                format_args!("offer {offer}: conversation {conversation} is reserved by {other} already"),
            );
        }
        self.live.insert(offer.clone(), made);
    }

    fn turn(
        &mut self,
        offer: &OfferId,
        what: &str,
        next: impl Fn(Stage) -> Option<Stage>,
        found: &mut Found,
    ) {
        let live = self.live.get_mut(offer);
        match live.and_then(|live| next(live.stage).map(|next| live.stage = next)) {
            Some(()) => {}
            None => {
                found.add(5, format_args!("offer {offer} is {what}, which it cannot be any more, or yet"))
            }
        }
    }

    fn end(&mut self, offer: &OfferId, what: &str, may_end: impl Fn(Stage) -> bool, found: &mut Found) {
        let Some(ended) = self.live.remove(offer) else {
            found.add(5, format_args!("offer {offer} is {what}, but had ended before, or was never made"));
            return;
        };
        found.require(
            may_end(ended.stage),
            5,
            format_args!("offer {offer} is {what}, which it cannot be any more, or yet"),
        );
        if let Some(count) = self.loads.get_mut(&ended.agent).and_then(|load| load.get_mut(&ended.channel)) {
            *count = count.saturating_sub(1);
        }
        let key = (ended.conversation, ended.owner_epoch);
        if self.holders.get(&key) == Some(offer) {
            self.holders.remove(&key);
        }
    }
}
