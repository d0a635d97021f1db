//! A copy taken while the log is written is a log, and one moment of the original.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use log::{Error, LocalConfig, LocalLog, Log, Tail, Topic, local};
use tempfile::tempdir;

const TOPIC: Topic = Topic("orders");

fn open(dir: &Path) -> LocalLog {
    LocalLog::open(dir, &[(TOPIC, 2)], LocalConfig::default()).expect("open")
}

async fn read_all(log: &LocalLog, partition: u32) -> Vec<Bytes> {
    let partition = TOPIC.partition(partition);
    let (start, end) = (log.start(partition).await.expect("start"), log.end(partition).await.expect("end"));
    let mut tail = Tail::new(Arc::new(log.clone()), partition, start);
    let mut found = Vec::new();
    while found.len() < (end - start) as usize {
        found.extend(tail.batch().await.expect("batch").into_iter().map(|record| record.bytes));
    }
    found
}

fn text(n: usize) -> Bytes {
    Bytes::from(format!("{n} {}", "and so on ".repeat(n % 50)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_one_moment_of_a_log_that_goes_on() {
    let (dir, copies) = (tempdir().expect("tempdir"), tempdir().expect("tempdir"));
    let log = open(dir.path());
    let before = 2_000;
    for n in 0..before {
        // Each append has its twin in the other partition, later.
        drop(log.append(TOPIC.partition(0), vec![text(n)]));
        log.append(TOPIC.partition(1), vec![text(n)]).await.expect("append");
    }
    log.trim(TOPIC.partition(1), 10).await.expect("trim");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (log, stop) = (log.clone(), stop.clone());
        async move {
            let mut n = before;
            while !stop.load(Ordering::Relaxed) {
                drop(log.append(TOPIC.partition(0), vec![text(n)]));
                log.append(TOPIC.partition(1), vec![text(n)]).await.expect("append");
                n += 1;
            }
        }
    });
    for n in 0..3 {
        let to = copies.path().join(n.to_string());
        std::fs::create_dir(&to).expect("a folder");
        local::back_up(dir.path(), &[TOPIC], &to, &|_, _| ()).expect("copy");
        let copy = open(&to);
        let (one, two) = (read_all(&copy, 0).await, read_all(&copy, 1).await);
        assert_eq!(copy.start(TOPIC.partition(1)).await.expect("start"), 10);
        assert!(
            one.len() >= before && one.len() - (two.len() + 10) <= 1,
            "a moment lies between two commits"
        );
        assert!(one.iter().enumerate().all(|(n, found)| *found == text(n)));
        assert!(two.iter().zip(10..).all(|(found, n)| *found == text(n)));
        let appended = copy.append(TOPIC.partition(1), vec![text(0)]).await.expect("it is a log of its own");
        assert_eq!(appended, two.len() as u64 + 10);
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.expect("no append failed meanwhile");
}

#[tokio::test]
async fn a_copy_knows_how_far_it_reaches() {
    let (dir, to) = (tempdir().expect("tempdir"), tempdir().expect("tempdir"));
    let log = open(dir.path());
    for n in 0..10 {
        log.append(TOPIC.partition(0), vec![text(n)]).await.expect("append");
    }
    local::back_up(dir.path(), &[TOPIC], to.path(), &|_, _| ()).expect("copy");
    let again = local::back_up(dir.path(), &[TOPIC], to.path(), &|_, _| ());
    assert!(
        matches!(again, Err(Error::Storage { operation: "copy the log", .. })),
        "nothing is written over"
    );
    let file = rusqlite::Connection::open(to.path().join("log.sqlite")).expect("open");
    file.execute("DELETE FROM blocks_1 WHERE first = 9", []).expect("harm");
    drop(file);
    let error = LocalLog::open_read_only(to.path(), &[TOPIC]).err().expect("refused");
    assert!(matches!(error, Error::Damaged { position: 9, .. }), "{error}");
}
