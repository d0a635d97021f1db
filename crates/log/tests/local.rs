//! The embedded log keeps the contract, and what it promises beyond: one writer, readers elsewhere, full disks.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use log::{
    Error, Limit, LocalConfig, LocalLog, Log, Record, Tail, Topic,
    conformance::{self, Fresh, PARTITIONS},
};
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;

const TOPIC: Topic = Topic("orders");
const OTHER: Topic = Topic("other");

/// Keeps nothing in memory, so every read goes to the file.
fn forgetful() -> LocalConfig {
    LocalConfig { recent_bytes: 0, ..LocalConfig::default() }
}

fn open(dir: &TempDir) -> LocalLog {
    LocalLog::open(dir.path(), &[(TOPIC, 2)], forgetful()).expect("open")
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<Bytes> {
    numbers.map(|n| Bytes::from(format!("record number {n}"))).collect()
}

fn bytes_of(records: Vec<Record>) -> Vec<Bytes> {
    records.into_iter().map(|record| record.bytes).collect()
}

async fn read(log: &LocalLog, from: u64) -> Result<Vec<Record>, Error> {
    log.read(TOPIC.partition(0), from, Limit::default()).await
}

async fn conforms(config: LocalConfig) {
    let root = tempdir().expect("tempdir");
    let logs = std::sync::atomic::AtomicUsize::new(0);
    conformance::check(async || {
        let number = logs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = root.path().join(number.to_string());
        let topics = [(OTHER, 1), (TOPIC, PARTITIONS)];
        let log = LocalLog::open(&dir, &topics, config.clone()).expect("open");
        Fresh { log: Arc::new(log), topic: TOPIC }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_from_memory() {
    conforms(LocalConfig::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_from_the_file() {
    conforms(forgetful()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_where_memory_holds_some_of_it() {
    conforms(LocalConfig { recent_bytes: 2_000, ..LocalConfig::default() }).await;
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let dir = tempdir().expect("tempdir");
    let partition = TOPIC.partition(0);
    let log = open(&dir);
    log.append(partition, numbered(0..100)).await.expect("append");
    log.trim(partition, 10).await.expect("trim");
    let before = read(&log, 10).await.expect("read");
    log.close().await;

    let log = open(&dir);
    assert_eq!(log.start(partition).await.expect("start"), 10);
    assert_eq!(log.end(partition).await.expect("end"), 100);
    assert_eq!(read(&log, 10).await.expect("read"), before);
    assert!(matches!(read(&log, 9).await, Err(Error::Trimmed { start: 10, .. })));
    assert_eq!(log.append(partition, numbered(100..101)).await.expect("append"), 100);
    log.trim(partition, 101).await.expect("trim");
    drop(log);

    // The positions of a partition that was emptied go on as well.
    let log = open(&dir);
    assert_eq!(log.append(partition, numbered(101..102)).await.expect("append"), 101);
}

#[tokio::test]
async fn a_dropped_log_finishes_what_it_took() {
    let dir = tempdir().expect("tempdir");
    let log = open(&dir);
    for n in 0..200 {
        drop(log.append(TOPIC.partition(0), numbered(n..n + 1)));
    }
    drop(log);
    let log = open(&dir);
    assert_eq!(bytes_of(read(&log, 0).await.expect("read")), numbered(0..200));
}

#[tokio::test]
async fn closing_finishes_what_it_took_and_tells_those_who_wait() {
    let dir = tempdir().expect("tempdir");
    let log = open(&dir);
    let waiter = tokio::spawn({
        let log = log.clone();
        async move { log.wait(TOPIC.partition(1), 0).await }
    });
    tokio::task::yield_now().await;
    let taken: Vec<_> = (0..50).map(|n| log.append(TOPIC.partition(0), numbered(n..n + 1))).collect();
    log.close().await;
    log.close().await;
    for (n, appending) in taken.into_iter().enumerate() {
        assert_eq!(appending.await.expect("append"), n as u64);
    }
    assert!(matches!(waiter.await.expect("no panic"), Err(Error::Closed)));
    assert!(matches!(log.append(TOPIC.partition(0), numbered(0..1)).await, Err(Error::Closed)));
    assert!(matches!(log.trim(TOPIC.partition(0), 1).await, Err(Error::Closed)));
    assert_eq!(bytes_of(read(&log, 0).await.expect("read")), numbered(0..50));
    let left = std::fs::metadata(dir.path().join("log.sqlite-wal")).map_or(0, |wal| wal.len());
    assert_eq!(left, 0, "the write-ahead log was folded back");
}

#[tokio::test]
async fn partition_counts_are_fixed_and_topics_may_be_added() {
    let dir = tempdir().expect("tempdir");
    open(&dir).append(TOPIC.partition(1), numbered(0..1)).await.expect("append");

    let error = LocalLog::open(dir.path(), &[(TOPIC, 3)], LocalConfig::default()).err().expect("refused");
    assert!(matches!(error, Error::OtherCount { topic: TOPIC, stored: 2, asked: 3 }), "{error}");

    let log = LocalLog::open(dir.path(), &[(OTHER, 5), (TOPIC, 2)], forgetful()).expect("open");
    assert_eq!(log.partitions(OTHER).expect("partitions"), 5);
    log.append(OTHER.partition(4), numbered(0..3)).await.expect("append");
    assert_eq!(log.end(TOPIC.partition(1)).await.expect("end"), 1);
}

#[tokio::test]
async fn a_second_writer_is_told_who_holds_the_log() {
    let dir = tempdir().expect("tempdir");
    let log = open(&dir);
    let second = || LocalLog::open(dir.path(), &[(TOPIC, 2)], LocalConfig::default());
    let message = second().err().expect("locked").to_string();
    assert!(message.contains("log.lock"), "{message}");
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");

    log.close().await;
    let log = second().expect("open after close");
    drop(log);
    second().expect("open after drop");
}

#[tokio::test]
async fn a_file_that_is_not_a_log_is_refused() {
    let dir = tempdir().expect("tempdir");
    let path = dir.path().join("log.sqlite");
    let foreign = rusqlite::Connection::open(&path).expect("open");
    foreign.execute_batch("CREATE TABLE theirs (x)").expect("create");
    let refused =
        |error: Option<Error>| matches!(error, Some(Error::Storage { operation: "open the log", .. }));
    assert!(refused(LocalLog::open(dir.path(), &[(TOPIC, 2)], LocalConfig::default()).err()));
    assert!(refused(LocalLog::open_read_only(dir.path(), &[TOPIC]).err()));

    std::fs::write(&path, "this is no database, but long enough to be looked at as one".repeat(20))
        .expect("write");
    assert!(LocalLog::open(dir.path(), &[(TOPIC, 2)], LocalConfig::default()).is_err());
}

/// Appends ten records, closes the log, does something to its file, and reads it again from the beginning.
async fn damaged(harm: impl FnOnce(&Path)) -> (LocalLog, TempDir) {
    let dir = tempdir().expect("tempdir");
    let log = open(&dir);
    for n in 0..10 {
        log.append(TOPIC.partition(0), numbered(n..n + 1)).await.expect("append");
    }
    log.close().await;
    harm(&dir.path().join("log.sqlite"));
    (open(&dir), dir)
}

async fn assert_damaged_at(log: &LocalLog, place: u64, why: &str) {
    let sound = read(log, 0).await.expect("what is before the damage");
    assert_eq!(bytes_of(sound), numbered(0..place as usize));
    match read(log, place).await {
        Err(Error::Damaged { partition, position, reason }) => {
            assert_eq!((partition, position), (TOPIC.partition(0), place));
            assert!(reason.contains(why), "{reason}");
        }
        other => panic!("damage was read as {other:?}"),
    }
}

#[tokio::test]
async fn a_flipped_bit_is_damage_with_a_place() {
    let (log, _dir) = damaged(|path| {
        let mut file = std::fs::read(path).expect("read");
        let needle = b"record number 7";
        let at =
            file.windows(needle.len()).position(|window| window == needle).expect("record 7 in the file");
        file[at + 3] ^= 1;
        std::fs::write(path, file).expect("write");
    })
    .await;
    assert_damaged_at(&log, 7, "checksum").await;
    let after = read(&log, 8).await.expect("what is behind the damage");
    assert_eq!(bytes_of(after), numbered(8..10));
}

#[tokio::test]
async fn a_missing_record_is_damage() {
    let (log, _dir) = damaged(|path| {
        let file = rusqlite::Connection::open(path).expect("open");
        file.execute("DELETE FROM blocks_1 WHERE first = 4", []).expect("delete");
    })
    .await;
    assert_damaged_at(&log, 4, "missing").await;
}

#[tokio::test]
async fn a_record_moved_to_another_place_is_damage() {
    let (log, _dir) = damaged(|path| {
        let file = rusqlite::Connection::open(path).expect("open");
        let swap = "UPDATE blocks_1 SET first = -1 WHERE first = 4;
                    UPDATE blocks_1 SET first = 4 WHERE first = 5;
                    UPDATE blocks_1 SET first = 5 WHERE first = -1;";
        file.execute_batch(swap).expect("swap");
    })
    .await;
    assert_damaged_at(&log, 4, "checksum").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_read_while_one_writes() {
    let dir = tempdir().expect("tempdir");
    let partition = TOPIC.partition(0);
    let writer = open(&dir);
    writer.append(partition, numbered(0..10)).await.expect("append");

    let reader = LocalLog::open_read_only(dir.path(), &[TOPIC]).expect("open to read");
    assert_eq!(reader.partitions(TOPIC).expect("partitions"), 2);
    assert!(matches!(reader.append(partition, numbered(0..1)).await, Err(Error::ReadOnly)));
    assert!(matches!(reader.trim(partition, 1).await, Err(Error::ReadOnly)));
    assert!(matches!(LocalLog::open_read_only(dir.path(), &[OTHER]), Err(Error::NoTopic(OTHER))));

    let mut tail = Tail::new(Arc::new(reader.clone()), partition, 0);
    let mut seen = bytes_of(tail.batch().await.expect("batch"));
    assert_eq!(seen, numbered(0..10), "what was there when it opened");
    for n in 10..40 {
        writer.append(partition, numbered(n..n + 1)).await.expect("append");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while seen.len() < 40 {
        let batch = timeout(Duration::from_secs(30), tail.batch()).await.expect("news");
        seen.extend(bytes_of(batch.expect("batch")));
    }
    assert_eq!(seen, numbered(0..40));

    // The writer's trim is a reader's trim, not damage, before it is noticed and after.
    writer.trim(partition, 30).await.expect("trim");
    writer.append(partition, numbered(40..41)).await.expect("append");
    for _ in 0..30 {
        match read(&reader, 0).await {
            Ok(_) | Err(Error::Trimmed { start: 30, .. }) => {}
            other => panic!("a trimmed record was read as {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    timeout(Duration::from_secs(30), reader.wait(partition, 40)).await.expect("news").expect("wait");
    assert_eq!(reader.start(partition).await.expect("start"), 30);
    reader.close().await;
    assert!(matches!(reader.wait(partition, 41).await, Err(Error::Closed)));

    // It also reads what nobody writes any more.
    writer.close().await;
    let reader = LocalLog::open_read_only(dir.path(), &[TOPIC]).expect("open to read");
    assert_eq!(bytes_of(read(&reader, 30).await.expect("read")), numbered(30..41));
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room() {
    let dir = tempdir().expect("tempdir");
    let partition = TOPIC.partition(0);
    let config = LocalConfig { max_bytes: Some(1 << 20), ..forgetful() };
    let log = LocalLog::open(dir.path(), &[(TOPIC, 2)], config).expect("open");
    let body = Bytes::from(vec![7; 10_000]);

    let mut written = 0;
    let error = loop {
        match log.append(partition, vec![body.clone()]).await {
            Ok(position) => assert_eq!(position, written),
            Err(error) => break error,
        }
        written += 1;
    };
    assert!(matches!(error, Error::DiskFull) && !error.is_unknown(), "{error}");
    assert!((50..110).contains(&written), "{written} records of 10 kB went into 1 MiB");
    assert_eq!(log.end(partition).await.expect("end"), written, "nothing of a refused append is there");
    assert!(matches!(log.append(partition, vec![body.clone()]).await, Err(Error::DiskFull)));

    log.trim(partition, written - 1).await.expect("trim");
    let mut position = log.append(partition, vec![body.clone()]).await;
    for _ in 0..1_000 {
        // The room comes back turn by turn.
        if position.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        position = log.append(partition, vec![body.clone()]).await;
    }
    assert_eq!(position.expect("room again"), written, "no position was lost to what was refused");
    assert_eq!(read(&log, written - 1).await.expect("read").len(), 2);
}

#[tokio::test]
async fn any_other_failure_is_an_unknown_outcome_and_the_end() {
    let dir = tempdir().expect("tempdir");
    let log = open(&dir);
    log.append(TOPIC.partition(0), numbered(0..1)).await.expect("append");
    let file = rusqlite::Connection::open(dir.path().join("log.sqlite")).expect("open");
    file.execute_batch("DROP TABLE blocks_2").expect("pull the rug");

    let waiter = log.wait(TOPIC.partition(0), 1);
    let error = log.append(TOPIC.partition(1), numbered(0..1)).await.expect_err("no table");
    assert!(
        matches!(error, Error::Unknown { partition, source: Some(_) } if partition == TOPIC.partition(1))
    );
    let error = log.append(TOPIC.partition(0), numbered(1..2)).await.expect_err("the writer is gone");
    assert!(matches!(error, Error::Closed) && error.is_unknown());
    assert!(matches!(waiter.await, Err(Error::Closed)));
    assert_eq!(bytes_of(read(&log, 0).await.expect("read")), numbered(0..1), "readers go on");
}

#[tokio::test]
async fn a_stalled_disk_fills_one_partitions_queue_and_not_anothers() {
    let dir = tempdir().expect("tempdir");
    let config = LocalConfig { queue_bytes: 1_000, ..forgetful() };
    let log = LocalLog::open(dir.path(), &[(TOPIC, 2)], config).expect("open");
    let stall = rusqlite::Connection::open(dir.path().join("log.sqlite")).expect("open");
    stall.execute_batch("BEGIN IMMEDIATE").expect("take the write lock");

    // One batch may have left the queue before the writer stalled; the next fill it.
    let append = |n| log.append(TOPIC.partition(0), numbered(n..n + 5));
    let mut taken = Vec::new();
    let error = loop {
        let mut appending = append(taken.len() * 5);
        match timeout(Duration::from_millis(20), &mut appending).await {
            Ok(outcome) => break outcome.expect_err("nothing can be written"),
            Err(_) => taken.push(appending),
        }
        assert!(taken.len() < 10, "the queue has no bound");
    };
    assert!(matches!(error, Error::Full(full) if full == TOPIC.partition(0)) && !error.is_unknown());
    let elsewhere = log.append(TOPIC.partition(1), numbered(0..1));

    stall.execute_batch("ROLLBACK").expect("let go");
    let expected = numbered(0..taken.len() * 5);
    for appending in taken {
        appending.await.expect("append");
    }
    elsewhere.await.expect("append");
    assert_eq!(bytes_of(read(&log, 0).await.expect("read")), expected, "of the refused one nothing is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_stays_small_under_constant_writing() {
    let dir = tempdir().expect("tempdir");
    let log = open(&dir);
    let body = Bytes::from(vec![7; 60_000]);
    let wal = dir.path().join("log.sqlite-wal");
    let mut largest = 0;
    let mut pending = std::collections::VecDeque::new();
    for n in 0..2_000 {
        pending.push_back(log.append(TOPIC.partition(n % 2), vec![body.clone()]));
        if pending.len() > 4
            && let Some(oldest) = pending.pop_front()
        {
            oldest.await.expect("append");
            largest = largest.max(std::fs::metadata(&wal).expect("the write-ahead log").len());
        }
    }
    assert!(largest < 60 << 20, "120 MB were written and {largest} bytes of write-ahead log gathered");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_trimmed_makes_room_for_what_comes() {
    let dir = tempdir().expect("tempdir");
    let partition = TOPIC.partition(0);
    let body = Bytes::from(vec![7; 50_000]);
    let (mut end, mut sizes) = (0, Vec::new());
    for _ in 0..8 {
        let log = open(&dir);
        for _ in 0..100 {
            end = log.append(partition, vec![body.clone()]).await.expect("append") + 1;
        }
        log.trim(partition, end).await.expect("trim");
        let file = rusqlite::Connection::open(dir.path().join("log.sqlite")).expect("open");
        let left = || {
            let count = "SELECT count(*) FROM blocks_1";
            file.query_row(count, [], |row| row.get::<_, usize>(0)).expect("count")
        };
        while left() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(file);
        log.close().await;
        sizes.push(std::fs::metadata(dir.path().join("log.sqlite")).expect("its size").len());
    }
    assert!(sizes[7] <= sizes[0] + (1 << 20), "the file grew although all was trimmed: {sizes:?}");
}
