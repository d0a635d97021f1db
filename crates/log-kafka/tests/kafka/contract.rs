//! The suite that every backend passes.

use std::sync::Arc;

use bytes::Bytes;
use log::{
    Limit, Log,
    conformance::{self, Fresh, PARTITIONS},
};
use log_kafka::{KafkaConfig, KafkaLog};
use rdkafka::mocking::MockCluster;

use crate::brokers::{self, fresh_topic, log_with};

/// Keeps nothing in memory, so every read goes to the cluster.
fn forgetful(config: KafkaConfig) -> KafkaConfig {
    KafkaConfig { recent_bytes: 0, ..config }
}

async fn conforms_on_the_stand_in(configured: impl Fn(KafkaConfig) -> KafkaConfig) {
    let cluster = MockCluster::new(3).expect("a stand-in");
    conformance::check_untrimmed(async || {
        let config = configured(KafkaConfig::new(cluster.bootstrap_servers()));
        let topic = fresh_topic();
        let name = format!("{}{topic}", config.prefix);
        cluster.create_topic(&name, PARTITIONS as i32, 3).expect("a topic");
        Fresh { log: Arc::new(brokers::open(&config, topic).await), topic }
    })
    .await;
}

async fn conforms_on_real_brokers(configured: impl Fn(KafkaConfig) -> KafkaConfig) {
    let Some(addresses) = brokers::shared() else { return };
    conformance::check(async || {
        let topic = fresh_topic();
        let log = log_with(&configured(KafkaConfig::new(addresses)), topic, PARTITIONS).await;
        Fresh { log: Arc::new(log) as Arc<dyn Log>, topic }
    })
    .await;
}

/// What was appended here comes into memory by its acknowledgement, and elsewhere by being read.
#[tokio::test(flavor = "multi_thread")]
async fn who_appended_reads_what_everybody_reads() {
    let Some(addresses) = brokers::shared() else { return };
    let (topic, config) = (fresh_topic(), KafkaConfig::new(addresses));
    let log = log_with(&config, topic, 1).await;
    let (there, from_disk) =
        (brokers::open(&config, topic).await, brokers::open(&forgetful(config.clone()), topic).await);
    let partition = topic.partition(0);
    let read = async |log: &KafkaLog| log.read(partition, 0, Limit::default()).await.expect("read");
    for log in [&log, &there, &from_disk] {
        assert_eq!(read(log).await, [], "from here on they follow");
    }
    let mut last = 0;
    for text in ["one", "another", ""] {
        last = log.append(partition, vec![Bytes::from(text)]).await.expect("append");
    }
    for log in [&there, &from_disk] {
        log.wait(partition, last).await.expect("wait");
    }
    let records = read(&log).await;
    assert_eq!(records.len(), 3);
    assert_eq!(read(&there).await, records);
    assert_eq!(read(&from_disk).await, records);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_keeps_the_contract_from_memory() {
    conforms_on_the_stand_in(|config| config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_keeps_the_contract_from_the_cluster() {
    conforms_on_the_stand_in(forgetful).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_brokers_keep_the_contract_from_memory() {
    conforms_on_real_brokers(|config| config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_brokers_keep_the_contract_from_the_cluster() {
    conforms_on_real_brokers(forgetful).await;
}
