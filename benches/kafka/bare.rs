//! The reference: a bare loop over librdkafka that reads the intake and writes it out again in batches as large as a
//! worker's decisions, and does nothing else.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message as _,
    consumer::BaseConsumer,
    error::KafkaError,
    message::BorrowedMessage,
    producer::{BaseRecord, DefaultProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};

use domain::{Step, conversation::Decider};

use super::{output::Output, shared::Outcome};

/// As a worker has them.
const MOST_INPUTS: u32 = 256;
const MOST_BYTES: usize = 96 * 1024;

/// Copies until it is told to stop.
pub(crate) fn copy(brokers: &str, intake: &BaseConsumer, to: &str, stop: &AtomicBool) -> Outcome<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("compression.codec", "lz4")
        .set("linger.ms", "0.5")
        .create()?;
    let mut batches: BTreeMap<i32, Batch> = BTreeMap::new();
    while !stop.load(Relaxed) {
        match intake.poll(Duration::from_millis(20)) {
            // Whoever has caught up waits for nothing.
            None | Some(Err(KafkaError::PartitionEOF(_))) => {
                for (partition, batch) in &mut batches {
                    batch.send(&producer, to, *partition)?;
                }
            }
            Some(record) => {
                let record = record?;
                let batch = batches.entry(record.partition()).or_default();
                batch.put(record.payload().unwrap_or_default());
                if batch.inputs >= MOST_INPUTS || batch.bytes.len() >= MOST_BYTES {
                    batch.send(&producer, to, record.partition())?;
                }
            }
        }
    }
    Ok(())
}

/// Inputs one after the other, behind their number.
#[derive(Default)]
struct Batch {
    inputs: u32,
    bytes: Vec<u8>,
}

impl Batch {
    fn put(&mut self, input: &[u8]) {
        if self.inputs == 0 {
            self.bytes.extend([0; 4]);
        }
        self.inputs += 1;
        self.bytes.extend(input);
    }

    fn send(
        &mut self,
        producer: &ThreadedProducer<DefaultProducerContext>,
        to: &str,
        partition: i32,
    ) -> Outcome<()> {
        if self.inputs == 0 {
            return Ok(());
        }
        self.bytes[..4].copy_from_slice(&self.inputs.to_le_bytes());
        loop {
            let record = BaseRecord::<(), [u8]>::to(to).partition(partition).payload(&self.bytes[..]);
            match producer.send(record) {
                Ok(()) => break,
                Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
        self.inputs = 0;
        self.bytes.clear();
        Ok(())
    }
}

/// Of the bare loop. Counts inputs.
pub(crate) struct Copies;

impl Output for Copies {
    fn adds(&mut self, record: &BorrowedMessage<'_>) -> Outcome<u64> {
        let number =
            record.payload().unwrap_or_default().first_chunk().ok_or("a batch without its number")?;
        Ok(u64::from(u32::from_le_bytes(*number)))
    }

    fn steps(&mut self, _: &BorrowedMessage<'_>) -> Outcome<Vec<Step<Decider>>> {
        Err("the bare loop decides nothing".into())
    }
}
