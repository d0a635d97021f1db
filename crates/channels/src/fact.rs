//! What a channel reports, in one shape for all of them: the output of every `normalize`.
//!
//! Facts are plaintext and never leave the edge as they are: the intake seals what is personal before anything
//! is written. Serialized, a fact is one line of `tributary normalize`.

use bytes::Bytes;
use data_encoding::HEXLOWER;
pub use domain::{Attachment, Channel};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::email::{Bounced, Envelope};

/// What happened, as the provider tells it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    Message,
    Postback,
    Referral,
    Optin,
    OptOut,
    Delivery,
    Read,
    Failed,
    Echo,
    Reaction,
    /// A message was changed: see [`Fact::reply_to`].
    Edit,
    /// A message was taken back: see [`Fact::reply_to`].
    Unsend,
    /// Which application answers the customer: see [`Fact::elsewhere`].
    Handover,
    /// The customer has another address: see [`Fact::known_as`].
    KnownAs,
    /// The platform speaks to the business, and of no customer.
    Notice,
    Link,
    Bounce,
    AutoReply,
    Complaint,
    Unknown,
    /// Understood, and none of ours: nothing of it is kept.
    Ignored,
}

impl FactKind {
    /// The name it has when serialized, and in a fact's identity.
    pub fn as_str(self) -> &'static str {
        match self {
            FactKind::Message => "message",
            FactKind::Postback => "postback",
            FactKind::Referral => "referral",
            FactKind::Optin => "optin",
            FactKind::OptOut => "opt_out",
            FactKind::Delivery => "delivery",
            FactKind::Read => "read",
            FactKind::Failed => "failed",
            FactKind::Echo => "echo",
            FactKind::Reaction => "reaction",
            FactKind::Edit => "edit",
            FactKind::Unsend => "unsend",
            FactKind::KnownAs => "known_as",
            FactKind::Notice => "notice",
            FactKind::Ignored => "ignored",
            FactKind::Handover => "handover",
            FactKind::Link => "link",
            FactKind::Bounce => "bounce",
            FactKind::AutoReply => "auto_reply",
            FactKind::Complaint => "complaint",
            FactKind::Unknown => "unknown",
        }
    }
}

/// One thing that one customer address did, or that happened to a message of ours to it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Fact {
    pub kind: FactKind,
    pub channel: Channel,
    /// The business's own endpoint this came in by, as configured; for `tributary normalize` without `--inbox`,
    /// the provider's own name for it (a Page id, a mailbox, a number).
    pub inbox: String,
    /// The customer's id on the channel: a PSID, an e-mail address (lower case), an E.164 number.
    pub address: String,
    /// The provider's id of the item; for receipts, of the message they speak of.
    pub external_id: Option<String>,
    /// When the provider says it happened, in milliseconds since the epoch; RFC 3339 in UTC when serialized.
    #[serde(serialize_with = "rfc3339")]
    pub sent_at: Option<i64>,
    /// What the customer wrote; for e-mail the new part only.
    pub text: Option<String>,
    /// The machine-readable part of a tap: a postback's or quick reply's payload, a button's id.
    pub payload: Option<String>,
    pub attachments: Vec<Attachment>,
    pub referral: Option<Referral>,
    /// The provider's id of the message this one answers, reacts to, changes or takes back.
    pub reply_to: Option<String>,
    /// For receipts that cover everything up to a time (Messenger's watermark): milliseconds since the epoch.
    #[serde(serialize_with = "rfc3339", skip_serializing_if = "Option::is_none")]
    pub watermark: Option<i64>,
    /// Why a message failed or bounced, or why an item is `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Set on an echo or a receipt that a send of ours caused: the idempotency key we put into the send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo_of: Option<String>,
    /// Another application holds this conversation on the platform: listen, never answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
    /// Of a handover: another application answers from here on, or this one does again. None: it is not over yet, or about
    /// something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<bool>,
    /// The application that wrote, took or gave, by the platform's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Another address of the same customer on this channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_as: Option<KnownAs>,
    /// What the platform charges for a message of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pricing: Option<Pricing>,
    /// Of an item that came in a batch and was not understood, or not all of it: its own bytes, to be kept instead of the
    /// whole body.
    #[serde(skip)]
    pub raw: Option<Bytes>,
    /// What the business itself answers, where the customer asks who writes. `{business}` stands for its name.
    #[serde(skip)]
    pub answer: Option<String>,
    #[serde(flatten)]
    pub mail: Option<Mail>,
}

impl Fact {
    /// A fact with everything optional left out.
    pub fn new(
        kind: FactKind,
        channel: Channel,
        inbox: impl Into<String>,
        address: impl Into<String>,
    ) -> Self {
        Fact {
            kind,
            channel,
            inbox: inbox.into(),
            address: address.into(),
            external_id: None,
            sent_at: None,
            text: None,
            payload: None,
            attachments: Vec::new(),
            referral: None,
            reply_to: None,
            watermark: None,
            reason: None,
            echo_of: None,
            standby: false,
            elsewhere: None,
            app: None,
            known_as: None,
            pricing: None,
            raw: None,
            answer: None,
            mail: None,
        }
    }

    /// What makes two facts of one inbox the same fact, as canonical bytes to be hashed with the inbox's id. With
    /// a provider's id it is kind and id; without one, the item itself. A mail is also told apart by its sender and
    /// body, since anyone can write any Message-ID.
    pub fn identity(&self) -> Vec<u8> {
        let mut bytes = Canonical::default();
        bytes.text(self.kind.as_str());
        if let Some(mail) = &self.mail {
            bytes.text("mail").option(self.external_id.as_deref());
            bytes.option(mail.message_id.as_deref()).option(mail.from.as_deref());
            bytes.field(&Sha256::digest(mail.body.as_deref().unwrap_or_default()));
        } else if let Some(id) = &self.external_id {
            bytes.text("id").text(id);
        } else {
            bytes.text("item").text(&self.address).number(self.sent_at).number(self.watermark);
            bytes.option(self.text.as_deref()).option(self.payload.as_deref());
            bytes.option(self.reply_to.as_deref()).option(self.reason.as_deref());
            bytes.option(self.echo_of.as_deref());
            if let Some(known_as) = &self.known_as {
                bytes.text("known_as").text(&known_as.address);
            }
            if let Some(referral) = &self.referral {
                bytes
                    .text("referral")
                    .option(referral.reference.as_deref())
                    .option(referral.source.as_deref());
                bytes.option(referral.kind.as_deref()).option(referral.ad_id.as_deref());
            }
            for attachment in &self.attachments {
                bytes.text("attachment").text(&attachment.kind).option(attachment.url.as_deref());
                bytes.option(attachment.content_type.as_deref()).option(attachment.name.as_deref());
            }
        }
        bytes.0
    }
}

/// Fields one after the other, each with its length before it, so that no two sequences give the same bytes.
#[derive(Default)]
struct Canonical(Vec<u8>);

impl Canonical {
    fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.field(text.as_bytes())
    }

    /// Absent and empty are different.
    fn option(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.field(b"+").text(text),
            None => self.field(b"-"),
        }
    }

    fn number(&mut self, number: Option<i64>) -> &mut Self {
        match number {
            Some(number) => self.field(&number.to_le_bytes()),
            None => self.field(b""),
        }
    }
}

/// How the customer found the conversation: an m.me link, an advertisement.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Referral {
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub source: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub ad_id: Option<String>,
    /// What the advertisement or post is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where it is, or where the customer was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The platform's id of this very click, to report back what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click: Option<String>,
}

/// See [`Fact::known_as`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct KnownAs {
    pub address: String,
    /// The customer is no longer reached at the address before.
    pub moved: bool,
}

/// See [`Fact::pricing`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Pricing {
    pub billable: Option<bool>,
    /// `service`, `utility`, `marketing`, …
    pub category: Option<String>,
    /// By conversation (`CBP`) or by message (`PMP`).
    pub model: Option<String>,
}

impl Referral {
    /// An advertisement led the customer here.
    pub(crate) fn is_ad(&self) -> bool {
        let says_so =
            |source: &String| source.eq_ignore_ascii_case("ads") || source.eq_ignore_ascii_case("ad");
        self.ad_id.is_some() || self.source.as_ref().is_some_and(says_so)
    }
}

/// What only e-mail has. Addresses are bare (`local@domain`, lower case); ids stand without angle brackets.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Mail {
    pub subject: Option<String>,
    pub from: Option<String>,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub message_id: Option<String>,
    pub references: Vec<String>,
    /// The whole readable text, quotes included.
    pub body: Option<String>,
    /// Of a bounce: what became of our mail, one for each recipient it speaks of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bounced: Vec<Bounced>,
    /// Only a person may answer it: a list brought it, it has been passed on too often, or nobody reads at its address.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub people_only: bool,
    /// Strings in this mail that may be references of ours, best first; only the vault can tell.
    #[serde(skip)]
    pub our_references: Vec<String>,
    /// How the mail was handed to us, where a mail server did so.
    #[serde(skip)]
    pub envelope: Option<Envelope>,
}

/// An id for an item that the provider gave none: half a SHA-256 over what makes it the item it is.
pub(crate) fn derived(prefix: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    format!("{prefix}-{}", HEXLOWER.encode(&hash.finalize()[..16]))
}

/// What a content type says an attachment is.
pub(crate) fn media_kind(content_type: &str) -> &'static str {
    match content_type.split('/').next() {
        Some("image") => "image",
        Some("audio") => "audio",
        Some("video") => "video",
        _ => "file",
    }
}

/// Bytes that are not what the provider documents at all: answered with an error, nothing is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}: {reason}")]
pub struct Malformed {
    pub what: &'static str,
    pub reason: String,
}

fn rfc3339<S: Serializer>(at: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
    match at.map(jiff::Timestamp::from_millisecond) {
        Some(Ok(at)) => to.collect_str(&at),
        _ => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [FactKind; 21] = [
        FactKind::Message,
        FactKind::Postback,
        FactKind::Referral,
        FactKind::Optin,
        FactKind::OptOut,
        FactKind::Delivery,
        FactKind::Read,
        FactKind::Failed,
        FactKind::Echo,
        FactKind::Reaction,
        FactKind::Handover,
        FactKind::Link,
        FactKind::Bounce,
        FactKind::AutoReply,
        FactKind::Complaint,
        FactKind::Unknown,
        FactKind::Edit,
        FactKind::Unsend,
        FactKind::KnownAs,
        FactKind::Notice,
        FactKind::Ignored,
    ];

    fn message() -> Fact {
        Fact::new(FactKind::Message, Channel::Messenger, "inbox", "customer")
    }

    fn identities(facts: &[Fact]) -> std::collections::HashSet<Vec<u8>> {
        facts.iter().map(Fact::identity).collect()
    }

    #[test]
    fn names_are_those_that_are_serialized() {
        for channel in Channel::ALL {
            assert_eq!(serde_json::to_value(channel).unwrap(), channel.as_str());
        }
        for kind in KINDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn with_a_provider_id_the_rest_does_not_matter() {
        let once = Fact { external_id: Some("m1".into()), text: Some("a".into()), ..message() };
        let again = Fact { sent_at: Some(5), standby: true, ..once.clone() };
        assert_eq!(once.identity(), again.identity());
        let echo = Fact { kind: FactKind::Echo, ..once.clone() };
        let other = Fact { external_id: Some("m2".into()), ..once.clone() };
        assert_eq!(identities(&[once, echo, other]).len(), 3);
    }

    #[test]
    fn without_one_every_part_of_the_item_matters() {
        let read = Fact { kind: FactKind::Read, sent_at: Some(1), watermark: Some(1), ..message() };
        let facts = [
            read.clone(),
            Fact { address: "other".into(), ..read.clone() },
            Fact { sent_at: None, ..read.clone() },
            Fact { watermark: Some(2), ..read.clone() },
            Fact { text: Some("x".into()), ..read.clone() },
            Fact { text: Some(String::new()), ..read.clone() },
            Fact { payload: Some("x".into()), ..read.clone() },
            Fact { reply_to: Some("x".into()), ..read.clone() },
            Fact { referral: Some(Referral::default()), ..read.clone() },
            Fact { attachments: vec![Attachment::default()], ..read },
        ];
        assert_eq!(identities(&facts).len(), facts.len());
    }

    #[test]
    fn a_forged_message_id_does_not_hide_another_mail() {
        let mail = |from: &str, body: &str| Fact {
            external_id: Some("id@example.test".into()),
            mail: Some(Mail {
                message_id: Some("id@example.test".into()),
                from: Some(from.into()),
                body: Some(body.into()),
                ..Mail::default()
            }),
            ..message()
        };
        let facts = [mail("a@x.test", "hello"), mail("b@x.test", "hello"), mail("a@x.test", "hello!")];
        assert_eq!(identities(&facts).len(), 3);
        assert_eq!(mail("a@x.test", "hello").identity(), facts[0].identity());
    }
}
