//! Faults for real: disks that are full, files that were changed or cut short, limits, and other processes. What was
//! acknowledged is there or its loss is told, and nothing is there that was refused.

mod damage;
mod full;
mod processes;
mod small_disk;

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use log::{Error, Limit, LocalConfig, LocalLog, Log, Topic};

const TOPIC: Topic = Topic("orders");
const PARTITIONS: u32 = 3;

/// Keeps nothing in memory, so every read goes to the file.
fn open(dir: &Path) -> Result<LocalLog, Error> {
    let config = LocalConfig { recent_bytes: 0, ..LocalConfig::default() };
    LocalLog::open(dir, &[(TOPIC, PARTITIONS)], config)
}

/// What each partition was told it has, in order.
type Acknowledged = BTreeMap<u32, Vec<Bytes>>;

/// Another text each time, and of another length.
fn record(number: usize) -> Bytes {
    Bytes::from(format!("record {number} {}", "so it goes on ".repeat(number % 97)))
}

/// Appends some records, one by one, to all partitions in turn.
async fn append_some(log: &LocalLog, count: usize) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for number in 0..count {
        let partition = number as u32 % PARTITIONS;
        log.append(TOPIC.partition(partition), vec![record(number)]).await.expect("append");
        acknowledged.entry(partition).or_default().push(record(number));
    }
    acknowledged
}

/// All that a partition yields, and the error that ended it if one did.
async fn contents(log: &LocalLog, partition: u32) -> (Vec<Bytes>, Option<Error>) {
    let partition = TOPIC.partition(partition);
    let mut found = Vec::new();
    loop {
        match log.read(partition, found.len() as u64, Limit::default()).await {
            Ok(records) if records.is_empty() => return (found, None),
            Ok(records) => {
                for record in records {
                    assert_eq!(record.position, found.len() as u64, "positions are dense");
                    found.push(record.bytes);
                }
            }
            Err(error) => return (found, Some(error)),
        }
    }
}

/// What was acknowledged is there, and nothing else.
async fn assert_whole(log: &LocalLog, acknowledged: &Acknowledged) {
    for (partition, expected) in acknowledged {
        let (found, error) = contents(log, *partition).await;
        assert!(error.is_none(), "partition {partition}: {error:?}");
        assert_eq!(found.len(), expected.len(), "records of partition {partition}");
        assert!(found == *expected, "partition {partition} has other records than were acknowledged");
    }
}
