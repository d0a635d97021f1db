//! The inputs of both sides: what the edges append for customers' messages, the same bytes in each run.
//!
//! The first of a party opens a conversation, the others go to conversations that are open. What is sealed looks like
//! noise, as it does in earnest: compression finds nothing in it.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{
    Channel, FactId, Intake, MessageId, Origin, Party, Route, Sealed, TenantId, Timestamp,
    conversation::{Answers, Command, Correspondent, Decider, MessageKind, Received},
};
use log::clock;
use rdkafka::{
    ClientConfig, ClientContext,
    message::DeliveryResult,
    producer::{BaseRecord, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};

use super::{TOPOLOGY, shared::Outcome};

/// What an intake record is long, in bytes.
const RECORD: usize = 500;
/// One in so many of a warm-up comes twice, as providers redeliver.
const TWICE_EVERY: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);

/// A run of messages. Two series of other numbers have no party in common.
#[derive(Clone, Copy)]
pub(crate) struct Series {
    pub(crate) number: u64,
    pub(crate) messages: usize,
    /// How many messages a party writes, on the average.
    pub(crate) each: usize,
    /// Some of them come twice.
    pub(crate) redelivered: bool,
}

impl Series {
    /// Which messages come, in order.
    fn order(self) -> impl Iterator<Item = usize> {
        (0..self.messages).flat_map(move |at| {
            let again = self.redelivered && at % TWICE_EVERY == TWICE_EVERY - 1;
            std::iter::once(at).chain(again.then(|| at - TWICE_EVERY / 2))
        })
    }

    /// How many inputs it makes.
    pub(crate) fn inputs(self) -> usize {
        self.order().count()
    }

    /// How many of them go to each partition.
    pub(crate) fn inputs_by_partition(self) -> Vec<u64> {
        let mut inputs = vec![0; TOPOLOGY.conversation as usize];
        for at in self.order() {
            inputs[TOPOLOGY.peer(&Route::Party(self.party(at))).partition as usize] += 1;
        }
        inputs
    }

    pub(crate) fn parties(self) -> usize {
        self.messages.div_ceil(self.each)
    }

    pub(crate) fn id(self, at: usize) -> MessageId {
        MessageId(sixteen(&[self.number, at as u64, 2]))
    }

    /// Those that are not among these, each with its place.
    pub(crate) fn missing(self, seen: &HashSet<MessageId>) -> impl Iterator<Item = String> {
        let missing = (0..self.messages).filter(move |at| !seen.contains(&self.id(*at)));
        missing.map(move |at| {
            let partition = TOPOLOGY.peer(&Route::Party(self.party(at))).partition;
            format!("number {at} of series {}, in partition {partition}", self.number)
        })
    }

    fn party(self, at: usize) -> Party {
        let party = match at.is_multiple_of(self.each) {
            true => at / self.each,
            // Any that came before.
            false => at.wrapping_mul(7919) % (at / self.each + 1),
        };
        Party(sixteen(&[self.number, party as u64, 1]))
    }

    fn encoded(self, at: usize, text: usize) -> Bytes {
        let (id, party) = (self.id(at), self.party(at));
        wire::encode_intake::<Decider>(&Intake::Input {
            origin: Origin::Fact(FactId(id.0)),
            at: Timestamp(clock::now()),
            tenant: tenant(),
            policy_version: 1,
            command: Command::Receive(Box::new(Received {
                from: Correspondent {
                    tenant: tenant(),
                    inbox: name("sms"),
                    channel: Channel::Sms,
                    party,
                    address: sealed(party, party.0, 60),
                },
                kind: MessageKind::Message,
                message: id,
                content: sealed(party, id.0, text),
                sent_at: Timestamp(clock::now()),
                authenticated: true,
                thread: None,
                placed: None,
                people_only: false,
                reply_to: None,
                referral: None,
                window: None,
                home: None,
                marks: None,
                answers: Answers::default(),
                entry: None,
            })),
        })
    }
}

/// Appends series to an intake, each in its order.
pub(crate) struct Filler {
    producer: ThreadedProducer<Delivered>,
    delivered: Arc<Counts>,
    sent: u64,
    topic: String,
    /// How long a sealed text is, so that a record is as long as it should be.
    text: usize,
}

#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    failed: AtomicU64,
}

struct Delivered(Arc<Counts>);

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.0.delivered.fetch_add(1, Relaxed),
            Err(_) => self.0.failed.fetch_add(1, Relaxed),
        };
    }
}

impl Filler {
    /// `linger_ms` is how long an append waits for others: none where it is timed.
    pub(crate) fn new(brokers: &str, topic: &str, linger_ms: &str) -> Outcome<Filler> {
        let delivered = Arc::<Counts>::default();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .set("compression.codec", "lz4")
            .set("linger.ms", linger_ms)
            .create_with_context(Delivered(delivered.clone()))?;
        let bare = Series { number: 0, messages: 1, each: 1, redelivered: false }.encoded(0, 100).len();
        let text = (RECORD + 100).saturating_sub(bare);
        Ok(Filler { producer, delivered, sent: 0, topic: topic.to_owned(), text })
    }

    fn send(&mut self, series: Series, at: usize) -> Outcome<()> {
        let bytes = series.encoded(at, self.text);
        let partition = TOPOLOGY.peer(&Route::Party(series.party(at))).partition;
        let mut record =
            BaseRecord::<(), [u8]>::to(&self.topic).partition(i32::try_from(partition)?).payload(&bytes[..]);
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    record = back;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
        self.sent += 1;
        Ok(())
    }

    /// As fast as it goes; returns once all is durable.
    pub(crate) fn fill(&mut self, series: Series) -> Outcome<()> {
        for at in series.order() {
            self.send(series, at)?;
        }
        self.delivered()
    }

    /// So many a second, each when it is due; returns once all are durable.
    pub(crate) fn pace(mut self, series: Series, began: Instant, rate: f64) -> Outcome<()> {
        for at in 0..series.messages {
            let due = began + Duration::from_secs_f64(at as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.send(series, at)?;
        }
        self.delivered()
    }

    fn delivered(&self) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let failed = self.delivered.failed.load(Relaxed);
            let delivered = self.delivered.delivered.load(Relaxed);
            if failed > 0 || Instant::now() > deadline {
                return Err(
                    format!("{delivered} of {} inputs were taken, {failed} refused", self.sent).into()
                );
            }
            if delivered == self.sent {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn tenant() -> TenantId {
    name("acme")
}

fn name<T: std::str::FromStr<Err = domain::BadId>>(text: &str) -> T {
    text.parse().unwrap_or_else(|bad| panic!("{bad}"))
}

/// Spread as a keyed hash is.
fn sixteen(of: &[u64; 3]) -> [u8; 16] {
    let hash = blake3::hash(&of.map(u64::to_le_bytes).concat());
    std::array::from_fn(|i| hash.as_bytes()[i])
}

fn sealed(subject: Party, seed: [u8; 16], length: usize) -> Sealed {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_derive_key("tributary bench sealed").update(&seed).finalize_xof().fill(&mut bytes);
    Sealed { subject, bytes: bytes.into() }
}
