//! A small business: who is there, and how what they say looks in the log.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use domain::{
    AgentId, BotId, Channel, CommandId, ContentHash, DeskId, FactId, InboxId, Intake, Kind, Lane, MessageId,
    Millis, Origin, Party, Peer, Policy, QueueId, Route, Sealed, TenantId, Timestamp, Topology,
    conversation::{self, Correspondent, MessageKind, Received},
    policy::{Agent, Bot, BotKind, Capacity, Inbox, Queue},
};

pub(crate) const TOPOLOGY: Topology =
    Topology { conversation: 2, desk: 1, delivery: 2, contact: 1, workspace: 1 };

/// Everything that is led, by the numbers that actions name.
pub(crate) const PEERS: [Peer; 7] = [
    Peer { kind: Kind::Conversation, partition: 0 },
    Peer { kind: Kind::Conversation, partition: 1 },
    Peer { kind: Kind::Desk, partition: 0 },
    Peer { kind: Kind::Delivery, partition: 0 },
    Peer { kind: Kind::Delivery, partition: 1 },
    Peer { kind: Kind::Contact, partition: 0 },
    Peer { kind: Kind::Workspace, partition: 0 },
];

pub(crate) const CUSTOMERS: u8 = 8;
pub(crate) const AGENTS: u8 = 3;
pub(crate) const POLICIES: u8 = 6;

/// When the town begins, in milliseconds since the Unix epoch.
pub(crate) const DAWN: i64 = 1_700_000_000_000;

pub(crate) fn tenant() -> TenantId {
    named("acme")
}

pub(crate) fn queue() -> QueueId {
    named("acme/support/general")
}

/// Where a few conversations are given to by hand.
pub(crate) fn late_queue() -> QueueId {
    named("acme/night/late")
}

/// Cleo supervises her own desk; Dora, who comes after the `AGENTS` of that one, works at the other and supervises both.
pub(crate) fn agent(number: u8) -> AgentId {
    let names = ["acme/support/ann", "acme/support/bob", "acme/support/cleo", "acme/night/dora"];
    named(names[usize::from(number) % names.len()])
}

pub(crate) fn supervises(agent: &AgentId, desk: &DeskId) -> bool {
    *agent == self::agent(AGENTS) || (*agent == self::agent(AGENTS - 1) && *desk == queue().desk)
}

pub(crate) fn greeter() -> BotId {
    named("greeter")
}

/// The last customers write where no bot greets.
pub(crate) fn inbox(customer: u8) -> InboxId {
    named(if customer < CUSTOMERS - 2 { "sms" } else { "chat" })
}

fn channel(customer: u8) -> Channel {
    if customer < CUSTOMERS - 2 { Channel::Sms } else { Channel::Generic }
}

fn named<T: std::str::FromStr<Err = domain::BadId>>(name: &str) -> T {
    name.parse().expect("a good name")
}

pub(crate) fn party(customer: u8) -> Party {
    Party([customer % CUSTOMERS; 16])
}

pub(crate) fn lane(party: Party) -> Route {
    Route::Lane(Lane::of(inbox(party.0[0]), party))
}

/// Variants differ in the room that agents have, and in who works here.
pub(crate) fn policy(variant: u8) -> Policy {
    let variant = variant % POLICIES;
    let opened = |channel, address: &str, bot| Inbox {
        channel,
        address: address.into(),
        bot,
        queue: queue(),
        reopen_within: Millis::hours(24),
        sandbox: true,
        settings: BTreeMap::new(),
    };
    let inboxes = BTreeMap::from([
        (inbox(0), opened(Channel::Sms, "+15550100", Some(greeter()))),
        (inbox(CUSTOMERS - 1), opened(Channel::Generic, "chat", None)),
    ]);
    let per_channel = match variant {
        4 => BTreeMap::from([(Channel::Sms, 1)]),
        _ => BTreeMap::new(),
    };
    let capacity = Capacity { total: u32::from(variant % 3) + 1, per_channel, ..Capacity::default() };
    let desks = [queue().desk, late_queue().desk];
    let works = |number: u8| {
        let queue = if number < AGENTS { queue() } else { late_queue() };
        let supervised = desks.iter().filter(|desk| supervises(&agent(number), desk)).cloned();
        let works = Agent {
            queues: BTreeSet::from([queue]),
            capacity: capacity.clone(),
            supervises: supervised.collect(),
            ..Agent::default()
        };
        (agent(number), works)
    };
    let is_staff = |number: &u8| variant != 5 || *number != AGENTS - 1;
    let line = || Queue { offer_timeout: Millis::seconds(30), ..Queue::default() };
    Policy {
        tenant: tenant(),
        version: 0,
        inboxes,
        queues: BTreeMap::from([(queue(), line()), (late_queue(), line())]),
        agents: (0..=AGENTS).filter(is_staff).map(works).collect(),
        bots: BTreeMap::from([(
            greeter(),
            Bot { answer_within: Millis::seconds(60), kind: BotKind::Stream },
        )]),
        hours: BTreeMap::new(),
        links: Default::default(),
    }
}

pub(crate) fn sealed(subject: Party) -> Sealed {
    Sealed { subject, bytes: Bytes::from_static(b"sealed") }
}

pub(crate) fn from(customer: u8) -> Correspondent {
    let customer = customer % CUSTOMERS;
    let party = party(customer);
    Correspondent {
        tenant: tenant(),
        inbox: inbox(customer),
        channel: channel(customer),
        party,
        address: sealed(party),
    }
}

/// Sixteen bytes that nothing else has: of this kind, from the action of this number.
fn id(kind: u8, number: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[0] = kind;
    bytes[1..5].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(crate) fn fact(number: u32) -> FactId {
    FactId(id(1, number))
}

pub(crate) fn message(number: u32) -> MessageId {
    MessageId(id(2, number))
}

/// A message of ours, written by the action of this number.
pub(crate) fn reply(number: u32) -> MessageId {
    MessageId(id(3, number))
}

pub(crate) fn command(number: u32) -> Origin {
    Origin::Command { id: CommandId(id(4, number)), content: ContentHash(id(5, number)) }
}

pub(crate) fn written(customer: u8, number: u32, at: Timestamp) -> conversation::Command {
    let from = from(customer);
    conversation::Command::Receive(Box::new(Received {
        kind: MessageKind::Message,
        message: message(number),
        content: sealed(from.party),
        from,
        sent_at: at,
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
    }))
}

pub(crate) fn input<C>(origin: Origin, at: Timestamp, policy_version: u64, command: C) -> Intake<C> {
    Intake::Input { origin, at, tenant: tenant(), policy_version, command }
}
