//! Providers: they sign what customers write, deliver it, and deliver it again until it is taken.

use std::time::Duration;

use hmac::{Hmac, Mac as _};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor, address::Envelope};
use serde_json::json;

use crate::process::Addresses;

/// The secret that the sample workspace shares with every provider.
const SECRET: &[u8] = b"dev";
/// No provider waits for ever.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Channel {
    Messenger,
    Email,
    Sms,
    Generic,
}

impl Channel {
    pub(crate) const ALL: [Channel; 4] = [Channel::Messenger, Channel::Email, Channel::Sms, Channel::Generic];

    /// The sample workspace's inbox of this channel.
    pub(crate) fn inbox(self) -> &'static str {
        match self {
            Channel::Messenger => "messenger",
            Channel::Email => "email",
            Channel::Sms => "sms",
            Channel::Generic => "generic",
        }
    }

    /// The address of the customer with this number.
    pub(crate) fn customer(self, number: usize) -> String {
        match self {
            Channel::Messenger => format!("psid-{number}"),
            Channel::Email => format!("customer-{number}@example.org"),
            Channel::Sms => format!("+1555{number:07}"),
            Channel::Generic => format!("visitor-{number}"),
        }
    }
}

/// What a customer wrote, the same however often it is delivered.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) channel: Channel,
    /// The provider's id.
    pub(crate) id: String,
    pub(crate) from: String,
    pub(crate) text: String,
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
    pub(crate) letter: Letter,
}

/// What only an e-mail has. Message ids without angle brackets.
#[derive(Clone, Default, Debug)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) in_reply_to: Option<String>,
    pub(crate) references: Vec<String>,
}

impl Message {
    pub(crate) fn new(
        channel: Channel,
        id: impl Into<String>,
        from: &str,
        text: impl Into<String>,
    ) -> Message {
        let (id, from, text) = (id.into(), from.to_owned(), text.into());
        let letter = Letter { subject: "Hello".into(), ..Letter::default() };
        Message { channel, id, from, text, at: log::clock::now(), letter }
    }
}

/// What a provider is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// 2xx or 250: it need not be delivered again.
    Taken,
    /// Another status or reply code, and its text.
    Refused(u16, String),
    /// Nobody answered.
    Silence(String),
}

/// A client for plain HTTP.
pub(crate) fn http() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(PATIENCE).build().unwrap()
}

/// All providers, with their connections.
#[derive(Clone)]
pub(crate) struct Providers {
    at: Addresses,
    http: reqwest::Client,
    smtp: AsyncSmtpTransport<Tokio1Executor>,
}

impl Providers {
    pub(crate) fn new(at: Addresses) -> Providers {
        let smtp = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(at.smtp.ip().to_string())
            .port(at.smtp.port())
            .timeout(Some(PATIENCE))
            .build();
        Providers { at, http: http(), smtp }
    }

    /// Delivers it once.
    pub(crate) async fn deliver(&self, message: &Message) -> Answer {
        match message.channel {
            Channel::Messenger => self.messenger("messenger", messenger_body(message)).await,
            Channel::Email => self.mail(Some(&message.from), &mail_bytes(message)).await,
            Channel::Sms => {
                let fields = [
                    ("AccountSid", "AC1"),
                    ("Body", &message.text),
                    ("From", &message.from),
                    ("MessageSid", &message.id),
                    ("NumMedia", "0"),
                    ("SmsStatus", "received"),
                    ("To", "+15550100"),
                ];
                self.twilio("/webhooks/twilio/sms", &fields).await
            }
            Channel::Generic => {
                let body = json!({"id": message.id, "from": message.from, "text": message.text});
                self.generic("dev", body.to_string()).await
            }
        }
    }

    /// Delivers it as often as it takes.
    pub(crate) async fn deliver_until_taken(&self, message: &Message) {
        while self.deliver(message).await != Answer::Taken {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A webhook of Messenger's, signed as Meta signs.
    pub(crate) async fn messenger(&self, inbox: &str, body: String) -> Answer {
        let mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap().chain_update(&body).finalize();
        let signature = format!("sha256={}", data_encoding::HEXLOWER.encode(&mac.into_bytes()));
        self.post(&format!("/webhooks/meta/{inbox}"), ("x-hub-signature-256", &signature), body).await
    }

    /// Messenger's word that a message of ours arrived.
    pub(crate) async fn messenger_delivered(&self, to: &str, provider_id: &str) -> Answer {
        let item = json!({
            "sender": {"id": to}, "recipient": {"id": "1"}, "timestamp": log::clock::now(),
            "delivery": {"mids": [provider_id], "watermark": log::clock::now()},
        });
        self.messenger("messenger", envelope(&item).to_string()).await
    }

    /// A form, signed as Twilio signs: the URL, then each field's name and value in the order of the names.
    pub(crate) async fn twilio(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut sorted = fields.to_vec();
        sorted.sort_unstable();
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(SECRET).unwrap();
        mac.update(format!("http://{}{path}", self.at.http).as_bytes());
        sorted.iter().for_each(|(name, value)| {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        });
        let signature = data_encoding::BASE64.encode(&mac.finalize().into_bytes());
        let url = format!("http://{}{path}", self.at.http);
        let request = self.http.post(url).header("x-twilio-signature", signature).form(fields);
        answer(request).await
    }

    pub(crate) async fn generic(&self, token: &str, body: String) -> Answer {
        self.post("/webhooks/generic/generic", ("authorization", &format!("Bearer {token}")), body).await
    }

    pub(crate) async fn post(&self, path: &str, header: (&str, &str), body: String) -> Answer {
        let url = format!("http://{}{path}", self.at.http);
        let request = self.http.post(url).header("content-type", "application/json");
        answer(request.header(header.0, header.1).body(body)).await
    }

    /// A mail as it stands; without a sender it is one of a mail server's own.
    pub(crate) async fn mail(&self, from: Option<&str>, bytes: &[u8]) -> Answer {
        self.mail_to("support@example.test", from, bytes).await
    }

    pub(crate) async fn mail_to(&self, to: &str, from: Option<&str>, bytes: &[u8]) -> Answer {
        let from = from.map(|from| from.parse().unwrap());
        let envelope = Envelope::new(from, vec![to.parse().unwrap()]).unwrap();
        match self.smtp.send_raw(&envelope, bytes).await {
            Ok(_) => Answer::Taken,
            Err(error) => match error.status() {
                Some(code) => Answer::Refused(u16::from(code), error.to_string()),
                None => Answer::Silence(error.to_string()),
            },
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    match request.send().await {
        Ok(response) if response.status().is_success() => Answer::Taken,
        Ok(response) => {
            let status = response.status().as_u16();
            Answer::Refused(status, response.text().await.unwrap_or_default())
        }
        Err(error) => Answer::Silence(error.to_string()),
    }
}

fn envelope(item: &serde_json::Value) -> serde_json::Value {
    json!({"object": "page", "entry": [{"id": "1", "time": log::clock::now(), "messaging": [item]}]})
}

fn messenger_body(message: &Message) -> String {
    let item = json!({
        "sender": {"id": message.from}, "recipient": {"id": "1"}, "timestamp": message.at,
        "message": {"mid": message.id, "text": message.text},
    });
    envelope(&item).to_string()
}

/// The mail as the customer's program wrote it (RFC 5322).
fn mail_bytes(message: &Message) -> Vec<u8> {
    let letter = &message.letter;
    let mut mail = format!(
        "From: {}\r\nTo: support@example.test\r\nSubject: {}\r\nMessage-ID: <{}>\r\n",
        message.from, letter.subject, message.id
    );
    if let Some(id) = &letter.in_reply_to {
        mail += &format!("In-Reply-To: <{id}>\r\n");
    }
    if !letter.references.is_empty() {
        let ids: Vec<String> = letter.references.iter().map(|id| format!("<{id}>")).collect();
        mail += &format!("References: {}\r\n", ids.join("\r\n "));
    }
    mail += &format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n", message.text);
    mail.into_bytes()
}
