//! What the sides write, read from outside: how far they are, when each message was through, and whether everything is
//! there exactly once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{
    MessageId, Step,
    conversation::{Decider, What},
};
use rdkafka::{Message as _, consumer::BaseConsumer, error::KafkaError, message::BorrowedMessage};
use wire::{Header, Judgement, Point, Reader, Record, Verdict};

use super::{inputs::Series, shared::Outcome};

/// A side that does nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// How records of a side's output are understood.
pub(crate) trait Output {
    /// How many inputs or messages (a side counts in one of them) this record adds to what is through.
    fn adds(&mut self, record: &BorrowedMessage<'_>) -> Outcome<u64>;

    /// The steps that it holds.
    fn steps(&mut self, record: &BorrowedMessage<'_>) -> Outcome<Vec<Step<Decider>>>;
}

/// Of the router: decisions, as far as they are accepted. Counts inputs.
pub(crate) struct Decisions {
    readers: BTreeMap<i32, (Reader<Decider>, u64)>,
    /// How many inputs each partition was filled with. Behind them comes what other aggregates answer, which is not counted.
    filled: Vec<u64>,
}

impl Decisions {
    pub(crate) fn new(filled: &[u64]) -> Self {
        Decisions { readers: BTreeMap::new(), filled: filled.to_vec() }
    }

    fn reader(&mut self, partition: i32) -> &mut (Reader<Decider>, u64) {
        self.readers.entry(partition).or_insert_with(|| (Reader::new(Point::default()), 0))
    }
}

impl Output for Decisions {
    fn adds(&mut self, record: &BorrowedMessage<'_>) -> Outcome<u64> {
        let (reader, through) = self.reader(record.partition());
        let judged = reader.judge(record.offset().try_into()?, &bytes(record))?;
        let Judgement::Accepted(Header::Decision { intake_through, .. }) = judged else { return Ok(0) };
        let before = std::mem::replace(through, intake_through);
        let filled = self.filled.get(usize::try_from(record.partition())?).copied().unwrap_or(0);
        Ok(intake_through.min(filled).saturating_sub(before.min(filled)))
    }

    fn steps(&mut self, record: &BorrowedMessage<'_>) -> Outcome<Vec<Step<Decider>>> {
        let (reader, _) = self.reader(record.partition());
        Ok(match reader.read(record.offset().try_into()?, &bytes(record))? {
            Verdict::Accepted(decision) => decision.steps,
            Verdict::Ignored(_) | Verdict::Ruling(_) => Vec::new(),
        })
    }
}

/// Of the peer: a step each. Counts messages: one that comes twice leads to nothing.
pub(crate) struct Steps;

impl Output for Steps {
    fn adds(&mut self, _: &BorrowedMessage<'_>) -> Outcome<u64> {
        Ok(1)
    }

    /// Held to the same reading as the router's, as a decision with this one step in it.
    fn steps(&mut self, record: &BorrowedMessage<'_>) -> Outcome<Vec<Step<Decider>>> {
        let step = record.payload().unwrap_or_default();
        let mut decision = vec![0x0a, 16];
        decision.extend([1; 16]);
        decision.extend([0x10, 1, 0x52]);
        put_length(&mut decision, step.len());
        decision.extend(step);
        let mut whole = vec![0x12];
        put_length(&mut whole, decision.len());
        whole.extend(decision);
        match wire::decode_record(&whole.into())? {
            Record::Decision(decision) => Ok(decision.steps),
            Record::Announce(_) => Err("a step that is none".into()),
        }
    }
}

/// A length as protobuf writes it.
fn put_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        bytes.push(0x80 | (length & 0x7f) as u8);
        length >>= 7;
    }
    bytes.push(length as u8);
}

fn bytes(record: &BorrowedMessage<'_>) -> Bytes {
    Bytes::copy_from_slice(record.payload().unwrap_or_default())
}

/// Reads until `total` is through; `passed` is told how far it is after each record.
pub(crate) fn follow(
    reader: &BaseConsumer,
    output: &mut dyn Output,
    total: u64,
    mut passed: impl FnMut(u64) -> Outcome<()>,
) -> Outcome<()> {
    let (mut through, mut last) = (0, Instant::now());
    while through < total {
        match reader.poll(POLL) {
            None | Some(Err(KafkaError::PartitionEOF(_))) if last.elapsed() > PATIENCE => {
                return Err(format!("only {through} of {total} are through, and nothing moves").into());
            }
            None | Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(record) => {
                let added = output.adds(&record?)?;
                if added > 0 {
                    through += added;
                    last = Instant::now();
                    passed(through)?;
                }
            }
        }
    }
    Ok(())
}

/// Reads until each of these messages is through, and says how long each took from when it was due: sorted, in
/// milliseconds.
pub(crate) fn waits(
    reader: &BaseConsumer,
    output: &mut dyn Output,
    mut due: HashMap<MessageId, Instant>,
) -> Outcome<Vec<f64>> {
    let mut waits = Vec::with_capacity(due.len());
    let mut last = Instant::now();
    while !due.is_empty() {
        let record = match reader.poll(POLL) {
            None | Some(Err(KafkaError::PartitionEOF(_))) if last.elapsed() > PATIENCE => {
                return Err(format!("{} messages are not through, and nothing moves", due.len()).into());
            }
            None | Some(Err(KafkaError::PartitionEOF(_))) => continue,
            Some(record) => record?,
        };
        let now = Instant::now();
        for message in output.steps(&record)?.iter().filter_map(received) {
            if let Some(due) = due.remove(&message) {
                waits.push((now - due).as_secs_f64() * 1e3);
                last = now;
            }
        }
    }
    waits.sort_by(f64::total_cmp);
    Ok(waits)
}

/// Reads everything and counts the events by kind. Each message of the series must be there once.
pub(crate) fn verify(
    reader: &BaseConsumer,
    partitions: u32,
    output: &mut dyn Output,
    series: &[Series],
) -> Outcome<BTreeMap<&'static str, usize>> {
    let (mut seen, mut kinds) = (HashSet::new(), BTreeMap::new());
    let (mut ended, mut last) = (HashSet::new(), Instant::now());
    while ended.len() < partitions as usize {
        let record = match reader.poll(POLL) {
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended.insert(partition);
                continue;
            }
            None if last.elapsed() > PATIENCE => return Err("the output cannot be read to its end".into()),
            None => continue,
            Some(record) => record?,
        };
        last = Instant::now();
        for step in output.steps(&record)? {
            if let Some(set_aside) = &step.set_aside {
                return Err(format!("an input was set aside: {}", set_aside.reason).into());
            }
            for recorded in &step.events {
                *kinds.entry(kind(&recorded.event.what)).or_default() += 1;
            }
            if let Some(message) = received(&step)
                && !seen.insert(message)
            {
                return Err(format!("the message {message} is there twice").into());
            }
        }
    }
    let missing: Vec<_> = series.iter().flat_map(|series| series.missing(&seen)).collect();
    match missing[..] {
        [] => Ok(kinds),
        [ref first, ..] => {
            Err(format!("{} messages are not there; the first is {first}", missing.len()).into())
        }
    }
}

fn received(step: &Step<Decider>) -> Option<MessageId> {
    step.events.iter().find_map(|recorded| match recorded.event.what {
        What::MessageReceived { message, .. } => Some(message),
        _ => None,
    })
}

fn kind(what: &What) -> &'static str {
    match what {
        What::CustomerSeen { .. } => "customers seen",
        What::Opened { .. } => "opened",
        What::BotEngaged { .. } => "bots engaged",
        What::MessageReceived { .. } => "messages received",
        What::TurnAsked { .. } => "turns asked",
        _ => "others",
    }
}
