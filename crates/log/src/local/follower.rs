//! Watches a log that another process writes.

use std::{
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use rusqlite::Connection;

use super::{Shared, disk};
use crate::Error;

const INTERVAL: Duration = Duration::from_millis(50);

/// Ends when it is dropped.
pub(super) struct Follower {
    /// Taken away to stop the thread.
    running: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    pub(super) fn start(connection: Connection, shared: Arc<Shared>) -> Result<Self, Error> {
        let (running, stopped) = sync_channel::<()>(0);
        let work = move || {
            let mut seen = 0;
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = look(&connection, &shared, &mut seen) {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "the log can no longer be followed");
                    break;
                }
            }
            for slot in &shared.slots {
                slot.shut();
            }
        };
        let thread = std::thread::Builder::new()
            .name("log-follower".into())
            .spawn(work)
            .map_err(|source| Error::Storage { operation: "follow the log", source: source.into() })?;
        Ok(Follower { running: Some(running), thread: Some(thread) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.running = None;
        if let Some(thread) = self.thread.take() {
            // It has told its waiters, whatever happened.
            let _ = thread.join();
        }
    }
}

/// One look at the file: has another connection committed, and if so, where do the partitions end now?
fn look(connection: &Connection, shared: &Shared, seen: &mut i64) -> rusqlite::Result<()> {
    let version = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
    if std::mem::replace(seen, version) == version {
        return Ok(());
    }
    for slot in &shared.slots {
        let start = disk::start(connection, slot.id)?;
        slot.follow(start, disk::end(connection, slot.id, start)?);
    }
    Ok(())
}
