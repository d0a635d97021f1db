//! The keeper: the thread that owns the key store. It answers what it can by reading, puts all else that waits
//! into one transaction, and answers that once it is on disk.

use std::{sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::{
    Held,
    cache::Cache,
    store::{Row, Store},
};
use crate::{Error, MasterKey, Subject, metrics, random, sealed::DataKey};

pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

pub(crate) enum Request {
    Find { subject: Subject, reply: Reply<Held> },
    Issue { subject: Subject, reply: Reply<Arc<DataKey>> },
    Erase { subject: Subject, reply: Reply<u32> },
}

/// How many requests share one transaction at most.
const BATCH: usize = 1_024;

pub(crate) struct Keeper {
    store: Store,
    master: MasterKey,
    cache: Arc<Cache>,
}

type Issues = Vec<(Subject, Reply<Arc<DataKey>>)>;
type Erasures = Vec<(Subject, Reply<u32>)>;

impl Keeper {
    pub(crate) fn new(store: Store, master: MasterKey, cache: Arc<Cache>) -> Keeper {
        Keeper { store, master, cache }
    }

    /// Runs until the vault is dropped.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            let read_at = Instant::now();
            let (mut issues, mut erasures) = (Issues::new(), Erasures::new());
            for request in batch.drain(..) {
                match request {
                    Request::Find { subject, reply } => _ = reply.send(self.find(&subject, read_at)),
                    Request::Issue { subject, reply } => match self.find(&subject, read_at) {
                        Ok(Held::Key(key)) => _ = reply.send(Ok(key)),
                        Ok(_) => issues.push((subject, reply)),
                        Err(error) => _ = reply.send(Err(error)),
                    },
                    Request::Erase { subject, reply } => erasures.push((subject, reply)),
                }
            }
            // The requests of one batch are concurrent, so any order among them is right. Erasing first means
            // that whoever writes again at this moment gets a key that stays.
            if !erasures.is_empty() {
                self.erase(erasures);
            }
            if !issues.is_empty() {
                self.issue(issues, read_at);
            }
        }
    }

    fn find(&self, subject: &Subject, read_at: Instant) -> Result<Held, Error> {
        let row = self.store.find(subject).map_err(Error::unavailable("read a key"))?;
        let held = held(&self.master, subject, row)?;
        if let Held::Key(key) = &held {
            metrics::read();
            self.cache.put(subject.clone(), key.clone(), read_at);
        }
        Ok(held)
    }

    fn issue(&mut self, issues: Issues, read_at: Instant) {
        match self.insert_or_read(&issues) {
            Ok(keys) => {
                for ((subject, reply), key) in issues.into_iter().zip(keys) {
                    if let Ok(key) = &key {
                        self.cache.put(subject, key.clone(), read_at);
                    }
                    _ = reply.send(key);
                }
            }
            Err(error) => issues.into_iter().for_each(|(_, reply)| _ = reply.send(Err(error.clone()))),
        }
    }

    /// A key for each subject, in order. Two requests for one subject get one key, as the second reads what the
    /// first inserted; so do two processes, as the look and the insert are one transaction.
    fn insert_or_read(&mut self, issues: &Issues) -> Result<Vec<Result<Arc<DataKey>, Error>>, Error> {
        let failed = || Error::unavailable("store new keys");
        let (begun, mut inserted) = (Instant::now(), 0);
        let mut keys = Vec::with_capacity(issues.len());
        let change = self.store.change().map_err(failed())?;
        for (subject, _) in issues {
            let row = change.find(subject).map_err(failed())?;
            let generation = match held(&self.master, subject, row) {
                Ok(Held::Nothing) => 1,
                Ok(Held::Erased { through }) => through + 1,
                Ok(Held::Key(key)) => {
                    keys.push(Ok(key));
                    continue;
                }
                Err(error) => {
                    keys.push(Err(error));
                    continue;
                }
            };
            let secret = Zeroizing::new(random::bytes()?);
            let wrapped = self.master.wrap(&context(subject, generation), &secret)?;
            change.put(subject, generation, &wrapped).map_err(failed())?;
            keys.push(Ok(Arc::new(DataKey::new(generation, secret))));
            inserted += 1;
        }
        change.commit().map_err(failed())?;
        metrics::issued(inserted, begun.elapsed());
        Ok(keys)
    }

    fn erase(&mut self, erasures: Erasures) {
        let erased = self.destroy(&erasures);
        for (at, (_, reply)) in erasures.into_iter().enumerate() {
            _ = reply.send(erased.as_ref().map(|through| through[at]).map_err(Error::clone));
        }
    }

    /// The generation erased through for each subject, in order. Doing it again does no harm, so that a failure
    /// half-way is mended by asking again.
    fn destroy(&mut self, erasures: &Erasures) -> Result<Vec<u32>, Error> {
        let failed = || Error::unavailable("destroy keys");
        let begun = Instant::now();
        let change = self.store.change().map_err(failed())?;
        let through: rusqlite::Result<Vec<u32>> =
            erasures.iter().map(|(subject, _)| change.erase(subject)).collect();
        let through = through.map_err(failed())?;
        change.commit().map_err(failed())?;
        erasures.iter().for_each(|(subject, _)| self.cache.remove(subject));
        self.store.cut_log().map_err(Error::unavailable("cut destroyed keys from the key store's log"))?;
        metrics::erased(erasures.len(), begun.elapsed());
        Ok(through)
    }
}

fn held(master: &MasterKey, subject: &Subject, row: Option<Row>) -> Result<Held, Error> {
    Ok(match row {
        None => Held::Nothing,
        Some(Row { generation, wrapped: None }) => Held::Erased { through: generation },
        Some(Row { generation, wrapped: Some(wrapped) }) => {
            let secret = master.unwrap(&context(subject, generation), &wrapped);
            let secret = secret.ok_or(Error::KeyDamaged { generation })?;
            Held::Key(Arc::new(DataKey::new(generation, secret)))
        }
    })
}

/// Binds a wrapped key to its row. The fixed lengths follow the one that varies in a fixed order from the end,
/// so no two rows read the same.
fn context(subject: &Subject, generation: u32) -> Vec<u8> {
    [b"key", subject.tenant.as_bytes(), &subject.party, &generation.to_le_bytes()].concat()
}
