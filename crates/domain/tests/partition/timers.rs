//! Timers: once a setting, in the order of their times.

use domain::{Cause, Millis};

use crate::notes::*;

#[test]
fn a_timer_fires_once_when_it_is_due() {
    let mut story = Story::new();
    let due = story.now + Millis(10);
    story.step(&fact(1, Command::Remind { timer: 5, due }));
    assert_eq!(story.partition.next_due(), Some(due));
    story.pass(Millis(9));
    assert_eq!(story.fire(), None);
    story.pass(Millis(1));
    assert!(matches!(story.fire().unwrap().cause, Cause::Timer(timer) if timer.id == 5 && timer.due == due));
    assert_eq!(story.fire(), None);
    assert_eq!(story.partition.next_due(), None);
    assert_eq!(story.notes(), [5]);
}

#[test]
fn a_timer_set_again_fires_at_its_new_time_only() {
    let mut story = Story::new();
    let (soon, later) = (story.now + Millis(10), story.now + Millis(20));
    story.step(&fact(1, Command::Remind { timer: 5, due: soon }));
    let old = story.partition.fire(soon).unwrap();
    story.step(&fact(2, Command::Remind { timer: 5, due: later }));
    story.now = soon;
    assert_eq!(story.fire(), None);

    // The firing of the earlier setting, however late it is read, does not use up the later one.
    story.fold(&old);
    story.now = later;
    assert!(story.fire().is_some());
    assert_eq!(story.fire(), None);
}

#[test]
fn timers_fire_in_the_order_of_their_times_and_may_set_themselves_again() {
    let mut story = Story::new();
    for (timer, after) in [(0, 20), (7, 30), (8, 10)] {
        let due = story.now + Millis(after);
        story.step(&fact(timer, Command::Remind { timer, due }));
    }
    story.pass(Millis(100));
    while story.fire().is_some() {}
    assert_eq!(story.notes(), [8, 0, 7]);

    story.pass(Millis::seconds(1));
    while story.fire().is_some() {}
    assert_eq!(story.notes(), [8, 0, 7, 0]);
}
