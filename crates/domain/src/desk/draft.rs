//! A decision under construction: its events so far, and the desk as it will be after them.
//!
//! What follows next depends on what was decided a moment ago (an offer takes room, a refusal gives it back), yet
//! a desk may be large. So only what the events touch is copied, and folded by the same `evolve` as everywhere.

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use crate::{AgentId, CommandId, Context, ConversationId, DeskId, OfferId, Policy, QueueId, Timestamp};

use super::{
    Event, WithdrawnBecause,
    evolve::Concerns,
    state::{AgentState, Desk, Desks, Line, Offer, Place, Waiting},
};

/// So many events one decision may hold; what more there is to do is deferred. A decision stays well below its
/// 512 KiB with that.
pub(super) const LIMIT: usize = 200;

/// Who was never here is as if gone.
static STRANGER: AgentState = AgentState::OFFLINE;

pub(super) struct Draft<'a> {
    pub(super) context: &'a Context<'a>,
    state: &'a Desks,
    id: DeskId,
    /// The desk as it was before this decision.
    before: Option<&'a Desk>,
    /// What the events touched, as it is after them.
    after: Desk,
    /// Conversations whose truth is in `after`, if they still wait at all.
    touched: BTreeSet<ConversationId>,
    events: Vec<Event>,
    offers_made: u64,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a Desks, context: &'a Context<'a>, desk: DeskId) -> Self {
        Draft {
            context,
            before: state.desk(&desk),
            state,
            id: desk,
            after: Desk::default(),
            touched: BTreeSet::new(),
            events: Vec::new(),
            offers_made: state.offers_made(),
        }
    }

    /// Goes on with another desk of the partition, not visited yet, in the same decision.
    pub(super) fn turn_to(self, desk: DeskId) -> Self {
        let (events, offers_made) = (self.events, self.offers_made);
        Draft { events, offers_made, ..Draft::new(self.state, self.context, desk) }
    }

    pub(super) fn finish(self) -> Vec<Event> {
        self.events
    }

    pub(super) fn push(&mut self, event: Event) {
        let concerns = Concerns::of(&event);
        debug_assert_eq!(concerns.desk, &self.id, "a draft holds one desk");
        self.copy(&concerns);
        self.after.evolve(self.context.now, &event);
        self.events.push(event);
    }

    fn copy(&mut self, concerns: &Concerns) {
        let Some(before) = self.before else { return };
        if let Some(conversation) = concerns.conversation
            && self.touched.insert(conversation)
            && let Some(waiting) = before.waiting.get(&conversation)
        {
            self.after.wait(conversation, waiting.clone());
        }
        if let Some(name) = concerns.agent
            && !self.after.agents.contains_key(name)
            && let Some(agent) = before.agents.get(name)
        {
            self.after.agents.insert(name.clone(), agent.clone());
        }
        if let Some(number) = concerns.offer
            && !self.after.offers.contains_key(&number)
            && let Some(offer) = before.offers.get(&number)
        {
            self.after.offers.insert(number, offer.clone());
        }
    }

    /// True once the decision holds as much as it may: the rest is then left to a step of its own.
    pub(super) fn defer_if_full(&mut self) -> bool {
        let full = self.events.len() >= LIMIT;
        if full {
            let deferred = Event::WorkDeferred { desk: self.id.clone() };
            if !self.events.contains(&deferred) {
                self.push(deferred);
            }
        }
        full
    }

    pub(super) fn desk(&self) -> &DeskId {
        &self.id
    }

    /// The offers and assignments as they were before this decision, the newest first.
    pub(super) fn offers_before(&self) -> impl Iterator<Item = (u64, &'a Offer)> + use<'a> {
        self.before
            .into_iter()
            .flat_map(|desk| desk.offers.iter().rev().map(|(number, offer)| (*number, offer)))
    }

    pub(super) fn policy(&self) -> Option<&'a Policy> {
        self.context.policies.of(&self.id.tenant).map(Arc::as_ref)
    }

    pub(super) fn agent(&self, name: &str) -> &AgentState {
        let before = || self.before?.agents.get(name);
        self.after.agents.get(name).or_else(before).unwrap_or(&STRANGER)
    }

    pub(super) fn waiting(&self, conversation: ConversationId) -> Option<&Waiting> {
        if self.touched.contains(&conversation) {
            return self.after.waiting.get(&conversation);
        }
        self.before?.waiting.get(&conversation)
    }

    /// The desk's lines as they were, and those that came up in this decision. Some may be empty by now.
    pub(super) fn lines(&self) -> BTreeSet<Line> {
        let before = self.before.into_iter().flat_map(|desk| desk.lines.keys());
        before.chain(self.after.lines.keys()).cloned().collect()
    }

    /// The first conversation of the line, or the first behind a place.
    pub(super) fn next_in(&self, line: &Line, behind: Option<Place>) -> Option<Place> {
        let range = (behind.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let next = |desk: &Desk, skip: &BTreeSet<ConversationId>| {
            desk.lines.get(line)?.range(range).find(|place| !skip.contains(&place.conversation)).copied()
        };
        let before = self.before.and_then(|desk| next(desk, &self.touched));
        let after = next(&self.after, &BTreeSet::new());
        before.into_iter().chain(after).min()
    }

    pub(super) fn offer(&mut self, place: Place, agent: &AgentId, expires_at: Timestamp) {
        let Some(waiting) = self.waiting(place.conversation) else { return };
        let event = Event::Offered {
            offer: OfferId { desk: self.id.clone(), number: self.offers_made + 1 },
            conversation: place.conversation,
            owner_epoch: waiting.owner_epoch,
            agent: agent.clone(),
            queue: self.queue_id(&waiting.queue),
            channel: waiting.channel,
            expires_at,
        };
        self.offers_made += 1;
        self.push(event);
    }

    pub(super) fn withdraw(
        &mut self,
        number: u64,
        offer: &Offer,
        because: WithdrawnBecause,
        command: Option<CommandId>,
    ) {
        self.push(Event::Withdrawn {
            offer: OfferId { desk: self.id.clone(), number },
            conversation: offer.conversation,
            agent: self.agent_id(&offer.agent),
            because,
            command,
        });
    }

    pub(super) fn give_back(&mut self, number: u64, offer: &Offer) {
        self.push(Event::GivingBack {
            assignment: OfferId { desk: self.id.clone(), number },
            agent: self.agent_id(&offer.agent),
            conversation: offer.conversation,
        });
    }

    pub(super) fn queue_id(&self, name: &Arc<str>) -> QueueId {
        QueueId { desk: self.id.clone(), name: name.clone() }
    }

    pub(super) fn agent_id(&self, name: &Arc<str>) -> AgentId {
        AgentId { desk: self.id.clone(), name: name.clone() }
    }
}
