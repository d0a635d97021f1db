//! Looking into a log in memory, which never makes its reader wait.

use futures::FutureExt as _;
use log::{Limit, Log as _, MemoryLog, Partition, Record};

/// What stands at `from` and behind; a part of it, where that is much.
pub(crate) fn read(log: &MemoryLog, partition: Partition, from: u64) -> Vec<Record> {
    log.read(partition, from, Limit::default()).now_or_never().and_then(Result::ok).unwrap_or_default()
}

pub(super) fn start(log: &MemoryLog, partition: Partition) -> u64 {
    log.start(partition).now_or_never().and_then(Result::ok).unwrap_or_default()
}

pub(super) fn end(log: &MemoryLog, partition: Partition) -> u64 {
    log.end(partition).now_or_never().and_then(Result::ok).unwrap_or_default()
}
