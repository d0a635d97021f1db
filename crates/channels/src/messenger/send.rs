//! Sending through the Graph API: `POST /me/messages` for Messenger and Instagram, `POST /{number}/messages` for
//! WhatsApp.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Kind;
use crate::outbound::{self, Outbound, Reply};
use crate::{Attachment, Outcome, Outgoing, Sender};

/// Most quick replies a Messenger message may carry.
const MOST_QUICK_REPLIES: usize = 13;
/// Most reply buttons a WhatsApp message may carry, and how long their titles may be, in characters.
const MOST_BUTTONS: usize = 3;
const LONGEST_BUTTON: usize = 20;

/// Who sends, and where to.
#[derive(Clone)]
pub struct Account {
    pub kind: Kind,
    /// `https://graph.facebook.com` or `https://graph.instagram.com`, or what stands in for it.
    pub base_url: String,
    /// `v23.0`.
    pub version: String,
    /// `me` for Messenger and Instagram (or the Page's id), the phone number id for WhatsApp.
    pub sender: String,
    pub token: String,
}

/// Sends one inbox's messages.
pub struct MetaSender {
    kind: Kind,
    url: String,
    token: String,
    outbound: Outbound,
}

impl MetaSender {
    pub fn new(account: Account, outbound: Outbound) -> Self {
        let Account { kind, base_url, version, sender, token } = account;
        let url = format!("{}/{version}/{sender}/messages", base_url.trim_end_matches('/'));
        MetaSender { kind, url, token, outbound }
    }
}

#[async_trait]
impl Sender for MetaSender {
    async fn send(&self, message: &Outgoing) -> Outcome {
        let body = match self.kind {
            Kind::Messenger | Kind::Instagram => page_message(message),
            Kind::Whatsapp => whatsapp_message(message),
        };
        let Some(body) = body else {
            return Outcome::Refused {
                code: "unsupported".to_owned(),
                reason: "a message here is either a text or one attachment with a URL".to_owned(),
            };
        };
        match outbound::call(self.outbound.post(&self.url).bearer_auth(&self.token).json(&body)).await {
            Ok(reply) => outcome(&reply),
            Err(outcome) => outcome,
        }
    }
}

/// Body of a Send API call; `None` where the message does not fit into one.
fn page_message(message: &Outgoing) -> Option<Value> {
    let mut content = match message.attachments.as_slice() {
        [] => json!({ "text": message.text }),
        [Attachment { kind, url: Some(url), .. }] if message.text.is_empty() => {
            json!({ "attachment": { "type": kind, "payload": { "url": url } } })
        }
        _ => return None,
    };
    content["metadata"] = json!(message.key);
    if !message.quick_replies.is_empty() {
        let replies = message.quick_replies.iter().take(MOST_QUICK_REPLIES);
        content["quick_replies"] = replies
            .map(|reply| json!({ "content_type": "text", "title": reply, "payload": reply }))
            .collect();
    }
    Some(json!({ "recipient": { "id": message.to }, "messaging_type": "RESPONSE", "message": content }))
}

/// Body of a Cloud API call; `None` where the message does not fit into one.
fn whatsapp_message(message: &Outgoing) -> Option<Value> {
    let (kind, content) = match message.attachments.as_slice() {
        [] if fits_buttons(&message.quick_replies) => {
            let buttons: Value = message
                .quick_replies
                .iter()
                .map(|reply| json!({ "type": "reply", "reply": { "id": reply, "title": reply } }))
                .collect();
            let body = json!({ "text": message.text });
            ("interactive", json!({ "type": "button", "body": body, "action": { "buttons": buttons } }))
        }
        [] => ("text", json!({ "body": message.text })),
        [Attachment { kind, url: Some(url), name, .. }] => {
            let kind = if kind == "file" { "document" } else { kind };
            let mut media = json!({ "link": url });
            if !message.text.is_empty() {
                media["caption"] = json!(message.text);
            }
            if let Some(name) = name.as_ref().filter(|_| kind == "document") {
                media["filename"] = json!(name);
            }
            (kind, media)
        }
        _ => return None,
    };
    let mut body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": message.to,
        "type": kind,
        "biz_opaque_callback_data": message.key,
    });
    body[kind] = content;
    Some(body)
}

fn fits_buttons(replies: &[String]) -> bool {
    (1..=MOST_BUTTONS).contains(&replies.len())
        && replies.iter().all(|reply| (1..=LONGEST_BUTTON).contains(&reply.chars().count()))
}

/// Either API's answer.
#[derive(Deserialize)]
struct Answer {
    message_id: Option<String>,
    #[serde(default)]
    messages: Vec<Taken>,
    error: Option<GraphError>,
}

#[derive(Deserialize)]
struct Taken {
    id: String,
}

#[derive(Deserialize)]
struct GraphError {
    code: i64,
    error_subcode: Option<i64>,
    message: Option<String>,
    #[serde(default)]
    is_transient: bool,
}

fn outcome(reply: &Reply) -> Outcome {
    let Some(answer) = reply.json::<Answer>() else { return reply.outcome() };
    if let Some(error) = answer.error {
        return refusal(error, reply);
    }
    match answer.message_id.or(answer.messages.into_iter().next().map(|taken| taken.id)) {
        Some(provider_id) if reply.status.is_success() => Outcome::Sent { provider_id },
        _ => reply.outcome(),
    }
}

/// Sources: *Handling errors* and *Rate limits* of the Graph API, *Error codes* of the Send and Cloud APIs.
fn refusal(error: GraphError, reply: &Reply) -> Outcome {
    let reason = error.message.unwrap_or_default();
    let code = match error.error_subcode {
        Some(subcode) => format!("{}/{subcode}", error.code),
        None => error.code.to_string(),
    };
    match error.code {
        // The token is dead, whatever is sent with it; the subcode says only why.
        190 => Outcome::Refused { code: "token".to_owned(), reason },
        // 1, 2 and 131000: trouble on their side. 4, 17, 32, 613 and the 80000s: rates of app, user, Page, custom and
        // business. 130429 and 131056: WhatsApp's rates of a number and of a pair.
        1 | 2 | 4 | 17 | 32 | 613 | 80_000..=80_999 | 130_429 | 131_000 | 131_056 => {
            Outcome::Retry { code, reason, after: reply.retry_after }
        }
        _ if error.is_transient || reply.status.is_server_error() || reply.status.as_u16() == 429 => {
            Outcome::Retry { code, reason, after: reply.retry_after }
        }
        _ => Outcome::Refused { code, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeProvider, NOBODY, hanging_up, impatient, outbound, outgoing};

    fn sender(kind: Kind, base_url: &str) -> MetaSender {
        let account = Account {
            kind,
            base_url: base_url.to_owned(),
            version: "v23.0".to_owned(),
            sender: if kind == Kind::Whatsapp { "106540352242922" } else { "me" }.to_owned(),
            token: "page-token".to_owned(),
        };
        MetaSender::new(account, outbound())
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
        assert_eq!(
            body["interactive"]["action"]["buttons"][1]["reply"],
            json!({ "id": "No", "title": "No" })
        );
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
            (400, r#"{"error": {"code": 190, "error_subcode": 463, "message": "expired"}}"#, "token"),
            (403, r#"{"error": {"code": 10, "error_subcode": 2018278, "message": "window"}}"#, "10/2018278"),
            (400, r#"{"error": {"code": 551, "message": "gone"}}"#, "551"),
            (400, r#"{"error": {"code": 100, "message": "bad"}}"#, "100"),
            (404, "<html>not found</html>", "404"),
            (302, "", "302"),
        ];
        for (status, body, expected) in refused {
            let outcome = attempt(status, body).await;
            assert!(
                matches!(&outcome, Outcome::Refused { code, .. } if code == expected),
                "{body} {outcome:?}"
            );
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
            let sender = MetaSender { outbound: impatient(), ..sender(Kind::Messenger, &url) };
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
}
