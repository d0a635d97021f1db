//! Timers: not before their time, and not lost with their leader.

use std::{sync::Arc, time::Duration};

use domain::{
    Cause, Millis, Timestamp,
    conversation::{Decider, HandOffReason, What},
};

use super::world::*;

const PATIENCE: Millis = Millis(250);

async fn handed_over(world: &World) -> Option<Timestamp> {
    let decisions = world.accepted::<Decider>(0).await;
    let is_silent = |what: &What| matches!(what, What::AgentWanted { reason: HandOffReason::BotSilent, .. });
    decisions.into_iter().find_map(|decision| {
        let mut timers = decision.steps.iter().filter(|step| matches!(step.cause, Cause::Timer(_)));
        let fired = timers.any(|step| step.events.iter().any(|recorded| is_silent(&recorded.event.what)));
        fired.then_some(decision.decided_at)
    })
}

async fn asked(world: &World) -> Timestamp {
    let answer_by = |event: &domain::conversation::Event| match event.what {
        What::TurnAsked { answer_by, .. } => Some(answer_by),
        _ => None,
    };
    world.event::<Decider, _>("the bot is asked", answer_by).await
}

fn impatient() -> World {
    let world = World::new();
    world.policies.send_modify(|known| known.put(Arc::new(policy(1, PATIENCE, 2))));
    world
}

#[tokio::test]
async fn a_timer_fires_when_it_is_due_and_not_before() {
    let world = impatient();
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    let due = asked(&world).await;
    let at = eventually("the hand-over", async || handed_over(&world).await).await;
    assert!(at >= due, "{at:?} is before {due:?}");
    running.stop().await;
    world.assert_clean().await;
}

#[tokio::test]
async fn an_overdue_timer_fires_after_a_restart_once_the_backlog_is_read() {
    let world = impatient();
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    let due = asked(&world).await;
    running.stop().await;
    assert_eq!(handed_over(&world).await, None, "not before it is due");

    // It becomes due, and a message comes, while nobody leads.
    tokio::time::sleep(Duration::from_millis(PATIENCE.0 + 50)).await;
    world.says(CUSTOMER, 2).await;
    let running = world.start_conversations("two");
    let at = eventually("the hand-over", async || handed_over(&world).await).await;
    assert!(at >= due);
    running.stop().await;

    let events = world.events::<Decider>().await;
    let place = |meant: fn(&What) -> bool| events.iter().rposition(|event| meant(&event.what)).unwrap();
    let (second, handed) = (
        place(|what| matches!(what, What::MessageReceived { .. })),
        place(|what| matches!(what, What::AgentWanted { .. })),
    );
    assert!(second < handed, "what came before the new leader goes before what is overdue");
    world.assert_clean().await;
}
