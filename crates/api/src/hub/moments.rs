//! When the decisions of each partition were made, every few thousand records: whoever looks for what happened at some
//! time need not read from the beginning.

use std::collections::BTreeMap;

use domain::{Peer, Timestamp};
use serde::{Deserialize, Serialize};
use wire::Point;

/// Records between two moments, at least.
const SPACING: u64 = 4_096;

/// Where a reader may start. All decisions behind it were made at this time, or later.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Moment {
    at: Timestamp,
    position: u64,
    /// As [`Point::encode`] writes it.
    point: Vec<u8>,
}

/// The moments of each partition, oldest first.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Moments(BTreeMap<Peer, Vec<Moment>>);

impl Moments {
    /// The partition was read to here, behind a decision of this time.
    pub(super) fn note(&mut self, peer: Peer, at: Timestamp, point: Point) {
        let moments = self.0.entry(peer).or_default();
        let next = moments.last().map_or(SPACING, |last| last.position + SPACING);
        if point.position >= next {
            moments.push(Moment { at, position: point.position, point: point.encode() });
        }
    }

    /// The last that has nothing of this time, or of later, before it: the beginning, where there is none.
    pub(super) fn before(&self, peer: Peer, at: Timestamp) -> Point {
        let Some(moments) = self.0.get(&peer) else { return Point::default() };
        let earlier = moments.partition_point(|moment| moment.at < at);
        let last = earlier.checked_sub(1).and_then(|last| moments.get(last));
        last.and_then(|moment| Point::decode(&moment.point).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use domain::{Epoch, Kind};

    use super::*;

    #[test]
    fn a_reader_begins_before_what_it_looks_for() {
        let peer = Peer { kind: Kind::Desk, partition: 1 };
        let point = |position| Point { position, epoch: Some(Epoch([1; 16])), seq: position };
        let mut moments = Moments::default();
        for position in (0..20_000).step_by(1_000) {
            let at = i64::try_from(position / 2_000).unwrap();
            moments.note(peer, Timestamp(at), point(position));
        }
        let before = |at| moments.before(peer, Timestamp(at)).position;
        // At 5,000 came a decision of time 2, and more of it may stand on both sides.
        assert_eq!([before(0), before(2), before(3), before(5), before(99)], [0, 0, 5_000, 5_000, 15_000]);
        assert_eq!(moments.before(Peer { partition: 2, ..peer }, Timestamp(9)), Point::default());
    }
}
