//! Whom of those who can take a conversation the desk asks: a pure function each, in a file of its own.
//!
//! To add one: write the function, name it in [`rank`] and in [`policy::Selection`]. The desk keeps the agents of a
//! class in the order of their ranks with a `fit` of 0, so among agents of equal fit a function must order them
//! whatever that fit is as it does for 0.

mod least_loaded;
mod longest_idle;
mod most_skilled;
mod round_robin;

use crate::{Timestamp, policy::Selection};

/// An agent who can take a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    /// When the agent last became available, was offered a conversation, or finished one.
    pub(super) idle_since: Timestamp,
    /// What the agent holds, in the weights of its channels.
    pub(super) load: u32,
    /// The number of the last offer made to the agent, 0 before any: offers are numbered in their order.
    pub(super) last_offer: u64,
    /// How well the agent knows what the queue needs.
    pub(super) fit: u32,
}

/// The least is asked; of equals, the first by name.
pub(super) type Rank = (i64, i64);

pub(super) fn rank(selection: Selection, candidate: &Candidate) -> Rank {
    match selection {
        Selection::LongestIdle => longest_idle::rank(candidate),
        Selection::LeastLoaded => least_loaded::rank(candidate),
        Selection::MostSkilled => most_skilled::rank(candidate),
        Selection::RoundRobin => round_robin::rank(candidate),
    }
}
