//! What every log promises, whatever it stands on.
//!
//! **Ordering.** Records of one partition have strictly ascending positions. Positions may have gaps (another
//! backend may spend some on its own bookkeeping); nobody may compute with them beyond comparing and `+ 1`.
//! Two appends by one caller to one partition take effect in the order in which [`Log::append`] was called,
//! whether or not the first was awaited. The records of one append keep their order; others' may stand between
//! them.
//!
//! **Durability.** When an append's future yields a position, the records are on stable storage. When it yields
//! an error, they may be there or not, now or later, in any number of copies: [`Error::is_unknown`] tells. Only a
//! record is whole or absent: of an append of several that failed, a first part may be there. What must not be torn is
//! one record.
//!
//! **Tail.** A reader sees only durable records, in order, and is woken when there is more; nobody polls.
//!
//! **Back-pressure.** `append` never blocks its caller and never buffers without bound: when a partition's
//! queue is full the future yields [`Error::Full`] and nothing of it was written.
//!
//! **Retention.** Records stay for ever unless [`Log::trim`] removed them. Reading below the first kept record
//! is [`Error::Trimmed`], never a silent skip.

use std::{fmt, future::Future, pin::Pin};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

/// A named sequence of records, cut into partitions; the number of partitions is fixed at creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Topic(pub &'static str);

/// One ordered sequence within a topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Partition {
    pub topic: Topic,
    pub number: u32,
}

impl Topic {
    pub const fn partition(self, number: u32) -> Partition {
        Partition { topic: self, number }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.number)
    }
}

/// What stands at one position of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub position: u64,
    /// When the log took it, in milliseconds since the Unix epoch.
    pub appended_at: i64,
    pub bytes: Bytes,
}

/// The largest record that a log takes, in bytes. What is larger belongs elsewhere, with a reference here.
pub const MAX_RECORD: usize = 16 << 20;

/// Refuses an append with a record that is too large for any log. For backends.
pub fn check_size(partition: Partition, records: &[Bytes]) -> Result<(), Error> {
    match records.iter().map(Bytes::len).max() {
        Some(bytes) if bytes > MAX_RECORD => Err(Error::TooLarge { partition, bytes }),
        _ => Ok(()),
    }
}

/// How much one read may return. At least one record is returned if there is one, however large.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub records: usize,
    pub bytes: usize,
}

impl Default for Limit {
    fn default() -> Self {
        Limit { records: 1_000, bytes: 1 << 20 }
    }
}

impl Limit {
    /// How many of the records the limit lets through: one at least, if there is one. For backends.
    pub fn fitting<'a>(self, records: impl IntoIterator<Item = &'a Record>) -> usize {
        let mut bytes = 0;
        let mut fits = |(taken, record): &(usize, &Record)| {
            bytes += record.bytes.len();
            *taken == 0 || (*taken < self.records && bytes <= self.bytes)
        };
        records.into_iter().enumerate().take_while(&mut fits).count()
    }
}

/// What a group of workers has for one of its members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Share {
    pub membership: Membership,
    /// The partitions that this member should lead, ascending, as the group said last.
    pub led: Vec<u32>,
    /// Partitions led by others, ascending, that this member would be given if their leaders went, as far as can be told.
    pub next: Vec<u32>,
}

/// How a member stands with its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Membership {
    /// The group has not answered yet.
    #[default]
    Joining,
    /// It has what the group gave it, which may be nothing.
    Member,
    /// The group is out of reach, or went on without this member. Whether others have been given what it had, nobody here
    /// knows.
    Adrift,
}

impl Share {
    /// Of the only member, which has every partition. For backends.
    pub fn whole(partitions: u32) -> Self {
        Share { membership: Membership::Member, led: (0..partitions).collect(), next: Vec::new() }
    }
}

/// The outcome of an append: the position of its **last** record.
pub type Appending = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 'static>>;

#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// How many partitions the topic has.
    fn partitions(&self, topic: Topic) -> Result<u32, Error>;

    /// Appends the records, in order. The place in the order is taken when this returns; the future yields when all
    /// are durable. Dropping the future does not take the append back.
    fn append(&self, partition: Partition, records: Vec<Bytes>) -> Appending;

    /// The records at `from` and after, as many as `limit` allows or fewer, but at least one where there is one; empty when
    /// there are none yet. Whoever wants more reads on behind the last.
    async fn read(&self, partition: Partition, from: u64, limit: Limit) -> Result<Vec<Record>, Error>;

    /// The position of the first record kept (0 when nothing was trimmed).
    async fn start(&self, partition: Partition) -> Result<u64, Error>;

    /// One past the last durable record; 0 when there is none. A read from here is empty for now.
    async fn end(&self, partition: Partition) -> Result<u64, Error>;

    /// Yields once there is a durable record at `from` or after. Cancel-safe.
    async fn wait(&self, partition: Partition, from: u64) -> Result<(), Error>;

    /// Removes the records below `before`. Idempotent.
    async fn trim(&self, partition: Partition, before: u64) -> Result<(), Error>;

    /// Joins the named group of workers on a topic: what this member should lead, as it changes, and where it is one of the
    /// `standbys` who are next in line. The member leaves the group once nobody holds the receiver.
    ///
    /// A hint for liveness only; safety never depends on it. With one process it is every partition, at once.
    async fn join(&self, group: &str, topic: Topic, standbys: usize)
    -> Result<watch::Receiver<Share>, Error>;
}

/// A log that could not do what was asked. What it means for the caller is in the variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no topic {0} in this log")]
    NoTopic(Topic),
    #[error("topic {0} has no such partition")]
    NoPartition(Partition),
    #[error("{0} takes no more appends for now: its queue is full")]
    Full(Partition),
    #[error("{partition}: a record of {bytes} bytes is too large; {MAX_RECORD} are the most")]
    TooLarge { partition: Partition, bytes: usize },
    #[error("{partition}: position {from} was trimmed; the first kept record is at {start}")]
    Trimmed { partition: Partition, from: u64, start: u64 },
    #[error("{partition}: the record at {position} is damaged: {reason}")]
    Damaged { partition: Partition, position: u64, reason: String },
    #[error("the disk is full; nothing of this append was written")]
    DiskFull,
    #[error("{path} is in use by another process (it holds the lock): {hint}")]
    Locked { path: String, hint: String },
    #[error("the log is closed")]
    Closed,
    #[error("this log was opened for reading only")]
    ReadOnly,
    #[error("topic {topic} has {stored} partitions; that is fixed, it cannot be opened with {asked}")]
    OtherCount { topic: Topic, stored: u32, asked: u32 },
    #[error("the outcome of an append to {partition} is unknown")]
    Unknown {
        partition: Partition,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// What it stands on does not answer for now, and may again: nothing is wrong with what was asked.
    #[error("the log is out of reach: could not {operation}")]
    Unreachable {
        operation: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("could not {operation}")]
    Storage {
        operation: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// After such an error an append may still be, or become, part of the log. After the others it is not.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self,
            Error::Unknown { .. } | Error::Closed | Error::Unreachable { .. } | Error::Storage { .. }
        )
    }
}
