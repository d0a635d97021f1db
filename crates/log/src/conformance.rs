//! The suite that every backend passes: the contract of [`Log`], rule by rule.
//!
//! A backend's tests call [`check`] with a factory of fresh logs, inside a tokio runtime of several threads.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{task::JoinSet, time::timeout};

use crate::{Error, Limit, Log, MAX_RECORD, Membership, Partition, Record, Share, Tail, Topic, clock};

/// How many partitions the topic of a [`Fresh`] log must have.
pub const PARTITIONS: u32 = 4;

/// Nothing here takes long; what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A log with an empty topic of [`PARTITIONS`] partitions.
pub struct Fresh {
    pub log: Arc<dyn Log>,
    pub topic: Topic,
}

/// Runs every rule, each on a log of its own.
///
/// # Panics
///
/// When the log breaks a rule; the message says which.
pub async fn check<F: Future<Output = Fresh>>(fresh: impl Fn() -> F) {
    check_untrimmed(&fresh).await;
    trimmed_records_are_gone_and_say_so(fresh().await).await;
    positions_go_on_after_everything_was_trimmed(fresh().await).await;
}

/// The same without trimming, for a stand-in of a backend that knows none.
///
/// # Panics
///
/// When the log breaks a rule; the message says which.
pub async fn check_untrimmed<F: Future<Output = Fresh>>(fresh: impl Fn() -> F) {
    empty_partitions_start_and_end_at_zero(fresh().await).await;
    unknown_topics_and_partitions_are_errors(fresh().await).await;
    partitions_are_apart(fresh().await).await;
    pipelined_appends_keep_their_order(fresh().await).await;
    a_dropped_append_is_not_taken_back(fresh().await).await;
    batches_keep_their_order(fresh().await).await;
    concurrent_appends_are_each_there_once(fresh().await).await;
    tails_see_everything_in_order(fresh().await).await;
    reads_keep_their_limits(fresh().await).await;
    too_large_a_record_is_refused_alone(fresh().await).await;
    waiting_is_exact_and_can_be_cancelled(fresh().await).await;
    joining_gives_every_partition(fresh().await).await;
}

async fn empty_partitions_start_and_end_at_zero(Fresh { log, topic }: Fresh) {
    assert_eq!(log.partitions(topic).expect("partitions"), PARTITIONS);
    for number in 0..PARTITIONS {
        let partition = topic.partition(number);
        assert_eq!(log.start(partition).await.expect("start"), 0, "start of {partition}, empty");
        assert_eq!(log.end(partition).await.expect("end"), 0, "end of {partition}, empty");
        assert_eq!(read(&log, partition, 0, Limit::default()).await, [], "{partition}, empty");
        assert_eq!(
            read(&log, partition, 7, Limit::default()).await,
            [],
            "{partition}, empty, beyond the end"
        );
    }
}

async fn unknown_topics_and_partitions_are_errors(Fresh { log, topic }: Fresh) {
    let nowhere = Topic("no-such-topic").partition(0);
    assert!(matches!(log.partitions(nowhere.topic), Err(Error::NoTopic(_))));
    assert!(matches!(log.join("group", nowhere.topic, 1).await, Err(Error::NoTopic(_))));
    for (partition, topic_known) in [(nowhere, false), (topic.partition(PARTITIONS), true)] {
        let known = |error: &Error| match error {
            Error::NoTopic(_) => !topic_known,
            Error::NoPartition(named) => topic_known && *named == partition,
            _ => false,
        };
        let outcomes = [
            ("append", log.append(partition, vec![Bytes::from_static(b"x")]).await.err()),
            ("read", log.read(partition, 0, Limit::default()).await.err()),
            ("start", log.start(partition).await.err()),
            ("end", log.end(partition).await.err()),
            ("wait", log.wait(partition, 0).await.err()),
            ("trim", log.trim(partition, 1).await.err()),
        ];
        for (operation, error) in outcomes {
            assert!(error.as_ref().is_some_and(known), "{operation} on {partition} gave {error:?}");
            assert!(!error.is_some_and(|error| error.is_unknown()), "{operation}: nothing was written");
        }
    }
}

async fn partitions_are_apart(Fresh { log, topic }: Fresh) {
    let before = clock::now();
    for number in 0..PARTITIONS {
        append(&log, topic.partition(number), &[format!("only in {number}")]).await;
    }
    for number in 0..PARTITIONS {
        let records = read(&log, topic.partition(number), 0, Limit::default()).await;
        assert_eq!(texts(&records), [format!("only in {number}")]);
        // Another machine's clock may stand in the record, so this asks for the right unit and era only.
        let apart = (records[0].appended_at - before).abs();
        assert!(apart < 600_000, "appended_at is milliseconds since the epoch; it is {apart} ms off");
    }
}

async fn pipelined_appends_keep_their_order(Fresh { log, topic }: Fresh) {
    let partition = topic.partition(1);
    let sent: Vec<String> = (0..500).map(|n| format!("record {n}")).collect();
    let pending: Vec<_> = sent.iter().map(|text| log.append(partition, bytes(&[text]))).collect();
    // Awaited from the last to the first, which must not matter.
    let mut positions = Vec::new();
    for appending in pending.into_iter().rev() {
        positions.push(soon("pipelined append", appending).await.expect("append"));
    }
    positions.reverse();
    let records = read_all(&log, partition).await;
    assert_eq!(texts(&records), sent, "order of unawaited appends");
    assert_eq!(positions_of(&records), positions, "appends yield the positions of their records");
}

async fn a_dropped_append_is_not_taken_back(Fresh { log, topic }: Fresh) {
    let partition = topic.partition(0);
    drop(log.append(partition, bytes(&["dropped"])));
    append(&log, partition, &["awaited"]).await;
    assert_eq!(texts(&read_all(&log, partition).await), ["dropped", "awaited"]);
}

async fn batches_keep_their_order(Fresh { log, topic }: Fresh) {
    let partition = topic.partition(2);
    let mut appenders = JoinSet::new();
    for appender in 0..8 {
        let log = log.clone();
        appenders.spawn(async move {
            let mut placed = Vec::new();
            for round in 0..20 {
                let size = 1 + (appender * 7 + round * 3) % 19;
                let batch: Vec<String> =
                    (0..size).map(|n| format!("{appender}/{round}: {n} of {size}")).collect();
                placed.push((append(&log, partition, &batch).await, batch));
            }
            placed
        });
    }
    let placed: Vec<_> = appenders.join_all().await.into_iter().flatten().collect();
    let records = read_all(&log, partition).await;
    assert_eq!(records.len(), placed.iter().map(|(_, batch)| batch.len()).sum::<usize>());
    for (last, batch) in placed {
        let through = &records[..=index_of(&records, last)];
        let found = texts(through).into_iter().filter(|text| batch.contains(text)).collect::<Vec<_>>();
        assert_eq!(found, batch, "a batch stands in its order, and ends at {last}");
    }
}

async fn concurrent_appends_are_each_there_once(Fresh { log, topic }: Fresh) {
    const APPENDERS: u32 = 32;
    const EACH: u32 = 50;
    let mut appenders = JoinSet::new();
    for appender in 0..APPENDERS {
        let log = log.clone();
        appenders.spawn(async move {
            let partition = topic.partition(appender % PARTITIONS);
            let mut placed = Vec::new();
            for n in 0..EACH {
                let text = format!("{appender}-{n}");
                placed.push((append(&log, partition, &[&text]).await, text));
            }
            assert!(placed.is_sorted(), "later appends of one caller stand later");
            (partition.number, placed)
        });
    }
    let mut expected: BTreeMap<u32, Vec<(u64, String)>> = BTreeMap::new();
    for (number, placed) in appenders.join_all().await {
        expected.entry(number).or_default().extend(placed);
    }
    for (number, mut placed) in expected {
        placed.sort();
        let records = read_all(&log, topic.partition(number)).await;
        let found: Vec<(u64, String)> = positions_of(&records).into_iter().zip(texts(&records)).collect();
        assert_eq!(found, placed, "what was acknowledged, where it was acknowledged, and nothing else");
    }
}

async fn tails_see_everything_in_order(Fresh { log, topic }: Fresh) {
    const RECORDS: usize = 400;
    let partition = topic.partition(3);
    let mut readers = JoinSet::new();
    for limit in [1, 7, 1_000] {
        let limit = Limit { records: limit, ..Limit::default() };
        let mut tail = Tail::new(log.clone(), partition, 0).with_limit(limit);
        readers.spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < RECORDS {
                let batch = soon("a tail's next batch", tail.batch()).await.expect("batch");
                assert!(!batch.is_empty() && batch.len() <= limit.records);
                assert!(batch.iter().all(|record| record.position < tail.next_position()));
                seen.extend(texts(&batch));
            }
            seen
        });
    }
    let sent: Vec<String> = (0..RECORDS).map(|n| n.to_string()).collect();
    for (n, text) in sent.iter().enumerate() {
        append(&log, partition, &[text]).await;
        if n % 40 == 0 {
            // Lets readers catch up and fall asleep now and then.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    for seen in readers.join_all().await {
        assert_eq!(seen, sent);
    }
}

async fn reads_keep_their_limits(Fresh { log, topic }: Fresh) {
    let partition = topic.partition(0);
    let large = "x".repeat(400_000);
    let sent: Vec<&str> = vec!["a", "bb", &large, "dddd", "eeeee"];
    append(&log, partition, &sent).await;
    let all = read_all(&log, partition).await;
    assert_eq!(texts(&all), sent);
    let end = log.end(partition).await.expect("end");

    let with = |records, bytes| Limit { records, bytes };
    let cases = [
        ("two records", 0, with(2, 1 << 20), &sent[..2]),
        ("three bytes", 0, with(10, 3), &sent[..2]),
        ("a large record alone", 2, with(10, 1_000), &sent[2..3]),
        ("a large record does not fit behind another", 1, with(10, 1_000), &sent[1..2]),
        ("one at least", 0, with(0, 0), &sent[..1]),
        ("from the middle", 3, with(10, 1_000), &sent[3..]),
    ];
    for (what, from, limit, expected) in cases {
        let records = read(&log, partition, all[from].position, limit).await;
        assert_eq!(texts(&records), expected, "{what}");
        assert_eq!(records, all[from..from + expected.len()], "{what}: the same records as in a full read");
    }
    assert_eq!(read(&log, partition, end, with(10, 10)).await, [], "from the end");
    assert_eq!(read(&log, partition, u64::MAX, with(10, 10)).await, [], "from far beyond the end");
}

async fn too_large_a_record_is_refused_alone(Fresh { log, topic }: Fresh) {
    let partition = topic.partition(2);
    let batch = vec![Bytes::from_static(b"small"), Bytes::from(vec![0; MAX_RECORD + 1])];
    match log.append(partition, batch).await {
        Err(Error::TooLarge { partition: named, bytes }) => {
            assert_eq!((named, bytes), (partition, MAX_RECORD + 1));
        }
        other => panic!("too large a record gave {other:?}"),
    }
    append(&log, partition, &["after"]).await;
    assert_eq!(texts(&read_all(&log, partition).await), ["after"], "nothing of the batch was written");
}

async fn waiting_is_exact_and_can_be_cancelled(Fresh { log, topic }: Fresh) {
    let partition = topic.partition(1);
    let short = Duration::from_millis(20);
    let last = append(&log, partition, &["first"]).await;
    soon("a wait for what is there", log.wait(partition, 0)).await.expect("wait");
    soon("a wait for the last record", log.wait(partition, last)).await.expect("wait");

    let end = log.end(partition).await.expect("end");
    assert!(end > last);
    for _ in 0..5 {
        assert!(timeout(short, log.wait(partition, end)).await.is_err(), "there is nothing at the end yet");
    }
    // Another partition's news is no news.
    append(&log, topic.partition(2), &["elsewhere"]).await;
    assert!(timeout(short, log.wait(partition, end)).await.is_err(), "woken by another partition");

    let waiter = tokio::spawn({
        let log = log.clone();
        async move { log.wait(partition, end).await }
    });
    tokio::time::sleep(short).await;
    append(&log, partition, &["second"]).await;
    soon("a sleeping wait", waiter).await.expect("no panic").expect("wait");
    assert_eq!(texts(&read(&log, partition, end, Limit::default()).await), ["second"]);
}

async fn trimmed_records_are_gone_and_say_so(Fresh { log, topic }: Fresh) {
    let partition = topic.partition(2);
    let sent: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    append(&log, partition, &sent).await;
    let all = read_all(&log, partition).await;
    let end = log.end(partition).await.expect("end");
    let kept = all[8].position;

    log.trim(partition, kept).await.expect("trim");
    for again in [kept, all[3].position, 0] {
        log.trim(partition, again).await.expect("trim again");
        assert_eq!(log.start(partition).await.expect("start"), kept);
    }
    assert_eq!(log.end(partition).await.expect("end"), end);
    for gone in [0, all[7].position] {
        match log.read(partition, gone, Limit::default()).await {
            Err(Error::Trimmed { partition: named, from, start }) => {
                assert_eq!((named, from, start), (partition, gone, kept));
            }
            other => panic!("a read below the start gave {other:?}"),
        }
    }
    assert_eq!(read(&log, partition, kept, Limit::default()).await, all[8..]);
    assert_eq!(log.start(topic.partition(1)).await.expect("start"), 0, "another partition keeps its own");
}

async fn positions_go_on_after_everything_was_trimmed(Fresh { log, topic }: Fresh) {
    let partition = topic.partition(3);
    append(&log, partition, &["a", "b", "c"]).await;
    let end = log.end(partition).await.expect("end");
    log.trim(partition, end).await.expect("trim");
    assert_eq!(log.start(partition).await.expect("start"), end);
    assert_eq!(log.end(partition).await.expect("end"), end);
    assert_eq!(read(&log, partition, end, Limit::default()).await, []);
    let position = append(&log, partition, &["d"]).await;
    assert!(position >= end, "a position is never given twice");
    assert_eq!(texts(&read(&log, partition, end, Limit::default()).await), ["d"]);
}

async fn joining_gives_every_partition(Fresh { log, topic }: Fresh) {
    let mut mine = log.join("group", topic, 1).await.expect("join");
    let every: Vec<u32> = (0..PARTITIONS).collect();
    let is_given = |mine: &Share| mine.membership == Membership::Member && mine.led == every;
    let given = soon("every partition", mine.wait_for(is_given)).await;
    assert_eq!(given.expect("a member").next, [], "a lone member leads every partition, and follows nobody");
}

async fn append<T: AsRef<str>>(log: &Arc<dyn Log>, partition: Partition, texts: &[T]) -> u64 {
    soon("append", log.append(partition, bytes(texts))).await.expect("append")
}

async fn read(log: &Arc<dyn Log>, partition: Partition, from: u64, limit: Limit) -> Vec<Record> {
    soon("read", log.read(partition, from, limit)).await.expect("read")
}

async fn read_all(log: &Arc<dyn Log>, partition: Partition) -> Vec<Record> {
    let start = log.start(partition).await.expect("start");
    let mut tail =
        Tail::new(log.clone(), partition, start).with_limit(Limit { records: 100, bytes: 1 << 20 });
    let mut all = Vec::new();
    loop {
        let more = soon("read", tail.ready()).await.expect("read");
        if more.is_empty() {
            assert!(positions_of(&all).is_sorted_by(|a, b| a < b), "positions ascend strictly");
            return all;
        }
        all.extend(more);
    }
}

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} took longer than {} s", PATIENCE.as_secs()),
    }
}

fn bytes<T: AsRef<str>>(texts: &[T]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::copy_from_slice(text.as_ref().as_bytes())).collect()
}

fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(&record.bytes).into_owned()).collect()
}

fn positions_of(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.position).collect()
}

fn index_of(records: &[Record], position: u64) -> usize {
    match records.binary_search_by_key(&position, |record| record.position) {
        Ok(index) => index,
        Err(_) => panic!("nothing stands at the acknowledged position {position}"),
    }
}
