//! The one consumer that follows the ends of partitions, for all readers of the process.
//!
//! A partition is followed from its first use on, until nobody has read it for some time: who led it elsewhere since
//! must not make this process fetch it for ever. Each has a queue of its own in librdkafka, so that a failure is known
//! to be its own; one thread sleeps until one of them has news, and takes it over into memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use log::{Error, Record};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _, base_consumer::PartitionQueue},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
};

use crate::{
    client::{Told, failed},
    producer::Producer,
    slot::{Memory, Slot, lock},
    watch::Watch,
};

/// What is taken from one partition before the others have their turn.
const TURN: usize = 1_000;

type Native = BaseConsumer<Told>;

pub(crate) struct Follower {
    inner: Arc<Inner>,
    news: mpsc::Sender<News>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// How long the cluster may take to answer.
    pub(crate) patience: Duration,
    /// What nobody has read for so long, or up to twice that, is followed no more.
    pub(crate) idle: Duration,
    /// How often it is asked whether what brings nothing has nothing to bring.
    pub(crate) look: Duration,
}

pub(crate) struct Inner {
    native: Arc<Native>,
    memory: Arc<Memory>,
    /// What each slot's topic is called in the cluster.
    names: Vec<Arc<str>>,
    queues: Mutex<BTreeMap<usize, Arc<PartitionQueue<Told>>>>,
    /// Whom to ask how far partitions reach: on our own connections the question would stand behind a fetch that waits.
    asked: Arc<Producer>,
    times: Times,
    /// Dropped when the tail ends.
    ends: Mutex<Option<mpsc::Sender<()>>>,
}

enum News {
    /// A followed partition has something, or something happened to it.
    Of(usize),
    /// The consumer itself has something to say.
    Own,
    /// A followed partition brings nothing, though there is more of it.
    Stuck(usize),
    Stop,
}

impl Follower {
    /// `names` are those of the slots' topics. Blocks until the cluster has answered.
    pub(crate) fn open(
        config: &ClientConfig,
        memory: Arc<Memory>,
        names: Vec<Arc<str>>,
        asked: Arc<Producer>,
        times: Times,
    ) -> Result<Self, Error> {
        let opening = failed("open a consumer");
        let mut native = Native::from_config_and_context(config, Told("tail")).map_err(opening)?;
        let (news, heard) = mpsc::channel();
        let own = news.clone();
        native.set_nonempty_callback(move || drop(own.send(News::Own)));
        let native = Arc::new(native);
        let topics: BTreeSet<_> = names.iter().cloned().collect();
        topics.iter().try_for_each(|topic| get_to_know(&native, topic, times.patience))?;
        let (ends, ended) = mpsc::channel();
        let (queues, ends) = (Mutex::default(), Mutex::new(Some(ends)));
        let inner = Arc::new(Inner { native, memory, names, queues, asked, times, ends });
        let watch = Watch::new(inner.clone());
        let (tail, again, stuck) = (inner.clone(), news.clone(), news.clone());
        let threads = vec![
            start("kafka-tail", move || tail.run(&heard, &again))?,
            start("kafka-watch", move || {
                watch.run(&ended, times.look, |index| drop(stuck.send(News::Stuck(index))));
            })?,
        ];
        Ok(Follower { inner, news, threads: Mutex::new(threads) })
    }

    #[cfg(test)]
    pub(crate) fn lose_sight_of(&self, index: usize) {
        let mut lost = TopicPartitionList::new();
        lost.add_partition(&self.inner.names[index], self.inner.number(index));
        self.inner.native.pause(&lost).expect("it is followed");
    }

    /// Whether the partition is followed. It stays so for whoever said that it is being read before asking this.
    pub(crate) fn follows(&self, index: usize) -> bool {
        lock(&self.inner.queues).contains_key(&index)
    }

    pub(crate) fn following(&self) -> usize {
        lock(&self.inner.queues).len()
    }

    /// Follows the partition from its end on, if it is not followed yet. Blocks while the cluster is asked.
    pub(crate) fn follow(&self, index: usize) -> Result<(), Error> {
        if self.follows(index) {
            return Ok(());
        }
        let inner = &self.inner;
        let (start, end) = inner.watermarks(index)?;
        // Two may come at the same time; both have asked, and one follows.
        let mut queues = lock(&inner.queues);
        if queues.contains_key(&index) {
            return Ok(());
        }
        let queue = inner.queue(index, &self.news)?;
        inner.assign(index, start, end)?;
        queues.insert(index, Arc::new(queue));
        // What came before it was there to be asked.
        let _ = self.news.send(News::Of(index));
        Ok(())
    }

    /// Ends the threads. Blocks until they have ended.
    pub(crate) fn stop(&self) {
        self.dismiss();
        for thread in lock(&self.threads).drain(..) {
            // A thread that panicked has ended as well.
            let _ = thread.join();
        }
    }

    /// Lets the threads end by themselves.
    pub(crate) fn dismiss(&self) {
        // It fails when the thread is gone.
        let _ = self.news.send(News::Stop);
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(|error| Error::Storage {
        operation: "start a thread that follows Kafka",
        source: error.into(),
    })
}

impl Inner {
    pub(crate) fn slot(&self, index: usize) -> &Slot {
        &self.memory.slots()[index]
    }

    pub(crate) fn followed(&self) -> Vec<usize> {
        lock(&self.queues).keys().copied().collect()
    }

    /// How far these partitions reach, of those that the cluster can tell of now. One question to each broker; blocks, and
    /// not for long.
    pub(crate) fn ends_of(&self, indexes: &[usize]) -> Result<BTreeMap<usize, u64>, KafkaError> {
        let mut asked = TopicPartitionList::new();
        for index in indexes {
            asked.add_partition_offset(&self.names[*index], self.number(*index), Offset::End)?;
        }
        let told = self.native.offsets_for_times(asked, self.times.look.min(self.times.patience))?;
        let end = |index: &usize| {
            let found = told.find_partition(&self.names[*index], self.number(*index))?;
            let Offset::Offset(end) = found.offset() else { return None };
            Some((*index, u64::try_from(end).ok()?))
        };
        Ok(indexes.iter().filter_map(end).collect())
    }

    fn number(&self, index: usize) -> i32 {
        i32::try_from(self.slot(index).partition.number).unwrap_or(i32::MAX)
    }

    fn watermarks(&self, index: usize) -> Result<(u64, u64), Error> {
        self.asked.watermarks(&self.names[index], self.number(index), self.times.patience)
    }

    /// The partition's own queue, which tells when it has something.
    fn queue(&self, index: usize, news: &mpsc::Sender<News>) -> Result<PartitionQueue<Told>, Error> {
        let queue = self.native.split_partition_queue(&self.names[index], self.number(index));
        let missing = KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownPartition);
        let mut queue = queue.ok_or(missing).map_err(failed("follow a partition"))?;
        let news = news.clone();
        queue.set_nonempty_callback(move || drop(news.send(News::Of(index))));
        Ok(queue)
    }

    fn assign(&self, index: usize, start: u64, end: u64) -> Result<(), Error> {
        let mut assigned = TopicPartitionList::new();
        let from = Offset::Offset(i64::try_from(end).unwrap_or(i64::MAX));
        let named = assigned.add_partition_offset(&self.names[index], self.number(index), from);
        named.map_err(failed("follow a partition"))?;
        self.slot(index).followed_from(start, end);
        self.native.incremental_assign(&assigned).map_err(failed("follow a partition"))
    }

    fn run(&self, heard: &mpsc::Receiver<News>, again: &mpsc::Sender<News>) {
        let (mut unpacker, mut looked) = (Unpacker::default(), Instant::now());
        loop {
            match heard.recv_timeout(self.times.idle) {
                Ok(News::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(News::Own) => {
                    while let Some(said) = self.native.poll(Duration::ZERO) {
                        if let Err(error) = said {
                            tracing::debug!(%error, "the tail's consumer says");
                        }
                    }
                }
                Ok(News::Of(index)) => self.take(index, &mut unpacker, again),
                Ok(News::Stuck(index)) => self.unstick(index),
            }
            if looked.elapsed() >= self.times.idle {
                self.leave_idle();
                looked = Instant::now();
            }
        }
        lock(&self.ends).take();
        // Whoever still reads is told.
        self.memory.slots().iter().for_each(Slot::shut);
        lock(&self.queues).clear();
    }

    fn leave_idle(&self) {
        let mut queues = lock(&self.queues);
        queues.retain(|index, _| {
            let slot = self.slot(*index);
            if !slot.is_idle() {
                return true;
            }
            tracing::debug!(partition = %slot.partition, "nobody reads it: it is followed no more");
            // At worst it is brought, and nobody takes it.
            if let Err(error) = self.unassign(*index) {
                tracing::warn!(partition = %slot.partition, %error, "could not stop following a partition");
            }
            slot.followed_no_more();
            self.memory.let_go(*index);
            false
        });
    }

    fn take(&self, index: usize, unpacker: &mut Unpacker, again: &mpsc::Sender<News>) {
        let Some(queue) = lock(&self.queues).get(&index).cloned() else { return };
        let mut records = Vec::new();
        for _ in 0..TURN {
            match queue.poll(Duration::ZERO) {
                // What this process appended itself is there already.
                Some(Ok(message)) if self.slot(index).has(message.offset()) => {}
                Some(Ok(message)) => records.push(unpacker.record(&message)),
                Some(Err(error)) => {
                    self.slot(index).brought(records.drain(..), &self.memory);
                    self.mend(index, &error);
                }
                None => {
                    self.slot(index).brought(records, &self.memory);
                    return;
                }
            }
        }
        self.slot(index).brought(records, &self.memory);
        // There may be more, which nobody will tell us of again.
        let _ = again.send(News::Of(index));
    }

    /// The partition could not be followed. What readers ask for they find out about themselves, from the cluster.
    fn mend(&self, index: usize, error: &KafkaError) {
        let slot = self.slot(index);
        tracing::warn!(partition = %slot.partition, %error, "could not follow a partition");
        slot.doubt();
        let stuck = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::BadMessage
            )
        );
        if stuck && let Err(error) = self.follow_anew(index) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(partition = %slot.partition, error, "a partition is not followed any more");
        }
    }

    /// The consumer has lost sight of a partition, as may be after its leader failed.
    fn unstick(&self, index: usize) {
        if !lock(&self.queues).contains_key(&index) {
            return;
        }
        let partition = self.slot(index).partition;
        tracing::warn!(%partition, "Kafka has more of this partition and brings none of it: it is followed anew");
        let known = get_to_know(&self.native, &self.names[index], self.times.patience);
        if let Err(error) = known.and_then(|()| self.follow_anew(index)) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%partition, error, "a partition could not be followed anew; it is tried again");
        }
    }

    fn follow_anew(&self, index: usize) -> Result<(), Error> {
        let (start, end) = self.watermarks(index)?;
        self.unassign(index)?;
        self.assign(index, start, end)
    }

    fn unassign(&self, index: usize) -> Result<(), Error> {
        let mut assigned = TopicPartitionList::new();
        assigned.add_partition(&self.names[index], self.number(index));
        self.native.incremental_unassign(&assigned).map_err(failed("stop following a partition"))
    }
}

/// Lets a consumer know where a topic's partitions are, which it would find out by itself, and slowly. Blocks.
pub(crate) fn get_to_know(native: &Native, topic: &str, patience: Duration) -> Result<(), Error> {
    native.fetch_metadata(Some(topic), patience).map(drop).map_err(failed("ask Kafka for its topics"))
}

/// Takes messages out of librdkafka's memory, many into one piece of ours: that costs one allocation for all of them, and
/// the piece is free once none of them is needed any more.
#[derive(Default)]
pub(crate) struct Unpacker(BytesMut);

/// Large enough for many records, small enough that one that is kept for long does not matter.
const PIECE: usize = 32 << 10;

impl Unpacker {
    pub(crate) fn record(&mut self, message: &BorrowedMessage<'_>) -> Record {
        let payload = message.payload().unwrap_or_default();
        if self.0.capacity() < payload.len() {
            self.0 = BytesMut::with_capacity(PIECE.max(payload.len()));
        }
        self.0.extend_from_slice(payload);
        Record {
            position: u64::try_from(message.offset()).unwrap_or(0),
            appended_at: message.timestamp().to_millis().unwrap_or_default(),
            bytes: self.0.split().freeze(),
        }
    }
}
