//! What each documented event becomes, and that nothing else can happen.

use proptest::prelude::*;

use super::{Kind, normalize};
use crate::compliance::{Connector, assert_connector_compliance};
use crate::{Fact, FactKind};

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("samples/", $name, ".json")).as_slice())),*]
    };
}

const EVENTS: [(&str, &[u8]); 51] = samples![
    "instagram-echo",
    "instagram-reaction",
    "instagram-referral",
    "instagram-seen",
    "instagram-story-mention",
    "instagram-story-reply",
    "instagram-text",
    "instagram-unsend",
    "messenger-attachments",
    "messenger-batch",
    "messenger-damaged-item",
    "messenger-delivery",
    "messenger-echo",
    "messenger-edit",
    "messenger-handover",
    "messenger-ice-breaker",
    "messenger-linking",
    "messenger-optin",
    "messenger-other-apps-echo",
    "messenger-policy",
    "messenger-postback",
    "messenger-postback-old",
    "messenger-quick-reply",
    "messenger-reaction",
    "messenger-read",
    "messenger-referral",
    "messenger-reply-to",
    "messenger-request-control",
    "messenger-rich",
    "messenger-standby",
    "messenger-standby-echo",
    "messenger-text",
    "messenger-unknown-field",
    "messenger-user-ref",
    "whatsapp-ad",
    "whatsapp-changed",
    "whatsapp-echo",
    "whatsapp-errors",
    "whatsapp-flow",
    "whatsapp-group",
    "whatsapp-media",
    "whatsapp-no-number",
    "whatsapp-number-changed",
    "whatsapp-pricing",
    "whatsapp-reaction",
    "whatsapp-statuses",
    "whatsapp-taps",
    "whatsapp-text",
    "whatsapp-things",
    "whatsapp-unknown",
    "whatsapp-username",
];

const UNKNOWN: [(&str, &[u8]); 4] =
    samples!["messenger-unknown", "messenger-feed", "instagram-comment", "whatsapp-template"];

const MALFORMED: [&[u8]; 8] =
    [b"", b"{", b"[]", b"null", b"\"page\"", b"{}", b"{\"object\":\"page\",\"entry\":7}", b"\xff\xfe{}"];

fn kind_of(name: &str) -> Kind {
    match name.split('-').next() {
        Some("messenger") => Kind::Messenger,
        Some("instagram") => Kind::Instagram,
        _ => Kind::Whatsapp,
    }
}

fn named(kind: &str) -> Vec<&'static [u8]> {
    EVENTS.iter().filter(|(name, _)| name.starts_with(kind)).map(|(_, body)| *body).collect()
}

fn page(items: &[String]) -> String {
    format!(
        "{{\"object\":\"page\",\"entry\":[{{\"id\":\"1\",\"time\":5,\"messaging\":[{}]}}]}}",
        items.join(",")
    )
}

#[test]
fn every_event_becomes_what_its_golden_file_says() {
    for (name, body) in EVENTS.into_iter().chain(UNKNOWN) {
        let facts = normalize(kind_of(name), None, body).unwrap();
        insta::assert_json_snapshot!(name, facts);
    }
}

#[test]
fn each_kind_keeps_a_connectors_promises() {
    for kind in [Kind::Messenger, Kind::Instagram, Kind::Whatsapp] {
        let name = kind.channel().as_str();
        let unknown: Vec<&[u8]> =
            UNKNOWN.iter().filter(|(sample, _)| sample.starts_with(name)).map(|(_, body)| *body).collect();
        assert_connector_compliance(&Connector {
            normalize: &|body| normalize(kind, None, body),
            samples: &named(name),
            unknown: &unknown,
            malformed: &MALFORMED,
            tells_time: true,
        });
    }
}

#[test]
fn the_configured_inbox_names_every_fact() {
    for (name, body) in EVENTS.into_iter().chain(UNKNOWN) {
        let facts = normalize(kind_of(name), Some("shop"), body).unwrap();
        assert!(facts.iter().all(|fact| fact.inbox == "shop"), "{name}");
    }
}

#[test]
fn an_event_of_another_kind_of_inbox_is_unknown() {
    for (name, body) in EVENTS {
        let other = if kind_of(name) == Kind::Messenger { Kind::Whatsapp } else { Kind::Messenger };
        let facts = normalize(other, Some("shop"), body).unwrap();
        assert!(!facts.is_empty(), "{name}");
        assert!(facts.iter().all(|fact| fact.kind == FactKind::Unknown), "{name}");
    }
}

#[test]
fn postbacks_without_an_id_are_told_apart_by_customer_time_and_payload() {
    let postback = |sender: &str, time: u32, payload: &str| {
        let item = format!(
            r#"{{"sender":{{"id":"{sender}"}},"timestamp":{time},"postback":{{"payload":"{payload}","title":"T"}}}}"#
        );
        normalize(Kind::Messenger, Some("shop"), page(&[item]).as_bytes()).unwrap().remove(0)
    };
    let facts = [postback("1", 1, "A"), postback("2", 1, "A"), postback("1", 2, "A"), postback("1", 1, "B")];
    let identities: std::collections::HashSet<_> = facts.iter().map(Fact::identity).collect();
    assert_eq!(identities.len(), 4);
    assert_eq!(postback("1", 1, "A"), facts[0]);
}

#[test]
fn fields_nested_deeper_than_any_stack_are_passed_over() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let item = format!(
        r#"{{"sender":{{"id":"1"}},"timestamp":1,"deep":{deep},"message":{{"mid":"m","text":"x","deep":{deep}}}}}"#
    );
    let facts = normalize(Kind::Messenger, Some("shop"), page(&[item]).as_bytes()).unwrap();
    assert_eq!(facts.len(), 1);
    assert_eq!(facts[0].text.as_deref(), Some("x"));
}

#[test]
fn a_thousand_items_are_a_thousand_facts_in_order() {
    let item = |at: usize| {
        format!(r#"{{"sender":{{"id":"{at}"}},"timestamp":{at},"message":{{"mid":"m{at}","text":"x"}}}}"#)
    };
    let items: Vec<String> = (0..1000).map(item).collect();
    let facts = normalize(Kind::Messenger, Some("shop"), page(&items).as_bytes()).unwrap();
    assert_eq!(facts.len(), 1000);
    for (at, fact) in facts.iter().enumerate() {
        assert_eq!(fact.external_id, Some(format!("m{at}")));
        assert_eq!(fact.address, at.to_string());
    }
}

#[test]
fn what_is_unknown_keeps_its_own_bytes_and_never_the_batch() {
    let item = |at: usize| format!(r#"{{"sender":{{"id":"{at}"}},"timestamp":{at},"novelty":{{}}}}"#);
    let items: Vec<String> = (0..1000).map(item).collect();
    let facts = normalize(Kind::Messenger, Some("shop"), page(&items).as_bytes()).unwrap();
    assert_eq!(facts.len(), items.len());
    for (fact, item) in facts.iter().zip(&items) {
        assert_eq!(fact.kind, FactKind::Unknown);
        assert_eq!(fact.raw.as_deref(), Some(item.as_bytes()));
    }
    let statuses: Vec<String> = (0..1000).map(|at| format!(r#"{{"id":"{at}","status":"new"}}"#)).collect();
    let body = format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"1","changes":[{{"field":"messages","value":{{"statuses":[{}]}}}}]}}]}}"#,
        statuses.join(",")
    );
    let facts = normalize(Kind::Whatsapp, Some("shop"), body.as_bytes()).unwrap();
    assert_eq!(facts.len(), statuses.len());
    assert!(facts.iter().zip(&statuses).all(|(fact, item)| fact.raw.as_deref() == Some(item.as_bytes())));
}

#[test]
fn what_only_whole_bytes_tell_is_kept_once_however_much_it_holds() {
    let mids: Vec<String> = (0..1000).map(|at| format!("\"m{at}\"")).collect();
    let receipts = format!(r#"{{"timestamp":1,"delivery":{{"mids":[{}]}}}}"#, mids.join(","));
    let entries = format!(r#"{{"object":"page","entry":[{}]}}"#, vec![r#"{"id":"1"}"#; 1000].join(","));
    for body in [page(&[receipts]), entries] {
        let facts = normalize(Kind::Messenger, Some("shop"), body.as_bytes()).unwrap();
        assert_eq!(facts.len(), 1);
        assert!(facts[0].kind == FactKind::Unknown && facts[0].raw.is_some());
    }
}

proptest! {
    /// Whatever a customer can type arrives as typed.
    #[test]
    fn text_survives(text in "\\PC+|[\\x00-\\x1f\"\\\\]+") {
        let item = serde_json::json!({"sender": {"id": 1}, "timestamp": 1, "message": {"mid": "m", "text": text}});
        let facts = normalize(Kind::Messenger, None, page(&[item.to_string()]).as_bytes()).unwrap();
        prop_assert_eq!(facts.len(), 1);
        prop_assert_eq!(facts[0].text.as_deref(), Some(text.as_str()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..400)) {
        for kind in [Kind::Messenger, Kind::Instagram, Kind::Whatsapp] {
            let _facts = normalize(kind, None, &body);
        }
    }
}

/// Seeds of mutations, those among them that once found something.
const SEEDS: [u64; 6] = [1, 2, 3, 5, 8, 13];

/// Whatever becomes of a body on its way, or is made of it: it is read or refused, what is read of it is whole, and what
/// was not touched is read as it was.
#[test]
fn no_mutation_of_a_body_does_harm() {
    for seed in SEEDS {
        let mut dice = Dice(seed);
        for _ in 0..2_000 {
            let (name, body) = EVENTS[dice.below(EVENTS.len())];
            let mut body = body.to_vec();
            for _ in 0..=dice.below(4) {
                mutate(&mut dice, &mut body);
            }
            let Ok(facts) = normalize(kind_of(name), Some("shop"), &body) else { continue };
            for fact in facts {
                serde_json::to_value(&fact).unwrap();
                let spoken_of = matches!(fact.kind, FactKind::Unknown | FactKind::Notice | FactKind::Ignored);
                assert!(spoken_of || !fact.address.is_empty(), "{seed}, {name}: {fact:?}");
                assert!(
                    fact.kind != FactKind::Message || fact.external_id.is_some(),
                    "{seed}, {name}: {fact:?}"
                );
            }
        }
    }
}

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % most.max(1) as u64).unwrap()
    }
}

/// Cuts, doubles, swaps and replaces parts of it, values of JSON among them.
fn mutate(dice: &mut Dice, body: &mut Vec<u8>) {
    const VALUES: [&str; 12] = [
        "null",
        "true",
        "{}",
        "[]",
        "\"\"",
        "-1",
        "1e400",
        "99999999999999999999",
        "\"\\ud800\"",
        "[[[[]]]]",
        "0.5",
        "\"x\"",
    ];
    let (a, b) = (dice.below(body.len()), dice.below(body.len()));
    let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 200));
    match dice.below(5) {
        0 => drop(body.drain(from..to)),
        1 => {
            let part = body[from..to].to_vec();
            body.splice(from..from, part);
        }
        2 if !body.is_empty() => body.swap(a, b),
        3 if !body.is_empty() => body[a] = u8::try_from(dice.below(256)).unwrap(),
        _ => {
            // Another value in the place of one.
            let Some(colon) = body[from..].iter().position(|byte| *byte == b':') else { return };
            let start = from + colon + 1;
            let end = body[start..].iter().position(|byte| matches!(byte, b',' | b'}' | b']'));
            let Some(end) = end else { return };
            let value = VALUES[dice.below(VALUES.len())].bytes();
            body.splice(start..start + end, value);
        }
    }
}
