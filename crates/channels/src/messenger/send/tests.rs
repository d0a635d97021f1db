//! What is sent, byte by byte, and what each answer means, against a provider that says one thing.

use serde_json::{Value, json};

use super::*;
use crate::testing::{FakeProvider, NOBODY, hanging_up, impatient, outbound, outgoing};
use crate::{Attachment, Chat};

fn sender(kind: Kind, base_url: &str) -> MetaSender {
    sender_over(kind, base_url, outbound())
}

fn sender_over(kind: Kind, base_url: &str, outbound: Outbound) -> MetaSender {
    let account = Account {
        kind,
        base_url: base_url.to_owned(),
        version: "v23.0".to_owned(),
        sender: if kind == Kind::Whatsapp { "106540352242922" } else { "me" }.to_owned(),
        token: "page-token".to_owned(),
        app_secret: None,
        manners: Manners::default(),
    };
    MetaSender::new(account, outbound)
}

async fn attempt(status: u16, body: &'static str) -> Outcome {
    let provider = FakeProvider::answering(status, body).await;
    sender(Kind::Messenger, &provider.url).send(&outgoing()).await
}

/// The one request that sending `message` makes, as JSON.
async fn request(kind: Kind, message: &Outgoing) -> Value {
    let provider = FakeProvider::answering(200, r#"{"message_id": "m_1"}"#).await;
    sender(kind, &provider.url).send(message).await;
    serde_json::from_str(&provider.received()[0].body).unwrap()
}

#[tokio::test]
async fn a_text_goes_to_the_send_api_with_its_key() {
    let answer = r#"{"recipient_id": "customer", "message_id": "m_1"}"#;
    let provider = FakeProvider::answering(200, answer).await;
    let message = Outgoing { quick_replies: vec!["A person".to_owned()], ..outgoing() };
    let outcome = sender(Kind::Messenger, &format!("{}/", provider.url)).send(&message).await;
    assert_eq!(outcome, Outcome::Sent { provider_id: "m_1".to_owned() });
    let [received] = &provider.received()[..] else { panic!("one request") };
    assert_eq!(received.path, "/v23.0/me/messages");
    assert_eq!(received.headers["authorization"], "Bearer page-token");
    let body: Value = serde_json::from_str(&received.body).unwrap();
    let expected = json!({
        "recipient": { "id": "customer" },
        "messaging_type": "RESPONSE",
        "message": {
            "text": "Hello & welcome",
            "metadata": "0f3a-1",
            "quick_replies": [{ "content_type": "text", "title": "A person", "payload": "A person" }],
        },
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn whatsapp_gets_its_own_body_and_path() {
    let answer = r#"{"messaging_product": "whatsapp", "messages": [{"id": "wamid.1"}]}"#;
    let provider = FakeProvider::answering(200, answer).await;
    let outcome = sender(Kind::Whatsapp, &provider.url).send(&outgoing()).await;
    assert_eq!(outcome, Outcome::Sent { provider_id: "wamid.1".to_owned() });
    let received = &provider.received()[0];
    assert_eq!(received.path, "/v23.0/106540352242922/messages");
    let body: Value = serde_json::from_str(&received.body).unwrap();
    let expected = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "customer",
        "type": "text",
        "text": { "body": "Hello & welcome" },
        "biz_opaque_callback_data": "0f3a-1",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn whatsapp_shows_answers_as_buttons_where_they_fit() {
    let replies = |replies: &[&str]| Outgoing {
        quick_replies: replies.iter().map(|reply| (*reply).to_owned()).collect(),
        ..outgoing()
    };
    let body = request(Kind::Whatsapp, &replies(&["Yes", "No"])).await;
    assert_eq!(body["interactive"]["action"]["buttons"][1]["reply"], json!({ "id": "No", "title": "No" }));
    for many in [&["1", "2", "3", "4"][..], &["a title of more than 20 characters"]] {
        assert_eq!(request(Kind::Whatsapp, &replies(many)).await["type"], "text");
    }
}

#[tokio::test]
async fn attachments_go_by_url_or_not_at_all() {
    let photo = Attachment {
        kind: "image".to_owned(),
        url: Some("https://cdn.example.test/a.png".to_owned()),
        ..Attachment::default()
    };
    let alone = Outgoing { text: String::new(), attachments: vec![photo.clone()], ..outgoing() };
    let body = request(Kind::Messenger, &alone).await;
    let expected = json!({ "type": "image", "payload": { "url": "https://cdn.example.test/a.png" } });
    assert_eq!(body["message"]["attachment"], expected);

    let captioned = Outgoing { attachments: vec![photo.clone()], ..outgoing() };
    let body = request(Kind::Whatsapp, &captioned).await;
    let expected = json!({ "link": "https://cdn.example.test/a.png", "caption": "Hello & welcome" });
    assert_eq!(body["image"], expected);

    let provider = FakeProvider::answering(200, "{}").await;
    let outcome = sender(Kind::Messenger, &provider.url).send(&captioned).await;
    assert!(matches!(outcome, Outcome::Refused { code, .. } if code == "unsupported"));
    assert!(provider.received().is_empty());
}

#[tokio::test]
async fn graph_errors_are_refused_or_retried_by_their_class() {
    let refused = [
        (403, r#"{"error": {"code": 10, "error_subcode": 2018278, "message": "late"}}"#, "window"),
        (400, r#"{"error": {"code": 131047, "message": "late"}}"#, "window"),
        (400, r#"{"error": {"code": 131050, "message": "stop"}}"#, "opted_out"),
        (400, r#"{"error": {"code": 100, "message": "bad"}}"#, "100"),
        (404, "<html>not found</html>", "404"),
        (302, "", "302"),
    ];
    for (status, body, expected) in refused {
        let outcome = attempt(status, body).await;
        assert!(matches!(&outcome, Outcome::Refused { code, .. } if code == expected), "{body} {outcome:?}");
    }
    let retried = [
        (400, r#"{"error": {"code": 4, "message": "app limit"}}"#, "4"),
        (400, r#"{"error": {"code": 613, "message": "rate"}}"#, "613"),
        (400, r#"{"error": {"code": 32, "message": "page rate"}}"#, "32"),
        (400, r#"{"error": {"code": 80006, "message": "messenger rate"}}"#, "80006"),
        (400, r#"{"error": {"code": 130429, "message": "throughput"}}"#, "130429"),
        (500, r#"{"error": {"code": 1, "message": "unknown"}}"#, "1"),
        (503, r#"{"error": {"code": 2, "message": "unavailable"}}"#, "2"),
        (400, r#"{"error": {"code": 12345, "is_transient": true}}"#, "12345"),
        (500, r#"{"error": {"code": 12345}}"#, "12345"),
        (502, "bad gateway", "502"),
        (429, "", "429"),
    ];
    for (status, body, expected) in retried {
        let outcome = attempt(status, body).await;
        assert!(
            matches!(&outcome, Outcome::Retry { code, after: Some(7000), .. } if code == expected),
            "{body} {outcome:?}"
        );
    }
}

#[tokio::test]
async fn what_may_have_been_taken_is_unknown() {
    for (status, body) in [(200, ""), (200, "{}"), (200, "<html>"), (504, "gateway timeout")] {
        let outcome = attempt(status, body).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{status} {body} {outcome:?}");
    }
    let slow = FakeProvider::answering_after(std::time::Duration::from_secs(5), 200, "{}").await;
    for url in [slow.url, hanging_up().await] {
        let sender = sender_over(Kind::Messenger, &url, impatient());
        let outcome = sender.send(&outgoing()).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_never_left_is_retried_and_what_never_can_refused() {
    let outcome = sender(Kind::Messenger, NOBODY).send(&outgoing()).await;
    assert!(matches!(&outcome, Outcome::Retry { code, .. } if code == "connect"), "{outcome:?}");
    let outcome = sender(Kind::Messenger, "not a url").send(&outgoing()).await;
    assert!(matches!(&outcome, Outcome::Refused { code, .. } if code == "configuration"), "{outcome:?}");
}

#[tokio::test]
async fn who_is_gone_is_dead_and_a_dead_token_pauses_the_inbox() {
    let outcome = attempt(400, r#"{"error": {"code": 551, "message": "gone"}}"#).await;
    assert!(matches!(&outcome, Outcome::Dead { code, .. } if code == "551"), "{outcome:?}");

    let expired = r#"{"error": {"code": 190, "error_subcode": 463, "message": "expired"}}"#;
    let provider = FakeProvider::answering(400, expired).await;
    let sender = sender(Kind::Messenger, &provider.url);
    let outcome = sender.send(&outgoing()).await;
    assert!(
        matches!(&outcome, Outcome::Retry { code, after: Some(60_000), .. } if code == "190/463"),
        "{outcome:?}"
    );
    let outcome = sender.send(&outgoing()).await;
    assert!(matches!(&outcome, Outcome::Retry { code, .. } if code == "paused"), "{outcome:?}");
    assert_eq!(provider.received().len(), 1, "nothing is tried meanwhile");
}

#[tokio::test]
async fn only_what_a_person_wrote_carries_the_tag() {
    let window = |until, person_until| {
        let (until, person_until) = (domain::Timestamp(until), domain::Timestamp(person_until));
        Chat { window: Some(domain::conversation::Window { until, person_until }), ..Chat::default() }
    };
    let now = log::clock::now();
    let (past, future) = (now - 60_000, now + 60 * 60 * 1000);
    // By whom, under which permission, within which window: the tag, or nothing is sent.
    let cases = [
        (true, true, window(future, future), Some(Value::Null)),
        (false, true, window(future, future), Some(Value::Null)),
        (true, true, window(past, future), Some(json!("HUMAN_AGENT"))),
        (true, false, window(past, future), None),
        (false, true, window(past, future), None),
        (true, true, window(past, past), None),
        (true, true, Chat::default(), Some(Value::Null)),
    ];
    for (by_person, human_agent, chat, expected) in cases {
        let provider = FakeProvider::answering(200, r#"{"message_id": "m_1"}"#).await;
        let mut sender = sender(Kind::Messenger, &provider.url);
        sender.manners.human_agent = human_agent;
        let outcome = sender.send(&Outgoing { by_person, chat, ..outgoing() }).await;
        let sent = provider.received();
        let tag = sent.first().map(|sent| serde_json::from_str::<Value>(&sent.body).unwrap()["tag"].clone());
        assert_eq!(tag, expected, "{outcome:?}");
        let refused = matches!(&outcome, Outcome::Refused { code, .. } if code == "window");
        assert_eq!(refused, expected.is_none(), "{outcome:?}");
    }
}
