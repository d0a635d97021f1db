//! Quiet hours, HELP, and names that cannot be answered.

use super::super::{story::*, *};
use crate::conversation::{
    Command, Correspondent, MessageKind, NoteKind, Outgoing, Received, What, Withheld,
};
use crate::{Code, policy::Country};

/// An inbox that is quiet from 21:00 to 08:00 in Berlin.
fn quiet() -> Policy {
    let mut policy = policy(1, Some("greeter"), "support");
    let inbox = policy.inboxes.get_mut(&inbox()).expect("there is one");
    let set = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    inbox.settings = [("quiet_hours", "21:00-08:00"), ("region", "DE")].map(set).into();
    policy
}

/// Seconds of the first of January 1970, in Berlin (an hour before Greenwich).
fn clock(hour: i64, minute: i64) -> i64 {
    (hour - 1) * 3_600 + minute * 60
}

/// The first customer wrote then, and the bot is asked.
fn asked_at(second: i64, from: Correspondent) -> Story {
    let received = Received { from, ..received(1) };
    let story = given([]).under(quiet()).at(second).when(Command::Receive(Box::new(received)));
    story.and_tell().0
}

fn bot_says_at(second: i64, asked: Story) -> Option<Timestamp> {
    let (_, events) = asked.at(second).when(answer(turn(id(1), 1, 1), &[say(2)])).and_tell();
    let outgoing = events.into_iter().find_map(|event| match event.what {
        What::BotReplied { outgoing, .. } => Some(outgoing),
        _ => None,
    });
    outgoing.expect("the bot speaks").not_before
}

#[test]
fn an_answer_leaves_at_night_and_what_comes_later_waits_for_the_morning() {
    let berlin = || asked_at(clock(21, 30), correspondent(1));
    assert_eq!(bot_says_at(clock(21, 31), berlin()), None);
    assert_eq!(bot_says_at(clock(22, 30), berlin()), None);
    assert_eq!(bot_says_at(clock(22, 31), berlin()), Some(seconds(clock(24 + 8, 0))));
    assert_eq!(bot_says_at(clock(24 + 8, 0), berlin()), None);
}

#[test]
fn night_is_where_the_customer_is() {
    let there = |country: &str| Correspondent { country: country.parse().ok(), ..correspondent(1) };
    let said = |country: &str, second| bot_says_at(second, asked_at(clock(12, 0), there(country)));
    // 15:00 in Berlin is 23:00 in Japan; Russia keeps many times, and the inbox's counts.
    assert_eq!(said("JP", clock(15, 0)), Some(seconds(clock(24, 0))));
    assert_eq!(said("RU", clock(15, 0)), None);
    assert_eq!(said("RU", clock(23, 0)), Some(seconds(clock(24 + 8, 0))));
}

#[test]
fn a_person_answers_at_any_hour_and_who_writes_again_is_answered() {
    let (story, events) = with_ann().under(quiet()).at(clock(23, 0)).when(reply(1, "ann", 1, 5)).and_tell();
    assert!(matches!(&events[0].what, What::Replied { outgoing, .. } if outgoing.not_before.is_none()));
    drop(story);
    let tell =
        Command::TellAway { conversation: id(1), owner_epoch: 1, queue: queue("support"), until: None };
    let words =
        Command::AwayText { conversation: id(1), owner_epoch: 1, message: message(5), body: sealed(1, 5) };
    let not_before = |story: Story| {
        let (story, _) = story.when(tell.clone()).and_tell();
        match &story.when(words.clone()).events()[0].what {
            What::AwaySaid { outgoing, .. } => outgoing.not_before,
            other => panic!("{other:?}"),
        }
    };
    let night = || waiting().under(quiet()).at(clock(23, 0));
    assert_eq!(not_before(night()), Some(seconds(clock(24 + 8, 0))));
    assert_eq!(not_before(night().when(receive(4)).and_tell().0), None);
}

fn help(n: u128) -> Command {
    Command::Help { received: Box::new(received(n)), answer: message(n + 1), body: sealed(1, n + 1) }
}

fn noted(n: u128, conversation: Option<ConversationId>) -> What {
    story::noted(conversation, NoteKind::Help, message(n), Some(sealed(1, n)), seconds(0))
}

fn helped(n: u128) -> What {
    What::HelpAnswered { party: party(1), message: message(n), outgoing: outgoing(n, false, None) }
}

#[test]
fn help_is_answered_once_a_period_and_after_a_stop_too() {
    given([])
        .when(help(1))
        .then([seen(0), noted(1, None), helped(2)])
        .at(3_599)
        .when(help(3))
        .then([noted(3, None)])
        .when(Command::OptOut { from: correspondent(1) })
        .then([What::OptedOut { party: party(1) }, withhold(Withheld::OptedOut)])
        .at(3_600)
        .when(help(5))
        .then([noted(5, None), helped(6)]);
}

#[test]
fn whoever_has_a_person_is_heard_by_that_person_as_well() {
    with_ann().when(help(4)).then([message_received(1, 4), helped(5)]);
    // A bot is not asked about it.
    bot_is_asked().when(help(4)).then([noted(4, Some(id(1))), helped(5)]);
}

#[test]
fn help_is_known_after_a_customer_has_left_memory() {
    let (story, _) = given([]).when(help(1)).and_tell();
    let customer = story.state.customer(party(1)).expect("was seen");
    let tombstone = customer.tombstone().expect("nothing is open");
    assert_eq!((tombstone.helped_at, tombstone.unanswerable), (Some(seconds(0)), false));
    let returned = What::Returned { party: party(1), tombstone: Box::new(tombstone) };
    given([returned]).when(help(3)).then([noted(3, None)]);
}

#[test]
fn a_name_cannot_be_answered() {
    let country: Option<Country> = None;
    let from = Correspondent { unanswerable: true, country, ..correspondent(1) };
    let received = Received { from: from.clone(), kind: MessageKind::Message, ..received(1) };
    let story = given_no_bot([]).when(Command::Receive(Box::new(received.clone()))).and_tell().0;
    let (story, _) = story.when(assign(1, 1, "ann", 1)).and_tell();
    let story = story.when(reply(1, "ann", 1, 5)).then_rejected(Code::Unanswerable);
    let help = Command::Help { received: Box::new(received), answer: message(9), body: sealed(1, 9) };
    let (_, events) = story.when(help).and_tell();
    let is_answer = |what: &What| matches!(what, What::HelpAnswered { outgoing: Outgoing { .. }, .. });
    assert!(!events.iter().any(|event| is_answer(&event.what)), "{events:?}");
}
