//! Sending: the message as JSON, posted to a configured URL.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::outbound::{self, Outbound};
use crate::{Attachment, Outcome, Outgoing, Sender};

/// Where messages go.
#[derive(Clone)]
pub struct Target {
    pub url: String,
    /// Sent as `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// The receiver keeps to `Idempotency-Key`: the same key twice reaches the customer once.
    pub deduplicates: bool,
}

/// Posts `{"id", "to", "text", "at", "quick_replies", "attachments", "by_person"}` with an `Idempotency-Key` header that
/// equals `id`. Any 2xx takes the message; an `id` in its JSON body becomes the provider's id.
pub struct GenericSender {
    target: Target,
    outbound: Outbound,
}

impl GenericSender {
    pub fn new(target: Target, outbound: Outbound) -> Self {
        GenericSender { target, outbound }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    to: &'a str,
    text: &'a str,
    at: Option<Timestamp>,
    quick_replies: &'a [String],
    attachments: &'a [Attachment],
    by_person: bool,
}

#[derive(Deserialize)]
struct Taken {
    id: String,
}

#[async_trait]
impl Sender for GenericSender {
    async fn send(&self, message: &Outgoing) -> Outcome {
        let body = Body {
            id: &message.key,
            to: &message.to,
            text: &message.text,
            at: Timestamp::from_millisecond(message.at).ok(),
            quick_replies: &message.quick_replies,
            attachments: &message.attachments,
            by_person: message.by_person,
        };
        let mut request =
            self.outbound.post(&self.target.url).header("idempotency-key", &message.key).json(&body);
        if let Some(token) = &self.target.bearer {
            request = request.bearer_auth(token);
        }
        match outbound::call(request).await {
            Ok(reply) if reply.status.is_success() => {
                let provider_id = reply.json::<Taken>().map_or_else(|| message.key.clone(), |taken| taken.id);
                Outcome::Sent { provider_id }
            }
            Ok(reply) => reply.outcome(),
            Err(outcome) => outcome,
        }
    }

    fn deduplicates(&self) -> bool {
        self.target.deduplicates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeProvider, NOBODY, hanging_up, outbound, outgoing};

    fn sender(url: &str) -> GenericSender {
        let target =
            Target { url: format!("{url}/messages"), bearer: Some("theirs".to_owned()), deduplicates: true };
        GenericSender::new(target, outbound())
    }

    #[tokio::test]
    async fn a_message_is_posted_with_its_key() {
        let provider = FakeProvider::answering(202, r#"{"id": "x-9"}"#).await;
        let outcome = sender(&provider.url).send(&outgoing()).await;
        assert_eq!(outcome, Outcome::Sent { provider_id: "x-9".to_owned() });
        let [received] = &provider.received()[..] else { panic!("one request") };
        assert_eq!(received.path, "/messages");
        assert_eq!(received.headers["idempotency-key"], "0f3a-1");
        assert_eq!(received.headers["authorization"], "Bearer theirs");
        let body: serde_json::Value = serde_json::from_str(&received.body).unwrap();
        let expected = serde_json::json!({
            "id": "0f3a-1",
            "to": "customer",
            "text": "Hello & welcome",
            "at": "2025-12-11T05:48:20.123Z",
            "quick_replies": [],
            "attachments": [],
            "by_person": false,
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn every_answer_has_its_outcome() {
        for (status, body, expected) in [
            (200, "", "sent"),
            (204, "", "sent"),
            (400, "no", "refused"),
            (409, "no", "refused"),
            (429, "later", "retry"),
            (500, "later", "retry"),
            (504, "who knows", "unknown"),
        ] {
            let provider = FakeProvider::answering(status, body).await;
            let outcome = match sender(&provider.url).send(&outgoing()).await {
                Outcome::Sent { provider_id } => {
                    assert_eq!(provider_id, "0f3a-1");
                    "sent"
                }
                Outcome::Retry { .. } => "retry",
                Outcome::Refused { .. } | Outcome::Dead { .. } => "refused",
                Outcome::Unknown { .. } => "unknown",
            };
            assert_eq!(outcome, expected, "{status}");
        }
        assert!(matches!(sender(NOBODY).send(&outgoing()).await, Outcome::Retry { .. }));
        assert!(matches!(sender(&hanging_up().await).send(&outgoing()).await, Outcome::Unknown { .. }));
    }

    #[test]
    fn it_deduplicates_where_the_receiver_does() {
        assert!(sender("http://x.test").deduplicates());
    }
}
