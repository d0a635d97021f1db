//! Queues that are closed: the customer is told, once.

use super::super::{story::*, *};
use crate::conversation::{BotAction, CloseReason, Closer, Command, HandOffReason, What};
use crate::policy::{Hours, OpenSpan, Sticky};

fn tell(owner_epoch: u32, until: Option<i64>) -> Command {
    Command::TellAway { conversation: id(1), owner_epoch, queue: queue("support"), until: until.map(seconds) }
}

fn text(owner_epoch: u32, n: u128) -> Command {
    Command::AwayText { conversation: id(1), owner_epoch, message: message(n), body: sealed(1, n) }
}

fn away_asked(until: Option<i64>, again: i64) -> What {
    What::AwayAsked {
        conversation: id(1),
        owner_epoch: 1,
        queue: queue("support"),
        until: until.map(seconds),
        again_at: seconds(again),
    }
}

fn away_said(n: u128) -> What {
    What::AwaySaid { conversation: id(1), message: message(n), outgoing: outgoing(n, false, None) }
}

#[test]
fn who_waits_in_a_closed_queue_is_told_once() {
    waiting()
        .when(tell(1, Some(3_600)))
        .then([away_asked(Some(3_600), 30)])
        .when(text(1, 5))
        .then([away_said(5)])
        .no_timer_is_set()
        // A second answer says nothing.
        .when(text(1, 6))
        .then([]);
}

#[test]
fn words_that_do_not_come_are_asked_for_again_until_the_queue_opens() {
    waiting()
        .when(tell(1, Some(100)))
        .then([away_asked(Some(100), 30)])
        .when_time_comes()
        .then([away_asked(Some(100), 90)])
        .when_time_comes()
        .then([away_asked(Some(100), 210)])
        .no_timer_is_set();
}

#[test]
fn whom_the_queue_does_not_own_any_more_it_tells_nothing() {
    with_ann().when(tell(1, None)).then([]).when(text(1, 5)).then([]);
    // It came and went while the words were looked for.
    waiting()
        .when(tell(1, None))
        .then([away_asked(None, 30)])
        .and([assigned(1, 2, "ann", 1)])
        .no_timer_is_set()
        .when(text(1, 5))
        .then([]);
    // It waits again, of which nobody has spoken yet.
    with_ann()
        .and([released(1, 1), wanted(1, 3, "support", HandOffReason::AgentGone, 0)])
        .when(tell(1, None))
        .then([])
        .when(text(3, 5))
        .then([]);
}

#[test]
fn who_wants_no_messages_is_told_nothing() {
    waiting().and([What::OptedOut { party: party(1) }]).when(tell(1, None)).then([]);
}

#[test]
fn who_gives_up_takes_the_question_along() {
    let (by, reason) = (Closer::Customer, CloseReason::OptedOut);
    let withdrawn = What::Withdrawn { conversation: id(1), queue: queue("support"), owner_epoch: 1 };
    waiting()
        .when(tell(1, None))
        .then([away_asked(None, 30)])
        .and([withdrawn, What::Closed { conversation: id(1), by, reason }])
        .no_timer_is_set();
}

/// Second 0 is a Thursday, midnight in Greenwich.
#[test]
fn outside_of_the_hours_nobody_is_waited_for() {
    let hand_off = |hour: u16| {
        let mut policy = policy(1, Some("greeter"), "support");
        let open = vec![OpenSpan { weekday: 4, from: hour * 60, to: (hour + 1) * 60 }];
        policy
            .hours
            .insert("late".parse().unwrap(), Hours { time_zone: "UTC".into(), open, holidays: vec![] });
        let support = policy.queues.get_mut(&queue("support")).unwrap();
        support.hours = Some("late".parse().unwrap());
        support.sticky = Some(Sticky { within: Millis::hours(1), grace: Millis::seconds(20) });
        let asked = turn(id(2), 1, 1);
        let events = with_ann()
            .under(policy)
            .and([released(1, 1), opened(2), engaged(2, 1), self::asked(asked, 2, 0)])
            .at(10)
            .when(answer(asked, &[BotAction::HandOff { queue: None, special: None }]))
            .events();
        events.into_iter().find_map(|event| match event.what {
            What::AgentWanted { agent, .. } => Some(agent),
            _ => None,
        })
    };
    assert_eq!(hand_off(0), Some(Some(agent("ann"))));
    assert_eq!(hand_off(7), Some(None), "Ann is at home");
}
