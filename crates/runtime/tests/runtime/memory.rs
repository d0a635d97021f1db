//! What has gone quiet leaves memory, and is found again: by the same leader, the next one, and after damage.

use std::path::PathBuf;

use domain::{
    FactId, Intake, Millis, Origin, Party, Route,
    conversation::{self, BotAction, Command, Decider, What},
};

use runtime::{Standing, log_of};
use wire::Verdict;

use super::world::*;

pub(crate) fn count(events: &[conversation::Event], meant: impl Fn(&What) -> bool) -> usize {
    events.iter().filter(|event| meant(&event.what)).count()
}

async fn has_happened(world: &World, what: &str, times: usize, meant: impl Fn(&What) -> bool) {
    let often = async || (count(&world.events::<Decider>().await, &meant) >= times).then_some(());
    eventually(what, often).await;
}

/// The customer writes, for the n-th time, and the bot closes; then nobody has anything to do with it.
pub(crate) async fn comes_and_goes(world: &World, party: Party, n: u8) {
    world.says(party, n).await;
    let turn = async || {
        let events = world.events::<Decider>().await;
        let asked = events.iter().filter_map(|event| match event.what {
            What::TurnAsked { turn, message, .. } if message == message_id(n) => Some(turn),
            _ => None,
        });
        asked.last()
    };
    let turn = eventually("the bot is asked", turn).await;
    let actions = vec![BotAction::Close];
    let answer = Command::BotAnswer { turn, tenant: tenant(), bot: greeter(), actions };
    world.post::<Decider>(Route::Party(party), &input(Origin::Report, 1, answer)).await;
    let is_left = async || {
        let events = world.events::<Decider>().await;
        let of_party = events.iter().filter(|event| event.party() == party);
        of_party.last().is_some_and(|event| matches!(event.what, What::Retired { .. })).then_some(())
    };
    eventually("the customer leaves memory", is_left).await;
}

pub(crate) fn forgetful() -> World {
    World { retire_after: Millis(0), ..World::with_snapshots() }
}

#[tokio::test]
async fn who_left_goes_on_with_the_same_conversation_under_every_leader() {
    for snapshots in [false, true] {
        let mut world = forgetful();
        if !snapshots {
            world.snapshots = None;
        }
        for n in 1..=4 {
            let running = world.start_conversations("one");
            comes_and_goes(&world, CUSTOMER, n * 2).await;
            comes_and_goes(&world, CUSTOMER, n * 2 + 1).await;
            running.stop().await;
        }
        let events = world.events::<Decider>().await;
        assert_eq!(count(&events, |what| matches!(what, What::Opened { .. })), 1);
        assert_eq!(count(&events, |what| matches!(what, What::Reopened { .. })), 7);
        assert_eq!(count(&events, |what| matches!(what, What::Returned { .. })), 7);
        assert_eq!(count(&events, |what| matches!(what, What::CustomerSeen { .. })), 1);
        let report = world.assert_clean().await;
        assert_eq!(report.snapshots_compared, if snapshots { 2 } else { 0 }, "{report}");
    }
}

#[tokio::test]
async fn who_leaves_by_a_decision_in_flight_comes_back_by_the_next() {
    let world = forgetful();
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    let asked = |event: &conversation::Event| match event.what {
        What::TurnAsked { turn, .. } => Some(turn),
        _ => None,
    };
    let turn = world.event::<Decider, _>("the bot is asked", asked).await;
    world.log.stall(log_of(PEER));
    let actions = vec![BotAction::Close];
    let answer = Command::BotAnswer { turn, tenant: tenant(), bot: greeter(), actions };
    world.post::<Decider>(Route::Party(CUSTOMER), &input(Origin::Report, 1, answer)).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    world.says(CUSTOMER, 2).await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(count(&world.events::<Decider>().await, |what| matches!(what, What::Closed { .. })), 0);
    world.log.resume(log_of(PEER));
    world.has_received(2).await;
    running.stop().await;
    let events = world.events::<Decider>().await;
    let places = [
        |what: &What| matches!(what, What::Closed { .. }),
        |what: &What| matches!(what, What::Retired { .. }),
        |what: &What| matches!(what, What::Returned { .. }),
        |what: &What| matches!(what, What::Reopened { .. }),
    ];
    let places = places.map(|meant| events.iter().position(|event| meant(&event.what)).unwrap());
    assert!(places.is_sorted(), "{places:?}");
    world.assert_clean().await;
}

#[tokio::test]
async fn who_wanted_no_messages_gets_none_after_coming_back() {
    let world = forgetful();
    let running = world.start_conversations("one");
    comes_and_goes(&world, CUSTOMER, 1).await;
    let out = input(Origin::Fact(FactId([100; 16])), 1, Command::OptOut { from: from(CUSTOMER) });
    world.post::<Decider>(Route::Party(CUSTOMER), &out).await;
    has_happened(&world, "the customer is gone again", 2, |what| matches!(what, What::Retired { .. })).await;
    running.stop().await;

    let running = world.start_conversations("two");
    world.says(CUSTOMER, 2).await;
    let asked = |event: &conversation::Event| match event.what {
        What::TurnAsked { turn, message, .. } if message == message_id(2) => Some(turn),
        _ => None,
    };
    let turn = world.event::<Decider, _>("the bot is asked", asked).await;
    let say = BotAction::Say { message: message_id(200), body: sealed(CUSTOMER) };
    let answer = Command::BotAnswer { turn, tenant: tenant(), bot: greeter(), actions: vec![say] };
    world.post::<Decider>(Route::Party(CUSTOMER), &input(Origin::Report, 1, answer)).await;
    has_happened(&world, "the answer", 2, |what| matches!(what, What::TurnAnswered { .. })).await;
    running.stop().await;
    let events = world.events::<Decider>().await;
    assert_eq!(count(&events, |what| matches!(what, What::BotReplied { .. })), 0);
    world.assert_clean().await;
}

fn wide(n: u32) -> [u8; 16] {
    // As evenly spread as hashes are.
    let mixed = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    // In the first partition.
    let mut bytes = (mixed ^ (mixed >> 64)).to_be_bytes();
    bytes[7] &= !1;
    bytes
}

fn opts_in(n: u32) -> Intake<Command> {
    input(Origin::Fact(FactId(wide(n))), 1, Command::OptIn { from: from(Party(wide(n))) })
}

/// So many facts and customers that most have left memory.
const MANY: u32 = 10_000;

async fn many_come(world: &World) {
    for n in 0..MANY {
        world.post::<Decider>(Route::Party(Party(wide(n))), &opts_in(n)).await;
    }
    let mut onlooker = Onlooker::new(world);
    let retired = async || (onlooker.retired().await == MANY as usize).then_some(());
    eventually("all are gone", retired).await;
}

/// Counts, as the log grows, who has left memory.
struct Onlooker {
    standing: Standing<Decider>,
    tail: log::Tail,
    retired: usize,
}

impl Onlooker {
    fn new(world: &World) -> Self {
        let standing = Standing::new(0, TOPOLOGY);
        Onlooker { tail: standing.tail(world.log()), standing, retired: 0 }
    }

    async fn retired(&mut self) -> usize {
        for record in self.tail.ready().await.unwrap() {
            let Verdict::Accepted(decision) = self.standing.fold(&record).unwrap() else { continue };
            let events = decision.steps.iter().flat_map(|step| &step.events);
            self.retired += events.filter(|it| matches!(it.event.what, What::Retired { .. })).count();
        }
        self.retired
    }
}

#[tokio::test]
async fn nobody_waits_until_all_who_are_quiet_have_left() {
    let mut world = World::with_snapshots();
    let running = world.start_conversations("one");
    for n in 0..MANY {
        world.post::<Decider>(Route::Party(Party(wide(n))), &opts_in(n)).await;
    }
    running.stop().await;
    world.retire_after = Millis(0);
    let running = world.start_conversations("two");
    let mut onlooker = Onlooker::new(&world);
    eventually("some leave", async || (onlooker.retired().await > 0).then_some(())).await;
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    running.stop().await;
    let events = world.events::<Decider>().await;
    let served = events.iter().position(|event| matches!(event.what, What::MessageReceived { .. }));
    let gone = count(&events[..served.unwrap()], |what| matches!(what, What::Retired { .. }));
    assert!(gone < MANY as usize / 2, "{gone} left before");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_fact_that_left_memory_is_still_the_same_fact() {
    let world = forgetful();
    let running = world.start_conversations("one");
    many_come(&world).await;
    // Of facts and customers that are on their way to the archive, in it, and in its files.
    let come_again = async |number: u8| {
        for n in (0..MANY).step_by(499) {
            world.post::<Decider>(Route::Party(Party(wide(n))), &opts_in(n)).await;
        }
        world.says(CUSTOMER, number).await;
        world.has_received(usize::from(number)).await;
    };
    come_again(1).await;
    running.stop().await;
    let running = world.start_conversations("two");
    come_again(2).await;
    running.stop().await;
    let running = world.start_conversations("three");
    come_again(3).await;
    running.stop().await;

    let events = world.events::<Decider>().await;
    assert_eq!(count(&events, |what| matches!(what, What::CustomerSeen { .. })), MANY as usize + 1);
    assert_eq!(count(&events, |what| matches!(what, What::Returned { .. })), 0, "for nothing");
    let report = world.assert_clean().await;
    assert_eq!(report.snapshots_compared, 2, "{report}");
}

fn segments(world: &World) -> Vec<PathBuf> {
    let newest = world.snapshot_files(PEER).pop().unwrap().with_extension("segments");
    let entries = std::fs::read_dir(newest).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    paths
}

const PEER: domain::Peer = domain::Peer { kind: domain::Kind::Conversation, partition: 0 };

#[tokio::test]
async fn a_damaged_archive_is_folded_again() {
    for of_all in [false, true] {
        let world = forgetful();
        let running = world.start_conversations("one");
        comes_and_goes(&world, CUSTOMER, 1).await;
        running.stop().await;
        let running = world.start_conversations("two");
        comes_and_goes(&world, OTHER, 2).await;
        running.stop().await;

        // In the first page, which is found when it is read; or the end, which is found when the snapshot is.
        let spoilt = segments(&world);
        assert!(!spoilt.is_empty());
        for path in &spoilt {
            let mut bytes = std::fs::read(path).unwrap();
            let place = if of_all { bytes.len() - 1 } else { 12 };
            bytes[place] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }
        let report = world.assert_clean().await;
        assert!(!report.snapshots_skipped.is_empty(), "{report}");

        let running = world.start_conversations("three");
        comes_and_goes(&world, CUSTOMER, 3).await;
        comes_and_goes(&world, OTHER, 4).await;
        running.stop().await;
        let events = world.events::<Decider>().await;
        assert_eq!(count(&events, |what| matches!(what, What::Opened { .. })), 2);
        assert_eq!(count(&events, |what| matches!(what, What::Reopened { .. })), 2);
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn snapshots_share_their_segments_and_leave_none_behind() {
    let world = forgetful();
    for n in 0..6 {
        let running = world.start_conversations("one");
        comes_and_goes(&world, Party([n * 2; 16]), n + 1).await;
        running.stop().await;
    }
    let kept = world.snapshot_files(PEER);
    assert_eq!(kept.len(), 2);
    let folder = kept[0].parent().unwrap();
    let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| path.extension().is_some_and(|what| what == "segments"));
    assert_eq!(folders.count(), 2, "one for each snapshot");
    assert!(segments(&world).iter().all(|path| path.extension().is_some_and(|what| what == "segment")));
    let report = world.assert_clean().await;
    assert_eq!((report.snapshots_compared, report.snapshots_skipped.len()), (2, 0), "{report}");
}
