//! Fair by turns: whoever was asked the longest ago, whatever came of it.

use super::{Candidate, Rank};

pub(super) fn rank(candidate: &Candidate) -> Rank {
    (i64::try_from(candidate.last_offer).unwrap_or(i64::MAX), 0)
}
