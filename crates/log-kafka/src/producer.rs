//! Appends: one idempotent producer for the whole process. The place in a partition's order is taken by the call, and
//! the brokers' acknowledgement answers.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use log::{Error, Partition, Record, metrics::Meters};
use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::sync::oneshot;

use crate::{
    client::{Told, failed, watermarks},
    slot::{Memory, lock, reserve},
};

/// Where an append's outcome will arrive: the position of its last record.
pub(crate) type Outcome = oneshot::Receiver<Result<u64, Error>>;

type Native = ThreadedProducer<Deliveries>;

pub(crate) struct Producer {
    config: ClientConfig,
    native: Mutex<Arc<Native>>,
    ledger: Arc<Ledger>,
    /// Bytes that may queue in one partition, and in all.
    bounds: (usize, usize),
}

/// What is under way, and where it is noted that it arrived.
struct Ledger {
    memory: Arc<Memory>,
    queued: AtomicUsize,
    meters: Meters,
}

impl Producer {
    pub(crate) fn new(
        config: ClientConfig,
        memory: Arc<Memory>,
        bounds: (usize, usize),
    ) -> Result<Self, Error> {
        let ledger = Arc::new(Ledger { memory, queued: AtomicUsize::new(0), meters: Meters::new() });
        let native = Mutex::new(open(&config)?);
        Ok(Producer { config, native, ledger, bounds })
    }

    /// Takes the place of an append to the partition at `index`, which is called `topic` in the cluster.
    pub(crate) fn append(&self, index: usize, topic: &str, records: Vec<Bytes>) -> Result<Outcome, Error> {
        let slot = &self.ledger.memory.slots()[index];
        let partition = slot.partition;
        let (done, outcome) = oneshot::channel();
        let bytes = records.iter().map(size).sum();
        slot.queue(bytes, self.bounds.0)?;
        if !reserve(&self.ledger.queued, bytes, self.bounds.1) {
            slot.queued.fetch_sub(bytes, Relaxed);
            return Err(Error::Full(partition));
        }
        let answer = Answer { outcome: Ok(slot.end().saturating_sub(1)), done: Some(done) };
        let several = records.len() > 1;
        let batch = Arc::new(Batch { partition, several, answer: Mutex::new(answer) });
        for record in records {
            let sent = Sent {
                ledger: self.ledger.clone(),
                index,
                record,
                since: Instant::now(),
                batch: batch.clone(),
            };
            self.send(topic, sent);
        }
        Ok(outcome)
    }

    fn send(&self, topic: &str, mut sent: Sent) {
        // A producer that has given up for good is replaced, once; what it had is answered as unknown.
        for _ in 0..2 {
            let native = lock(&self.native).clone();
            // The bytes are shared, not copied.
            let payload = sent.record.clone();
            let partition = i32::try_from(sent.batch.partition.number).unwrap_or(i32::MAX);
            let record: BaseRecord<'_, (), [u8], _> =
                BaseRecord::with_opaque_to(topic, Box::new(sent)).partition(partition).payload(&payload);
            match native.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::Fatal), back)) => {
                    sent = *back.delivery_opaque;
                    if let Err(error) = self.replace(&native) {
                        return sent.batch.fail(error);
                    }
                }
                Err((error, back)) => return back.delivery_opaque.fail(&error),
            }
        }
        sent.fail(&KafkaError::MessageProduction(RDKafkaErrorCode::Fatal));
    }

    fn replace(&self, broken: &Arc<Native>) -> Result<(), Error> {
        let mut native = lock(&self.native);
        if !Arc::ptr_eq(&native, broken) {
            return Ok(());
        }
        let why = native.client().fatal_error().map(|(_, why)| why).unwrap_or_default();
        tracing::warn!(why, "the producer gave up; another takes its place");
        let gone = std::mem::replace(&mut *native, open(&self.config)?);
        // Its end takes a while, and others may still be about to find out.
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(1));
            drop(gone);
        });
        Ok(())
    }

    /// Asks the cluster where a partition starts and ends. Blocks.
    pub(crate) fn watermarks(
        &self,
        topic: &str,
        number: i32,
        patience: Duration,
    ) -> Result<(u64, u64), Error> {
        let native = lock(&self.native).clone();
        let client = native.client();
        watermarks(client, topic, number, patience)
    }

    /// Waits until every append is answered. Blocks.
    pub(crate) fn finish(&self, patience: Duration) {
        let native = lock(&self.native).clone();
        if let Err(error) = native.flush(patience) {
            tracing::warn!(%error, "some appends were not answered");
        }
    }
}

fn open(config: &ClientConfig) -> Result<Arc<Native>, Error> {
    let native = Native::from_config_and_context(config, Deliveries(Told("producer")));
    Ok(Arc::new(native.map_err(failed("open a producer"))?))
}

/// One message under way. It takes room until it is gone.
struct Sent {
    ledger: Arc<Ledger>,
    index: usize,
    record: Bytes,
    since: Instant,
    batch: Arc<Batch>,
}

fn size(record: &Bytes) -> usize {
    // What librdkafka needs for a message, about.
    record.len() + 256
}

impl Drop for Sent {
    fn drop(&mut self) {
        let bytes = size(&self.record);
        self.ledger.memory.slots()[self.index].queued.fetch_sub(bytes, Relaxed);
        self.ledger.queued.fetch_sub(bytes, Relaxed);
    }
}

impl Sent {
    fn delivered(&self, position: u64, appended_at: i64) {
        let (memory, bytes) = (&self.ledger.memory, self.record.clone());
        self.ledger.meters.committed(1, 1, bytes.len(), self.since.elapsed());
        memory.slots()[self.index].appended(Record { position, appended_at, bytes }, memory);
        self.batch.stands(position);
    }

    fn fail(&self, error: &KafkaError) {
        let Batch { partition, several, .. } = *self.batch;
        let error = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) if !several => Error::Full(partition),
            Some(RDKafkaErrorCode::MessageSizeTooLarge) if !several => {
                Error::TooLarge { partition, bytes: self.record.len() }
            }
            _ => Error::Unknown { partition, source: Some(error.clone().into()) },
        };
        self.ledger.meters.refused(&error);
        self.batch.fail(error);
    }
}

/// The messages of one append. The last of them to go answers.
struct Batch {
    partition: Partition,
    several: bool,
    answer: Mutex<Answer>,
}

struct Answer {
    /// As far as it is known.
    outcome: Result<u64, Error>,
    done: Option<oneshot::Sender<Result<u64, Error>>>,
}

impl Batch {
    fn stands(&self, position: u64) {
        if let Ok(last) = &mut lock(&self.answer).outcome {
            *last = position.max(*last);
        }
    }

    /// The first failure counts.
    fn fail(&self, error: Error) {
        let mut answer = lock(&self.answer);
        if answer.outcome.is_ok() {
            answer.outcome = Err(error);
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let answer = self.answer.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(done) = answer.done.take() {
            // Nobody may listen any more; that is theirs to decide.
            let _ = done.send(std::mem::replace(&mut answer.outcome, Ok(0)));
        }
    }
}

/// Takes the brokers' answers.
struct Deliveries(Told);

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        match result {
            Ok(message) => match u64::try_from(message.offset()) {
                Ok(position) => sent.delivered(position, message.timestamp().to_millis().unwrap_or_default()),
                // It is there, but an earlier attempt took it, and the brokers do not know any more where.
                Err(_) => {
                    sent.fail(&KafkaError::MessageProduction(RDKafkaErrorCode::DuplicateSequenceNumber))
                }
            },
            Err((error, _)) => sent.fail(error),
        }
    }
}
