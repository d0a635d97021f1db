//! A worker whose clock is not the log's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::{
    Cause, Kind,
    conversation::{Decider, What},
};
use log::{Limit, Log as _};
use runtime::{Clock, log_of};

use super::world::*;

const HOUR: i64 = 3_600_000;

/// A world whose workers' clock is off the log's by so many milliseconds, from now on.
fn off_by(by: i64) -> (World, Arc<AtomicI64>) {
    let offset = Arc::new(AtomicI64::new(by));
    let of_clock = offset.clone();
    let clock = Clock::new(move || log::clock::now() + of_clock.load(Ordering::SeqCst));
    (World { clock, ..World::new() }, offset)
}

async fn alarmed(world: &World) {
    let alarmed = async || world.readiness.check().err().filter(|why| why.contains("clock"));
    eventually("the alarm", alarmed).await;
}

/// The records that decide nothing: looks at the clock.
async fn looks(world: &World) -> usize {
    let records = world.log.read(log_of(first(Kind::Conversation)), 0, Limit::default()).await.unwrap();
    let headers = records.iter().map(|record| wire::decode_header(&record.bytes).unwrap());
    let decisions = headers.filter(|header| matches!(header, wire::Header::Decision { .. })).count();
    let accepted = world.accepted::<Decider>(0).await;
    assert_eq!(accepted.len(), decisions);
    accepted.iter().filter(|decision| decision.steps.is_empty()).count()
}

#[tokio::test]
async fn a_leader_whose_clock_is_off_decides_nothing_until_it_is_right_again() {
    for by in [10_000, -10_000] {
        let (world, offset) = off_by(by);
        let running = world.start_conversations("one");
        world.says(CUSTOMER, 1).await;
        alarmed(&world).await;
        eventually("a look", async || (looks(&world).await > 0).then_some(())).await;
        let accepted = world.accepted::<Decider>(0).await;
        assert!(accepted.iter().all(|decision| decision.steps.is_empty()), "{accepted:?}");

        offset.store(1_000, Ordering::SeqCst);
        world.has_received(1).await;
        assert_eq!(world.readiness.check(), Ok(()));
        running.stop().await;
        world.assert_clean().await;
    }
}

#[tokio::test]
async fn a_clock_that_jumps_fires_no_timer_before_its_time() {
    let (world, offset) = off_by(0);
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    let asked = |event: &domain::conversation::Event| matches!(event.what, What::TurnAsked { .. });
    eventually("the bot is asked", async || (world.turns.count(asked) == 1).then_some(())).await;

    // The bot has a minute.
    offset.store(HOUR, Ordering::SeqCst);
    world.says(OTHER, 2).await;
    alarmed(&world).await;
    offset.store(0, Ordering::SeqCst);
    world.has_received(2).await;
    running.stop().await;
    let decisions = world.accepted::<Decider>(0).await;
    assert!(decisions.iter().all(|decision| decision.decided_at.0 <= log::clock::now()), "{decisions:?}");
    let mut steps = decisions.iter().flat_map(|decision| &decision.steps);
    assert!(steps.all(|step| !matches!(step.cause, Cause::Timer(_))));
    world.assert_clean().await;
}

/// An edge knew a policy that never comes here.
#[tokio::test]
async fn a_policy_is_waited_for_a_while_and_then_decided_without() {
    let world = World::new();
    let running = world.start_conversations("one");
    let ahead = |n| match message(CUSTOMER, n) {
        domain::Intake::Input { origin, command, .. } => input(origin, 7, command),
        other => other,
    };
    world.post::<Decider>(domain::Route::Party(CUSTOMER), &ahead(1)).await;
    world.has_received(1).await;
    let decided = world.accepted::<Decider>(0).await.pop().unwrap().decided_at;
    let records = world.log.read(runtime::intake(first(Kind::Conversation)), 0, Limit::default()).await;
    let waited = decided.0 - records.unwrap()[0].appended_at;
    assert!(waited >= 4_900, "only {waited} ms");

    // It is not waited for again, and neither is it forgotten.
    world.post::<Decider>(domain::Route::Party(CUSTOMER), &ahead(2)).await;
    world.policies.send_modify(|known| known.put(Arc::new(policy(7, domain::Millis::seconds(60), 2))));
    world.has_received(2).await;
    let adopted = async || {
        let steps = world.accepted::<Decider>(0).await.into_iter().flat_map(|decision| decision.steps);
        steps
            .map(|step| step.cause)
            .find(|cause| matches!(cause, Cause::PolicyInForce(new) if new.version == 7))
    };
    eventually("the policy", adopted).await;
    running.stop().await;
    world.assert_clean().await;
}

#[tokio::test]
async fn a_leader_that_waits_for_a_policy_can_be_stopped_and_takes_it_up_when_it_comes() {
    let world = World::new();
    let running = world.start_conversations("one");
    let domain::Intake::Input { origin, command, .. } = message(CUSTOMER, 1) else { panic!("an input") };
    world.post::<Decider>(domain::Route::Party(CUSTOMER), &input(origin, 2, command)).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let stopped = tokio::time::timeout(Duration::from_secs(3), running.stop()).await;
    assert!(stopped.is_ok(), "it does not wait to the end");
    assert_eq!(world.received().await, []);

    let running = world.start_conversations("two");
    world.policies.send_modify(|known| known.put(Arc::new(policy(2, domain::Millis::seconds(60), 2))));
    world.has_received(1).await;
    running.stop().await;
    let steps = world.accepted::<Decider>(0).await.into_iter().flat_map(|decision| decision.steps);
    let causes: Vec<_> = steps.map(|step| step.cause).collect();
    let policy =
        causes.iter().position(|cause| matches!(cause, Cause::PolicyInForce(new) if new.version == 2));
    let fact = causes.iter().position(|cause| matches!(cause, Cause::Fact(_)));
    assert!(policy.unwrap() < fact.unwrap());
}
