//! Addresses that nothing is sent to, and machines at the other end.

use super::super::{
    story::{noted as story_noted, *},
    *,
};
use crate::conversation::{
    BotAction, Command, Correspondent, HandOffReason, MessageKind, NoteKind, Progress, Received, Suppression,
    What, Withheld,
};
use crate::{Channel, Code};

use Suppression::{Complaint, DeadAddress, Unsubscribed};

fn suppressed(cause: Suppression) -> What {
    What::Suppressed { party: party(1), cause }
}

fn lifted(cause: Suppression, by: Option<&str>) -> What {
    What::SuppressionLifted { party: party(1), cause, by: by.map(Into::into) }
}

fn unsubscribe() -> Command {
    Command::Suppress { tenant: tenant(), party: party(1), cause: Unsubscribed }
}

fn lift() -> Command {
    Command::LiftSuppression { tenant: tenant(), party: party(1), by: "ops".into() }
}

#[test]
fn a_dead_address_is_sent_nothing_until_the_customer_writes() {
    let failed = Progress::Failed { code: "550".into(), reason: "user unknown".into(), dead: true };
    let noted = What::DeliveryNoted { conversation: id(1), message: message(2), progress: failed.clone() };
    with_ann()
        .when(progress(2, failed.clone()))
        .then([noted.clone(), suppressed(DeadAddress), withhold(Withheld::DeadAddress)])
        .when(progress(2, failed))
        .then([noted])
        .when(reply(1, "ann", 1, 3))
        .then_rejected(Code::Suppressed)
        .when(receive(4))
        .then([lifted(DeadAddress, None), message_received(1, 4)])
        .when(reply(1, "ann", 1, 5))
        .then([replied(1, "ann", 5)]);
}

#[test]
fn whoever_only_claims_to_be_the_customer_lifts_nothing() {
    let claims = Received { authenticated: false, ..received(4) };
    with_ann()
        .and([suppressed(Complaint)])
        .when(Command::Receive(Box::new(claims)))
        .then([What::MessageReceived {
            conversation: id(1),
            message: message(4),
            kind: MessageKind::Message,
            content: sealed(1, 4),
            thread: None,
            sent_at: seconds(0),
            authenticated: false,
            people_only: false,
            marks: None,
            reply_to: None,
            referral: None,
        }])
        .when(reply(1, "ann", 1, 5))
        .then_rejected(Code::Suppressed);
}

#[test]
fn a_report_that_is_ours_beyond_doubt_suppresses_whom_we_know() {
    let (kind, message, at) = (NoteKind::Complaint, message(9), seconds(3));
    let report = |suppresses| note(correspondent(1), kind, message, None, at, suppresses);
    let noted = |conversation| story_noted(conversation, kind, message, None, at);
    given([]).when(report(Some(Complaint))).then([noted(None)]);
    let noted = noted(Some(id(1)));
    with_ann().when(report(None)).then([noted.clone()]);
    with_ann()
        .when(report(Some(Complaint)))
        .then([noted.clone(), suppressed(Complaint), withhold(Withheld::Complaint)])
        .when(report(Some(Complaint)))
        .then([noted]);
}

#[test]
fn who_unsubscribed_gets_answers_only() {
    with_ann()
        .when(unsubscribe())
        .then([suppressed(Unsubscribed), withhold(Withheld::Unsubscribed)])
        .when(unsubscribe())
        .then([])
        .when(reply(1, "ann", 1, 3))
        .then_rejected(Code::Suppressed);
    // The customer wrote in this conversation: whatever is sent is an answer.
    let mail = Received { thread: Some(sealed(1, 70)), ..received(4) };
    let story = with_ann().and([suppressed(Unsubscribed)]).when(Command::Receive(Box::new(mail)));
    let (story, _) = story.and_tell();
    let events = story.when(reply(1, "ann", 1, 5)).events();
    assert!(matches!(events[..], [crate::conversation::Event { what: What::Replied { .. }, .. }]));
    let other = Command::Suppress { tenant: "other".parse().unwrap(), party: party(1), cause: Unsubscribed };
    with_ann().when(other).then([]);
}

#[test]
fn an_operator_lifts_all_there_is() {
    given([]).when(lift()).then_rejected(Code::NotFound);
    with_ann()
        .when(lift())
        .then([])
        .and([suppressed(DeadAddress), suppressed(Unsubscribed)])
        .when(lift())
        .then([lifted(DeadAddress, Some("ops")), lifted(Unsubscribed, Some("ops"))])
        .when(reply(1, "ann", 1, 3))
        .then([replied(1, "ann", 3)]);
}

#[test]
fn a_bot_and_a_closed_queue_are_silent_there_too() {
    bot_is_asked()
        .and([suppressed(Complaint)])
        .when(answer(turn(id(1), 1, 1), &[say(2)]))
        .then([answered(turn(id(1), 1, 1))]);
    let tell =
        Command::TellAway { conversation: id(1), owner_epoch: 1, queue: queue("support"), until: None };
    waiting().and([suppressed(DeadAddress)]).when(tell).then([]);
}

// Mail, where a machine may be at the other end.

fn mail(n: u128, people_only: bool) -> Command {
    let from = Correspondent { channel: Channel::Email, ..correspondent(1) };
    Command::Receive(Box::new(Received { from, people_only, ..received(n) }))
}

fn kinds(events: &[crate::conversation::Event]) -> Vec<&'static str> {
    let kind = |event: &crate::conversation::Event| match &event.what {
        What::CustomerSeen { .. } => "seen",
        What::Opened { .. } => "opened",
        What::BotEngaged { .. } => "engaged",
        What::MessageReceived { .. } => "received",
        What::TurnAsked { .. } => "asked",
        What::TurnAnswered { .. } => "answered",
        What::BotReplied { .. } => "replied",
        What::AgentWanted { reason: HandOffReason::HeldBack, .. } => "held back",
        What::Closed { .. } => "closed",
        What::AwayAsked { .. } => "away asked",
        other => panic!("{other:?}"),
    };
    events.iter().map(kind).collect()
}

#[test]
fn a_bot_answers_a_mail_once_a_period_and_then_a_person_does() {
    let story = given([]).when(mail(1, false));
    let (story, told) = story.and_tell();
    assert_eq!(kinds(&told), ["seen", "opened", "engaged", "received", "asked"]);
    let (story, told) = story.when(answer(turn(id(1), 1, 1), &[say(2), say(3)])).and_tell();
    assert_eq!(kinds(&told), ["answered", "replied", "replied"], "one answer, in two mails");
    let (story, told) = story.at(60).when(mail(4, false)).and_tell();
    assert_eq!(kinds(&told), ["received", "asked"]);
    let (_, told) = story.when(answer(turn(id(1), 1, 2), &[say(5), BotAction::Close])).and_tell();
    assert_eq!(kinds(&told), ["answered", "held back"], "what the customer wrote is not lost");
}

#[test]
fn a_period_later_it_may_answer_again_and_then_after_two() {
    let ask = |second: i64, n: u128, number: u32, story: Story| {
        let (story, _) = story.at(second).when(mail(n, false)).and_tell();
        story.when(answer(turn(id(1), 1, number), &[say(n + 1)])).and_tell()
    };
    const HOUR: i64 = 3_600;
    let (story, told) = ask(0, 10, 1, given([]));
    assert_eq!(kinds(&told), ["answered", "replied"]);
    let (story, told) = ask(HOUR, 20, 2, story);
    assert_eq!(kinds(&told), ["answered", "replied"]);
    let (_, told) = ask(2 * HOUR, 30, 3, story);
    assert_eq!(kinds(&told), ["answered", "held back"]);
}

#[test]
fn only_a_person_answers_what_a_list_brought() {
    let (story, told) = given([]).when(mail(1, true)).and_tell();
    assert_eq!(kinds(&told), ["seen", "opened", "held back", "received"]);
    let tell =
        Command::TellAway { conversation: id(1), owner_epoch: 1, queue: queue("support"), until: None };
    story.when(tell).then([]);
    // A bot that has the conversation loses it.
    let (story, _) = given([]).when(mail(1, false)).and_tell();
    let (story, _) = story.when(answer(turn(id(1), 1, 1), &[])).and_tell();
    let (_, told) = story.when(mail(2, true)).and_tell();
    assert_eq!(kinds(&told), ["held back", "received"]);
}
