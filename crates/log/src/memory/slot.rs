//! One partition of the log in memory.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::lock;
use crate::Record;

#[derive(Default)]
pub(super) struct Slot {
    state: Mutex<State>,
    /// Wakes, in the order in which they came, those who wait for more.
    pub(super) grown: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) start: u64,
    pub(super) records: VecDeque<Record>,
    /// Appends that took their place and are not durable yet.
    pub(super) queue: VecDeque<(Vec<Bytes>, oneshot::Sender<u64>)>,
}

impl Slot {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The position of the last one.
    pub(super) fn write(&self, state: &mut State, at: i64, records: Vec<Bytes>) -> u64 {
        for bytes in records {
            let position = state.end();
            state.records.push_back(Record { position, appended_at: at, bytes });
        }
        self.grown.notify_waiters();
        state.end().saturating_sub(1)
    }

    /// Writes what queued, in order, and acknowledges it.
    pub(super) fn flush(&self, at: i64) {
        let mut state = self.state();
        while let Some((records, done)) = state.queue.pop_front() {
            let last = self.write(&mut state, at, records);
            // A caller that dropped its future is not waiting; the records stay.
            let _ = done.send(last);
        }
    }
}

impl State {
    pub(super) fn end(&self) -> u64 {
        self.start + self.records.len() as u64
    }
}
