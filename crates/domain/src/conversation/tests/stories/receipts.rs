//! What we sent leaves, arrives and is read, in whatever order we hear of it.

use super::super::{story::*, *};
use crate::conversation::{CloseReason, Closer, Command, Progress, ReceiptKind, What};

use ReceiptKind::{Delivered, Failed, Read};

fn noted(kind: ReceiptKind, n: u128) -> What {
    noted_in(1, kind, n)
}

fn noted_in(number: u32, kind: ReceiptKind, n: u128) -> What {
    What::ReceiptNoted { conversation: id(number), kind, message: message(n), at: seconds(50), reason: None }
}

/// Everything until a second has this receipt.
fn until(kind: ReceiptKind, second: i64) -> Command {
    let watermark = Some(seconds(second));
    Command::Receipt { party: party(1), kind, provider_id: None, watermark, at: seconds(50), reason: None }
}

#[test]
fn what_became_of_a_message_is_noted() {
    let failed = || Progress::Failed { code: "21610".into(), reason: "unsubscribed".into() };
    let what = |progress| What::DeliveryNoted { conversation: id(1), message: message(2), progress };
    with_ann()
        .when(progress(2, Progress::Sent { provider_id: "a".into() }))
        .then([sent(2, "a")])
        .when(progress(2, Progress::Unknown))
        .then([what(Progress::Unknown)])
        .when(progress(2, failed()))
        .then([what(failed())]);
    given([]).when(progress(2, Progress::Unknown)).then([]);
}

#[test]
fn a_receipt_is_known_by_the_providers_id() {
    with_ann()
        .and([sent(2, "a"), sent(3, "b")])
        .when(receipt(Delivered, "b"))
        .then([noted(Delivered, 3)])
        .when(receipt(Read, "b"))
        .then([noted(Read, 3)])
        .when(receipt(Delivered, "a"))
        .then([noted(Delivered, 2)])
        .when(receipt(Delivered, "c"))
        .then([]);
    given([]).when(receipt(Delivered, "a")).then([]);
}

#[test]
fn only_a_receipt_that_says_more_than_before_is_noted() {
    let read = || with_ann().and([sent(2, "a"), noted(Read, 2)]);
    for kind in [Read, Delivered, Failed] {
        read().when(receipt(kind, "a")).then([]);
    }
    with_ann()
        .and([sent(2, "a")])
        .when(receipt(Failed, "a"))
        .then([noted(Failed, 2)])
        .when(receipt(Failed, "a"))
        .then([])
        .when(receipt(Delivered, "a"))
        .then([noted(Delivered, 2)])
        .when(receipt(Failed, "a"))
        .then([]);
}

#[test]
fn a_failure_carries_its_reason() {
    let failed = Command::Receipt {
        party: party(1),
        kind: Failed,
        provider_id: Some("a".into()),
        watermark: None,
        at: seconds(50),
        reason: Some("unreachable".into()),
    };
    with_ann().and([sent(2, "a")]).when(failed).then([What::ReceiptNoted {
        conversation: id(1),
        kind: Failed,
        message: message(2),
        at: seconds(50),
        reason: Some("unreachable".into()),
    }]);
}

#[test]
fn a_watermark_covers_everything_before_it() {
    with_ann()
        .at(10)
        .and([sent(2, "a")])
        .at(20)
        .and([sent(3, "b")])
        .at(30)
        .and([sent(4, "c")])
        .when(receipt(Delivered, "b"))
        .then([noted(Delivered, 3)])
        .when(until(Delivered, 20))
        .then([noted(Delivered, 2)])
        .when(until(Read, 20))
        .then([noted(Read, 2), noted(Read, 3)])
        .when(until(Read, 20))
        .then([])
        .when(until(Read, 40))
        .then([noted(Read, 4)]);
    let neither = Command::Receipt {
        party: party(1),
        kind: Read,
        provider_id: None,
        watermark: None,
        at: seconds(50),
        reason: None,
    };
    with_ann().and([sent(2, "a")]).when(neither).then([]);
}

#[test]
fn a_receipt_belongs_to_the_conversation_of_its_message() {
    let closed =
        What::Closed { conversation: id(1), by: Closer::Agent(agent("ann")), reason: CloseReason::Done };
    with_ann()
        .and([released(1, 1), closed, opened(2), engaged(2, 1)])
        // The message left late: its conversation is over, and another one is open.
        .when(progress(2, Progress::Sent { provider_id: "a".into() }))
        .then([sent(2, "a")])
        .when(receipt(Read, "a"))
        .then([noted_in(1, Read, 2)]);
}

#[test]
fn the_latest_sixteen_messages_can_be_told_apart() {
    let mut story = with_ann();
    for n in 0..17_u8 {
        story = story.and([sent(n.into(), &n.to_string())]);
    }
    story.when(receipt(Read, "0")).then([]).when(receipt(Read, "1")).then([noted(Read, 1)]);
}
