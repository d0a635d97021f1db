//! All topics from their beginnings, read with librdkafka and nothing of ours.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::records::{KINDS, Peer};

/// A broker that was just killed may keep a reader waiting for some time.
const PATIENCE: Duration = Duration::from_secs(40);
/// Nothing is on its way any more if nothing came for so long.
const QUIET: Duration = Duration::from_millis(700);

/// A record as it stands in a topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) offset: u64,
    /// Milliseconds since the epoch, by the broker's clock.
    pub(crate) appended_at: i64,
    pub(crate) bytes: Vec<u8>,
}

/// One aggregate's partition: what came in, and what was decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) intake: Vec<Stored>,
    pub(crate) log: Vec<Stored>,
}

pub(crate) type Topics = BTreeMap<Peer, Written>;

/// Everything, once nothing more comes; blocks.
pub(crate) fn read_at_rest(brokers: &str, prefix: &str) -> Topics {
    let reader = Reader::new(brokers, prefix);
    let began = Instant::now();
    let mut ends = reader.ends();
    loop {
        std::thread::sleep(QUIET);
        let now = reader.ends();
        if now == ends || began.elapsed() > PATIENCE {
            return reader.read(&now);
        }
        ends = now;
    }
}

/// Everything that is there now; blocks.
pub(crate) fn read_now(brokers: &str, prefix: &str) -> Topics {
    let reader = Reader::new(brokers, prefix);
    reader.read(&reader.ends())
}

/// The partition leader of a topic, by the broker's number.
pub(crate) fn leader(brokers: &str, topic: &str, partition: i32) -> i32 {
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let metadata = client.fetch_metadata(Some(topic), PATIENCE).expect("the brokers tell of their topics");
    let partitions = metadata.topics()[0].partitions();
    partitions.iter().find(|one| one.id() == partition).expect("the topic has the partition").leader()
}

/// Of each topic's partition, by its name: one past its last record.
type Ends = BTreeMap<(String, i32), i64>;

struct Reader {
    consumer: BaseConsumer,
    prefix: String,
}

impl Reader {
    fn new(brokers: &str, prefix: &str) -> Reader {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", format!("{prefix}checker"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            .create()
            .expect("a consumer is made");
        Reader { consumer, prefix: prefix.to_owned() }
    }

    fn ends(&self) -> Ends {
        let metadata =
            self.consumer.fetch_metadata(None, PATIENCE).expect("the brokers tell of their topics");
        let mut ends = Ends::new();
        for topic in metadata.topics().iter().filter(|topic| topic.name().starts_with(&self.prefix)) {
            for partition in topic.partitions() {
                let marks = self.consumer.fetch_watermarks(topic.name(), partition.id(), PATIENCE);
                let (start, end) = marks.expect("a partition's leader tells where it ends");
                assert_eq!(start, 0, "{} was trimmed, and cannot be judged any more", topic.name());
                ends.insert((topic.name().to_owned(), partition.id()), end);
            }
        }
        ends
    }

    fn read(&self, ends: &Ends) -> Topics {
        let mut topics: Topics =
            ends.keys().map(|(topic, number)| (self.place(topic, *number).0, Written::default())).collect();
        let mut left: Ends =
            ends.iter().filter(|(_, end)| **end > 0).map(|(key, end)| (key.clone(), *end)).collect();
        let mut assigned = TopicPartitionList::new();
        for (topic, partition) in left.keys() {
            assigned.add_partition_offset(topic, *partition, Offset::Beginning).expect("an offset is valid");
        }
        self.consumer.assign(&assigned).expect("partitions are assigned");
        let began = Instant::now();
        while !left.is_empty() {
            assert!(began.elapsed() < PATIENCE, "the topics cannot be read to their ends: {left:?}");
            let message = match self.consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    eprintln!("reading goes on after: {error}");
                    continue;
                }
                None => continue,
            };
            let key = (message.topic().to_owned(), message.partition());
            let Some(end) = left.get(&key).copied() else { continue };
            let (peer, is_intake) = self.place(&key.0, key.1);
            let stored = Stored {
                offset: message.offset() as u64,
                appended_at: message.timestamp().to_millis().unwrap_or_default(),
                bytes: message.payload().unwrap_or_default().to_vec(),
            };
            let written = topics.entry(peer).or_default();
            if is_intake {
                written.intake.push(stored)
            } else {
                written.log.push(stored)
            }
            if message.offset() + 1 >= end {
                left.remove(&key);
            }
        }
        topics
    }

    /// Whose topic it is, and whether it is the intake.
    fn place(&self, topic: &str, number: i32) -> (Peer, bool) {
        let name = topic.strip_prefix(&self.prefix).expect("only our own topics are read");
        let (aggregate, side) =
            name.rsplit_once('.').expect("a topic is called AGGREGATE.in or AGGREGATE.log");
        let kind = KINDS.iter().find(|(_, known)| *known == aggregate).expect("an aggregate is known").0;
        (Peer { kind, partition: number as u32 }, side == "in")
    }
}
