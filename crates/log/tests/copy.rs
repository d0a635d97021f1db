//! A log is taken over into another with every record where it was.

#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use log::{
    Limit, LocalConfig, LocalLog, Log, MemoryLog, Partition, Topic,
    copy::{CopyError, Progress, copy},
};

const IN: Topic = Topic("a.in");
const LOG: Topic = Topic("a.log");
const TOPICS: [(Topic, u32); 2] = [(IN, 2), (LOG, 2)];

fn memory() -> Arc<dyn Log> {
    Arc::new(MemoryLog::new(&TOPICS))
}

async fn grow(log: &Arc<dyn Log>, partition: Partition, count: usize) {
    let end = log.end(partition).await.unwrap();
    let records =
        (0..count).map(|n| Bytes::from(format!("{partition}: {} {}", end + n as u64, "x".repeat(n % 700))));
    log.append(partition, records.collect()).await.unwrap();
}

async fn contents(log: &Arc<dyn Log>) -> Vec<(Partition, u64, Bytes)> {
    let mut all = Vec::new();
    for partition in [IN.partition(0), IN.partition(1), LOG.partition(0), LOG.partition(1)] {
        let start = log.start(partition).await.unwrap();
        let limit = Limit { records: usize::MAX, bytes: usize::MAX };
        let records = log.read(partition, start, limit).await.unwrap();
        all.push((partition, start, Bytes::new()));
        all.extend(records.into_iter().map(|record| (partition, record.position, record.bytes)));
        all.push((partition, log.end(partition).await.unwrap(), Bytes::new()));
    }
    all
}

/// Of two topics, one partition of which is empty, and another trimmed.
async fn source() -> Arc<dyn Log> {
    let log = memory();
    for _ in 0..9 {
        grow(&log, LOG.partition(0), 1_500).await;
        grow(&log, IN.partition(1), 2_000).await;
    }
    log.trim(IN.partition(1), 12_345).await.unwrap();
    grow(&log, LOG.partition(1), 1).await;
    log
}

async fn copied(from: &Arc<dyn Log>, to: &Arc<dyn Log>) -> Result<u64, CopyError> {
    copy(from, to, &[IN, LOG], &|_| {}).await
}

#[tokio::test]
async fn there_and_back_again() {
    let dir = tempfile::tempdir().unwrap();
    let from = source().await;
    let local = LocalLog::open(dir.path(), &TOPICS, LocalConfig::default()).unwrap();
    let there: Arc<dyn Log> = Arc::new(local.clone());
    let told = Mutex::new(Vec::new());
    let records = copy(&from, &there, &[IN, LOG], &|at| told.lock().unwrap().push(at)).await.unwrap();
    assert_eq!(records, 9 * 1_500 + (18_000 - 12_345) + 1);
    assert_eq!(contents(&there).await, contents(&from).await);
    let told = told.into_inner().unwrap();
    assert!(told.contains(&Progress::Copying { done: records, total: records }), "{told:?}");
    assert_eq!(told.last(), Some(&Progress::Comparing { done: records, total: records }));

    let back = memory();
    copied(&there, &back).await.unwrap();
    assert_eq!(contents(&back).await, contents(&from).await);
    assert_eq!(copied(&there, &back).await.unwrap(), records, "once more changes nothing");
    grow(&back, LOG.partition(0), 3).await;
    let Err(CopyError::Longer { partition, .. }) = copied(&there, &back).await else {
        panic!("it is longer")
    };
    assert_eq!(partition, LOG.partition(0));
    local.close().await;
}

#[tokio::test]
async fn a_copy_that_broke_off_goes_on() {
    let from = source().await;
    let whole = contents(&from).await;
    // However far it came: before what was trimmed, within, and between two partitions.
    for already in [1, 12_344, 12_345, 12_346, 17_999] {
        let to = memory();
        let partition = IN.partition(1);
        let filling = vec![Bytes::new(); already.min(12_345)];
        to.append(partition, filling).await.unwrap();
        if already > 12_345 {
            let limit = Limit { records: already - 12_345, bytes: usize::MAX };
            let records = from.read(partition, 12_345, limit).await.unwrap();
            to.append(partition, records.into_iter().map(|record| record.bytes).collect()).await.unwrap();
        }
        copied(&from, &to).await.unwrap();
        assert_eq!(contents(&to).await, whole, "{already}");
    }
}

#[tokio::test]
async fn what_is_no_copy_is_told() {
    let from = source().await;
    let other = memory();
    grow(&other, LOG.partition(0), 2).await;
    other.append(LOG.partition(1), vec![Bytes::from_static(b"another")]).await.unwrap();
    let Err(CopyError::Different { partition, position: 0 }) = copied(&from, &other).await else {
        panic!("it differs")
    };
    assert_eq!(partition, LOG.partition(1));

    let fewer: Arc<dyn Log> = Arc::new(MemoryLog::new(&[(IN, 2), (LOG, 1)]));
    let refused = copied(&from, &fewer).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "topic a.log has 2 partitions, and 1 where it is to go; both must have the same number"
    );
}
