//! A day at a desk, made by the rules of both aggregates: dice say what people do, relays take some milliseconds.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use domain::{
    AgentId, Channel, CommandId, ContentHash, ConversationId, Epoch, FactId, Intake, Kind, MessageId, Millis,
    OfferId, Origin, Partition, Party, Peer, Policy, Relay, Sealed, Step, Taken, TenantId, Timestamp,
    Topology,
    conversation::{self, Correspondent, MessageKind, Received, Transfer, What},
    desk::{self, Presence},
};
use log::{Log, MemoryLog, Topic};
use tokio::sync::OnceCell;
use wire::{Announce, Codec, Decision};

pub(super) const TOPOLOGY: Topology =
    Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };

/// Eight in the morning, and six hours later.
pub(super) const BEGAN: Timestamp = Timestamp(1_782_892_800_000);
pub(super) const ENDED: Timestamp = Timestamp(BEGAN.0 + 6 * 3_600_000);

const LEASE: Millis = Millis::seconds(30);
const RENEWED_EVERY: Millis = Millis::seconds(10);
const AGENTS: usize = 12;

pub(super) const WORKSPACE: &str = r#"
tenant = "acme"

[inboxes.chat]
channel = "generic"
address = "chat"
queue = "service/first" # inbox

[queues."service/first"]
offer_timeout = "15s"
auto_accept = false
wrap_up = "40s"
answer_within = "30s"
overflow = { to = "service/second", after = "90s" }

[queues."service/second"]
priority = 1
offer_timeout = "15s"
auto_accept = false
answer_within = "30s"

[agents."service/agent-00"]
queues = ["service/first", "service/second"]
capacity = 1
[agents."service/agent-01"]
queues = ["service/first", "service/second"]
capacity = 1
[agents."service/agent-02"]
queues = ["service/first"]
capacity = 1
[agents."service/agent-03"]
queues = ["service/first"]
capacity = 1
[agents."service/agent-04"]
queues = ["service/first"]
capacity = 1
[agents."service/agent-05"]
queues = ["service/first"]
capacity = 1
[agents."service/agent-06"]
queues = ["service/first"]
capacity = 1
[agents."service/agent-07"]
queues = ["service/first"]
capacity = 1
[agents."service/agent-08"]
queues = ["service/first"]
capacity = 1
[agents."service/agent-09"]
queues = ["service/first"]
capacity = 1
[agents."service/agent-10"]
queues = ["service/second"]
capacity = 1
[agents."service/agent-11"]
queues = ["service/second"]
capacity = 1
"#;

/// The log of such a day; each is made once.
pub(super) async fn made(seed: u64) -> (Arc<dyn Log>, Topology) {
    static DAYS: [OnceCell<MemoryLog>; 3] = [const { OnceCell::const_new() }; 3];
    let log = DAYS[seed as usize - 1].get_or_init(|| make(seed)).await;
    (Arc::new(log.clone()), TOPOLOGY)
}

async fn make(seed: u64) -> MemoryLog {
    let mut day = Day::new(seed, super::policy(WORKSPACE));
    day.pass();
    let topics = Kind::ALL.into_iter().flat_map(|kind| [kind.intake_topic(), kind.log_topic()]);
    let log = MemoryLog::new(&topics.map(|topic| (Topic(topic), 1)).collect::<Vec<_>>());
    for (kind, records) in [(Kind::Conversation, day.conversations.records), (Kind::Desk, day.desks.records)]
    {
        log.append(Topic(kind.log_topic()).partition(0), records).await.unwrap();
    }
    log
}

struct Day {
    conversations: Led<conversation::Decider>,
    desks: Led<desk::Decider>,
    now: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Next>,
    entered: u64,
    dice: Dice,
    customers: u32,
    commands: u128,
    /// Until when each agent is somewhere else, and how that was told.
    out: [Option<(Timestamp, Out)>; AGENTS],
    held: BTreeMap<OfferId, ConversationId>,
}

#[derive(Clone, Copy, PartialEq)]
enum Out {
    Away,
    /// Says so.
    Home,
    /// Says nothing.
    Vanished,
}

enum Next {
    Writes,
    GivesUp(u32),
    IsThere(usize),
    ToDesk(Intake<desk::Command>),
    ToConversation(Intake<conversation::Command>),
    Answers { agent: AgentId, offer: OfferId, accepts: bool },
    Replies { agent: AgentId, assignment: OfferId },
    Finishes { agent: AgentId, assignment: OfferId },
    FinishesWrapUp { agent: AgentId, assignment: OfferId },
}

/// A partition and the records its leader wrote.
struct Led<A: Codec> {
    partition: Partition<A>,
    records: Vec<Bytes>,
}

const EPOCH: Epoch = Epoch([7; 16]);

impl<A: Codec> Led<A> {
    fn new(policy: &Arc<Policy>) -> Self {
        let announce = Announce { epoch: EPOCH, follows: None, leader: "made".into(), version: 1, at: BEGAN };
        let mut led =
            Led { partition: Partition::new(TOPOLOGY), records: vec![wire::encode_announce(&announce)] };
        let step = led.partition.adopt(BEGAN, policy.clone()).unwrap();
        led.decide(BEGAN, step);
        led
    }

    /// Yields the events, and the relays with their numbers.
    fn decide(&mut self, at: Timestamp, step: Step<A>) -> (Vec<A::Event>, Vec<(u64, Relay)>) {
        let seq = self.records.len() as u64;
        let decision = Decision { epoch: EPOCH, seq, intake_through: seq, decided_at: at, steps: vec![step] };
        self.records.push(wire::encode_decision(&decision));
        let step = &decision.steps[0];
        self.partition.fold(at, step);
        let relays = step.events.iter().filter_map(|recorded| {
            let ((_, number), (_, relay)) = (recorded.relay?, A::relay(&recorded.event)?);
            Some((number, relay))
        });
        (step.events.iter().map(|recorded| recorded.event.clone()).collect(), relays.collect())
    }
}

impl Day {
    fn new(seed: u64, mut policy: Policy) -> Day {
        policy.version = 1;
        let policy = Arc::new(policy);
        let mut day = Day {
            conversations: Led::new(&policy),
            desks: Led::new(&policy),
            now: BEGAN,
            agenda: BTreeMap::new(),
            entered: 0,
            dice: Dice(seed),
            customers: 0,
            commands: 0,
            out: [None; AGENTS],
            held: BTreeMap::new(),
        };
        (0..AGENTS).for_each(|agent| day.enter(Millis(agent as u64 * 700), Next::IsThere(agent)));
        day.enter(Millis(20_000), Next::Writes);
        day
    }

    fn enter(&mut self, after: Millis, next: Next) {
        self.entered += 1;
        self.agenda.insert((self.now + after, self.entered), next);
    }

    fn pass(&mut self) {
        loop {
            let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let timer = self.desks.partition.next_due().filter(|due| next.is_none_or(|next| *due < next));
            match (timer, next) {
                (Some(due), _) if due <= ENDED => {
                    self.now = self.now.max(due);
                    let step = self.desks.partition.fire(self.now).expect("it is due");
                    self.desk_decided(step);
                }
                (None, Some(at)) if at <= ENDED => {
                    self.now = self.now.max(at);
                    let (_, next) = self.agenda.pop_first().expect("there is one");
                    self.happens(next);
                }
                _ => return,
            }
        }
    }

    fn happens(&mut self, next: Next) {
        match next {
            Next::Writes => {
                // Fewer in the first hour.
                let busy = if self.now.0 - BEGAN.0 < 3_600_000 { 1.0 } else { 1.6 };
                let gap = self.dice.exponential(36.0 / busy);
                self.enter(gap, Next::Writes);
                self.customers += 1;
                let customer = self.customers;
                if self.dice.roll() < 0.4 {
                    let patience = self.dice.exponential(240.0);
                    self.enter(patience, Next::GivesUp(customer));
                }
                let received = received(customer);
                let fact = Origin::Fact(FactId(received.message.0));
                self.converse(fact, conversation::Command::Receive(Box::new(received)));
            }
            Next::GivesUp(customer) => {
                let from = received(customer).from;
                let fact = Origin::Fact(FactId((u128::from(customer) << 64).to_be_bytes()));
                self.converse(fact, conversation::Command::OptOut { from });
            }
            Next::IsThere(agent) => self.is_there(agent),
            Next::ToDesk(intake) => {
                if let Taken::Step(step) = self.desks.partition.take(self.now, &intake) {
                    self.desk_decided(step);
                }
            }
            Next::ToConversation(intake) => {
                if let Taken::Step(step) = self.conversations.partition.take(self.now, &intake) {
                    self.conversation_decided(step);
                }
            }
            Next::Answers { agent, offer, accepts: true } => self.ask(desk::Command::Accept { agent, offer }),
            Next::Answers { agent, offer, .. } => self.ask(desk::Command::Decline { agent, offer }),
            Next::FinishesWrapUp { agent, assignment } => {
                self.ask(desk::Command::FinishWrapUp { agent, assignment });
            }
            Next::Replies { agent, assignment } => {
                let Some(conversation) = self.held.get(&assignment).copied() else { return };
                let message = MessageId((u128::from(assignment.number) << 32).to_be_bytes());
                let body = Sealed { subject: conversation.party, bytes: Bytes::from_static(b"hello") };
                let command =
                    conversation::Command::Reply { conversation, agent, assignment, message, body, by: None };
                self.command(command);
            }
            Next::Finishes { agent, assignment } => {
                let Some(conversation) = self.held.remove(&assignment) else { return };
                let command = if self.dice.roll() < 0.08 {
                    let to = Transfer::Queue("acme/service/second".parse().unwrap());
                    conversation::Command::Transfer { conversation, agent, assignment, to, note: None }
                } else {
                    conversation::Command::Close { conversation, agent, assignment: Some(assignment) }
                };
                self.command(command);
            }
        }
    }

    /// An agent renews the lease, goes, is gone, or comes back.
    fn is_there(&mut self, number: usize) {
        self.enter(RENEWED_EVERY, Next::IsThere(number));
        let out = self.out[number].filter(|(until, _)| *until > self.now);
        if out.is_none() && self.dice.roll() < 0.004 {
            let how = match self.dice.roll() {
                roll if roll < 0.5 => Out::Away,
                roll if roll < 0.7 => Out::Home,
                _ => Out::Vanished,
            };
            let span = self.dice.exponential(300.0);
            self.out[number] = Some((self.now + span, how));
            if how == Out::Home {
                self.presence(number, Presence::Offline);
            }
            return;
        }
        match out {
            None => self.presence(number, Presence::Available),
            Some((_, Out::Away)) => self.presence(number, Presence::Away),
            Some((_, Out::Home | Out::Vanished)) => {}
        }
    }

    fn presence(&mut self, number: usize, presence: Presence) {
        let (agent, until) = (agent(number), self.now + LEASE);
        self.ask(desk::Command::SetPresence { agent, presence, until });
    }

    fn ask(&mut self, command: desk::Command) {
        let (origin, at) = (self.origin(), self.now);
        let intake = Intake::Input { origin, at, tenant: tenant(), policy_version: 0, command };
        self.enter(Millis(0), Next::ToDesk(intake));
    }

    fn command(&mut self, command: conversation::Command) {
        let origin = self.origin();
        self.converse(origin, command);
    }

    fn converse(&mut self, origin: Origin, command: conversation::Command) {
        let at = self.now;
        let intake = Intake::Input { origin, at, tenant: tenant(), policy_version: 0, command };
        self.enter(Millis(0), Next::ToConversation(intake));
    }

    fn origin(&mut self) -> Origin {
        self.commands += 1;
        let id = CommandId(self.commands.to_be_bytes());
        Origin::Command { id, content: ContentHash(id.0) }
    }

    fn desk_decided(&mut self, step: Step<desk::Decider>) {
        let (events, relays) = self.desks.decide(self.now, step);
        for event in events {
            match event {
                desk::Event::Offered { offer, agent, .. } => {
                    let roll = self.dice.roll();
                    // Some offers are not seen.
                    if roll > 0.04 {
                        let after = Millis(1_000 + self.dice.exponential(3.0).0);
                        self.enter(after, Next::Answers { agent, offer, accepts: roll > 0.09 });
                    }
                }
                desk::Event::WrapUpBegan { agent, assignment, .. } => {
                    let after = self.dice.exponential(15.0);
                    self.enter(after, Next::FinishesWrapUp { agent, assignment });
                }
                _ => {}
            }
        }
        let source = Peer { kind: Kind::Desk, partition: 0 };
        for (number, relay) in relays {
            let Relay::Conversation(command) = relay else { continue };
            let origin = Origin::Relay { source, number };
            let intake = Intake::Input { origin, at: self.now, tenant: tenant(), policy_version: 0, command };
            self.enter(Millis(5), Next::ToConversation(intake));
        }
    }

    fn conversation_decided(&mut self, step: Step<conversation::Decider>) {
        let (events, relays) = self.conversations.decide(self.now, step);
        for event in events {
            match event.what {
                What::Assigned { conversation, agent, assignment, .. } => {
                    self.held.insert(assignment.clone(), conversation);
                    let work = self.dice.exponential(170.0);
                    let reply = Next::Replies { agent: agent.clone(), assignment: assignment.clone() };
                    self.enter(Millis(work.0 / 3), reply);
                    self.enter(work, Next::Finishes { agent, assignment });
                }
                What::Released { assignment, .. } => {
                    self.held.remove(&assignment);
                }
                _ => {}
            }
        }
        let source = Peer { kind: Kind::Conversation, partition: 0 };
        for (number, relay) in relays {
            let Relay::Desk(command) = relay else { continue };
            let origin = Origin::Relay { source, number };
            let intake = Intake::Input { origin, at: self.now, tenant: tenant(), policy_version: 0, command };
            self.enter(Millis(5), Next::ToDesk(intake));
        }
    }
}

fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

fn agent(number: usize) -> AgentId {
    format!("acme/service/agent-{number:02}").parse().unwrap()
}

fn received(customer: u32) -> Received {
    let party = Party(u128::from(customer).to_be_bytes());
    let sealed = || Sealed { subject: party, bytes: Bytes::from_static(b"sealed") };
    let inbox = "chat".parse().unwrap();
    let from = Correspondent { tenant: tenant(), inbox, channel: Channel::Generic, party, address: sealed() };
    Received {
        from,
        kind: MessageKind::Message,
        message: MessageId(party.0),
        content: sealed(),
        sent_at: BEGAN,
        authenticated: true,
        thread: None,
        placed: None,
        home: None,
        marks: None,
        answers: conversation::Answers::default(),
        entry: None,
        people_only: false,
        reply_to: None,
        referral: None,
        window: None,
    }
}

/// A seeded source of chance (splitmix64).
struct Dice(u64);

impl Dice {
    /// At least 0, less than 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A time from the exponential distribution with this mean, in seconds.
    fn exponential(&mut self, mean: f64) -> Millis {
        Millis((-mean * 1_000.0 * (1.0 - self.roll()).ln()).round() as u64)
    }
}
