//! One life of one worker, after `runtime`'s `worker.rs` and `leader.rs`: fold, announce, fold to the announcement,
//! lead if it was accepted, and end at the first doubt.

use std::collections::VecDeque;

use crate::{
    planted::Planted,
    rule::{Decided, Record, Standing},
    world::Landed,
};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Claim {
    /// Its announcement was handed to the log, which it reads along.
    Announced(Standing),
    Leading(Leader),
    /// Deposed: it holds nothing. What it appended may still land.
    Over,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Leader {
    pub(crate) epoch: u8,
    /// As far as it has read the log.
    pub(crate) standing: Standing,
    pub(crate) seq: u64,
    draft: u8,
    /// Decided, and not read back yet: by this much its state is ahead.
    pub(crate) in_flight: VecDeque<Decided>,
}

impl Claim {
    /// A record landed. Who waits for its announcement reads along; a leader reads when it comes to it.
    pub(crate) fn read_along(&mut self, record: Record, planted: Option<Planted>) {
        let Claim::Announced(standing) = self else { return };
        let last = standing.last;
        standing.read(record, planted);
        if planted == Some(Planted::KeepsTheStateFromBeforeItsAnnouncement) {
            standing.last = last;
        }
    }

    /// The announcement was acknowledged, so it stands in the log, and was read: it leads if it rules. Otherwise it
    /// does nothing more.
    pub(crate) fn hear(&mut self, epoch: u8, planted: Option<Planted>) {
        let Claim::Announced(standing) = *self else { return };
        if standing.ruling() == Some(epoch) || planted == Some(Planted::LeadsUnaccepted) {
            let in_flight = VecDeque::new();
            *self = Claim::Leading(Leader { epoch, standing, seq: 0, draft: 0, in_flight });
        }
    }

    /// Reads what is new in the log, and returns what it therefore performs.
    pub(crate) fn read_back(&mut self, log: &[Landed], planted: Option<Planted>) -> Vec<Decided> {
        let Claim::Leading(leader) = self else { return Vec::new() };
        let mut performed = Vec::new();
        for landed in unread(log, &leader.standing) {
            if !leader.standing.read(landed.record, planted) {
                continue;
            }
            match landed.record {
                Record::Announce { .. } if planted == Some(Planted::StaysWhenDeposed) => {}
                Record::Announce { .. } => {
                    *self = Claim::Over;
                    return performed;
                }
                Record::Decision { it, .. } => {
                    match leader.in_flight.pop_front().filter(|ours| ours.seq == it.seq) {
                        Some(ours) => performed.push(ours),
                        None => {
                            *self = Claim::Over;
                            return performed;
                        }
                    }
                }
            }
        }
        performed
    }
}

impl Leader {
    /// The last decision in its state, which runs ahead of what it has read back.
    pub(crate) fn ahead(&self) -> Option<Decided> {
        self.in_flight.back().copied().or(self.standing.last)
    }

    /// The snapshot it may leave behind. Of what was accepted only: with something in flight, its state is ahead of
    /// its point.
    pub(crate) fn snapshot(&self, planted: Option<Planted>) -> Option<Standing> {
        let may = self.in_flight.is_empty() || planted == Some(Planted::SnapshotsAhead);
        may.then(|| Standing { last: self.ahead(), ..self.standing }.stored(planted))
    }

    /// Decides on its state, and gives the record to append.
    pub(crate) fn decide(&mut self) -> Record {
        let on = self.ahead();
        self.seq += 1;
        let it = Decided { epoch: self.epoch, seq: self.seq, draft: self.draft };
        self.in_flight.push_back(it);
        Record::Decision { it, on }
    }

    /// Only a planted leader does this: takes a record of unknown outcome for lost, and its number for free.
    pub(crate) fn take_back(&mut self) {
        if self.in_flight.pop_back().is_some() {
            self.seq -= 1;
            self.draft += 1;
        }
    }
}

fn unread<'a>(log: &'a [Landed], standing: &Standing) -> &'a [Landed] {
    let read = usize::try_from(standing.point.position).expect("a position within the model");
    &log[read..]
}
