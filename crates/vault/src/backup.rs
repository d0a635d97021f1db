//! Copying a vault while others use it, and looking over a copy.
//!
//! The keys are copied as they are at one moment, and then the blobs. A record's key and blob are durable before
//! the record is, so whoever copies a log first and its vault after it has all that the log's copy needs, but for
//! what was erased in between.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OpenFlags};

use crate::{Error, blobs};

/// What a vault holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contents {
    /// With a key, or erased.
    pub parties: u64,
    pub blobs: u64,
}

/// Copies the vault in `dir`, keys and all, to `to`, which must exist and be empty, and looks the copy over. The copy is
/// on disk when this returns. It lacks the master key, and holds keys that may be destroyed in the original later.
/// `progress` is told how many blobs of how many are copied.
///
/// While the keys are read, which takes a second for some millions, an erasure is [`Error::Unavailable`].
pub fn back_up(dir: &Path, to: &Path, progress: &dyn Fn(u64, u64)) -> Result<Contents, Error> {
    let path = keys(to);
    let text = path.to_str().ok_or_else(|| copying(&path)(io::Error::other("its path is not UTF-8")))?;
    read(&keys(dir))?.execute("VACUUM INTO ?1", [text]).map_err(copying(&path))?;

    let blobs = blobs::list(&dir.join(BLOBS)).map_err(copying(&dir.join(BLOBS)))?;
    let total = blobs.len() as u64;
    let mut folders = BTreeSet::new();
    for (done, blob) in (1..).zip(&blobs) {
        let (from, target) = (dir.join(BLOBS).join(blob), to.join(BLOBS).join(blob));
        copy_blob(&from, &target).map_err(copying(&from))?;
        folders.extend(target.parent().map(Path::to_owned));
        progress(done, total);
    }
    // Names after what they name, and a folder once for all it holds.
    if !folders.is_empty() {
        for folder in folders.iter().chain([&to.join(BLOBS)]) {
            sync(folder).map_err(copying(folder))?;
        }
    }
    sync(&path).and_then(|()| sync(to)).map_err(copying(to))?;
    look_over(to)
}

/// Reads all of a key store's file, or says what is wrong with it, and counts. That a key or a blob is what was
/// sealed shows only when it is opened.
pub fn look_over(dir: &Path) -> Result<Contents, Error> {
    let path = keys(dir);
    let keys = read(&path)?;
    let damaged = |reason| Error::Damaged { path: path.clone(), reason };
    let found = keys.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match found.as_deref() {
        Ok("ok") => {}
        Ok(reason) => return Err(damaged(reason.to_owned())),
        Err(error) => return Err(damaged(error.to_string())),
    }
    let parties = keys.query_row("SELECT count(*) FROM keys", [], |row| row.get(0));
    let parties = parties.map_err(|error| damaged(error.to_string()))?;
    let blobs = blobs::list(&dir.join(BLOBS)).map_err(copying(&dir.join(BLOBS)))?.len() as u64;
    Ok(Contents { parties, blobs })
}

const BLOBS: &str = "blobs";

fn keys(dir: &Path) -> PathBuf {
    dir.join("keys.sqlite")
}

fn read(path: &Path) -> Result<Connection, Error> {
    let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    opened.map_err(|source| Error::Open { place: path.display().to_string(), source: Arc::new(source) })
}

/// On disk when it returns, its name once its folder is. A blob that was erased or swept meanwhile is not copied.
fn copy_blob(from: &Path, to: &Path) -> io::Result<()> {
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    match fs::copy(from, to) {
        Ok(_) => sync(to),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn copying<E: std::error::Error + Send + Sync + 'static>(path: &Path) -> impl FnOnce(E) -> Error {
    let path = path.to_owned();
    |source| Error::Copy { path, source: Arc::new(source) }
}
