//! Where tests find a cluster: the one that `KAFKA_BROKERS` names, or brokers that they start themselves; and logs there.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use log::{Topic, clock};
use log_kafka::{KafkaConfig, KafkaLog, topics};

#[path = "../../../../tests/kafka/brokers.rs"]
mod own;

pub(crate) use self::own::Brokers;

/// The cluster that tests share which do it no harm.
pub(crate) fn shared() -> Option<&'static str> {
    static SHARED: OnceLock<Option<(String, Option<Brokers>)>> = OnceLock::new();
    let found = SHARED.get_or_init(|| match std::env::var("KAFKA_BROKERS") {
        Ok(named) => Some((named, None)),
        Err(_) => Brokers::up(1).map(|brokers| (brokers.addresses.clone(), Some(brokers))),
    });
    found.as_ref().map(|(addresses, _)| addresses.as_str())
}

/// A topic that no other test knows.
pub(crate) fn fresh_topic() -> Topic {
    static TOPICS: AtomicUsize = AtomicUsize::new(0);
    let number = TOPICS.fetch_add(1, Relaxed);
    Topic(Box::leak(format!("test-{}-{}-{number}", std::process::id(), clock::now()).into_boxed_str()))
}

/// The topic, made as it should be, and a log with it.
pub(crate) async fn log_with(config: &KafkaConfig, topic: Topic, partitions: u32) -> KafkaLog {
    let wanted = topics::Wanted { topic, partitions, copies: None };
    topics::create(config, &[wanted]).await.expect("a topic");
    open(config, topic).await
}

pub(crate) async fn open(config: &KafkaConfig, topic: Topic) -> KafkaLog {
    let config = config.clone();
    let opened = tokio::task::spawn_blocking(move || KafkaLog::open(config, &[topic]));
    opened.await.expect("no panic").expect("a log")
}
