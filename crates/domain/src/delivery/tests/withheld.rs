//! What may not leave yet, and what may not leave any more.

use super::*;
use crate::conversation::{ThreadOf, Withheld};

fn stop(party: u8) -> Command {
    Command::Withhold { party: conversation(party).party, because: Withheld::OptedOut }
}

fn withheld(party: u8, message: u8, because: Withheld) -> Event {
    Event::Withheld { conversation: conversation(party), message: id(message), because }
}

fn last(message: u8) -> Event {
    Event::LastAttempt { message: id(message), because: Withheld::OptedOut }
}

#[test]
fn what_waits_is_withheld_and_what_is_under_way_is_not_tried_again() {
    let mut story = Story::new();
    for message in 1..=3 {
        story.deliver(1, message);
    }
    story.deliver(2, 9);
    let withheld = |message| withheld(1, message, Withheld::OptedOut);
    assert_eq!(story.when(stop(1)), [last(1), withheld(2), withheld(3)]);
    assert_eq!(story.report(1, 1, retry(None)), [withheld(1)]);
    assert_eq!(story.stage(9), Some(Stage::Started), "another customer's goes on");
    // Starting again releases nothing, and what is written from then on is sent.
    assert_eq!(story.pass(Millis::hours(25)), nothing());
    assert_eq!(story.deliver(1, 4), [queued(1, 4), started(4, 1)]);
    assert_eq!(story.report(4, 1, sent()), [was_sent(1, 4, 1)]);
}

#[test]
fn what_the_provider_took_was_sent_all_the_same() {
    let mut story = Story::new();
    story.deliver(1, 1);
    assert_eq!(story.when(stop(1)), [last(1)]);
    assert_eq!(story.report(1, 1, sent()), [was_sent(1, 1, 1)]);
    assert_eq!(story.when(stop(1)), nothing());
}

#[test]
fn what_may_have_arrived_is_not_called_withheld() {
    let is_unknown = |events: &[Event]| matches!(events, [Event::OutcomeUnknown { attempt: 1, .. }]);
    let mut story = Story::new();
    story.deliver(1, 1);
    story.report(1, 1, unknown(true));
    assert!(matches!(story.stage(1), Some(Stage::Waiting { .. })));
    assert!(is_unknown(&story.when(stop(1))));
    // The same where it is under way still.
    story.deliver(1, 2);
    story.when(stop(1));
    assert!(is_unknown(&story.report(2, 1, unknown(true))));
    assert_eq!(story.stage(2), None);
}

#[test]
fn what_waits_to_be_tried_again_is_withheld() {
    let mut story = Story::new();
    story.deliver(1, 1);
    story.deliver(1, 2);
    story.report(1, 1, retry(None));
    let withheld = |message| withheld(1, message, Withheld::OptedOut);
    assert_eq!(story.when(stop(1)), [withheld(1), withheld(2)]);
    assert_eq!(story.pass(Millis::hours(25)), nothing());
}

#[test]
fn who_wants_answers_only_gets_those() {
    let mut story = Story::new();
    let sealed = outgoing(1).body;
    let answer = |story: &mut Story, message| {
        let thread = Some(ThreadOf { message: id(90), thread: sealed.clone() });
        let outgoing = Outgoing { thread, ..outgoing(1) };
        story.when(Command::Deliver { conversation: conversation(1), message: id(message), outgoing })
    };
    story.deliver(1, 1);
    story.report(1, 1, retry(None));
    answer(&mut story, 2);
    story.deliver(1, 3);
    let because = Withheld::Unsubscribed;
    let events = story.when(Command::Withhold { party: conversation(1).party, because });
    assert_eq!(events, [withheld(1, 1, because), withheld(1, 3, because), started(2, 1)]);
}

#[test]
fn what_is_held_lets_answers_pass_and_leaves_in_its_order() {
    let mut story = Story::new();
    let (party, morning) = (conversation(1), story.now + Millis::hours(8));
    let held = |message, until| Event::Held { conversation: party, message: id(message), until };
    let queued_until = |message, until| {
        let outgoing = Outgoing { not_before: Some(until), ..outgoing(1) };
        Event::Queued { conversation: party, message: id(message), outgoing }
    };
    // Numbered against the order they came in.
    for message in [7, 5] {
        let events = story.deliver_at(1, message, morning);
        assert_eq!(events, [queued_until(message, morning), held(message, morning)]);
    }
    let later = morning + Millis::hours(1);
    story.deliver_at(1, 3, later);
    assert_eq!(story.deliver(1, 1), [queued(1, 1), started(1, 1)], "an answer is not held up");
    story.report(1, 1, sent());

    assert_eq!(story.pass(Millis(8 * 3_600_000 - 1)), nothing());
    let released = |message| Event::Released { message: id(message) };
    assert_eq!(story.pass(Millis(1)), [released(7), released(5), started(7, 1)]);
    assert_eq!(story.report(7, 1, sent()), [was_sent(1, 7, 1), started(5, 1)]);
    // What is let go while another is under way waits behind it.
    assert_eq!(story.pass(Millis::hours(1)), [released(3)]);
    assert_eq!(story.report(5, 1, sent()), [was_sent(1, 5, 1), started(3, 1)]);
    story.report(3, 1, sent());
    assert!(Decider::timers(&story.state).is_empty());
}

#[test]
fn what_is_held_is_withheld_too_and_an_hour_that_has_come_holds_nothing() {
    let mut story = Story::new();
    story.deliver_at(1, 1, story.now + Millis::hours(8));
    assert_eq!(story.when(stop(1)), [withheld(1, 1, Withheld::OptedOut)]);
    assert_eq!(story.stage(1), None);
    assert!(Decider::timers(&story.state).is_empty(), "and nothing is kept of it");
    let events = story.deliver_at(1, 2, story.now);
    assert!(matches!(events[..], [Event::Queued { .. }, Event::SendStarted { .. }]));
}
