//! What stands in the log topics: who leads, and what was decided.

use bytes::Bytes;
use domain::{Epoch, Step, Timestamp};
use prost::Message;

use crate::{
    Codec, Error,
    error::Flaw,
    message::{Wire, choice, decode, encode, message},
    pb::{self, record::Kind},
};

/// Someone wants to lead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announce {
    /// Random, and used for this announcement alone.
    pub epoch: Epoch,
    /// The ruling epoch the leader saw; none where nobody ruled before.
    pub follows: Option<Epoch>,
    /// The process that will lead, for people.
    pub leader: String,
    /// Of the records that the leader writes, for people who look into an upgrade. Readers do not go by it.
    pub version: u32,
    pub at: Timestamp,
}

/// One decision: how far the intake was read, and all that follows from it.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision<A: Codec> {
    pub epoch: Epoch,
    /// From 1 in each epoch, without gaps.
    pub seq: u64,
    /// One past the last intake position read.
    pub intake_through: u64,
    pub decided_at: Timestamp,
    pub steps: Vec<Step<A>>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Record<A: Codec> {
    Announce(Announce),
    Decision(Decision<A>),
}

/// A record as far as one must read it to tell whether it is accepted. Reading it passes over the steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Header {
    Announce(Announce),
    /// See [`Decision`].
    Decision {
        epoch: Epoch,
        seq: u64,
        intake_through: u64,
        decided_at: Timestamp,
    },
}

const WHAT: &str = "a log record";

pub fn encode_announce(announce: &Announce) -> Bytes {
    encode_kind(Kind::Announce(announce.put()))
}

pub fn encode_decision<A: Codec>(decision: &Decision<A>) -> Bytes {
    encode_kind(Kind::Decision(decision.put()))
}

fn encode_kind(kind: Kind) -> Bytes {
    pb::Record { kind: Some(kind) }.encode_to_vec().into()
}

/// Reads a record whole, whether or not it is accepted where it stands: only a [`crate::Reader`] can tell.
/// Bytes within (what is sealed) share the memory of `bytes`.
pub fn decode_record<A: Codec>(bytes: &Bytes) -> Result<Record<A>, Error> {
    decode::<pb::Record, _>(WHAT, bytes.clone())
}

/// Reads the header alone; the steps may be of any aggregate, or damaged.
pub fn decode_header(bytes: &Bytes) -> Result<Header, Error> {
    decode::<pb::RecordHeader, _>(WHAT, bytes.clone())
}

/// One event by itself, as it is kept beside the log.
pub fn encode_event<A: Codec>(event: &A::Event) -> Vec<u8> {
    encode::<pb::Event>(event)
}

pub fn decode_event<A: Codec>(bytes: &[u8]) -> Result<A::Event, Error> {
    decode::<pb::Event, _>("an event", bytes)
}

choice! { Header => RecordHeader, record_header {
    Announce(announce),
    Decision { epoch, seq, intake_through, decided_at },
}}

message! {
    Announce => Announce { epoch, follows, leader, version, at }
}

impl<A: Codec> Wire<pb::Decision> for Decision<A> {
    fn put(&self) -> pb::Decision {
        let Decision { epoch, seq, intake_through, decided_at, steps } = self;
        pb::Decision {
            epoch: epoch.put(),
            seq: *seq,
            intake_through: *intake_through,
            decided_at: decided_at.put(),
            steps: steps.put(),
        }
    }

    fn take(wire: pb::Decision) -> Result<Self, Flaw> {
        Ok(Decision {
            epoch: Wire::take(wire.epoch).map_err(|flaw| flaw.within("epoch"))?,
            seq: wire.seq,
            intake_through: wire.intake_through,
            decided_at: Wire::take(wire.decided_at)?,
            steps: Wire::take(wire.steps).map_err(|flaw| flaw.within("steps"))?,
        })
    }
}

impl<A: Codec> Wire<pb::Record> for Record<A> {
    fn put(&self) -> pb::Record {
        let kind = match self {
            Record::Announce(announce) => Kind::Announce(announce.put()),
            Record::Decision(decision) => Kind::Decision(decision.put()),
        };
        pb::Record { kind: Some(kind) }
    }

    fn take(wire: pb::Record) -> Result<Self, Flaw> {
        match wire.kind.ok_or_else(Flaw::no_kind)? {
            Kind::Announce(announce) => Wire::take(announce).map(Record::Announce),
            Kind::Decision(decision) => Wire::take(decision).map(Record::Decision),
        }
    }
}
