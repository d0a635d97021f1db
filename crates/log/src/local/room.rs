//! Whether a write failed for want of room, which the writer survives, or for another reason, which it does not.
//!
//! SQLite tells a full disk from other failures, but not a file-size limit, a quota, or the largest file that a file
//! system can hold. (A process under a file-size limit must catch or ignore `SIGXFSZ`, or the kernel ends it.)

use std::{
    fs::OpenOptions,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::Path,
};

use rusqlite::{ErrorCode, ffi};

/// Asks the operating system for what SQLite asked for.
const PROBE: &str = "log.probe";

/// More than SQLite writes at once.
const PAGE: usize = 64 << 10;

/// What there was no room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lack {
    /// A page of the file or of the write-ahead log. The commit, which is its last frame, was not written.
    Page,
    /// The index of the write-ahead log, which SQLite makes after the commit is on disk. The next commit is
    /// written over it, but a crash before that would bring it back.
    Index,
}

/// What was lacking when something failed on the log at `path`, or `None` if it was something else than room.
pub(super) fn lacking(path: &Path, error: &rusqlite::Error) -> Option<Lack> {
    let error = error.sqlite_error()?;
    match (error.code, error.extended_code) {
        (ErrorCode::DiskFull, _) => Some(Lack::Page),
        // Nothing durable stands in the index, so whatever its failure was, it spoils nothing.
        (_, ffi::SQLITE_IOERR_SHMSIZE) => Some(Lack::Index),
        (_, ffi::SQLITE_IOERR_WRITE) if !there_is_room(path) => Some(Lack::Page),
        _ => None,
    }
}

/// Whether another file beside the log could be as long as the log wants to be.
fn there_is_room(path: &Path) -> bool {
    let length = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    let wal = path.with_extension("sqlite-wal");
    let longest = length(path).max(length(&wal));
    let probe = path.with_file_name(PROBE);
    let attempt = || -> io::Result<()> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&probe)?;
        file.write_all_at(&[0; PAGE], longest)
    };
    let outcome = attempt();
    // It is in nobody's way, and the next probe takes it over.
    let _ = std::fs::remove_file(&probe);
    let scarce = [ErrorKind::FileTooLarge, ErrorKind::StorageFull, ErrorKind::QuotaExceeded];
    !matches!(outcome, Err(error) if scarce.contains(&error.kind()))
}
