//! The log that the configuration names, opened: the embedded one, or one on Kafka where this build has it.

use std::sync::Arc;

use anyhow::Context as _;
use log::{LocalConfig, LocalLog, Log};

use crate::{
    config::{Config, LogAt},
    exit::Unusable,
    layout::{self, Layout, every_topic},
};

/// A log that can be written, and closed in order.
#[derive(Clone)]
pub enum Opened {
    Local(LocalLog),
    #[cfg(feature = "kafka")]
    Kafka(log_kafka::KafkaLog),
}

impl Opened {
    pub fn log(&self) -> Arc<dyn Log> {
        match self {
            Opened::Local(log) => Arc::new(log.clone()),
            #[cfg(feature = "kafka")]
            Opened::Kafka(log) => Arc::new(log.clone()),
        }
    }

    /// Takes no more, and finishes what it has.
    pub async fn close(&self) {
        match self {
            Opened::Local(log) => log.close().await,
            #[cfg(feature = "kafka")]
            Opened::Kafka(log) => log.close().await,
        }
    }
}

/// The log must be one that this build can open.
pub fn check(config: &Config) -> Result<(), Unusable> {
    match &config.log {
        LogAt::Local => Ok(()),
        #[cfg(feature = "kafka")]
        LogAt::Kafka(_) => Ok(()),
        #[cfg(not(feature = "kafka"))]
        LogAt::Kafka(brokers) => Err(without_kafka(brokers)),
    }
}

#[cfg(not(feature = "kafka"))]
pub fn without_kafka(brokers: &str) -> Unusable {
    Unusable(format!(
        "log = \"kafka://{brokers}\": this build has no Kafka; build one that has, with `cargo build --release \
         --features kafka`, or use log = \"local\""
    ))
}

/// Opens the log for writing, with the partitions that the configuration says. The embedded one is made where there is
/// none; of Kafka, everything must be as it should be.
pub async fn open(config: &Config, layout: &Layout) -> anyhow::Result<Opened> {
    match &config.log {
        LogAt::Local => {
            let (dir, topics) = (layout.log(), layout::topics(config.partitions.topology()));
            let opened = tokio::task::spawn_blocking(move || {
                std::fs::create_dir_all(&dir).map(|()| LocalLog::open(&dir, &topics, LocalConfig::default()))
            });
            let opened = opened.await?.context("could not create the log's folder")?;
            Ok(Opened::Local(opened.context("could not open the log")?))
        }
        #[cfg(feature = "kafka")]
        LogAt::Kafka(brokers) => {
            kafka::check_topics(config, brokers).await?;
            let settings = kafka::settings(config, brokers)?;
            let opened = tokio::task::spawn_blocking(move || kafka::open(settings));
            Ok(Opened::Kafka(opened.await??))
        }
        #[cfg(not(feature = "kafka"))]
        LogAt::Kafka(brokers) => Err(without_kafka(brokers).into()),
    }
}

/// Opens a log that exists, with the partition counts it has. Of the embedded one nothing can be written then.
///
/// Blocks the thread; needs a runtime of several.
pub fn open_to_read(config: &Config, layout: &Layout) -> anyhow::Result<Arc<dyn Log>> {
    match &config.log {
        LogAt::Local => {
            let dir = layout.log();
            let log = LocalLog::open_read_only(&dir, &every_topic())
                .with_context(|| format!("could not open the log in {}", dir.display()))?;
            Ok(Arc::new(log))
        }
        #[cfg(feature = "kafka")]
        LogAt::Kafka(brokers) => {
            let settings = kafka::settings(config, brokers)?;
            Ok(Arc::new(tokio::task::block_in_place(|| kafka::open(settings))?))
        }
        #[cfg(not(feature = "kafka"))]
        LogAt::Kafka(brokers) => Err(without_kafka(brokers).into()),
    }
}

#[cfg(feature = "kafka")]
pub mod kafka {
    //! What the configuration says of a cluster, in the words of `log_kafka`.

    use std::time::Duration;

    use anyhow::{Context as _, bail};
    use log_kafka::{
        KafkaConfig, KafkaLog,
        topics::{self, Wanted},
    };

    use crate::{
        config::{Config, Secret},
        layout::{self, every_topic},
    };

    pub fn settings(config: &Config, brokers: &str) -> anyhow::Result<KafkaConfig> {
        let kafka = &config.kafka;
        let mut settings = KafkaConfig::new(brokers);
        settings.prefix.clone_from(&kafka.prefix);
        settings.instance.clone_from(&kafka.instance);
        settings.session_timeout = Duration::from_secs(kafka.session_seconds);
        settings.delivery_timeout = Duration::from_secs(kafka.delivery_seconds);
        for (key, value) in &kafka.client {
            let secret = value.starts_with("env:") || value.starts_with("file:");
            let value = match secret {
                true => {
                    Secret::reference(value).resolve().with_context(|| format!("kafka.client.{key:?}"))?
                }
                false => value.clone(),
            };
            settings.client.insert(key.clone(), value);
        }
        Ok(settings)
    }

    pub(super) fn open(settings: KafkaConfig) -> anyhow::Result<KafkaLog> {
        let brokers = settings.brokers.clone();
        KafkaLog::open(settings, &every_topic()).with_context(|| {
            format!(
                "could not open the log at kafka://{brokers} (`tributary topics create` makes missing topics)"
            )
        })
    }

    /// The topics as the configuration wants them.
    pub fn wanted(config: &Config) -> Vec<Wanted> {
        let copies = config.kafka.copies;
        let topics = layout::topics(config.partitions.topology()).into_iter();
        topics.map(|(topic, partitions)| Wanted { topic, partitions, copies }).collect()
    }

    pub(super) async fn check_topics(config: &Config, brokers: &str) -> anyhow::Result<()> {
        let checked = topics::check(&settings(config, brokers)?, &wanted(config)).await;
        let findings = checked.with_context(|| format!("could not check the topics at kafka://{brokers}"))?;
        if findings.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = findings.iter().map(|finding| format!("\n  {finding}")).collect();
        bail!("the topics at kafka://{brokers} are not as they must be:{}", lines.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_kafka_says_how_to_get_one() {
        let config = Config { log: LogAt::Kafka("k:9092".into()), ..Config::default() };
        let refused = check(&config).err().map(|refused| refused.to_string());
        assert_eq!(refused.is_none(), cfg!(feature = "kafka"));
        if let Some(refused) = refused {
            assert!(refused.contains("kafka://k:9092") && refused.contains("--features kafka"), "{refused}");
        }
    }
}
