//! What a key store is, whatever database holds it: one root secret, and one row a party.
//!
//! A row holds the party's latest generation and its wrapped key; once erased, the generation alone. A store is opened
//! in one transaction over the whole of it, which finds or makes the root secret; the same kind of transaction copies
//! one into another ([`super::copy`]). What is left of a destroyed key is each database's own matter.

use std::{fmt, path::PathBuf};

use zeroize::Zeroizing;

#[cfg(feature = "postgres")]
use super::postgres::{self, Postgres};
use super::sqlite;
use crate::{Error, MasterKey, Subject, cipher::Secret, random};

/// Of tables and what they hold, the same in every database.
pub(crate) const FORMAT: u32 = 1;

/// Where a key store is.
#[derive(Clone, Debug)]
pub enum KeyStore {
    /// A file, for the processes of one machine. Network file systems do not keep its promises.
    Sqlite(PathBuf),
    /// On a server, for any number of machines.
    #[cfg(feature = "postgres")]
    Postgres(Box<Postgres>),
}

/// Without any password.
impl fmt::Display for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyStore::Sqlite(path) => fmt::Display::fmt(&path.display(), f),
            #[cfg(feature = "postgres")]
            KeyStore::Postgres(postgres) => fmt::Display::fmt(postgres, f),
        }
    }
}

pub(crate) struct Row {
    pub(crate) generation: u32,
    /// `None`: erased.
    pub(crate) wrapped: Option<Vec<u8>>,
}

pub(crate) struct NewKey {
    pub(crate) subject: Subject,
    pub(crate) generation: u32,
    pub(crate) wrapped: Vec<u8>,
}

/// An open key store. Blocks, each time for a bounded while: only the keeper's thread calls it. Subjects are sorted
/// and named once a call, so that two processes never wait for each other in a circle.
pub(crate) trait Store {
    /// What stands there, in order.
    fn find(&mut self, subjects: &[Subject]) -> Result<Vec<Option<Row>>, Error>;

    /// Puts each key in place of nothing, or of the erased generation before it, and of nothing else; all of it is
    /// durable when this returns. Tells, in order, which stand: the others lost to another process.
    fn issue(&mut self, keys: &[NewKey]) -> Result<Vec<bool>, Error>;

    /// Destroys keys of these generations and of no later one: should it come to pass long after it was given up, the
    /// key that stands by then stays. Doing it again does no harm, so that a failure half-way is mended by asking again.
    fn erase(&mut self, doomed: &[(Subject, u32)]) -> Result<(), Error>;
}

/// A transaction over a whole key store, which nobody else opens meanwhile. What is not committed never was.
pub(crate) trait Whole {
    /// The format and the wrapped root secret; `None` where there is no key store yet.
    fn root(&mut self) -> Result<Option<(u32, Vec<u8>)>, Error>;

    /// Makes the tables.
    fn create(&mut self, wrapped_root: &[u8]) -> Result<(), Error>;

    /// Keeps everybody from writing until the end.
    fn hold_still(&mut self) -> Result<(), Error>;

    fn count(&mut self) -> Result<u64, Error>;

    /// The rows that follow a subject, in order; no more than are easily held, and none at the end.
    fn page(&mut self, after: Option<&Subject>) -> Result<Vec<(Subject, Row)>, Error>;

    fn put(&mut self, rows: &[(Subject, Row)]) -> Result<(), Error>;

    fn commit(self: Box<Self>) -> Result<Box<dyn Store>, Error>;
}

impl KeyStore {
    /// Opens the store, or makes one where there is none and `create` says so. Proves that `master` is its master key
    /// by unwrapping the root secret.
    pub(crate) fn open(&self, master: &MasterKey, create: bool) -> Result<(Box<dyn Store>, Secret), Error> {
        let mut whole = self.begin(create)?;
        let root = match self.root(&mut *whole, master)? {
            Some(root) => root.secret,
            None if create => {
                let root = Zeroizing::new(random::bytes()?);
                whole.create(&master.wrap(ROOT, &root)?)?;
                root
            }
            None => return Err(Error::NoStore { place: self.to_string() }),
        };
        Ok((whole.commit()?, root))
    }

    /// Nothing is made but, with `create`, the place for it.
    pub(crate) fn begin(&self, create: bool) -> Result<Box<dyn Whole>, Error> {
        match self {
            KeyStore::Sqlite(path) => Ok(Box::new(sqlite::Whole::begin(path, create)?)),
            #[cfg(feature = "postgres")]
            KeyStore::Postgres(postgres) => Ok(Box::new(postgres::Whole::begin(postgres)?)),
        }
    }

    pub(crate) fn root(&self, whole: &mut dyn Whole, master: &MasterKey) -> Result<Option<Root>, Error> {
        let place = || self.to_string();
        let Some((found, wrapped)) = whole.root()? else { return Ok(None) };
        if found > FORMAT {
            return Err(Error::Newer { place: place(), found, known: FORMAT });
        }
        let secret = master.unwrap(ROOT, &wrapped).ok_or_else(|| Error::WrongMasterKey { place: place() })?;
        Ok(Some(Root { wrapped, secret }))
    }
}

/// What a root secret is wrapped for.
const ROOT: &[u8] = b"root";

pub(crate) struct Root {
    pub(crate) wrapped: Vec<u8>,
    pub(crate) secret: Secret,
}
