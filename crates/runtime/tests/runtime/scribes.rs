//! Snapshots that are written beside a leader who goes on, and what is left if it dies then.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{
    Kind, Party,
    conversation::{Decider, What},
};
use futures::future::join_all;
use log::Log as _;
use runtime::{Setup, Worker, run_all};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    memory::{comes_and_goes, count, forgetful},
    watched::Watched,
    world::*,
};

const PEER: domain::Peer = domain::Peer { kind: Kind::Conversation, partition: 0 };

/// A leader that leaves a snapshot every few steps. It is killed by aborting it.
fn start(world: &World, every: usize) -> JoinHandle<()> {
    let setup = world.setup("one", world.turns.clone(), world.policies.subscribe());
    let snapshots = setup.snapshots.clone().map(|snapshots| snapshots.every(every));
    let worker = Worker::<Decider>::new(Arc::new(Setup { snapshots, ..setup }), 0);
    tokio::spawn(worker.run(CancellationToken::new()))
}

async fn kill(leader: JoinHandle<()>) {
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled(), "it was still at work");
}

fn party(n: u8) -> Party {
    Party([n % 5 * 2; 16])
}

/// So often, each of the five comes and goes.
async fn all_come_and_go(world: &World, visits: &mut u8, times: u8) {
    for _ in 0..times {
        join_all((1..=5).map(|n| comes_and_goes(world, party(n), *visits + n))).await;
        *visits += 5;
    }
}

fn folder(world: &World) -> PathBuf {
    world.snapshots.as_ref().unwrap().path().join("conversation-0")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// What a killed leader's thread was writing is written: a thread that waits for the disk is not stopped with it.
async fn nothing_is_being_written(world: &World) {
    let folder = folder(world);
    for _ in 0..500 {
        if files(&folder, "partial").is_empty() && files(&folder, "snapshot").len() <= 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} of a killed leader are still there", files(&folder, "snapshot"));
}

/// Each of the five had one conversation, however often they came back.
async fn assert_none_was_forgotten(world: &World, visits: u8) {
    let events = world.events::<Decider>().await;
    let of = |meant: fn(&What) -> bool| count(&events, meant);
    assert_eq!(of(|what| matches!(what, What::Opened { .. })), 5);
    assert_eq!(of(|what| matches!(what, What::Reopened { .. })), usize::from(visits) - 5);
    assert_eq!(of(|what| matches!(what, What::Returned { .. })), usize::from(visits) - 5);
}

async fn goes_on(every: usize) {
    let world = forgetful();
    let mut visits = 0;
    for _ in 0..3 {
        let leader = start(&world, every);
        all_come_and_go(&world, &mut visits, 2).await;
        kill(leader).await;
    }
    assert_none_was_forgotten(&world, visits).await;
    nothing_is_being_written(&world).await;
    let report = world.assert_clean().await;
    assert_eq!(report.snapshots_compared, 2, "nobody was ever stopped in order: {report}");
    assert!(report.snapshots_skipped.is_empty(), "{report}");
    // One of them may be cut short.
    assert!(files(&folder(&world), "segments").len() <= 3);
}

#[tokio::test]
async fn a_leader_goes_on_while_snapshots_are_written() {
    for every in [3, 40] {
        goes_on(every).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_goes_on_while_snapshots_are_written_on_other_threads() {
    goes_on(7).await;
}

/// What was to be in those snapshots stays in memory, and is in the next.
#[tokio::test]
async fn a_leader_goes_on_without_snapshots_where_the_disk_takes_none() {
    let world = forgetful();
    std::fs::write(folder(&world), b"not a folder").unwrap();
    let leader = start(&world, 7);
    let mut visits = 0;
    all_come_and_go(&world, &mut visits, 3).await;
    std::fs::remove_file(folder(&world)).unwrap();
    all_come_and_go(&world, &mut visits, 3).await;
    assert!(!files(&folder(&world), "snapshot").is_empty());
    kill(leader).await;
    let leader = start(&world, 7);
    all_come_and_go(&world, &mut visits, 1).await;
    kill(leader).await;
    assert_none_was_forgotten(&world, visits).await;
    world.assert_clean().await;
}

/// A segment is damaged while its leader is at work. Whether the leader comes upon it or a snapshot is being written,
/// all is folded again, and nothing that the damaged file says is believed.
#[tokio::test]
async fn damage_under_a_leader_is_folded_away() {
    let world = forgetful();
    let leader = start(&world, 10);
    let mut visits = 0;
    for _ in 0..4 {
        all_come_and_go(&world, &mut visits, 1).await;
        for segments in files(&folder(&world), "segments") {
            for path in files(&segments, "segment") {
                let mut bytes = std::fs::read(&path).unwrap();
                bytes[12] ^= 1;
                // In place: the leader has the file open.
                std::fs::write(&path, bytes).unwrap();
            }
        }
    }
    kill(leader).await;
    assert_none_was_forgotten(&world, visits).await;
    world.assert_clean().await;
}

#[tokio::test]
async fn who_folds_along_leaves_snapshots_and_no_more_than_is_needed() {
    let world = forgetful();
    let elsewhere = forgetful();
    let leading = World { log: world.log.clone(), ..elsewhere };
    let leader = start(&leading, 1_000_000);
    let mut visits = 0;
    for round in 0..2 {
        let watched = Watched::new(&world, PEER);
        watched.gives(&[]);
        let setup = world.setup("two", world.turns.clone(), world.policies.subscribe());
        let snapshots = setup.snapshots.clone().map(|snapshots| snapshots.every(3));
        let log = watched.clone();
        let stop = CancellationToken::new();
        let second = run_all::<Decider>(Setup { log, snapshots, ..setup }, stop.clone());
        let second = tokio::spawn(second);
        all_come_and_go(&world, &mut visits, 3).await;
        let end = world.log.end(runtime::log_of(PEER)).await.unwrap();
        let folded = async || (watched.next.load(Ordering::SeqCst) == end).then_some(());
        eventually("all of it is folded", folded).await;
        let began = watched.lowest.load(Ordering::SeqCst);
        assert_eq!(began > 0, round > 0, "it begins at its own snapshot: {began}");
        second.abort();
        assert!(second.await.is_err());
        assert_eq!(files(&folder(&world), "snapshot").len(), 2);
        for segments in files(&folder(&world), "segments") {
            // Facts, and parties; none that were put together with others.
            assert!(files(&segments, "segment").len() < 8, "{segments:?}");
        }
        assert!(files(&folder(&world), "segments").len() <= 3);
    }
    kill(leader).await;
    assert_none_was_forgotten(&world, visits).await;
    world.assert_clean().await;
}
