//! Readers of what has left memory. Each place at which somebody reads is a partition assigned to one of a few
//! consumers, with a queue of its own; who goes on reading finds the next records there already.
//!
//! A read may be given up by its caller at any moment, and asked again. So what a place brought stays with it until
//! somebody reads past it, and who asks for the same records comes to the same place.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use log::{Error, Limit, Partition, Record};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _, base_consumer::PartitionQueue},
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{
    client::{Told, blocking, failed, watermarks},
    slot::lock,
    tail::{Unpacker, get_to_know},
};

/// Places in all; each may hold what one read returns, and as much again that was fetched ahead.
const PLACES: usize = 64;

type Native = BaseConsumer<Told>;

pub(crate) struct History {
    hosts: Vec<Arc<Host>>,
    places: Mutex<Vec<Place>>,
    patience: Duration,
}

/// A consumer, opened when it is first needed. It can be at one place of each partition.
struct Host {
    config: ClientConfig,
    native: Mutex<Option<Arc<Native>>>,
    /// Topics that it knows of.
    known: Mutex<BTreeSet<Arc<str>>>,
}

/// A place, as far as who looks for one is concerned.
struct Place {
    host: usize,
    partition: Partition,
    /// What was last asked of it begins here; what it answered ends before `to`.
    from: u64,
    to: Arc<AtomicU64>,
    /// When it was last asked, counted in questions.
    asked: u64,
    reader: Arc<tokio::sync::Mutex<Reader>>,
}

/// What is asked.
pub(crate) struct Wanted {
    pub(crate) partition: Partition,
    /// What the topic is called in the cluster.
    pub(crate) topic: Arc<str>,
    pub(crate) from: u64,
    /// All before it is there.
    pub(crate) end: u64,
    pub(crate) limit: Limit,
}

impl Wanted {
    fn number(&self) -> i32 {
        i32::try_from(self.partition.number).unwrap_or(i32::MAX)
    }
}

impl History {
    pub(crate) fn new(config: &ClientConfig, hosts: usize, patience: Duration) -> Self {
        let host =
            |_| Arc::new(Host { config: config.clone(), native: Mutex::default(), known: Mutex::default() });
        History { hosts: (0..hosts.max(1)).map(host).collect(), places: Mutex::default(), patience }
    }

    /// Records at `from` and after, one at least. Where nothing stands between `from` and `end`, none.
    pub(crate) async fn read(&self, wanted: Wanted) -> Result<Vec<Record>, Error> {
        let (reader, to) = self.place_for(&wanted);
        let mut reader = reader.lock_owned().await;
        let patience = self.patience;
        blocking(move || {
            let read = reader.read(&wanted, patience);
            to.store(reader.next, Relaxed);
            read
        })
        .await
    }

    fn place_for(&self, wanted: &Wanted) -> (Arc<tokio::sync::Mutex<Reader>>, Arc<AtomicU64>) {
        let partition = wanted.partition;
        let mut places = lock(&self.places);
        let asked = places.iter().map(|place| place.asked).max().unwrap_or(0) + 1;
        let goes_on = |place: &Place| {
            let to = place.to.load(Relaxed).max(place.from);
            place.partition == partition && (place.from..=to).contains(&wanted.from)
        };
        let index = places.iter().position(goes_on).unwrap_or_else(|| self.settle(&mut places, partition));
        let place = &mut places[index];
        if place.partition != partition || wanted.from < place.from {
            place.to.store(wanted.from, Relaxed);
        }
        (place.partition, place.from, place.asked) = (partition, wanted.from, asked);
        (place.reader.clone(), place.to.clone())
    }

    /// A place for somebody new: a fresh one while there is room, else the one that nobody asked for longest.
    fn settle(&self, places: &mut Vec<Place>, partition: Partition) -> usize {
        let taken =
            |host: usize| places.iter().any(|place| (place.host, place.partition) == (host, partition));
        let free = (0..self.hosts.len()).find(|host| !taken(*host));
        if let Some(host) = free.filter(|_| places.len() < PLACES) {
            let reader = Arc::new(tokio::sync::Mutex::new(Reader::new(self.hosts[host].clone())));
            places.push(Place { host, partition, from: 0, to: Arc::default(), asked: 0, reader });
            return places.len() - 1;
        }
        // A consumer cannot be at two places of one partition.
        let fits = |place: &Place| place.partition == partition || !taken(place.host);
        let candidates = places.iter().enumerate().filter(|(_, place)| fits(place));
        candidates.min_by_key(|(_, place)| place.asked).map_or(0, |(index, _)| index)
    }
}

impl Host {
    /// The consumer, knowing of this topic.
    fn native(&self, topic: &Arc<str>, patience: Duration) -> Result<Arc<Native>, Error> {
        let native = {
            let mut native = lock(&self.native);
            match &*native {
                Some(native) => native.clone(),
                None => {
                    let opened = Native::from_config_and_context(&self.config, Told("history"));
                    native.insert(Arc::new(opened.map_err(failed("open a consumer"))?)).clone()
                }
            }
        };
        if !lock(&self.known).contains(topic) {
            get_to_know(&native, topic, patience)?;
            lock(&self.known).insert(topic.clone());
        }
        Ok(native)
    }
}

/// What a place has brought that nobody has read past, and where more comes from.
struct Reader {
    host: Arc<Host>,
    /// Whose records these are.
    partition: Option<Partition>,
    records: VecDeque<Record>,
    unpacker: Unpacker,
    /// What it brings next stands here.
    next: u64,
    /// More is on its way.
    source: Option<Source>,
}

struct Source {
    native: Arc<Native>,
    queue: PartitionQueue<Told>,
    assigned: TopicPartitionList,
}

impl Reader {
    fn new(host: Arc<Host>) -> Self {
        Reader {
            host,
            partition: None,
            records: VecDeque::new(),
            unpacker: Unpacker::default(),
            next: 0,
            source: None,
        }
    }

    fn read(&mut self, wanted: &Wanted, patience: Duration) -> Result<Vec<Record>, Error> {
        self.go_to(wanted)?;
        let read = self.fill(wanted, patience);
        // Who came to an end, or failed, fetches no more.
        if read.is_err() || self.next >= wanted.end {
            self.leave()?;
        }
        // What was brought before something failed is good; who goes on meets the failure again.
        if self.records.is_empty() {
            read?;
        }
        let count = wanted.limit.fitting(&self.records);
        Ok(self.records.iter().take(count).cloned().collect())
    }

    fn go_to(&mut self, wanted: &Wanted) -> Result<(), Error> {
        let begins = self.records.front().map_or(self.next, |first| first.position);
        if self.partition == Some(wanted.partition) && (begins..=self.next).contains(&wanted.from) {
            while self.records.front().is_some_and(|record| record.position < wanted.from) {
                self.records.pop_front();
            }
            return Ok(());
        }
        self.leave()?;
        self.records.clear();
        (self.partition, self.next) = (Some(wanted.partition), wanted.from);
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Error> {
        let Some(Source { native, queue, assigned }) = self.source.take() else { return Ok(()) };
        let left = native.incremental_unassign(&assigned).map_err(failed("leave a partition"));
        drop(queue);
        left
    }

    /// Brings what is asked for, as far as it is there at once; waits for the first.
    fn fill(&mut self, wanted: &Wanted, patience: Duration) -> Result<(), Error> {
        let began = Instant::now();
        let mut doubted = false;
        let mut bytes: usize = self.records.iter().map(|record| record.bytes.len()).sum();
        while self.next < wanted.end
            && (self.records.is_empty()
                || (self.records.len() < wanted.limit.records && bytes < wanted.limit.bytes))
        {
            let wait = match self.records.is_empty() {
                true => patience.saturating_sub(began.elapsed()),
                false => Duration::ZERO,
            };
            let source = match &mut self.source {
                Some(source) => source,
                none => none.insert(Source::open(&self.host, wanted, self.next, patience)?),
            };
            match source.queue.poll(wait) {
                Some(Ok(message)) => match u64::try_from(message.offset()).unwrap_or(0) {
                    passed if passed < self.next => {}
                    later if later > self.next => {
                        drop(message);
                        if doubted {
                            let reason =
                                format!("it is missing from {}, offset {later} follows", wanted.topic);
                            return Err(damaged(wanted, self.next, reason));
                        }
                        // There are no gaps; it may be left over from another place.
                        doubted = true;
                        self.leave()?;
                    }
                    _ => {
                        let record = self.unpacker.record(&message);
                        bytes += record.bytes.len();
                        self.next += 1;
                        self.records.push_back(record);
                    }
                },
                Some(Err(error)) => source.understand(wanted, self.next, error)?,
                None if !self.records.is_empty() => break,
                None if began.elapsed() >= patience => {
                    let error = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
                    return Err(failed("read from Kafka in time")(error));
                }
                None => {}
            }
        }
        Ok(())
    }
}

fn damaged(wanted: &Wanted, position: u64, reason: String) -> Error {
    Error::Damaged { partition: wanted.partition, position, reason }
}

impl Source {
    fn open(host: &Host, wanted: &Wanted, next: u64, patience: Duration) -> Result<Self, Error> {
        let going = || failed("go to a place in a partition");
        let native = host.native(&wanted.topic, patience)?;
        // What the consumer itself has to say is said here.
        while let Some(said) = native.poll(Duration::ZERO) {
            if let Err(error) = said {
                tracing::debug!(%error, "a consumer says");
            }
        }
        let missing = KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownPartition);
        let queue = native.split_partition_queue(&wanted.topic, wanted.number());
        let queue = queue.ok_or(missing).map_err(going())?;
        let mut assigned = TopicPartitionList::new();
        let offset = Offset::Offset(i64::try_from(next).unwrap_or(i64::MAX));
        assigned.add_partition_offset(&wanted.topic, wanted.number(), offset).map_err(going())?;
        native.incremental_assign(&assigned).map_err(going())?;
        Ok(Source { native, queue, assigned })
    }

    /// What a failure means for who reads at `position`; nothing, where it passes.
    fn understand(&self, wanted: &Wanted, position: u64, error: KafkaError) -> Result<(), Error> {
        use RDKafkaErrorCode::{
            AutoOffsetReset, BadMessage, OffsetOutOfRange, TopicAuthorizationFailed, UnknownTopic,
            UnknownTopicOrPartition,
        };
        let partition = wanted.partition;
        match error.rdkafka_error_code() {
            Some(BadMessage) => {
                let reason =
                    format!("its checksum is wrong (Kafka topic {}, offset {position})", wanted.topic);
                Err(damaged(wanted, position, reason))
            }
            Some(AutoOffsetReset | OffsetOutOfRange) => {
                let patience = Duration::from_secs(10);
                match watermarks(self.native.client(), &wanted.topic, wanted.number(), patience)? {
                    (start, _) if position < start => {
                        Err(Error::Trimmed { partition, from: wanted.from, start })
                    }
                    (_, end) => {
                        let topic = &wanted.topic;
                        let reason = format!("the cluster has lost it: {topic} ends at {end} now");
                        Err(damaged(wanted, position, reason))
                    }
                }
            }
            Some(TopicAuthorizationFailed | UnknownTopic | UnknownTopicOrPartition) => {
                Err(failed("read from Kafka")(error))
            }
            _ => {
                tracing::debug!(%partition, %error, "reading goes on");
                Ok(())
            }
        }
    }
}
