//! How near the log comes to what anybody would write on librdkafka: many appends under way, appends one at a time,
//! reading from the start, and how soon another process sees what was appended. Both sides run in turns on the same
//! broker, with the same settings, records and numbers under way; the first round warms everything up.
//!
//! The broker is the one that `KAFKA_BROKERS` names, else one that the bench starts and ends itself.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::{
    collections::VecDeque,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use log::{Log, Tail, Topic, clock};
use log_kafka::{
    KafkaConfig, KafkaLog,
    topics::{self, Wanted},
};
use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _},
    message::DeliveryResult,
    producer::{BaseRecord, ProducerContext, ThreadedProducer},
};
use tempfile::TempDir;

const PARTITIONS: u32 = 8;
const SIZE: usize = 500;
const ROUNDS: usize = 3;
const MANY: usize = 200_000;
/// Appends under way in each partition.
const AT_ONCE: usize = 500;
const SINGLE: usize = 3_000;
/// Appends a second while it is measured how soon they are seen.
const PACE: usize = 2_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (brokers, _own) = brokers()?;
    let cores = std::thread::available_parallelism()?;
    println!(
        "measured on {cores} cores with the broker among them, {SIZE}-byte records, {PARTITIONS} partitions"
    );
    println!("ratios are to a bare producer and consumer of librdkafka in the same run");

    let [mut many, mut many_ratio, mut single, mut read, mut read_ratio, mut p50, mut p99] =
        std::array::from_fn(|_| Rounds::default());
    for round in 0..=ROUNDS {
        let topic = Topic(Box::leak(format!("bench-{}-{round}", clock::now()).into_boxed_str()));
        let log = runtime.block_on(open(&brokers, topic))?;
        let name: Arc<str> = format!("{}{topic}", KafkaConfig::new("").prefix).into();

        let ours = MANY as f64 / runtime.block_on(append_many(&log, topic))?.as_secs_f64();
        let bare = Bare::open(&brokers, name.clone())?;
        let theirs = MANY as f64 / bare.append_many()?.as_secs_f64();
        let one = SINGLE as f64 / runtime.block_on(append_singly(&log, topic))?.as_secs_f64();
        let bare_one = SINGLE as f64 / bare.append_singly()?.as_secs_f64();
        println!("appends: {ours:.0}/s, bare {theirs:.0}/s; one at a time: {one:.0}/s, bare {bare_one:.0}/s");

        let records = 2 * (MANY + SINGLE);
        let cold = runtime.block_on(reopen(&brokers, topic))?;
        let our_read = records as f64 / runtime.block_on(read_all(&cold, topic, records))?.as_secs_f64();
        let bare_read = records as f64 / bare_consume(&brokers, &name, records)?.as_secs_f64();
        println!("reading from the start: {our_read:.0}/s, bare {bare_read:.0}/s");

        let mut seen = runtime.block_on(see(&log, &cold, topic))?;
        seen.sort();
        let (median, slow) = (seen[seen.len() / 2], seen[seen.len() * 99 / 100]);
        println!("seen by another reader, at {PACE}/s: p50 {median:.1?}, p99 {slow:.1?}");
        runtime.block_on(async { tokio::join!(log.close(), cold.close()) });
        if round == 0 {
            println!("(all of this to warm up)");
            continue;
        }
        many.0.push(ours);
        many_ratio.0.push(ours / theirs);
        single.0.push(one / bare_one);
        read.0.push(our_read);
        read_ratio.0.push(our_read / bare_read);
        p50.0.push(median.as_secs_f64() * 1e3);
        p99.0.push(slow.as_secs_f64() * 1e3);
    }
    many.at_least("kafka.append.rate", "records/s", 100_000.0);
    many_ratio.at_least("kafka.append.ratio", "of_bare", 0.8);
    single.at_least("kafka.append_single.ratio", "of_bare", 0.8);
    read.at_least("kafka.read.rate", "records/s", 300_000.0);
    read_ratio.at_least("kafka.read.ratio", "of_bare", 0.6);
    p50.at_most("kafka.seen.p50_ms", "ms", 3.0);
    p99.at_most("kafka.seen.p99_ms", "ms", 15.0);
    Ok(())
}

/// Brokers to measure on, and what keeps them.
fn brokers() -> Outcome<(String, Option<Own>)> {
    if let Ok(named) = std::env::var("KAFKA_BROKERS") {
        return Ok((named, None));
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().to_str().ok_or("a folder without a readable name")?.to_owned();
    let up = Command::new(SCRIPT)
        .args(["up", &path])
        .env("BROKER_OWNER", std::process::id().to_string())
        .env("BROKER_JAVA", "-Xms512m -Xmx512m")
        .output()?;
    if !up.status.success() {
        return Err(String::from_utf8_lossy(&up.stderr).into());
    }
    Ok((String::from_utf8_lossy(&up.stdout).trim().to_owned(), Some(Own(path, dir))))
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kafka/broker.sh");

struct Own(String, #[allow(dead_code, reason = "the folder goes with it")] TempDir);

impl Drop for Own {
    fn drop(&mut self) {
        // Failing that, they end with this process.
        let _ = Command::new(SCRIPT).args(["down", &self.0, "KILL"]).status();
    }
}

/// Bodies that compress about as little as what is sealed.
fn body() -> Bytes {
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    noise.take(SIZE).collect()
}

async fn open(brokers: &str, topic: Topic) -> Outcome<KafkaLog> {
    let wanted = Wanted { topic, partitions: PARTITIONS, copies: None };
    topics::create(&KafkaConfig::new(brokers), &[wanted]).await?;
    reopen(brokers, topic).await
}

async fn reopen(brokers: &str, topic: Topic) -> Outcome<KafkaLog> {
    let config = KafkaConfig::new(brokers);
    Ok(tokio::task::spawn_blocking(move || KafkaLog::open(config, &[topic])).await??)
}

async fn append_many(log: &KafkaLog, topic: Topic) -> Outcome<Duration> {
    let body = body();
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..PARTITIONS {
        let (log, body) = (log.clone(), body.clone());
        tasks.spawn(async move {
            let mut under_way: VecDeque<log::Appending> = VecDeque::new();
            for _ in 0..MANY / PARTITIONS as usize {
                if under_way.len() == AT_ONCE
                    && let Some(appending) = under_way.pop_front()
                {
                    appending.await?;
                }
                under_way.push_back(log.append(topic.partition(number), vec![body.clone()]));
            }
            for appending in under_way {
                appending.await?;
            }
            Ok::<_, log::Error>(())
        });
    }
    tasks.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(began.elapsed())
}

async fn append_singly(log: &KafkaLog, topic: Topic) -> Outcome<Duration> {
    let body = body();
    let began = Instant::now();
    for _ in 0..SINGLE {
        log.append(topic.partition(0), vec![body.clone()]).await?;
    }
    Ok(began.elapsed())
}

async fn read_all(log: &KafkaLog, topic: Topic, records: usize) -> Outcome<Duration> {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..PARTITIONS {
        let partition = topic.partition(number);
        let (end, mut tail) = (log.end(partition).await?, Tail::new(Arc::new(log.clone()), partition, 0));
        tasks.spawn(async move {
            let mut count = 0;
            while tail.next_position() < end {
                count += tail.batch().await?.len();
            }
            Ok::<_, log::Error>(count)
        });
    }
    let read: usize = tasks.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().sum();
    if read == records { Ok(began.elapsed()) } else { Err(format!("read {read} of {records}").into()) }
}

/// How long after an append was begun another log's reader has it.
async fn see(log: &KafkaLog, other: &KafkaLog, topic: Topic) -> Outcome<Vec<Duration>> {
    let began = Instant::now();
    let partition = topic.partition(1);
    let mut tail = Tail::new(Arc::new(other.clone()), partition, other.end(partition).await?);
    let wanted = 3 * PACE;
    let reader = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.len() < wanted {
            for record in tail.batch().await? {
                let mut since = [0; 8];
                since.copy_from_slice(&record.bytes[..8]);
                seen.push(began.elapsed() - Duration::from_nanos(u64::from_le_bytes(since)));
            }
        }
        Ok::<_, log::Error>(seen)
    });
    let mut body = body().to_vec();
    let mut ticks = tokio::time::interval(Duration::from_secs(10) / PACE as u32);
    for _ in 0..wanted / 10 {
        ticks.tick().await;
        for _ in 0..10 {
            body[..8].copy_from_slice(&u64::try_from(began.elapsed().as_nanos())?.to_le_bytes());
            drop(log.append(partition, vec![Bytes::copy_from_slice(&body)]));
        }
    }
    Ok(reader.await??)
}

/// What anybody would write: an idempotent producer with the same settings, told by callback.
struct Bare {
    native: ThreadedProducer<Count>,
    delivered: Arc<AtomicUsize>,
    name: Arc<str>,
}

struct Count(Arc<AtomicUsize>);

impl ClientContext for Count {}

impl ProducerContext for Count {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Relaxed);
        }
    }
}

impl Bare {
    fn open(brokers: &str, name: Arc<str>) -> Outcome<Self> {
        let delivered = Arc::new(AtomicUsize::new(0));
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "0.5")
            .set("compression.codec", "lz4");
        let native = ThreadedProducer::from_config_and_context(&config, Count(delivered.clone()))?;
        Ok(Bare { native, delivered, name })
    }

    fn send(&self, body: &Bytes, partition: usize) -> Outcome<()> {
        let record: BaseRecord<'_, (), [u8]> =
            BaseRecord::to(&self.name).partition(i32::try_from(partition)?).payload(body);
        self.native.send(record).map_err(|(error, _)| error.into())
    }

    fn append_many(&self) -> Outcome<Duration> {
        let (body, before, began) = (body(), self.delivered.load(Relaxed), Instant::now());
        let delivered = || self.delivered.load(Relaxed) - before;
        for sent in 0..MANY {
            while sent - delivered() >= AT_ONCE * PARTITIONS as usize {
                std::thread::yield_now();
            }
            self.send(&body, sent % PARTITIONS as usize)?;
        }
        while delivered() < MANY {
            std::thread::yield_now();
        }
        Ok(began.elapsed())
    }

    fn append_singly(&self) -> Outcome<Duration> {
        let (body, began) = (body(), Instant::now());
        for _ in 0..SINGLE {
            let before = self.delivered.load(Relaxed);
            self.send(&body, 0)?;
            while self.delivered.load(Relaxed) == before {
                std::thread::yield_now();
            }
        }
        Ok(began.elapsed())
    }
}

fn bare_consume(brokers: &str, name: &str, records: usize) -> Outcome<Duration> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true");
    let native: BaseConsumer = config.create()?;
    let mut assigned = TopicPartitionList::new();
    for number in 0..PARTITIONS {
        assigned.add_partition_offset(name, i32::try_from(number)?, Offset::Beginning)?;
    }
    let began = Instant::now();
    native.assign(&assigned)?;
    let mut read = 0;
    while read < records {
        if let Some(message) = native.poll(Duration::from_secs(1)) {
            message?;
            read += 1;
        }
    }
    Ok(began.elapsed())
}

#[derive(Default)]
struct Rounds(Vec<f64>);

impl Rounds {
    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn at_least(&self, name: &str, unit: &str, target: f64) {
        self.tell(name, unit, target, |value| value >= target);
    }

    fn at_most(&self, name: &str, unit: &str, target: f64) {
        self.tell(name, unit, target, |value| value <= target);
    }

    fn tell(&self, name: &str, unit: &str, target: f64, reached: impl Fn(f64) -> bool) {
        let sorted = self.sorted();
        let [least, .., most] = sorted[..] else { return };
        let median = sorted[sorted.len() / 2];
        let verdict = if reached(median) { "ok" } else { "short" };
        println!("{name}: {median:.2} {unit}, from {least:.2} to {most:.2}");
        println!("figure {name} {median:.2} {unit} reach {target} {verdict}");
    }
}
