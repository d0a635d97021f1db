//! What can go wrong between the log and a row.

use std::path::PathBuf;

use domain::Peer;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not open the read model at {path}")]
    Open {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{path} was written by a newer version (format {found}; this one knows up to {known})")]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("could not {operation} the read model")]
    Sql {
        operation: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("could not read the log of {peer}")]
    Log {
        peer: Peer,
        #[source]
        source: log::Error,
    },
    /// An accepted record that cannot be understood: the projection stops rather than skip it. Upgrade the reader.
    #[error("could not understand the log of {peer}")]
    Wire {
        peer: Peer,
        #[source]
        source: wire::Error,
    },
    #[error("the read model holds a point of {peer} that cannot be read: rebuild it")]
    Point {
        peer: Peer,
        #[source]
        source: wire::Error,
    },
    /// Two processes project into one store; this one gives way.
    #[error("the rows of {peer} end at position {stored}, not at {read}: someone else is writing them too")]
    OutOfStep { peer: Peer, stored: u64, read: u64 },
    #[error("{peer}, position {position}, event {index}: ids of timeline entries do not reach that far")]
    TooFar { peer: Peer, position: u64, index: u32 },
    /// The entry that a page should continue after is not there (any more), or is another tenant's.
    #[error("there is no timeline entry {id} to continue after")]
    NoEntry { id: i64 },
    #[error("a task of the projection was stopped from outside or panicked")]
    Task(#[source] tokio::task::JoinError),
}

impl Error {
    /// It may pass by itself (a full disk, a database that another process holds): the rows are whole, and another
    /// [`crate::run`] goes on.
    pub fn is_passing(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
        let Error::Sql { source, .. } = self else { return false };
        matches!(source.sqlite_error_code(), Some(DiskFull | DatabaseBusy | DatabaseLocked))
    }

    pub(crate) fn sql(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
        move |source| Error::Sql { operation, source }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_full_disk_passes_and_damage_does_not() {
        let failed =
            |code| Error::sql("write to")(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(failed(ffi::SQLITE_FULL).is_passing() && failed(ffi::SQLITE_BUSY).is_passing());
        assert!(!failed(ffi::SQLITE_CORRUPT).is_passing() && !failed(ffi::SQLITE_IOERR).is_passing());
        assert!(!Error::NoEntry { id: 1 }.is_passing());
    }
}
