//! Queues that are closed: the customer is told, once.

use super::super::{story::*, *};
use crate::conversation::{
    BotAction, CloseReason, Closer, Command, Correspondent, HandOffReason, OtherAddress, Outgoing, What,
};
use crate::policy::{Callback, Hours, OpenSpan, Sticky, WhenClosed};

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
        callback: None,
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

/// Support answers by mail when it is closed; the customer's contact has an address there, which may be written to.
fn answered_by_mail() -> Story {
    by_mail(waiting(), None)
        .when(tell(1, Some(3_600)))
        .then([promised(3_600, 30)])
        .when(text(1, 5))
        .then([away_said(5)])
}

fn by_mail(story: Story, say: Option<&str>) -> Story {
    let mut policy = policy(1, None, "support");
    let (promise, say) = ("We write to you.".into(), say.map(str::to_owned));
    let callback = Callback { inbox: mail(2).from.inbox, promise, say };
    policy.queues.get_mut(&queue("support")).unwrap().when_closed = Some(WhenClosed::Callback(callback));
    let others = vec![party(2), party(3)];
    let elsewhere = Correspondent { inbox: "sales-mail".parse().unwrap(), ..mail(3).from };
    story.under(policy).and([
        What::OthersNoted { party: party(1), others },
        What::AddressNoted { party: party(1), of: mail(2) },
        What::AddressNoted { party: party(1), of: OtherAddress { from: elsewhere, writable: true } },
    ])
}

fn mail(n: u8) -> OtherAddress {
    let from = Correspondent { inbox: "mail".parse().unwrap(), channel: Channel::Email, ..correspondent(n) };
    OtherAddress { from, writable: true }
}

fn unwilling() -> What {
    What::AddressNoted { party: party(1), of: OtherAddress { writable: false, ..mail(2) } }
}

fn promised(until: i64, again: i64) -> What {
    let What::AwayAsked { conversation, owner_epoch, queue, until, again_at, .. } =
        away_asked(Some(until), again)
    else {
        unreachable!("that is what it is")
    };
    What::AwayAsked { conversation, owner_epoch, queue, until, again_at, callback: Some(mail(2).from.inbox) }
}

fn replied_by_mail(n: u128) -> What {
    let OtherAddress { from, .. } = mail(2);
    let outgoing =
        Outgoing { inbox: from.inbox, channel: Channel::Email, to: from.address, ..outgoing(n, true, None) };
    What::Replied { conversation: id(1), agent: agent("ann"), message: message(n), outgoing }
}

#[test]
fn who_was_promised_mail_is_answered_by_mail() {
    answered_by_mail()
        .at(4_000)
        .and([assigned(1, 2, "ann", 1)])
        .when(reply(1, "ann", 1, 6))
        .then([replied_by_mail(6)])
        .when(reply(1, "ann", 1, 7))
        .then([replied_by_mail(7)]);
}

#[test]
fn who_writes_again_once_it_is_open_is_answered_there() {
    let before = answered_by_mail().at(3_599).and([message_received(1, 2)]);
    let ann = assigned(1, 2, "ann", 1);
    before.at(3_600).and([ann.clone()]).when(reply(1, "ann", 1, 6)).then([replied_by_mail(6)]);
    let after = answered_by_mail().at(3_600).and([message_received(1, 2), ann]);
    after.when(reply(1, "ann", 1, 6)).then([replied(1, "ann", 6)]);
}

#[test]
fn a_promise_ends_with_its_conversation() {
    let (by, reason) = (Closer::Agent(agent("ann")), CloseReason::Done);
    let closed = [assigned(1, 2, "ann", 1), released(1, 1), What::Closed { conversation: id(1), by, reason }];
    let again = [What::Reopened { conversation: id(1) }, wanted(1, 3, "support", HandOffReason::NoBot, 50)];
    let story = answered_by_mail().and(closed).and(again).and([assigned(1, 4, "ann", 2)]);
    story.when(reply(1, "ann", 2, 6)).then([replied(1, "ann", 6)]);
}

/// What was promised is done only as long as it may be.
#[test]
fn who_wants_no_mail_by_then_is_answered_in_the_channel() {
    let story = answered_by_mail().and([unwilling(), assigned(1, 2, "ann", 1)]);
    story.when(reply(1, "ann", 1, 6)).then([replied(1, "ann", 6)]);
}

#[test]
fn who_cannot_be_written_to_by_mail_is_promised_nothing() {
    let story = by_mail(waiting(), Some("We are closed.")).and([unwilling()]);
    let story = story.when(tell(1, Some(3_600))).then([away_asked(Some(3_600), 30)]);
    // The word of now counts for what is asked again.
    let may = What::AddressNoted { party: party(1), of: mail(2) };
    story.and([may]).when_time_comes().then([promised(3_600, 90)]);

    let silent = by_mail(waiting(), None).and([unwilling()]);
    silent.when(tell(1, Some(3_600))).then([]).no_timer_is_set();
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
