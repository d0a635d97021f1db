//! The net itself: whatever is planted in a log is found.

mod conversation;
mod delivery;
mod desk;

use domain::{
    Cause, CommandId, ContentHash, FactId, Kind, Millis, Party, Peer, Timer, Timestamp, contact,
    conversation::{Decider, Event, TimerId, Tombstone, What},
};
use wire::Codec;

use super::{
    hand::{Hand, conversation as event},
    world::*,
};
use conversation::{bot, opened, received};

/// The numbers of the invariants that are found broken.
async fn broken<A: Codec>(hand: Hand<A>) -> Vec<u8> {
    let world = World::new();
    hand.write(&world).await;
    broken_in(&world).await
}

async fn broken_in(world: &World) -> Vec<u8> {
    let report = world.verify().await;
    let mut numbers: Vec<_> = report.violations.iter().map(|violation| violation.invariant).collect();
    assert_eq!(numbers.len() as u64, report.violations_found);
    assert_eq!(report.to_string().contains("no violations"), numbers.is_empty());
    numbers.dedup();
    numbers
}

const NONE: [u8; 0] = [];

/// The sign of life of a customer.
fn seen(n: u8) -> Event {
    event(What::CustomerSeen { from: from(Party([n; 16])), at: Timestamp(0) })
}

#[tokio::test]
async fn relays_are_recorded_applied_and_confirmed_without_gaps() {
    let (source, target) = (first(Kind::Conversation), first(Kind::Contact));
    let two = || Hand::<Decider>::new(0).then(Cause::Report, vec![seen(2), seen(4)]);
    let relay = |number| Cause::Relay { source, number };
    let confirmed = |through| Cause::Applied { by: target, through };
    let applied = |numbers: &[u64]| {
        numbers
            .iter()
            .fold(Hand::<contact::Decider>::new(0), |hand, number| hand.then(relay(*number), vec![]))
    };

    let both = async |sources: Hand<Decider>, targets: Hand<contact::Decider>| {
        let world = World::new();
        sources.write(&world).await;
        targets.write(&world).await;
        broken_in(&world).await
    };
    assert_eq!(both(two().then(confirmed(2), vec![]), applied(&[1, 2])).await, NONE);
    assert_eq!(both(two(), applied(&[1, 2, 3])).await, [8], "the third was never sent");
    assert_eq!(both(two(), applied(&[2])).await, [8], "the first is missing");
    assert_eq!(both(two(), applied(&[1, 1])).await, [8]);
    assert_eq!(both(two().then(confirmed(3), vec![]), applied(&[1, 2])).await, [8], "more than was sent");
    assert_eq!(both(two().then(confirmed(2), vec![]), applied(&[1])).await, [8], "more than was applied");

    let gap = two().but(|decision| decision.steps[0].events[1].relay = Some((target, 3)));
    assert_eq!(broken(gap).await, [8]);
    let astray = Peer { kind: Kind::Desk, partition: 0 };
    let astray = two().but(|decision| decision.steps[0].events[1].relay = Some((astray, 1)));
    assert_eq!(broken(astray).await, [8]);
    let forgotten = two().but(|decision| decision.steps[0].events[1].relay = None);
    assert_eq!(broken(forgotten).await, [8]);
}

#[tokio::test]
async fn a_fact_is_applied_once() {
    let twice = |second_at: i64| {
        let fact = || Cause::Fact(FactId([1; 16]));
        let hand = Hand::<Decider>::new(0).then(fact(), vec![]).then(fact(), vec![]);
        hand.but(|decision| decision.decided_at = Timestamp(second_at))
    };
    assert_eq!(broken(twice(1_000)).await, [2]);
    let much_later = Timestamp(1_001) + Millis::hours(14 * 24);
    assert_eq!(broken(twice(much_later.0)).await, NONE, "it was forgotten by then, as it may be");
}

#[tokio::test]
async fn inputs_are_applied_once_and_in_order() {
    let note = || Hand::<contact::Decider>::new(0).then(Cause::Report, vec![]).then(Cause::Report, vec![]);
    assert_eq!(broken(note()).await, NONE);
    assert_eq!(broken(note().but(|decision| decision.intake_through = 0)).await, [8], "it goes back");
    assert_eq!(broken(note().but(|decision| decision.intake_through = 1)).await, [8], "more than was read");
    assert_eq!(broken(note().but(|decision| decision.intake_through = 9)).await, NONE);

    let tagged = || {
        let event =
            contact::Event::Tagged { tenant: tenant(), contact: domain::ContactId([1; 16]), tag: "a".into() };
        let cause = Cause::Command { id: CommandId([1; 16]), content: ContentHash([1; 16]) };
        (cause, vec![event])
    };
    let ((cause, events), (again, same)) = (tagged(), tagged());
    let hand = || Hand::<contact::Decider>::new(0).then(cause.clone(), events.clone());
    assert_eq!(broken(hand().then(again.clone(), vec![])).await, NONE, "answered again");
    assert_eq!(broken(hand().then(again, same)).await, [8], "applied again");
}

#[tokio::test]
async fn time_goes_forward_and_timers_fire_once_and_not_early() {
    let timer = |due, generation| {
        let id = TimerId::BotSilent(conversation_of(CUSTOMER));
        Cause::<Decider>::Timer(Timer { due: Timestamp(due), id, generation })
    };
    let fired = |due, generation| Hand::<Decider>::new(0).then(timer(due, generation), vec![]);
    assert_eq!(broken(fired(1_000, 1).then(timer(1_000, 2), vec![])).await, NONE);
    assert_eq!(broken(fired(1_001, 1)).await, [9], "decided at 1000");
    assert_eq!(broken(fired(900, 1).then(timer(900, 1), vec![])).await, [9]);
    let back = fired(900, 1).then(timer(900, 2), vec![]).but(|decision| decision.decided_at = Timestamp(999));
    assert_eq!(broken(back).await, [9]);
}

#[tokio::test]
async fn a_snapshot_is_what_folding_gives() {
    let peer = first(Kind::Conversation);
    for (through, expected) in [(3, vec![]), (2, vec![7])] {
        let world = World::with_snapshots();
        let hand = Hand::<Decider>::new(0).then(Cause::Report, vec![seen(2)]);
        hand.then(Cause::Report, vec![seen(4)]).then(Cause::Report, vec![seen(6)]).write(&world).await;

        // The state as of one record, said to be the state as of the third.
        let as_of = async |count| standing_as_of(&world, count).await;
        let (mut taken, point) = (as_of(through).await, as_of(3).await.point());
        let snapshots = world.snapshots().unwrap();
        let mark = runtime::Mark::before(&world.log, peer, point.position).await.unwrap().unwrap();
        snapshots.write(peer, &taken.partition, &mut taken.archive, &point, mark, 2).unwrap();
        assert_eq!(broken_in(&world).await, expected);
        assert_eq!(world.verify().await.snapshots_compared, 1);
    }
}

/// The fold of the first records of the first partition.
async fn standing_as_of(world: &World, count: usize) -> runtime::Standing<Decider> {
    let mut standing = runtime::Standing::new(0, TOPOLOGY);
    let mut tail = standing.tail(world.log());
    for record in tail.ready().await.unwrap().iter().take(count) {
        standing.fold(record).unwrap();
    }
    standing
}

#[tokio::test]
async fn a_snapshot_holds_all_that_has_left_memory() {
    let peer = first(Kind::Conversation);
    let retired = || event(What::Retired { party: Party([2; 16]) });
    let hand = || Hand::<Decider>::new(0).then(Cause::Report, vec![seen(2)]);
    for (forgets, expected) in [(false, vec![]), (true, vec![7])] {
        let world = World::with_snapshots();
        hand().then(Cause::Memory, vec![retired()]).write(&world).await;
        let mut standing = standing_as_of(&world, 3).await;
        let point = standing.point();
        if forgets {
            standing.archive = runtime::Archive::default();
        }
        let snapshots = world.snapshots().unwrap();
        let mark = runtime::Mark::before(&world.log, peer, point.position).await.unwrap().unwrap();
        snapshots.write(peer, &standing.partition, &mut standing.archive, &point, mark, 1).unwrap();
        assert_eq!(broken_in(&world).await, expected);
    }
}

#[tokio::test]
async fn who_is_not_in_memory_has_nothing_open_and_does_nothing() {
    let party = CUSTOMER;
    let seen = || event(What::CustomerSeen { from: from(party), at: Timestamp(0) });
    let retired = || event(What::Retired { party });
    let returned = || {
        let tombstone = Tombstone {
            channel: domain::Channel::Sms,
            address: sealed(party),
            opted_out: false,
            latest: None,
            sent: vec![],
            early: vec![],
            known_by: None,
            earlier: Vec::new(),
            tags: domain::Tags::default(),
            suppressed: Vec::new(),
            automatic: None,
            thread: None,
            entered: None,
            others: Vec::new(),
            addresses: Vec::new(),
            window: None,
            held: Vec::new(),
        };
        event(What::Returned { party, tombstone: Box::new(tombstone) })
    };
    let out = || event(What::OptedOut { party });
    let broken_by = async |events| broken(Hand::<Decider>::new(0).then(Cause::Report, events)).await;
    assert_eq!(broken_by(vec![seen(), retired(), returned(), out(), retired()]).await, NONE);
    let beginning = || vec![seen(), event(opened()), event(bot(1))];
    for (more, why) in [(vec![retired()], "its conversation is open"), (vec![returned()], "it never left")] {
        assert_eq!(broken_by([beginning(), more].concat()).await, [3], "{why}");
    }
    assert_eq!(broken_by(vec![seen(), retired(), retired()]).await, [3], "it left already");
    assert_eq!(broken_by(vec![seen(), retired(), returned(), returned()]).await, [3], "it is back already");
    assert_eq!(broken_by(vec![seen(), retired(), out()]).await, [3], "it is not back");
}

#[tokio::test]
async fn a_report_reads_like_a_table_and_names_what_it_found() {
    let world = World::new();
    let twice = vec![event(opened()), event(bot(1)), event(received(1)), event(received(1))];
    Hand::<Decider>::new(0).then(Cause::Report, twice).write(&world).await;
    let told = std::sync::Mutex::new(Vec::new());
    let tell = |progress| told.lock().unwrap().push(progress);
    let report = runtime::verify::verify(world.log(), TOPOLOGY, None, &tell).await.unwrap();
    let last = *told.lock().unwrap().last().unwrap();
    assert_eq!((last.records_done, last.records_total), (2, 2));

    let text = report.to_string();
    let row = |name: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect()
    };
    assert_eq!(row("conversation"), ["2", "2", "2", "0", "1", "4", "0"]);
    assert_eq!(row("total"), ["7", "2", "2", "0", "1", "4", "0"]);
    assert!(text.contains("open conversations: 1\n"), "{text}");
    let message = message_id(1);
    let named = format!(
        "violations: 1\n  invariant 2, conversation[0] at 1: message {message} is received a second time\n"
    );
    assert!(text.ends_with(&named), "{text}");
}

#[tokio::test]
async fn many_violations_are_counted_and_the_first_are_named() {
    let world = World::new();
    let mut events = vec![event(opened()), event(bot(1))];
    events.extend(std::iter::repeat_n(event(received(1)), 301));
    Hand::<Decider>::new(0).then(Cause::Report, events).write(&world).await;
    let report = world.verify().await;
    assert_eq!((report.violations_found, report.violations.len()), (300, 100));
    assert!(report.to_string().ends_with("and 200 more\n"));
}
