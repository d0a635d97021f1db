//! A log that is watched: from where on its reader reads one partition's decisions and how often, who may lead, and which
//! appends it loses without a word.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::Peer;
use log::{Appending, Error, Limit, Log, Membership, MemoryLog, Partition, Record, Share, Topic};
use runtime::log_of;
use tokio::sync::watch;

use super::world::World;

/// Reads of one partition's decisions that a test bears; a reader that wants more waits for ever.
const PATIENCE: u64 = 10_000;

pub(crate) struct Watched {
    /// Its reading can be paused without the others'.
    pub(crate) log: MemoryLog,
    peer: Peer,
    /// Where the partition's decisions were read from: the first place of all, and the last in time.
    pub(crate) lowest: AtomicU64,
    pub(crate) next: AtomicU64,
    pub(crate) reads: AtomicU64,
    /// Appends to the partition's decisions to be lost: neither written, nor ever heard of again.
    pub(crate) to_lose: AtomicU64,
    /// Each reading of the partition's decisions ends behind its first record.
    pub(crate) is_brief: AtomicBool,
    pub(crate) share: watch::Sender<Share>,
}

impl Watched {
    /// Its group has not answered yet.
    pub(crate) fn new(world: &World, peer: Peer) -> Arc<Self> {
        Arc::new(Watched {
            log: world.log.another_reader(),
            peer,
            lowest: AtomicU64::new(u64::MAX),
            next: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            to_lose: AtomicU64::new(0),
            is_brief: AtomicBool::new(false),
            share: watch::Sender::default(),
        })
    }

    /// The group gives these partitions to its reader, who is next in line for all others.
    pub(crate) fn gives(&self, led: &[u32]) {
        let all = 0..self.log.partitions(Topic(self.peer.kind.intake_topic())).unwrap();
        let next = all.filter(|number| !led.contains(number)).collect();
        self.share.send_replace(Share { membership: Membership::Member, led: led.into(), next });
    }

    /// The group is out of its reader's reach.
    pub(crate) fn sets_adrift(&self) {
        self.share.send_modify(|share| share.membership = Membership::Adrift);
    }
}

#[async_trait]
impl Log for Watched {
    fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        self.log.partitions(topic)
    }

    fn append(&self, partition: Partition, records: Vec<Bytes>) -> Appending {
        let is_lost = |left: u64| left.checked_sub(1);
        if partition == log_of(self.peer) && self.to_lose.fetch_update(SeqCst, SeqCst, is_lost).is_ok() {
            return Box::pin(std::future::pending());
        }
        self.log.append(partition, records)
    }

    async fn read(&self, partition: Partition, from: u64, limit: Limit) -> Result<Vec<Record>, Error> {
        let mut limit = limit;
        if partition == log_of(self.peer) {
            if self.is_brief.load(SeqCst) {
                limit.records = 1;
            }
            self.lowest.fetch_min(from, SeqCst);
            self.next.store(from, SeqCst);
            if self.reads.fetch_add(1, SeqCst) >= PATIENCE {
                std::future::pending::<()>().await;
            }
        }
        self.log.read(partition, from, limit).await
    }

    async fn start(&self, partition: Partition) -> Result<u64, Error> {
        self.log.start(partition).await
    }

    async fn end(&self, partition: Partition) -> Result<u64, Error> {
        self.log.end(partition).await
    }

    async fn wait(&self, partition: Partition, from: u64) -> Result<(), Error> {
        self.log.wait(partition, from).await
    }

    async fn trim(&self, partition: Partition, before: u64) -> Result<(), Error> {
        self.log.trim(partition, before).await
    }

    async fn join(&self, _: &str, _: Topic, _: usize) -> Result<watch::Receiver<Share>, Error> {
        Ok(self.share.subscribe())
    }
}
