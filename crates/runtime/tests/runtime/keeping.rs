//! What whoever leads does besides: old inputs go, and places to begin reading are kept.

use std::{sync::Arc, time::Duration};

use domain::{Cause, Kind, Millis, conversation::Decider};
use log::{Limit, Log, Topic};
use runtime::{Points, Retention, Snapshots, intake, log_of};
use wire::{Judgement, Point, Reader};

use super::{hand::Hand, world::*};

const PEER: domain::Peer = domain::Peer { kind: Kind::Conversation, partition: 0 };

#[tokio::test]
async fn the_intake_is_trimmed_to_the_oldest_snapshot_and_not_further() {
    let mut world = World::with_snapshots();
    let every = Duration::from_millis(5);
    world.retention.every = every;
    for n in 1..=6 {
        let running = world.start_conversations("one");
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n)).await;
        running.stop().await;
    }
    assert_eq!(world.log.start(intake(PEER)).await.unwrap(), 0, "all of it is young");

    world.retention = Retention { intake: Millis(0), every };
    let all = world.snapshots().unwrap().all::<Decider>(PEER);
    let oldest = all.into_iter().next().unwrap().unwrap().intake_through;
    let running = world.start_conversations("two");
    world.says(CUSTOMER, 7).await;
    world.has_received(7).await;
    let trimmed = async || (world.log.start(intake(PEER)).await.unwrap() == oldest).then_some(());
    eventually("what is before the oldest snapshot goes", trimmed).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.log.start(intake(PEER)).await.unwrap(), oldest);
    assert!(oldest < world.log.end(intake(PEER)).await.unwrap() - 1, "more was read than that");
    running.stop().await;

    // Who must begin at the oldest, or at the very beginning, gets on all the same.
    for path in world.snapshot_files(PEER) {
        std::fs::remove_file(path).unwrap();
        let running = world.start_conversations("three");
        running.stop().await;
    }
    assert_eq!(world.received().await, (1..=7).map(message_id).collect::<Vec<_>>());
    world.assert_clean().await;
}

/// No decision tells of inputs that lead to nothing, so none of them may be taken for read by all.
#[tokio::test]
async fn a_snapshot_says_of_the_intake_what_the_log_says() {
    let world = World::with_snapshots();
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    for _ in 0..5 {
        world.says(CUSTOMER, 1).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.stop().await;
    let through = world.accepted::<Decider>(0).await.last().unwrap().intake_through;
    assert!(through < world.log.end(intake(PEER)).await.unwrap());
    assert_eq!(world.snapshots().unwrap().newest::<Decider>(PEER).unwrap().intake_through, through);
}

#[tokio::test]
async fn of_snapshots_the_newest_and_the_one_before_it_are_kept() {
    let world = World::with_snapshots();
    let mut newest = None;
    for n in 1..=5 {
        let running = world.start_conversations("one");
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n)).await;
        running.stop().await;
        let before = newest.replace(world.log.end(log_of(PEER)).await.unwrap());
        let all = world.snapshots().unwrap().all::<Decider>(PEER);
        let positions = all.into_iter().map(|snapshot| snapshot.unwrap().point.position);
        assert_eq!(positions.collect::<Vec<_>>(), before.into_iter().chain(newest).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_snapshot_of_another_log_is_never_taken_and_does_not_stay() {
    let mut world = World::new();
    let other = World::with_snapshots();
    for n in 1..=2 {
        let running = other.start_conversations("one");
        other.says(CUSTOMER, n).await;
        other.has_received(usize::from(n)).await;
        running.stop().await;
    }
    let theirs = other.snapshot_files(PEER);
    assert_eq!(theirs.len(), 2);
    // What a crash left.
    let partial = theirs[0].with_extension("partial");
    std::fs::write(&partial, b"cut short").unwrap();

    // Ours grows past them while nobody looks, and has what they have not.
    for n in 11..=16 {
        let running = world.start_conversations("one");
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n) - 10).await;
        running.stop().await;
    }
    world.snapshots = other.snapshots;
    let running = world.start_conversations("two");
    world.says(CUSTOMER, 17).await;
    world.has_received(7).await;
    running.stop().await;
    let ours = world.snapshot_files(PEER);
    assert_eq!(ours.len(), 1, "theirs are gone: {ours:?}");
    assert!(theirs.iter().all(|path| !path.with_extension("segments").exists()) && !partial.exists());
    let report = world.assert_clean().await;
    assert_eq!((report.snapshots_compared, report.snapshots_skipped.len()), (1, 0), "{report}");
}

/// A log under several leaders, with records that do not count among those that do.
async fn ruled(world: &World, leaders: u8) {
    let mut told = 0;
    for _ in 0..leaders {
        let running = world.start_conversations("one");
        for _ in 0..3 {
            told += 1;
            world.says(CUSTOMER, told).await;
            world.has_received(usize::from(told)).await;
        }
        running.stop().await;
        // What this leader said last, once more.
        let end = world.log.end(log_of(PEER)).await.unwrap();
        let last = world.log.read(log_of(PEER), end - 1, Limit::default()).await.unwrap();
        world.log.append(log_of(PEER), vec![last[0].bytes.clone()]).await.unwrap();
    }
}

async fn judged_from(log: &dyn Log, from: Point) -> Vec<(u64, Judgement)> {
    let mut reader = Reader::<Decider>::new(from);
    let limit = Limit { records: usize::MAX, bytes: usize::MAX };
    let records = log.read(log_of(PEER), from.position, limit).await.unwrap();
    let judge =
        |record: log::Record| (record.position, reader.judge(record.position, &record.bytes).unwrap());
    records.into_iter().map(judge).collect()
}

#[tokio::test]
async fn a_reader_that_begins_at_a_point_sees_what_one_sees_that_began_at_the_beginning() {
    let world = World::with_snapshots();
    let points = Points::new(world.snapshots().unwrap()).with_spacing(4);
    let mut found = std::collections::BTreeSet::new();
    for _ in 0..2 {
        ruled(&world, 3).await;
        // It grows where it ended.
        points.extend(world.log(), PEER).await.unwrap();
    }
    let from_zero = judged_from(&world.log, Point::default()).await;
    let end = world.log.end(log_of(PEER)).await.unwrap();
    for position in 0..=end {
        let point = points.before(&world.log, PEER, position).await;
        assert!(point.position <= position && position - point.position < 4 + 4, "{point:?} for {position}");
        let from_point = judged_from(&world.log, point).await;
        assert!(from_zero.ends_with(&from_point), "from {point:?}");
        found.insert(point.position);
    }
    assert!(found.len() as u64 > end / 8, "{found:?}");
}

#[tokio::test]
async fn an_index_that_is_damaged_missing_or_of_another_log_is_made_again() {
    let world = World::with_snapshots();
    let reports = (0..100).fold(Hand::<Decider>::new(0), |hand, _| hand.then(Cause::Report, vec![]));
    reports.write(&world).await;
    let folder = world.snapshots.as_ref().unwrap().path().to_owned();
    let points = Points::new(Snapshots::new(&folder)).with_spacing(10);
    assert_eq!(points.before(&world.log, PEER, 100).await, Point::default(), "there is none yet");
    points.extend(world.log(), PEER).await.unwrap();
    let file = folder.join("conversation-0/points.index");
    let whole = std::fs::read(&file).unwrap();
    let last = points.before(&world.log, PEER, u64::MAX).await;
    assert!(last.position > 90);

    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&file, &damaged).unwrap();
        let before = points.before(&world.log, PEER, u64::MAX).await;
        assert!(before.position < last.position, "byte {at} is damaged");
        points.extend(world.log(), PEER).await.unwrap();
        assert!(std::fs::read(&file).unwrap() == whole, "made again after byte {at} was damaged");
    }
    for length in 0..whole.len() {
        std::fs::write(&file, &whole[..length]).unwrap();
        points.extend(world.log(), PEER).await.unwrap();
        assert!(std::fs::read(&file).unwrap() == whole, "made again after it was cut at {length}");
    }
    std::fs::remove_file(&file).unwrap();
    points.extend(world.log(), PEER).await.unwrap();
    assert!(std::fs::read(&file).unwrap() == whole);

    // Another log, as long, with other leaders.
    let other = World::new();
    ruled(&other, 30).await;
    assert_eq!(points.before(&other.log, PEER, 100).await, Point::default());
    points.extend(other.log(), PEER).await.unwrap();
    let point = points.before(&other.log, PEER, 100).await;
    assert!(point.position > 80);
    let from_zero = judged_from(&other.log, Point::default()).await;
    assert!(from_zero.ends_with(&judged_from(&other.log, point).await));
}

#[tokio::test]
async fn a_leader_keeps_the_index() {
    let world = World::with_snapshots();
    // More than the usual spacing.
    let reports = (0..5_000).fold(Hand::<Decider>::new(0), |hand, _| hand.then(Cause::Report, vec![]));
    reports.write(&world).await;
    let topic = Topic(Kind::Conversation.intake_topic());
    let filler = vec![bytes::Bytes::from_static(b"read already"); 5_000];
    world.log.append(topic.partition(0), filler).await.unwrap();
    let points = Arc::new(Points::new(world.snapshots().unwrap()));
    let running = world.start_conversations("one");
    let known = async || {
        let point = points.before(&world.log, PEER, 4_500).await;
        (point.position > 4_000).then_some(point)
    };
    let point = eventually("a point", known).await;
    assert!(point.position <= 4_500);
    running.stop().await;
}
