//! The broker that both sides stand on, and its topics.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::{Client, DefaultClientContext},
    consumer::{BaseConsumer, Consumer as _},
    types::RDKafkaErrorCode,
};
use tokio::runtime::Runtime;

use super::shared::{Outcome, report::folder};

const PATIENCE: Duration = Duration::from_secs(30);
/// Compiled well and with room, unlike a broker that tests start.
const JAVA: &str = "-Xms1g -Xmx1g -XX:+UseG1GC";

/// One broker of our own, gone when dropped; or the cluster that `KAFKA_BROKERS` names.
pub(crate) struct Cluster {
    pub(crate) brokers: String,
    ours: Option<Broker>,
    admin: AdminClient<DefaultClientContext>,
    runtime: Runtime,
}

struct Broker {
    script: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn start() -> Outcome<Cluster> {
        let (brokers, ours) = match std::env::var("KAFKA_BROKERS") {
            Ok(brokers) => (brokers, None),
            Err(_) => {
                let broker = Broker {
                    script: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/kafka/broker.sh"),
                    folder: tempfile::tempdir_in(folder())?,
                };
                (broker.start()?, Some(broker))
            }
        };
        let admin = ClientConfig::new().set("bootstrap.servers", &brokers).create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Cluster { brokers, ours, admin, runtime })
    }

    pub(crate) fn client(&self) -> &Client<DefaultClientContext> {
        self.admin.inner()
    }

    /// Makes topics as Tributary has them.
    pub(crate) fn create(&self, topics: &[(String, u32)]) -> Outcome<()> {
        let new = topics.iter().map(|(name, partitions)| {
            let count = i32::try_from(*partitions).unwrap_or(i32::MAX);
            NewTopic::new(name, count, TopicReplication::Fixed(1))
                .set("message.timestamp.type", "LogAppendTime")
                .set("retention.ms", "-1")
                .set("max.message.bytes", "16842752")
        });
        let new: Vec<_> = new.collect();
        let created = self.runtime.block_on(self.admin.create_topics(&new, &AdminOptions::new()))?;
        for one in created {
            one.map_err(|(name, code)| format!("the topic {name} was not made: {code}"))?;
        }
        // What the controller has made, a broker may not know yet.
        let deadline = Instant::now() + PATIENCE;
        while !topics.iter().all(|(name, partitions)| self.leads(name, *partitions)) {
            if Instant::now() > deadline {
                return Err(format!("the brokers do not know all of {topics:?}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn leads(&self, topic: &str, partitions: u32) -> bool {
        let known = self.admin.inner().fetch_metadata(Some(topic), PATIENCE);
        let led = known.iter().flat_map(|known| known.topics()).flat_map(|topic| topic.partitions());
        led.filter(|partition| partition.leader() >= 0).count() == partitions as usize
    }

    /// Removes all topics whose names begin so, and waits until they are gone.
    pub(crate) fn remove(&self, prefixes: &[&str]) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metadata = self.admin.inner().fetch_metadata(None, PATIENCE)?;
            let ours = |name: &&str| prefixes.iter().any(|prefix| name.starts_with(prefix));
            let names: Vec<_> = metadata.topics().iter().map(|topic| topic.name()).filter(ours).collect();
            if names.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the topics {names:?} do not go away").into());
            }
            for one in self.runtime.block_on(self.admin.delete_topics(&names, &AdminOptions::new()))? {
                match one {
                    Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                    Err((name, code)) => {
                        return Err(format!("the topic {name} was not removed: {code}").into());
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Reads every partition of a topic from the beginning, what was committed alone. It meets an end as an error.
    pub(crate) fn read(&self, topic: &str, partitions: u32) -> Outcome<BaseConsumer> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", "bench-readers")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.error.backoff.ms", "5")
            .set("fetch.queue.backoff.ms", "5")
            .set("queued.max.messages.kbytes", "65536")
            .create()?;
        let mut all = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions)? {
            all.add_partition_offset(topic, partition, rdkafka::Offset::Beginning)?;
        }
        consumer.assign(&all)?;
        Ok(consumer)
    }

    pub(crate) fn told(&self) -> &'static str {
        if self.ours.is_some() { "one broker of its own" } else { "the brokers of KAFKA_BROKERS" }
    }
}

impl Broker {
    fn start(&self) -> Outcome<String> {
        let mut command = Command::new("bash");
        command.arg(&self.script).arg("up").arg(self.folder.path());
        // Should we be killed, it goes with us.
        command.env("BROKER_OWNER", std::process::id().to_string()).env("BROKER_JAVA", JAVA);
        let output = command.stderr(Stdio::inherit()).output()?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?.trim().to_owned()),
            false => Err(format!("{} could not start a broker", self.script.display()).into()),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let stopped = Command::new("bash").arg(&self.script).arg("down").arg(self.folder.path()).status();
        if !stopped.is_ok_and(|status| status.success()) {
            eprintln!("the broker in {} could not be stopped", self.folder.path().display());
        }
    }
}
