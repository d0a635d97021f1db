//! The vault as its callers see it: hashes and references at once, sealing and opening by way of the key store.

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use objects::Store;

use crate::{
    BlobId, Error, Id, MasterKey, Subject,
    blobs::{Blobs, Name},
    hashes::Hashes,
    keys::{KeyStore, Keys},
    metrics, random,
    reference::References,
    sealed::{self, DataKey, Sealed},
};

/// A plaintext longer than this many bytes becomes a blob, and its sealed bytes a reference to it.
pub const INLINE_MAX: usize = 64 * 1024;

/// No cached key is used for longer after it was read (DESIGN §5): an erasure waits this out.
const LONGEST_LEASE: Duration = Duration::from_secs(30);

pub struct Config {
    /// Holds `blobs/` and `keys.sqlite`, unless they are elsewhere; created when missing.
    pub dir: PathBuf,
    /// Where blobs are; left out, in `blobs/`.
    pub blobs: Option<Store>,
    pub keys: KeyStore,
    /// Makes a key store where there is none.
    pub create: bool,
    pub master: MasterKey,
    /// How long a key read from the store may be used; at most 30 s, more is cut to that.
    pub lease: Duration,
    /// How many keys stay in memory at most, about 200 bytes each.
    pub cached_keys: usize,
}

impl Config {
    pub fn new(dir: impl Into<PathBuf>, master: MasterKey) -> Config {
        let dir = dir.into();
        let keys = KeyStore::Sqlite(dir.join("keys.sqlite"));
        Config { dir, blobs: None, keys, create: true, master, lease: LONGEST_LEASE, cached_keys: 50_000 }
    }
}

/// What sealed bytes turn out to be.
#[derive(Clone, PartialEq, Eq)]
pub enum Opened {
    Plain(Vec<u8>),
    /// The party was erased after this was sealed: nobody can read it any more.
    Erased,
}

impl fmt::Debug for Opened {
    /// Personal data does not reach a log by way of `{:?}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Opened::Plain(plaintext) => write!(f, "Plain({} bytes)", plaintext.len()),
            Opened::Erased => f.write_str("Erased"),
        }
    }
}

/// Cheap to clone; all edges and readers of a process share one.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    hashes: Hashes,
    references: References,
    keys: Keys,
    blobs: Blobs,
}

impl Vault {
    /// Opens the vault in its folder, or creates it with this master key. Blocks for some file work, and, where the keys
    /// are on a server, until that has answered or some seconds have passed.
    pub fn open(config: Config) -> Result<Vault, Error> {
        let Config { dir, blobs, keys, create, master, lease, cached_keys } = config;
        metrics::describe();
        let place = dir.display().to_string();
        let failed = |source: io::Error| Error::Open { place: place.clone(), source: Arc::new(source) };
        if create {
            std::fs::create_dir_all(&dir).map_err(failed)?;
        }
        let (keys, root) = Keys::open(keys, create, master, lease.min(LONGEST_LEASE), cached_keys)?;
        let blobs = match blobs {
            Some(store) => Blobs::new(store),
            None => Blobs::in_folder(dir.join("blobs")).map_err(failed)?,
        };
        let (hashes, references) = (Hashes::new(&root), References::new(&root));
        Ok(Vault(Arc::new(Inner { hashes, references, keys, blobs })))
    }

    /// The party behind an address in an inbox. Spell the address in its channel's canonical form first:
    /// another spelling is another party.
    pub fn party(&self, tenant: &str, inbox: &str, address: &str) -> Id {
        self.0.hashes.party(tenant, inbox, address)
    }

    /// The identity of a fact: the same however often its provider reports it. `item` is the provider's id or,
    /// where there is none, the canonical item (DESIGN §3).
    pub fn fact(&self, inbox: &str, kind: &str, item: &[u8]) -> Id {
        self.0.hashes.fact(inbox, kind, item)
    }

    /// Tells whether two commands of one id say the same.
    pub fn content(&self, bytes: &[u8]) -> Id {
        self.0.hashes.content(bytes)
    }

    /// Seals for this subject and this item (the fact's id): the bytes open only for the same two. They are 45
    /// bytes longer than the plaintext, or 21 bytes when it exceeds [`INLINE_MAX`] and becomes a blob.
    /// The key, and the blob, are durable when this returns. Sealing twice gives different bytes.
    pub async fn seal(&self, subject: &Subject, item: &Id, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        if plaintext.len() > INLINE_MAX {
            return self.seal_blob(subject, item, Arc::new(plaintext.to_vec())).await;
        }
        self.0.keys.current(subject).await?.seal_inline(subject, item, plaintext)
    }

    /// [`Vault::seal`] without a copy of what is large.
    pub async fn seal_owned(
        &self,
        subject: &Subject,
        item: &Id,
        plaintext: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        if plaintext.len() > INLINE_MAX {
            return self.seal_blob(subject, item, Arc::new(plaintext)).await;
        }
        self.seal(subject, item, &plaintext).await
    }

    /// Opens what [`Vault::seal`] made for the same subject and item.
    pub async fn open_sealed(&self, subject: &Subject, item: &Id, sealed: &[u8]) -> Result<Opened, Error> {
        let parsed = Sealed::parse(sealed)?;
        let Some(key) = self.0.keys.of(subject, parsed.generation()).await? else {
            return Ok(Opened::Erased);
        };
        match parsed {
            Sealed::Inline { body, .. } => key.open_inline(subject, item, body).map(Opened::Plain),
            Sealed::Reference { blob, .. } => self.open_blob(subject, item, key, blob).await,
        }
    }

    /// The generation of the party's key that sealed these bytes, without opening them.
    pub fn generation(sealed: &[u8]) -> Result<u32, Error> {
        Sealed::parse(sealed).map(|parsed| parsed.generation())
    }

    /// The blob that these sealed bytes refer to, if they do: what a sweep must keep.
    pub fn blob(sealed: &[u8]) -> Result<Option<BlobId>, Error> {
        Ok(match Sealed::parse(sealed)? {
            Sealed::Inline { .. } => None,
            Sealed::Reference { blob, .. } => Some(blob),
        })
    }

    /// The blobs that a record may refer to, whatever it is a record of: every one that it does, and others by chance.
    pub fn blobs_in(record: &[u8]) -> impl Iterator<Item = BlobId> {
        sealed::referred_to(record)
    }

    /// The blobs there are now.
    pub async fn blobs(&self) -> Result<Vec<BlobId>, Error> {
        self.0.blobs.ids().await.map_err(Error::unavailable("list blobs"))
    }

    /// Destroys the subject's key and blobs: what was sealed so far is [`Opened::Erased`] from now on, here at
    /// once, in other processes within the lease. The next seal begins a new generation. Yields the last
    /// generation that is now erased, 0 if nothing was ever sealed. After an error, ask again.
    pub async fn erase(&self, subject: &Subject) -> Result<u32, Error> {
        let through = self.0.keys.erase(subject).await?;
        let erased = self.0.blobs.erase(self.0.hashes.folder(subject), through).await;
        erased.map_err(Error::unavailable("erase blobs"))?;
        Ok(through)
    }

    /// Removes blobs that no record came to name: those last written before `written_before` (milliseconds
    /// since the Unix epoch; leave time for a record on its way) that `keep` does not know. Yields how many.
    pub async fn sweep_blobs(
        &self,
        written_before: i64,
        keep: impl Fn(&BlobId) -> bool,
    ) -> Result<u64, Error> {
        self.0.blobs.sweep(written_before, keep).await.map_err(Error::unavailable("sweep blobs"))
    }

    /// A text that only this vault can make or read, for a Message-ID or a Reply-To: lower-case letters and digits,
    /// 8 for every 5 bytes of the 12 more than `bytes`. The same input always gives the same text.
    pub fn reference(&self, purpose: &str, bytes: &[u8]) -> String {
        self.0.references.write(purpose, bytes)
    }

    /// The bytes that [`Vault::reference`] was given for this purpose; `None` if it did not make this text.
    /// Upper and lower case are the same.
    pub fn read_reference(&self, purpose: &str, text: &str) -> Option<Vec<u8>> {
        self.0.references.read(purpose, text)
    }

    async fn seal_blob(
        &self,
        subject: &Subject,
        item: &Id,
        plaintext: Arc<Vec<u8>>,
    ) -> Result<Vec<u8>, Error> {
        loop {
            let key = self.0.keys.current(subject).await?;
            let name = self.blob_name(subject, key.generation, BlobId(random::bytes()?));
            let generation = key.generation;
            let content = {
                let (subject, item, plaintext) = (subject.clone(), *item, plaintext.clone());
                let seal = move || key.seal_blob(&subject, &item, &name.blob, &plaintext);
                off_thread("seal a blob", seal).await?
            };
            let bytes = content.len();
            let written = self.0.blobs.write(&name, content).await;
            // An erasure that happened meanwhile may have missed this blob, or taken it away while it was written.
            if self.0.keys.current(subject).await?.generation == generation {
                written.map_err(Error::unavailable("write a blob"))?;
                metrics::blob_written(bytes);
                return Ok(sealed::reference(generation, &name.blob));
            }
            let removed = self.0.blobs.remove(&name).await;
            removed.map_err(Error::unavailable("remove an erased blob"))?;
        }
    }

    async fn open_blob(
        &self,
        subject: &Subject,
        item: &Id,
        key: Arc<DataKey>,
        blob: BlobId,
    ) -> Result<Opened, Error> {
        let generation = key.generation;
        let name = self.blob_name(subject, generation, blob);
        let content = self.0.blobs.read(&name).await.map_err(Error::unavailable("read a blob"))?;
        match content {
            Some(content) => {
                let (subject, item) = (subject.clone(), *item);
                let open = move || key.open_blob(&subject, &item, &blob, &content);
                off_thread("open a blob", open).await.map(Opened::Plain)
            }
            // It may have been erased since the key was asked for.
            None if self.0.keys.of(subject, generation).await?.is_none() => Ok(Opened::Erased),
            None => Err(Error::BlobMissing(blob)),
        }
    }

    fn blob_name(&self, subject: &Subject, generation: u32, blob: BlobId) -> Name {
        Name { subject: self.0.hashes.folder(subject), generation, blob }
    }
}

/// The ciphering of something big stays off the threads that serve everyone.
async fn off_thread<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(Error::unavailable(operation))?
}
