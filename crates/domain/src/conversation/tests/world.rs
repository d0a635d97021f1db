//! The world around a conversation partition: the customers, the bots, the desks, the clock, and a book kept beside
//! it from its events alone, by which every step is checked.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{receipts::Receipts, *};
use crate::{
    Cause, Code, ContentHash, FactId, Intake, Kind, Lane, Origin, Partition, Peer, Recorded, Relay, Route,
    Step, Taken, Topology, contact,
    conversation::{Command, Conversations, Decider, Event, Owner, Progress, ReceiptKind, What},
    delivery, desk,
};

/// One conversation, as its events told of it.
#[derive(Clone, PartialEq, Debug, Default)]
struct Entry {
    is_open: bool,
    owner: Option<Owned>,
    owner_epoch: u32,
    turn: Option<TurnId>,
    turns: u32,
}

#[derive(Clone, PartialEq, Debug)]
enum Owned {
    Bot(BotId),
    Queue(QueueId),
    Agent(AgentId, OfferId),
}

/// A conversation as a desk was asked to find someone for it.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    conversation: ConversationId,
    owner_epoch: u32,
    queue: QueueId,
    agent: Option<AgentId>,
}

const TOPOLOGY: Topology = Topology { conversation: 1, desk: 2, delivery: 3, contact: 1, workspace: 1 };

pub(super) struct World {
    partition: Partition<Decider>,
    steps: Vec<(Timestamp, Step<Decider>)>,
    /// Who left memory, and the events that bring them back.
    archive: BTreeMap<Party, Event>,
    /// Whether anyone leaves memory.
    retires: bool,
    now: Timestamp,
    facts_reported: u128,
    commands_given: u128,
    answered: BTreeSet<CommandId>,
    /// On their way to each desk and each lane of delivery, in order.
    on_their_way: BTreeMap<Peer, VecDeque<Relay>>,
    /// What each source has sent back so far.
    sent_back: BTreeMap<Peer, u64>,
    offers_made: u64,
    /// Everything that ever waited at a desk.
    pub(super) at_desks: Vec<Waiting>,
    book: BTreeMap<ConversationId, Entry>,
    receipts: Receipts,
    /// Messages of ours, whether they left or not.
    pub(super) written: Vec<(Party, MessageId)>,
    /// What a bot or an agent holds on to, though it may be stale: everything that was ever theirs.
    pub(super) turns: Vec<(TurnId, BotId)>,
    pub(super) assignments: Vec<(ConversationId, AgentId, OfferId)>,
    generations_fired: BTreeSet<u64>,
}

impl World {
    pub(super) fn new(policy: Policy, retires: bool) -> Self {
        let mut world = World {
            partition: Partition::new(TOPOLOGY),
            steps: Vec::new(),
            archive: BTreeMap::new(),
            retires,
            now: seconds(0),
            facts_reported: 0,
            commands_given: 0,
            answered: BTreeSet::new(),
            on_their_way: BTreeMap::new(),
            sent_back: BTreeMap::new(),
            offers_made: 0,
            at_desks: Vec::new(),
            book: BTreeMap::new(),
            receipts: Receipts::default(),
            written: Vec::new(),
            turns: Vec::new(),
            assignments: Vec::new(),
            generations_fired: BTreeSet::new(),
        };
        world.adopt(policy);
        world
    }

    fn state(&self) -> &Conversations {
        self.partition.state()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    // What may happen.

    pub(super) fn adopt(&mut self, policy: Policy) {
        let step = self.partition.adopt(self.now, Arc::new(policy)).expect("each policy is newer");
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

    /// Whoever has been quiet for that long leaves memory.
    pub(super) fn retire(&mut self, quiet_for: Millis) {
        let Some(step) = self.partition.retire(self.now, quiet_for).filter(|_| self.retires) else { return };
        self.absorb(step);
        let next = self.partition.retire(self.now, quiet_for);
        assert_eq!(next, None, "all of them at once, as few as they are");
    }

    /// Whoever an input is about is brought back before it is taken.
    fn recall(&mut self, intake: &Intake<Command>) {
        let asked = self.partition.question(intake).party;
        let Some(event) = asked.and_then(|party| self.archive.get(&party)).cloned() else { return };
        self.absorb(self.partition.bring_back(event));
        assert_eq!(self.partition.question(intake).party, None, "it is back");
    }

    fn take(&mut self, intake: &Intake<Command>) -> Taken<Decider> {
        self.recall(intake);
        self.partition.take(self.now, intake)
    }

    /// A name for a message that has none yet.
    pub(super) fn new_message(&mut self) -> MessageId {
        self.facts_reported += 1;
        message(self.facts_reported)
    }

    /// A channel reports, and once more for good measure. An inbox that is gone has no channel.
    pub(super) fn fact(&mut self, command: Command) {
        self.facts_reported += 1;
        let intake = self.intake(Origin::Fact(FactId(self.facts_reported.to_be_bytes())), command);
        match self.take(&intake) {
            Taken::Step(step) => self.absorb(step),
            Taken::Refused(_) => {
                assert!(self.partition.policies().inbox(&inbox()).is_none(), "what a customer does is taken");
                return;
            }
            other => panic!("every fact is new: {other:?}"),
        }
        assert_eq!(self.take(&intake), Taken::Again, "a fact counts once");
    }

    /// A provider says what became of a message that it knows by this id, perhaps before we know it was sent.
    pub(super) fn receipt(&mut self, party: Party, provider_id: Arc<str>, kind: ReceiptKind) {
        let at = self.now;
        let (id, watermark) = (Some(provider_id.clone()), None);
        self.fact(Command::Receipt { party, kind, provider_id: id, watermark, at, reason: None });
        if self.state().customer(party).is_some() {
            self.receipts.has_heard(party, &provider_id, kind);
        }
    }

    /// Someone asks, and repeats it until an answer is there: why it was refused, if it was.
    pub(super) fn command(&mut self, command: Command) -> Option<Code> {
        self.commands_given += 1;
        let id = command_id(self.commands_given);
        let intake = self.intake(Origin::Command { id, content: ContentHash::default() }, command);
        let Taken::Step(step) = self.take(&intake) else { panic!("every command is new") };
        let [answer] = &step.answers[..] else { panic!("{:?}", step.answers) };
        assert_eq!(answer.command, id);
        assert!(self.answered.insert(id), "a command is answered once");
        let result = answer.result.clone();
        assert!(result.is_ok() || step.events.is_empty(), "what is refused changes nothing");
        self.absorb(step);
        let Taken::Step(again) = self.take(&intake) else { panic!("it was answered") };
        assert_eq!(
            (again.events.len(), &again.answers[0].result),
            (0, &result),
            "the same answer, and no more"
        );
        result.err().map(|rejection| rejection.code)
    }

    /// The next message to one of those who wait for some arrives, and is acted upon.
    pub(super) fn deliver(&mut self, which: usize, works: bool) {
        let waiting: Vec<_> =
            self.on_their_way.iter().filter(|(_, queue)| !queue.is_empty()).map(|(p, _)| *p).collect();
        let Some(peer) = waiting.get(which % waiting.len().max(1)).copied() else { return };
        let relay = self.on_their_way.get_mut(&peer).and_then(VecDeque::pop_front).expect("it is not empty");
        let through = self.outbox(peer).first().map(|(number, _)| *number).expect("it is kept until now");
        let applied = Intake::Applied { by: peer, through };
        let Taken::Step(step) = self.partition.take(self.now, &applied) else { panic!("it is news") };
        self.absorb(step);
        assert_eq!(self.partition.take(self.now, &applied), Taken::Again);
        match relay {
            Relay::Desk(desk::Command::Enqueue { conversation, owner_epoch, queue, agent, .. }) => {
                self.at_desks.push(Waiting { conversation, owner_epoch, queue, agent });
            }
            Relay::Delivery(delivery::Command::Deliver { conversation, message, .. }) => {
                let provider_id = message.to_string().into();
                let progress = if works { Progress::Sent { provider_id } } else { Progress::Unknown };
                self.relay(peer, Command::Progress { conversation, message, progress });
            }
            _ => {}
        }
    }

    /// Someone accepts a conversation that waits at a desk, or did once.
    pub(super) fn accept(&mut self, waiting: Waiting) {
        let Waiting { conversation, owner_epoch, queue, agent: wanted } = waiting;
        self.offers_made += 1;
        let offer = OfferId { desk: queue.desk.clone(), number: self.offers_made };
        let someone = || agent(if queue.desk == desk("night") { "dee" } else { "ann" });
        let agent = wanted.unwrap_or_else(someone);
        let command = command_id(u128::MAX - u128::from(self.offers_made));
        self.assignments.push((conversation, agent.clone(), offer.clone()));
        let source = TOPOLOGY.peer(&Route::Desk(queue.desk));
        let assign = Command::Assign { conversation, owner_epoch, offer, agent, command };
        let answers = self.relay(source, assign);
        assert_eq!(answers, 1, "an acceptance is confirmed or refused");
    }

    /// Another aggregate says something: how many events follow.
    pub(super) fn relay(&mut self, source: Peer, command: Command) -> usize {
        let number = self.sent_back.get(&source).copied().unwrap_or(0) + 1;
        self.sent_back.insert(source, number);
        let intake = self.intake(Origin::Relay { source, number }, command);
        let Taken::Step(step) = self.take(&intake) else { panic!("{intake:?} is refused") };
        let events = step.events.len();
        self.absorb(step);
        assert_eq!(self.take(&intake), Taken::Again, "a relay counts once");
        events
    }

    pub(super) fn give_back(&mut self, conversation: ConversationId, assignment: OfferId) {
        let source = TOPOLOGY.peer(&Route::Desk(assignment.desk.clone()));
        self.relay(source, Command::GiveBack { conversation, assignment });
    }

    fn intake(&self, origin: Origin, command: Command) -> Intake<Command> {
        Intake::Input { origin, at: self.now, tenant: tenant(), policy_version: 0, command }
    }

    /// Everything on its way arrives and every bot's time passes: nobody is left with a turn or without an owner.
    pub(super) fn wind_up(mut self) {
        self.pass(PATIENCE);
        self.fire_all();
        while self.on_their_way.values().any(|queue| !queue.is_empty()) {
            self.deliver(0, true);
        }
        for waiting in std::mem::take(&mut self.at_desks) {
            self.accept(waiting);
        }
        assert_eq!(self.partition.next_due(), None, "timers that guard nothing");
        assert_eq!(self.state().open_turns().count(), 0, "turns that nobody answers");
        for (id, entry) in self.book.iter().filter(|(_, entry)| entry.is_open) {
            assert!(!matches!(entry.owner, Some(Owned::Queue(_))), "{id} waits though everyone accepts");
        }
        self.replay_equals_live();
    }

    // What is checked.

    fn absorb(&mut self, step: Step<Decider>) {
        if let Cause::Timer(timer) = &step.cause {
            assert!(timer.due <= self.now, "a timer fires before its time");
            assert!(self.generations_fired.insert(timer.generation), "a timer fires twice in a generation");
            assert!(!step.events.is_empty(), "a timer that fires guards something");
        }
        self.receipts.keep_up(step.events.iter().map(|recorded| &recorded.event));
        for Recorded { event, relay } in &step.events {
            self.book_keeps_up(event);
            self.relays_what_it_should(event, relay.map(|(peer, _)| peer));
        }
        self.partition.fold(self.now, &step);
        self.archive.extend(self.partition.take_departed().parties);
        self.steps.push((self.now, step));
        self.state_is_what_the_book_says();
        self.timers_guard_open_turns();
        self.outboxes_hold_what_is_on_its_way();
    }

    /// Invariants 3 and 15, from the events alone.
    fn book_keeps_up(&mut self, event: &Event) {
        assert_eq!((&event.tenant, &event.inbox), (&tenant(), &inbox()));
        if let What::Retired { party } = event.what {
            let is_open = |(id, entry): (&ConversationId, &Entry)| id.party == party && entry.is_open;
            assert!(!self.book.iter().any(is_open), "{party} is retired with an open conversation");
        }
        let Some(id) = event.conversation() else { return };
        if let What::Opened { .. } = event.what {
            let before = ConversationId { number: id.number - 1, ..id };
            let is_over = self.book.get(&before).is_some_and(|before| !before.is_open);
            assert!(is_over || id.number == 1, "{id} is opened while another one is open, or out of turn");
            let entry = Entry { is_open: true, ..Entry::default() };
            assert_eq!(self.book.insert(id, entry), None, "{id} is opened twice");
            return;
        }
        let entry = self.book.get_mut(&id).expect("only what was opened goes on");
        let mut own = |owner: Owned, owner_epoch: u32| {
            assert!(entry.is_open, "{event:?}");
            assert!(owner_epoch > entry.owner_epoch, "the epoch grows with every owner: {event:?}");
            assert!(!matches!(entry.owner, Some(Owned::Agent(..))), "an agent is released first: {event:?}");
            (entry.owner, entry.owner_epoch, entry.turn) = (Some(owner), owner_epoch, None);
        };
        match &event.what {
            What::Reopened { .. } => {
                assert!(!entry.is_open, "{event:?}");
                entry.is_open = true;
            }
            What::BotEngaged { bot, owner_epoch, .. } => own(Owned::Bot(bot.clone()), *owner_epoch),
            What::AgentWanted { queue, owner_epoch, .. } => own(Owned::Queue(queue.clone()), *owner_epoch),
            What::Assigned { agent, assignment, owner_epoch, .. } => {
                own(Owned::Agent(agent.clone(), assignment.clone()), *owner_epoch);
            }
            What::Released { assignment, .. } => {
                let Some(Owned::Agent(_, held)) = entry.owner.take() else { panic!("{event:?}") };
                assert_eq!(held, *assignment);
            }
            What::Withdrawn { queue, owner_epoch, .. } => {
                assert_eq!(entry.owner.take(), Some(Owned::Queue(queue.clone())));
                assert_eq!(entry.owner_epoch, *owner_epoch);
            }
            What::Closed { .. } => {
                assert!(entry.is_open && !matches!(entry.owner, Some(Owned::Queue(_) | Owned::Agent(..))));
                (entry.is_open, entry.owner, entry.turn) = (false, None, None);
            }
            What::TurnAsked { turn, bot, .. } => {
                assert_eq!(entry.owner, Some(Owned::Bot(bot.clone())), "{event:?}");
                assert_eq!((entry.turn, turn.owner_epoch), (None, entry.owner_epoch), "{event:?}");
                assert_eq!(turn.number, entry.turns + 1, "turns are numbered densely");
                (entry.turn, entry.turns) = (Some(*turn), turn.number);
                self.turns.push((*turn, bot.clone()));
            }
            What::TurnAnswered { turn } => assert_eq!(entry.turn.take(), Some(*turn)),
            What::BotReplied { .. } => assert!(matches!(entry.owner, Some(Owned::Bot(_))), "{event:?}"),
            What::Replied { agent, .. } => {
                assert!(matches!(&entry.owner, Some(Owned::Agent(owner, _)) if owner == agent), "{event:?}");
            }
            What::MessageReceived { .. } => assert!(entry.is_open, "{event:?}"),
            _ => {}
        }
    }

    /// What others must hear, they hear; and nothing else.
    fn relays_what_it_should(&mut self, event: &Event, relayed_to: Option<Peer>) {
        let to_desk = |desk: &DeskId, command| Some((Route::Desk(desk.clone()), Relay::Desk(command)));
        let expected = match event.what.clone() {
            What::CustomerSeen { from, at } => {
                let see = contact::Command::See { from, at };
                Some((Route::Contacts(tenant()), Relay::Contact(see)))
            }
            What::AgentWanted { conversation, channel, queue, owner_epoch, since, again, agent, .. } => {
                let desk = queue.desk.clone();
                let enqueue =
                    desk::Command::Enqueue { conversation, owner_epoch, channel, queue, since, again, agent };
                to_desk(&desk, enqueue)
            }
            What::Withdrawn { conversation, queue, owner_epoch } => {
                to_desk(&queue.desk, desk::Command::Withdraw { conversation, owner_epoch })
            }
            What::Assigned { assignment: offer, command, .. } => {
                to_desk(&offer.desk.clone(), desk::Command::Confirm { offer, command })
            }
            What::AssignmentRefused { offer, command, .. } => {
                to_desk(&offer.desk.clone(), desk::Command::Refuse { offer, command })
            }
            What::Released { assignment, .. } => {
                to_desk(&assignment.desk.clone(), desk::Command::Release { assignment })
            }
            What::BotReplied { conversation, message, outgoing }
            | What::Replied { conversation, message, outgoing, .. } => {
                self.written.push((conversation.party, message));
                let lane = Lane::of(inbox(), conversation.party);
                let deliver = delivery::Command::Deliver { conversation, message, outgoing };
                Some((Route::Lane(lane), Relay::Delivery(deliver)))
            }
            What::Redirected { to, received } => {
                Some((Route::Party(to), Relay::Conversation(Command::Receive(received))))
            }
            _ => None,
        };
        let expected = expected.map(|(route, relay)| (TOPOLOGY.peer(&route), relay));
        assert_eq!(relayed_to, expected.as_ref().map(|(peer, _)| *peer), "{event:?}");
        if let Some((peer, relay)) = expected {
            self.on_their_way.entry(peer).or_default().push_back(relay);
        }
    }

    fn outbox(&self, peer: Peer) -> Vec<(u64, Relay)> {
        let found = self.partition.outboxes().find(|(target, _)| *target == peer);
        found.into_iter().flat_map(|(_, outbox)| outbox.unapplied().cloned()).collect()
    }

    fn outboxes_hold_what_is_on_its_way(&self) {
        for (peer, expected) in &self.on_their_way {
            let kept = self.outbox(*peer);
            assert!(kept.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "numbered densely");
            assert!(kept.iter().map(|(_, relay)| relay).eq(expected), "to {peer}");
        }
    }

    /// At every moment each open conversation has exactly one owner, and the state knows it.
    fn state_is_what_the_book_says(&self) {
        for (id, entry) in &self.book {
            assert_eq!(
                entry.is_open,
                entry.owner.is_some(),
                "an open conversation has an owner: {id} {entry:?}"
            );
            let Some((_, found)) = self.state().conversation(*id) else {
                assert!(!entry.is_open, "{id} is open and forgotten");
                continue;
            };
            let owner = found.owner().map(|owner| match owner {
                Owner::Bot { bot, .. } => Owned::Bot(bot.clone()),
                Owner::Queue { queue } => Owned::Queue((**queue).clone()),
                Owner::Agent { agent, assignment, .. } => {
                    Owned::Agent((**agent).clone(), (**assignment).clone())
                }
            });
            assert_eq!(
                (owner, found.owner_epoch, found.turns),
                (entry.owner.clone(), entry.owner_epoch, entry.turns)
            );
        }
    }

    fn timers_guard_open_turns(&self) {
        let open: Vec<_> = self.state().open_turns().map(|(turn, ..)| turn).collect();
        let expected: Vec<_> = self.book.values().filter_map(|entry| entry.turn).collect();
        assert_eq!(open, expected);
        assert_eq!(self.state().timers.len(), open.len());
    }

    fn replay_equals_live(&self) {
        let mut replayed = Partition::new(TOPOLOGY);
        let mut archive = BTreeMap::new();
        for (at, step) in &self.steps {
            replayed.fold(*at, step);
            archive.extend(replayed.take_departed().parties);
        }
        assert_eq!(replayed, self.partition);
        assert_eq!(archive, self.archive);
    }

    pub(super) fn history(&self) -> Vec<(Timestamp, Event)> {
        let of_step = |(at, step): &(Timestamp, Step<Decider>)| {
            let at = *at;
            step.events.iter().map(move |recorded| (at, recorded.event.clone())).collect::<Vec<_>>()
        };
        self.steps.iter().flat_map(of_step).collect()
    }

    /// A source of relays that has nothing to do with the conversations it speaks of.
    pub(super) fn stranger() -> Peer {
        Peer { kind: Kind::Desk, partition: 7 }
    }
}
