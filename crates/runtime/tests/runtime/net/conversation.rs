//! Owners, messages and turns.

use domain::{
    Cause, Channel, CommandId, ConversationId, OfferId, Timestamp, TurnId,
    conversation::{CloseReason, Closer, Decider, HandOffReason, MessageKind, Outgoing, What},
};

use super::{NONE, broken};
use crate::{
    hand::{Hand, conversation as event},
    world::*,
};

pub(super) fn id() -> ConversationId {
    conversation_of(CUSTOMER)
}

pub(super) fn opened() -> What {
    What::Opened { conversation: id(), policy_version: 1 }
}

pub(super) fn bot(owner_epoch: u32) -> What {
    What::BotEngaged { conversation: id(), bot: "greeter".parse().unwrap(), owner_epoch, queue: queue() }
}

pub(super) fn received(n: u8) -> What {
    What::MessageReceived {
        conversation: id(),
        message: message_id(n),
        kind: MessageKind::Message,
        content: sealed(CUSTOMER),
        thread: None,
        sent_at: Timestamp(0),
        authenticated: true,
        marks: None,
        people_only: false,
        reply_to: None,
        referral: None,
    }
}

fn wanted(owner_epoch: u32) -> What {
    What::AgentWanted {
        conversation: id(),
        channel: Channel::Sms,
        queue: queue(),
        owner_epoch,
        reason: HandOffReason::BotHandedOff,
        since: Timestamp(0),
        again: false,
        agent: None,
        agent_until: None,
        by_request: false,
        special: None,
    }
}

pub(super) fn offer(number: u64) -> OfferId {
    OfferId { desk: queue().desk, number }
}

fn assigned(number: u64, owner_epoch: u32) -> What {
    What::Assigned {
        conversation: id(),
        agent: ann(),
        assignment: offer(number),
        owner_epoch,
        command: CommandId([1; 16]),
    }
}

fn released(number: u64) -> What {
    What::Released { conversation: id(), assignment: offer(number) }
}

fn snoozed(number: u64, owner_epoch: u32) -> What {
    let (agent, assignment, until) = (ann(), offer(number), Timestamp(90_000));
    What::Snoozed { conversation: id(), agent, assignment, owner_epoch, until }
}

fn withdrawn(owner_epoch: u32) -> What {
    What::Withdrawn { conversation: id(), queue: queue(), owner_epoch }
}

fn closed() -> What {
    What::Closed { conversation: id(), by: Closer::Agent(ann()), reason: CloseReason::Done }
}

fn turn(owner_epoch: u32, number: u32) -> TurnId {
    TurnId { conversation: id(), owner_epoch, number }
}

fn asked(turn: TurnId) -> What {
    What::TurnAsked {
        turn,
        bot: "greeter".parse().unwrap(),
        content: None,
        message: message_id(1),
        answer_by: Timestamp(9_000),
        link: None,
    }
}

pub(super) fn outgoing() -> Outgoing {
    Outgoing {
        tenant: tenant(),
        inbox: "sms".parse().unwrap(),
        channel: Channel::Sms,
        to: sealed(CUSTOMER),
        body: sealed(CUSTOMER),
        thread: None,
        by_person: false,
        signed: None,
        window: None,
    }
}

pub(super) fn bot_replied(n: u8) -> What {
    What::BotReplied { conversation: id(), message: message_id(n), outgoing: outgoing() }
}

/// Each list is one decision.
async fn broken_by(decisions: &[&[What]]) -> Vec<u8> {
    let hand = decisions.iter().fold(Hand::<Decider>::new(0), |hand, whats| {
        hand.then(Cause::Report, whats.iter().cloned().map(event).collect())
    });
    broken(hand).await
}

#[tokio::test]
async fn an_open_conversation_has_exactly_one_owner() {
    let good: &[&[What]] = &[
        &[opened(), bot(1), received(1)],
        &[wanted(2)],
        &[assigned(1, 3)],
        &[released(1), wanted(4)],
        &[assigned(2, 5)],
        &[snoozed(2, 6)],
        &[wanted(7), received(2)],
        &[withdrawn(7), wanted(8)],
        &[assigned(3, 9)],
        &[released(3), closed()],
        &[What::Reopened { conversation: id() }, bot(10), received(3)],
    ];
    assert_eq!(broken_by(good).await, NONE);

    let none: &[What] = &[opened(), received(1)];
    assert_eq!(broken_by(&[none]).await, [3]);
    let strangers: &[&[What]] = &[&[opened(), wanted(1)], &[assigned(1, 2)], &[snoozed(2, 3)]];
    assert_eq!(broken_by(strangers).await, [3]);
    let waits_twice: &[&[What]] = &[&[opened(), wanted(1)], &[wanted(2)]];
    assert_eq!(broken_by(waits_twice).await, [3]);
    let two: &[&[What]] = &[&[opened(), wanted(1)], &[assigned(1, 2)], &[assigned(2, 3)]];
    assert_eq!(broken_by(two).await, [3]);
    let held_by_both: &[&[What]] = &[&[opened(), wanted(1)], &[assigned(1, 2)], &[wanted(3)]];
    assert_eq!(broken_by(held_by_both).await, [3]);
    let let_go: &[&[What]] = &[&[opened(), wanted(1)], &[assigned(1, 2)], &[released(1)]];
    assert_eq!(broken_by(let_go).await, [3]);
    let closed_while_held: &[&[What]] = &[&[opened(), wanted(1)], &[assigned(1, 2)], &[closed()]];
    assert_eq!(broken_by(closed_while_held).await, [3]);
    let opened_twice: &[&[What]] = &[&[opened(), wanted(1)], &[opened(), wanted(2)]];
    assert_eq!(broken_by(opened_twice).await, [3]);
    let never_opened: &[&[What]] = &[&[received(1)]];
    assert_eq!(broken_by(never_opened).await, [3]);
}

#[tokio::test]
async fn a_message_is_received_once() {
    assert_eq!(broken_by(&[&[opened(), bot(1), received(1)], &[received(2)]]).await, NONE);
    assert_eq!(broken_by(&[&[opened(), bot(1), received(1)], &[received(1)]]).await, [2]);
}

#[tokio::test]
async fn a_bot_answers_what_it_was_asked_as_long_as_it_owns_the_conversation() {
    let beginning = [opened(), bot(1), received(1), asked(turn(1, 1))];
    let answered = |turn| What::TurnAnswered { turn };
    let good: &[&[What]] =
        &[&beginning, &[answered(turn(1, 1)), bot_replied(9), asked(turn(1, 2))], &[answered(turn(1, 2))]];
    assert_eq!(broken_by(good).await, NONE);

    assert_eq!(broken_by(&[&beginning, &[wanted(2)], &[bot_replied(9)]]).await, [15]);
    assert_eq!(broken_by(&[&beginning, &[wanted(2)], &[answered(turn(1, 1))]]).await, [15]);
    assert_eq!(broken_by(&[&beginning, &[answered(turn(1, 2))]]).await, [15]);
    let twice: &[&[What]] = &[&beginning, &[answered(turn(1, 1))], &[answered(turn(1, 1))]];
    assert_eq!(broken_by(twice).await, [15]);
    assert_eq!(broken_by(&[&beginning, &[asked(turn(1, 2))]]).await, [15]);
    assert_eq!(broken_by(&[&beginning, &[wanted(1)]]).await, [15], "the owner epoch grows");
}
