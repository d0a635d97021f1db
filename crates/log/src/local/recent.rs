//! A partition as readers see it: where it starts and ends, and its latest records in memory.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use bytes::Bytes;
use tokio::sync::watch;

use super::{block, lock};
use crate::{Error, Limit, Partition, Record};

/// One partition of the open log.
pub(super) struct Slot {
    pub(super) partition: Partition,
    /// Its row in the file's table of partitions, and the number in its own table's name.
    pub(super) id: i64,
    /// Where its checksums start from.
    pub(super) seed: u32,
    window: Mutex<Window>,
    reach: watch::Sender<Reach>,
}

/// `records` are the last before `end`, without gaps, and none below `start`.
struct Window {
    start: u64,
    end: u64,
    records: VecDeque<Record>,
}

/// What waiting readers watch.
struct Reach {
    end: u64,
    open: bool,
}

pub(super) enum Found {
    Here(Vec<Record>),
    /// It has left memory; the file has it. Records before `end` are durable.
    Older {
        end: u64,
    },
}

impl Slot {
    pub(super) fn new(partition: Partition, id: i64, start: u64, end: u64) -> Self {
        let window = Mutex::new(Window { start, end, records: VecDeque::new() });
        Slot {
            partition,
            id,
            seed: block::seed(partition),
            window,
            reach: watch::Sender::new(Reach { end, open: true }),
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        lock(&self.window)
    }

    pub(super) fn start(&self) -> u64 {
        self.window().start
    }

    pub(super) fn end(&self) -> u64 {
        self.window().end
    }

    pub(super) fn recent(&self, from: u64, limit: Limit) -> Result<Found, Error> {
        let window = self.window();
        if from < window.start {
            return Err(Error::Trimmed { partition: self.partition, from, start: window.start });
        }
        if from >= window.end {
            return Ok(Found::Here(Vec::new()));
        }
        match window.records.front() {
            Some(oldest) if oldest.position <= from => {
                let skipped = (from - oldest.position) as usize;
                let wanted = || window.records.range(skipped..);
                Ok(Found::Here(wanted().take(limit.fitting(wanted())).cloned().collect()))
            }
            _ => Ok(Found::Older { end: window.end }),
        }
    }

    pub(super) async fn wait(&self, from: u64) -> Result<(), Error> {
        let mut reach = self.reach.subscribe();
        match reach.wait_for(|reach| reach.end > from || !reach.open).await {
            Ok(reach) if reach.end > from => Ok(()),
            _ => Err(Error::Closed),
        }
    }

    /// Makes records visible that have just become durable, and yields the new end; readers are woken by
    /// [`Self::announce`].
    pub(super) fn publish(&self, appended_at: i64, records: Vec<Bytes>) -> u64 {
        let mut window = self.window();
        for bytes in records {
            let position = window.end;
            window.records.push_back(Record { position, appended_at, bytes });
            window.end += 1;
        }
        window.end
    }

    pub(super) fn announce(&self) {
        let end = self.end();
        self.reach.send_if_modified(|reach| std::mem::replace(&mut reach.end, end) != end);
    }

    /// What another process has made of this partition.
    pub(super) fn follow(&self, start: u64, end: u64) {
        {
            let mut window = self.window();
            window.start = start;
            window.end = end;
        }
        self.announce();
    }

    /// Lets go of the records in memory below `before`.
    pub(super) fn forget(&self, before: u64) {
        self.window().forget(before);
    }

    pub(super) fn trim(&self, before: u64) {
        let mut window = self.window();
        window.start = window.start.max(before);
        window.forget(before);
    }

    /// There will be no more: those who wait are told.
    pub(super) fn shut(&self) {
        self.reach.send_modify(|reach| reach.open = false);
    }
}

impl Window {
    fn forget(&mut self, before: u64) {
        while self.records.front().is_some_and(|record| record.position < before) {
            self.records.pop_front();
        }
    }
}
