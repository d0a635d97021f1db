//! Attempts and their outcomes.

use domain::{
    Cause, Timestamp, conversation,
    delivery::{Decider, Event},
};

use super::{
    NONE, broken_in,
    conversation::{bot, bot_replied, id, opened, outgoing},
};
use crate::{
    hand::{Hand, conversation as event},
    world::*,
};

fn to_leave(n: u8) -> Event {
    Event::Queued { conversation: id(), message: message_id(n), outgoing: outgoing() }
}

fn started(n: u8, attempt: u32) -> Event {
    Event::SendStarted { message: message_id(n), attempt }
}

fn sent(n: u8, attempt: u32) -> Event {
    let (message, provider_id) = (message_id(n), "p".into());
    Event::Sent { conversation: id(), message, attempt, provider_id }
}

fn retry(n: u8, attempt: u32) -> Event {
    let (code, reason) = ("busy".into(), "later".into());
    Event::RetryScheduled {
        message: message_id(n),
        attempt,
        due: Timestamp(2_000),
        code,
        reason,
        not_made: false,
    }
}

/// With a conversation that decided message 9, so that it may leave.
async fn broken_by(events: &[Event]) -> Vec<u8> {
    let world = World::new();
    let decided = [opened(), bot(1), bot_replied(9)].map(event).to_vec();
    Hand::<conversation::Decider>::new(0).then(Cause::Report, decided).write(&world).await;
    Hand::<Decider>::new(0).then(Cause::Report, events.to_vec()).write(&world).await;
    broken_in(&world).await
}

#[tokio::test]
async fn an_attempt_is_made_once_and_a_message_ends_once() {
    let whole = [to_leave(9), started(9, 1), retry(9, 1), started(9, 2), sent(9, 2)];
    assert_eq!(broken_by(&whole).await, NONE);
    let late_word = [to_leave(9), started(9, 1), retry(9, 1), sent(9, 1)];
    assert_eq!(broken_by(&late_word).await, NONE, "the first attempt had succeeded after all");
    for events in [
        vec![to_leave(9), started(9, 1), started(9, 1)],
        vec![to_leave(9), started(9, 1), started(9, 2)],
        vec![to_leave(9), started(9, 2)],
        vec![to_leave(9), started(9, 1), sent(9, 1), started(9, 2)],
        vec![to_leave(9), started(9, 1), sent(9, 1), sent(9, 1)],
        vec![to_leave(9), sent(9, 1)],
        vec![to_leave(9), to_leave(9)],
        vec![to_leave(8)],
    ] {
        assert_eq!(broken_by(&events).await, [11], "{events:?}");
    }
}
