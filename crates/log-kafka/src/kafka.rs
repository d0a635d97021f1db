//! The contract of [`Log`], put together from the parts.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use log::{Appending, Error, Limit, Log, Partition, Record, Share, Topic, check_size};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    config::FromClientConfigAndContext as _,
};
use tokio::sync::{OnceCell, watch};

use crate::{
    KafkaConfig,
    client::{Told, blocking, failed, unusable},
    history::{History, Wanted},
    line, membership,
    producer::{Outcome, Producer},
    slot::{Found, Memory, Reading, Slot, lock},
    tail::{Follower, Times},
    topics,
};

/// A handle to the log on a cluster; clones share it, and it ends with the last one.
#[derive(Clone)]
pub struct KafkaLog {
    inner: Arc<Handle>,
}

/// Whose end takes librdkafka a while.
struct Handle(Option<Inner>);

struct Inner {
    config: KafkaConfig,
    topics: BTreeMap<Topic, KafkaTopic>,
    memory: Arc<Memory>,
    producer: Arc<Producer>,
    follower: Arc<Follower>,
    history: History,
    /// Only who trims needs it, or stands in line.
    admin: OnceCell<Arc<AdminClient<Told>>>,
    closed: Arc<AtomicBool>,
    /// The threads of the members of groups: each ends once it has left its group.
    members: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

struct KafkaTopic {
    first: usize,
    count: u32,
    /// What it is called in the cluster.
    name: Arc<str>,
}

impl KafkaLog {
    /// Opens these topics of a cluster. Their partition counts are the cluster's; a topic that is not there is
    /// [`Error::NoTopic`], and nothing is made.
    ///
    /// Blocks until the cluster has answered.
    pub fn open(config: KafkaConfig, topics: &[Topic]) -> Result<Self, Error> {
        let found = topics::partitions(&config, topics)?;
        let (mut slots, mut names, mut known) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (topic, count) in found {
            let (first, name): (_, Arc<str>) = (slots.len(), config.name(topic.0).into());
            for number in 0..count {
                slots.push(Slot::new(topic.partition(number), slots.len()));
                names.push(name.clone());
            }
            known.insert(topic, KafkaTopic { first, count, name });
        }
        let memory = Arc::new(Memory::new(slots, config.recent_bytes));
        let bounds = (config.queue_bytes, config.total_queue_bytes);
        let producer = Producer::new(config.producer().map_err(unusable)?, memory.clone(), bounds)?;
        let producer = Arc::new(producer);
        let tail = config.tail().map_err(unusable)?;
        let times = Times { patience: config.patience, idle: config.idle, look: config.look };
        let follower = Follower::open(&tail, memory.clone(), names, producer.clone(), times)?;
        let history = config.history().map_err(unusable)?;
        let history = History::new(&history, config.history_consumers, config.patience);
        let inner = Inner {
            config,
            topics: known,
            memory,
            producer,
            follower: Arc::new(follower),
            history,
            admin: OnceCell::new(),
            closed: Arc::default(),
            members: Arc::default(),
        };
        Ok(KafkaLog { inner: Arc::new(Handle(Some(inner))) })
    }

    #[cfg(test)]
    pub(crate) fn lose_sight_of(&self, partition: Partition) {
        let slot = self.inner.index(partition).expect("a partition of this log");
        self.inner.follower.lose_sight_of(slot);
    }

    /// How many partitions' ends are followed.
    pub fn following(&self) -> usize {
        self.inner.follower.following()
    }

    /// Takes no more appends, waits for the answers to those under way, and leaves its groups. Afterwards appends and
    /// waits are [`Error::Closed`].
    pub async fn close(&self) {
        self.inner.closed.store(true, Relaxed);
        let (producer, follower) = (self.inner.producer.clone(), self.inner.follower.clone());
        let (members, patience) = (self.inner.members.clone(), self.inner.config.delivery_timeout);
        let ended = blocking(move || {
            let until = Instant::now() + patience;
            producer.finish(patience);
            follower.stop();
            // A process that ended before they have left would be missed only after its session.
            while !lock(&members).iter().all(JoinHandle::is_finished) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        });
        // It fails when the runtime ends, and everything with it.
        let _ = ended.await;
    }
}

impl Deref for Handle {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        self.0.as_ref().expect("only its end takes it")
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(inner) = self.0.take() else { return };
        inner.closed.store(true, Relaxed);
        inner.follower.dismiss();
        // It blocks, and this may be a thread that must not. Where no thread can be had, it blocks here.
        let _ = std::thread::Builder::new().name("kafka-end".into()).spawn(move || drop(inner));
    }
}

impl Inner {
    fn topic(&self, topic: Topic) -> Result<&KafkaTopic, Error> {
        self.topics.get(&topic).ok_or(Error::NoTopic(topic))
    }

    /// Where the partition stands among the slots.
    fn index(&self, partition: Partition) -> Result<usize, Error> {
        let topic = self.topic(partition.topic)?;
        if partition.number >= topic.count {
            return Err(Error::NoPartition(partition));
        }
        Ok(topic.first + partition.number as usize)
    }

    /// The partition as its readers see it, followed for as long as this is held, and some time more.
    async fn followed(&self, partition: Partition) -> Result<Reading<'_>, Error> {
        let index = self.index(partition)?;
        let reading = self.memory.slots()[index].reading();
        if !self.follower.follows(index) {
            let follower = self.follower.clone();
            blocking(move || follower.follow(index)).await?;
        }
        Ok(reading)
    }

    /// Where the partition starts and ends, as the cluster has it now.
    async fn ask(&self, partition: Partition) -> Result<(u64, u64), Error> {
        let index = self.index(partition)?;
        let (producer, name) = (self.producer.clone(), self.topic(partition.topic)?.name.clone());
        let number = i32::try_from(partition.number).unwrap_or(i32::MAX);
        let patience = self.config.patience;
        let (start, end) = blocking(move || producer.watermarks(&name, number, patience)).await?;
        self.memory.slots()[index].learnt(start, end);
        Ok((start, end))
    }

    fn append(&self, partition: Partition, records: Vec<Bytes>) -> Result<Outcome, Error> {
        let index = self.index(partition)?;
        if self.closed.load(Relaxed) {
            return Err(Error::Closed);
        }
        check_size(partition, &records)?;
        self.producer.append(index, &self.topic(partition.topic)?.name, records)
    }

    async fn admin(&self) -> Result<&Arc<AdminClient<Told>>, Error> {
        let open = || async {
            let config = self.config.admin().map_err(unusable)?;
            let client = AdminClient::from_config_and_context(&config, Told("admin"));
            client.map(Arc::new).map_err(failed("open a client"))
        };
        self.admin.get_or_try_init(open).await
    }
}

#[async_trait]
impl Log for KafkaLog {
    fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        Ok(self.inner.topic(topic)?.count)
    }

    fn append(&self, partition: Partition, records: Vec<Bytes>) -> Appending {
        let taken = self.inner.append(partition, records);
        Box::pin(async move {
            match taken?.await {
                Ok(outcome) => outcome,
                Err(_) => Err(Error::Unknown { partition, source: None }),
            }
        })
    }

    async fn read(&self, partition: Partition, mut from: u64, limit: Limit) -> Result<Vec<Record>, Error> {
        let slot = self.inner.followed(partition).await?;
        loop {
            match slot.recent(from, limit)? {
                Found::Here(records) => return Ok(records),
                Found::Coming => slot.brings(from).await?,
                Found::Older { end } => {
                    let topic = self.inner.topic(partition.topic)?.name.clone();
                    let records =
                        self.inner.history.read(Wanted { partition, topic, from, end, limit }).await?;
                    if !records.is_empty() {
                        return Ok(records);
                    }
                    // A gap, up to where memory begins.
                    from = end;
                }
            }
        }
    }

    async fn start(&self, partition: Partition) -> Result<u64, Error> {
        Ok(self.inner.ask(partition).await?.0)
    }

    async fn end(&self, partition: Partition) -> Result<u64, Error> {
        Ok(self.inner.ask(partition).await?.1)
    }

    async fn wait(&self, partition: Partition, from: u64) -> Result<(), Error> {
        self.inner.followed(partition).await?.reaches(from).await
    }

    async fn trim(&self, partition: Partition, before: u64) -> Result<(), Error> {
        let (start, end) = self.inner.ask(partition).await?;
        let before = before.min(end);
        if before <= start {
            return Ok(());
        }
        let (name, number) = (&self.inner.topic(partition.topic)?.name, partition.number);
        let mut trimmed = TopicPartitionList::new();
        let (number, before) =
            (i32::try_from(number).unwrap_or(i32::MAX), i64::try_from(before).unwrap_or(i64::MAX));
        let trimming = || failed("trim a partition");
        trimmed.add_partition_offset(name, number, Offset::Offset(before)).map_err(trimming())?;
        let options = AdminOptions::new().operation_timeout(Some(self.inner.config.patience));
        let done = self.inner.admin().await?.delete_records(&trimmed, &options).await.map_err(trimming())?;
        done.elements().iter().try_for_each(|one| one.error()).map_err(trimming())?;
        self.inner.ask(partition).await.map(drop)
    }

    async fn join(
        &self,
        group: &str,
        topic: Topic,
        standbys: usize,
    ) -> Result<watch::Receiver<Share>, Error> {
        let name = self.inner.topic(topic)?.name.clone();
        // Members of one group all want the same topic, so that the group has one thing to share out.
        let group = self.inner.config.name(&format!("{group}.{topic}"));
        let config = self.inner.config.member(&group).map_err(unusable)?;
        let closed = self.inner.closed.clone();
        let (member, share, thread) = blocking(move || membership::join(config, &name, closed)).await?;
        {
            let mut members = lock(&self.inner.members);
            members.retain(|member| !member.is_finished());
            members.push(thread);
        }
        if standbys > 0 {
            tokio::spawn(line::keep_telling(member, self.inner.admin().await?.clone(), group, standbys));
        }
        Ok(share)
    }
}
