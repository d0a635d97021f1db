//! The suite that every backend passes.

use std::{sync::Arc, time::Duration};

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

/// Follows nothing for longer than it must.
fn restless(config: KafkaConfig) -> KafkaConfig {
    KafkaConfig { idle: Duration::from_millis(1), ..config }
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
    // A reading may end anywhere behind its first record.
    let all = async |log: &KafkaLog| {
        let mut records = read(log).await;
        while let Some(record) = records.last().filter(|record| record.position < last) {
            let more = log.read(partition, record.position + 1, Limit::default()).await.expect("read");
            records.extend(more);
        }
        records
    };
    let records = all(&log).await;
    assert_eq!(records.len(), 3);
    assert_eq!(all(&there).await, records);
    assert_eq!(all(&from_disk).await, records);
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
async fn the_stand_in_keeps_the_contract_for_who_follows_hardly_anything() {
    conforms_on_the_stand_in(restless).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_brokers_keep_the_contract_for_who_follows_hardly_anything() {
    conforms_on_real_brokers(restless).await;
}

/// Who led a partition once does not fetch it for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_is_followed_no_more() {
    let Some(addresses) = brokers::shared() else { return };
    let config = KafkaConfig { idle: Duration::from_millis(100), ..KafkaConfig::new(addresses) };
    let topic = fresh_topic();
    let (log, there) = (log_with(&config, topic, 2).await, brokers::open(&config, topic).await);
    let (read, unread) = (topic.partition(0), topic.partition(1));
    for partition in [read, unread] {
        assert_eq!(there.read(partition, 0, Limit::default()).await.expect("read"), []);
    }
    assert_eq!(there.following(), 2);
    let waiting = there.wait(read, 0);
    tokio::select! {
        _ = waiting => panic!("nothing was written"),
        () = tokio::time::sleep(Duration::from_secs(1)) => assert_eq!(there.following(), 1, "it is waited for"),
    }
    for partition in [read, unread] {
        log.append(partition, vec![Bytes::from("news")]).await.expect("append");
        there.wait(partition, 0).await.expect("wait");
        assert_eq!(there.read(partition, 0, Limit::default()).await.expect("read").len(), 1);
    }
    assert_eq!(there.following(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_brokers_keep_the_contract_from_memory() {
    conforms_on_real_brokers(|config| config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_brokers_keep_the_contract_from_the_cluster() {
    conforms_on_real_brokers(forgetful).await;
}
