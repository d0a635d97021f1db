//! Where tests find a cluster: the one that `KAFKA_BROKERS` names, or brokers that they start themselves. Where none can
//! be had a test says so and does nothing, unless `REQUIRE_KAFKA=1` makes that a failure.

use std::{
    path::Path,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use log::{Topic, clock};
use log_kafka::{KafkaConfig, KafkaLog, topics};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kafka/broker.sh");

/// The cluster that tests share which do it no harm.
pub(crate) fn shared() -> Option<&'static str> {
    static SHARED: OnceLock<Option<(String, Option<Brokers>)>> = OnceLock::new();
    let found = SHARED.get_or_init(|| match std::env::var("KAFKA_BROKERS") {
        Ok(named) => Some((named, None)),
        Err(_) => Brokers::up(1).map(|brokers| (brokers.addresses.clone(), Some(brokers))),
    });
    found.as_ref().map(|(addresses, _)| addresses.as_str())
}

/// Brokers of a test's own, to be killed and started again. They end with it, however it ends.
pub(crate) struct Brokers {
    pub(crate) addresses: String,
    pub(crate) dir: TempDir,
}

impl Brokers {
    pub(crate) fn up(count: usize) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder for the brokers");
        match run(&["up", path(dir.path()), &count.to_string()]) {
            Ok(addresses) => Some(Brokers { addresses, dir }),
            Err(why) if std::env::var("REQUIRE_KAFKA").is_ok_and(|required| required == "1") => {
                panic!("REQUIRE_KAFKA=1, and no broker can be had: {why}")
            }
            Err(why) => {
                eprintln!("SKIPPED, for no Kafka broker can be had (KAFKA_BROKERS names one): {why}");
                None
            }
        }
    }

    /// Sends a signal to one of them, counted from 1.
    pub(crate) fn signal(&self, number: usize, signal: &str) {
        run(&["signal", path(self.dir.path()), &number.to_string(), signal]).expect("a broker that runs");
    }

    /// Ends them as an operator would.
    pub(crate) fn end_cleanly(&mut self) {
        run(&["down", path(self.dir.path())]).expect("brokers that end");
    }

    /// Starts one of them again, and waits until it serves.
    pub(crate) fn again(&self, number: usize) {
        run(&["again", path(self.dir.path()), &number.to_string()]).expect("a broker that starts again");
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        // Failing that, they end with this process.
        let _ = run(&["down", path(self.dir.path()), "KILL"]);
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a readable path")
}

fn run(arguments: &[&str]) -> Result<String, String> {
    let owner = std::process::id().to_string();
    let output = Command::new(SCRIPT).args(arguments).env("BROKER_OWNER", owner).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
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
