use std::collections::BTreeMap;

use domain::{Epoch, Kind, Peer, Timestamp, contact, conversation, desk};
use projections::{Error, Progress, Store, TimelineOf};
use wire::{Announce, Decision};

use crate::world::*;

const CONVERSATIONS: Peer = Peer { kind: Kind::Conversation, partition: 0 };

/// Something of everything, a part at a time.
async fn story(world: &mut World, part: u8) {
    let at = 100 + i64::from(part);
    match part {
        0 => world.say(at, hello(1, at)).await,
        1 => world.say(at, hello(2, at)).await,
        2 => world.ledger(at, [created(1, at), created(2, at)]).await,
        3 => world.say(at, [bot_replied(first(2), 20)]).await,
        4 => {
            let linked = contact::Event::Linked {
                tenant: acme(),
                contact: domain::ContactId(party(1).0),
                party: party(2),
                was: domain::ContactId(party(2).0),
            };
            world.ledger(at, [linked]).await;
        }
        5 => {
            let progress = conversation::Progress::Sent { provider_id: "m_1".into() };
            let noted =
                conversation::What::DeliveryNoted { conversation: first(2), message: message(20), progress };
            world.say(at, [noted]).await;
        }
        n => world.say(at, [received(first(n % 2 + 1), n)]).await,
    }
}

const PARTS: u8 = 12;

/// A world in which everything happened and nothing was projected yet.
async fn told() -> World {
    let mut world = World::new();
    for part in 0..PARTS {
        story(&mut world, part).await;
    }
    world
}

#[tokio::test]
async fn a_restart_after_any_batch_goes_on_without_doubles() {
    let whole = told().await;
    whole.project().await;

    let mut world = World::new();
    for part in 0..PARTS {
        story(&mut world, part).await;
        world.project().await;
        world.reopen();
        // Nothing new, and nothing twice.
        let before = rows(world.dir.path());
        world.project().await;
        assert_eq!(rows(world.dir.path()), before);
    }
    assert_eq!(rows(world.dir.path()), rows(whole.dir.path()));
}

#[tokio::test]
async fn records_that_do_not_count_leave_no_trace() {
    let mut world = World::new();
    let told = world.next::<conversation::Decider>(0, 100, vec![step(hello(2, 100).map(of_acme))]).await;
    world.append(CONVERSATIONS, told.clone()).await;
    let zombies =
        world.next::<conversation::Decider>(0, 110, vec![step([of_acme(received(first(2), 66))])]).await;
    world.announce(CONVERSATIONS).await;
    // A former leader's late write, its late announcement, a doubled record, one too far ahead.
    world.append(CONVERSATIONS, zombies).await;
    let late = Announce {
        epoch: Epoch([77; 16]),
        follows: Some(Epoch([1; 16])),
        leader: "zombie".into(),
        version: 1,
        at: Timestamp(1),
    };
    world.append(CONVERSATIONS, wire::encode_announce(&late)).await;
    world.append(CONVERSATIONS, told).await;
    let ahead = Decision::<conversation::Decider> {
        epoch: Epoch([2; 16]),
        seq: 5,
        intake_through: 9,
        decided_at: Timestamp(120),
        steps: vec![step([of_acme(received(first(2), 67))])],
    };
    world.append(CONVERSATIONS, wire::encode_decision(&ahead)).await;
    world.say(130, [received(first(2), 3)]).await;
    world.project().await;

    let timeline = world.timeline(TimelineOf::Party(party(2))).await;
    let messages: Vec<_> = timeline.iter().filter_map(|entry| entry.message).collect();
    assert_eq!(messages, [message(2), message(3)]);
}

#[tokio::test]
async fn a_rebuild_makes_the_same_rows_and_projection_goes_on() {
    let mut world = told().await;
    world.project().await;
    let before = rows(world.dir.path());

    // Rows that no log explains go.
    let db = rusqlite::Connection::open(world.dir.path().join("readmodel.sqlite")).unwrap();
    db.execute("DELETE FROM entries WHERE detail IS NULL", []).unwrap();
    db.execute("UPDATE parties SET tenant = 'globex'", []).unwrap();
    assert_ne!(rows(world.dir.path()), before);

    let mut told = Vec::new();
    projections::rebuild(world.log.clone(), TOPOLOGY, &world.store, |progress| told.push(progress))
        .await
        .unwrap();
    assert_eq!(rows(world.dir.path()), before);
    // 12 decisions and 3 announcements.
    assert_eq!(told.first(), Some(&Progress { done: 0, total: 15 }));
    assert_eq!(told.last(), Some(&Progress { done: 15, total: 15 }));
    assert!(told.is_sorted_by_key(|progress| progress.done));

    world.say(500, [received(first(1), 90)]).await;
    world.project().await;
    let timeline = world.timeline(TimelineOf::Conversation(first(1))).await;
    assert_eq!(timeline.last().unwrap().message, Some(message(90)));
}

#[tokio::test]
async fn rows_of_a_log_that_lost_its_end_are_made_again() {
    let whole = told().await;
    whole.project().await;
    let before = rows(whole.dir.path());
    projections::drop_if_ahead(&*whole.log, &TOPOLOGY, &whole.store).await.unwrap();
    assert_eq!(rows(whole.dir.path()), before);

    let mut cut = World::new();
    for part in 0..PARTS - 1 {
        story(&mut cut, part).await;
    }
    cut.project().await;
    let expected = rows(cut.dir.path());
    cut.store = whole.store.clone();
    projections::drop_if_ahead(&*cut.log, &TOPOLOGY, &cut.store).await.unwrap();
    cut.project().await;
    assert_eq!(rows(whole.dir.path()), expected);
}

#[tokio::test]
async fn an_accepted_record_that_cannot_be_read_stops_the_projection() {
    let mut world = World::new();
    world.say(100, hello(2, 100)).await;
    world.say(110, [received(first(2), 3)]).await;
    // The right epoch and number, but a desk's events in a conversation's log.
    let desk = domain::DeskId::new(acme(), "support").unwrap();
    let foreign = Decision::<desk::Decider> {
        epoch: Epoch([1; 16]),
        seq: 3,
        intake_through: 9,
        decided_at: Timestamp(120),
        steps: vec![step([desk::Event::WorkDeferred { desk }])],
    };
    world.append(CONVERSATIONS, wire::encode_decision(&foreign)).await;
    // Its number is used up; what stands behind it must not be shown as if nothing were missing.
    world.next::<conversation::Decider>(0, 130, Vec::new()).await;
    world.say(140, [received(first(2), 4)]).await;

    for _ in 0..2 {
        let error = world.fail().await;
        assert!(matches!(error, Error::Wire { peer: CONVERSATIONS, .. }), "{error:?}");
        let points: BTreeMap<_, _> = world.store.positions().await.unwrap().into_iter().collect();
        assert_eq!(points[&CONVERSATIONS].position, 3, "what came before is there");
        let timeline = world.timeline(TimelineOf::Party(party(2))).await;
        assert_eq!(timeline.last().unwrap().message, Some(message(3)));
        world.reopen();
    }
}

#[tokio::test]
async fn the_lag_is_what_the_rows_lack() {
    let mut world = told().await;
    let lags: BTreeMap<_, _> =
        projections::lag(&*world.log, &TOPOLOGY, &world.store).await.unwrap().into_iter().collect();
    assert_eq!(lags.len(), 6);
    assert_eq!(lags[&Peer { kind: Kind::Contact, partition: 0 }].records, 3);
    assert_eq!(lags[&Peer { kind: Kind::Desk, partition: 0 }].records, 0);
    world.project().await;
    story(&mut world, 6).await;
    assert_eq!(world.behind().await, 1);
}

#[test]
fn older_rows_are_dropped_and_newer_ones_refused() {
    let dir = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(dir.path().join("readmodel.sqlite")).unwrap();
    db.execute_batch("CREATE TABLE entries (old TEXT); INSERT INTO entries VALUES ('row')").unwrap();
    Store::open(dir.path()).unwrap();
    assert_eq!(rows(dir.path()), [""; 0]);

    db.pragma_update(None, "user_version", 1_000).unwrap();
    let refused = Store::open(dir.path()).err().unwrap();
    assert!(matches!(refused, Error::Newer { found: 1_000, .. }), "{refused:?}");
}
