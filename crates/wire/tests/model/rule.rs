//! Which records count: the real rule, asked over encoded records, and three that are broken.

use std::hash::{Hash, Hasher};

use bytes::Bytes;
use domain::{Epoch, Timestamp, desk};
use wire::{Announce, Decision, Judgement, Point, Reader, encode_announce, encode_decision};

use crate::planted::Planted;

/// A decision among all that are ever made: its epoch, its number, and which of its leader's drafts it is (an honest
/// leader numbers nothing twice, and has one).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Decided {
    pub(crate) epoch: u8,
    pub(crate) seq: u64,
    pub(crate) draft: u8,
}

/// What is appended. Epochs are numbered in the order in which they were drawn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Record {
    Announce {
        epoch: u8,
        follows: Option<u8>,
    },
    Decision {
        it: Decided,
        /// The decision before it, in the state that it was made on. Where all of these are right, so is all of the
        /// state.
        on: Option<Decided>,
    },
}

/// A fold of the log up to a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) point: Point,
    /// The last decision it holds.
    pub(crate) last: Option<Decided>,
}

impl Hash for Standing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Point { position, epoch, seq } = self.point;
        (position, epoch, seq, self.last).hash(state);
    }
}

pub(crate) fn epoch(number: u8) -> Epoch {
    Epoch([number + 1; 16])
}

fn encode(record: Record) -> Bytes {
    match record {
        Record::Announce { epoch: number, follows } => encode_announce(&Announce {
            epoch: epoch(number),
            follows: follows.map(epoch),
            leader: String::new(),
            version: 1,
            at: Timestamp(0),
        }),
        Record::Decision { it: Decided { epoch: number, seq, .. }, .. } => {
            encode_decision(&Decision::<desk::Decider> {
                epoch: epoch(number),
                seq,
                intake_through: seq,
                decided_at: Timestamp(0),
                steps: Vec::new(),
            })
        }
    }
}

impl Standing {
    /// Reads one more record, which stands where this fold ends. True if it counts.
    pub(crate) fn read(&mut self, record: Record, planted: Option<Planted>) -> bool {
        let (mut point, mut shown) = (self.point, record);
        // A broken rule is the real one, lied to about the place or the record.
        match (planted, &mut shown) {
            (Some(Planted::IgnoresFollows), Record::Announce { follows, .. }) => *follows = ruling(point),
            (Some(Planted::AcceptsAnyEpoch), Record::Decision { it, .. }) => {
                point.epoch = Some(epoch(it.epoch))
            }
            (Some(Planted::AcceptsAnySequence), Record::Decision { it, .. }) => point.seq = it.seq - 1,
            _ => {}
        }
        let mut reader = Reader::<desk::Decider>::new(point);
        let judged = reader.judge(point.position, &encode(shown)).expect("a readable record");
        let counts = matches!(judged, Judgement::Accepted(_));
        let behind = reader.point();
        self.point = match record {
            _ if !counts => Point { position: behind.position, ..self.point },
            Record::Announce { .. } => behind,
            Record::Decision { .. } => Point { epoch: self.point.epoch, ..behind },
        };
        if counts && let Record::Decision { it, .. } = record {
            self.last = Some(it);
        }
        counts
    }

    /// The number of the epoch that rules here.
    pub(crate) fn ruling(&self) -> Option<u8> {
        ruling(self.point)
    }

    /// What is kept of a fold, and found again by whoever starts from it.
    pub(crate) fn stored(self, planted: Option<Planted>) -> Standing {
        let point = match planted {
            Some(Planted::StoresOnlyThePosition) => {
                Point { position: self.point.position, ..Point::default() }
            }
            _ => Point::decode(&self.point.encode()).expect("a point"),
        };
        Standing { point, ..self }
    }
}

fn ruling(point: Point) -> Option<u8> {
    point.epoch.map(|Epoch([first, ..])| first - 1)
}
