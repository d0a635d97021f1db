//! Brokers die and freeze under appends. Whatever happens to them: what was acknowledged stands where it was
//! acknowledged, in the order of the calls; what is not known is said to be unknown; who follows sees all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use log::{Error, Limit, Log, Partition, Tail, Topic};
use log_kafka::{KafkaConfig, KafkaLog};
use rdkafka::{
    mocking::MockCluster,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use tokio::{task::JoinHandle, time::sleep};

use crate::brokers::{self, Brokers, fresh_topic, log_with};

const PARTITIONS: u32 = 2;
const APPENDERS: u32 = 4;
/// Appends of one appender under way at a time.
const AT_ONCE: u64 = 16;

fn bytes(text: impl Into<Vec<u8>>) -> Vec<Bytes> {
    vec![Bytes::from(text.into())]
}

async fn texts(log: &KafkaLog, partition: Partition) -> Vec<(u64, String)> {
    let mut tail = Tail::new(Arc::new(log.clone()), partition, log.start(partition).await.expect("start"));
    let mut all = Vec::new();
    loop {
        let records = tail.ready().await.expect("read");
        if records.is_empty() {
            return all;
        }
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("text");
        all.extend(records.into_iter().map(|record| (record.position, text(record.bytes))));
    }
}

/// Appenders and followers at work.
struct Load {
    log: KafkaLog,
    topic: Topic,
    stop: Arc<AtomicBool>,
    appenders: Vec<JoinHandle<Told>>,
    followers: Vec<JoinHandle<Vec<(u64, String)>>>,
}

/// What an appender was told.
struct Told {
    partition: Partition,
    /// In the order of the calls.
    acknowledged: Vec<(u64, String)>,
    unknown: BTreeSet<String>,
}

impl Load {
    fn start(log: KafkaLog, topic: Topic) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let appenders = (0..APPENDERS)
            .map(|appender| {
                let partition = topic.partition(appender % PARTITIONS);
                tokio::spawn(append(log.clone(), partition, appender, stop.clone()))
            })
            .collect();
        let followers = (0..PARTITIONS)
            .map(|number| tokio::spawn(follow(log.clone(), topic.partition(number))))
            .collect();
        Load { log, topic, stop, appenders, followers }
    }

    /// Ends the appenders, and holds what they were told against what stands in the log.
    async fn check(self) {
        self.stop.store(true, Relaxed);
        let mut told = Vec::new();
        for appender in self.appenders {
            told.push(appender.await.expect("an appender"));
        }
        for number in 0..PARTITIONS {
            let partition = self.topic.partition(number);
            self.log.append(partition, bytes("the end")).await.expect("the brokers are back");
        }
        let mut followed = Vec::new();
        for follower in self.followers {
            followed.push(follower.await.expect("a follower"));
        }
        for (number, seen) in (0..PARTITIONS).zip(followed) {
            let stands = texts(&self.log, self.topic.partition(number)).await;
            assert_eq!(seen, stands, "who followed partition {number} saw what stands in it");
            let stands: BTreeMap<u64, String> = stands.into_iter().collect();
            let mut known = BTreeSet::from(["the end".to_owned()]);
            for told in told.iter().filter(|told| told.partition.number == number) {
                assert!(!told.acknowledged.is_empty(), "something was acknowledged");
                assert!(told.acknowledged.is_sorted(), "in the order of the calls");
                for (position, text) in &told.acknowledged {
                    assert_eq!(stands.get(position), Some(text), "acknowledged at {position}");
                    assert!(known.insert(text.clone()), "{text} was acknowledged once");
                    assert_eq!(
                        stands.values().filter(|other| *other == text).count(),
                        1,
                        "{text} is there once"
                    );
                }
                known.extend(told.unknown.iter().cloned());
            }
            for text in stands.values() {
                assert!(known.contains(text), "{text} was refused, and stands there");
            }
        }
    }
}

async fn append(log: KafkaLog, partition: Partition, appender: u32, stop: Arc<AtomicBool>) -> Told {
    let mut told = Told { partition, acknowledged: Vec::new(), unknown: BTreeSet::new() };
    let mut next = 0u64;
    while !stop.load(Relaxed) {
        let batch = next..next + AT_ONCE;
        let sent = batch.map(|n| {
            let text = format!("{appender}-{n:08}");
            (log.append(partition, bytes(text.clone())), text)
        });
        for (appending, text) in sent.collect::<Vec<_>>() {
            match appending.await {
                Ok(position) => told.acknowledged.push((position, text)),
                Err(error) if error.is_unknown() => drop(told.unknown.insert(text)),
                Err(Error::Full(_)) => {}
                Err(other) => panic!("an append gave {other:?}"),
            }
        }
        next += AT_ONCE;
        sleep(Duration::from_millis(5)).await;
    }
    told
}

async fn follow(log: KafkaLog, partition: Partition) -> Vec<(u64, String)> {
    let mut tail = Tail::new(Arc::new(log), partition, 0);
    let mut seen = Vec::new();
    loop {
        for record in tail.batch().await.expect("a follower goes on") {
            let text = String::from_utf8(record.bytes.to_vec()).expect("text");
            let ends = text == "the end";
            seen.push((record.position, text));
            if ends {
                return seen;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_as_a_broker_is_killed_and_comes_back() {
    let Some(brokers) = Brokers::up(1) else { return };
    let topic = fresh_topic();
    // However long a broker takes to come back here.
    let patient =
        KafkaConfig { delivery_timeout: Duration::from_secs(120), ..KafkaConfig::new(&brokers.addresses) };
    let log = log_with(&patient, topic, PARTITIONS).await;
    let load = Load::start(log, topic);
    for pause in [700, 300] {
        sleep(Duration::from_millis(pause)).await;
        brokers.signal(1, "KILL");
        brokers.again(1);
    }
    sleep(Duration::from_millis(500)).await;
    load.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_leaves_appends_unknown_and_goes_on() {
    let Some(brokers) = Brokers::up(1) else { return };
    let topic = fresh_topic();
    let impatient =
        KafkaConfig { delivery_timeout: Duration::from_secs(2), ..KafkaConfig::new(&brokers.addresses) };
    let log = log_with(&impatient, topic, PARTITIONS).await;
    let load = Load::start(log.clone(), topic);
    sleep(Duration::from_millis(500)).await;
    brokers.signal(1, "STOP");
    let error = log.append(topic.partition(0), bytes("frozen")).await.expect_err("nobody answers");
    assert!(matches!(error, Error::Unknown { source: Some(_), .. }), "{error:?}");
    brokers.signal(1, "CONT");
    while log.append(topic.partition(0), bytes("0-again")).await.is_err() {
        sleep(Duration::from_millis(100)).await;
    }
    // These two are of no appender of the load.
    let stands = texts(&log, topic.partition(0)).await;
    assert!(stands.iter().any(|(_, text)| text == "0-again"));
    load.stop.store(true, Relaxed);
    for appender in load.appenders {
        let told = appender.await.expect("an appender");
        assert!(!told.unknown.is_empty(), "what was under way as the broker froze is unknown");
        let stands: BTreeMap<_, _> = texts(&log, told.partition).await.into_iter().collect();
        for (position, text) in &told.acknowledged {
            assert_eq!(stands.get(position), Some(text), "acknowledged at {position}");
        }
    }
    load.followers.iter().for_each(JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_what_it_refused_is_not_there() {
    let Some(brokers) = Brokers::up(1) else { return };
    let topic = fresh_topic();
    let narrow = KafkaConfig { queue_bytes: 10_000, ..KafkaConfig::new(&brokers.addresses) };
    let log = log_with(&narrow, topic, PARTITIONS).await;
    let partition = topic.partition(0);
    log.append(partition, bytes("before")).await.expect("append");
    brokers.signal(1, "STOP");
    // Larger than the bound, and taken, because nothing else queues.
    let taken = log.append(partition, bytes(vec![b'x'; 20_000]));
    let refused = log.append(partition, bytes("refused")).await.expect_err("the queue is full");
    assert!(matches!(refused, Error::Full(named) if named == partition) && !refused.is_unknown());
    let elsewhere = log.append(topic.partition(1), bytes("elsewhere"));
    brokers.signal(1, "CONT");
    taken.await.expect("taken");
    elsewhere.await.expect("another partition has a queue of its own");
    log.append(partition, bytes("after")).await.expect("there is room again");
    let lengths: Vec<_> = texts(&log, partition).await.iter().map(|(_, text)| text.len()).collect();
    assert_eq!(lengths, ["before".len(), 20_000, "after".len()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_gave_up_is_replaced() {
    let cluster = MockCluster::new(1).expect("a stand-in");
    let config = KafkaConfig::new(cluster.bootstrap_servers());
    let topic = fresh_topic();
    cluster.create_topic(&format!("{}{topic}", config.prefix), 1, 1).expect("a topic");
    // Which ends an idempotent producer for good.
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    cluster.request_errors(RDKafkaApiKey::InitProducerId, &[denied]);
    let log = brokers::open(&config, topic).await;
    let partition = topic.partition(0);
    let error = log.append(partition, bytes("lost")).await.expect_err("the producer gave up");
    assert!(error.is_unknown(), "{error:?}");
    let position = log.append(partition, bytes("taken")).await.expect("another producer");
    assert_eq!(texts(&log, partition).await, [(position, "taken".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_of_several_fails_as_one() {
    let cluster = MockCluster::new(1).expect("a stand-in");
    let impatient = KafkaConfig {
        delivery_timeout: Duration::from_millis(500),
        ..KafkaConfig::new(cluster.bootstrap_servers())
    };
    let topic = fresh_topic();
    cluster.create_topic(&format!("{}{topic}", impatient.prefix), 1, 1).expect("a topic");
    let log = brokers::open(&impatient, topic).await;
    let partition = topic.partition(0);
    let several = || ["a", "b", "c"].map(Bytes::from).to_vec();
    let last = log.append(partition, several()).await.expect("append");
    cluster.broker_down(1).expect("a broker that goes");
    let error = log.append(partition, several()).await.expect_err("nobody is there");
    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    cluster.broker_up(1).expect("a broker that comes");
    while log.append(partition, bytes("back")).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    let records = log.read(partition, last, Limit { records: 1, bytes: 0 }).await.expect("read");
    assert_eq!(
        records.first().map(|record| record.bytes.clone()),
        Some(Bytes::from("c")),
        "the last of the first"
    );
}
