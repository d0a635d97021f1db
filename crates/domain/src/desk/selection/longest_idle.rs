//! Fair by rest: whoever has had nothing new for the longest time.

use super::{Candidate, Rank};

pub(super) fn rank(candidate: &Candidate) -> Rank {
    (candidate.idle_since.0, 0)
}
