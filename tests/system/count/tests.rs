//! The count itself: a run without fault has no violations, and each fault is seen.

use std::collections::BTreeSet;

use wire::api::v1::{
    self as pb,
    event::{self, Kind},
};

use super::{Evidence, GREETING, differences};
use crate::outbox::{Attempt, Sent};

const CONVERSATION: &str = "party-1";
const AGENT: &str = "dev/support/agent-1";
const OFFER: &str = "dev/support/1";

fn event(id: &str, kind: Kind) -> pb::Event {
    let (party, conversation) = ("party".to_owned(), CONVERSATION.to_owned());
    pb::Event { id: id.into(), party, conversation, kind: Some(kind), ..Default::default() }
}

fn body(text: &str) -> Option<pb::Body> {
    let content = pb::Content { text: text.into(), ..Default::default() };
    Some(pb::Body { state: Some(pb::body::State::Content(content)) })
}

fn step(offer: &str) -> event::OfferStep {
    event::OfferStep { offer: offer.into(), agent: AGENT.into() }
}

fn delivered(message: &str, status: pb::DeliveryStatus) -> Kind {
    let status = status.into();
    Kind::DeliveryNoted(event::DeliveryNoted { message: message.into(), status, ..Default::default() })
}

/// A customer is greeted, gets an agent and an answer.
fn run() -> Evidence {
    let said = |message: &str, text: &str| (message.to_owned(), body(text));
    let (hello, greeting, answer) = (said("m1", "hello"), said("m2", GREETING), said("m3", "answer"));
    let wanted = |owner_epoch| Kind::AgentWanted(event::AgentWanted { owner_epoch, ..Default::default() });
    let conversation = [
        Kind::CustomerSeen(event::CustomerSeen::default()),
        Kind::Opened(event::Opened::default()),
        Kind::BotEngaged(event::BotEngaged { owner_epoch: 1, ..Default::default() }),
        Kind::MessageReceived(event::MessageReceived {
            message: hello.0,
            body: hello.1,
            ..Default::default()
        }),
        Kind::BotReplied(event::BotReplied { message: greeting.0, body: greeting.1 }),
        wanted(2),
        Kind::Assigned(event::Assigned { agent: AGENT.into(), assignment: OFFER.into(), owner_epoch: 3 }),
        Kind::Replied(event::Replied {
            agent: AGENT.into(),
            message: answer.0,
            body: answer.1,
            by_inbox: String::new(),
        }),
        delivered("m2", pb::DeliveryStatus::Sent),
        delivered("m3", pb::DeliveryStatus::Sent),
    ];
    let offered = event::OfferMade { offer: OFFER.into(), agent: AGENT.into(), ..Default::default() };
    let desk =
        [Kind::OfferMade(offered), Kind::AcceptRequested(step(OFFER)), Kind::OfferAccepted(step(OFFER))];
    let numbered = |log: &'static str, kinds: Vec<Kind>| {
        kinds.into_iter().enumerate().map(move |(at, kind)| event(&format!("{log}/0/{at}/0"), kind))
    };
    let events: Vec<_> =
        numbered("conversation", conversation.into()).chain(numbered("desk", desk.into())).collect();
    let entry = |kind: &str, message: &str, text: &str| pb::TimelineEntry {
        kind: kind.into(),
        message: message.into(),
        body: body(text),
        ..Default::default()
    };
    let entries = vec![
        entry("message_received", "m1", "hello"),
        entry("bot_replied", "m2", GREETING),
        entry("replied", "m3", "answer"),
    ];
    let sent = |key: &str, text: &str| Sent {
        inbox: "generic".into(),
        key: key.into(),
        to: "ann".into(),
        text: text.into(),
        mail: None,
    };
    let attempt = |key: &str| Attempt {
        at: jiff::Timestamp::UNIX_EPOCH,
        inbox: "generic".into(),
        idempotency_key: key.into(),
        to: "ann".into(),
    };
    let address = pb::ContactAddress { party: "party".into(), ..Default::default() };
    Evidence {
        events,
        timelines: [("party".to_owned(), entries)].into(),
        contacts: vec![pb::Contact { addresses: vec![address], ..Default::default() }],
        sent: vec![sent("m2", GREETING), sent("m3", "answer")],
        attempts: vec![attempt("m2"), attempt("m3")],
    }
}

fn texts(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// Each of these violations begins with this.
#[track_caller]
fn seen(violations: &[String], all: &str) {
    assert!(!violations.is_empty() && violations.iter().all(|it| it.starts_with(all)), "{violations:#?}");
}

#[test]
fn a_run_without_fault_has_no_violations() {
    let run = run();
    assert_eq!(run.violations(), Vec::<String>::new());
    assert_eq!(run.received(&texts(&["hello"])), Vec::<String>::new());
    assert_eq!(run.replies(&texts(&["answer"]), &texts(&["never"])), Vec::<String>::new());
    assert_eq!(differences(&run.events, &run.events), Vec::<String>::new());
}

#[test]
fn what_is_lost_or_doubled_is_seen() {
    seen(&run().received(&texts(&["hello", "lost"])), "1: \"lost\"");
    let mut doubled = run();
    doubled.timelines.values_mut().for_each(|entries| entries.push(entries[0].clone()));
    seen(&doubled.received(&texts(&["hello"])), "2: \"hello\"");
    assert!(doubled.violations().iter().any(|it| it.starts_with("2: m1")));
    seen(&run().replies(&texts(&["lost"]), &texts(&[])), "reply \"lost\": 0 entries");
    seen(&run().replies(&texts(&[]), &texts(&["answer"])), "reply \"answer\" was rejected");
}

#[test]
fn what_is_still_on_its_way_is_seen() {
    let mut run = run();
    run.events.retain(|event| !matches!(event.kind, Some(Kind::DeliveryNoted(_))));
    seen(&run.violations(), "not settled: 0 turns are open, 0 of 2 messages delivered, 3 of 3 shown");
}

#[test]
fn a_second_owner_is_seen() {
    let second = Kind::Assigned(event::Assigned {
        agent: AGENT.into(),
        assignment: "dev/support/2".into(),
        owner_epoch: 4,
    });
    let mut run = run();
    run.events.push(event("conversation/0/90/0", second));
    seen(&run.violations(), "3: ");
}

#[test]
fn a_bot_that_speaks_after_the_hand_off_is_seen() {
    let mut run = run();
    run.events.swap(4, 5);
    let violations = run.violations();
    assert!(violations.iter().any(|it| it.contains("15: a bot speaks")), "{violations:#?}");
}

#[test]
fn offers_beyond_the_capacity_or_ended_twice_are_seen() {
    let mut many = run();
    for number in 2..=6 {
        let offered = event::OfferMade {
            offer: format!("dev/support/{number}"),
            agent: AGENT.into(),
            ..Default::default()
        };
        many.events.push(event(&format!("desk/0/{}/0", 10 + number), Kind::OfferMade(offered)));
    }
    seen(&many.violations(), "4: ");
    let mut twice = run();
    twice.events.push(event("desk/0/90/0", Kind::OfferDeclined(step(OFFER))));
    seen(&twice.violations(), "5: ");
}

#[test]
fn a_second_attempt_is_seen_unless_the_first_is_recorded_as_unknown() {
    let mut run = run();
    run.attempts.push(run.attempts[0].clone());
    seen(&run.violations(), "11: m2 was attempted 2 times");
    let noted =
        run.events.iter_mut().find(|event| matches!(event.kind, Some(Kind::DeliveryNoted(_)))).unwrap();
    noted.kind = Some(delivered("m2", pb::DeliveryStatus::Unknown));
    assert_eq!(run.violations(), Vec::<String>::new());
    run.sent.retain(|sent| sent.key != "m3");
    seen(&run.violations(), "11: m3 was said and never sent");
}

#[test]
fn a_missing_or_second_greeting_is_seen() {
    let mut run = run();
    run.sent.push(Sent { key: "m9".into(), ..run.sent[0].clone() });
    seen(&run.violations(), "2 greetings were sent");
}

#[test]
fn gaps_repetitions_and_another_order_are_seen() {
    let all = run().events;
    seen(&differences(&all[1..], &all), "10: conversation/0/0/0 is missing");
    seen(&differences(&all, &all[1..]), "8: conversation/0/0/0 is in the log no more");
    let again: Vec<_> = all.iter().chain(&all[..1]).cloned().collect();
    let violations = differences(&again, &all);
    assert!(violations.iter().any(|it| it == "10: 1 events came again"), "{violations:#?}");
    let mut swapped = all.clone();
    swapped.swap(1, 2);
    seen(&differences(&swapped, &all), "10: (\"conversation\", \"party-1\") came in another order");
    let mut changed = all.clone();
    changed[3].inbox = "other".into();
    seen(&differences(&changed, &all), "8: conversation/0/3/0 was");
}
