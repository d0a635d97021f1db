//! A copy of the log, taken while it is written.
//!
//! SQLite writes out what one read transaction sees, so the copy is the log as it was at one moment, without the
//! room that trimmed records left. Appends go on meanwhile; only the write-ahead log grows for as long as it takes.

use std::{fs::File, io, path::Path, time::Duration};

use rusqlite::Connection;

use super::{
    Shared, disk,
    ends::{Ends, Noted},
};
use crate::{Error, Topic};

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(50);

/// Copies the log in `dir`, with these topics and perhaps others, to the folder `to`, which must exist and hold no
/// log; also while another process writes it. `progress` is told how many bytes of how many are written, about.
/// The copy is on disk when this returns, and can be opened like any log.
///
/// Blocks for as long as writing all of it takes.
pub fn back_up(
    dir: &Path,
    topics: &[Topic],
    to: &Path,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<(), Error> {
    disk::sync_recovered(&dir.join(disk::FILE))?;
    let source = disk::open_to_read(&dir.join(disk::FILE))?;
    disk::check_format(&source)?;
    // Read before the copy, which then has all that was noted.
    let noted = Noted::read(dir)?;
    let path = to.join(disk::FILE);
    copy(&source, &path, progress)?;

    let copy = disk::open_to_read(&path)?;
    let shared = Shared::load(&copy, path.clone(), topics)?;
    noted.check(&shared.slots)?;
    let sync = |path: &Path| File::open(path)?.sync_all();
    sync(&path).map_err(failed)?;
    Ends::open(to, Noted::default(), &shared.slots)?;
    sync(to).map_err(failed)
}

fn copy(source: &Connection, to: &Path, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<(), Error> {
    let ask = |pragma| source.pragma_query_value(None, pragma, |row| row.get::<_, u64>(0));
    let size = || Ok((ask("page_count")? - ask("freelist_count")?) * ask("page_size")?);
    let size = size().map_err(disk::failed("read the log's size"))?;
    let text = to.to_str().ok_or_else(|| failed(io::Error::other("its path is not UTF-8")))?;
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // SQLite does it in one go; the growing file tells how far it is.
            while is_done.recv_timeout(LOOK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                progress(to.metadata().map_or(0, |metadata| metadata.len()), size);
            }
        });
        let copied = source.execute("VACUUM INTO ?1", [text]);
        // Dropping it would do as well.
        let _ = done.send(());
        copied.map(drop).map_err(disk::failed("copy the log"))
    })
}

fn failed(source: io::Error) -> Error {
    Error::Storage { operation: "write the copy of the log", source: source.into() }
}
