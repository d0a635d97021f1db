//! Snapshots where other machines find them: a mirror of the local folders, in a store.
//!
//! ```text
//!  a leader's folder ──the newest, now and then──▶ store ──to who has none, or only old ones──▶ another's folder
//! ```
//!
//! It only saves time, and is never believed: what comes from it is verified like what lies here, and what is missing,
//! damaged or out of reach costs a warning and a longer fold. Whoever leads a partition mirrors its snapshots in a task
//! of its own, so nobody who decides waits for the store.
//!
//! Two processes that mirror the same partition, one of which leads no more and does not know, do each other no harm. A
//! snapshot's name tells its position, the mark of the record before it, and a digest of its content, so neither writes
//! over the other's, and one of another log is told without fetching it; a segment is named by its content. The segments
//! go there first and the snapshot's file last: one that is half there is not there.

mod fetch;
mod upload;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use data_encoding::HEXLOWER;
use domain::Peer;
use log::Log;
use objects::{Object, Store};
use tokio::sync::{Semaphore, watch};

use crate::{Error, Mark, snapshot};

/// Between two uploads of a partition: what is folded in that time is folded in seconds.
const PAUSE: Duration = Duration::from_secs(5 * 60);
/// Uploads of a process at a time.
const AT_ONCE: usize = 4;
/// What is read of a snapshot in the store to learn its segments; nearly always enough.
const BEGINNING: usize = 64 << 10;
/// The object with the index of reading points.
const POINTS: &str = "points.index";

#[derive(Clone)]
pub struct Mirror {
    store: Store,
    pause: Duration,
    /// The position of the newest snapshot that was written here, of each partition.
    written: Arc<watch::Sender<BTreeMap<Peer, u64>>>,
    turns: Arc<Semaphore>,
    /// Segments in the store that were found damaged; they are written again by whoever has them whole.
    damaged: Arc<Mutex<HashSet<String>>>,
}

/// A snapshot in the store, as its name tells it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Kept {
    position: u64,
    /// Of the record before its position.
    mark: Mark,
    /// Of its content.
    check: Mark,
}

impl Mirror {
    pub fn new(store: Store) -> Self {
        Mirror {
            store,
            pause: PAUSE,
            written: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            damaged: Arc::default(),
        }
    }

    /// With so much time between two uploads of a partition, at least.
    pub fn every(self, pause: Duration) -> Self {
        Mirror { pause, ..self }
    }

    /// Here, by this process.
    pub(crate) fn is_written(&self, peer: Peer, position: u64) {
        self.written.send_modify(|written| _ = written.insert(peer, position));
    }

    /// The index of reading points; none where there is none, or none to be had.
    pub(crate) async fn points(&self, peer: Peer) -> Option<Vec<u8>> {
        let name = format!("{}/{POINTS}", folder(peer));
        let found = self.store.get(&name).await;
        let found = found.inspect_err(|error| {
            tracing::warn!(error = error as &dyn std::error::Error, "no reading points from the store");
        });
        found.ok().flatten().map(Vec::from)
    }

    async fn list(&self, peer: Peer) -> Result<Vec<Object>, Error> {
        self.store.list(&folder(peer)).await.map_err(failed(peer))
    }

    /// Whether it is a snapshot of this log.
    async fn is_of(&self, kept: &Kept, log: &dyn Log, peer: Peer) -> Result<bool, Error> {
        let mark = Mark::before(log, peer, kept.position).await;
        let failed = |source| Error::Log { peer, operation: "read the log", source };
        Ok(mark.map_err(failed)? == Some(kept.mark))
    }

    /// The file names of its segments; none if it is not there any more, or cannot be read.
    async fn segments_of(&self, kept: &Kept, peer: Peer) -> Result<Option<Vec<String>>, Error> {
        let mut most = BEGINNING;
        loop {
            let beginning = self.store.get_start(&kept.name(peer), most).await.map_err(failed(peer))?;
            match beginning.as_deref().map(snapshot::segments_named) {
                Some(Ok(Ok(segments))) => return Ok(Some(segments)),
                Some(Ok(Err(needed))) if needed > most => most = needed,
                _ => return Ok(None),
            }
        }
    }

    fn damaged(&self) -> MutexGuard<'_, HashSet<String>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mirror({})", self.store)
    }
}

impl Kept {
    fn name(&self, peer: Peer) -> String {
        let Kept { position, mark, check } = self;
        let (mark, check) = (HEXLOWER.encode(&mark.0), HEXLOWER.encode(&check.0));
        format!("{}/{position:020}-{mark}-{check}.snapshot", folder(peer))
    }

    /// Of an object's name; none for what is no snapshot.
    fn of(object: &Object) -> Option<Self> {
        let (_, name) = object.name.rsplit_once('/')?;
        let mut parts = name.strip_suffix(".snapshot")?.split('-');
        let position = parts.next()?.parse().ok()?;
        let mut mark = || Some(Mark(HEXLOWER.decode(parts.next()?.as_bytes()).ok()?.try_into().ok()?));
        let kept = Kept { position, mark: mark()?, check: mark()? };
        parts.next().is_none().then_some(kept)
    }
}

fn folder(peer: Peer) -> String {
    format!("{}-{}", peer.kind, peer.partition)
}

fn segment_object(peer: Peer, file: &str) -> String {
    format!("{}/segments/{file}", folder(peer))
}

fn failed(peer: Peer) -> impl Fn(objects::Error) -> Error {
    move |source| Error::Mirror { peer, source: source.into() }
}
