//! A small business: who is there, and how what they say looks in the log.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use domain::{
    AgentId, BotId, Channel, Code, CommandId, ContentHash, ConversationId, FactId, Intake, Kind, Lane,
    MessageId, Millis, Origin, Party, Peer, Policy, QueueId, Rejection, Route, Sealed, TenantId, Timestamp,
    Topology,
    conversation::{self, Correspondent, MessageKind, Received},
    policy::{Agent, Bot, BotKind, Capacity, Inbox, Queue},
};
use log::clock;

pub(crate) const TOPOLOGY: Topology =
    Topology { conversation: 2, desk: 1, delivery: 2, contact: 1, workspace: 1 };

/// A party whose conversations are in the first partition.
pub(crate) const CUSTOMER: Party = Party([2; 16]);
pub(crate) const OTHER: Party = Party([4; 16]);

pub(crate) fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

pub(crate) fn queue() -> QueueId {
    "acme/support/general".parse().unwrap()
}

pub(crate) fn ann() -> AgentId {
    "acme/support/ann".parse().unwrap()
}

pub(crate) fn greeter() -> BotId {
    "greeter".parse().unwrap()
}

pub(crate) fn first(kind: Kind) -> Peer {
    Peer { kind, partition: 0 }
}

/// One SMS inbox, greeted by a bot; one queue; one agent with room for `total`.
pub(crate) fn policy(version: u64, answer_within: Millis, total: u32) -> Policy {
    let inbox = Inbox {
        channel: Channel::Sms,
        address: "+15550100".into(),
        bot: Some(greeter()),
        queue: queue(),
        reopen_within: Millis::hours(24),
        sandbox: true,
        settings: BTreeMap::new(),
    };
    let agent = Agent {
        queues: BTreeSet::from([queue()]),
        capacity: Capacity { total, ..Capacity::default() },
        ..Agent::default()
    };
    Policy {
        tenant: tenant(),
        version,
        inboxes: BTreeMap::from([("sms".parse().unwrap(), inbox)]),
        queues: BTreeMap::from([(queue(), Queue { offer_timeout: Millis::seconds(30), ..Queue::default() })]),
        agents: BTreeMap::from([(ann(), agent)]),
        bots: BTreeMap::from([(greeter(), Bot { answer_within, kind: BotKind::Stream })]),
        hours: BTreeMap::new(),
        links: Default::default(),
    }
}

pub(crate) fn sealed(subject: Party) -> Sealed {
    Sealed { subject, bytes: Bytes::from_static(b"sealed") }
}

pub(crate) fn from(party: Party) -> Correspondent {
    Correspondent {
        tenant: tenant(),
        inbox: "sms".parse().unwrap(),
        channel: Channel::Sms,
        party,
        address: sealed(party),
    }
}

pub(crate) fn message_id(n: u8) -> MessageId {
    MessageId([n; 16])
}

/// A message of the customer, as the channel reports it.
pub(crate) fn message(party: Party, n: u8) -> Intake<conversation::Command> {
    let received = Received {
        from: from(party),
        kind: MessageKind::Message,
        message: message_id(n),
        content: sealed(party),
        sent_at: Timestamp(0),
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
    };
    input(Origin::Fact(FactId([n; 16])), 1, conversation::Command::Receive(Box::new(received)))
}

pub(crate) fn input<C>(origin: Origin, policy_version: u64, command: C) -> Intake<C> {
    Intake::Input { origin, at: Timestamp(clock::now()), tenant: tenant(), policy_version, command }
}

/// A command of someone who waits for its answer.
pub(crate) fn command(n: u8) -> Origin {
    Origin::Command { id: CommandId([n; 16]), content: ContentHash([n; 16]) }
}

pub(crate) fn lane(party: Party) -> Route {
    Route::Lane(Lane::of("sms".parse().unwrap(), party))
}

pub(crate) fn conversation_of(party: Party) -> ConversationId {
    ConversationId { party, number: 1 }
}

pub(crate) fn code(result: Result<(), Rejection>) -> Option<Code> {
    result.err().map(|rejection| rejection.code)
}
