//! Three providers as docs/sms.md describes them, with payloads of the shapes that they publish: the settings are read from
//! the document, so that what it says works.

use std::collections::BTreeMap;

use serde_json::json;

use super::{GenericSender, Provider, Target, request};
use crate::{
    Channel, Fact, FactKind, Outcome, Outgoing, Profile, Sender as _,
    testing::{FakeProvider, outbound, outgoing},
};

const DOCUMENT: &str = include_str!("../../../../docs/sms.md");

/// The settings under `[inboxes.NAME.settings]` in the document.
fn settings(name: &str) -> BTreeMap<String, String> {
    let begin = format!("[inboxes.{name}.settings]\n");
    let (_, rest) = DOCUMENT.split_once(&begin).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let lines = block.lines().filter_map(|line| line.split_once(" = "));
    let unquoted = |value: &str| {
        let quote = value.chars().next().unwrap();
        value[1..].split_once(quote).unwrap().0.to_owned()
    };
    lines.map(|(key, value)| (key.trim().to_owned(), unquoted(value.trim()))).collect()
}

fn facts(name: &str, body: &[u8]) -> Vec<Fact> {
    let provider = Provider::read(&settings(name), |_| Ok("key".into())).unwrap();
    let mut facts = provider.reader.unwrap().facts(Channel::Sms, "sms", body).unwrap();
    facts
        .iter_mut()
        .for_each(|fact| Profile::read(&[("region".into(), "DE".into())].into()).unwrap().apply(fact));
    facts
}

#[test]
fn what_they_post_becomes_messages_and_receipts() {
    for (name, message, id, address, text, status, kind, of, reason) in [
        (
            "vonage",
            &include_bytes!("samples/providers/vonage-message.json")[..],
            "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab",
            "+4915112345678",
            "Where is my parcel?",
            &include_bytes!("samples/providers/vonage-status.json")[..],
            FactKind::Failed,
            "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ac",
            Some("undeliverable: 1260"),
        ),
        (
            "messagebird",
            include_bytes!("samples/providers/messagebird-message.form"),
            "8f14e45fceea167a5a36dedd4bea2543",
            "+4915112345678",
            "Where is my parcel?",
            include_bytes!("samples/providers/messagebird-status.form"),
            FactKind::Failed,
            "e8077d803532c0b5937c639b60216938",
            Some("delivery_failed: unknown subscriber"),
        ),
        (
            "infobip",
            include_bytes!("samples/providers/infobip-message.json"),
            "817790313235066447",
            "+385916242493",
            "Correct answer is Paris",
            include_bytes!("samples/providers/infobip-status.json"),
            FactKind::Delivery,
            "MESSAGE-ID-123-xyz",
            None,
        ),
    ] {
        let [fact] = &facts(name, message)[..] else { panic!("{name}: one fact") };
        assert_eq!(fact.kind, FactKind::Message, "{name}");
        assert_eq!((fact.external_id.as_deref(), fact.address.as_str()), (Some(id), address), "{name}");
        assert_eq!(fact.text.as_deref(), Some(text), "{name}");
        assert_eq!(fact.sent_at, Some(1_772_366_400_000), "{name}");
        let [fact] = &facts(name, status)[..] else { panic!("{name}: one receipt") };
        assert_eq!((fact.kind, fact.external_id.as_deref()), (kind, Some(of)), "{name}");
        assert_eq!(fact.reason.as_deref(), reason, "{name}");
        assert!(fact.address.starts_with('+'), "{name}: a receipt is its customer's");
    }
}

async fn sent(name: &str, status: u16, answer: &'static str) -> (Outcome, crate::testing::Received) {
    let provider = FakeProvider::answering(status, answer).await;
    let request = request(&settings(name), "+15550100").unwrap();
    let url = format!("{}/{name}", provider.url);
    let target = Target { url, bearer: Some("token".into()), deduplicates: false, request };
    let message = Outgoing { to: "+4915112345678".into(), text: "Say \"hi\"\n€".into(), ..outgoing() };
    let outcome = GenericSender::new(target, outbound()).send(&message).await;
    (outcome, provider.received().remove(0))
}

#[tokio::test]
async fn what_they_are_sent_is_as_they_want_it() {
    for (name, status, answer, id, authorization, body) in [
        (
            "vonage",
            202,
            r#"{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"}"#,
            "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab",
            "Basic token",
            json!({"message_type": "text", "channel": "sms", "to": "4915112345678", "from": "15550100", "text": "Say \"hi\"\n€"}),
        ),
        (
            "messagebird",
            201,
            r#"{"id":"e8077d803532c0b5937c639b60216938","recipients":{"totalCount":1}}"#,
            "e8077d803532c0b5937c639b60216938",
            "AccessKey token",
            json!({"originator": "+15550100", "recipients": ["4915112345678"], "body": "Say \"hi\"\n€", "reference": "0f3a-1", "datacoding": "auto"}),
        ),
        (
            "infobip",
            200,
            r#"{"bulkId":"1","messages":[{"messageId":"2250be2d4219","status":{"groupName":"PENDING"},"to":"41793026727"}]}"#,
            "2250be2d4219",
            "App token",
            json!({"messages": [{"from": "15550100", "destinations": [{"to": "4915112345678"}], "text": "Say \"hi\"\n€"}]}),
        ),
    ] {
        let (outcome, received) = sent(name, status, answer).await;
        assert_eq!(outcome, Outcome::Sent { provider_id: id.into() }, "{name}");
        assert_eq!(received.headers["authorization"], authorization, "{name}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&received.body).unwrap(), body, "{name}");
    }
}

#[tokio::test]
async fn their_errors_are_told_apart() {
    let (outcome, _) = sent(
        "messagebird",
        422,
        r#"{"errors":[{"code":9,"description":"no (correct) recipients found","parameter":"recipient"}]}"#,
    )
    .await;
    assert!(matches!(&outcome, Outcome::Refused { code, .. } if code == "bad_address"), "{outcome:?}");
    let (outcome, _) = sent("vonage", 429, r#"{"title":"Rate Limit Hit"}"#).await;
    assert!(matches!(&outcome, Outcome::Retry { .. }), "{outcome:?}");
    let (outcome, _) =
        sent("infobip", 401, r#"{"requestError":{"serviceException":{"messageId":"UNAUTHORIZED"}}}"#).await;
    assert!(matches!(&outcome, Outcome::Refused { .. }), "{outcome:?}");
    let (outcome, _) = sent("infobip", 200, "not JSON").await;
    assert!(matches!(&outcome, Outcome::Unknown { .. }), "taken, perhaps, and without an id: {outcome:?}");
}

#[test]
fn what_cannot_be_is_told_by_its_setting() {
    let read = |pairs: &[(&str, &str)]| {
        let settings: BTreeMap<_, _> =
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let provider = Provider::read(&settings, |_| Ok("key".into())).map(|_| ());
        provider.and_then(|()| request(&settings, "x").map(|_| ())).map_err(|(key, _)| key)
    };
    assert_eq!(read(&[]), Ok(()));
    for (pairs, wrong) in [
        (&[("receive", "xml"), ("receive_from", "from")][..], "receive"),
        (&[("receive_text", "text")], "receive_text"),
        (&[("receive_from", "from"), ("receive_when", "sms")], "receive_when"),
        (&[("signature", "md5")], "signature"),
        (&[("signature", "hmac-sha256"), ("signature_over", "{url}")], "signature_over"),
        (&[("allow", "everybody")], "allow"),
        (&[("send_id", "id")], "send_id"),
        (&[("send_body", "{\"to\": {to}}")], "send_body"),
        (&[("send_body", "{}"), ("send_headers", "no colon")], "send_headers"),
        (&[("send_body", "{}"), ("send_method", "P O S T")], "send_method"),
    ] {
        assert_eq!(read(pairs), Err(wrong));
    }
}
