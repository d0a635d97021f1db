//! Why an agent was asked, or why a conversation waits: data that stands with the event, bounded however large the
//! team is.

use serde::{Deserialize, Serialize};

use crate::{Millis, policy::Selection};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Why {
    /// The version of the policy by which this was decided.
    pub policy: u64,
    pub selection: Selection,
    /// How many relaxations of the queue's needs were past.
    pub stage: u32,
    /// How long the customer had been waiting for a person.
    pub waited: Millis,
    /// Only one agent was wanted; then nobody else was considered.
    pub wanted: bool,
    pub considered: Considered,
}

/// The agents whom the queue's conversations may be offered to, each counted once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Considered {
    /// Could have taken it there and then.
    pub free: u32,
    /// Would have been free, but had refused it.
    pub refused: u32,
    /// Available and able, without room for its channel.
    pub full: u32,
    /// Able, but away.
    pub away: u32,
    /// Able, but not there.
    pub offline: u32,
    /// Serve the queue without what it needed at that time.
    pub unable: u32,
}
