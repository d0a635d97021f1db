//! From the first message to the last receipt, through all five aggregates.

use std::sync::Arc;

use domain::{
    Code, Millis, Origin, Route, Timestamp,
    contact::{self, Event as Contact},
    conversation::{self, BotAction, Progress, What},
    delivery::{self, Event as Delivery, Outcome},
    desk::{self, Event as Desk, Presence},
    workspace,
};

use super::world::*;

/// When the workers are stopped and started again.
#[derive(Clone, Copy, PartialEq)]
enum Restarts {
    Never,
    AfterEachStep,
}

#[tokio::test]
async fn a_customer_is_answered_by_a_bot_and_then_by_a_person() {
    tell(World::new(), Restarts::Never).await;
}

#[tokio::test]
async fn the_story_goes_on_wherever_the_workers_are_restarted() {
    tell(World::new(), Restarts::AfterEachStep).await;
}

#[tokio::test]
async fn the_story_goes_on_from_snapshots() {
    let world = tell(World::with_snapshots(), Restarts::AfterEachStep).await;
    assert!(world.verify().await.snapshots_compared > 0);
}

async fn tell(world: World, restarts: Restarts) -> World {
    let mut running = world.start_all().await;
    let between = async |running: &mut Running| {
        if restarts == Restarts::AfterEachStep {
            let next = world.start_all().await;
            std::mem::replace(running, next).stop().await;
            let next = world.start_all().await;
            std::mem::replace(running, next).stop().await;
        }
    };

    // The business says what it is.
    let apply = workspace::Command::Apply(Arc::new(policy(0, Millis::seconds(60), 2)));
    world.post::<workspace::Decider>(Route::Workspace(tenant()), &input(command(1), 0, apply)).await;
    assert_eq!(world.answer::<workspace::Decider>("the policy", 1).await, Ok(()));
    between(&mut running).await;

    // The customer writes, twice by the provider's mistake; the bot is asked once, and hands over.
    world.says(CUSTOMER, 1).await;
    world.says(CUSTOMER, 1).await;
    let turn = world
        .event::<conversation::Decider, _>("the bot is asked", |event| match &event.what {
            What::TurnAsked { turn, .. } => Some(*turn),
            _ => None,
        })
        .await;
    eventually("the bot's effect", async || (world.turns.count(is_asked) == 1).then_some(())).await;
    between(&mut running).await;

    let id = turn.conversation;
    let say = BotAction::Say { message: message_id(100), body: sealed(CUSTOMER) };
    let actions = vec![say, BotAction::HandOff { queue: None, special: None }];
    let answer = conversation::Command::BotAnswer { turn, tenant: tenant(), bot: greeter(), actions };
    // However often it answers, one answer counts.
    for _ in 0..2 {
        let answer = input(Origin::Report, 1, answer.clone());
        world.post::<conversation::Decider>(Route::Party(CUSTOMER), &answer).await;
    }
    is_delivered(&world, 100, async || between(&mut running).await).await;

    // An agent comes, is offered the conversation, and takes it.
    let until = Timestamp(log::clock::now()) + Millis::seconds(60);
    let here = desk::Command::SetPresence { agent: ann(), presence: Presence::Available, until };
    let to_desk = || Route::Desk(queue().desk);
    world.post::<desk::Decider>(to_desk(), &input(command(2), 1, here)).await;
    let offer = world
        .event::<desk::Decider, _>("an offer", |event| match event {
            Desk::Offered { offer, .. } => Some(offer.clone()),
            _ => None,
        })
        .await;
    between(&mut running).await;
    let accept = desk::Command::Accept { agent: ann(), offer: offer.clone() };
    for _ in 0..2 {
        world.post::<desk::Decider>(to_desk(), &input(command(3), 1, accept.clone())).await;
    }
    assert_eq!(world.answer::<desk::Decider>("the acceptance", 3).await, Ok(()));
    between(&mut running).await;

    // The answer came only after `Assigned`, so the reply finds its conversation.
    let reply = conversation::Command::Reply {
        conversation: id,
        agent: ann(),
        assignment: offer.clone(),
        message: message_id(101),
        body: sealed(CUSTOMER),
        by: None,
    };
    let to_customer = || Route::Party(CUSTOMER);
    world.post::<conversation::Decider>(to_customer(), &input(command(4), 1, reply.clone())).await;
    assert_eq!(world.answer::<conversation::Decider>("the reply", 4).await, Ok(()));
    is_delivered(&world, 101, async || between(&mut running).await).await;

    let close =
        conversation::Command::Close { conversation: id, agent: ann(), assignment: Some(offer.clone()) };
    world.post::<conversation::Decider>(to_customer(), &input(command(5), 1, close)).await;
    assert_eq!(world.answer::<conversation::Decider>("the close", 5).await, Ok(()));
    world.post::<conversation::Decider>(to_customer(), &input(command(6), 1, reply)).await;
    let late = world.answer::<conversation::Decider>("a late reply", 6).await;
    assert_eq!(code(late), Some(Code::Closed));
    world
        .event::<desk::Decider, _>("room for the next", |event| match event {
            Desk::AssignmentEnded { assignment, .. } => (*assignment == offer).then_some(()),
            _ => None,
        })
        .await;
    world
        .event::<contact::Decider, _>("a contact", |event| match event {
            Contact::Created { from, .. } => (from.party == CUSTOMER).then_some(()),
            _ => None,
        })
        .await;
    running.stop().await;

    assert_eq!(world.received().await, [message_id(1)]);
    assert_eq!(world.turns.count(is_asked), 1, "performed once, and never again by replaying");
    let started = |event: &Delivery| matches!(event, Delivery::SendStarted { .. });
    assert_eq!(world.sends.count(started), 2);
    let report = world.assert_clean().await;
    assert_eq!((report.open_conversations, report.total().set_aside), (0, 0), "{report}");
    world
}

fn is_asked(event: &conversation::Event) -> bool {
    matches!(event.what, What::TurnAsked { .. })
}

/// Waits until the message may be sent, reports that it was, and waits until its conversation knows.
async fn is_delivered(world: &World, n: u8, between: impl AsyncFnOnce()) {
    let message = message_id(n);
    let may_be_sent =
        |event: &Delivery| matches!(event, Delivery::SendStarted { message: m, attempt: 1 } if *m == message);
    eventually("the attempt", async || (world.sends.count(may_be_sent) == 1).then_some(())).await;
    between().await;
    let outcome = Outcome::Sent { provider_id: format!("provider-{n}").into() };
    let report = delivery::Command::Report { message, attempt: 1, outcome };
    world.post::<delivery::Decider>(lane(CUSTOMER), &input(Origin::Report, 0, report)).await;
    world
        .event::<conversation::Decider, _>("the word that it was sent", |event| match &event.what {
            What::DeliveryNoted { message: m, progress: Progress::Sent { .. }, .. } => {
                (*m == message).then_some(())
            }
            _ => None,
        })
        .await;
}
