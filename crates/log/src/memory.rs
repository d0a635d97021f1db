//! The log in memory: for unit tests and the simulator, and the shortest reading of the contract.
//!
//! An append is "durable" the moment its place is taken, unless the log is held or its partition stalls; then it
//! queues, bounded, as it would behind a slow disk. Faults are asked for by name and happen once; readers can be
//! paused one by one. Who waits is woken in the order in which they came, so what happens is the same every time.

mod faults;
mod slot;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use crate::{Appending, Error, Limit, Log, Partition, Record, Share, Topic, clock, contract::check_size};

pub use faults::Fault;
use faults::Faults;
use slot::Slot;

/// Records that may queue in one partition while it is held, unless told otherwise.
const CAPACITY: usize = 10_000;

/// A log that forgets everything with its last clone.
#[derive(Clone)]
pub struct MemoryLog {
    topics: Arc<BTreeMap<Topic, MemoryTopic>>,
    faults: Arc<Mutex<Faults>>,
    sight: Arc<Mutex<Sight>>,
    now: Arc<dyn Fn() -> i64 + Send + Sync>,
    capacity: usize,
}

struct MemoryTopic {
    partitions: Vec<Slot>,
    members: watch::Sender<Share>,
}

/// Where partitions end for a paused reader; none sees everything.
type Sight = Option<BTreeMap<Partition, u64>>;

impl MemoryLog {
    pub fn new(topics: &[(Topic, u32)]) -> Self {
        let topic = |&(topic, count): &(Topic, u32)| {
            let partitions = (0..count).map(|_| Slot::default()).collect();
            (topic, MemoryTopic { partitions, members: watch::Sender::new(Share::whole(count)) })
        };
        MemoryLog {
            topics: Arc::new(topics.iter().map(topic).collect()),
            faults: Arc::default(),
            sight: Arc::default(),
            now: Arc::new(clock::now),
            capacity: CAPACITY,
        }
    }

    /// How many records may queue in a partition while it is held; more is [`Error::Full`].
    pub fn with_capacity(mut self, records: usize) -> Self {
        self.capacity = records;
        self
    }

    /// The clock that stamps records, in milliseconds since the Unix epoch, instead of the machine's.
    pub fn with_clock(mut self, now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.now = Arc::new(now);
        self
    }

    /// From now on appends queue and stay unacknowledged, as behind a disk that stalls, until [`Self::release`].
    pub fn hold(&self) {
        self.faults().held = true;
    }

    /// The same for one partition, until [`Self::resume`].
    pub fn stall(&self, partition: Partition) {
        self.faults().stalled.insert(partition);
    }

    /// Writes what queued while the log was held or a partition stalled, in order, and acknowledges it.
    pub fn release(&self) {
        let mut faults = self.faults();
        faults.held = false;
        faults.stalled.clear();
        self.slots().for_each(|(_, slot)| slot.flush((self.now)()));
    }

    /// Writes what queued while this partition stalled, in order, and acknowledges it.
    pub fn resume(&self, partition: Partition) {
        let mut faults = self.faults();
        faults.stalled.remove(&partition);
        if let Ok(slot) = self.slot(partition)
            && !faults.held
        {
            slot.flush((self.now)());
        }
    }

    /// The next append to this partition meets the fault; further calls queue further faults.
    pub fn fail_next_append(&self, partition: Partition, fault: Fault) {
        self.faults().ask_for(partition, fault);
    }

    /// Faults asked for that nothing met yet are asked for no more.
    pub fn forget_faults(&self) {
        self.faults().forget();
    }

    /// How often each fault was met.
    pub fn faults_met(&self) -> BTreeMap<Fault, u64> {
        self.faults().met()
    }

    /// Writes what is on its way by [`Fault::Late`] and [`Fault::Doubled`]. Yields over how many appends that were.
    pub fn land(&self) -> usize {
        let landing = self.faults().land();
        let count = landing.len();
        for (partition, records) in landing {
            if let Ok(slot) = self.slot(partition) {
                slot.write(&mut slot.state(), (self.now)(), records);
            }
        }
        count
    }

    /// While on, every append is refused with [`Error::DiskFull`].
    pub fn refuse(&self, on: bool) {
        self.faults().refusing = on;
    }

    /// The same log, for a reader that can be paused without the others.
    pub fn another_reader(&self) -> Self {
        MemoryLog { sight: Arc::default(), ..self.clone() }
    }

    /// From now on this reader sees nothing new, and still can append, until [`Self::resume_reading`].
    pub fn pause_reading(&self) {
        let ends = self.slots().map(|(partition, slot)| (partition, slot.state().end())).collect();
        lock(&self.sight).get_or_insert(ends);
    }

    pub fn resume_reading(&self) {
        *lock(&self.sight) = None;
        self.slots().for_each(|(_, slot)| slot.grown.notify_waiters());
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    fn slots(&self) -> impl Iterator<Item = (Partition, &Slot)> {
        let numbered = |(topic, found): (&Topic, &'_ MemoryTopic)| (*topic, found.partitions.len());
        let topics: Vec<_> = self.topics.iter().map(numbered).collect();
        topics.into_iter().flat_map(move |(topic, count)| {
            (0..count).filter_map(move |number| {
                let partition = topic.partition(u32::try_from(number).ok()?);
                Some((partition, self.slot(partition).ok()?))
            })
        })
    }

    fn topic(&self, topic: Topic) -> Result<&MemoryTopic, Error> {
        self.topics.get(&topic).ok_or(Error::NoTopic(topic))
    }

    fn slot(&self, partition: Partition) -> Result<&Slot, Error> {
        let slots = &self.topic(partition.topic)?.partitions;
        slots.get(partition.number as usize).ok_or(Error::NoPartition(partition))
    }

    /// One past the last record that this reader sees.
    fn end_in_sight(&self, partition: Partition) -> Result<u64, Error> {
        let end = self.slot(partition)?.state().end();
        let seen = lock(&self.sight).as_ref().and_then(|ends| ends.get(&partition).copied());
        Ok(seen.map_or(end, |seen| seen.min(end)))
    }

    /// Takes the append's place: either it is done, or it waits for [`Self::release`].
    fn take(&self, partition: Partition, records: Vec<Bytes>) -> Result<Taken, Error> {
        let slot = self.slot(partition)?;
        check_size(partition, &records)?;
        let mut faults = self.faults();
        if faults.refusing {
            return Err(Error::DiskFull);
        }
        if let Some(fault) = faults.meet(partition) {
            if fault.writes_now() {
                slot.write(&mut slot.state(), (self.now)(), records.clone());
            }
            if fault.lands_later() {
                faults.send_off(partition, records);
            }
            return Err(Error::Unknown { partition, source: None });
        }
        let mut state = slot.state();
        if !faults.delays(partition) {
            return Ok(Taken::Done(slot.write(&mut state, (self.now)(), records)));
        }
        let queued: usize = state.queue.iter().map(|(records, _)| records.len()).sum();
        if queued > 0 && queued + records.len() > self.capacity {
            return Err(Error::Full(partition));
        }
        let (done, acknowledged) = oneshot::channel();
        state.queue.push_back((records, done));
        Ok(Taken::Queued(acknowledged))
    }
}

enum Taken {
    Done(u64),
    Queued(oneshot::Receiver<u64>),
}

#[async_trait]
impl Log for MemoryLog {
    fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        Ok(self.topic(topic)?.partitions.len() as u32)
    }

    fn append(&self, partition: Partition, records: Vec<Bytes>) -> Appending {
        let taken = self.take(partition, records);
        Box::pin(async move {
            match taken? {
                Taken::Done(position) => Ok(position),
                Taken::Queued(acknowledged) => {
                    acknowledged.await.map_err(|_| Error::Unknown { partition, source: None })
                }
            }
        })
    }

    async fn read(&self, partition: Partition, from: u64, limit: Limit) -> Result<Vec<Record>, Error> {
        let end = self.end_in_sight(partition)?;
        let state = self.slot(partition)?.state();
        if from < state.start {
            return Err(Error::Trimmed { partition, from, start: state.start });
        }
        let index = |position: u64| usize::try_from(position - state.start).unwrap_or(usize::MAX);
        let (from, end) = (index(from), index(end.max(state.start)));
        let wanted = || state.records.iter().take(end).skip(from);
        Ok(wanted().take(limit.fitting(wanted())).cloned().collect())
    }

    async fn start(&self, partition: Partition) -> Result<u64, Error> {
        Ok(self.slot(partition)?.state().start)
    }

    async fn end(&self, partition: Partition) -> Result<u64, Error> {
        self.end_in_sight(partition)
    }

    async fn wait(&self, partition: Partition, from: u64) -> Result<(), Error> {
        let slot = self.slot(partition)?;
        loop {
            let mut grown = std::pin::pin!(slot.grown.notified());
            // From here on no word is missed.
            grown.as_mut().enable();
            if self.end_in_sight(partition)? > from {
                return Ok(());
            }
            grown.await;
        }
    }

    async fn trim(&self, partition: Partition, before: u64) -> Result<(), Error> {
        let mut state = self.slot(partition)?.state();
        let before = before.min(state.end());
        while state.start < before {
            state.records.pop_front();
            state.start += 1;
        }
        Ok(())
    }

    async fn join(&self, _: &str, topic: Topic, _: usize) -> Result<watch::Receiver<Share>, Error> {
        Ok(self.topic(topic)?.members.subscribe())
    }
}

/// Every section under these locks leaves its data whole, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
