//! The embedded default: a log in one SQLite file, written by one process and readable by others meanwhile.
//!
//! ```text
//! append ──▶ queue ──▶ writer thread: one transaction a batch, full sync ──▶ recent records ──▶ tailing readers
//!                                  │                                                          (memory only)
//!                                  ▼
//!                            log.sqlite (WAL) ──▶ read-only connections ──▶ readers of what is older
//! ```
//!
//! While one batch is being synced the next one gathers, so one sync serves everybody who waits. Positions are
//! dense. What a commit writes to a partition carries a CRC32C over where it stands, when it came and what it
//! says; records that fail it, or are missing, are [`Error::Damaged`] when read, never skipped. How far each
//! partition was acknowledged is also noted beside the file, so that a log that lost its end is not opened.
//!
//! A disk without room refuses appends ([`Error::DiskFull`]), which are then not there, and takes them again once
//! there is room. A quota and a file-size limit are the same, if the process catches or ignores `SIGXFSZ`.
//!
//! The cost does not depend on the number of partitions: five files, two threads.

mod backup;
mod block;
mod checkpoint;
mod disk;
mod ends;
mod follower;
mod lock;
mod queue;
mod recent;
mod room;
mod trim;
mod writer;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{oneshot, watch};

pub use self::backup::back_up;
use self::{
    disk::Readers,
    ends::{Ends, Noted},
    follower::Follower,
    lock::ProcessLock,
    queue::Queue,
    recent::Slot,
};
use crate::{
    Appending, Error, Limit, Log, Partition, Record, Share, Topic, contract::check_size, metrics::Meters,
};

/// What an operator may tune. The defaults suit one machine that does everything.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// Bytes of recent records kept in memory over all partitions, so that tailing readers never touch the file.
    pub recent_bytes: usize,
    /// Bytes that may queue in one partition before its appends are [`Error::Full`].
    pub queue_bytes: usize,
    /// How large `log.sqlite` may grow, in bytes; appends beyond it are [`Error::DiskFull`] until a trim makes
    /// room. `None`: as large as the disk.
    pub max_bytes: Option<u64>,
}

impl Default for LocalConfig {
    fn default() -> Self {
        LocalConfig { recent_bytes: 12 << 20, queue_bytes: 4 << 20, max_bytes: None }
    }
}

/// A handle to the log in one directory; clones share it, and the last one to go closes it.
#[derive(Clone)]
pub struct LocalLog {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    feed: Feed,
}

/// Where the news comes from.
enum Feed {
    /// Our own writer.
    Writer { queue: Arc<Queue>, thread: Mutex<Option<JoinHandle<()>>>, closed: watch::Receiver<bool> },
    /// Another process; we watch its file.
    Follower(Mutex<Option<Follower>>),
}

/// What readers, the writer and the follower know in common.
struct Shared {
    topics: BTreeMap<Topic, LocalTopic>,
    slots: Vec<Slot>,
    readers: Readers,
    meters: Meters,
}

struct LocalTopic {
    first: usize,
    count: u32,
    members: watch::Sender<Share>,
}

impl LocalLog {
    /// Opens the log in `dir` for writing, creating both where there is none, with these topics and partition
    /// counts. A topic's count is fixed when it is created ([`Error::OtherCount`]); new topics may be added,
    /// and topics of the file that are not named stay as they are. A second opener gets [`Error::Locked`].
    ///
    /// Blocks for some milliseconds.
    pub fn open(dir: &Path, topics: &[(Topic, u32)], config: LocalConfig) -> Result<Self, Error> {
        create_dir(dir)?;
        let lock = ProcessLock::take(dir)?;
        let path = dir.join(disk::FILE);
        disk::sync_recovered(&path)?;
        let noted = Noted::read(dir)?;
        let mut connection = disk::open_to_write(&path, noted.is_empty(), config.max_bytes)?;
        for &(topic, count) in topics {
            disk::lay_out(&mut connection, topic, count)?;
        }
        let names: Vec<Topic> = topics.iter().map(|&(topic, _)| topic).collect();
        let shared = Arc::new(Shared::load(&connection, path.clone(), &names)?);
        noted.check(&shared.slots)?;
        let ends = Ends::open(dir, noted, &shared.slots)?;
        let queue = Arc::new(Queue::new(shared.slots.len(), config.queue_bytes));
        let (thread, closed) =
            writer::start(connection, path, lock, shared.clone(), queue.clone(), ends, config.recent_bytes)?;
        let feed = Feed::Writer { queue, thread: Mutex::new(Some(thread)), closed };
        Ok(LocalLog { inner: Arc::new(Inner { shared, feed }) })
    }

    /// Opens the log in `dir` for reading, also while another process writes it. The partition counts are
    /// learnt from the file; appends and trims are [`Error::ReadOnly`]. News is noticed by asking SQLite every
    /// 50 ms whether the file changed: a machine's own processes can do no better without sharing memory.
    pub fn open_read_only(dir: &Path, topics: &[Topic]) -> Result<Self, Error> {
        let path = dir.join(disk::FILE);
        disk::sync_recovered(&path)?;
        let connection = disk::open_to_read(&path)?;
        disk::check_format(&connection)?;
        let noted = Noted::read(dir)?;
        let shared = Arc::new(Shared::load(&connection, path, topics)?);
        noted.check(&shared.slots)?;
        let follower = Follower::start(connection, shared.clone())?;
        Ok(LocalLog { inner: Arc::new(Inner { shared, feed: Feed::Follower(Mutex::new(Some(follower))) }) })
    }

    /// Takes no more appends, finishes those it has, folds the write-ahead log into the file and gives up the
    /// lock. Afterwards appends and waits are [`Error::Closed`]; what was there can still be read. Dropping the
    /// last handle does the same, but blocks the thread it happens on.
    pub async fn close(&self) {
        match &self.inner.feed {
            Feed::Writer { queue, closed, .. } => {
                queue.close();
                // An error means that the writer is gone, which is what we wait for.
                let _ = closed.clone().wait_for(|&closed| closed).await;
            }
            Feed::Follower(follower) => drop(lock(follower).take()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Feed::Writer { queue, thread, .. } = &self.feed {
            queue.close();
            if let Some(thread) = lock(thread).take() {
                // A panicking writer has answered everybody on its way out.
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    fn load(connection: &rusqlite::Connection, path: PathBuf, names: &[Topic]) -> Result<Self, Error> {
        let mut topics = BTreeMap::new();
        let mut slots = Vec::new();
        for &topic in names {
            let first = slots.len();
            slots.extend(disk::load(connection, topic)?);
            let count = (slots.len() - first) as u32;
            topics
                .insert(topic, LocalTopic { first, count, members: watch::Sender::new(Share::whole(count)) });
        }
        Ok(Shared { topics, slots, readers: Readers::new(path), meters: Meters::new() })
    }

    fn topic(&self, topic: Topic) -> Result<&LocalTopic, Error> {
        self.topics.get(&topic).ok_or(Error::NoTopic(topic))
    }

    /// Where the partition stands in `slots`.
    fn index(&self, partition: Partition) -> Result<usize, Error> {
        let topic = self.topic(partition.topic)?;
        if partition.number >= topic.count {
            return Err(Error::NoPartition(partition));
        }
        Ok(topic.first + partition.number as usize)
    }

    fn slot(&self, partition: Partition) -> Result<&Slot, Error> {
        Ok(&self.slots[self.index(partition)?])
    }
}

impl Inner {
    fn queue(&self) -> Result<&Queue, Error> {
        match &self.feed {
            Feed::Writer { queue, .. } => Ok(queue),
            Feed::Follower(_) => Err(Error::ReadOnly),
        }
    }

    fn enqueue(&self, partition: Partition, records: Vec<Bytes>) -> Result<Outcome, Error> {
        let slot = self.shared.index(partition)?;
        let queue = self.queue()?;
        let taken = check_size(partition, &records).and_then(|()| queue.append(partition, slot, records));
        if let Err(error) = &taken {
            self.shared.meters.refused(error);
        }
        taken
    }
}

/// Where an append's outcome will arrive: the position of its last record.
type Outcome = oneshot::Receiver<Result<u64, Error>>;

#[async_trait]
impl Log for LocalLog {
    fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        Ok(self.inner.shared.topic(topic)?.count)
    }

    fn append(&self, partition: Partition, records: Vec<Bytes>) -> Appending {
        let taken = self.inner.enqueue(partition, records);
        Box::pin(async move {
            match taken?.await {
                Ok(outcome) => outcome,
                Err(_) => Err(Error::Unknown { partition, source: None }),
            }
        })
    }

    async fn read(&self, partition: Partition, from: u64, limit: Limit) -> Result<Vec<Record>, Error> {
        let shared = &self.inner.shared;
        let index = shared.index(partition)?;
        match shared.slots[index].recent(from, limit)? {
            recent::Found::Here(records) => Ok(records),
            recent::Found::Older { end } => disk::read(shared.clone(), index, from, end, limit).await,
        }
    }

    async fn start(&self, partition: Partition) -> Result<u64, Error> {
        Ok(self.inner.shared.slot(partition)?.start())
    }

    async fn end(&self, partition: Partition) -> Result<u64, Error> {
        Ok(self.inner.shared.slot(partition)?.end())
    }

    async fn wait(&self, partition: Partition, from: u64) -> Result<(), Error> {
        self.inner.shared.slot(partition)?.wait(from).await
    }

    async fn trim(&self, partition: Partition, before: u64) -> Result<(), Error> {
        let slot = self.inner.shared.index(partition)?;
        match self.inner.queue()?.trim(slot, before)?.await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Closed),
        }
    }

    async fn join(&self, _: &str, topic: Topic, _: usize) -> Result<watch::Receiver<Share>, Error> {
        Ok(self.inner.shared.topic(topic)?.members.subscribe())
    }
}

/// Creates the directory and makes its name durable in its parent.
fn create_dir(dir: &Path) -> Result<(), Error> {
    let create = || {
        if dir.is_dir() {
            return Ok(());
        }
        std::fs::create_dir_all(dir)?;
        match dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => std::fs::File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    };
    create().map_err(|error: std::io::Error| Error::Storage {
        operation: "create the log's directory",
        source: error.into(),
    })
}

/// Every section under these locks leaves its data whole, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
