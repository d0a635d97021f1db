//! Events that a fold breaks on, as that of a worker does whose rules are older than the log, or wrong.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{
    Aggregate, Cause, Context, FactId, Kind, Millis, Origin, Party, Policies, Rejection, Relay, Route,
    Settles, TenantId, Timers, Timestamp,
    conversation::{Command, Conversations, Decider, Event, TimerId, What},
};
use log::Log as _;
use runtime::{NoEffects, Setup, log_of, run_all};
use tokio_util::sync::CancellationToken;

use super::{
    hand::{Hand, conversation},
    watched::Watched,
    world::*,
};

const PEER: domain::Peer = domain::Peer { kind: Kind::Conversation, partition: 0 };
/// Whose conversations are in the other partition.
const NEIGHBOUR: Party = Party([3; 16]);

/// Who cannot be retired.
const STUCK: Party = Party([6; 16]);

/// The conversations, but for a fold that breaks on customers who opt out, and on the leave of one.
#[derive(Clone)]
enum Brittle {}

impl Aggregate for Brittle {
    const KIND: Kind = Decider::KIND;

    type State = Conversations;
    type Command = Command;
    type Event = Event;
    type TimerId = TimerId;

    fn decide(state: &Conversations, context: &Context, command: &Command) -> Result<Vec<Event>, Rejection> {
        Decider::decide(state, context, command)
    }

    fn evolve(state: &mut Conversations, at: Timestamp, event: &Event) {
        let breaks = match event.what {
            What::OptedOut { .. } => true,
            What::Retired { party } => party == STUCK,
            _ => false,
        };
        assert!(!breaks, "this fold is brittle");
        Decider::evolve(state, at, event);
    }

    fn timers(state: &Conversations) -> &Timers<TimerId> {
        Decider::timers(state)
    }

    fn timers_mut(state: &mut Conversations) -> &mut Timers<TimerId> {
        Decider::timers_mut(state)
    }

    fn fired(timer: TimerId) -> Command {
        Decider::fired(timer)
    }

    fn policy_changed(tenant: &TenantId) -> Option<Command> {
        Decider::policy_changed(tenant)
    }

    fn unknown_party(state: &Conversations, command: &Command) -> Option<Party> {
        Decider::unknown_party(state, command)
    }

    fn retire(state: &Conversations, now: Timestamp, quiet_for: Millis, most: usize) -> Vec<Event> {
        Decider::retire(state, now, quiet_for, most)
    }

    fn tombstone(state: &Conversations, event: &Event) -> Option<(Party, Event)> {
        Decider::tombstone(state, event)
    }

    fn lasts(policies: &Policies, event: &Event) -> bool {
        Decider::lasts(policies, event)
    }

    fn relay(event: &Event) -> Option<(Route, Relay)> {
        Decider::relay(event)
    }

    fn settles(event: &Event) -> Option<Settles> {
        Decider::settles(event)
    }
}

/// It neither leads nor skips the record, whoever stands by does as little, and neither keeps the machine busy.
#[tokio::test(start_paused = true)]
async fn an_accepted_record_that_a_fold_breaks_on_stops_its_partition_and_no_other() {
    let world = World::in_tokio_time();
    let opted_out = conversation(What::OptedOut { party: CUSTOMER });
    Hand::<Decider>::new(0).then(Cause::Recovered, vec![opted_out]).write(&world).await;
    let end = world.log.end(log_of(PEER)).await.unwrap();

    let stop = CancellationToken::new();
    let run = |name: &str, leads: &[u32]| {
        let watched = Watched::new(&world, PEER);
        watched.gives(leads);
        let log = watched.clone();
        let setup = world.setup(name, Arc::new(NoEffects), world.policies.subscribe());
        (watched, tokio::spawn(run_all::<Brittle>(Setup { log, ..setup }, stop.clone())))
    };
    let (leader, first) = run("one", &[0, 1]);
    let (follower, second) = run("two", &[]);
    world.says(NEIGHBOUR, 1).await;
    world.has_received(1).await;

    for minutes in 1..=3 {
        world.says(CUSTOMER, 100 + minutes).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        world.says(NEIGHBOUR, 1 + minutes).await;
        world.has_received(1 + usize::from(minutes)).await;
        assert_eq!(world.readiness.check(), Err("not every partition is led yet"));
        for watched in [&leader, &follower] {
            // Two reads a try, and tries a second apart at least, once the first few have failed.
            let reads = watched.reads.load(Ordering::SeqCst);
            assert!((10..=2 * 60 * u64::from(minutes) + 40).contains(&reads), "{reads} reads");
        }
    }
    assert_eq!(world.log.end(log_of(PEER)).await.unwrap(), end, "nothing is announced, and nothing decided");
    stop.cancel();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();

    // Whose rules are right goes on where it stood.
    let running = world.start_conversations("three");
    world.has_received(7).await;
    running.stop().await;
}

#[tokio::test]
async fn an_input_whose_events_a_fold_breaks_on_is_set_aside_by_the_next_leader() {
    let world = World::new();
    world.says(CUSTOMER, 1).await;
    let out = input(Origin::Fact(FactId([100; 16])), 1, Command::OptOut { from: from(CUSTOMER) });
    world.post::<Decider>(Route::Party(CUSTOMER), &out).await;
    world.says(CUSTOMER, 2).await;
    let running = world.start_one::<Brittle>("one", 0, Arc::new(NoEffects));
    world.has_received(2).await;
    // It is known again.
    world.post::<Decider>(Route::Party(CUSTOMER), &out).await;
    world.says(CUSTOMER, 3).await;
    world.has_received(3).await;
    running.stop().await;

    let steps = world.accepted::<Decider>(0).await.into_iter().flat_map(|decision| decision.steps);
    let aside: Vec<_> = steps.filter_map(|step| Some((step.cause, step.set_aside?))).collect();
    let [(Cause::Fact(id), why)] = &aside[..] else { panic!("one fact is set aside: {aside:?}") };
    assert_eq!((*id, why.bytes.is_empty()), (FactId([100; 16]), false));
    assert!(why.reason.contains("the input at 1"), "{}", why.reason);
    let epochs: std::collections::BTreeSet<_> =
        world.accepted::<Decider>(0).await.iter().map(|decision| decision.epoch.0).collect();
    assert_eq!(epochs.len(), 2, "one leader breaks on it, and only one");
    world.assert_clean().await;
}

#[tokio::test]
async fn a_party_whose_leave_a_fold_breaks_on_stays_and_the_others_go() {
    let world = World { retire_after: Millis(0), ..World::with_snapshots() };
    let running = world.start_one::<Brittle>("one", 0, Arc::new(NoEffects));
    let seen = async |n: u8, party: Party| {
        let seen = input(Origin::Fact(FactId([n; 16])), 1, Command::OptIn { from: from(party) });
        world.post::<Decider>(Route::Party(party), &seen).await;
    };
    let gone = async |party: Party| {
        let gone = |event: &Event| matches!(event.what, What::Retired { party: gone } if gone == party);
        let gone = async || world.events::<Decider>().await.iter().any(gone).then_some(());
        eventually("the leave of a party", gone).await;
    };
    for (n, party) in [(101, CUSTOMER), (102, STUCK), (103, OTHER)] {
        seen(n, party).await;
    }
    gone(CUSTOMER).await;
    gone(OTHER).await;
    let later = Party([8; 16]);
    seen(104, later).await;
    gone(later).await;
    // Who stays is served as ever.
    world.says(STUCK, 1).await;
    world.has_received(1).await;
    running.stop().await;

    let accepted = world.accepted::<Decider>(0).await;
    let epochs: std::collections::BTreeSet<_> = accepted.iter().map(|decision| decision.epoch.0).collect();
    assert_eq!(epochs.len(), 2, "one leader breaks on it, and only one");
    let events = world.events::<Decider>().await;
    assert!(!events.iter().any(|event| matches!(event.what, What::Retired { party: STUCK })));
    let report = world.assert_clean().await;
    assert_eq!(report.total().set_aside, 0);
}
