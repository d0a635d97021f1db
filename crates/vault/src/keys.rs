//! The key store: insert-or-read, durable before a key is used, and the only place where erasing happens.
//!
//! Known parties are served from a cache that never waits. Everything else goes to one thread, the keeper, which
//! owns the database and commits all that waits in one transaction, so that thousands of new parties a second
//! share a few disk flushes. It also alone fills and empties the cache, so an erased key cannot slip back in.
//!
//! The database is a SQLite file, or PostgreSQL where many machines share it; keeper and cache are the same for both.

use std::{
    sync::{Arc, mpsc::sync_channel},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

mod cache;
mod copy;
mod keeper;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod store;

pub use copy::copy_keys;
#[cfg(feature = "postgres")]
pub use postgres::Postgres;
pub use store::KeyStore;

use crate::{Error, MasterKey, Subject, cipher::Secret, sealed::DataKey};
use cache::Cache;
use keeper::{Keeper, Reply, Request};

/// How many requests may wait for the keeper. Further callers wait for room.
const WAITING: usize = 4_096;

/// What the store holds for a subject.
#[derive(Clone)]
pub(crate) enum Held {
    Nothing,
    Key(Arc<DataKey>),
    Erased { through: u32 },
}

pub(crate) struct Keys {
    cache: Arc<Cache>,
    requests: mpsc::Sender<Request>,
}

impl Keys {
    /// Also yields the root secret, from which the keyed hashes derive. Where there is no key store, `create` makes one.
    pub(crate) fn open(
        store: KeyStore,
        create: bool,
        master: MasterKey,
        lease: Duration,
        cached: usize,
    ) -> Result<(Keys, Secret), Error> {
        let cache = Arc::new(Cache::new(lease, cached));
        let (requests, queue) = mpsc::channel(WAITING);
        let (opened, root) = sync_channel(1);
        let keeper = {
            let cache = cache.clone();
            move || match store.open(&master, create) {
                Ok((store, root)) => {
                    _ = opened.send(Ok(root));
                    Keeper::new(store, master, cache).run(queue);
                }
                Err(error) => _ = opened.send(Err(error)),
            }
        };
        std::thread::Builder::new()
            .name("key-store".into())
            .spawn(keeper)
            .map_err(Error::unavailable("start the key store's thread"))?;
        let root = root.recv().map_err(|_| stopped())??;
        Ok((Keys { cache, requests }, root))
    }

    /// The key to seal with: the party's living one, or a new one of the next generation.
    pub(crate) async fn current(&self, subject: &Subject) -> Result<Arc<DataKey>, Error> {
        match self.cache.get(subject) {
            Some(key) => Ok(key),
            None => self.ask(|reply| Request::Issue { subject: subject.clone(), reply }).await,
        }
    }

    /// The key that sealed something of this generation; `None` once it was erased.
    pub(crate) async fn of(&self, subject: &Subject, generation: u32) -> Result<Option<Arc<DataKey>>, Error> {
        // An older key in the cache says nothing: another process may have erased it and gone on.
        let held = match self.cache.get(subject) {
            Some(key) if key.generation >= generation => Held::Key(key),
            _ => self.ask(|reply| Request::Find { subject: subject.clone(), reply }).await?,
        };
        match held {
            Held::Key(key) if key.generation == generation => Ok(Some(key)),
            Held::Key(key) if key.generation > generation => Ok(None),
            Held::Erased { through } if through >= generation => Ok(None),
            _ => Err(Error::NoKey { generation }),
        }
    }

    /// Destroys the party's key. Yields the last generation that is now erased, 0 if there never was a key.
    pub(crate) async fn erase(&self, subject: &Subject) -> Result<u32, Error> {
        self.ask(|reply| Request::Erase { subject: subject.clone(), reply }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

fn stopped() -> Error {
    Error::unavailable("reach the key store")(std::io::Error::other("its thread has stopped"))
}
