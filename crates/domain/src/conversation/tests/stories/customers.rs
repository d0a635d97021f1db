//! The customer writes, taps, goes and comes back.

use super::super::{
    story::{note as story_note, *},
    *,
};
use crate::Code;
use crate::conversation::{
    BotAction, CloseReason, Closer, Command, HandOffReason, NoteKind, Received, ThreadOf, Transfer, What,
    Withheld,
};

use HandOffReason::NoBot;

fn closed_by_ann(number: u32) -> What {
    What::Closed { conversation: id(number), by: Closer::Agent(agent("ann")), reason: CloseReason::Done }
}

#[test]
fn the_first_message_makes_the_customer_known_and_asks_the_bot() {
    given([]).at(5).when(receive(1)).then([
        seen(5),
        opened(1),
        engaged(1, 1),
        message_received(1, 1),
        asked(turn(id(1), 1, 1), 1, 5),
    ]);
}

#[test]
fn without_a_bot_the_first_message_waits_for_a_person() {
    given_no_bot([]).at(5).when(receive(1)).then([
        seen(5),
        opened(1),
        wanted(1, 1, "support", NoBot, 5),
        message_received(1, 1),
    ]);
}

#[test]
fn a_message_to_an_inbox_that_is_not_there_is_refused() {
    let closed_down = Policy { inboxes: [].into(), ..policy(2, None, "support") };
    given([]).under(closed_down).when(receive(1)).then_rejected(Code::NotFound);

    let elsewhere = Correspondent { tenant: "globex".parse().unwrap(), ..correspondent(1) };
    let received = Received { from: elsewhere, ..received(1) };
    given([]).when(Command::Receive(Box::new(received))).then_rejected(Code::NotFound);
}

#[test]
fn whoever_waits_or_has_a_person_just_goes_on_writing() {
    waiting().at(9).when(receive(2)).then([message_received(1, 2)]);
    with_ann().at(9).when(receive(2)).then([message_received(1, 2)]);
}

#[test]
fn a_message_soon_after_the_end_reopens_the_conversation() {
    let reopens = REOPENS.0 as i64 / 1_000;
    let closed = || with_ann().at(10).and([released(1, 1), closed_by_ann(1)]);
    closed().at(10 + reopens).when(receive(2)).then([
        What::Reopened { conversation: id(1) },
        wanted(1, 3, "support", NoBot, 10 + reopens),
        message_received(1, 2),
    ]);
    closed().at(11 + reopens).when(receive(2)).then([
        opened(2),
        wanted(2, 1, "support", NoBot, 11 + reopens),
        message_received(2, 2),
    ]);
}

#[test]
fn turns_of_a_reopened_conversation_are_new_ones() {
    bot_is_asked()
        .when(answer(turn(id(1), 1, 1), &[BotAction::Close]))
        .then([
            answered(turn(id(1), 1, 1)),
            What::Closed { conversation: id(1), by: Closer::Bot(bot("greeter")), reason: CloseReason::Done },
        ])
        .no_timer_is_set()
        .at(20)
        .when(receive(2))
        .then([
            What::Reopened { conversation: id(1) },
            engaged(1, 2),
            message_received(1, 2),
            asked(turn(id(1), 2, 2), 2, 20),
        ])
        .when(answer(turn(id(1), 1, 1), &[say(3)]))
        .then_rejected(Code::Stale)
        .when(answer(turn(id(1), 1, 2), &[say(3)]))
        .then_rejected(Code::Stale);
}

#[test]
fn an_answer_stands_in_the_thread_of_the_latest_mail() {
    let mail = Received { thread: Some(sealed(1, 70)), ..received(2) };
    let thread = ThreadOf { message: message(2), thread: sealed(1, 70) };
    with_ann()
        .when(Command::Receive(Box::new(mail)))
        .then([match message_received(1, 2) {
            What::MessageReceived {
                conversation,
                message,
                kind,
                content,
                sent_at,
                authenticated,
                marks,
                ..
            } => {
                let thread = Some(sealed(1, 70));
                What::MessageReceived {
                    conversation,
                    message,
                    kind,
                    content,
                    thread,
                    sent_at,
                    authenticated,
                    marks,
                    people_only: false,
                    reply_to: None,
                    referral: None,
                }
            }
            other => other,
        }])
        .when(receive(3))
        .then([message_received(1, 3)])
        .when(reply(1, "ann", 1, 4))
        .then([What::Replied {
            conversation: id(1),
            agent: agent("ann"),
            message: message(4),
            outgoing: outgoing(4, true, Some(thread)),
        }]);
}

#[test]
fn a_mail_that_names_a_strangers_conversation_goes_to_its_own_sender() {
    let placed = Received { placed: Some(conversation(2, 1)), ..received(1) };
    let own = Received { placed: None, ..placed.clone() };
    given([])
        .when(Command::Receive(Box::new(placed)))
        .then([What::Redirected { to: party(1), received: Box::new(own.clone()) }])
        .when(Command::Receive(Box::new(own)))
        .then([seen(0), opened(1), engaged(1, 1), message_received(1, 1), asked(turn(id(1), 1, 1), 1, 0)]);
}

#[test]
fn a_mail_that_names_the_customers_own_conversation_stays() {
    let placed = Received { placed: Some(id(1)), ..received(2) };
    waiting().when(Command::Receive(Box::new(placed))).then([message_received(1, 2)]);
}

#[test]
fn only_what_the_customer_did_makes_the_customer_known() {
    let note = |kind| {
        let (message, content, at) = (message(1), Some(sealed(1, 1)), seconds(3));
        let command = story_note(correspondent(1), kind, message, content.clone(), at, None);
        (command, noted(None, kind, message, content, at))
    };
    use NoteKind::*;
    for kind in [Referral, Optin, Reaction, Link, Overheard, Edit, Unsend] {
        let (command, noted) = note(kind);
        given([]).when(command.clone()).then([seen(0), noted.clone()]).when(command).then([noted]);
    }
    for kind in [Handover, Bounce, AutoReply, Complaint, Unknown, Notice] {
        let (command, noted) = note(kind);
        given([]).when(command).then([noted]);
    }
}

#[test]
fn what_cannot_be_understood_is_kept() {
    let (from, reason) = (correspondent(1), "no boundary".into());
    given([])
        .when(Command::Unreadable {
            from,
            message: message(1),
            content: sealed(1, 1),
            reason,
            at: seconds(3),
        })
        .then([What::UnreadableKept {
            party: party(1),
            message: message(1),
            content: sealed(1, 1),
            reason: "no boundary".into(),
            at: seconds(3),
        }]);
}

#[test]
fn opting_out_and_in_is_noted_once_each() {
    let (from, party) = (correspondent(1), party(1));
    given([])
        .when(Command::OptOut { from: from.clone() })
        .then([seen(0), What::OptedOut { party }])
        .when(Command::OptOut { from: from.clone() })
        .then([])
        .when(Command::OptIn { from: from.clone() })
        .then([What::OptedIn { party }])
        .when(Command::OptIn { from: from.clone() })
        .then([]);
    given([]).when(Command::OptIn { from }).then([seen(0)]);
}

#[test]
fn whoever_opts_out_waits_for_nobody_any_more() {
    let opt_out = || Command::OptOut { from: correspondent(1) };
    let out = What::OptedOut { party: party(1) };
    let closed = What::Closed { conversation: id(1), by: Closer::Customer, reason: CloseReason::OptedOut };
    let withdrawn = What::Withdrawn { conversation: id(1), queue: queue("support"), owner_epoch: 1 };
    let withhold = || withhold(Withheld::OptedOut);
    waiting().when(opt_out()).then([out.clone(), withhold(), withdrawn, closed.clone()]);

    bot_is_asked()
        .when(opt_out())
        .then([out.clone(), withhold(), closed])
        .no_timer_is_set()
        .when(answer(turn(id(1), 1, 1), &[say(2)]))
        .then_rejected(Code::Closed);
    with_ann().when(opt_out()).then([out.clone(), withhold()]);
    with_ann().and([released(1, 1), closed_by_ann(1)]).when(opt_out()).then([out, withhold()]);
}

#[test]
fn an_opted_out_customer_is_sent_nothing() {
    let out = What::OptedOut { party: party(1) };
    with_ann()
        .and([out.clone()])
        .when(reply(1, "ann", 1, 2))
        .then_rejected(Code::OptedOut)
        .when(close(1, "ann", 1))
        .then([released(1, 1), closed_by_ann(1)]);
    // A bot that was asked before still answers its turn.
    bot_is_asked()
        .and([out])
        .when(answer(turn(id(1), 1, 1), &[say(2)]))
        .then([answered(turn(id(1), 1, 1))])
        .no_timer_is_set();
}

#[test]
fn a_conversation_that_never_was_cannot_be_used() {
    let nothing: [fn() -> Command; 5] = [
        || reply(1, "ann", 1, 2),
        || close(1, "ann", 1),
        || transfer(Transfer::Queue(queue("sales"))),
        || answer(turn(id(1), 1, 1), &[]),
        || assign(1, 1, "ann", 1),
    ];
    for command in nothing {
        given([]).when(command()).then_rejected(Code::NotFound);
    }
    given([]).when(give_back(1, 1)).then([]);
}
