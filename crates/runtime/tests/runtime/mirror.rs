//! Snapshots in a store: who loses everything begins there, and nothing that happens to the store is more than a delay.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use domain::{
    Cause, Kind, Party,
    conversation::{Decider, What},
};
use futures::future::join_all;
use log::Log as _;
use objects::Store;
use runtime::{
    Mirror, Points, Setup, Snapshots, Worker, intake, log_of, run_all,
    verify::{Report, verify},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    hand::Hand,
    memory::{comes_and_goes, count, forgetful},
    watched::Watched,
    world::*,
};

const PEER: domain::Peer = domain::Peer { kind: Kind::Conversation, partition: 0 };
/// Steps between snapshots.
const EVERY: usize = 7;

/// Stores to tell a story with: a folder, and a bucket where one can be had.
fn stores() -> Vec<(Store, Option<TempDir>)> {
    let dir = tempfile::tempdir().unwrap();
    let folder = (Store::folder(dir.path()), Some(dir));
    #[cfg(feature = "s3")]
    let buckets = super::server::store().map(|store| (store, None));
    #[cfg(not(feature = "s3"))]
    let buckets = None;
    std::iter::once(folder).chain(buckets).collect()
}

/// The snapshots of a process, mirrored as soon as they are written.
fn mirrored(world: &World, store: &Store) -> Snapshots {
    let mirror = Mirror::new(store.clone()).every(Duration::from_millis(5));
    world.snapshots().unwrap().every(EVERY).mirrored(mirror)
}

/// A leader; it is killed by aborting it, and ends in order by its token.
fn start(world: &World, store: &Store) -> (JoinHandle<()>, CancellationToken) {
    let setup = world.setup("one", world.turns.clone(), world.policies.subscribe());
    let setup = Setup { snapshots: Some(mirrored(world, store)), ..setup };
    let stop = CancellationToken::new();
    (tokio::spawn(Worker::<Decider>::new(Arc::new(setup), 0).run(stop.clone())), stop)
}

/// The same log, on a machine that has nothing yet.
fn elsewhere(world: &World) -> World {
    World { log: world.log.clone(), ..forgetful() }
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

async fn assert_none_was_forgotten(world: &World, visits: u8) {
    let events = world.events::<Decider>().await;
    let of = |meant: fn(&What) -> bool| count(&events, meant);
    assert_eq!(of(|what| matches!(what, What::Opened { .. })), 5);
    assert_eq!(of(|what| matches!(what, What::Returned { .. })), usize::from(visits) - 5);
}

/// The positions of the snapshots in the store, oldest first.
async fn positions(store: &Store) -> Vec<u64> {
    let listed = store.list("conversation-0").await.unwrap().into_iter();
    let names = listed.filter_map(|object| object.name.strip_suffix(".snapshot").map(str::to_owned));
    let mut positions: Vec<u64> = names
        .map(|name| name["conversation-0/".len()..].split('-').next().unwrap().parse().unwrap())
        .collect();
    positions.sort();
    positions
}

fn newest_here(world: &World) -> u64 {
    let newest = world.snapshot_files(PEER).pop().unwrap();
    newest.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

/// Until the newest snapshot in the store is of a place behind this one.
async fn is_mirrored_beyond(store: &Store, position: u64) -> u64 {
    let newest = async || positions(store).await.pop().filter(|newest| *newest > position);
    eventually("a snapshot is mirrored", newest).await
}

/// Every check, with the snapshots here and in the store.
async fn verified(world: &World, store: &Store) -> Report {
    let report = verify(world.log(), TOPOLOGY, Some(mirrored(world, store)), &|_| {}).await.unwrap();
    assert!(report.is_clean(), "{report}");
    report
}

/// An upload that its leader's end broke off may go on for a moment, on the thread that writes files: until nothing has
/// changed for a while.
async fn comes_to_rest(dir: &Path) {
    let look = || {
        let found = [files(dir, "snapshot"), files(dir, "segment")].concat();
        let written = |path: &PathBuf| std::fs::metadata(path).and_then(|data| data.modified()).ok();
        found.iter().map(|path| (path.clone(), written(path))).collect::<Vec<_>>()
    };
    let mut before = Vec::new();
    while before != look() {
        before = look();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn end(world: &World) -> u64 {
    world.log.end(log_of(PEER)).await.unwrap()
}

#[tokio::test]
async fn who_has_lost_everything_begins_at_the_store_and_folds_only_what_came_after() {
    for (store, _dir) in stores() {
        let world = forgetful();
        let mut visits = 0;
        let (leader, stop) = start(&world, &store);
        all_come_and_go(&world, &mut visits, 4).await;
        stop.cancel();
        leader.await.unwrap();
        let newest = is_mirrored_beyond(&store, 0).await;
        assert_eq!(newest, newest_here(&world), "also the one that was left as it ended in order");

        // Its machine is gone, and everything that was read of the intake with it.
        let through = world.accepted::<Decider>(0).await.last().unwrap().intake_through;
        world.log.trim(intake(PEER), through).await.unwrap();
        let fresh = elsewhere(&world);
        let watched = Watched::new(&fresh, PEER);
        watched.gives(&[]);
        let setup = fresh.setup("two", fresh.turns.clone(), fresh.policies.subscribe());
        let (log, snapshots) = (watched.clone(), Some(mirrored(&fresh, &store)));
        let stop = CancellationToken::new();
        let second = tokio::spawn(run_all::<Decider>(Setup { log, snapshots, ..setup }, stop.clone()));
        let last = end(&world).await;
        let folded = async || (watched.next.load(Ordering::SeqCst) == last).then_some(());
        eventually("it stands by", folded).await;
        // The record before the snapshot says that it is of this log.
        assert_eq!(watched.lowest.load(Ordering::SeqCst), newest - 1);

        watched.gives(&[0]);
        all_come_and_go(&fresh, &mut visits, 3).await;
        is_mirrored_beyond(&store, newest).await;
        stop.cancel();
        second.await.unwrap().unwrap();
        assert_none_was_forgotten(&fresh, visits).await;
        let report = verified(&fresh, &store).await;
        assert_eq!(report.snapshots_compared, 4, "two here, two in the store: {report}");
        assert!(report.snapshots_skipped.is_empty(), "{report}");
        assert_eq!(positions(&store).await.pop(), Some(newest_here(&fresh)));
    }
}

#[tokio::test]
async fn the_index_of_reading_points_is_mirrored_beside_the_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::folder(dir.path());
    let world = forgetful();
    // More than the usual spacing.
    let reports = (0..5_000).fold(Hand::<Decider>::new(0), |hand, _| hand.then(Cause::Report, vec![]));
    reports.write(&world).await;
    let filler = vec![bytes::Bytes::from_static(b"read already"); 5_000];
    world.log.append(intake(PEER), filler).await.unwrap();
    let (leader, stop) = start(&world, &store);
    let here = Points::new(world.snapshots().unwrap());
    let known = async || (here.before(&world.log, PEER, 5_000).await.position > 4_000).then_some(());
    eventually("a point is known", known).await;
    stop.cancel();
    leader.await.unwrap();

    let fresh = elsewhere(&world);
    let points = Points::new(mirrored(&fresh, &store));
    let watched = Watched::new(&fresh, PEER);
    assert_eq!(points.before(&*watched, PEER, 5_000).await, here.before(&world.log, PEER, 5_000).await);
    points.extend(watched.clone(), PEER).await.unwrap();
    assert!(watched.lowest.load(Ordering::SeqCst) > 4_000, "it grows where it ended");
    assert_eq!(
        std::fs::read(fresh.snapshots.as_ref().unwrap().path().join("conversation-0/points.index")).unwrap(),
        std::fs::read(dir.path().join("conversation-0/points.index")).unwrap()
    );
}

#[tokio::test]
async fn a_leader_goes_on_while_the_store_is_away_and_mirrors_again_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let (root, away) = (dir.path().join("mount"), dir.path().join("away"));
    std::fs::create_dir(&away).unwrap();
    let store = Store::folder(&root);
    let world = forgetful();
    let mut visits = 0;
    let (leader, stop) = start(&world, &store);
    all_come_and_go(&world, &mut visits, 3).await;
    std::fs::rename(&away, &root).unwrap();
    let newest = is_mirrored_beyond(&store, 0).await;
    std::fs::rename(&root, &away).unwrap();
    all_come_and_go(&world, &mut visits, 3).await;
    stop.cancel();
    leader.await.unwrap();

    // Another, with nothing, folds all of it, and mirrors what it leaves as soon as it can.
    let fresh = elsewhere(&world);
    let (leader, _stop) = start(&fresh, &store);
    all_come_and_go(&fresh, &mut visits, 2).await;
    std::fs::rename(&away, &root).unwrap();
    is_mirrored_beyond(&store, newest).await;
    leader.abort();
    assert_none_was_forgotten(&fresh, visits).await;
    let report = verified(&fresh, &store).await;
    assert!(report.snapshots_skipped.is_empty(), "{report}");
}

/// Files of a store in a folder.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let folder = dir.join("conversation-0");
    let folders = [folder.join("segments"), folder];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    found.sort();
    found
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn what_is_damaged_in_the_store_is_skipped_and_made_good() {
    type Harm = fn(&Path);
    let newest: Harm = |dir| damage(files(dir, "snapshot").last().unwrap());
    let cut: Harm = |dir| {
        let path = files(dir, "snapshot").pop().unwrap();
        std::fs::write(&path, &std::fs::read(&path).unwrap()[..40]).unwrap();
    };
    let segments: Harm = |dir| files(dir, "segment").iter().for_each(|path| damage(path));
    let missing: Harm =
        |dir| files(dir, "segment").iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let half: Harm = |dir| files(dir, "snapshot").iter().for_each(|path| std::fs::remove_file(path).unwrap());
    // How many of the two are of no use then, and what is left of them.
    for (what, harm, skipped, left) in [
        ("newest", newest, 1, 2),
        ("cut", cut, 1, 2),
        ("segments", segments, 2, 2),
        ("missing", missing, 2, 2),
        ("half", half, 0, 0),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::folder(dir.path());
        let world = forgetful();
        let mut visits = 0;
        let (leader, stop) = start(&world, &store);
        all_come_and_go(&world, &mut visits, 1).await;
        is_mirrored_beyond(&store, 0).await;
        all_come_and_go(&world, &mut visits, 1).await;
        stop.cancel();
        leader.await.unwrap();
        assert_eq!(positions(&store).await.len(), 2, "one on the way, and the last");
        comes_to_rest(dir.path()).await;
        harm(dir.path());
        let fresh = elsewhere(&world);
        let report = verified(&fresh, &store).await;
        assert_eq!(report.snapshots_skipped.len(), skipped, "{what}: {report}");
        assert_eq!(report.snapshots_compared, (left - skipped) as u64, "{what}: {report}");

        let before = end(&fresh).await;
        let (leader, stop) = start(&fresh, &store);
        all_come_and_go(&fresh, &mut visits, 1).await;
        is_mirrored_beyond(&store, before).await;
        all_come_and_go(&fresh, &mut visits, 1).await;
        stop.cancel();
        leader.await.unwrap();
        assert_none_was_forgotten(&fresh, visits).await;
        let report = verified(&fresh, &store).await;
        assert_eq!((report.snapshots_compared, report.snapshots_skipped.len()), (4, 0), "{what}: {report}");
    }
}

/// Each has its own folder, believes that it leads, and mirrors to the same store. They are killed wherever they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivals_who_mirror_the_same_partition_and_are_killed_do_each_other_no_harm() {
    for (store, _dir) in stores() {
        let world = forgetful();
        let other = elsewhere(&world);
        let mut visits = 0;
        for round in 0..4 {
            let rivals = [start(&world, &store), start(&other, &store)];
            all_come_and_go(&world, &mut visits, 2).await;
            for (rival, stop) in rivals {
                // One in order, and one as it stands, in turn.
                if (round + u8::from(stop.is_cancelled())) % 2 == 0 {
                    stop.cancel();
                    rival.await.unwrap();
                } else {
                    rival.abort();
                    let _ = rival.await;
                }
            }
            let report = verified(&world, &store).await;
            assert!(report.snapshots_skipped.is_empty(), "{report}");
        }
        let (leader, stop) = start(&elsewhere(&world), &store);
        all_come_and_go(&world, &mut visits, 2).await;
        stop.cancel();
        leader.await.unwrap();
        assert_none_was_forgotten(&world, visits).await;
        let report = verified(&world, &store).await;
        assert!(report.snapshots_skipped.is_empty(), "{report}");
        assert!(positions(&store).await.len() <= 3, "{:?}", positions(&store).await);
    }
}

#[tokio::test]
async fn of_another_log_nothing_is_taken_and_nothing_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::folder(dir.path());
    let theirs = forgetful();
    let mut their_visits = 0;
    let (leader, stop) = start(&theirs, &store);
    all_come_and_go(&theirs, &mut their_visits, 4).await;
    is_mirrored_beyond(&store, 0).await;
    all_come_and_go(&theirs, &mut their_visits, 1).await;
    stop.cancel();
    leader.await.unwrap();
    comes_to_rest(dir.path()).await;
    let their_files = [files(dir.path(), "snapshot"), files(dir.path(), "segment")].concat();

    let ours = forgetful();
    let mut visits = 0;
    for _ in 0..3 {
        let fresh = elsewhere(&ours);
        let (leader, stop) = start(&fresh, &store);
        all_come_and_go(&fresh, &mut visits, 1).await;
        stop.cancel();
        leader.await.unwrap();
    }
    assert_none_was_forgotten(&ours, visits).await;
    assert!(their_files.iter().all(|path| path.exists()));
    let report = verified(&ours, &store).await;
    assert_eq!((report.snapshots_compared, report.snapshots_skipped.len()), (2, 2), "{report}");
    let (leader, stop) = start(&elsewhere(&theirs), &store);
    all_come_and_go(&theirs, &mut their_visits, 1).await;
    stop.cancel();
    leader.await.unwrap();
    assert_none_was_forgotten(&theirs, their_visits).await;
}

#[tokio::test]
async fn a_segment_that_no_snapshot_names_goes_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::folder(dir.path());
    let world = forgetful();
    let mut visits = 0;
    let segments = dir.path().join("conversation-0/segments");
    let (leader, stop) = start(&world, &store);
    all_come_and_go(&world, &mut visits, 1).await;
    // So many that what comes later is not put together with them.
    join_all((50..90).map(|n| comes_and_goes(&world, Party([n * 2; 16]), n))).await;
    stop.cancel();
    leader.await.unwrap();
    comes_to_rest(dir.path()).await;
    let newest = newest_here(&world);
    let named = |name: &str| segments.join(format!("{name}.segment"));
    for name in ["young", "old"] {
        std::fs::write(named(name), b"whatever it is").unwrap();
    }
    // All that is there is old, and only one of them is named by none.
    let before = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for path in files(dir.path(), "segment").iter().filter(|path| **path != named("young")) {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(before).unwrap();
    }
    let (leader, stop) = start(&world, &store);
    comes_and_goes(&world, party(1), visits + 1).await;
    stop.cancel();
    leader.await.unwrap();
    is_mirrored_beyond(&store, newest).await;
    let is_old = |path: &&PathBuf| std::fs::metadata(path).unwrap().modified().unwrap() == before;
    assert!(files(dir.path(), "segment").iter().any(|path| is_old(&path)), "what is named stays");
    assert!(named("young").exists() && !named("old").exists());
    std::fs::remove_file(named("young")).unwrap();
    let report = verified(&elsewhere(&world), &store).await;
    assert_eq!((report.snapshots_compared, report.snapshots_skipped.len()), (2, 0), "{report}");
}

/// Wherever an upload is cut, what can be seen of it is whole.
#[cfg(feature = "s3")]
#[tokio::test]
async fn an_upload_that_is_cut_anywhere_shows_nothing_that_is_not_whole() {
    let Some(server) = super::server::Server::up() else { return };
    let wire = super::wire::Wire::to(&server.url).await;
    let (store, direct) = (server.part_at("cut", &wire.url), server.part_at("cut", &server.url));
    let world = forgetful();
    let mut visits = 0;
    // Snapshots are left, and nobody mirrors them.
    let nowhere = Store::folder("/dev/null");
    let (leader, stop) = start(&world, &nowhere);
    all_come_and_go(&world, &mut visits, 3).await;
    stop.cancel();
    leader.await.unwrap();

    let mut cuts = 0;
    for budget in (300..).step_by(1_200) {
        wire.cut_after(budget);
        let (leader, _) = start(&world, &store);
        let is_done = async || match wire.is_cut() {
            true => Some(None),
            false => positions(&direct).await.pop().map(Some),
        };
        let mirrored = eventually("the upload ends", is_done).await;
        leader.abort();
        let _ = leader.await;
        wire.mend();
        let report = verified(&elsewhere(&world), &store).await;
        assert!(report.snapshots_skipped.is_empty(), "after {budget} bytes: {report}");
        if mirrored.is_some() {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 3, "{cuts}");
    let last = elsewhere(&world);
    let (leader, stop) = start(&last, &store);
    all_come_and_go(&last, &mut visits, 1).await;
    stop.cancel();
    leader.await.unwrap();
    assert_none_was_forgotten(&last, visits).await;
    assert_eq!(positions(&store).await.pop(), Some(newest_here(&last)));
}
