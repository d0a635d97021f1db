//! Blobs: what is too big for a record, sealed, one object each.
//!
//! They lie in a folder beside the keys, or in a store that many machines reach. A blob is called
//! `XX/SUBJECT-GENERATION-BLOB` in hexadecimal, where `XX` begins `SUBJECT`, a keyed hash: erasing finds a subject's
//! blobs by name, and a listing tells nobody whose they are.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use objects::Store;

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

/// What an object's name says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Name {
    pub(crate) subject: Id,
    pub(crate) generation: u32,
    pub(crate) blob: BlobId,
}

impl Name {
    fn write(&self) -> String {
        let Name { subject, generation, blob } = self;
        format!("{}/{}-{generation}-{blob}", folder(subject), HEXLOWER.encode(subject))
    }

    /// `None` for an object that is not ours; those stay untouched.
    fn read(name: &str) -> Option<Name> {
        let (_, name) = name.rsplit_once('/')?;
        let mut parts = name.split('-');
        let id = |text: &str| HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok();
        let name = Name {
            subject: id(parts.next()?)?,
            generation: parts.next()?.parse().ok()?,
            blob: BlobId(id(parts.next()?)?),
        };
        parts.next().is_none().then_some(name)
    }
}

type Result<T> = std::result::Result<T, objects::Error>;

pub(crate) struct Blobs {
    store: Store,
}

impl Blobs {
    pub(crate) fn new(store: Store) -> Blobs {
        Blobs { store }
    }

    /// In this folder, which is made if need be.
    pub(crate) fn in_folder(dir: PathBuf) -> io::Result<Blobs> {
        fs::create_dir_all(&dir)?;
        dir.parent().map_or(Ok(()), |parent| fs::File::open(parent)?.sync_all())?;
        Ok(Blobs::new(Store::folder(dir)))
    }

    /// Durable once it returns.
    pub(crate) async fn write(&self, name: &Name, content: Vec<u8>) -> Result<()> {
        self.store.put(&name.write(), content.into()).await
    }

    /// `None` when there is no such blob.
    pub(crate) async fn read(&self, name: &Name) -> Result<Option<Vec<u8>>> {
        Ok(self.store.get(&name.write()).await?.map(Vec::from))
    }

    /// Removes the subject's blobs of the generations up to and including `through`.
    pub(crate) async fn erase(&self, subject: Id, through: u32) -> Result<()> {
        for name in self.names(&folder(&subject)).await? {
            if name.subject == subject && name.generation <= through {
                self.remove(&name).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn remove(&self, name: &Name) -> Result<()> {
        self.store.remove(&name.write()).await
    }

    /// Everything that is finished.
    pub(crate) async fn ids(&self) -> Result<Vec<BlobId>> {
        Ok(self.names("").await?.into_iter().map(|name| name.blob).collect())
    }

    /// Removes what was last written before `before` (milliseconds since the Unix epoch) and is not kept, and
    /// what was never finished. Yields how many there were.
    pub(crate) async fn sweep(&self, before: i64, keep: impl Fn(&BlobId) -> bool) -> Result<u64> {
        let mut swept = self.store.tidy(before).await?;
        for object in self.store.list("").await? {
            let Some(name) = Name::read(&object.name) else { continue };
            if object.written_at < before && !keep(&name.blob) {
                self.store.remove(&object.name).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    async fn names(&self, folder: &str) -> Result<Vec<Name>> {
        let objects = self.store.list(folder).await?;
        Ok(objects.iter().filter_map(|object| Name::read(&object.name)).collect())
    }
}

fn folder(subject: &Id) -> String {
    format!("{:02x}", subject[0])
}

/// The finished blobs below a folder, as paths from there; none where there is no such folder.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut blobs = Vec::new();
    if !dir.is_dir() {
        return Ok(blobs);
    }
    for first in 0..=u8::MAX {
        let folder = dir.join(format!("{first:02x}"));
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.strip_prefix(dir).ok().and_then(Path::to_str);
            if name.and_then(Name::read).is_some() {
                blobs.extend(name.map(PathBuf::from));
            }
        }
    }
    Ok(blobs)
}
