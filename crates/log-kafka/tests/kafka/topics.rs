//! Topics are made on request, as they must be, and are held against that.

use std::collections::BTreeSet;

use bytes::Bytes;
use log::{Error, Limit, Log, MAX_RECORD};
use log_kafka::{
    KafkaConfig, KafkaLog,
    topics::{self, Made, Wanted},
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};

use crate::brokers::{self, fresh_topic, log_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_made_once_and_as_it_should_be() {
    let Some(addresses) = brokers::shared() else { return };
    let config = KafkaConfig::new(addresses);
    let wanted = [Wanted { topic: fresh_topic(), partitions: 3, copies: None }];
    let findings = topics::check(&config, &wanted).await.expect("check");
    assert!(findings.len() == 1 && findings[0].to_string().contains("topics create"), "{findings:?}");

    assert_eq!(topics::create(&config, &wanted).await.expect("create"), [Made::New]);
    assert_eq!(topics::create(&config, &wanted).await.expect("create"), [Made::There]);
    assert_eq!(topics::check(&config, &wanted).await.expect("check"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_should_be_is_named() {
    let Some(addresses) = brokers::shared() else { return };
    let config = KafkaConfig::new(addresses);
    let topic = fresh_topic();
    let name = format!("{}{topic}", config.prefix);
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", addresses).create().expect("a client");
    let spoilt = NewTopic::new(&name, 2, TopicReplication::Fixed(1))
        .set("retention.ms", "60000")
        .set("cleanup.policy", "compact")
        .set("message.timestamp.type", "CreateTime");
    let made = admin.create_topics(&[spoilt], &AdminOptions::new()).await.expect("create");
    assert!(made[0].is_ok(), "{made:?}");

    let wanted = [Wanted { topic, partitions: 3, copies: Some(2) }];
    let findings = topics::check(&config, &wanted).await.expect("check");
    assert!(findings.iter().all(|finding| finding.topic == name), "{findings:?}");
    let found: BTreeSet<_> = findings.iter().map(|finding| finding.what.split(' ').next_back()).collect();
    let named =
        ["fixed,", "factor", "retention.ms", "cleanup.policy", "message.timestamp.type", "max.message.bytes"];
    for named in named {
        assert!(found.contains(&Some(named)), "{named} is not in {findings:?}");
    }
    let retention = findings.iter().find(|finding| finding.what == "retention.ms").map(ToString::to_string);
    assert_eq!(retention, Some(format!("{name}: retention.ms is 60000, and should be -1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_not_made_by_asking() {
    let Some(addresses) = brokers::shared() else { return };
    let topic = fresh_topic();
    let config = KafkaConfig::new(addresses);
    for _ in 0..2 {
        let config = config.clone();
        let opened = tokio::task::spawn_blocking(move || KafkaLog::open(config, &[topic]).map(drop)).await;
        assert!(matches!(opened.expect("no panic"), Err(Error::NoTopic(named)) if named == topic));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_record_goes_through() {
    let Some(addresses) = brokers::shared() else { return };
    let topic = fresh_topic();
    let log = log_with(&KafkaConfig::new(addresses), topic, 1).await;
    // No two alike, as far as compression can see.
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    let largest: Bytes = noise.take(MAX_RECORD).collect();
    let partition = topic.partition(0);
    let position = log.append(partition, vec![largest.clone()]).await.expect("append");
    let other = brokers::open(&KafkaConfig::new(addresses), topic).await;
    let records = other.read(partition, position, Limit::default()).await.expect("read");
    assert!(records.len() == 1 && records[0].bytes == largest);
}
