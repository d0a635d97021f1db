//! Folds the write-ahead log back into the file, off the append path.
//!
//! A checkpoint that runs beside a busy writer never catches up, and then the write-ahead log grows for ever.
//! So a thread of its own does the bulk of it, and then the writer, between two batches, the short rest; its
//! next commit starts the write-ahead log from the beginning again.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread::JoinHandle,
};

use rusqlite::{Connection, ErrorCode};

use super::{disk, room::lacking};
use crate::Error;

/// How many pages (of 4 KiB) the write-ahead log gathers, about, before they are folded back.
const PAGES: usize = 4_096;

pub(super) struct Checkpointer {
    path: PathBuf,
    asks: Option<SyncSender<()>>,
    answers: Receiver<rusqlite::Result<()>>,
    thread: Option<JoinHandle<()>>,
    /// Written since the last time, about.
    pages: usize,
    asked: bool,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let connection = disk::open_to_write(path, false, None)?;
        let (asks, asked) = sync_channel::<()>(1);
        let (answer, answers) = sync_channel(1);
        let path = path.to_owned();
        let log = path.clone();
        let work = move || {
            while asked.recv().is_ok() {
                if answer.send(passive(&connection, &log)).is_err() {
                    break;
                }
            }
        };
        let thread =
            std::thread::Builder::new().name("log-checkpoint".into()).spawn(work).map_err(|source| {
                Error::Storage { operation: "start the checkpointer", source: source.into() }
            })?;
        Ok(Checkpointer { path, asks: Some(asks), answers, thread: Some(thread), pages: 0, asked: false })
    }

    /// To be called by the writer after a commit of about so many pages. An error is one of the disk's: what
    /// it means for pages that were to be synced cannot be known, so the writer must stop.
    pub(super) fn after_commit(&mut self, writer: &Connection, pages: usize) -> rusqlite::Result<()> {
        self.pages += pages;
        if self.asked {
            match self.answers.try_recv() {
                Ok(bulk) => {
                    self.asked = false;
                    self.pages = 0;
                    bulk?;
                    passive(writer, &self.path)?;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
            }
        } else if self.pages >= PAGES {
            self.asked = self.asks.as_ref().is_some_and(|asks| asks.try_send(()).is_ok());
        }
        Ok(())
    }

    /// Folds back all there is and empties the write-ahead log. For the orderly end only.
    pub(super) fn finish(mut self, writer: &Connection) -> rusqlite::Result<()> {
        self.stop();
        fold_back(writer, &self.path, "PRAGMA wal_checkpoint(TRUNCATE)")
    }

    fn stop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say but what `answers` said.
            let _ = thread.join();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Folds back what readers allow, blocking nobody.
fn passive(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    fold_back(connection, path, "PRAGMA wal_checkpoint(PASSIVE)")
}

/// A full disk only puts it off.
fn fold_back(connection: &Connection, path: &Path, how: &str) -> rusqlite::Result<()> {
    match connection.query_row(how, [], |_| Ok(())) {
        Err(error) if lacking(path, &error).is_some() => {
            tracing::warn!("the disk is full: the log's write-ahead file cannot be folded back yet");
            Ok(())
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
        outcome => outcome,
    }
}
