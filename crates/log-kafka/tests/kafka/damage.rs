//! What is damaged on a broker's disk is told, with its place, and never skipped.

use std::fs;

use bytes::Bytes;
use log::{Error, Limit, Log, Record};
use log_kafka::KafkaConfig;

use crate::brokers::{self, Brokers, fresh_topic, log_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_is_told_with_its_place() {
    let Some(mut brokers) = Brokers::up(1) else { return };
    let topic = fresh_topic();
    let config = KafkaConfig::new(&brokers.addresses);
    let log = log_with(&config, topic, 1).await;
    let partition = topic.partition(0);
    let texts = ["before", "the one that is damaged", "after"];
    for text in texts {
        // Each a batch of its own, because each is waited for.
        log.append(partition, vec![Bytes::from(text)]).await.expect("append");
    }
    log.close().await;

    brokers.end_cleanly();
    let folder = format!("1/data/{}{topic}-0/00000000000000000000.log", config.prefix);
    let file = brokers.dir.path().join(folder);
    let mut bytes = fs::read(&file).expect("the segment");
    let place = bytes.windows(texts[1].len()).position(|window| window == texts[1].as_bytes());
    bytes[place.expect("the text") + 8] ^= 1;
    fs::write(&file, bytes).expect("the segment, damaged");
    brokers.again(1);

    let log = brokers::open(&config, topic).await;
    let read = async |from| log.read(partition, from, Limit::default()).await;
    let said = |records: Vec<Record>| records.into_iter().map(|record| record.bytes).collect::<Vec<_>>();
    assert_eq!(said(read(0).await.expect("what is before")), [texts[0]]);
    match read(1).await {
        Err(Error::Damaged { partition: named, position: 1, reason }) => {
            assert_eq!(named, partition);
            assert!(reason.contains(&format!("{}{topic}", config.prefix)), "{reason}");
        }
        other => panic!("a damaged record gave {other:?}"),
    }
    assert_eq!(said(read(2).await.expect("what is after")), [texts[2]]);
}
