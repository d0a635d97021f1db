//! Best for the customer: whoever knows most of what the queue needs, of equals the longest idle.

use super::{Candidate, Rank};

pub(super) fn rank(candidate: &Candidate) -> Rank {
    (-i64::from(candidate.fit), candidate.idle_since.0)
}
