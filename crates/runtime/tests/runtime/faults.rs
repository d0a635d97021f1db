//! Relays that get lost or come twice, and inputs that cannot be handled.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    FactId, Intake, Kind, Origin, Party, Route,
    contact::{self, Event as Contact},
    conversation::{self, What},
};
use futures::FutureExt as _;
use log::{Limit, Log as _, memory::Fault};
use runtime::{NoEffects, intake};

use super::world::*;

async fn contacts(world: &World) -> usize {
    let created = |event: &Contact| matches!(event, Contact::Created { .. });
    world.events::<contact::Decider>().await.iter().filter(|event| created(event)).count()
}

async fn has_contacts(world: &World, count: usize) {
    eventually("the contacts", async || (contacts(world).await == count).then_some(())).await;
}

/// The numbers of the relays in the contacts' intake.
async fn relayed(world: &World) -> Vec<u64> {
    let records = world.log.read(intake(first(Kind::Contact)), 0, Limit::default()).await.unwrap();
    let inputs = records.iter().map(|record| wire::decode_intake::<contact::Decider>(&record.bytes).unwrap());
    let number = |intake| match intake {
        Intake::Input { origin: Origin::Relay { number, .. }, .. } => Some(number),
        _ => None,
    };
    inputs.filter_map(number).collect()
}

#[tokio::test]
async fn a_lost_relay_is_sent_again_by_the_next_leader() {
    let world = World::new();
    let contacts = world.start_one::<contact::Decider>("contacts", 0, Arc::new(NoEffects));
    world.log.fail_next_append(intake(first(Kind::Contact)), Fault::WriteLost);
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    running.stop().await;
    assert!(relayed(&world).await.is_empty());

    let running = world.start_conversations("two");
    has_contacts(&world, 1).await;
    running.stop().await;
    contacts.stop().await;
    world.assert_clean().await;
}

#[tokio::test]
async fn a_lost_relay_is_sent_again_after_a_while_and_nothing_overtakes_the_read_back() {
    let world = World::new();
    let contacts = world.start_one::<contact::Decider>("contacts", 0, Arc::new(NoEffects));
    let running = world.start_conversations("one");
    world.log.fail_next_append(intake(first(Kind::Contact)), Fault::WriteLost);
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;

    // The second relay is decided, and held back, while the first is sent again.
    world.says(OTHER, 2).now_or_never().expect("a log in memory appends at once");
    world.log.hold();
    tokio::time::sleep(std::time::Duration::from_millis(2_200)).await;
    world.log.release();
    has_contacts(&world, 2).await;
    assert_eq!(relayed(&world).await, [1, 2]);
    running.stop().await;
    contacts.stop().await;
    world.assert_clean().await;
}

#[tokio::test(start_paused = true)]
async fn many_relays_behind_a_lost_one_are_sent_again_one_part_right_after_the_other() {
    let world = World::in_tokio_time();
    let contacts = world.start_one::<contact::Decider>("contacts", 0, Arc::new(NoEffects));
    let running = world.start_conversations("one");
    // All behind it come too early, and are sent again in eight parts. There is a wait before the first.
    let began = tokio::time::Instant::now();
    world.log.fail_next_append(intake(first(Kind::Contact)), Fault::WriteLost);
    const MANY: u32 = 4_000;
    for n in 0..MANY {
        let mut id = [0; 16];
        id[12..].copy_from_slice(&n.to_be_bytes());
        let seen = conversation::Command::OptIn { from: from(Party(id)) };
        let seen = input(Origin::Fact(FactId(id)), 1, seen);
        world.post::<conversation::Decider>(Route::Party(Party(id)), &seen).await;
    }
    let applied = async || {
        let accepted = world.accepted::<contact::Decider>(0).await;
        let steps = accepted.iter().flat_map(|decision| &decision.steps);
        let created = steps.filter(|step| !step.events.is_empty()).count();
        (created == MANY as usize).then_some(())
    };
    eventually("all the contacts", applied).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(6), "{:?}", began.elapsed());
    running.stop().await;
    contacts.stop().await;
    world.assert_clean().await;
}

#[tokio::test]
async fn doubled_relays_are_dropped() {
    let world = World::new();
    let contacts = world.start_one::<contact::Decider>("contacts", 0, Arc::new(NoEffects));
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    world.says(OTHER, 2).await;
    has_contacts(&world, 2).await;

    let to = intake(first(Kind::Contact));
    let again = world.log.read(to, 0, Limit::default()).await.unwrap();
    let again: Vec<_> = again.into_iter().map(|record| record.bytes).collect();
    world.log.append(to, again).await.unwrap();
    world.says(domain::Party([6; 16]), 3).await;
    has_contacts(&world, 3).await;
    running.stop().await;
    contacts.stop().await;
    let report = world.assert_clean().await;
    assert_eq!(report.by_kind[&Kind::Contact].set_aside, 0);
}

#[tokio::test]
async fn an_input_that_cannot_be_read_is_set_aside_and_the_partition_goes_on() {
    let world = World::new();
    let running = world.start_conversations("one");
    world.says(CUSTOMER, 1).await;
    let garbage = Bytes::from_static(b"\xff\xff\xff no record of ours");
    world.log.append(intake(first(Kind::Conversation)), vec![garbage.clone()]).await.unwrap();
    world.says(CUSTOMER, 2).await;
    world.has_received(2).await;
    running.stop().await;

    let steps =
        world.accepted::<conversation::Decider>(0).await.into_iter().flat_map(|decision| decision.steps);
    let kept: Vec<_> = steps.filter_map(|step| step.set_aside).collect();
    let [kept] = &kept[..] else { panic!("one input is set aside, not {}", kept.len()) };
    assert_eq!(kept.bytes, garbage);
    assert!(!kept.reason.is_empty());
    assert_eq!(world.assert_clean().await.total().set_aside, 1);
}

#[tokio::test]
async fn an_input_that_the_rules_refuse_is_set_aside() {
    let world = World::new();
    let running = world.start_conversations("one");
    let Intake::Input { command: conversation::Command::Receive(mut received), .. } = message(CUSTOMER, 7)
    else {
        panic!("a message is received");
    };
    received.from.inbox = "closed-down".parse().unwrap();
    let fact = Origin::Fact(domain::FactId([7; 16]));
    let received = input(fact, 1, conversation::Command::Receive(received));
    world.post::<conversation::Decider>(Route::Party(CUSTOMER), &received).await;
    world.says(CUSTOMER, 1).await;
    world.has_received(1).await;
    running.stop().await;
    assert_eq!(world.assert_clean().await.total().set_aside, 1);
}

/// The only way to make the rules panic is arithmetic that overflows, which is checked in debug builds.
#[cfg(debug_assertions)]
#[tokio::test]
async fn inputs_that_the_rules_panic_on_are_set_aside_and_the_partition_goes_on() {
    use domain::{Cause, CommandId, Timestamp, conversation::Command};

    use super::hand::{Hand, conversation as event};

    // A conversation whose owner cannot change any more.
    let world = World::new();
    let wanted = What::AgentWanted {
        conversation: conversation_of(CUSTOMER),
        channel: domain::Channel::Sms,
        queue: queue(),
        owner_epoch: u32::MAX,
        reason: conversation::HandOffReason::NoBot,
        since: Timestamp(0),
        again: false,
        agent: None,
        agent_until: None,
        by_request: false,
        special: None,
    };
    let opened = What::Opened { conversation: conversation_of(CUSTOMER), policy_version: 1 };
    let seen = What::CustomerSeen { from: from(CUSTOMER), at: Timestamp(0) };
    let events = [seen, opened, wanted].map(event).to_vec();
    Hand::<conversation::Decider>::new(0).then(Cause::Recovered, events).write(&world).await;

    let assign = Command::Assign {
        conversation: conversation_of(CUSTOMER),
        owner_epoch: u32::MAX,
        offer: "acme/support/1".parse().unwrap(),
        agent: ann(),
        command: CommandId([1; 16]),
    };
    // All in one batch: each is found by itself.
    for n in 1..=2 {
        world
            .post::<conversation::Decider>(Route::Party(CUSTOMER), &input(command(n), 0, assign.clone()))
            .await;
    }
    world.says(OTHER, 3).await;
    let running = world.start_conversations("one");
    world.has_received(1).await;
    for n in 1..=2 {
        let answer = world.answer::<conversation::Decider>("an answer all the same", n).await;
        assert_eq!(code(answer), Some(domain::Code::Internal));
    }
    running.stop().await;
    assert_eq!(world.assert_clean().await.total().set_aside, 2);
}
