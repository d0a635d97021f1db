//! The log in memory keeps the contract and does the faults it is asked for.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use log::{
    Error, Limit, Log, MemoryLog, Topic,
    conformance::{self, Fresh, PARTITIONS},
    memory::Fault,
};
use tokio::time::timeout;

const TOPIC: Topic = Topic("orders");

fn text(text: &'static str) -> Vec<Bytes> {
    vec![Bytes::from_static(text.as_bytes())]
}

async fn texts(log: &MemoryLog) -> Vec<Bytes> {
    let records = log.read(TOPIC.partition(0), 0, Limit::default()).await.expect("read");
    records.into_iter().map(|record| record.bytes).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    conformance::check(async || {
        let log = Arc::new(MemoryLog::new(&[(Topic("other"), 1), (TOPIC, PARTITIONS)]));
        Fresh { log, topic: TOPIC }
    })
    .await;
}

#[tokio::test]
async fn a_lost_acknowledgement_leaves_the_record_and_a_lost_write_does_not() {
    let log = MemoryLog::new(&[(TOPIC, 2)]);
    let partition = TOPIC.partition(0);
    log.fail_next_append(partition, Fault::AckLost);
    log.fail_next_append(partition, Fault::WriteLost);
    log.append(TOPIC.partition(1), text("elsewhere")).await.expect("the other partition has no fault");
    for doomed in ["written", "lost"] {
        let error = log.append(partition, text(doomed)).await.expect_err("a fault");
        assert!(matches!(error, Error::Unknown { .. }) && error.is_unknown());
    }
    log.append(partition, text("after")).await.expect("each fault happens once");
    assert_eq!(texts(&log).await, ["written", "after"]);
}

#[tokio::test]
async fn a_refusing_log_takes_nothing_until_it_stops_refusing() {
    let log = MemoryLog::new(&[(TOPIC, 1)]);
    log.refuse(true);
    let error = log.append(TOPIC.partition(0), text("refused")).await.expect_err("refused");
    assert!(matches!(error, Error::DiskFull) && !error.is_unknown());
    log.refuse(false);
    log.append(TOPIC.partition(0), text("taken")).await.expect("append");
    assert_eq!(texts(&log).await, ["taken"]);
}

#[tokio::test]
async fn a_held_log_queues_up_to_its_capacity_and_shows_nothing() {
    let log = MemoryLog::new(&[(TOPIC, 1)]).with_capacity(2);
    let partition = TOPIC.partition(0);
    log.hold();
    let mut first = log.append(partition, text("first"));
    let second = log.append(partition, text("second"));
    let third = log.append(partition, text("third"));
    assert!(matches!(third.await, Err(Error::Full(full)) if full == partition));
    assert!(timeout(Duration::from_millis(10), &mut first).await.is_err(), "not durable yet");
    assert_eq!(log.end(partition).await.expect("end"), 0);
    assert!(texts(&log).await.is_empty());

    log.release();
    assert_eq!(first.await.expect("append"), 0);
    assert_eq!(second.await.expect("append"), 1);
    assert_eq!(texts(&log).await, ["first", "second"]);
}

#[tokio::test]
async fn what_is_late_or_doubled_lands_when_it_is_let() {
    let log = MemoryLog::new(&[(TOPIC, 1)]);
    let partition = TOPIC.partition(0);
    for fault in [Fault::Late, Fault::Doubled] {
        log.fail_next_append(partition, fault);
    }
    for on_its_way in ["late", "doubled"] {
        let error = log.append(partition, text(on_its_way)).await.expect_err("a fault");
        assert!(error.is_unknown());
    }
    log.append(partition, text("after")).await.expect("append");
    assert_eq!(texts(&log).await, ["doubled", "after"]);
    assert_eq!(log.land(), 2);
    assert_eq!(log.land(), 0, "once");
    assert_eq!(texts(&log).await, ["doubled", "after", "late", "doubled"]);
    assert_eq!(log.faults_met().into_iter().collect::<Vec<_>>(), [(Fault::Late, 1), (Fault::Doubled, 1)]);
}

#[tokio::test]
async fn a_stalled_partition_holds_up_no_other() {
    let log = MemoryLog::new(&[(TOPIC, 2)]);
    log.stall(TOPIC.partition(0));
    let mut stalled = log.append(TOPIC.partition(0), text("stalled"));
    log.append(TOPIC.partition(1), text("elsewhere")).await.expect("append");
    assert!(timeout(Duration::from_millis(10), &mut stalled).await.is_err(), "not durable yet");
    log.resume(TOPIC.partition(0));
    assert_eq!(stalled.await.expect("append"), 0);
}

#[tokio::test]
async fn a_paused_reader_sees_nothing_new_and_still_can_append() {
    let log = MemoryLog::new(&[(TOPIC, 1)]);
    let (partition, paused) = (TOPIC.partition(0), log.another_reader());
    log.append(partition, text("before")).await.expect("append");
    paused.pause_reading();
    paused.append(partition, text("meanwhile")).await.expect("append");
    assert_eq!(texts(&paused).await, ["before"]);
    assert_eq!(paused.end(partition).await.expect("end"), 1);
    assert_eq!(texts(&log).await, ["before", "meanwhile"], "others see it");
    assert!(timeout(Duration::from_millis(10), paused.wait(partition, 1)).await.is_err());

    let waits = paused.clone();
    let waiting = tokio::spawn(async move { waits.wait(partition, 1).await });
    tokio::task::yield_now().await;
    paused.resume_reading();
    waiting.await.expect("no panic").expect("there is more");
    assert_eq!(texts(&paused).await, ["before", "meanwhile"]);
}

#[tokio::test]
async fn records_are_stamped_by_the_clock_it_is_given() {
    let log = MemoryLog::new(&[(TOPIC, 1)]).with_clock(|| 42);
    log.append(TOPIC.partition(0), text("then")).await.expect("append");
    let records = log.read(TOPIC.partition(0), 0, Limit::default()).await.expect("read");
    assert_eq!(records[0].appended_at, 42);
}
