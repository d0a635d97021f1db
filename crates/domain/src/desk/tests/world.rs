//! The world around a desk partition: the conversations it serves, the clock, and a book kept beside it from its
//! events alone, by which every step is checked.

use std::collections::VecDeque;

use super::*;
use crate::{
    Aggregate, Cause, ContentHash, Intake, Kind, Origin, Partition, Peer, Recorded, Step, Taken, Topology,
    desk::{Command, Decider, Desks, Event, Presence, TimerId, Waiting},
};

/// A conversation, as it knows itself.
struct Known {
    owner_epoch: u32,
    channel: Channel,
    owner: Owner,
}

#[derive(Clone, PartialEq, Debug)]
enum Owner {
    Nobody,
    Desk(QueueId),
    Agent(OfferId, QueueId),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Stage {
    Open,
    Accepting,
    Assigned,
}

impl Known {
    fn waits(
        &mut self,
        conversation: ConversationId,
        queue: QueueId,
        since: Timestamp,
        again: bool,
        agent: Option<AgentId>,
    ) -> Command {
        self.owner_epoch += 1;
        self.owner = Owner::Desk(queue.clone());
        let (owner_epoch, channel) = (self.owner_epoch, self.channel);
        Command::Enqueue { conversation, owner_epoch, channel, queue, since, again, agent }
    }
}

/// A reservation, as its events told of it.
#[derive(Clone, Debug)]
struct Entry {
    agent: AgentId,
    channel: Channel,
    stage: Stage,
}

/// What the desk asks of a conversation.
enum Asked {
    Assign { conversation: ConversationId, owner_epoch: u32, offer: OfferId, command: CommandId },
    GiveBack { conversation: ConversationId, assignment: OfferId },
}

pub(super) struct World {
    partition: Partition<Decider>,
    steps: Vec<(Timestamp, Step<Decider>)>,
    now: Timestamp,
    policy: Arc<Policy>,
    conversations: BTreeMap<ConversationId, Known>,
    /// On their way, in order.
    to_desk: VecDeque<Command>,
    to_conversations: VecDeque<Asked>,
    relays_taken: u64,
    commands_given: u128,
    answered: BTreeSet<CommandId>,
    book: BTreeMap<u64, Entry>,
    offers_seen: u64,
    generations_fired: BTreeSet<u64>,
}

impl World {
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        let topology = Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };
        let mut world = World {
            partition: Partition::new(topology),
            steps: Vec::new(),
            now: seconds(0),
            policy: policy.clone(),
            conversations: BTreeMap::new(),
            to_desk: VecDeque::new(),
            to_conversations: VecDeque::new(),
            relays_taken: 0,
            commands_given: 0,
            answered: BTreeSet::new(),
            book: BTreeMap::new(),
            offers_seen: 0,
            generations_fired: BTreeSet::new(),
        };
        world.adopt(policy);
        world
    }

    pub(super) fn desks(&self) -> &Desks {
        self.partition.state()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    // What may happen.

    pub(super) fn adopt(&mut self, policy: Arc<Policy>) {
        let step = self.partition.adopt(self.now, policy.clone()).expect("each policy is newer");
        self.policy = policy;
        self.absorb(step);
    }

    /// Time passes without anything being noticed.
    pub(super) fn pass(&mut self, span: Millis) {
        self.now = self.now + span;
    }

    pub(super) fn fire_all(&mut self) {
        for round in 0.. {
            let Some(step) = self.partition.fire(self.now) else { return };
            assert!(round < 1_000, "timers fire in a hot loop");
            self.absorb(step);
        }
    }

    /// The conversation comes to wait, or waits for something else than before, unless an agent has it.
    pub(super) fn want_agent(
        &mut self,
        id: ConversationId,
        channel: Channel,
        queue: QueueId,
        agent: Option<AgentId>,
    ) {
        let new = Known { owner_epoch: 0, channel, owner: Owner::Nobody };
        let known = self.conversations.entry(id).or_insert(new);
        if !matches!(known.owner, Owner::Agent(..)) {
            self.to_desk.push_back(known.waits(id, queue, self.now, false, agent));
        }
    }

    /// The conversation is closed, whoever has it.
    pub(super) fn close(&mut self, conversation: ConversationId) {
        let Some(known) = self.conversations.get_mut(&conversation) else { return };
        let owner_epoch = known.owner_epoch;
        match std::mem::replace(&mut known.owner, Owner::Nobody) {
            Owner::Nobody => {}
            Owner::Desk(_) => self.to_desk.push_back(Command::Withdraw { conversation, owner_epoch }),
            Owner::Agent(assignment, _) => self.to_desk.push_back(Command::Release { assignment }),
        }
    }

    /// The desk gets the next message from the conversations.
    pub(super) fn deliver(&mut self) {
        if let Some(command) = self.to_desk.pop_front() {
            self.relay(command);
        }
    }

    /// The desk gets this message, whether or not it makes sense.
    pub(super) fn relay(&mut self, command: Command) {
        self.relays_taken += 1;
        let source = Peer { kind: Kind::Conversation, partition: 0 };
        self.take(Origin::Relay { source, number: self.relays_taken }, command);
    }

    /// The next conversation answers what the desk asked.
    pub(super) fn answer(&mut self) {
        match self.to_conversations.pop_front() {
            None => {}
            Some(Asked::Assign { conversation, owner_epoch, offer, command }) => {
                let known = self.conversations.get_mut(&conversation).expect("the desk knows it from us");
                self.to_desk.push_back(match known.owner.clone() {
                    Owner::Desk(queue) if known.owner_epoch == owner_epoch => {
                        known.owner_epoch += 1;
                        known.owner = Owner::Agent(offer.clone(), queue);
                        Command::Confirm { offer, command }
                    }
                    _ => Command::Refuse { offer, command },
                });
            }
            Some(Asked::GiveBack { conversation, assignment }) => {
                let known = self.conversations.get_mut(&conversation).expect("the desk knows it from us");
                let Owner::Agent(held, queue) = known.owner.clone() else { return };
                if held == assignment {
                    self.to_desk.push_back(Command::Release { assignment });
                    self.to_desk.push_back(known.waits(conversation, queue, self.now, true, None));
                }
            }
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        self.commands_given += 1;
        let id = command_id(self.commands_given);
        self.take(Origin::Command { id, content: ContentHash::default() }, command);
        let pending = self.partition.pending().contains(&id);
        assert!(pending != self.answered.contains(&id), "a command is answered, or waits for its answer");
    }

    /// Everyone goes home, every question is answered: what must end has ended.
    pub(super) fn wind_up(mut self) {
        for _ in 0..8 {
            self.pass(Millis::seconds(600));
            self.fire_all();
            while !self.to_desk.is_empty() || !self.to_conversations.is_empty() {
                self.answer();
                self.deliver();
            }
        }
        assert!(self.book.is_empty(), "reservations that never end: {:?}", self.book);
        assert_eq!(self.partition.pending(), BTreeSet::new(), "commands that are never answered");
        assert_eq!(self.partition.next_due(), None, "timers that guard nothing");
        self.replay_equals_live();
        self.evolve_is_total();
    }

    fn take(&mut self, origin: Origin, command: Command) {
        let intake = Intake::Input { origin, at: self.now, tenant: tenant(), policy_version: 0, command };
        match self.partition.take(self.now, &intake) {
            Taken::Step(step) => self.absorb(step),
            other => panic!("every input is new: {other:?}"),
        }
    }

    // What is checked.

    /// Folds a step, event by event beside the partition, and checks the invariants on the way.
    fn absorb(&mut self, step: Step<Decider>) {
        assert!(step.events.len() <= 201, "a decision is bounded");
        if let Cause::Timer(timer) = &step.cause {
            assert!(timer.due <= self.now, "a timer fires before its time");
            assert!(self.generations_fired.insert(timer.generation), "a timer fires twice in a generation");
        }
        let mut desks = self.desks().clone();
        for Recorded { event, .. } in &step.events {
            self.book_keeps_up(&desks, event);
            Decider::evolve(&mut desks, self.now, event);
        }
        for answer in &step.answers {
            assert!(self.answered.insert(answer.command), "a command is answered twice");
        }
        self.partition.fold(self.now, &step);
        self.steps.push((self.now, step));
        self.loads_are_what_is_reserved();
        self.no_offer_exceeds_the_policy();
        self.no_compatible_pair_persists();
        self.nobody_is_forgotten();
    }

    /// Every reservation begins once, within the capacity, and ends once.
    fn book_keeps_up(&mut self, desks: &Desks, event: &Event) {
        let move_on = |book: &mut BTreeMap<u64, Entry>, offer: &OfferId, from: Stage, to: Stage| {
            let entry = book.get_mut(&offer.number).expect("only what was offered goes on");
            assert_eq!(entry.stage, from, "{event:?}");
            entry.stage = to;
        };
        match event {
            Event::Offered { offer, conversation, agent, channel, .. } => {
                self.offers_seen += 1;
                assert_eq!(offer.number, self.offers_seen, "offers are numbered densely");
                self.offer_follows_the_order(desks, *conversation, agent);
                let entry = Entry { agent: agent.clone(), channel: *channel, stage: Stage::Open };
                assert!(self.book.insert(offer.number, entry).is_none());
                self.capacity_is_kept(agent, *channel);
            }
            Event::AcceptRequested { offer, conversation, owner_epoch, command, .. } => {
                move_on(&mut self.book, offer, Stage::Open, Stage::Accepting);
                let (conversation, owner_epoch, offer) = (*conversation, *owner_epoch, offer.clone());
                let command = *command;
                self.to_conversations.push_back(Asked::Assign { conversation, owner_epoch, offer, command });
            }
            Event::Accepted { offer, .. } => {
                move_on(&mut self.book, offer, Stage::Accepting, Stage::Assigned)
            }
            Event::Declined { offer, .. } | Event::Expired { offer, .. } => self.ends(offer, Stage::Open),
            Event::Withdrawn { offer, command: None, .. } => self.ends(offer, Stage::Open),
            Event::Withdrawn { offer, command: Some(_), .. } => self.ends(offer, Stage::Accepting),
            Event::AssignmentEnded { assignment, .. } => self.ends(assignment, Stage::Assigned),
            Event::GivingBack { assignment, conversation, .. } => {
                move_on(&mut self.book, assignment, Stage::Assigned, Stage::Assigned);
                let (conversation, assignment) = (*conversation, assignment.clone());
                self.to_conversations.push_back(Asked::GiveBack { conversation, assignment });
            }
            Event::Enqueued { .. }
            | Event::Dequeued { .. }
            | Event::PresenceSet { .. }
            | Event::LeaseLapsed { .. }
            | Event::WorkDeferred { .. } => {}
        }
    }

    fn ends(&mut self, offer: &OfferId, from: Stage) {
        let entry = self.book.remove(&offer.number).expect("a reservation ends once");
        assert_eq!(entry.stage, from, "{offer}");
    }

    fn held(&self, agent: &AgentId) -> impl Iterator<Item = &Entry> {
        self.book.values().filter(move |entry| entry.agent == *agent)
    }

    fn held_of(&self, agent: &AgentId, channel: Channel) -> usize {
        self.held(agent).filter(|entry| entry.channel == channel).count()
    }

    fn capacity(&self, agent: &AgentId, channel: Channel) -> (usize, usize) {
        let Some(allowed) = self.policy.agents.get(agent) else { return (0, 0) };
        let most = allowed.capacity.per_channel.get(&channel).copied().unwrap_or(u32::MAX);
        (allowed.capacity.total as usize, most as usize)
    }

    fn capacity_is_kept(&self, agent: &AgentId, channel: Channel) {
        let (total, of_channel) = self.capacity(agent, channel);
        assert!(self.held(agent).count() <= total, "{agent} holds too much");
        assert!(self.held_of(agent, channel) <= of_channel, "{agent} holds too much of {channel:?}");
    }

    fn no_offer_exceeds_the_policy(&self) {
        for entry in self.book.values().filter(|entry| entry.stage == Stage::Open) {
            self.capacity_is_kept(&entry.agent, entry.channel);
        }
    }

    fn loads_are_what_is_reserved(&self) {
        for (id, desk) in self.desks().all() {
            for (name, state) in desk.agents() {
                let agent = AgentId { desk: id.clone(), name: name.clone() };
                assert_eq!(state.load.total() as usize, self.held(&agent).count(), "{agent}");
                for channel in Channel::ALL {
                    assert_eq!(state.load.of(channel) as usize, self.held_of(&agent, channel), "{agent}");
                }
            }
        }
    }

    /// The agents who may be asked to take a waiting conversation, by the rules and nothing else.
    fn suitable(&self, desks: &Desks, desk: &DeskId, waiting: &Waiting, after_rest: bool) -> Vec<AgentId> {
        let queue = QueueId { desk: desk.clone(), name: waiting.queue.clone() };
        if waiting.offer.is_some() || !self.policy.queues.contains_key(&queue) {
            return Vec::new();
        }
        let presence = |agent: &AgentId| desks.agent(agent).map_or(Presence::Offline, |state| state.presence);
        let wanted = waiting.wanted.clone().map(|name| AgentId { desk: desk.clone(), name });
        let wanted =
            wanted.filter(|a| presence(a) != Presence::Offline && self.policy.agents.contains_key(a));
        let able = |(agent, allowed): &(&AgentId, &Agent)| {
            let (total, of_channel) = self.capacity(agent, waiting.channel);
            agent.desk == *desk
                && presence(agent) == Presence::Available
                && wanted.as_ref().map_or(allowed.queues.contains(&queue), |wanted| wanted == *agent)
                && self.held(agent).count() < total
                && self.held_of(agent, waiting.channel) < of_channel
        };
        let able: Vec<_> = self.policy.agents.iter().filter(able).map(|(id, _)| id.clone()).collect();
        let fresh: Vec<_> = able.iter().filter(|agent| !waiting.refused_by(&agent.name)).cloned().collect();
        let rested = waiting.refusals.as_ref().is_some_and(|refusals| refusals.rest_until <= self.now);
        if fresh.is_empty() && rested && after_rest { able } else { fresh }
    }

    fn offer_follows_the_order(&self, desks: &Desks, conversation: ConversationId, agent: &AgentId) {
        let (desk, chosen) = desks.waiting(conversation).expect("only who waits is offered");
        let rank = |id: ConversationId, waiting: &Waiting| {
            let queue = QueueId { desk: desk.clone(), name: waiting.queue.clone() };
            let priority = self.policy.queues.get(&queue).map_or(0, |queue| queue.priority);
            (-priority, !waiting.again, waiting.since, id)
        };
        let before = rank(conversation, chosen);
        for (id, waiting) in desks.desk(desk).expect("it waits there").waiting() {
            if rank(id, waiting) < before {
                let suitable = self.suitable(desks, desk, waiting, true);
                assert_eq!(suitable, [], "{conversation} is offered before {id}, which could have been");
            }
        }
        let idle_since = |agent: &AgentId| desks.agent(agent).map(|state| state.idle_since);
        let suitable = self.suitable(desks, desk, chosen, true);
        let longest_idle = suitable.iter().min_by_key(|agent| (idle_since(agent), *agent));
        assert_eq!(longest_idle, Some(agent), "the longest idle of those who can is asked");
    }

    fn no_compatible_pair_persists(&self) {
        // An overdue timer may be what brings them together.
        let after_rest = self.partition.next_due().is_none_or(|due| due > self.now);
        for (id, desk) in self.desks().all() {
            for (conversation, waiting) in desk.waiting() {
                let suitable = self.suitable(self.desks(), id, waiting, after_rest);
                assert_eq!(suitable, [], "{conversation} waits while these are free");
            }
        }
        assert!(!self.is_deferred(), "this world is too small for that");
    }

    fn is_deferred(&self) -> bool {
        self.desks().timers.first().is_some_and(|timer| matches!(timer.id, TimerId::Deferred(_)))
    }

    /// Once the desk has heard everything, those who wait for it are those who wait at it.
    fn nobody_is_forgotten(&self) {
        if !self.to_desk.is_empty() {
            return;
        }
        let meant = self.conversations.iter().filter_map(|(id, known)| match &known.owner {
            Owner::Desk(queue) => Some((*id, known.owner_epoch, queue.clone())),
            _ => None,
        });
        let mut waiting = Vec::new();
        for (id, desk) in self.desks().all() {
            let queue = |waiting: &Waiting| QueueId { desk: id.clone(), name: waiting.queue.clone() };
            waiting.extend(desk.waiting().map(|(id, waiting)| (id, waiting.owner_epoch, queue(waiting))));
        }
        waiting.sort();
        assert_eq!(meant.collect::<Vec<_>>(), waiting);
    }

    fn replay_equals_live(&self) {
        let topology = Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };
        let mut replayed = Partition::new(topology);
        for (at, step) in &self.steps {
            replayed.fold(*at, step);
        }
        assert_eq!(replayed, self.partition);
    }

    /// Whatever the order, folding does not fail.
    fn evolve_is_total(&self) {
        let mut desks = Desks::default();
        for (at, step) in self.steps.iter().rev() {
            for Recorded { event, .. } in step.events.iter().rev().chain(&step.events) {
                Decider::evolve(&mut desks, *at, event);
            }
        }
    }
}
