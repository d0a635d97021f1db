//! Sending: the message as JSON, posted to a configured URL, or the request that a provider's settings describe.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::outbound::{self, Outbound, Reply};
use crate::{Attachment, Outcome, Outgoing, Sender};

/// Where messages go.
#[derive(Clone)]
pub struct Target {
    pub url: String,
    /// Sent as `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// The receiver keeps to `Idempotency-Key`: the same key twice reaches the customer once.
    pub deduplicates: bool,
    /// None: our own protocol.
    pub request: Option<Request>,
}

/// A provider's request, with `{to}`, `{to_digits}` (without its plus sign), `{from}`, `{from_digits}`, `{text}`, `{id}` and
/// `{token}` where they go: escaped as the type of the body wants, and percent-encoded in the URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    pub(super) method: http::Method,
    pub(super) content_type: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) from: String,
    pub(super) success: Success,
}

/// How the answer to it is read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Success {
    pub(super) id: Option<String>,
    /// What an answer of success must hold, besides its status.
    pub(super) when: Option<(String, String)>,
    /// Where the provider's code for what went wrong is.
    pub(super) error: Option<String>,
    /// Codes for which it is tried again, and those that say that the number or the customer's wish is in the way.
    pub(super) retry: Vec<String>,
    pub(super) bad_address: Vec<String>,
    pub(super) opted_out: Vec<String>,
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
        if let Some(request) = &self.target.request {
            return request.send(&self.target, &self.outbound, message).await;
        }
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

impl Request {
    /// That a body of JSON is JSON with anything in its places.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.content_type != "application/json" {
            return Ok(());
        }
        let filled = fill(&self.body, |_| Some("x".to_owned()))?;
        serde_json::from_str::<Value>(&filled).map(|_| ()).map_err(|error| format!("it is no JSON: {error}"))
    }

    async fn send(&self, target: &Target, outbound: &Outbound, message: &Outgoing) -> Outcome {
        let mut text = message.text.clone();
        for attachment in &message.attachments {
            let Some(url) = &attachment.url else {
                let reason = "an attachment without a URL".to_owned();
                return Outcome::Refused { code: "unsupported".to_owned(), reason };
            };
            let gap = if text.is_empty() { "" } else { "\n" };
            text = format!("{text}{gap}{url}");
        }
        let value = |name: &str| {
            Some(match name {
                "to" => message.to.as_str(),
                "to_digits" => message.to.trim_start_matches('+'),
                "from" => self.from.as_str(),
                "from_digits" => self.from.trim_start_matches('+'),
                "text" => text.as_str(),
                "id" => message.key.as_str(),
                "token" => target.bearer.as_deref().unwrap_or_default(),
                _ => return None,
            })
        };
        let filled = (|| {
            let percent = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let json = |text: &str| {
                let quoted = Value::from(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            };
            let is_form = self.content_type == "application/x-www-form-urlencoded";
            let url = fill(&target.url, |name| value(name).map(percent))?;
            let body = fill(&self.body, |name| match name {
                _ if is_form => value(name).map(percent),
                _ => value(name).map(json),
            })?;
            Ok::<_, String>((url, body))
        })();
        let (url, body) = match filled {
            Ok(filled) => filled,
            Err(reason) => return Outcome::Refused { code: "configuration".to_owned(), reason },
        };
        let mut request = outbound
            .request(self.method.clone(), &url)
            .header("content-type", &self.content_type)
            .header("idempotency-key", &message.key)
            .body(body);
        for (name, template) in &self.headers {
            match fill(template, |name| value(name).map(str::to_owned)) {
                Ok(filled) => request = request.header(name, filled),
                Err(reason) => return Outcome::Refused { code: "configuration".to_owned(), reason },
            }
        }
        match outbound::call(request).await {
            Ok(reply) => self.success.outcome(&reply, &message.key),
            Err(outcome) => outcome,
        }
    }
}

impl Success {
    fn outcome(&self, reply: &Reply, key: &str) -> Outcome {
        let body = reply.json::<Value>().unwrap_or_default();
        let find = |at: &Option<String>| {
            let value = body.pointer(at.as_deref()?)?;
            value.as_str().map(str::to_owned).or_else(|| value.is_number().then(|| value.to_string()))
        };
        let holds = |(at, wanted): &(String, String)| find(&Some(at.clone())).as_ref() == Some(wanted);
        if reply.status.is_success() && self.when.as_ref().is_none_or(holds) {
            return match find(&self.id) {
                Some(provider_id) => Outcome::Sent { provider_id },
                None if self.id.is_none() => Outcome::Sent { provider_id: key.to_owned() },
                None => reply.outcome(),
            };
        }
        let code = find(&self.error).unwrap_or_default();
        let reason = format!("HTTP {} {code}", reply.status.as_u16());
        let is = |codes: &[String]| codes.contains(&code);
        let refused = |code: &str| Outcome::Refused { code: code.to_owned(), reason: reason.clone() };
        if is(&self.opted_out) {
            refused("opted_out")
        } else if is(&self.bad_address) {
            refused("bad_address")
        } else if is(&self.retry) {
            Outcome::Retry { code, reason, after: reply.retry_after }
        } else if reply.status.is_success() {
            refused(if code.is_empty() { "refused" } else { &code })
        } else {
            reply.outcome()
        }
    }
}

/// The template with each `{name}` in its place; braces around anything else stay.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    const NAMES: [&str; 7] = ["to", "to_digits", "from", "from_digits", "text", "id", "token"];
    let (mut filled, mut rest) = (String::with_capacity(template.len() + 64), template);
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}') {
            Some((name, behind)) if NAMES.contains(&name) => {
                filled.push_str(&value(name).ok_or_else(|| format!("`{{{name}}}` has no value"))?);
                rest = behind;
            }
            _ => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeProvider, NOBODY, hanging_up, outbound, outgoing};

    fn sender(url: &str) -> GenericSender {
        let target = Target {
            url: format!("{url}/messages"),
            bearer: Some("theirs".to_owned()),
            deduplicates: true,
            request: None,
        };
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
                Outcome::Retry { .. } | Outcome::NotYet { .. } => "retry",
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
