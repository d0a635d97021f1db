//! Reservations, the room for them, and who waits although someone is free, by the events of the desk.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    AgentId, Cause, Channel, CommandId, ConversationId, OfferId, Policies, QueueId, Step, Timestamp,
    desk::{Decider, Event, Presence, acceptance_by_rule},
    policy::{Agent, OpenSpan, Special},
};

use super::{Found, Invariant, book::Rules};

#[derive(Default)]
pub(crate) struct Desks {
    policies: Policies,
    last_offer: u64,
    reservations: BTreeMap<OfferId, Reservation>,
    waiting: BTreeMap<ConversationId, Waiting>,
    available: BTreeMap<AgentId, bool>,
    /// Who was asked in to what others have.
    looking_on: BTreeMap<CommandId, AgentId>,
    /// More is to be done than the last decision could hold.
    deferred: bool,
    /// The time of the last decision.
    now: Timestamp,
}

struct Reservation {
    conversation: ConversationId,
    agent: AgentId,
    channel: Channel,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Open,
    Accepting(CommandId),
    Assigned,
}

struct Waiting {
    channel: Channel,
    queue: QueueId,
    /// The only agent wanted, for a while.
    wanted: Option<AgentId>,
    /// Its place among those of its queue: who was here before goes first, then who has waited longest.
    place: (bool, Timestamp, ConversationId),
    refused_by: BTreeSet<AgentId>,
    offer: Option<OfferId>,
    /// What it has beyond others of its queue.
    special: Option<Arc<Special>>,
}

impl Desks {
    pub(crate) fn open_offers(&self) -> impl Iterator<Item = (OfferId, AgentId)> + use<'_> {
        let open = |(id, made): (&OfferId, &Reservation)| {
            (made.stage == Stage::Open).then(|| (id.clone(), made.agent.clone()))
        };
        self.reservations.iter().filter_map(open)
    }

    pub(crate) fn at_rest(&mut self, found: &mut Found) {
        let asked = self.reservations.iter().find(|(_, made)| matches!(made.stage, Stage::Accepting(_)));
        found.require(
            asked.is_none(),
            Invariant::ReservationsEndOnce,
            format_args!("offer {:?} was accepted and is never confirmed", asked.map(|(id, _)| id)),
        );
        self.deferred = false;
        // By now the desk has seen whichever queue has opened.
        self.pairs(is_open, found);
    }
}

impl Rules<Decider> for Desks {
    fn step(&mut self, step: &Step<Decider>, at: Timestamp, found: &mut Found) {
        self.now = at;
        if let Cause::PolicyInForce(policy) = &step.cause {
            self.policies.put(Arc::clone(policy));
        }
        step.events.iter().for_each(|recorded| self.event(&recorded.event, found));
    }

    fn decided(&mut self, _at: Timestamp, found: &mut Found) {
        // When a queue opens the desk is told by a timer, which may not have fired yet.
        let always = |policies: &Policies, queue: &QueueId, _| has_no_hours(policies, queue);
        self.pairs(always, found);
        self.deferred = false;
    }
}

impl Desks {
    fn event(&mut self, event: &Event, found: &mut Found) {
        match event {
            Event::Enqueued { conversation, channel, queue, agent, since, again, special, .. } => {
                let waiting = Waiting {
                    channel: *channel,
                    queue: queue.clone(),
                    wanted: agent.clone(),
                    place: (!again, *since, *conversation),
                    refused_by: BTreeSet::new(),
                    offer: None,
                    special: special.clone(),
                };
                self.waiting.insert(*conversation, waiting);
            }
            // Who is on the way to another queue is offered to nobody here.
            Event::Dequeued { conversation, .. } | Event::Overflowing { conversation, .. } => {
                self.waiting.remove(conversation);
            }
            Event::PreferenceEnded { conversation, .. } => {
                let waiting = self.waiting.get_mut(conversation);
                waiting.into_iter().for_each(|waiting| waiting.wanted = None);
            }
            Event::PresenceSet { agent, presence, .. } => {
                self.available.insert(agent.clone(), *presence == Presence::Available);
            }
            Event::SentAway { agent, .. } | Event::LeaseLapsed { agent } => {
                self.available.insert(agent.clone(), false);
            }
            Event::Offered { offer, conversation, agent, channel, .. } => {
                self.offered(offer, *conversation, agent, *channel, found);
            }
            Event::AcceptRequested { offer, command, .. } => {
                let next = Stage::Accepting(*command);
                self.turn(offer, next, |stage| stage == Stage::Open, found);
            }
            Event::AcceptedByRule { offer, .. } => {
                let next = Stage::Accepting(acceptance_by_rule(offer));
                self.turn(offer, next, |stage| stage == Stage::Open, found);
            }
            Event::Accepted { offer, conversation, command, .. } => {
                let asked = Stage::Accepting(*command);
                self.turn(offer, Stage::Assigned, |stage| stage == asked, found);
                if self.waiting.get(conversation).is_some_and(|waiting| waiting.offer.as_ref() == Some(offer))
                {
                    self.waiting.remove(conversation);
                }
            }
            Event::GivingBack { assignment, .. } => {
                found.note("conversations given back");
                self.turn(assignment, Stage::Assigned, |stage| stage == Stage::Assigned, found);
            }
            Event::Declined { offer, .. } | Event::Expired { offer, .. } => {
                found.note("offers declined or expired");
                self.end(offer, |stage| stage == Stage::Open, true, found);
            }
            Event::Withdrawn { offer, .. } => {
                self.end(offer, |stage| stage != Stage::Assigned, false, found);
            }
            Event::AssignmentEnded { assignment, .. } => {
                self.end(assignment, |stage| stage == Stage::Assigned, false, found);
            }
            Event::WrapUpBegan { assignment, .. } => {
                self.turn(assignment, Stage::Assigned, |stage| stage == Stage::Assigned, found);
            }
            Event::WorkDeferred { .. } => self.deferred = true,
            Event::ConsultBegan { consult, agent, .. } => {
                found.note("agents asked in");
                let is_there = self.available.get(agent).copied().unwrap_or_default();
                found.require(
                    is_there && self.looking_on.insert(*consult, agent.clone()).is_none(),
                    Invariant::WithinCapacity,
                    format_args!("{agent} is asked in without being there, or a second time"),
                );
            }
            Event::ConsultEnded { consult, agent, .. } => found.require(
                self.looking_on.remove(consult).as_ref() == Some(agent),
                Invariant::ReservationsEndOnce,
                format_args!("{agent} looks on no more, and did not"),
            ),
            Event::QueueClosed { conversation, queue, .. } => {
                found.note("customers whose queue was closed");
                found.require(
                    !is_open(&self.policies, queue, self.now) && self.waiting.contains_key(conversation),
                    Invariant::NobodyWaitsForNothing,
                    format_args!("{conversation} waits for {queue} to open, which is open"),
                );
            }
            Event::ConsultFailed { .. }
            | Event::Waits { .. }
            | Event::Stranded { .. }
            | Event::LookSet { .. } => {}
        }
    }

    fn load(&self, agent: &AgentId, channel: Option<Channel>) -> u32 {
        let held = |made: &&Reservation| {
            made.agent == *agent && channel.is_none_or(|channel| channel == made.channel)
        };
        self.reservations.values().filter(held).count() as u32
    }

    /// How much more the agent may hold, by the policy in force.
    fn room(&self, agent: &AgentId, channel: Channel) -> i64 {
        let policy = self.policies.of(&agent.desk.tenant);
        let Some(known) = policy.and_then(|policy| policy.agents.get(agent)) else { return 0 };
        let total = i64::from(known.capacity.total) - i64::from(self.load(agent, None));
        let most = known.capacity.per_channel.get(&channel);
        let of_channel = most.map(|most| i64::from(*most) - i64::from(self.load(agent, Some(channel))));
        of_channel.map_or(total, |of_channel| of_channel.min(total))
    }

    fn offered(
        &mut self,
        offer: &OfferId,
        conversation: ConversationId,
        agent: &AgentId,
        channel: Channel,
        found: &mut Found,
    ) {
        found.note("offers made");
        found.require(
            offer.number > self.last_offer,
            Invariant::ReservationsEndOnce,
            format_args!("offer {offer} is made a second time"),
        );
        self.last_offer = offer.number;
        found.require(
            self.room(agent, channel) > 0,
            Invariant::WithinCapacity,
            format_args!("offer {offer} is made to {agent}, who has no room for it"),
        );
        let passed_over = self.passed_over(conversation, agent);
        found.require(
            passed_over.is_none(),
            Invariant::NobodyWaitsForNothing,
            format_args!("offer {offer} is made to {agent} before {passed_over:?}, who came first"),
        );
        let closed = self
            .waiting
            .get(&conversation)
            .filter(|waiting| waiting.wanted.is_none() && !is_open(&self.policies, &waiting.queue, self.now));
        found.require(
            closed.is_none(),
            Invariant::NobodyWaitsForNothing,
            format_args!("offer {offer} is made from a queue that is closed"),
        );
        if self.waiting.get(&conversation).is_some_and(|waiting| waiting.special.is_some()) {
            found.note("offers of customers who go before others");
        }
        let waiting = self.waiting.get_mut(&conversation).filter(|waiting| waiting.offer.is_none());
        found.require(
            waiting.is_some(),
            Invariant::ReservationsEndOnce,
            format_args!("offer {offer}: conversation {conversation} does not wait, or is offered already"),
        );
        if let Some(waiting) = waiting {
            waiting.offer = Some(offer.clone());
            if waiting.refused_by.contains(agent) {
                waiting.refused_by.clear();
            }
        }
        let made = Reservation { conversation, agent: agent.clone(), channel, stage: Stage::Open };
        self.reservations.insert(offer.clone(), made);
    }

    /// Who goes before this conversation, and whom the agent could have been offered as well.
    fn passed_over(&self, conversation: ConversationId, agent: &AgentId) -> Option<ConversationId> {
        let offered = self.waiting.get(&conversation).filter(|waiting| waiting.wanted.is_none())?;
        let goes_before = |other: &&Waiting| {
            other.offer.is_none()
                && other.wanted.is_none()
                && (&other.queue, other.channel) == (&offered.queue, offered.channel)
                && other.special == offered.special
                && other.place < offered.place
                && !other.refused_by.contains(agent)
        };
        self.waiting.values().find(goes_before).map(|other| other.place.2)
    }

    fn turn(&mut self, offer: &OfferId, next: Stage, may: impl Fn(Stage) -> bool, found: &mut Found) {
        let made = self.reservations.get_mut(offer).filter(|made| may(made.stage));
        found.require(
            made.is_some(),
            Invariant::ReservationsEndOnce,
            format_args!("offer {offer} goes on, which it cannot any more, or yet"),
        );
        if let Some(made) = made {
            made.stage = next;
        }
    }

    fn end(&mut self, offer: &OfferId, may: impl Fn(Stage) -> bool, refused: bool, found: &mut Found) {
        let ended = self.reservations.remove(offer).filter(|made| may(made.stage));
        found.require(
            ended.is_some(),
            Invariant::ReservationsEndOnce,
            format_args!("offer {offer} ends a second time, or as it cannot"),
        );
        let Some(ended) = ended else { return };
        let waiting = self.waiting.get_mut(&ended.conversation);
        if let Some(waiting) = waiting.filter(|waiting| waiting.offer.as_ref() == Some(offer)) {
            waiting.offer = None;
            if refused {
                waiting.refused_by.insert(ended.agent);
            }
        }
    }

    /// Whoever waits while someone is free who serves the queue, has room and has not refused, waits for nothing.
    fn pairs(&self, serves: impl Fn(&Policies, &QueueId, Timestamp) -> bool, found: &mut Found) {
        if self.deferred {
            return;
        }
        for (conversation, waiting) in self.waiting.iter().filter(|(_, waiting)| waiting.offer.is_none()) {
            let free = |agent: &&AgentId| {
                let policy = self.policies.of(&agent.desk.tenant);
                let known = policy.and_then(|policy| policy.agents.get(*agent));
                let has = |known: &Agent| waiting.special.as_ref().is_none_or(|it| it.needs.met_by(known));
                known.is_some_and(|known| known.queues.contains(&waiting.queue) && has(known))
                    && policy.is_some_and(|policy| policy.queues.contains_key(&waiting.queue))
                    && !waiting.refused_by.contains(*agent)
                    && self.room(agent, waiting.channel) > 0
            };
            if !serves(&self.policies, &waiting.queue, self.now) {
                continue;
            }
            let available =
                self.available.iter().filter(|(_, available)| **available).map(|(agent, _)| agent);
            let free = available.filter(|_| waiting.wanted.is_none()).find(free);
            found.require(
                free.is_none(),
                Invariant::NobodyWaitsForNothing,
                format_args!("conversation {conversation} waits while {free:?} is free"),
            );
        }
    }
}

fn has_no_hours(policies: &Policies, queue: &QueueId) -> bool {
    let policy = policies.of(&queue.desk.tenant);
    policy.and_then(|policy| policy.queues.get(queue)).is_none_or(|known| known.hours.is_none())
}

/// By the spans of the week alone: the town keeps its hours in UTC, and has no holidays.
fn is_open(policies: &Policies, queue: &QueueId, at: Timestamp) -> bool {
    const DAY: i64 = 24 * 60;
    let Some(policy) = policies.of(&queue.desk.tenant) else { return true };
    let hours = policy.queues.get(queue).and_then(|known| policy.hours.get(known.hours.as_ref()?));
    let minute = at.0.div_euclid(60_000);
    // 1970 began on a Thursday.
    let (weekday, minute) = ((minute.div_euclid(DAY) + 3).rem_euclid(7) + 1, minute.rem_euclid(DAY));
    let holds = |span: &OpenSpan| {
        i64::from(span.weekday) == weekday && (span.from.into()..span.to.into()).contains(&minute)
    };
    hours.is_none_or(|hours| hours.open.iter().any(holds))
}
