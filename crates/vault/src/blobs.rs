//! Blob files: what is too big for a record, sealed, one file each.
//!
//! A file is called `blobs/XX/SUBJECT-GENERATION-BLOB` in hexadecimal, where `XX` begins `SUBJECT`, a keyed hash:
//! erasing finds a subject's files by name, and a listing tells nobody whose they are. A file has its name only
//! once its content is on disk; while it is written it ends in `.part`.

use std::{
    fmt, fs,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use data_encoding::HEXLOWER;

use crate::Id;

/// One blob, named at random.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobId(pub Id);

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a file's name says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Name {
    pub(crate) subject: Id,
    pub(crate) generation: u32,
    pub(crate) blob: BlobId,
}

pub(crate) struct Blobs {
    dir: PathBuf,
}

impl Blobs {
    /// Creates all folders at once, so that a write has only its own folder to make durable.
    pub(crate) fn open(dir: PathBuf) -> io::Result<Blobs> {
        fs::create_dir_all(&dir)?;
        for first in 0..=u8::MAX {
            match fs::create_dir(folder(&dir, first)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        sync_folder(&dir)?;
        dir.parent().map_or(Ok(()), sync_folder)?;
        Ok(Blobs { dir })
    }

    /// Durable once it returns.
    pub(crate) fn write(&self, name: &Name, content: &[u8]) -> io::Result<()> {
        let (path, part) = (self.path(name), self.path(name).with_extension("part"));
        let written = File::create_new(&part)
            .and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&part, &path))
            .and_then(|()| sync_folder(&folder(&self.dir, name.subject[0])));
        if written.is_err() {
            // On a full disk the space is wanted back; what cannot be removed now is swept later.
            _ = fs::remove_file(&part);
            _ = fs::remove_file(&path);
        }
        written
    }

    /// `None` when there is no such file.
    pub(crate) fn read(&self, name: &Name) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the subject's files of the generations up to and including `through`.
    pub(crate) fn erase(&self, subject: Id, through: u32) -> io::Result<()> {
        let folder = folder(&self.dir, subject[0]);
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if parse(&path).is_some_and(|name| name.subject == subject && name.generation <= through) {
                remove(&path)?;
            }
        }
        sync_folder(&folder)
    }

    pub(crate) fn remove(&self, name: &Name) -> io::Result<()> {
        remove(&self.path(name))
    }

    /// Everything that is finished.
    pub(crate) fn ids(&self) -> io::Result<Vec<BlobId>> {
        Ok(list(&self.dir)?.iter().filter_map(|path| parse(path)).map(|name| name.blob).collect())
    }

    /// Removes what was last written before `before` (milliseconds since the Unix epoch) and is not kept, and
    /// what was never finished. Yields how many files.
    pub(crate) fn sweep(&self, before: i64, keep: impl Fn(&BlobId) -> bool) -> io::Result<u64> {
        let before = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(before).unwrap_or(0));
        let mut swept = 0;
        for first in 0..=u8::MAX {
            for entry in fs::read_dir(folder(&self.dir, first))? {
                let path = entry?.path();
                let Some(name) = parse(&path) else { continue };
                let finished = path.extension().is_none();
                if written_before(&path, before)? && !(finished && keep(&name.blob)) {
                    remove(&path)?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    fn path(&self, name: &Name) -> PathBuf {
        let Name { subject, generation, blob } = name;
        folder(&self.dir, subject[0]).join(format!("{}-{generation}-{blob}", HEXLOWER.encode(subject)))
    }
}

/// The finished blobs below `dir`, as paths from there; none where there is no such folder.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut blobs = Vec::new();
    if !dir.is_dir() {
        return Ok(blobs);
    }
    for first in 0..=u8::MAX {
        let folder = folder(dir, first);
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if parse(&path).is_some() && path.extension().is_none() {
                blobs.extend(path.strip_prefix(dir).map(Path::to_owned));
            }
        }
    }
    Ok(blobs)
}

/// `None` for a file that is not ours; those stay untouched.
fn parse(path: &Path) -> Option<Name> {
    let mut parts = path.file_stem()?.to_str()?.split('-');
    let id = |text: &str| HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok();
    let name = Name {
        subject: id(parts.next()?)?,
        generation: parts.next()?.parse().ok()?,
        blob: BlobId(id(parts.next()?)?),
    };
    parts.next().is_none().then_some(name)
}

fn folder(dir: &Path, first: u8) -> PathBuf {
    dir.join(format!("{first:02x}"))
}

/// A file that vanished meanwhile (swept or erased by another) is no failure.
fn written_before(path: &Path, before: SystemTime) -> io::Result<bool> {
    match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(modified) => Ok(modified < before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
