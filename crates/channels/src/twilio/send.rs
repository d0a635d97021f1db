//! Sending: `POST /2010-04-01/Accounts/{sid}/Messages.json`.

use async_trait::async_trait;
use serde::Deserialize;

use crate::outbound::{self, Outbound, Reply};
use crate::{Outcome, Outgoing, Sender};

/// Who sends, and where to.
#[derive(Clone)]
pub struct Account {
    /// `https://api.twilio.com`, or what stands in for it.
    pub base_url: String,
    pub sid: String,
    pub auth_token: String,
    /// A number in E.164, or a messaging service (`MG…`).
    pub from: String,
    /// Where status callbacks go: the public URL of `/webhooks/twilio/{inbox}/status`.
    pub status_callback: Option<String>,
}

/// Sends one inbox's messages. Quick replies have no place in an SMS and are left out.
pub struct TwilioSender {
    account: Account,
    url: String,
    outbound: Outbound,
}

impl TwilioSender {
    pub fn new(account: Account, outbound: Outbound) -> Self {
        let base = account.base_url.trim_end_matches('/');
        let url = format!("{base}/2010-04-01/Accounts/{}/Messages.json", account.sid);
        TwilioSender { account, url, outbound }
    }
}

#[async_trait]
impl Sender for TwilioSender {
    async fn send(&self, message: &Outgoing) -> Outcome {
        let account = &self.account;
        let is_service = account.from.starts_with("MG");
        let from = if is_service { "MessagingServiceSid" } else { "From" };
        // Who writes over WhatsApp is answered there, from the same number.
        let channel = message.to.split_once(':').map_or("", |(channel, _)| channel);
        let sender = match account.from.split_once(':') {
            None if !is_service && !channel.is_empty() => format!("{channel}:{}", account.from),
            _ => account.from.clone(),
        };
        let mut form = vec![("To", message.to.as_str()), (from, sender.as_str())];
        if !message.text.is_empty() {
            form.push(("Body", message.text.as_str()));
        }
        for attachment in &message.attachments {
            let Some(url) = attachment.url.as_deref() else {
                let reason = "an attachment without a URL".to_owned();
                return Outcome::Refused { code: "unsupported".to_owned(), reason };
            };
            form.push(("MediaUrl", url));
        }
        if let Some(callback) = &account.status_callback {
            form.push(("StatusCallback", callback.as_str()));
        }
        let request =
            self.outbound.post(&self.url).basic_auth(&account.sid, Some(&account.auth_token)).form(&form);
        match outbound::call(request).await {
            Ok(reply) => outcome(&reply),
            Err(outcome) => outcome,
        }
    }
}

#[derive(Deserialize)]
struct Taken {
    sid: String,
}

#[derive(Deserialize)]
struct TwilioError {
    code: i64,
    message: Option<String>,
}

/// Source: *Error and warning dictionary*.
fn outcome(reply: &Reply) -> Outcome {
    if reply.status.is_success() {
        return match reply.json::<Taken>() {
            Some(taken) => Outcome::Sent { provider_id: taken.sid },
            None => reply.outcome(),
        };
    }
    let Some(error) = reply.json::<TwilioError>() else { return reply.outcome() };
    let (code, reason) = (error.code.to_string(), error.message.unwrap_or_default());
    match (error.code, reply.outcome()) {
        // Wrong credentials: nothing will be taken until somebody acts.
        (20_003, _) => Outcome::Refused { code: "token".to_owned(), reason },
        // 20429 and 14107: rates of the account; 30001: its queue is full.
        (20_429 | 14_107 | 30_001, _) | (_, Outcome::Retry { .. }) => {
            Outcome::Retry { code, reason, after: reply.retry_after }
        }
        (_, Outcome::Unknown { .. }) => Outcome::Unknown { reason },
        // The customer said STOP, and Twilio heard it before us.
        (21_610, _) => Outcome::Refused { code: "opted_out".to_owned(), reason: format!("{code} {reason}") },
        // No such number, or not a mobile one.
        (21_211 | 21_614 | 21_217 | 21_612, _) => {
            Outcome::Refused { code: "bad_address".to_owned(), reason: format!("{code} {reason}") }
        }
        _ => Outcome::Refused { code, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Attachment;
    use crate::testing::{FakeProvider, NOBODY, hanging_up, impatient, outbound, outgoing};

    fn sender(base_url: &str, from: &str) -> TwilioSender {
        let account = Account {
            base_url: base_url.to_owned(),
            sid: "AC1".to_owned(),
            auth_token: "dev".to_owned(),
            from: from.to_owned(),
            status_callback: Some("https://x.example.test/webhooks/twilio/sms/status".to_owned()),
        };
        TwilioSender::new(account, outbound())
    }

    async fn attempt(status: u16, body: &'static str) -> Outcome {
        let provider = FakeProvider::answering(status, body).await;
        sender(&provider.url, "+15550100").send(&outgoing()).await
    }

    #[tokio::test]
    async fn a_text_is_posted_as_a_form() {
        let provider = FakeProvider::answering(201, r#"{"sid": "SM1", "status": "queued"}"#).await;
        let outcome = sender(&provider.url, "+15550100").send(&outgoing()).await;
        assert_eq!(outcome, Outcome::Sent { provider_id: "SM1".to_owned() });
        let [received] = &provider.received()[..] else { panic!("one request") };
        assert_eq!(received.path, "/2010-04-01/Accounts/AC1/Messages.json");
        // `base64(b"AC1:dev")`.
        assert_eq!(received.headers["authorization"], "Basic QUMxOmRldg==");
        let form: Vec<_> = form_urlencoded::parse(received.body.as_bytes()).into_owned().collect();
        let expected = [
            ("To", "customer"),
            ("From", "+15550100"),
            ("Body", "Hello & welcome"),
            ("StatusCallback", "https://x.example.test/webhooks/twilio/sms/status"),
        ];
        assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[tokio::test]
    async fn a_messaging_service_and_media_have_their_own_fields() {
        let provider = FakeProvider::answering(201, r#"{"sid": "SM1"}"#).await;
        let url = Some("https://cdn.example.test/a.png".to_owned());
        let attachments = vec![Attachment { url, ..Attachment::default() }, Attachment::default()];
        let mut message = Outgoing { text: String::new(), attachments, ..outgoing() };
        let outcome = sender(&provider.url, "MG1").send(&message).await;
        assert!(matches!(outcome, Outcome::Refused { code, .. } if code == "unsupported"));
        message.attachments.pop();
        sender(&provider.url, "MG1").send(&message).await;
        let [received] = &provider.received()[..] else { panic!("one request") };
        assert!(received.body.contains("MessagingServiceSid=MG1"));
        assert!(received.body.contains("MediaUrl=https%3A%2F%2Fcdn.example.test%2Fa.png"));
        assert!(!received.body.contains("Body="));
    }

    #[tokio::test]
    async fn who_writes_over_whatsapp_is_answered_there() {
        for (from, expected) in [
            ("+15550100", "From=whatsapp%3A%2B15550100"),
            ("whatsapp:+15550100", "From=whatsapp%3A%2B15550100"),
            ("MG1", "MessagingServiceSid=MG1"),
        ] {
            let provider = FakeProvider::answering(201, r#"{"sid": "SM1"}"#).await;
            let message = Outgoing { to: "whatsapp:+15550123".to_owned(), ..outgoing() };
            sender(&provider.url, from).send(&message).await;
            let [received] = &provider.received()[..] else { panic!("one request") };
            assert!(received.body.contains(expected), "{}", received.body);
        }
    }

    #[tokio::test]
    async fn errors_are_refused_or_retried_by_their_class() {
        let refused = [
            (400, r#"{"code": 21610, "message": "unsubscribed", "status": 400}"#, "opted_out"),
            (400, r#"{"code": 21211, "message": "bad number"}"#, "bad_address"),
            (400, r#"{"code": 21614, "message": "not mobile"}"#, "bad_address"),
            (401, r#"{"code": 20003, "message": "Authenticate"}"#, "token"),
            (404, "nothing", "404"),
        ];
        for (status, body, expected) in refused {
            let outcome = attempt(status, body).await;
            assert!(
                matches!(&outcome, Outcome::Refused { code, .. } if code == expected),
                "{body} {outcome:?}"
            );
        }
        let retried = [
            (429, r#"{"code": 20429, "message": "too many"}"#, "20429"),
            (429, "", "429"),
            (500, r#"{"code": 20500, "message": "internal"}"#, "20500"),
            (503, "down", "503"),
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
    async fn without_an_answer_it_matters_whether_the_request_had_left() {
        let slow = FakeProvider::answering_after(std::time::Duration::from_secs(5), 201, "{}").await;
        for url in [slow.url, hanging_up().await] {
            let sender = TwilioSender { outbound: impatient(), ..sender(&url, "+15550100") };
            let outcome = sender.send(&outgoing()).await;
            assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
        }
        assert!(matches!(attempt(201, "{}").await, Outcome::Unknown { .. }));
        let outcome = sender(NOBODY, "+15550100").send(&outgoing()).await;
        assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
    }
}
