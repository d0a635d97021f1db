//! The keeper: the thread that owns the key store. It puts all that waits into one look, and what that did not find
//! into one transaction, and answers once it is durable.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::{
    Held,
    cache::Cache,
    store::{NewKey, Row, Store},
};
use crate::{Error, MasterKey, Subject, metrics, random, sealed::DataKey};

pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

pub(crate) enum Request {
    Find { subject: Subject, reply: Reply<Held> },
    Issue { subject: Subject, reply: Reply<Arc<DataKey>> },
    Erase { subject: Subject, reply: Reply<u32> },
}

/// How many requests share one look and one transaction at most.
const BATCH: usize = 1_024;

/// How often a key that was lost to another process is looked for. Once is enough, unless the same party is erased at
/// the same moment.
const LOOKS: usize = 8;

pub(crate) struct Keeper {
    store: Box<dyn Store>,
    master: MasterKey,
    cache: Arc<Cache>,
}

/// Who waits for what of whom: each subject once, in order.
type Asked<T> = BTreeMap<Subject, Vec<Reply<T>>>;
type Looked<T> = BTreeMap<Subject, Result<T, Error>>;

impl Keeper {
    pub(crate) fn new(store: Box<dyn Store>, master: MasterKey, cache: Arc<Cache>) -> Keeper {
        Keeper { store, master, cache }
    }

    /// Runs until the vault is dropped.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            let (mut finds, mut issues, mut erasures) = (Asked::new(), Asked::new(), Asked::new());
            for request in batch.drain(..) {
                match request {
                    Request::Find { subject, reply } => finds.entry(subject).or_default().push(reply),
                    Request::Issue { subject, reply } => issues.entry(subject).or_default().push(reply),
                    Request::Erase { subject, reply } => erasures.entry(subject).or_default().push(reply),
                }
            }
            // The requests of one batch are concurrent, so any order among them is right. Erasing first means
            // that whoever writes again at this moment gets a key that stays.
            if !erasures.is_empty() {
                answer(erasures, |subjects| self.erase(subjects));
            }
            if !finds.is_empty() {
                answer(finds, |subjects| self.find(subjects));
            }
            if !issues.is_empty() {
                answer(issues, |subjects| self.issue(subjects));
            }
        }
    }

    fn find(&mut self, subjects: Vec<Subject>) -> Result<Looked<Held>, Error> {
        let read_at = Instant::now();
        let rows = self.store.find(&subjects)?;
        let looked = subjects.into_iter().zip(rows).map(|(subject, row)| {
            let held = held(&self.master, &subject, row);
            if let Ok(Held::Key(key)) = &held {
                metrics::read();
                self.cache.put(subject.clone(), key.clone(), read_at);
            }
            (subject, held)
        });
        Ok(looked.collect())
    }

    /// A key for each: the one that stands, or a new one. Who is new here may be new in another process, too; one of
    /// the two keys stands then, and both use that.
    fn issue(&mut self, subjects: Vec<Subject>) -> Result<Looked<Arc<DataKey>>, Error> {
        let (mut keys, mut wanted) = (Looked::new(), subjects);
        for _ in 0..LOOKS {
            let mut new = Vec::new();
            for (subject, held) in self.find(wanted)? {
                let generation = match held {
                    Ok(Held::Nothing) => 1,
                    Ok(Held::Erased { through }) => through + 1,
                    Ok(Held::Key(key)) => {
                        keys.insert(subject, Ok(key));
                        continue;
                    }
                    Err(error) => {
                        keys.insert(subject, Err(error));
                        continue;
                    }
                };
                new.push((subject, generation));
            }
            wanted = self.insert(new, &mut keys)?;
            if wanted.is_empty() {
                return Ok(keys);
            }
        }
        let source = std::io::Error::other("other processes issue and erase the same keys again and again");
        Err(Error::unavailable("store new keys")(source))
    }

    /// Yields those whose keys lost to another process.
    fn insert(
        &mut self,
        new: Vec<(Subject, u32)>,
        keys: &mut Looked<Arc<DataKey>>,
    ) -> Result<Vec<Subject>, Error> {
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let (mut rows, mut secrets) = (Vec::with_capacity(new.len()), Vec::with_capacity(new.len()));
        for (subject, generation) in new {
            let secret = Zeroizing::new(random::bytes()?);
            let wrapped = self.master.wrap(&context(&subject, generation), &secret)?;
            secrets.push(Arc::new(DataKey::new(generation, secret)));
            rows.push(NewKey { subject, generation, wrapped });
        }
        let begun = Instant::now();
        let stands = self.store.issue(&rows)?;
        metrics::issued(stands.iter().filter(|stands| **stands).count(), begun.elapsed());
        let mut lost = Vec::new();
        for ((NewKey { subject, .. }, key), stands) in rows.into_iter().zip(secrets).zip(stands) {
            if stands {
                self.cache.put(subject.clone(), key.clone(), begun);
                keys.insert(subject, Ok(key));
            } else {
                lost.push(subject);
            }
        }
        Ok(lost)
    }

    /// The generation that each is erased through.
    fn erase(&mut self, subjects: Vec<Subject>) -> Result<Looked<u32>, Error> {
        let begun = Instant::now();
        let erased = self.store.find(&subjects).and_then(|rows| {
            let generations: Vec<u32> =
                rows.iter().map(|row| row.as_ref().map_or(0, |row| row.generation)).collect();
            let doomed = subjects.iter().cloned().zip(generations.iter().copied());
            let doomed: Vec<_> = doomed.filter(|(_, generation)| *generation > 0).collect();
            if !doomed.is_empty() {
                self.store.erase(&doomed)?;
                metrics::erased(doomed.len(), begun.elapsed());
            }
            Ok(generations)
        });
        // Also after a failure: it may be done all the same.
        subjects.iter().for_each(|subject| self.cache.remove(subject));
        Ok(subjects.into_iter().zip(erased?.into_iter().map(Ok)).collect())
    }
}

/// Tells everybody what came of it, or why nothing did.
fn answer<T: Clone>(asked: Asked<T>, look: impl FnOnce(Vec<Subject>) -> Result<Looked<T>, Error>) {
    let looked = look(asked.keys().cloned().collect());
    for (subject, replies) in asked {
        let told = match &looked {
            Ok(looked) => looked.get(&subject).cloned(),
            Err(error) => Some(Err(error.clone())),
        };
        // Without an answer, whoever waits is told that the keeper has stopped.
        let Some(told) = told else { continue };
        replies.into_iter().for_each(|reply| _ = reply.send(told.clone()));
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
