//! The records of the log, declared by this test's own hand after `proto/tributary/log/v1`, with no more fields than are
//! counted. What is not declared is passed over.

mod events;

use std::collections::HashMap;

use prost::{Message, Oneof};

pub(crate) use self::events::*;

pub(crate) type Id = Vec<u8>;

// --- `X.log` ---

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Record {
    #[prost(oneof = "Written", tags = "1, 2")]
    pub(crate) kind: Option<Written>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Written {
    #[prost(message, tag = "1")]
    Announce(Announce),
    #[prost(message, tag = "2")]
    Decision(Decision),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Announce {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) epoch: Id,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) follows: Option<Id>,
    #[prost(string, tag = "3")]
    pub(crate) leader: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Decision {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) epoch: Id,
    #[prost(uint64, tag = "2")]
    pub(crate) seq: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) intake_through: u64,
    #[prost(int64, tag = "4")]
    pub(crate) decided_at: i64,
    #[prost(message, repeated, tag = "10")]
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Step {
    #[prost(message, optional, tag = "1")]
    pub(crate) cause: Option<CauseOf>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) events: Vec<Recorded>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) answers: Vec<Answer>,
    #[prost(message, optional, tag = "4")]
    pub(crate) set_aside: Option<SetAside>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CauseOf {
    #[prost(oneof = "Cause", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10")]
    pub(crate) kind: Option<Cause>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Cause {
    #[prost(bytes = "vec", tag = "1")]
    Fact(Id),
    #[prost(message, tag = "2")]
    Command(Asked),
    #[prost(message, tag = "3")]
    Relay(Relay),
    #[prost(message, tag = "4")]
    Report(Nothing),
    #[prost(message, tag = "5")]
    Applied(Applied),
    #[prost(message, tag = "6")]
    Timer(Timer),
    #[prost(message, tag = "7")]
    Policy(Policy),
    #[prost(message, tag = "8")]
    Recovered(Nothing),
    #[prost(message, tag = "9")]
    Unreadable(Nothing),
    #[prost(message, tag = "10")]
    Memory(Nothing),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Nothing {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Timer {
    #[prost(int64, tag = "1")]
    pub(crate) due: i64,
    #[prost(uint64, tag = "3")]
    pub(crate) generation: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Recorded {
    #[prost(message, optional, tag = "1")]
    pub(crate) event: Option<EventOf>,
    #[prost(message, optional, tag = "2")]
    pub(crate) relayed: Option<Relayed>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Relayed {
    #[prost(message, optional, tag = "1")]
    pub(crate) to: Option<Peer>,
    #[prost(uint64, tag = "2")]
    pub(crate) number: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Answer {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) command: Id,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) content: Id,
    #[prost(message, optional, tag = "3")]
    pub(crate) done: Option<Nothing>,
    #[prost(message, optional, tag = "4")]
    pub(crate) rejected: Option<Rejection>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Rejection {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SetAside {
    #[prost(string, tag = "2")]
    pub(crate) reason: String,
}

// --- `X.in` ---

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Intake {
    #[prost(oneof = "Taken", tags = "1, 2")]
    pub(crate) kind: Option<Taken>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Taken {
    #[prost(message, tag = "1")]
    Input(Input),
    #[prost(message, tag = "2")]
    Applied(Applied),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Input {
    #[prost(message, optional, tag = "1")]
    pub(crate) origin: Option<OriginOf>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OriginOf {
    #[prost(oneof = "Origin", tags = "1, 2, 3, 4")]
    pub(crate) kind: Option<Origin>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Origin {
    #[prost(bytes = "vec", tag = "1")]
    Fact(Id),
    #[prost(message, tag = "2")]
    Command(Asked),
    #[prost(message, tag = "3")]
    Relay(Relay),
    #[prost(message, tag = "4")]
    Report(Nothing),
}

// --- Values ---

#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(crate) struct Asked {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Id,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) content: Id,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Relay {
    #[prost(message, optional, tag = "1")]
    pub(crate) source: Option<Peer>,
    #[prost(uint64, tag = "2")]
    pub(crate) number: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Applied {
    #[prost(message, optional, tag = "1")]
    pub(crate) by: Option<Peer>,
    #[prost(uint64, tag = "2")]
    pub(crate) through: u64,
}

/// The five aggregates, by their numbers.
pub(crate) const KINDS: [(i32, &str); 5] =
    [(1, "conversation"), (2, "desk"), (3, "delivery"), (4, "contact"), (5, "workspace")];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Message)]
pub(crate) struct Peer {
    #[prost(int32, tag = "1")]
    pub(crate) kind: i32,
    #[prost(uint32, tag = "2")]
    pub(crate) partition: u32,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = KINDS.iter().find(|(number, _)| *number == self.kind).map_or("nothing", |(_, name)| name);
        write!(f, "{name}/{}", self.partition)
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Message)]
pub(crate) struct ConversationId {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) party: Id,
    #[prost(uint32, tag = "2")]
    pub(crate) number: u32,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Message)]
pub(crate) struct TurnId {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(uint32, tag = "2")]
    pub(crate) owner_epoch: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) number: u32,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Message)]
pub(crate) struct OfferId {
    #[prost(string, tag = "1")]
    pub(crate) desk: String,
    #[prost(uint64, tag = "2")]
    pub(crate) number: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Correspondent {
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) party: Id,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Policy {
    #[prost(string, tag = "1")]
    pub(crate) tenant: String,
    #[prost(uint64, tag = "2")]
    pub(crate) version: u64,
    #[prost(map = "string, message", tag = "4")]
    pub(crate) queues: HashMap<String, Nothing>,
    #[prost(map = "string, message", tag = "5")]
    pub(crate) agents: HashMap<String, Agent>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Agent {
    #[prost(string, repeated, tag = "1")]
    pub(crate) queues: Vec<String>,
    #[prost(message, optional, tag = "2")]
    pub(crate) capacity: Option<Capacity>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Capacity {
    #[prost(uint32, tag = "1")]
    pub(crate) total: u32,
    #[prost(map = "int32, uint32", tag = "2")]
    pub(crate) per_channel: HashMap<i32, u32>,
}
