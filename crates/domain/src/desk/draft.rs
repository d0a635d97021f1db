//! A decision under construction: its events so far, and the desk as it will be after them.
//!
//! What follows next depends on what was decided a moment ago (an offer takes room, a refusal gives it back), yet
//! a desk may be large. So only what the events touch is copied, and folded by the same `evolve` as everywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Included, Unbounded},
    sync::Arc,
};

use crate::{AgentId, CommandId, Context, ConversationId, DeskId, OfferId, Policy, QueueId, Timestamp};

use super::{
    Event, TimerId, Why, WithdrawnBecause,
    evolve::Concerns,
    index::Index,
    state::{AgentState, Consult, Desk, Desks, Line, Offer, Place, Waiting},
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
        if let Some(conversation) = concerns.conversation {
            self.touch(conversation);
        }
        let Some(before) = self.before else { return };
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

    /// Whether this was decided already.
    pub(super) fn has(&self, event: &Event) -> bool {
        self.events.contains(event)
    }

    /// True once the decision holds as much as it may: the rest is then left to a step of its own.
    pub(super) fn defer_if_full(&mut self) -> bool {
        let full = self.events.len() >= LIMIT;
        if full {
            let deferred = Event::WorkDeferred { desk: self.id.clone() };
            if !self.has(&deferred) {
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

    /// What one agent held before this decision, the newest first.
    pub(super) fn held_before(&self, agent: &str) -> impl Iterator<Item = (u64, &'a Offer)> + use<'a> {
        let desk = self.before;
        let held = desk
            .and_then(|desk| desk.agents.get(agent))
            .into_iter()
            .flat_map(|agent| agent.held.iter().rev());
        held.filter_map(move |number| Some((*number, desk?.offers.get(number)?)))
    }

    /// What agents were consulted about before this decision.
    pub(super) fn consults_before(&self) -> impl Iterator<Item = (CommandId, &'a Consult)> + use<'a> {
        self.before.into_iter().flat_map(|desk| desk.consults())
    }

    /// The classes of this desk, as they were before this decision.
    pub(super) fn index(&self) -> Option<Arc<Index>> {
        let policy = self.context.policies.of(&self.id.tenant)?;
        let make = || Index::of(policy, &self.id, self.before);
        Some(match self.before {
            Some(desk) => desk.index.under(policy, make),
            None => Arc::new(make()),
        })
    }

    /// The agents whom this decision has changed, as they are after it.
    pub(super) fn touched_agents(&self) -> impl Iterator<Item = (&Arc<str>, &AgentState)> {
        self.after.agents.iter()
    }

    /// The conversations that this decision has changed and that wait for an offer after it.
    pub(super) fn touched_waiting(&self) -> Vec<(Place, Line)> {
        let places = self.after.lines.iter();
        places.flat_map(|(line, places)| places.iter().map(|place| (*place, line.clone()))).collect()
    }

    /// When the desk looks at the queue again by itself.
    pub(super) fn looks_at(&self, queue: &QueueId) -> Option<Timestamp> {
        let decided = self.events.iter().rev().find_map(|event| match event {
            Event::LookSet { queue: looked_at, at } if looked_at == queue => Some(*at),
            _ => None,
        });
        decided.or_else(|| self.state.timers.due(&TimerId::Look(queue.clone())))
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

    /// The desk's lines as they were, and those that came up in this decision, from one on. Some may be empty by now.
    pub(super) fn lines_from(&self, first: &Line) -> BTreeSet<Line> {
        let before = self.before.into_iter().flat_map(|desk| desk.lines.range(first..));
        before.chain(self.after.lines.range(first..)).map(|(line, _)| line.clone()).collect()
    }

    pub(super) fn lines(&self) -> BTreeSet<Line> {
        self.lines_from(&Line::first())
    }

    /// The lines of this queue, and of those that the desk is to look at by now.
    pub(super) fn lines_due(&self, queue: &Arc<str>) -> impl Iterator<Item = Line> {
        let is_due = move |name: &Arc<str>| {
            name == queue || self.looks_at(&self.queue_id(name)).is_some_and(|at| at <= self.context.now)
        };
        let mut due: BTreeMap<Arc<str>, bool> = BTreeMap::new();
        let lines = self.lines().into_iter();
        lines.filter(move |line| *due.entry(line.queue.clone()).or_insert_with_key(|name| is_due(name)))
    }

    pub(super) fn lines_in(&self, queue: &Arc<str>) -> impl Iterator<Item = Line> + use<> {
        let queue = queue.clone();
        self.lines().into_iter().filter(move |line| line.queue == queue)
    }

    /// The heads of a queue's lines for which anyone will do: of each line, the first of those who were here before and
    /// the first newcomer. A line that this decision has changed may come twice, with its later head as well.
    pub(super) fn heads_of(&self, queue: &Arc<str>) -> impl Iterator<Item = (&Line, Place)> {
        let first = Line::open(queue.clone());
        let of_queue = {
            let queue = queue.clone();
            move |(line, _): &(&Line, &BTreeSet<Place>)| line.wanted.is_none() && line.queue == queue
        };
        let before = self.before.into_iter().flat_map({
            let (first, of_queue) = (first.clone(), of_queue.clone());
            move |desk| desk.lines.range(first.clone()..).take_while(of_queue.clone())
        });
        let before = before.map(|(line, places)| (line, self.heads(places, true)));
        let after = self.after.lines.range(first.clone()..).take_while(of_queue);
        let after = after.map(|(line, places)| (line, self.heads(places, false)));
        before
            .chain(after)
            .flat_map(|(line, heads)| heads.into_iter().flatten().map(move |head| (line, head)))
    }

    /// The first of each group; of places before this decision, only those that it left alone.
    fn heads(&self, places: &BTreeSet<Place>, before: bool) -> [Option<Place>; 2] {
        let counts = |place: &&Place| !before || !self.touched.contains(&place.conversation);
        match places.iter().find(counts) {
            Some(first) if first.newcomer => [None, Some(*first)],
            first => [first.copied(), places.range(Place::first(true)..).find(counts).copied()],
        }
    }

    /// Looks at a conversation as at one that has changed.
    pub(super) fn touch(&mut self, conversation: ConversationId) {
        if self.touched.insert(conversation)
            && let Some(waiting) = self.before.and_then(|desk| desk.waiting.get(&conversation))
        {
            self.after.wait(conversation, waiting.clone());
        }
    }

    /// The lines in which only this agent is wanted.
    pub(super) fn lines_wanting(&self, agent: &Arc<str>) -> Vec<Line> {
        let of_agent = |desk: &Desk| -> Vec<Line> {
            let lines = desk.lines.range(Line::first_wanting(agent)..).map(|(line, _)| line);
            lines.take_while(|line| line.wanted.as_ref() == Some(agent)).cloned().collect()
        };
        let mut lines: BTreeSet<_> = of_agent(&self.after).into_iter().collect();
        lines.extend(self.before.into_iter().flat_map(of_agent));
        lines.into_iter().collect()
    }

    /// The first conversation of the line among those who were here before or among newcomers, or the first behind a
    /// place.
    pub(super) fn next_in(&self, line: &Line, newcomer: bool, behind: Option<Place>) -> Option<Place> {
        let from = behind.map_or(Included(Place::first(newcomer)), Excluded);
        let next = |desk: &Desk, skip: &BTreeSet<ConversationId>| {
            let places = desk.lines.get(line)?.range((from, Unbounded));
            let mut here = places.take_while(|place| place.newcomer == newcomer);
            here.find(|place| !skip.contains(&place.conversation)).copied()
        };
        let before = self.before.and_then(|desk| next(desk, &self.touched));
        let after = next(&self.after, &BTreeSet::new());
        before.into_iter().chain(after).min()
    }

    pub(super) fn offer(
        &mut self,
        place: Place,
        agent: &AgentId,
        expires_at: Timestamp,
        why: Why,
    ) -> Option<OfferId> {
        let waiting = self.waiting(place.conversation)?;
        let offer = OfferId { desk: self.id.clone(), number: self.offers_made + 1 };
        let event = Event::Offered {
            offer: offer.clone(),
            conversation: place.conversation,
            owner_epoch: waiting.owner_epoch,
            agent: agent.clone(),
            queue: self.queue_id(&waiting.queue),
            channel: waiting.channel,
            expires_at,
            why: Some(why),
        };
        self.offers_made += 1;
        self.push(event);
        Some(offer)
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

    pub(super) fn end_assignment(&mut self, number: u64, offer: &Offer) {
        self.push(Event::AssignmentEnded {
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
