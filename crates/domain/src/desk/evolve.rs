//! How events become state. Total: what an event names and the state does not know is passed over.

use std::sync::Arc;

use crate::{AgentId, ConversationId, DeskId, Timestamp};

use super::{
    Event, Presence, TimerId,
    event::acceptance_by_rule,
    state::{Consult, Desk, Desks, Offer, OfferStage, Waiting},
};

impl Desks {
    pub(super) fn evolve(&mut self, at: Timestamp, event: &Event) {
        let id = Concerns::of(event).desk;
        let id = self.desks.get_key_value(id).map_or_else(|| id.clone(), |(known, _)| known.clone());
        let desk = self.desks.entry(id.clone()).or_default();
        desk.evolve(at, event);
        match event {
            Event::PresenceSet { agent, presence: Presence::Offline, .. } | Event::LeaseLapsed { agent } => {
                self.timers.cancel(&TimerId::Lease(agent.clone()));
            }
            Event::PresenceSet { agent, until, .. } => {
                // In the copies of the names that stand here anyway: there may be thousands.
                let name = desk.agents.get_key_value(&agent.name).map_or(&agent.name, |(known, _)| known);
                self.timers.set(TimerId::Lease(AgentId { desk: id, name: name.clone() }), *until);
            }
            Event::Offered { offer, expires_at, .. } => {
                self.offers_made = self.offers_made.max(offer.number);
                self.timers.set(TimerId::Offer(offer.clone()), *expires_at);
            }
            Event::AcceptRequested { offer, .. }
            | Event::Accepted { offer, .. }
            | Event::Declined { offer, .. }
            | Event::Expired { offer, .. }
            | Event::Withdrawn { offer, .. } => self.timers.cancel(&TimerId::Offer(offer.clone())),
            Event::WorkDeferred { desk } => self.timers.set(TimerId::Deferred(desk.clone()), at),
            Event::LookSet { queue, at } => self.timers.set(TimerId::Look(queue.clone()), *at),
            Event::WrapUpBegan { assignment, until, .. } => {
                self.timers.set(TimerId::WrapUp(assignment.clone()), *until);
            }
            Event::AssignmentEnded { assignment, .. } => {
                self.timers.cancel(&TimerId::WrapUp(assignment.clone()));
            }
            Event::Enqueued { .. }
            | Event::SentAway { .. }
            | Event::Waits { .. }
            | Event::Stranded { .. }
            | Event::PreferenceEnded { .. }
            | Event::Overflowing { .. }
            | Event::QueueClosed { .. }
            | Event::Dequeued { .. }
            | Event::AcceptedByRule { .. }
            | Event::ConsultBegan { .. }
            | Event::ConsultFailed { .. }
            | Event::ConsultEnded { .. }
            | Event::GivingBack { .. } => {}
        }
        // Who wants one agent is woken when that was long enough, as long as it still does.
        match event {
            Event::Enqueued { conversation, agent: Some(_), agent_until: Some(until), .. } => {
                self.timers.set(TimerId::Grace(*conversation), *until);
            }
            Event::Enqueued { conversation, .. }
            | Event::PreferenceEnded { conversation, .. }
            | Event::Dequeued { conversation, .. }
            | Event::Accepted { conversation, .. }
            | Event::Declined { conversation, .. }
            | Event::Expired { conversation, .. }
            | Event::Overflowing { conversation, .. }
                if !desk.wants_someone(*conversation) =>
            {
                self.timers.cancel(&TimerId::Grace(*conversation));
            }
            _ => {}
        }
        // Refusals wake their conversation once it has rested, and are forgotten when it no longer waits.
        match event {
            Event::Declined { conversation, .. } | Event::Expired { conversation, .. } => {
                if let Some(rest_until) = desk.rests(*conversation) {
                    self.timers.set(TimerId::Rested(*conversation), rest_until);
                }
            }
            Event::Enqueued { conversation, .. }
            | Event::Dequeued { conversation, .. }
            | Event::Offered { conversation, .. }
            | Event::Accepted { conversation, .. }
                if desk.rests(*conversation).is_none() =>
            {
                self.timers.cancel(&TimerId::Rested(*conversation));
            }
            _ => {}
        }
    }
}

impl Desk {
    pub(super) fn evolve(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Enqueued {
                conversation,
                owner_epoch,
                channel,
                queue,
                since,
                again,
                agent,
                agent_until: _,
                by_request,
                special,
                priority: _,
            } => {
                self.leave(*conversation);
                let waiting = Waiting {
                    owner_epoch: *owner_epoch,
                    channel: *channel,
                    queue: queue.name.clone(),
                    wanted: agent.as_ref().filter(|agent| agent.desk == queue.desk).map(|a| a.name.clone()),
                    by_request: *by_request,
                    special: special.clone(),
                    since: *since,
                    again: *again,
                    offer: None,
                    overflowing: false,
                    found_closed: None,
                    refusals: None,
                };
                self.wait(*conversation, waiting);
            }
            Event::Dequeued { conversation, .. } => {
                self.leave(*conversation);
            }
            Event::PreferenceEnded { conversation, .. } => {
                self.change(*conversation, |waiting| waiting.wanted = None);
            }
            Event::Overflowing { conversation, .. } => {
                self.change(*conversation, |waiting| waiting.overflowing = true);
            }
            Event::QueueClosed { conversation, .. } => {
                // In place: it stays where it is in its line.
                if let Some(waiting) = self.waiting.get_mut(conversation) {
                    waiting.found_closed = Some(at);
                }
            }
            Event::PresenceSet { agent, presence, until } => {
                let agent = self.agents.entry(agent.name.clone()).or_default();
                if *presence == Presence::Available && agent.presence != Presence::Available {
                    (agent.idle_since, agent.expired) = (at, 0);
                }
                agent.sent_away &= *presence == Presence::Away;
                agent.presence = *presence;
                agent.until = *until;
            }
            Event::SentAway { agent, .. } => {
                if let Some(agent) = self.agents.get_mut(&agent.name) {
                    (agent.presence, agent.sent_away) = (Presence::Away, true);
                }
            }
            Event::LeaseLapsed { agent } => {
                if let Some(agent) = self.agents.get_mut(&agent.name) {
                    (agent.presence, agent.sent_away) = (Presence::Offline, false);
                }
            }
            Event::Offered {
                offer,
                conversation,
                owner_epoch,
                agent,
                queue,
                channel,
                expires_at,
                why: _,
            } => {
                let made = Offer {
                    conversation: *conversation,
                    owner_epoch: *owner_epoch,
                    channel: *channel,
                    agent: agent.name.clone(),
                    queue: queue.name.clone(),
                    offered_at: at,
                    expires_at: *expires_at,
                    stage: OfferStage::Open,
                };
                self.offered(offer.number, made);
            }
            Event::AcceptRequested { offer, agent, command, .. } => {
                self.count_expired(agent, |_| 0);
                self.stage(offer.number, OfferStage::Accepting(*command));
            }
            Event::AcceptedByRule { offer, .. } => {
                self.stage(offer.number, OfferStage::Accepting(acceptance_by_rule(offer)));
            }
            Event::Accepted { offer, conversation, .. } => {
                self.stage(offer.number, OfferStage::Assigned);
                if self.waiting.get(conversation).is_some_and(|waiting| waiting.offer == Some(offer.number)) {
                    self.leave(*conversation);
                }
            }
            Event::Declined { offer, agent, .. } | Event::Expired { offer, agent, .. } => {
                let answered = matches!(event, Event::Declined { .. });
                self.count_expired(agent, |expired| if answered { 0 } else { expired.saturating_add(1) });
                if let Some(ended) = self.end(offer.number) {
                    let rest_until = at + ended.patience();
                    self.wait_on(offer.number, &ended, |waiting| waiting.refused(&ended.agent, rest_until));
                }
            }
            Event::Withdrawn { offer, .. } => {
                if let Some(ended) = self.end(offer.number) {
                    self.wait_on(offer.number, &ended, |_| {});
                }
            }
            Event::AssignmentEnded { assignment, agent, .. } => {
                if self.end(assignment.number).is_some()
                    && let Some(agent) = self.agents.get_mut(&agent.name)
                {
                    agent.idle_since = at;
                }
            }
            Event::GivingBack { assignment, .. } => self.stage(assignment.number, OfferStage::GivingBack),
            Event::WrapUpBegan { assignment, .. } => self.stage(assignment.number, OfferStage::WrapUp),
            Event::ConsultBegan { consult, conversation, agent } => {
                let begun = Consult { conversation: *conversation, agent: agent.name.clone() };
                self.consults.insert(*consult, begun);
            }
            Event::ConsultEnded { consult, .. } => {
                self.consults.remove(consult);
            }
            Event::ConsultFailed { .. }
            | Event::Waits { .. }
            | Event::Stranded { .. }
            | Event::LookSet { .. }
            | Event::WorkDeferred { .. } => {}
        }
        if let Some(name) = Concerns::of(event).agent
            && let Some(agent) = self.agents.get(name)
        {
            self.index.update(name, agent);
        }
    }

    /// Puts a conversation that no offer is under way for into its line.
    pub(super) fn wait(&mut self, conversation: ConversationId, waiting: Waiting) {
        if waiting.offer.is_none() && !waiting.overflowing {
            self.lines.entry(waiting.line()).or_default().insert(waiting.place(conversation));
        }
        self.waiting.insert(conversation, waiting);
    }

    fn leave(&mut self, conversation: ConversationId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&conversation)?;
        let line = waiting.line();
        if let Some(places) = self.lines.get_mut(&line) {
            places.remove(&waiting.place(conversation));
            if places.is_empty() {
                self.lines.remove(&line);
            }
        }
        Some(waiting)
    }

    fn offered(&mut self, number: u64, offer: Offer) {
        if let Some(mut waiting) = self.leave(offer.conversation) {
            waiting.offer = Some(number);
            // Asked again means that the refusals are forgotten.
            if waiting.refused_by(&offer.agent) {
                waiting.refusals = None;
            }
            self.wait(offer.conversation, waiting);
        }
        let agent = self.agents.entry(offer.agent.clone()).or_default();
        agent.load.add(offer.channel);
        agent.idle_since = offer.offered_at;
        agent.last_offer = agent.last_offer.max(number);
        if let Err(place) = agent.held.binary_search(&number) {
            agent.held.insert(place, number);
        }
        self.offers.insert(number, offer);
    }

    fn count_expired(&mut self, agent: &AgentId, count: impl FnOnce(u32) -> u32) {
        if let Some(agent) = self.agents.get_mut(&agent.name) {
            agent.expired = count(agent.expired);
        }
    }

    fn stage(&mut self, number: u64, stage: OfferStage) {
        if let Some(offer) = self.offers.get_mut(&number) {
            offer.stage = stage;
        }
    }

    fn end(&mut self, number: u64) -> Option<Offer> {
        let offer = self.offers.remove(&number)?;
        if let Some(agent) = self.agents.get_mut(&offer.agent) {
            agent.load.remove(offer.channel);
            agent.held.retain(|held| *held != number);
        }
        Some(offer)
    }

    /// The conversation of an offer that came to nothing goes back to its place, if it is still the one that waits.
    fn wait_on(&mut self, number: u64, ended: &Offer, change: impl FnOnce(&mut Waiting)) {
        if self.waiting.get(&ended.conversation).is_some_and(|waiting| waiting.offer == Some(number)) {
            self.change(ended.conversation, |waiting| {
                waiting.offer = None;
                change(waiting);
            });
        }
    }

    /// Whoever waits may change lines by a change.
    fn change(&mut self, conversation: ConversationId, change: impl FnOnce(&mut Waiting)) {
        if let Some(mut waiting) = self.leave(conversation) {
            change(&mut waiting);
            self.wait(conversation, waiting);
        }
    }

    fn wants_someone(&self, conversation: ConversationId) -> bool {
        self.waiting
            .get(&conversation)
            .is_some_and(|waiting| waiting.wanted.is_some() && !waiting.overflowing)
    }

    /// Until when a conversation's refusals stand.
    fn rests(&self, conversation: ConversationId) -> Option<Timestamp> {
        Some(self.waiting.get(&conversation)?.refusals.as_ref()?.rest_until)
    }
}

/// What an event changes.
pub(super) struct Concerns<'a> {
    pub(super) desk: &'a DeskId,
    pub(super) conversation: Option<ConversationId>,
    pub(super) agent: Option<&'a Arc<str>>,
    pub(super) offer: Option<u64>,
}

impl<'a> Concerns<'a> {
    pub(super) fn of(event: &'a Event) -> Self {
        let only = |desk| Concerns { desk, conversation: None, agent: None, offer: None };
        match event {
            Event::Enqueued { conversation, queue, .. }
            | Event::Waits { conversation, queue, .. }
            | Event::Stranded { conversation, queue, .. }
            | Event::PreferenceEnded { conversation, queue, .. }
            | Event::Overflowing { conversation, queue, .. }
            | Event::QueueClosed { conversation, queue, .. }
            | Event::Dequeued { conversation, queue, .. } => {
                Concerns { conversation: Some(*conversation), ..only(&queue.desk) }
            }
            Event::LookSet { queue, .. } => only(&queue.desk),
            Event::PresenceSet { agent, .. }
            | Event::SentAway { agent, .. }
            | Event::LeaseLapsed { agent } => Concerns { agent: Some(&agent.name), ..only(&agent.desk) },
            Event::Offered { offer, conversation, agent, .. }
            | Event::AcceptedByRule { offer, conversation, agent, .. }
            | Event::AcceptRequested { offer, conversation, agent, .. }
            | Event::Accepted { offer, conversation, agent, .. }
            | Event::Declined { offer, conversation, agent }
            | Event::Expired { offer, conversation, agent }
            | Event::Withdrawn { offer, conversation, agent, .. }
            | Event::WrapUpBegan { assignment: offer, conversation, agent, .. }
            | Event::AssignmentEnded { assignment: offer, conversation, agent }
            | Event::GivingBack { assignment: offer, conversation, agent } => Concerns {
                desk: &offer.desk,
                conversation: Some(*conversation),
                agent: Some(&agent.name),
                offer: Some(offer.number),
            },
            // Neither anyone's room nor anyone's place changes.
            Event::ConsultBegan { agent, .. } | Event::ConsultEnded { agent, .. } => only(&agent.desk),
            Event::ConsultFailed { desk, .. } | Event::WorkDeferred { desk } => only(desk),
        }
    }
}
