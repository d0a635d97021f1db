//! Fair by work in hand: whoever holds the least, of those the longest idle.

use super::{Candidate, Rank};

pub(super) fn rank(candidate: &Candidate) -> Rank {
    (candidate.load.into(), candidate.idle_since.0)
}
