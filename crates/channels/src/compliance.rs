//! What every connector promises, as one assertion that each channel's tests call with its own payloads.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::{Fact, FactKind, Malformed};

pub(crate) type Normalize<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<Fact>, Malformed>;

/// A connector's `normalize` and payloads that show what it does.
pub(crate) struct Connector<'a> {
    pub(crate) normalize: Normalize<'a>,
    /// Payloads as the provider documents them; each gives facts, together at least one message.
    pub(crate) samples: &'a [&'a [u8]],
    /// Well-formed payloads of events we do not know: each gives at least one `unknown` fact.
    pub(crate) unknown: &'a [&'a [u8]],
    /// Bytes that are not the provider's at all.
    pub(crate) malformed: &'a [&'a [u8]],
    /// The provider says when a message was sent.
    pub(crate) tells_time: bool,
}

/// Positions of a payload that are damaged, spread evenly over a longer one.
const POSITIONS: usize = 1_500;

/// Asserts that normalizing is total, pure and says what DESIGN promises to `tributary normalize`'s readers.
///
/// # Panics
/// When the connector breaks a promise, naming it.
pub(crate) fn assert_connector_compliance(connector: &Connector<'_>) {
    let normalize = connector.normalize;
    let mut messages = 0;
    for sample in connector.samples {
        let facts = normalize(sample).unwrap_or_else(|error| panic!("a sample is refused: {error}"));
        assert!(!facts.is_empty(), "a sample gives no fact: {}", show(sample));
        assert_eq!(Ok(&facts), normalize(sample).as_ref(), "the same bytes give other facts");
        for fact in &facts {
            assert_complete(fact, connector.tells_time);
            assert_serializes(fact);
            messages += usize::from(fact.kind == FactKind::Message);
        }
        let identities: BTreeSet<_> = facts.iter().map(Fact::identity).collect();
        assert_eq!(identities.len(), facts.len(), "two facts of one payload share an identity");
        survives_damage(connector, sample);
    }
    assert!(messages > 0, "no sample gives a message");
    for unknown in connector.unknown {
        let facts = normalize(unknown).unwrap_or_else(|error| panic!("unknown input is refused: {error}"));
        let found = facts.iter().find(|fact| fact.kind == FactKind::Unknown);
        let found = found.unwrap_or_else(|| panic!("not called unknown: {}", show(unknown)));
        assert!(found.reason.as_ref().is_some_and(|reason| !reason.is_empty()), "unknown without a reason");
        facts.iter().for_each(assert_serializes);
        survives_damage(connector, unknown);
    }
    for malformed in connector.malformed {
        let error = normalize(malformed).expect_err("malformed input is taken");
        assert!(!error.reason.is_empty(), "malformed without a reason");
    }
}

fn assert_complete(fact: &Fact, tells_time: bool) {
    assert!(!fact.inbox.is_empty(), "a fact without an inbox: {fact:?}");
    if fact.kind == FactKind::Message {
        assert!(!fact.address.is_empty(), "a message without an address: {fact:?}");
        assert!(
            fact.external_id.as_ref().is_some_and(|id| !id.is_empty()),
            "a message without an id: {fact:?}"
        );
        assert!(fact.sent_at.is_some() || !tells_time, "a message without a time: {fact:?}");
    }
    assert!(fact.kind != FactKind::Unknown || fact.reason.is_some(), "unknown without a reason: {fact:?}");
}

fn assert_serializes(fact: &Fact) {
    let json = serde_json::to_value(fact).expect("a fact serializes");
    let object = json.as_object().expect("a fact is one JSON object");
    let every = ["kind", "channel", "inbox", "address", "external_id", "sent_at", "text", "payload"];
    let mut names: BTreeSet<&str> =
        every.into_iter().chain(["attachments", "referral", "reply_to"]).collect();
    if fact.mail.is_some() {
        names.extend(["subject", "from", "to", "cc", "message_id", "references", "body"]);
    }
    for name in &names {
        assert!(object.contains_key(*name), "{name} is missing from {json}");
    }
    names.extend(["watermark", "reason", "echo_of", "standby", "bounced"]);
    names.extend(["elsewhere", "app", "known_as", "pricing"]);
    for name in object.keys() {
        assert!(names.contains(name.as_str()), "{name} is not a documented field: {json}");
    }
    assert_eq!(object["kind"], fact.kind.as_str());
    assert_eq!(object["channel"], fact.channel.as_str());
    if let Value::String(at) = &object["sent_at"] {
        assert!(at.ends_with('Z') && at.parse::<jiff::Timestamp>().is_ok(), "not RFC 3339 in UTC: {at}");
    }
    for attachment in object["attachments"].as_array().expect("attachments are a list") {
        let attachment = attachment.as_object().expect("an attachment is an object");
        assert_eq!(attachment.len(), 4, "an attachment has kind, url, content_type and name: {json}");
    }
}

/// No truncation and no changed byte makes it panic, and what it still reads is still well formed.
fn survives_damage(connector: &Connector<'_>, payload: &[u8]) {
    let try_one = |damaged: &[u8]| {
        let facts = catch_unwind(AssertUnwindSafe(|| (connector.normalize)(damaged)));
        match facts {
            Ok(Ok(facts)) => facts.iter().for_each(assert_serializes),
            Ok(Err(_)) => {}
            Err(_) => panic!("panics on {}", show(damaged)),
        }
    };
    let mut damaged = payload.to_vec();
    for at in (0..payload.len()).step_by(payload.len().div_ceil(POSITIONS).max(1)) {
        try_one(&payload[..at]);
        for flip in [0x01, 0x20, 0x80] {
            damaged[at] ^= flip;
            try_one(&damaged);
            damaged[at] ^= flip;
        }
    }
}

fn show(payload: &[u8]) -> String {
    payload.escape_ascii().take(2_000).map(char::from).collect()
}
