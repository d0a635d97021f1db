//! Members of a group, as they join it, lose it, and are in it again.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use domain::{
    Epoch, Kind, MessageId,
    conversation::{self, Decider, What},
    delivery,
};
use log::{Limit, Log as _, Membership, Share, memory::Fault};
use runtime::{NoEffects, Setup, intake, log_of, run_all};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wire::{Announce, Header};

use super::{watched::Watched, world::*};

const PEER: domain::Peer = domain::Peer { kind: Kind::Conversation, partition: 0 };

/// The names of those whose announcements stand in the log, accepted or not.
async fn announced(world: &World) -> Vec<String> {
    let records = world.log.read(log_of(PEER), 0, Limit::default()).await.unwrap();
    let headers = records.iter().map(|record| wire::decode_header(&record.bytes).unwrap());
    let names = headers.filter_map(|header| match header {
        Header::Announce(announce) => Some(announce.leader),
        Header::Decision { .. } => None,
    });
    names.collect()
}

/// Workers whose group is in the test's hands.
struct Member {
    watched: Arc<Watched>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), log::Error>>,
}

impl Member {
    fn start(world: &World, name: &str) -> Member {
        let watched = Watched::new(world, PEER);
        let setup = world.setup(name, Arc::new(NoEffects), world.policies.subscribe());
        let (setup, stop) = (Setup { log: watched.clone(), ..setup }, CancellationToken::new());
        Member { watched, task: tokio::spawn(run_all::<Decider>(setup, stop.clone())), stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

async fn is_announced(world: &World, names: &[&str]) {
    let all = async || (announced(world).await == names).then_some(());
    eventually("these announcements, and no others", all).await;
}

#[tokio::test]
async fn who_is_out_of_its_group_leads_on_until_another_does_and_is_silent_then() {
    let world = World::new();
    let one = Member::start(&world, "one");
    one.watched.gives(&[0]);
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;

    one.watched.sets_adrift();
    for n in 2..=5 {
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n)).await;
    }
    is_announced(&world, &["one"]).await;

    // Its group went on without it.
    let two = Member::start(&world, "two");
    two.watched.gives(&[0]);
    for n in 6..=9 {
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n)).await;
        // Long enough for it to announce itself again, if it did that.
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    is_announced(&world, &["one", "two"]).await;

    // It is in the group again, which gives it the partition back.
    two.watched.gives(&[]);
    one.watched.gives(&[0]);
    is_announced(&world, &["one", "two", "one"]).await;
    world.says(CUSTOMER, 10).await;
    world.has_received(10).await;
    one.stop().await;
    two.stop().await;
    assert_eq!(world.received().await, (1..=10).map(message_id).collect::<Vec<_>>());
    world.assert_clean().await;
}

#[tokio::test]
async fn who_is_out_of_its_group_and_fails_waits_for_the_group_and_follows_meanwhile() {
    let world = World::new();
    let one = Member::start(&world, "one");
    one.watched.gives(&[0]);
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;

    one.watched.sets_adrift();
    world.log.fail_next_append(log_of(PEER), Fault::WriteLost);
    world.says(CUSTOMER, 2).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    is_announced(&world, &["one"]).await;
    assert_eq!(world.received().await, [message_id(1)]);
    one.watched.gives(&[0]);
    world.has_received(2).await;
    is_announced(&world, &["one", "one"]).await;

    // Adrift again, and given nothing of it afterwards: as if it had been let go at once.
    one.watched.sets_adrift();
    one.watched.gives(&[1]);
    let two = Member::start(&world, "two");
    two.watched.gives(&[0]);
    world.says(CUSTOMER, 3).await;
    world.has_received(3).await;
    one.stop().await;
    two.stop().await;
    is_announced(&world, &["one", "one", "two"]).await;
    world.assert_clean().await;
}

#[tokio::test]
async fn a_process_is_ready_once_its_groups_have_answered_and_it_leads_what_they_gave() {
    let world = World::new();
    let one = Member::start(&world, "one");
    let check = || world.readiness.check();
    let joined = async || (one.watched.share.receiver_count() > 0).then_some(());
    eventually("it joins", joined).await;
    assert_eq!(check(), Err("the group has not answered yet"));

    // There are more members than partitions.
    one.watched.share.send_replace(Share { membership: Membership::Member, ..Share::default() });
    eventually("ready", async || check().ok()).await;
    assert_eq!(announced(&world).await, [""; 0]);

    world.log.stall(log_of(PEER));
    one.watched.gives(&[0]);
    let awaited = async || check().err();
    assert_eq!(eventually("not ready", awaited).await, "not every partition is led yet");
    world.log.resume(log_of(PEER));
    eventually("ready", async || check().ok()).await;
    is_announced(&world, &["one"]).await;

    // What it led is let go, or cannot be asked for any more: it is no less ready for that.
    one.watched.sets_adrift();
    tokio::task::yield_now().await;
    assert_eq!(check(), Ok(()));
    one.watched.gives(&[]);
    tokio::task::yield_now().await;
    assert_eq!(check(), Ok(()));
    one.stop().await;
    world.assert_clean().await;
}

/// It leaves its group, and goes on until those who followed it have what it led.
#[tokio::test(start_paused = true)]
async fn a_process_that_stops_decides_until_another_does() {
    let world = World::in_tokio_time();
    let one = Member::start(&world, "one");
    one.watched.gives(&[0]);
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    let two = Member::start(&world, "two");
    two.watched.gives(&[]);

    let watched = one.watched.clone();
    let stopping = tokio::spawn(one.stop());
    let has_left = async || (watched.share.receiver_count() == 0).then_some(());
    eventually("it leaves its group", has_left).await;
    world.says(CUSTOMER, 2).await;
    world.has_received(2).await;
    is_announced(&world, &["one"]).await;
    let began = tokio::time::Instant::now();
    two.watched.gives(&[0, 1]);
    stopping.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "it ends once it is followed");
    is_announced(&world, &["one", "two"]).await;

    // Nobody follows this one.
    world.says(CUSTOMER, 3).await;
    world.has_received(3).await;
    two.watched.gives(&[0]);
    two.stop().await;
    is_announced(&world, &["one", "two"]).await;
    assert_eq!(world.received().await, [1, 2, 3].map(message_id));
    world.assert_clean().await;
}

/// Of attempts it is asked at once what became of them, so they are not begun to the last moment.
#[tokio::test(start_paused = true)]
async fn who_makes_attempts_lets_go_at_once_unless_its_group_is_lost() {
    let world = World::in_tokio_time();
    let peer = first(Kind::Delivery);
    let watched = Watched::new(&world, peer);
    let setup = world.setup("one", world.sends.clone(), world.policies.subscribe());
    let (setup, stop) = (Setup { log: watched.clone(), ..setup }, CancellationToken::new());
    let one = tokio::spawn(run_all::<delivery::Decider>(setup, stop.clone()));
    let end = async || world.log.end(log_of(peer)).await.unwrap();
    // Something that cannot be read is set aside by whoever leads.
    let decides = async |awaited: bool| {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = end().await;
        world.log.append(intake(peer), vec![Bytes::from_static(b"garbled")]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(end().await > before, awaited);
    };
    watched.gives(&[0]);
    decides(true).await;
    watched.sets_adrift();
    decides(true).await;
    watched.gives(&[]);
    decides(false).await;
    watched.gives(&[0]);
    decides(true).await;
    stop.cancel();
    one.await.unwrap().unwrap();
}

/// It was held up, and another rules by now: that one sees to what is owed.
#[tokio::test(start_paused = true)]
async fn what_is_read_back_late_is_not_performed_where_another_rules() {
    let world = World::in_tokio_time();
    let watched = Watched::new(&world, PEER);
    let setup = world.setup("one", world.turns.clone(), world.policies.subscribe());
    let (setup, stop) = (Setup { log: watched.clone(), ..setup }, CancellationToken::new());
    let one = tokio::spawn(run_all::<Decider>(setup, stop.clone()));
    watched.gives(&[0]);
    world.says(CUSTOMER, 1).await;
    let performed = |n| world.turns.count(|event| is_about(event, message_id(n)));
    eventually("the first is performed", async || (performed(1) > 0).then_some(())).await;

    world.log.stall(log_of(PEER));
    world.says(CUSTOMER, 2).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let follows = world.accepted::<Decider>(0).await.last().map(|decision| decision.epoch);
    let (epoch, at) = (Epoch([9; 16]), world.clock.now());
    let rival = Announce { epoch, follows, leader: "rival".into(), version: 1, at };
    let rival = world.log.append(log_of(PEER), vec![wire::encode_announce(&rival)]);
    world.log.resume(log_of(PEER));
    rival.await.unwrap();
    world.has_received(2).await;
    is_announced(&world, &["one", "rival", "one"]).await;
    assert_eq!((performed(1), performed(2)), (1, 0));
    stop.cancel();
    one.await.unwrap().unwrap();
    world.assert_clean().await;
}

fn is_about(event: &conversation::Event, wanted: MessageId) -> bool {
    matches!(event.what, What::MessageReceived { message, .. } if message == wanted)
}

/// Or it would announce itself behind a leader that was replaced long ago, be refused, and do so again for ever.
#[tokio::test]
async fn who_reads_little_at_a_time_has_read_all_before_it_announces_itself() {
    let world = World::new();
    for (n, name) in (1..).zip(["one", "two", "three"]) {
        let running = world.start_conversations(name);
        world.says(CUSTOMER, n).await;
        world.has_received(usize::from(n)).await;
        running.stop().await;
    }
    let brief = Member::start(&world, "four");
    brief.watched.is_brief.store(true, Ordering::SeqCst);
    brief.watched.gives(&[0]);
    world.says(CUSTOMER, 4).await;
    world.has_received(4).await;
    brief.stop().await;
    is_announced(&world, &["one", "two", "three", "four"]).await;
    world.assert_clean().await;
}
