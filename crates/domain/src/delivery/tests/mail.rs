//! Mail is tried as mail servers do it.

use super::*;

fn deliver(story: &mut Story, message: u8) -> Vec<Event> {
    let outgoing = Outgoing { channel: Channel::Email, ..outgoing(1) };
    story.when(Command::Deliver { conversation: conversation(1), message: id(message), outgoing })
}

/// Until it is given up: each wait in seconds, and what followed.
fn give_up(story: &mut Story, message: u8) -> (Vec<u64>, Vec<Event>) {
    let mut waits = Vec::new();
    for attempt in 1..100 {
        let events = story.report(message, attempt, retry(None));
        if !matches!(events[..], [Event::RetryScheduled { .. }]) {
            return (waits, events);
        }
        waits.push(story.wait().0 / 1_000);
        assert_eq!(story.pass(story.wait()), [started(message, attempt + 1)]);
    }
    panic!("it is never given up")
}

#[test]
fn mail_is_tried_for_five_days_at_least_every_four_hours() {
    let mut story = Story::new();
    deliver(&mut story, 1);
    deliver(&mut story, 2);
    let began = story.now;
    let (waits, events) = give_up(&mut story, 1);
    assert_eq!(waits[..12], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048]);
    assert_eq!(waits.iter().max(), Some(&(4 * 3_600)));
    let days = Millis::hours(5 * 24);
    let tried = story.now - began;
    assert!(days <= tried && tried < Millis::hours(5 * 24 + 5), "{tried:?}");
    let [Event::Failed { code, reason, dead: false, .. }, next] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&**code, &**reason), ("gave_up", "no success in 5 days; the last attempt: busy: try later"));
    assert_eq!(*next, started(2, 1));
    // The next one has its own five days, however long it stood behind the first.
    let began = story.now;
    give_up(&mut story, 2);
    assert!(story.now - began >= days);
}

/// Neither are the five days over, nor do the waits grow, while it only waits for its turn.
#[test]
fn mail_that_is_not_its_turn_yet_uses_up_no_attempt() {
    let mut story = Story::new();
    deliver(&mut story, 1);
    let not_yet = |seconds| Outcome::NotYet {
        code: "paced".into(),
        reason: "not yet".into(),
        after: Millis::seconds(seconds),
    };
    for attempt in 1..=200 {
        let events = story.report(1, attempt, not_yet(3_600));
        assert!(matches!(events[..], [Event::RetryScheduled { not_made: true, .. }]), "{events:?}");
        assert_eq!(story.wait(), Millis::seconds(3_600));
        assert_eq!(story.pass(story.wait()), [started(1, attempt + 1)]);
    }
    let mut waits = Vec::new();
    for attempt in 201..=203 {
        assert!(matches!(story.report(1, attempt, retry(None))[..], [Event::RetryScheduled { .. }]));
        waits.push(story.wait().0 / 1_000);
        story.pass(story.wait());
    }
    assert_eq!(waits, [1, 2, 4], "as if it were the first");
}

#[test]
fn that_an_address_is_dead_is_told_on() {
    let mut story = Story::new();
    deliver(&mut story, 1);
    let outcome = Outcome::Refused { code: "550".into(), reason: "user unknown".into(), dead: true };
    let events = story.report(1, 1, outcome);
    let [event @ Event::Failed { dead: true, .. }] = &events[..] else { panic!("{events:?}") };
    let (_, relay) = Decider::relay(event).unwrap();
    assert!(format!("{relay:?}").contains("dead: true"), "{relay:?}");
}
