//! Where appends take their place, and where the writer finds everything that gathered while it was busy.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Outcome, lock};
use crate::{Error, Partition};

/// What one record costs in memory beside its bytes, about.
const OVERHEAD: usize = 64;

/// What one transaction takes at most, so that its sync stays short and the memory it needs small.
const BATCH_BYTES: usize = 4 << 20;

/// The writer does not sleep: nobody need wake it.
const AWAKE: usize = usize::MAX;

pub(super) struct Queue {
    inside: Mutex<Inside>,
    more: Condvar,
    /// How much may queue in one partition.
    bound: usize,
}

struct Inside {
    appends: VecDeque<Append>,
    trims: Vec<Trim>,
    /// What each partition has queued.
    queued: Vec<usize>,
    open: bool,
    /// The writer sleeps until so many appends queue.
    wake_at: usize,
}

/// How the last batch went, which tells what to wait for.
#[derive(Default)]
pub(super) struct Pace {
    pub(super) appends: usize,
    pub(super) took: Duration,
}

/// A sleep shorter than this is no sleep.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(1);

impl Pace {
    /// How long a batch may wait to become larger. A small part of what a commit takes, so that a sync that
    /// half of the appenders would have missed serves them all.
    fn patience(&self) -> Duration {
        let patience = (self.took / 8).min(LONGEST);
        if patience < SHORTEST { Duration::ZERO } else { patience }
    }
}

pub(super) struct Append {
    pub(super) slot: usize,
    pub(super) records: Vec<Bytes>,
    pub(super) done: oneshot::Sender<Result<u64, Error>>,
}

pub(super) struct Trim {
    pub(super) slot: usize,
    pub(super) before: u64,
    pub(super) done: oneshot::Sender<Result<(), Error>>,
}

/// What the writer does next. Its vectors are kept from turn to turn.
#[derive(Default)]
pub(super) struct Work {
    pub(super) appends: Vec<Append>,
    pub(super) trims: Vec<Trim>,
}

impl Queue {
    pub(super) fn new(slots: usize, bound: usize) -> Self {
        let inside = Inside {
            appends: VecDeque::new(),
            trims: Vec::new(),
            queued: vec![0; slots],
            open: true,
            wake_at: AWAKE,
        };
        Queue { inside: Mutex::new(inside), more: Condvar::new(), bound }
    }

    /// Takes the place of an append. An append larger than the bound is taken when nothing else queues.
    pub(super) fn append(
        &self,
        partition: Partition,
        slot: usize,
        records: Vec<Bytes>,
    ) -> Result<Outcome, Error> {
        let size = size(&records);
        let (done, outcome) = oneshot::channel();
        let mut inside = lock(&self.inside);
        if !inside.open {
            return Err(Error::Closed);
        }
        let queued = inside.queued[slot];
        if queued > 0 && queued + size > self.bound {
            return Err(Error::Full(partition));
        }
        inside.queued[slot] += size;
        inside.appends.push_back(Append { slot, records, done });
        self.wake(&inside);
        Ok(outcome)
    }

    pub(super) fn trim(
        &self,
        slot: usize,
        before: u64,
    ) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let (done, outcome) = oneshot::channel();
        let mut inside = lock(&self.inside);
        if !inside.open {
            return Err(Error::Closed);
        }
        inside.trims.push(Trim { slot, before, done });
        self.wake(&inside);
        Ok(outcome)
    }

    /// The next piece of work; waits for it unless the writer has something else to do. False when the queue
    /// is closed and empty.
    pub(super) fn take(&self, work: &mut Work, wait: bool, last: &Pace) -> bool {
        let mut inside = lock(&self.inside);
        // Those who were just answered come back in a moment, as a rule, to join those who came meanwhile.
        let expected = inside.appends.len() + last.appends;
        if wait {
            inside.wake_at = 1;
            inside = self
                .more
                .wait_while(inside, |inside| !inside.urgent() && inside.appends.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
        }
        let patience = last.patience();
        if !inside.appends.is_empty() && !patience.is_zero() {
            inside.wake_at = expected;
            (inside, _) = self
                .more
                .wait_timeout_while(inside, patience, |inside| {
                    !inside.urgent() && inside.appends.len() < expected
                })
                .unwrap_or_else(PoisonError::into_inner);
        }
        inside.wake_at = AWAKE;
        work.trims.append(&mut inside.trims);
        let mut taken = 0;
        while taken < BATCH_BYTES {
            let Some(append) = inside.appends.pop_front() else { break };
            let size = size(&append.records);
            inside.queued[append.slot] -= size;
            taken += size;
            work.appends.push(append);
        }
        inside.open || !work.appends.is_empty() || !work.trims.is_empty()
    }

    /// Takes no more; what is queued is still the writer's to do.
    pub(super) fn close(&self) {
        let mut inside = lock(&self.inside);
        inside.open = false;
        self.wake(&inside);
    }

    /// Takes no more and tells those who queue that nothing will come of it.
    pub(super) fn abandon(&self) {
        let (appends, trims) = {
            let mut inside = lock(&self.inside);
            inside.open = false;
            (std::mem::take(&mut inside.appends), std::mem::take(&mut inside.trims))
        };
        // Nobody may listen any more; that is theirs to decide.
        for append in appends {
            let _ = append.done.send(Err(Error::Closed));
        }
        for trim in trims {
            let _ = trim.done.send(Err(Error::Closed));
        }
    }

    fn wake(&self, inside: &Inside) {
        if inside.wake_at != AWAKE && (inside.urgent() || inside.appends.len() >= inside.wake_at) {
            self.more.notify_one();
        }
    }
}

impl Inside {
    /// There is something that no appends need be waited for.
    fn urgent(&self) -> bool {
        !self.open || !self.trims.is_empty()
    }
}

fn size(records: &[Bytes]) -> usize {
    records.iter().map(|bytes| bytes.len() + OVERHEAD).sum()
}
