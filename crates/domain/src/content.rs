//! What people write, before and after sealing.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Party, Timestamp};

/// The kind of endpoint an inbox is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Messenger,
    Instagram,
    Whatsapp,
    Email,
    Sms,
    Generic,
}

impl Channel {
    pub const ALL: [Channel; 6] = [
        Channel::Messenger,
        Channel::Instagram,
        Channel::Whatsapp,
        Channel::Email,
        Channel::Sms,
        Channel::Generic,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Messenger => "messenger",
            Channel::Instagram => "instagram",
            Channel::Whatsapp => "whatsapp",
            Channel::Email => "email",
            Channel::Sms => "sms",
            Channel::Generic => "generic",
        }
    }

    pub fn named(name: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

/// Personal data under its subject's key: opaque here, opened only at the edges by whoever may.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sealed {
    /// Whose key it is sealed under.
    pub subject: Party,
    pub bytes: Bytes,
}

/// What is sealed, as a state keeps it: in memory of its own and no more, where [`Sealed`] shares the record's that it was
/// read from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Sealed", into = "Sealed")]
pub struct Kept {
    subject: Party,
    bytes: Box<[u8]>,
}

impl Kept {
    pub fn new(sealed: &Sealed) -> Self {
        Kept { subject: sealed.subject, bytes: Box::from(&sealed.bytes[..]) }
    }

    pub fn sealed(&self) -> Sealed {
        Sealed { subject: self.subject, bytes: Bytes::copy_from_slice(&self.bytes) }
    }
}

impl From<Sealed> for Kept {
    fn from(sealed: Sealed) -> Self {
        Kept { subject: sealed.subject, bytes: Vec::from(sealed.bytes).into_boxed_slice() }
    }
}

impl From<Kept> for Sealed {
    fn from(kept: Kept) -> Self {
        Sealed { subject: kept.subject, bytes: kept.bytes.into() }
    }
}

/// A message's plaintext. Exists only at the edges; the log holds it [`Sealed`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Content {
    /// What was written; for e-mail the new part only.
    pub text: String,
    /// The machine-readable part of a tap: a postback's or quick reply's payload.
    pub payload: Option<String>,
    pub attachments: Vec<Attachment>,
    /// Answers offered for tapping, on messages of ours.
    pub quick_replies: Vec<String>,
    /// E-mail: the subject.
    pub subject: Option<String>,
    /// E-mail: the whole readable text, quotes included, where it is more than `text`.
    pub body: Option<String>,
    /// What the provider sent, whole, where it is kept: e-mail always, other channels when it was not understood.
    pub raw: Option<Bytes>,
    /// E-mail: what could be told, when it came, of who wrote it.
    pub verdict: Option<Verdict>,
    /// What is shown beyond the text, on messages of ours.
    pub rich: Option<Box<crate::Rich>>,
}

/// Whether an e-mail is from whom it says, as it was judged once, when it came: keys and records change, and so may the
/// settings.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Verdict {
    /// The sender is who the mail says it is.
    pub authenticated: bool,
    /// Whose word that is: `tributary` (checked here), the name of a mail server that wrote it into the mail, or `inbox`
    /// (whoever hands mail in is trusted).
    pub by: String,
    /// Why, as one sentence.
    pub because: String,
    pub checks: Vec<Check>,
}

/// One thing that was checked of a mail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    pub method: Method,
    pub result: CheckResult,
    /// For which domain.
    pub domain: Option<String>,
    /// That domain speaks for the sender's.
    pub aligned: bool,
    /// What more there is to say: the policy of a DMARC record, why a signature fails.
    pub detail: Option<String>,
}

/// How a mail can show where it is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The server that sent it may do so for the domain of the return path (RFC 7208).
    Spf,
    /// A domain signed it (RFC 6376).
    Dkim,
    /// The domain of the sender says what the two are worth (RFC 7489).
    Dmarc,
    /// Who passed it on says how it was when it came there (RFC 8617).
    Arc,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Spf => "spf",
            Method::Dkim => "dkim",
            Method::Dmarc => "dmarc",
            Method::Arc => "arc",
        }
    }
}

/// Named as in RFC 8601 section 2.7.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    Pass,
    Fail,
    SoftFail,
    Neutral,
    None,
    TempError,
    PermError,
}

impl CheckResult {
    pub fn as_str(self) -> &'static str {
        match self {
            CheckResult::Pass => "pass",
            CheckResult::Fail => "fail",
            CheckResult::SoftFail => "softfail",
            CheckResult::Neutral => "neutral",
            CheckResult::None => "none",
            CheckResult::TempError => "temperror",
            CheckResult::PermError => "permerror",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Attachment {
    /// `image`, `audio`, `video`, `file`, `location`, `sticker`, `fallback`, …
    pub kind: String,
    pub url: Option<String>,
    pub content_type: Option<String>,
    pub name: Option<String>,
    /// The file itself, where a message of ours brings it along. Only e-mail can; others take it by its `url`.
    #[serde(skip)]
    pub data: Option<Bytes>,
}

/// What an answer by e-mail must repeat to stand in the customer's thread. Personal, so sealed like content.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MailThread {
    pub subject: String,
    /// The Message-ID answered, without angle brackets.
    pub message_id: String,
    pub references: Vec<String>,
    /// How what is answered begins: an answer quotes it.
    pub quote: String,
    /// When that was written.
    pub written_at: Option<Timestamp>,
}
