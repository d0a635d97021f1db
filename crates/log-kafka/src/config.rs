//! What an operator says about the cluster, and what librdkafka is told because of it.

use std::{collections::BTreeMap, time::Duration};

use log::MAX_RECORD;
use rdkafka::ClientConfig;

/// What a message may have beside its record's bytes: Kafka's own framing, generously.
const FRAMING: usize = 1 << 16;

/// The largest message that a topic must take, in bytes.
pub(crate) const MAX_MESSAGE: usize = MAX_RECORD + FRAMING;

const HEARTBEAT: Duration = Duration::from_millis(300);

/// Settings of librdkafka that the log's promises rest on, by all their names.
const OURS: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.offset.reset",
    "bootstrap.servers",
    "check.crcs",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "fetch.wait.max.ms",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "request.required.acks",
    "retries",
    "session.timeout.ms",
    "transactional.id",
];

/// Where the cluster is and how it is used. What matters to most is `brokers` and, for TLS and SASL, `client`.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// Where to find the cluster: `HOST:PORT`, several separated by commas.
    pub brokers: String,
    /// Stands before the name of every topic and group in the cluster.
    pub prefix: String,
    /// Settings of librdkafka, as it names them, such as `security.protocol`. Those that the log's promises rest on are
    /// refused.
    pub client: BTreeMap<String, String>,
    /// Bytes of recent records kept in memory over all partitions.
    pub recent_bytes: usize,
    /// Bytes that one partition's unacknowledged appends may have before more are [`log::Error::Full`].
    pub queue_bytes: usize,
    /// The same over all partitions.
    pub total_queue_bytes: usize,
    /// How many consumers read what has left memory, and so how many readers may be at different places of one partition
    /// at a time; each costs a few threads and a connection to each broker.
    pub history_consumers: usize,
    /// An append that was not acknowledged for so long is [`log::Error::Unknown`].
    pub delivery_timeout: Duration,
    /// How long the cluster may take to answer anything else.
    pub patience: Duration,
    /// The end of a partition that nobody here has read for so long, or up to twice that, is followed no more.
    pub idle: Duration,
    /// How often the cluster is asked whether the ends that bring nothing have nothing to bring. One that is behind for two
    /// such looks is followed anew.
    pub look: Duration,
    /// A member of a group that is silent for so long is given up. Longer than brokers take to find out that one of them is
    /// gone (`broker.session.timeout.ms`, 9 s), else the loss of a broker that coordinates a group costs its members their
    /// partitions. The brokers' own bounds apply: from 6 s, as a rule.
    pub session_timeout: Duration,
    /// The name of a static member, unique in the cluster: one that comes back within the session has its partitions
    /// again, and nobody is disturbed.
    pub instance: Option<String>,
}

impl KafkaConfig {
    pub fn new(brokers: impl Into<String>) -> Self {
        KafkaConfig {
            brokers: brokers.into(),
            prefix: "tributary.".into(),
            client: BTreeMap::new(),
            recent_bytes: 16 << 20,
            queue_bytes: 4 << 20,
            total_queue_bytes: 128 << 20,
            history_consumers: 4,
            delivery_timeout: Duration::from_secs(15),
            patience: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            look: Duration::from_secs(3),
            session_timeout: Duration::from_secs(12),
            instance: None,
        }
    }

    /// What a topic or group of ours is called in the cluster.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// What every client has in common; fails for settings that are not the operator's to choose.
    fn common(&self) -> Result<ClientConfig, Unusable> {
        if let Some(ours) = self.client.keys().find(|key| OURS.contains(&key.as_str())) {
            return Err(Unusable::Ours(ours.clone()));
        }
        if self.brokers.split(',').any(|broker| broker.trim().is_empty()) {
            return Err(Unusable::NoBrokers(self.brokers.clone()));
        }
        let mut client = ClientConfig::new();
        client
            .set("client.id", "tributary")
            // Who is not heard is found out within seconds, and asked again as soon as it is back.
            .set("socket.timeout.ms", "6000")
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000");
        for (key, value) in &self.client {
            client.set(key, value);
        }
        client.set("bootstrap.servers", &self.brokers);
        Ok(client)
    }

    pub(crate) fn admin(&self) -> Result<ClientConfig, Unusable> {
        self.common()
    }

    pub(crate) fn producer(&self) -> Result<ClientConfig, Unusable> {
        let mut client = self.common()?;
        default(&mut client, "linger.ms", "0.5");
        default(&mut client, "compression.codec", "lz4");
        default(&mut client, "retry.backoff.ms", "50");
        client
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.max.bytes", MAX_MESSAGE.to_string())
            .set("message.timeout.ms", millis(self.delivery_timeout))
            // How much may queue is ours to say, by partition.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "2147483647");
        Ok(client)
    }

    fn reader(&self) -> Result<ClientConfig, Unusable> {
        let mut client = self.common()?;
        default(&mut client, "fetch.max.bytes", "2097152");
        default(&mut client, "fetch.message.max.bytes", "524288");
        default(&mut client, "fetch.queue.backoff.ms", "2");
        default(&mut client, "fetch.error.backoff.ms", "50");
        client
            // Without a name there is no assignment; nobody joins this group and nothing is committed.
            .set("group.id", self.name("readers"))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("isolation.level", "read_uncommitted")
            .set("check.crcs", "true");
        Ok(client)
    }

    pub(crate) fn tail(&self) -> Result<ClientConfig, Unusable> {
        let mut client = self.reader()?;
        default(&mut client, "queued.max.messages.kbytes", "4096");
        // A partition that is newly followed waits for the request under way.
        client.set("fetch.wait.max.ms", "50");
        Ok(client)
    }

    pub(crate) fn history(&self) -> Result<ClientConfig, Unusable> {
        let mut client = self.reader()?;
        default(&mut client, "queued.max.messages.kbytes", "1024");
        // A fetch under way at the end of one place holds up the first of the next.
        client.set("fetch.wait.max.ms", "2");
        Ok(client)
    }

    pub(crate) fn member(&self, group: &str) -> Result<ClientConfig, Unusable> {
        let mut client = self.common()?;
        client
            .set("group.id", group)
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", millis(self.session_timeout))
            // Members hear that the group changes by their heartbeats, twice until each has what it gets.
            .set("heartbeat.interval.ms", millis(HEARTBEAT.min(self.session_timeout / 5)))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest")
            .set("allow.auto.create.topics", "false");
        if let Some(instance) = &self.instance {
            client.set("group.instance.id", format!("{instance}.{group}"));
        }
        Ok(client)
    }
}

/// Sets what the operator left open.
fn default(client: &mut ClientConfig, key: &str, value: &str) {
    if client.get(key).is_none() {
        client.set(key, value);
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("the setting {0:?} of librdkafka is not open to choice: what the log promises rests on it")]
    Ours(String),
    #[error("{0:?} is no list of brokers: write HOST:PORT, several separated by commas")]
    NoBrokers(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: &str) -> KafkaConfig {
        let mut config = KafkaConfig::new("127.0.0.1:9092");
        config.client.insert(key.into(), value.into());
        config
    }

    #[test]
    fn what_the_log_rests_on_is_not_open_to_choice() {
        for key in OURS {
            assert!(matches!(with(key, "0").producer(), Err(Unusable::Ours(named)) if named == *key));
        }
    }

    #[test]
    fn every_other_setting_is_passed_on_over_our_defaults() {
        let client = with("linger.ms", "5").producer().unwrap();
        assert_eq!(client.get("linger.ms"), Some("5"));
        let client = with("security.protocol", "ssl").tail().unwrap();
        assert_eq!(client.get("security.protocol"), Some("ssl"));
    }

    #[test]
    fn librdkafka_knows_what_we_tell_it() {
        let config = KafkaConfig { instance: Some("one".into()), ..KafkaConfig::new("127.0.0.1:9092") };
        let group = config.name("workers.x");
        for client in
            [config.admin(), config.producer(), config.tail(), config.history(), config.member(&group)]
        {
            client.unwrap().create_native_config().expect("every setting exists");
        }
    }

    #[test]
    fn brokers_are_needed() {
        for brokers in ["", "a:1,,b:2"] {
            assert!(matches!(KafkaConfig::new(brokers).tail(), Err(Unusable::NoBrokers(_))));
        }
    }
}
