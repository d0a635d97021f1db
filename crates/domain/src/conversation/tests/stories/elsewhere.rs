//! What a platform says besides messages, and other applications that answer the same customers.

use super::super::{
    story::{note as told, noted as was_noted, *},
    *,
};
use crate::conversation::{
    Command, Correspondent, Mention, NoteKind, Progress, Received, Referral, Sent, What,
};
use crate::{Code, Relay, Route, contact};

fn hold(elsewhere: bool, at: i64) -> Command {
    let app = Some("263902037430900".into());
    Command::HoldThread { from: correspondent(1), elsewhere, app, note: None, at: seconds(at) }
}

fn held(elsewhere: bool, at: i64) -> What {
    let (conversation, app) = (Some(id(1)), Some("263902037430900".into()));
    What::ThreadHeld { party: party(1), conversation, elsewhere, app, note: None, at: seconds(at) }
}

fn echo(n: u128, at: i64) -> Command {
    told(correspondent(1), NoteKind::Echo, message(n), Some(sealed(1, n)), seconds(at), None)
}

fn answered_elsewhere(n: u128, at: i64) -> What {
    What::AnsweredElsewhere {
        party: party(1),
        conversation: Some(id(1)),
        message: message(n),
        content: Some(sealed(1, n)),
        at: seconds(at),
    }
}

fn written_at(n: u128, at: i64) -> (Command, What) {
    let command = Command::Receive(Box::new(Received { sent_at: seconds(at), ..received(n) }));
    let mut what = message_received(1, n);
    if let What::MessageReceived { sent_at, .. } = &mut what {
        *sent_at = seconds(at);
    }
    (command, what)
}

fn referral() -> Option<Box<Referral>> {
    let referral = Referral {
        reference: Some("spring".into()),
        source: Some(Referral::ADS.into()),
        ..Referral::default()
    };
    assert!(referral.is_ad());
    Some(Box::new(referral))
}

#[test]
fn how_the_customer_came_stands_with_what_it_led_to() {
    let mut written = message_received(1, 3);
    if let What::MessageReceived { referral: shown, .. } = &mut written {
        *shown = referral();
    }
    with_ann()
        .when(Command::Receive(Box::new(Received { referral: referral(), ..received(3) })))
        .then([written]);
    let mut noted = was_noted(None, NoteKind::Referral, message(1), None, seconds(0));
    if let What::Noted { referral: shown, .. } = &mut noted {
        *shown = referral();
    }
    let mut alone = told(correspondent(1), NoteKind::Referral, message(1), None, seconds(0), None);
    if let Command::Note { referral: given, .. } = &mut alone {
        *given = referral();
    }
    given([]).when(alone).then([seen(0), noted]);
}

#[test]
fn what_is_answered_is_ours_where_the_platform_gave_ours_that_id() {
    let to = |id: &str| {
        let reply_to = Some(Mention { provider: Sent::hash(id), message: message(8) });
        Command::Receive(Box::new(Received { reply_to, ..received(3) }))
    };
    let answers = |about: u128| {
        let mut written = message_received(1, 3);
        if let What::MessageReceived { reply_to, .. } = &mut written {
            *reply_to = Some(message(about));
        }
        written
    };
    with_ann().and([replied(1, "ann", 2), sent(2, "m_ours")]).when(to("m_ours")).then([answers(2)]);
    with_ann().and([replied(1, "ann", 2), sent(2, "m_ours")]).when(to("m_theirs")).then([answers(8)]);
}

#[test]
fn whoever_has_the_thread_answers_and_nobody_else() {
    with_ann()
        .when(hold(true, 50))
        .then([held(true, 50)])
        .when(reply(1, "ann", 1, 5))
        .then_rejected(Code::NotOwner)
        .when(hold(false, 60))
        .then([held(false, 60)])
        .when(reply(1, "ann", 1, 5))
        .then([replied(1, "ann", 5)]);
}

#[test]
fn what_comes_late_says_nothing_of_now() {
    with_ann()
        .when(hold(false, 60))
        .then([held(false, 60)])
        .when(hold(true, 70))
        .then([held(true, 70)])
        .when(hold(false, 65))
        .then([held(false, 65)])
        .when(reply(1, "ann", 1, 5))
        .then_rejected(Code::NotOwner);
}

#[test]
fn a_bot_that_is_thinking_says_nothing_once_another_application_answers() {
    let turn = turn(id(1), 1, 1);
    bot_is_asked()
        .when(hold(true, 50))
        .then([held(true, 50), answered(turn)])
        .no_timer_is_set()
        .when(answer(turn, &[say(2)]))
        .then_rejected(Code::Stale);
    bot_is_asked().when(echo(2, 50)).then([answered_elsewhere(2, 50), answered(turn)]).no_timer_is_set();
}

#[test]
fn who_was_answered_elsewhere_is_not_told_that_nobody_is_there() {
    let tell =
        Command::TellAway { conversation: id(1), owner_epoch: 1, queue: queue("support"), until: None };
    let (story, _) = waiting().when(tell).and_tell();
    story.when(echo(2, 50)).then([answered_elsewhere(2, 50)]).no_timer_is_set();
}

#[test]
fn standby_shows_who_has_the_thread_and_so_does_being_written_to() {
    let overheard =
        || told(correspondent(1), NoteKind::Overheard, message(7), Some(sealed(1, 7)), seconds(70), None);
    let heard = was_noted(Some(id(1)), NoteKind::Overheard, message(7), Some(sealed(1, 7)), seconds(70));
    let (late, was_late) = written_at(8, 69);
    let (again, came) = written_at(9, 71);
    with_ann()
        .when(overheard())
        .then([heard])
        .when(late)
        .then([was_late])
        .when(reply(1, "ann", 1, 5))
        .then_rejected(Code::NotOwner)
        .when(again)
        .then([came])
        .when(reply(1, "ann", 1, 5))
        .then([replied(1, "ann", 5)]);
}

#[test]
fn our_own_message_shown_to_us_was_sent_whatever_its_sender_heard() {
    let echoed = || Command::Echoed { party: party(1), message: message(5), provider_id: "m_5".into() };
    let unknown =
        What::DeliveryNoted { conversation: id(1), message: message(5), progress: Progress::Unknown };
    with_ann()
        .and([replied(1, "ann", 5), unknown])
        .when(echoed())
        .then([sent(5, "m_5")])
        .when(echoed())
        .then([]);
}

#[test]
fn another_address_is_told_to_the_ledger() {
    let to = Correspondent { party: party(2), address: sealed(2, 0), ..correspondent(1) };
    let command = Command::KnowAs { from: correspondent(1), to: to.clone(), moved: true, at: seconds(3) };
    let known = What::KnownAs { party: party(1), to: to.clone(), moved: true, at: seconds(3) };
    let (_, events) = with_ann().when(command).and_tell();
    assert_eq!(events.iter().map(|event| &event.what).collect::<Vec<_>>(), [&known]);
    let follow = contact::Command::Follow { party: party(1), to, moved: true, at: seconds(3) };
    assert_eq!(events[0].relay(), Some((Route::Contacts(tenant()), Relay::Contact(follow))));
    let own = Command::KnowAs { from: correspondent(1), to: correspondent(1), moved: true, at: seconds(3) };
    with_ann().when(own).then([]);
}
