//! Until when a customer may be answered, and what becomes of what comes too late.

use super::super::{story::*, *};
use crate::{
    Code,
    conversation::{
        AFTER_WINDOW, Command, Correspondent, HeldReply, OtherAddress, Outgoing, Received, ReplyBy, What,
        Window,
    },
};

fn until(second: i64) -> Window {
    Window { until: seconds(second), person_until: seconds(second) }
}

fn opened_until(window: Window) -> What {
    What::WindowOpened { conversation: id(1), window }
}

/// Ann has the first conversation, and may answer until second 100.
fn held() -> Story {
    with_ann().and([opened_until(until(100))])
}

fn ruled(rule: &str) -> Policy {
    let mut policy = policy(1, None, "support");
    for inbox in policy.inboxes.values_mut() {
        inbox.settings.insert(AFTER_WINDOW.into(), rule.into());
    }
    policy
}

fn by(n: u128, by: ReplyBy) -> Command {
    match reply(1, "ann", 1, n) {
        Command::Reply { conversation, agent, assignment, message, body, .. } => {
            Command::Reply { conversation, agent, assignment, message, body, by: Some(by) }
        }
        other => other,
    }
}

fn kept(n: u128) -> HeldReply {
    HeldReply { agent: agent("ann"), message: message(n), body: sealed(1, n), signed: None }
}

fn writes(n: u128, window: Window) -> Command {
    Command::Receive(Box::new(Received { window: Some(window), ..received(n) }))
}

fn within(n: u128, window: Window) -> What {
    let outgoing = Outgoing { window: Some(window), ..outgoing(n, true, None) };
    What::Replied { conversation: id(1), agent: agent("ann"), message: message(n), outgoing }
}

fn sent(n: u128, window: Window) -> What {
    let outgoing = Outgoing { window: Some(window), ..outgoing(n, true, None) };
    What::HeldSent { conversation: id(1), agent: agent("ann"), message: message(n), outgoing }
}

#[test]
fn until_the_window_closes_a_reply_leaves_and_after_it_the_agent_is_told() {
    held()
        .at(100)
        .when(reply(1, "ann", 1, 2))
        .then([within(2, until(100))])
        .at(101)
        .when(reply(1, "ann", 1, 3))
        .then_rejected(Code::WindowClosed);
}

#[test]
fn a_person_may_answer_for_longer_than_a_bot() {
    let window = Window { until: seconds(100), person_until: seconds(700) };
    held()
        .and([opened_until(window)])
        .at(700)
        .when(reply(1, "ann", 1, 2))
        .then([within(2, window)])
        .at(701)
        .when(reply(1, "ann", 1, 3))
        .then_rejected(Code::WindowClosed);
}

#[test]
fn what_is_held_leaves_once_the_customer_writes_in_order() {
    held()
        .at(200)
        .when(by(2, ReplyBy::Hold))
        .then([What::ReplyHeld { conversation: id(1), reply: kept(2) }])
        .when(by(3, ReplyBy::Hold))
        .then([What::ReplyHeld { conversation: id(1), reply: kept(3) }])
        .at(300)
        .when(writes(4, until(400)))
        .then([message_received(1, 4), opened_until(until(400)), sent(2, until(400)), sent(3, until(400))])
        // Once.
        .when(writes(5, until(500)))
        .then([message_received(1, 5), opened_until(until(500))]);
}

#[test]
fn while_the_window_is_open_nothing_is_held() {
    held().at(50).when(by(2, ReplyBy::Hold)).then([within(2, until(100))]);
}

#[test]
fn the_inbox_may_say_that_late_replies_are_held() {
    held()
        .under(ruled("hold"))
        .at(200)
        .when(reply(1, "ann", 1, 2))
        .then([What::ReplyHeld { conversation: id(1), reply: kept(2) }]);
}

#[test]
fn only_so_many_are_held() {
    let mut story = held().at(200);
    for n in 0..8 {
        let (next, _) = story.when(by(2 + n, ReplyBy::Hold)).and_tell();
        story = next;
    }
    story.when(by(20, ReplyBy::Hold)).then_rejected(Code::WindowClosed);
}

#[test]
fn who_wants_no_more_messages_gets_nothing_that_was_held() {
    let (story, _) = held().at(200).when(by(2, ReplyBy::Hold)).and_tell();
    let story = story.and([What::OptedOut { party: party(1) }]);
    story.at(300).when(writes(3, until(400))).then([message_received(1, 3), opened_until(until(400))]);
}

#[test]
fn a_window_never_shrinks() {
    held()
        .at(50)
        .when(writes(2, until(90)))
        .then([message_received(1, 2), opened_until(until(100))])
        .at(95)
        .when(reply(1, "ann", 1, 3))
        .then([within(3, until(100))]);
}

#[test]
fn only_whatsapp_has_templates() {
    held().at(200).when(by(2, ReplyBy::Template)).then_rejected(Code::Invalid);
}

#[test]
fn whoever_gets_the_conversation_is_told_until_when_it_may_be_answered() {
    waiting()
        .and([opened_until(until(100))])
        .when(assign(1, 1, "ann", 1))
        .then([assigned(1, 2, "ann", 1), opened_until(until(100))]);
}

#[test]
fn a_bot_says_nothing_after_the_window_and_a_person_takes_over() {
    let story = bot_is_asked().and([opened_until(until(10))]);
    let events = story.at(20).when(answer(turn(id(1), 1, 1), &[say(2)])).events();
    assert!(!events.iter().any(|event| matches!(event.what, What::BotReplied { .. })), "{events:?}");
    assert!(events.iter().any(|event| matches!(event.what, What::AgentWanted { .. })), "{events:?}");
}

/// The contact has another address, which may be written to.
fn also(channel: Channel, writable: bool) -> [What; 2] {
    let inbox = format!("{}-inbox", channel.as_str()).parse().unwrap();
    let from = Correspondent { channel, inbox, ..correspondent(2) };
    let of = OtherAddress { from, writable };
    [
        What::OthersNoted { party: party(1), others: vec![party(2)] },
        What::AddressNoted { party: party(1), of },
    ]
}

#[test]
fn after_the_window_the_contacts_own_address_is_a_field_away() {
    let events = held().and(also(Channel::Email, true)).at(200).when(by(2, ReplyBy::Email)).events();
    let [What::Replied { outgoing, .. }] = [&events[0].what] else { panic!("{events:?}") };
    assert_eq!((outgoing.channel, outgoing.inbox.as_str()), (Channel::Email, "email-inbox"));
    assert_eq!((outgoing.to.subject, outgoing.window), (party(2), None));
    // The conversation stays where it is.
    assert_eq!(events[0].inbox, inbox());
}

#[test]
fn who_may_not_be_written_to_is_not() {
    held().and(also(Channel::Email, false)).at(200).when(by(2, ReplyBy::Email)).then_rejected(Code::NotFound);
    held().and(also(Channel::Email, true)).at(200).when(by(2, ReplyBy::Sms)).then_rejected(Code::NotFound);
    held().at(200).when(by(2, ReplyBy::Sms)).then_rejected(Code::NotFound);
}

#[test]
fn the_agent_is_told_what_can_be_done_and_the_rules_choice_first() {
    let refused = |rule: &str, story: Story| {
        let story = story.under(ruled(rule)).at(200);
        story.when(reply(1, "ann", 1, 2)).rejected(Code::WindowClosed)
    };
    let told = refused("email", held().and(also(Channel::Email, true)));
    let first = |what: &str| told.find(what).unwrap_or(usize::MAX);
    assert!(first("by = email") < first("by = hold") && first("by = sms") == usize::MAX, "{told}");
    let told = refused("email", held());
    assert!(told.contains("by = hold") && !told.contains("by = email"), "{told}");
}
