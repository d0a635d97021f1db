//! What an open log costs: many partitions are no more files, threads or handles than few.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use log::{LocalConfig, LocalLog, Log, Topic};

const TOPICS: [Topic; 10] = [
    Topic("a"),
    Topic("b"),
    Topic("c"),
    Topic("d"),
    Topic("e"),
    Topic("f"),
    Topic("g"),
    Topic("h"),
    Topic("i"),
    Topic("j"),
];

/// Files in the log's folder, this process's handles to them, and its threads that are the log's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cost {
    files: usize,
    handles: usize,
    threads: usize,
}

impl Cost {
    fn now(dir: &Path) -> Cost {
        let all =
            |folder: &Path| fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("entry").path());
        let is_ours = |thread: &PathBuf| {
            fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with("log-"))
        };
        Cost {
            files: all(dir).count(),
            handles: all(Path::new("/proc/self/fd"))
                .filter(|fd| fs::read_link(fd).is_ok_and(|to| to.starts_with(dir)))
                .count(),
            threads: all(Path::new("/proc/self/task")).filter(is_ours).count(),
        }
    }
}

/// Opens a log with so many partitions in each topic and writes and reads all of them.
async fn cost_of(partitions: u32) -> Cost {
    let dir = tempfile::tempdir().expect("tempdir");
    let config = LocalConfig { recent_bytes: 0, ..LocalConfig::default() };
    let log = LocalLog::open(dir.path(), &TOPICS.map(|topic| (topic, partitions)), config).expect("open");
    let all =
        || TOPICS.into_iter().flat_map(|topic| (0..partitions).map(move |number| topic.partition(number)));
    let record = |partition| vec![Bytes::from(format!("the record of {partition}"))];
    let pending: Vec<_> = all().map(|partition| log.append(partition, record(partition))).collect();
    for appending in pending {
        appending.await.expect("append");
    }
    for partition in all() {
        let found = log.read(partition, 0, log::Limit::default()).await.expect("read");
        assert_eq!(found.into_iter().map(|record| record.bytes).collect::<Vec<_>>(), record(partition));
    }
    let cost = Cost::now(dir.path());
    log.close().await;
    cost
}

/// The only test of its program, so that it counts nobody else's.
#[tokio::test]
async fn many_partitions_cost_no_files_threads_or_handles() {
    if !Path::new("/proc/self/task").exists() {
        return eprintln!("SKIPPED, nothing was tested: there is no /proc to count threads in");
    }
    let few = cost_of(1).await;
    let many = cost_of(64).await;
    assert_eq!(many, few, "64 partitions of 10 topics against one of each");
    assert_eq!(few.files, 5, "the log, its write-ahead file and that one's index, the lock, the notes");
    assert_eq!(few.threads, 2, "the writer and the checkpointer");
}
