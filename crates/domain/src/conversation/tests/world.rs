//! The world around a conversation partition: the customers, the bots, the desks, the clock, and a book kept beside
//! it from its events alone, by which every step is checked.

mod checks;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{receipts::Receipts, *};
use crate::{
    Code, ContentHash, FactId, Intake, Kind, Origin, Partition, Peer, Relay, Route, Step, Tags, Taken,
    Topology,
    conversation::{
        Command, Conversations, Decider, Event, OtherAddress, Progress, ReceiptKind, Transfer, Window,
    },
    delivery, desk,
    policy::Special,
};

/// One conversation, as its events told of it.
#[derive(Clone, PartialEq, Debug, Default)]
struct Entry {
    is_open: bool,
    owner: Option<Owned>,
    owner_epoch: u32,
    turn: Option<TurnId>,
    turns: u32,
    /// The customer is to be told that the queue is closed.
    away: bool,
    /// And that the answer comes by mail, whoever writes again from then on is there.
    promise: Option<Option<Timestamp>>,
    promised: Option<Option<Timestamp>>,
    /// Who was asked in: none yet, while the desk has not answered.
    consult: Option<(CommandId, Option<AgentId>)>,
    /// What a bot said is special about it.
    special: Option<Special>,
}

#[derive(Clone, PartialEq, Debug)]
enum Owned {
    Bot(BotId),
    Queue(QueueId),
    Agent(AgentId, OfferId),
    /// Put away by the agent, until then.
    Snoozed(AgentId, Timestamp),
}

/// A conversation as a desk was asked to find someone for it.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    conversation: ConversationId,
    owner_epoch: u32,
    queue: QueueId,
    agent: Option<AgentId>,
}

/// A desk was asked for someone to look on.
#[derive(Clone, Debug)]
pub(super) struct AskedIn {
    conversation: ConversationId,
    consult: CommandId,
    whom: Transfer,
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
    /// What desks were asked and have not answered, and all they were ever asked.
    pub(super) asked_in: Vec<AskedIn>,
    pub(super) consulted: Vec<AskedIn>,
    /// Commands whose answers come later.
    pending: BTreeSet<CommandId>,
    /// By the ledger's last word.
    tags: BTreeMap<Party, Tags>,
    others: BTreeMap<Party, Vec<Party>>,
    /// By the last word of each other address to a customer: whether it may be written to.
    writable: BTreeMap<(Party, Party), bool>,
    /// Until when each customer may be answered, and what waits for that.
    windows: BTreeMap<Party, Window>,
    held: BTreeMap<Party, Vec<MessageId>>,
    policy: Arc<Policy>,
}

/// Other addresses than the customers' own: two in a mailbox, one in another.
pub(super) fn elsewhere(n: u8) -> Correspondent {
    let inbox = if n < 2 { "mail" } else { "other-mail" };
    Correspondent { inbox: inbox.parse().unwrap(), channel: Channel::Email, ..correspondent(100 + n) }
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
            asked_in: Vec::new(),
            consulted: Vec::new(),
            pending: BTreeSet::new(),
            tags: BTreeMap::new(),
            others: BTreeMap::new(),
            writable: BTreeMap::new(),
            windows: BTreeMap::new(),
            held: BTreeMap::new(),
            policy: Arc::new(policy.clone()),
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
        self.policy = Arc::new(policy);
        let step = self.partition.adopt(self.now, self.policy.clone()).expect("each policy is newer");
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
        self.fact(Command::Receipt {
            party,
            kind,
            provider_id: id,
            watermark,
            at,
            reason: None,
            pricing: None,
        });
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
        // With it, what was asked before may come to its end.
        let own: Vec<_> =
            step.answers.iter().filter(|answer| !self.pending.contains(&answer.command)).collect();
        let [answer] = own[..] else { panic!("{:?}", step.answers) };
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
            Relay::Desk(desk::Command::Consult { conversation, consult, whom, .. }) => {
                self.asked_in.push(AskedIn { conversation, consult, whom });
            }
            _ => {}
        }
    }

    /// The desk has someone to look on, or nobody.
    pub(super) fn answer_consult(&mut self, which: usize, someone: bool) {
        if self.asked_in.is_empty() {
            return;
        }
        let asked = self.asked_in.remove(which % self.asked_in.len());
        let AskedIn { conversation, consult, whom } = asked.clone();
        let source = TOPOLOGY.peer(&Route::Desk(whom.desk().clone()));
        let agent = match whom {
            Transfer::Agent(agent) => agent,
            _ if *whom.desk() == desk("night") => agent("dee"),
            _ => agent("bob"),
        };
        let agent = someone.then_some(agent);
        self.relay(source, Command::ConsultAnswer { conversation, consult, agent });
        self.consulted.push(asked);
    }

    /// Who looks on leaves, or left long ago.
    pub(super) fn consult_gone(&mut self, asked: AskedIn) {
        let AskedIn { conversation, consult, whom } = asked;
        let source = TOPOLOGY.peer(&Route::Desk(whom.desk().clone()));
        self.relay(source, Command::ConsultGone { conversation, consult });
    }

    /// An agent asks someone in, and has the answer later, or is refused at once.
    pub(super) fn consult(&mut self, command: Command) {
        self.commands_given += 1;
        let id = command_id(self.commands_given);
        let intake = self.intake(Origin::Command { id, content: ContentHash::default() }, command);
        let Taken::Step(step) = self.take(&intake) else { panic!("every command is new") };
        match &step.answers[..] {
            [] => assert!(self.pending.insert(id)),
            [answer] => assert!(answer.result.is_err() && step.events.is_empty(), "{step:?}"),
            more => panic!("{more:?}"),
        }
        self.absorb(step);
    }

    /// The ledger says which tags a customer has.
    pub(super) fn note_tags(&mut self, customer: u8, tags: &[&str]) {
        let source = Peer { kind: Kind::Contact, partition: 0 };
        let (party, tags) = (party(customer), Tags::of(tags.iter().copied()));
        if self.is_known(party) {
            self.tags.insert(party, tags.clone());
        }
        self.relay(source, Command::NoteTags { tenant: tenant(), party, tags });
    }

    pub(super) fn note_others(&mut self, customer: u8, others: &[u8]) {
        let source = Peer { kind: Kind::Contact, partition: 0 };
        let (party, others) =
            (party(customer), others.iter().map(|n| elsewhere(*n).party).collect::<Vec<_>>());
        if self.is_known(party) {
            self.others.insert(party, others.clone());
        }
        self.relay(source, Command::NoteOthers { tenant: tenant(), party, others });
    }

    /// Another address says what it is.
    pub(super) fn note_address(&mut self, customer: u8, other: u8, writable: bool) {
        let source = Peer { kind: Kind::Conversation, partition: 7 };
        let (party, from) = (party(customer), elsewhere(other));
        if self.is_known(party) {
            self.writable.insert((party, from.party), writable);
        }
        self.relay(source, Command::NoteAddress { party, of: OtherAddress { from, writable } });
    }

    fn is_known(&self, party: Party) -> bool {
        self.state().customer(party).is_some() || self.archive.contains_key(&party)
    }

    /// The customer's addresses in that inbox that may be written to, by the book.
    fn reached_by<'a>(&'a self, party: Party, inbox: &'a InboxId) -> impl Iterator<Item = Party> + 'a {
        let others = self.others.get(&party).into_iter().flatten().copied();
        let there =
            move |other: &Party| (0..3).any(|n| elsewhere(n).party == *other && elsewhere(n).inbox == *inbox);
        others.filter(there).filter(move |other| self.writable.get(&(party, *other)) == Some(&true))
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
        assert!(
            answers == 1 || answers == 2,
            "an acceptance is confirmed, with the window where there is one, or refused"
        );
    }

    /// The desk has nobody for it: from here on it waits elsewhere, if it waits as it did.
    pub(super) fn overflow(&mut self, waiting: Waiting, to: QueueId) {
        let Waiting { conversation, owner_epoch, queue, .. } = waiting;
        let source = TOPOLOGY.peer(&Route::Desk(queue.desk));
        let since = self.now;
        let events = self.relay(source, Command::Overflow { conversation, owner_epoch, to, since });
        assert!(events == 2 || events == 0, "it leaves one queue for another, or is left alone");
    }

    /// A customer's latest conversation, its owner epoch, and the desk that has it, as far as that is known.
    pub(super) fn latest(&self, customer: u8) -> Option<(ConversationId, u32, Option<DeskId>)> {
        let of_party = self.book.iter().rev().find(|(id, _)| id.party == party(customer));
        of_party.map(|(id, entry)| {
            let desk = match &entry.owner {
                Some(Owned::Queue(queue)) => Some(queue.desk.clone()),
                Some(Owned::Agent(agent, _) | Owned::Snoozed(agent, _)) => Some(agent.desk.clone()),
                Some(Owned::Bot(_)) | None => None,
            };
            (*id, entry.owner_epoch, desk)
        })
    }

    pub(super) fn put_away_by(&self, conversation: ConversationId) -> Option<&AgentId> {
        match &self.book.get(&conversation)?.owner {
            Some(Owned::Snoozed(agent, _)) => Some(agent),
            _ => None,
        }
    }

    /// The desk found the queue closed.
    pub(super) fn tell_away(&mut self, waiting: Waiting, until: Option<Timestamp>) {
        let Waiting { conversation, owner_epoch, queue, .. } = waiting;
        let source = TOPOLOGY.peer(&Route::Desk(queue.desk.clone()));
        let events = self.relay(source, Command::TellAway { conversation, owner_epoch, queue, until });
        assert!(events <= 1, "it is asked for words, or left alone");
    }

    /// The words for that come, perhaps too late.
    pub(super) fn away_text(&mut self, waiting: Waiting) {
        let Waiting { conversation, owner_epoch, .. } = waiting;
        let message = self.new_message();
        let body = Sealed { subject: conversation.party, bytes: vec![6].into() };
        let text = Command::AwayText { conversation, owner_epoch, message, body };
        let intake = self.intake(Origin::Report, text);
        let Taken::Step(step) = self.take(&intake) else { panic!("{intake:?} is refused") };
        self.absorb(step);
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
        // Longer than anything is put away.
        self.pass(Millis::seconds(4_000).max(PATIENCE));
        self.fire_all();
        while self.on_their_way.values().any(|queue| !queue.is_empty()) {
            self.deliver(0, true);
        }
        while !self.asked_in.is_empty() {
            self.answer_consult(0, true);
        }
        for waiting in std::mem::take(&mut self.at_desks) {
            self.accept(waiting);
        }
        assert_eq!(self.pending, BTreeSet::new(), "commands that are never answered");
        assert_eq!(self.partition.next_due(), None, "timers that guard nothing");
        assert_eq!(self.state().open_turns().count(), 0, "turns that nobody answers");
        for (id, entry) in self.book.iter().filter(|(_, entry)| entry.is_open) {
            let waits = matches!(entry.owner, Some(Owned::Queue(_) | Owned::Snoozed(..)));
            assert!(!waits, "{id} waits though everyone accepts");
        }
        self.replay_equals_live();
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
