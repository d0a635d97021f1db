//! A bot is asked, answers, hands over, or falls silent.

use super::super::{story::*, *};
use crate::Code;
use crate::conversation::{BotAction, CloseReason, Closer, Command, HandOffReason, TimerId, What};
use crate::policy::{BotKind, Flow};

use HandOffReason::{BotHandedOff, BotSilent};

fn first() -> TurnId {
    turn(id(1), 1, 1)
}

fn second() -> TurnId {
    turn(id(1), 1, 2)
}

fn hand_off(to: Option<&str>) -> BotAction {
    BotAction::HandOff { queue: to.map(queue), special: None }
}

fn closed_by_bot() -> What {
    What::Closed { conversation: id(1), by: Closer::Bot(bot("greeter")), reason: CloseReason::Done }
}

#[test]
fn a_bot_says_several_things_in_one_answer() {
    bot_is_asked()
        .when(answer(first(), &[say(2), say(3)]))
        .then([answered(first()), bot_replied(1, 2), bot_replied(1, 3)])
        .no_timer_is_set();
}

#[test]
fn a_bot_may_answer_with_nothing_and_is_asked_again_by_the_next_message() {
    bot_is_asked()
        .when(answer(first(), &[]))
        .then([answered(first())])
        .no_timer_is_set()
        .at(30)
        .when(receive(2))
        .then([message_received(1, 2), asked(second(), 2, 30)]);
}

#[test]
fn while_a_bot_thinks_only_the_newest_message_becomes_the_next_turn() {
    bot_is_asked()
        .at(10)
        .when(receive(2))
        .then([message_received(1, 2)])
        .when(receive(3))
        .then([message_received(1, 3)])
        .at(20)
        .when(answer(first(), &[say(4)]))
        .then([answered(first()), bot_replied(1, 4), asked(second(), 3, 20)])
        .when(answer(second(), &[say(5)]))
        .then([answered(second()), bot_replied(1, 5)])
        .no_timer_is_set();
}

#[test]
fn a_bot_beside_the_leader_is_asked_with_what_was_written() {
    let mut policy = policy(1, Some("greeter"), "support");
    for bot in policy.bots.values_mut() {
        bot.kind = BotKind::BuiltIn(Flow::default());
    }
    let asked_with = |turn, n| match asked(turn, n, 0) {
        What::TurnAsked { turn, bot, message, answer_by, link, .. } => {
            What::TurnAsked { turn, bot, content: Some(sealed(1, n)), message, answer_by, link }
        }
        other => other,
    };
    bot_is_asked()
        .and([answered(first())])
        .under(policy)
        .when(receive(2))
        .then([message_received(1, 2), asked_with(second(), 2)])
        .when(receive(3))
        .then([message_received(1, 3)])
        .when(answer(second(), &[]))
        .then([answered(second()), asked_with(turn(id(1), 1, 3), 3)]);
}

#[test]
fn a_turn_is_answered_once() {
    bot_is_asked()
        .and([answered(first())])
        .when(answer(first(), &[say(2)]))
        .then_rejected(Code::Stale)
        .and([message_received(1, 2), asked(second(), 2, 0)])
        .when(answer(first(), &[say(2)]))
        .then_rejected(Code::Stale)
        .when(answer(turn(id(1), 1, 3), &[say(2)]))
        .then_rejected(Code::Stale)
        .when(answer(second(), &[]))
        .then([answered(second())]);
}

#[test]
fn a_bot_answers_its_own_turns_alone() {
    bot_is_asked()
        .when(answer_of("other", first(), &[say(2)]))
        .then_rejected(Code::NotOwner)
        // Whose it is comes before what is said, and before which turn it is.
        .when(answer_of("other", second(), &[BotAction::Close, say(2)]))
        .then_rejected(Code::NotOwner)
        .when(answer(first(), &[say(2)]))
        .then([answered(first()), bot_replied(1, 2)])
        .when(answer_of("other", first(), &[say(3)]))
        .then_rejected(Code::NotOwner);
}

#[test]
fn to_another_tenants_bot_there_is_no_such_conversation() {
    let namesake = || Command::BotAnswer {
        turn: first(),
        tenant: "globex".parse().unwrap(),
        bot: bot("greeter"),
        actions: vec![say(2)],
    };
    bot_is_asked()
        .when(namesake())
        .then_rejected(Code::NotFound)
        .when(answer(first(), &[BotAction::Close]))
        .then([answered(first()), closed_by_bot()])
        // Not even that it is closed, or a person's, is told.
        .when(namesake())
        .then_rejected(Code::NotFound);
    with_ann().when(namesake()).then_rejected(Code::NotFound);
}

#[test]
fn a_bot_hands_over_to_the_inboxs_queue_or_to_another() {
    bot_is_asked()
        .at(7)
        .when(answer(first(), &[say(2), hand_off(None)]))
        .then([answered(first()), bot_replied(1, 2), wanted(1, 2, "support", BotHandedOff, 7)])
        .no_timer_is_set();
    bot_is_asked()
        .when(answer(first(), &[hand_off(Some("sales"))]))
        .then([answered(first()), wanted(1, 2, "sales", BotHandedOff, 0)]);
}

#[test]
fn a_hand_off_takes_the_messages_that_came_meanwhile_along() {
    bot_is_asked()
        .and([message_received(1, 2)])
        .when(answer(first(), &[hand_off(None)]))
        .then([answered(first()), wanted(1, 2, "support", BotHandedOff, 0)])
        .no_timer_is_set();
}

#[test]
fn after_a_hand_off_the_bot_has_no_say() {
    let handed_over = || bot_is_asked().and([answered(first()), wanted(1, 2, "support", BotHandedOff, 0)]);
    handed_over().when(answer(first(), &[say(2)])).then_rejected(Code::Stale);
    handed_over().when(answer(turn(id(1), 2, 1), &[say(2)])).then_rejected(Code::Stale);
    let assigned = || handed_over().and([assigned(1, 3, "ann", 1)]);
    assigned().when(answer(first(), &[say(2)])).then_rejected(Code::Stale);
    assigned().when(answer(turn(id(1), 3, 2), &[say(2)])).then_rejected(Code::Stale);
    assigned().when(Command::TimerFired(TimerId::BotSilent(id(1)))).then([]);
}

#[test]
fn a_bot_ends_the_conversation() {
    bot_is_asked()
        .when(answer(first(), &[say(2), BotAction::Close]))
        .then([answered(first()), bot_replied(1, 2), closed_by_bot()])
        .no_timer_is_set()
        .when(answer(first(), &[say(3)]))
        .then_rejected(Code::Closed);
}

#[test]
fn a_bot_does_not_end_the_conversation_over_a_message_it_has_not_seen() {
    bot_is_asked()
        .and([message_received(1, 2)])
        .at(5)
        .when(answer(first(), &[say(3), BotAction::Close]))
        .then([answered(first()), bot_replied(1, 3), asked(second(), 2, 5)])
        .when(answer(second(), &[BotAction::Close]))
        .then([answered(second()), closed_by_bot()]);
}

#[test]
fn an_answer_that_makes_no_sense_changes_nothing() {
    let many = vec![say(2); 21];
    let long = BotAction::Say {
        message: message(2),
        body: Sealed { subject: party(1), bytes: vec![0; 64 << 10].into() },
    };
    let refused: [&[BotAction]; 6] = [
        &many,
        &vec![long.clone(); 5],
        &[hand_off(None), say(2)],
        &[BotAction::Close, say(2)],
        &[hand_off(None), BotAction::Close],
        &[say(2), hand_off(Some("nowhere"))],
    ];
    let mut story = bot_is_asked();
    for actions in refused {
        story = story.when(answer(first(), actions)).then_rejected(Code::Invalid);
    }
    // The turn still waits for a better one.
    story.when(answer(first(), &[say(2)])).then([answered(first()), bot_replied(1, 2)]);
    bot_is_asked().when(answer(first(), &many[..20])).then(std::array::from_fn::<_, 21, _>(|n| match n {
        0 => answered(first()),
        _ => bot_replied(1, 2),
    }));
    let fits = bot_is_asked().when(answer(first(), &vec![long; 4]));
    assert_eq!(fits.events().len(), 5);
}

#[test]
fn a_silent_bot_loses_the_conversation_to_the_queue() {
    bot_is_asked()
        .at(59)
        .and([message_received(1, 2)])
        .when_time_comes()
        .then([wanted(1, 2, "support", BotSilent, 60)])
        .no_timer_is_set()
        .when(answer(first(), &[say(2)]))
        .then_rejected(Code::Stale);
}

#[test]
fn each_turn_has_its_own_time() {
    bot_is_asked()
        .at(50)
        .and([message_received(1, 2), answered(first()), asked(second(), 2, 50)])
        .when_time_comes()
        .then([wanted(1, 2, "support", BotSilent, 110)]);
}

#[test]
fn a_bot_that_is_no_longer_known_has_no_time_left() {
    let late = What::TurnAsked {
        turn: second(),
        bot: bot("greeter"),
        content: None,
        message: message(2),
        answer_by: seconds(9),
        link: None,
    };
    bot_is_asked()
        .and([answered(first())])
        .under(policy(2, Some("other"), "sales"))
        .at(9)
        .when(receive(2))
        .then([message_received(1, 2), late])
        .when_time_comes()
        .then([wanted(1, 2, "sales", BotSilent, 9)]);
}

#[test]
fn where_the_inbox_is_gone_its_conversations_still_find_a_queue() {
    let closed_down = || Policy { inboxes: [].into(), bots: [].into(), ..policy(2, None, "sales") };
    let story = || bot_is_asked().under(closed_down());
    story().when_time_comes().then([wanted(1, 2, "support", BotSilent, 60)]);
    story().when(answer(first(), &[say(2), hand_off(None)])).then([
        answered(first()),
        bot_replied(1, 2),
        wanted(1, 2, "support", BotHandedOff, 0),
    ]);
    story().when(answer(first(), &[say(2)])).then([answered(first()), bot_replied(1, 2)]);
}
