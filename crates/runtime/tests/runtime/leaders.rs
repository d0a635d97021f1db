//! Leaders that come, go, and come back too late.

use std::sync::{Arc, atomic::Ordering};

use domain::{Cause, Epoch, FactId, Kind, Step, Timestamp, conversation::Decider};
use futures::FutureExt as _;
use log::{Limit, Log as _, memory::Fault};
use runtime::{Setup, Standing, Worker, log_of};
use tokio_util::sync::CancellationToken;
use wire::{Announce, Decision};

use super::{watched::Watched, world::*};

const PEER: domain::Peer = domain::Peer { kind: Kind::Conversation, partition: 0 };

async fn announcements(world: &World) -> usize {
    let records = world.log.read(log_of(PEER), 0, Limit::default()).await.unwrap();
    let headers = records.iter().map(|record| wire::decode_header(&record.bytes).unwrap());
    headers.filter(|header| matches!(header, wire::Header::Announce(_))).count()
}

#[tokio::test]
async fn rivals_depose_each_other_and_nothing_is_doubled() {
    let world = World::new();
    let one = world.start_conversations("one");
    for n in 1..=20 {
        world.says(CUSTOMER, n).await;
    }
    world.has_received(20).await;
    let two = world.start_conversations("two");
    for n in 21..=60 {
        world.says(CUSTOMER, n).await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        // It may be looked at while it goes on.
        world.assert_clean().await;
    }
    world.has_received(60).await;
    one.stop().await;
    two.stop().await;

    let expected: Vec<_> = (1..=60).map(message_id).collect();
    assert_eq!(world.received().await, expected, "each once, in order");
    assert!(announcements(&world).await > 2, "the first came back after it was deposed");
    world.assert_clean().await;
}

#[tokio::test]
async fn what_a_deposed_leader_still_writes_counts_nowhere() {
    let world = World::new();
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    running.stop().await;

    let mut standing = Standing::<Decider>::new(0, TOPOLOGY);
    let mut tail = standing.tail(world.log());
    standing.catch_up(&mut tail).await.unwrap();
    let zombie = standing.point();
    let rival = Announce {
        epoch: Epoch([9; 16]),
        follows: zombie.epoch,
        leader: "rival".into(),
        version: 1,
        at: Timestamp(log::clock::now()),
    };
    // It would be the next decision of its epoch, and applies the same fact again.
    let late = Decision::<Decider> {
        epoch: zombie.epoch.unwrap(),
        seq: zombie.seq + 1,
        intake_through: 1,
        decided_at: Timestamp(log::clock::now()),
        steps: vec![Step {
            cause: Cause::Fact(FactId([1; 16])),
            events: Vec::new(),
            answers: Vec::new(),
            set_aside: None,
        }],
    };
    let rival = wire::encode_announce(&rival);
    // The announcement once more: an epoch rules at most once.
    let records = vec![rival.clone(), wire::encode_decision(&late), rival];
    world.log.append(log_of(PEER), records).await.unwrap();

    let running = world.start_conversations("three");
    world.says(CUSTOMER, 2).await;
    world.has_received(2).await;
    running.stop().await;
    assert_eq!(world.received().await, [message_id(1), message_id(2)]);
    assert_eq!(world.assert_clean().await.total().ignored, 2);
}

/// The outcome of an append is unknown: the leader steps down, folds what stands there, and goes on.
async fn append_meets(fault: Fault) {
    let world = World::new();
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    let before = announcements(&world).await;

    world.log.fail_next_append(log_of(PEER), fault);
    for n in 2..=9 {
        world.says(CUSTOMER, n).await;
    }
    world.has_received(9).await;
    let again = async || (announcements(&world).await > before).then_some(());
    eventually("another announcement", again).await;
    running.stop().await;

    let expected: Vec<_> = (1..=9).map(message_id).collect();
    assert_eq!(world.received().await, expected);
    assert_eq!(announcements(&world).await, before + 1, "it announced itself anew, once");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_decision_whose_acknowledgement_is_lost_is_not_made_twice() {
    append_meets(Fault::AckLost).await;
}

#[tokio::test]
async fn a_decision_that_is_lost_is_made_again() {
    append_meets(Fault::WriteLost).await;
}

/// Nothing is heard of a decision, and what was decided behind it stands in the log: it is lost, and its epoch is over.
#[tokio::test]
async fn a_leader_that_reads_its_own_decision_out_of_sequence_steps_down() {
    let world = World::new();
    let watched = Watched::new(&world, PEER);
    let setup = world.setup("one", world.turns.clone(), world.policies.subscribe());
    let (setup, stop) = (Setup { log: watched.clone(), ..setup }, CancellationToken::new());
    let leader = tokio::spawn(Worker::<Decider>::new(Arc::new(setup), 0).run(stop.clone()));
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    let before = announcements(&world).await;

    watched.to_lose.store(1, Ordering::SeqCst);
    world.says(CUSTOMER, 2).await;
    let lost = async || (watched.to_lose.load(Ordering::SeqCst) == 0).then_some(());
    eventually("a decision is lost", lost).await;
    world.says(CUSTOMER, 3).await;
    world.has_received(3).await;
    stop.cancel();
    leader.await.unwrap();

    assert_eq!(world.received().await, [1, 2, 3].map(message_id));
    assert_eq!(announcements(&world).await, before + 1, "it announced itself anew, once");
    assert_eq!(world.assert_clean().await.total().ignored, 1, "what came behind the lost one");
}

#[tokio::test]
async fn an_announcement_whose_acknowledgement_is_lost_is_followed_by_another() {
    for fault in [Fault::AckLost, Fault::WriteLost] {
        let world = World::new();
        world.log.fail_next_append(log_of(PEER), fault);
        let running = world.start_conversations("one");
        world.says(CUSTOMER, 1).await;
        world.has_received(1).await;
        running.stop().await;
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn effects_come_only_after_the_read_back() {
    let world = World::new();
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    let performed = || world.turns.count(|_| true);
    eventually("the first effects", async || (performed() > 0).then_some(())).await;
    let before = performed();

    // This append does not wait, so the log is held before the leader can have read it.
    world.says(OTHER, 2).now_or_never().expect("a log in memory appends at once");
    world.log.hold();
    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    assert_eq!(performed(), before, "decided, but not in the log");
    world.log.release();
    eventually("the effects", async || (performed() > before).then_some(())).await;
    running.stop().await;
    world.assert_clean().await;
}

#[tokio::test]
async fn what_is_owed_is_looked_for_once_the_backlog_is_read_back() {
    let world = World::new();
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    running.stop().await;
    world.turns.resumed.lock().unwrap().clear();

    // These wait in the intake while nobody leads.
    for n in 2..=5 {
        world.says(OTHER, n).await;
    }
    let running = world.start_conversations("two");
    let (state, performed) =
        eventually("the resumption", async || world.turns.resumed.lock().unwrap().pop()).await;
    let mut standing = Standing::<Decider>::new(0, TOPOLOGY);
    let mut tail = standing.tail(world.log());
    standing.catch_up(&mut tail).await.unwrap();
    assert_eq!(world.received().await.len(), 5);
    let expected = wire::encode_state(&standing.partition);
    assert!(state == expected, "it sees the accepted state, the backlog included");
    assert_eq!(performed, world.events::<Decider>().await.len(), "all that was decided was read back before");
    assert_eq!(standing.partition.state().open_turns().count(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_restart_continues_where_the_log_ends() {
    for world in [World::new(), World::with_snapshots()] {
        for n in 1..=5 {
            let running = world.start_conversations("again");
            world.says(CUSTOMER, n).await;
            world.has_received(usize::from(n)).await;
            running.stop().await;
        }
        let report = world.assert_clean().await;
        assert_eq!(report.snapshots_compared, if world.snapshots.is_some() { 2 } else { 0 });
        assert_eq!(report.open_conversations, 1);
    }
}

#[tokio::test]
async fn a_snapshot_of_another_log_is_skipped() {
    let mut world = World::with_snapshots();
    for n in 1..=5 {
        world.says(CUSTOMER, n).await;
    }
    let running = world.start_conversations("one");
    world.has_received(5).await;
    running.stop().await;

    // The log is gone, its snapshots are still there.
    let snapshots = world.snapshots.take();
    world = World { snapshots, ..World::new() };
    let violations = world.verify().await.violations;
    assert!(matches!(&violations[..], [only] if only.invariant == 7), "{violations:?}");

    world.says(CUSTOMER, 6).await;
    let running = world.start_conversations("two");
    world.has_received(1).await;
    running.stop().await;
    assert_eq!(world.received().await, [message_id(6)]);
}

#[tokio::test]
async fn a_live_state_is_what_replaying_gives() {
    let world = World::with_snapshots();
    // One decision that takes longer than the clock's unit.
    for n in 1..=250 {
        world.says(domain::Party([n & !1; 16]), n).await;
    }
    let running = world.start_conversations("one");
    world.has_received(250).await;
    running.stop().await;
    assert_eq!(world.assert_clean().await.snapshots_compared, 1);
}

#[tokio::test]
async fn a_damaged_snapshot_is_skipped() {
    let world = World::with_snapshots();
    for n in 1..=2 {
        let running = world.start_conversations("one");
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n)).await;
        running.stop().await;
    }
    let newest = world.snapshot_files(PEER).pop().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&newest, bytes).unwrap();

    let report = world.assert_clean().await;
    assert_eq!((report.snapshots_compared, report.snapshots_skipped.len()), (1, 1), "{report}");

    let running = world.start_conversations("two");
    world.says(CUSTOMER, 3).await;
    world.has_received(3).await;
    running.stop().await;
    assert_eq!(world.received().await, [1, 2, 3].map(message_id));
    world.assert_clean().await;
}
