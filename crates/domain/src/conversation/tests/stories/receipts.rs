//! What we sent leaves, arrives and is read, in whatever order we hear of it.

use super::super::{story::*, *};
use crate::conversation::{CloseReason, Closer, Command, Progress, ReceiptKind, What, Withheld};

use ReceiptKind::{Delivered, Failed, Read};

fn noted(kind: ReceiptKind, n: u128) -> What {
    noted_in(1, kind, n)
}

fn noted_in(number: u32, kind: ReceiptKind, n: u128) -> What {
    What::ReceiptNoted {
        conversation: id(number),
        kind,
        message: message(n),
        at: seconds(50),
        reason: None,
        pricing: None,
    }
}

fn kept(kind: ReceiptKind, provider_id: &str) -> What {
    What::ReceiptKept {
        party: party(1),
        provider_id: provider_id.into(),
        kind,
        at: seconds(50),
        reason: None,
    }
}

fn left(n: u128, provider_id: &str) -> Command {
    progress(n, Progress::Sent { provider_id: provider_id.into() })
}

/// Everything until a second has this receipt.
fn until(kind: ReceiptKind, second: i64) -> Command {
    let watermark = Some(seconds(second));
    Command::Receipt {
        party: party(1),
        kind,
        provider_id: None,
        watermark,
        at: seconds(50),
        reason: None,
        pricing: None,
    }
}

#[test]
fn what_became_of_a_message_is_noted() {
    let failed = || Progress::Failed { code: "21610".into(), reason: "unsubscribed".into(), dead: false };
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
fn a_customer_who_told_the_provider_to_stop_is_stopped_here_once() {
    let failed = || Progress::Failed { code: "opted_out".into(), reason: "unsubscribed".into(), dead: false };
    let what = |n| What::DeliveryNoted { conversation: id(1), message: message(n), progress: failed() };
    with_ann()
        .when(progress(2, failed()))
        .then([what(2), What::OptedOut { party: party(1) }, withhold(Withheld::OptedOut)])
        .when(progress(3, failed()))
        .then([what(3)]);
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
        .then([kept(Delivered, "c")]);
    given([]).when(receipt(Delivered, "a")).then([]);
}

#[test]
fn a_receipt_that_comes_before_its_message_is_known_to_be_sent_waits_for_it() {
    with_ann()
        .when(receipt(Delivered, "a"))
        .then([kept(Delivered, "a")])
        .when(receipt(Read, "b"))
        .then([kept(Read, "b")])
        .when(receipt(Read, "a"))
        .then([kept(Read, "a")])
        .when(left(2, "a"))
        .then([sent(2, "a"), noted(Delivered, 2), noted(Read, 2)])
        // From here on everything is as if it had come in order.
        .when(receipt(Read, "a"))
        .then([])
        .when(left(3, "c"))
        .then([sent(3, "c")])
        .when(left(4, "b"))
        .then([sent(4, "b"), noted(Read, 4)])
        // Each receipt is noted once.
        .when(left(5, "b"))
        .then([sent(5, "b")]);
}

#[test]
fn only_a_receipt_that_says_more_than_those_that_wait_is_kept() {
    for kind in [Read, Delivered, Failed] {
        with_ann().and([kept(Read, "a")]).when(receipt(kind, "a")).then([]);
    }
    with_ann()
        .and([kept(Failed, "a")])
        .when(receipt(Failed, "a"))
        .then([])
        .when(receipt(Delivered, "a"))
        .then([kept(Delivered, "a")]);
}

#[test]
fn a_message_that_was_not_sent_is_waited_for() {
    let failed = Progress::Failed { code: "503".into(), reason: "try again".into(), dead: false };
    let noted_of_2 = |progress: &Progress| What::DeliveryNoted {
        conversation: id(1),
        message: message(2),
        progress: progress.clone(),
    };
    with_ann()
        .and([kept(Delivered, "a")])
        .when(progress(2, Progress::Unknown))
        .then([noted_of_2(&Progress::Unknown)])
        .when(progress(2, failed.clone()))
        .then([noted_of_2(&failed)])
        .when(left(2, "a"))
        .then([sent(2, "a"), noted(Delivered, 2)]);
}

#[test]
fn the_newest_eight_receipts_wait() {
    let mut story = with_ann();
    for n in 0..9_u8 {
        story = story.when(receipt(Delivered, &n.to_string())).then([kept(Delivered, &n.to_string())]);
    }
    story = story.when(left(20, "0")).then([sent(20, "0")]);
    for n in 1..9_u8 {
        let (id, n) = (n.to_string(), n.into());
        story = story.when(left(n, &id)).then([sent(n, &id), noted(Delivered, n)]);
    }
}

#[test]
fn a_watermark_does_not_wait() {
    with_ann().when(until(Read, 90)).then([]).when(left(2, "a")).then([sent(2, "a")]);
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
    let failed = || Command::Receipt {
        party: party(1),
        kind: Failed,
        provider_id: Some("a".into()),
        watermark: None,
        at: seconds(50),
        reason: Some("unreachable".into()),
        pricing: None,
    };
    let noted = || What::ReceiptNoted {
        conversation: id(1),
        kind: Failed,
        message: message(2),
        at: seconds(50),
        reason: Some("unreachable".into()),
        pricing: None,
    };
    let kept = What::ReceiptKept {
        party: party(1),
        provider_id: "a".into(),
        kind: Failed,
        at: seconds(50),
        reason: Some("unreachable".into()),
    };
    with_ann().and([sent(2, "a")]).when(failed()).then([noted()]);
    with_ann().when(failed()).then([kept]).when(left(2, "a")).then([sent(2, "a"), noted()]);
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
        pricing: None,
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
    story.when(receipt(Read, "0")).then([kept(Read, "0")]).when(receipt(Read, "1")).then([noted(Read, 1)]);
}
