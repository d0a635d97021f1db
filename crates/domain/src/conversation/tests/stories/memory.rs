//! Who is quiet leaves memory, and comes back as if nothing had been.

use std::sync::Arc;

use super::super::{story::*, *};
use crate::{
    Aggregate, Policies, Tags,
    conversation::{
        CloseReason, ClosedConversation, Closer, Command, Decider, Entered, Event, HandOffReason, KnownBy,
        ReceiptKind, Received, Tombstone, What,
    },
};

const QUIET: Millis = Millis::seconds(30);

/// Ann closed the conversation at second 10, after a mail with a thread and an answer that was sent.
fn closed() -> Story {
    let by = Closer::Agent(agent("ann"));
    with_ann()
        .and([replied(1, "ann", 2), sent(2, "a")])
        .at(10)
        .and([released(1, 1), What::Closed { conversation: id(1), by, reason: CloseReason::Done }])
}

fn retired() -> What {
    What::Retired { party: party(1) }
}

/// The first customer leaves; what is kept of it stands beside the story that goes on without it.
fn leaves(story: Story) -> (Story, What) {
    let events = Decider::retire(&story.state, story.now(), QUIET, 10);
    let [event] = &events[..] else { panic!("one customer is quiet: {events:?}") };
    assert_eq!(event.what, retired());
    let (left, returned) = Decider::tombstone(&story.state, event).expect("it leaves");
    assert_eq!(left, party(1));
    let story = story.and([retired()]);
    assert_eq!(story.state.customers().count(), 0);
    assert_eq!(Decider::retire(&story.state, story.now(), QUIET, 10), []);
    (story, returned.what)
}

#[test]
fn a_customer_is_retired_once_it_has_been_quiet_for_long_enough() {
    let quiet = |story: &Story| Decider::retire(&story.state, story.now(), QUIET, 10).len();
    assert_eq!(quiet(&closed().at(39)), 0);
    assert_eq!(quiet(&closed().at(40)), 1);
    assert_eq!(quiet(&with_ann().at(1_000_000)), 0, "the conversation is open");
    assert_eq!(quiet(&given([seen(0)]).at(29)), 0);
    assert_eq!(quiet(&given([seen(0)]).at(30)), 1, "there never was a conversation");
    let goes_on = closed().at(20).and([What::Reopened { conversation: id(1) }, engaged(1, 3)]);
    assert_eq!(quiet(&goes_on.at(1_000)), 0);
}

#[test]
fn all_that_is_known_is_kept() {
    let tagged = || What::TagsNoted { party: party(1), tags: Tags::of(["vip", "old"]) };
    let early = receipt(ReceiptKind::Read, "early");
    let kept = What::ReceiptKept {
        party: party(1),
        provider_id: "early".into(),
        kind: ReceiptKind::Read,
        at: seconds(50),
        reason: None,
    };
    let followed = || What::Entered {
        party: party(1),
        conversation: None,
        link: "summer".parse().unwrap(),
        tags: vec![],
    };
    let (_, returned) = leaves(
        closed()
            .at(50)
            .when(early)
            .then([kept])
            .and([followed()])
            .and([What::OptedOut { party: party(1) }, tagged()])
            .at(60),
    );
    let What::Returned { tombstone, .. } = returned else { panic!("{returned:?}") };
    let Tombstone {
        channel,
        address,
        opted_out,
        latest,
        sent,
        early,
        known_by,
        earlier,
        tags,
        suppressed,
        automatic,
        entered,
        window,
        held,
        others,
        addresses,
        thread,
    } = *tombstone;
    assert_eq!(thread, None);
    assert_eq!(entered, Some(Entered { link: "summer".parse().unwrap(), at: seconds(50) }));
    assert_eq!((others, addresses), (vec![], vec![]));
    assert_eq!((earlier, suppressed, automatic, thread), (vec![], vec![], None, None));
    assert_eq!((window, held), (None, vec![]));
    assert_eq!((channel, address, opted_out), (Channel::Sms, sealed(1, 0), true));
    let latest_expected = ClosedConversation {
        number: 1,
        owner_epoch: 2,
        turns: 0,
        closed_at: seconds(10),
        thread: None,
        mails: None,
    };
    assert_eq!(latest, Some(latest_expected));
    assert_eq!(sent.iter().map(|sent| sent.message).collect::<Vec<_>>(), [message(2)]);
    assert_eq!(early.len(), 1);
    assert!(tags.has("vip") && !tags.has("vi"));
    let (agent, queue) = (Arc::new(agent("ann")), Some(Arc::new(queue("support"))));
    assert_eq!(known_by, Some(KnownBy { agent, at: seconds(10), queue }));
}

#[test]
fn who_comes_back_in_time_goes_on_where_it_stood() {
    let (story, returned) = leaves(closed().at(60));
    let within = REOPENS.0 as i64 / 1_000;
    story.at(10 + within).and([returned]).when(receive(3)).then([
        What::Reopened { conversation: id(1) },
        wanted(1, 3, "support", HandOffReason::NoBot, 10 + within),
        message_received(1, 3),
    ]);
}

#[test]
fn who_comes_back_later_begins_the_next_conversation() {
    let (story, returned) = leaves(closed().at(60));
    let later = 11 + REOPENS.0 as i64 / 1_000;
    story.at(later).and([returned]).when(receive(3)).then([
        opened(2),
        wanted(2, 1, "support", HandOffReason::NoBot, later),
        message_received(2, 3),
    ]);
}

#[test]
fn who_wanted_no_messages_still_wants_none() {
    let (story, returned) =
        leaves(bot_is_asked().and([What::OptedOut { party: party(1) }, closed_by_customer()]).at(60));
    let story = story.and([returned]);
    assert!(story.state.customer(party(1)).is_some_and(|customer| customer.opted_out));
    story.when(Command::OptOut { from: correspondent(1) }).then([]);
}

fn closed_by_customer() -> What {
    What::Closed { conversation: id(1), by: Closer::Customer, reason: CloseReason::OptedOut }
}

#[test]
fn a_late_receipt_finds_its_message() {
    let (story, returned) = leaves(closed().at(60));
    story.at(90).and([returned]).when(receipt(ReceiptKind::Read, "a")).then([What::ReceiptNoted {
        conversation: id(1),
        kind: ReceiptKind::Read,
        message: message(2),
        at: seconds(50),
        reason: None,
        pricing: None,
    }]);
}

#[test]
fn who_came_back_and_did_nothing_leaves_again_after_the_same_time() {
    let (story, returned) = leaves(closed().at(60));
    let story = story.at(100).and([returned.clone()]);
    assert_eq!(Decider::retire(&story.state, seconds(129), QUIET, 10), []);
    assert_eq!(leaves(story.at(130)).1, returned);
}

#[test]
fn inputs_about_a_party_that_is_not_in_memory_ask_for_it() {
    let asks = |story: &Story, command: &Command| Decider::unknown_party(&story.state, command);
    let (without, _) = leaves(closed().at(60));
    let with = closed();
    let relay = Command::GiveBack { conversation: id(1), assignment: offer(1) };
    for command in [receive(3), reply(1, "ann", 1, 3), relay, receipt(ReceiptKind::Read, "a")] {
        assert_eq!(asks(&without, &command), Some(party(1)), "{command:?}");
        assert_eq!(asks(&with, &command), None, "{command:?}");
    }
    let astray = Received { placed: Some(conversation(2, 1)), ..received(3) };
    assert_eq!(asks(&without, &Command::Receive(Box::new(astray))), None, "it goes on to another partition");
}

#[test]
fn what_came_by_mail_is_remembered_for_ever() {
    let of_channel = |channel| {
        let mut policy = policy(1, None, "support");
        policy.inboxes.values_mut().for_each(|inbox| inbox.channel = channel);
        let mut policies = Policies::default();
        policies.put(Arc::new(policy));
        policies
    };
    let event = |inbox: &str| Event { tenant: tenant(), inbox: inbox.parse().unwrap(), what: seen(0) };
    assert!(Decider::lasts(&of_channel(Channel::Email), &event("sms")), "whatever the inbox is called");
    assert!(!Decider::lasts(&of_channel(Channel::Whatsapp), &event("sms")));
    assert!(!Decider::lasts(&of_channel(Channel::Email), &event("closed-down")));
}
