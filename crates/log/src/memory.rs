//! The log in memory: for unit tests and the fault simulator, and the shortest reading of the contract.
//!
//! An append is "durable" the moment its place is taken, unless the log is held; then it queues, bounded, as
//! it would behind a slow disk. Faults are asked for by name and happen once.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use crate::{Appending, Error, Limit, Log, Partition, Record, Topic, clock, contract::check_size};

/// Records that may queue in one partition while the log is held, unless told otherwise.
const CAPACITY: usize = 10_000;

/// A log that forgets everything with its last clone.
#[derive(Clone)]
pub struct MemoryLog {
    topics: Arc<BTreeMap<Topic, MemoryTopic>>,
    control: Arc<Mutex<Control>>,
    capacity: usize,
}

struct MemoryTopic {
    partitions: Vec<Slot>,
    members: watch::Sender<Vec<u32>>,
}

struct Slot {
    state: Mutex<State>,
    end: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    start: u64,
    records: VecDeque<Record>,
    queue: VecDeque<(Vec<Bytes>, oneshot::Sender<u64>)>,
}

#[derive(Default)]
struct Control {
    held: bool,
    refusing: bool,
    faults: HashMap<Partition, VecDeque<Fault>>,
}

/// What may befall an append whose caller is then told [`Error::Unknown`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is written, the acknowledgement is lost.
    AckLost,
    /// It is not written.
    WriteLost,
}

impl MemoryLog {
    pub fn new(topics: &[(Topic, u32)]) -> Self {
        let topic = |&(topic, count): &(Topic, u32)| {
            let partitions = (0..count).map(|_| Slot::default()).collect();
            (topic, MemoryTopic { partitions, members: watch::Sender::new((0..count).collect()) })
        };
        MemoryLog {
            topics: Arc::new(topics.iter().map(topic).collect()),
            control: Arc::default(),
            capacity: CAPACITY,
        }
    }

    /// How many records may queue in a partition while the log is held; more is [`Error::Full`].
    pub fn with_capacity(mut self, records: usize) -> Self {
        self.capacity = records;
        self
    }

    /// From now on appends queue and stay unacknowledged, as behind a disk that stalls, until [`Self::release`].
    pub fn hold(&self) {
        lock(&self.control).held = true;
    }

    /// Writes what queued while the log was held, in order, and acknowledges it.
    pub fn release(&self) {
        let mut control = lock(&self.control);
        control.held = false;
        for slot in self.topics.values().flat_map(|topic| &topic.partitions) {
            let mut state = lock(&slot.state);
            while let Some((records, done)) = state.queue.pop_front() {
                let last = slot.write(&mut state, records);
                // A caller that dropped its future is not waiting; the records stay.
                let _ = done.send(last);
            }
        }
    }

    /// The next append to this partition meets the fault; further calls queue further faults.
    pub fn fail_next_append(&self, partition: Partition, fault: Fault) {
        lock(&self.control).faults.entry(partition).or_default().push_back(fault);
    }

    /// While on, every append is refused with [`Error::DiskFull`].
    pub fn refuse(&self, on: bool) {
        lock(&self.control).refusing = on;
    }

    fn topic(&self, topic: Topic) -> Result<&MemoryTopic, Error> {
        self.topics.get(&topic).ok_or(Error::NoTopic(topic))
    }

    fn slot(&self, partition: Partition) -> Result<&Slot, Error> {
        let slots = &self.topic(partition.topic)?.partitions;
        slots.get(partition.number as usize).ok_or(Error::NoPartition(partition))
    }

    /// Takes the append's place: either it is done, or it waits for [`Self::release`].
    fn take(&self, partition: Partition, records: Vec<Bytes>) -> Result<Taken, Error> {
        let slot = self.slot(partition)?;
        check_size(partition, &records)?;
        let mut control = lock(&self.control);
        if control.refusing {
            return Err(Error::DiskFull);
        }
        let fault = control.faults.get_mut(&partition).and_then(VecDeque::pop_front);
        let mut state = lock(&slot.state);
        match fault {
            Some(Fault::WriteLost) => return Err(Error::Unknown { partition, source: None }),
            Some(Fault::AckLost) => {
                slot.write(&mut state, records);
                return Err(Error::Unknown { partition, source: None });
            }
            None => {}
        }
        if !control.held {
            return Ok(Taken::Done(slot.write(&mut state, records)));
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

impl Default for Slot {
    fn default() -> Self {
        Slot { state: Mutex::default(), end: watch::Sender::new(0) }
    }
}

impl Slot {
    fn write(&self, state: &mut State, records: Vec<Bytes>) -> u64 {
        let appended_at = clock::now();
        for bytes in records {
            let position = state.end();
            state.records.push_back(Record { position, appended_at, bytes });
        }
        self.end.send_replace(state.end());
        state.end().saturating_sub(1)
    }
}

impl State {
    fn end(&self) -> u64 {
        self.start + self.records.len() as u64
    }
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
        let state = lock(&self.slot(partition)?.state);
        if from < state.start {
            return Err(Error::Trimmed { partition, from, start: state.start });
        }
        let skipped = usize::try_from(from - state.start).unwrap_or(usize::MAX);
        let wanted = || state.records.iter().skip(skipped);
        Ok(wanted().take(limit.fitting(wanted())).cloned().collect())
    }

    async fn start(&self, partition: Partition) -> Result<u64, Error> {
        Ok(lock(&self.slot(partition)?.state).start)
    }

    async fn end(&self, partition: Partition) -> Result<u64, Error> {
        Ok(*self.slot(partition)?.end.borrow())
    }

    async fn wait(&self, partition: Partition, from: u64) -> Result<(), Error> {
        let mut end = self.slot(partition)?.end.subscribe();
        match end.wait_for(|&end| end > from).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Closed),
        }
    }

    async fn trim(&self, partition: Partition, before: u64) -> Result<(), Error> {
        let mut state = lock(&self.slot(partition)?.state);
        let before = before.min(state.end());
        while state.start < before {
            state.records.pop_front();
            state.start += 1;
        }
        Ok(())
    }

    async fn join(&self, _group: &str, topic: Topic) -> Result<watch::Receiver<Vec<u32>>, Error> {
        Ok(self.topic(topic)?.members.subscribe())
    }
}

/// Every section under these locks leaves its data whole, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
