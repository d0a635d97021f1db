//! One input and all that followed from it: the unit a decision is made of.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Aggregate, CommandId, ContentHash, FactId, Peer, Policy, Rejection, TenantId, Timer, Timestamp};

/// What stands in an intake topic.
#[derive(Clone, PartialEq, Debug)]
pub enum Intake<C> {
    Input {
        origin: Origin,
        /// The edge's clock when it made this.
        at: Timestamp,
        tenant: TenantId,
        /// The tenant's policy version by which the edge made this; the leader knows at least that one before it
        /// decides. 0 when none was needed.
        policy_version: u64,
        command: C,
    },
    /// A target's word that it has applied our relays up to a number.
    Applied { by: Peer, through: u64 },
}

/// Where an input comes from, and by that how it is kept from being applied twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A channel reports; the same fact again is nothing new.
    Fact(FactId),
    /// Someone asks and waits for an answer; the same command again gets the same answer.
    Command { id: CommandId, content: ContentHash },
    /// Another aggregate sends; exactly the next number of each source is applied.
    Relay { source: Peer, number: u64 },
    /// A worker's own effect reports what came of it; the aggregate itself knows a repetition.
    Report,
}

/// One input applied: its cause, its events, its answers.
#[derive(Clone, PartialEq, Debug)]
pub struct Step<A: Aggregate> {
    pub cause: Cause<A>,
    pub events: Vec<Recorded<A>>,
    pub answers: Vec<Answer>,
    pub set_aside: Option<SetAside>,
}

/// An event and, if it is one, the relay it carries: the target and its dense number there.
#[derive(Clone, PartialEq, Debug)]
pub struct Recorded<A: Aggregate> {
    pub event: A::Event,
    pub relay: Option<(Peer, u64)>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Cause<A: Aggregate> {
    Fact(FactId),
    Command {
        id: CommandId,
        content: ContentHash,
    },
    Relay {
        source: Peer,
        number: u64,
    },
    Report,
    Applied {
        by: Peer,
        through: u64,
    },
    Timer(Timer<A::TimerId>),
    PolicyInForce(Arc<Policy>),
    Recovered,
    /// The leader keeps memory in order: what is quiet is retired, what is needed again is brought back.
    Memory,
    /// The input's bytes could not be read.
    Unreadable,
}

/// What a command's sender is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    pub command: CommandId,
    pub content: ContentHash,
    pub result: Result<(), Rejection>,
}

/// An input that could not be handled, kept whole for an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetAside {
    /// The intake record as it came (what is personal in it is sealed).
    pub bytes: Bytes,
    pub reason: String,
}

impl<A: Aggregate> Step<A> {
    pub(crate) fn new(cause: Cause<A>) -> Self {
        Step { cause, events: Vec::new(), answers: Vec::new(), set_aside: None }
    }
}
