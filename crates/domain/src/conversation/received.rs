//! What came in from a customer, as the edge hands it over.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Window;
use crate::{
    Channel, ContactId, ConversationId, InboxId, LinkId, MessageId, Party, Sealed, TenantId, Timestamp,
    TokenId, policy::Country,
};

/// Who is writing, and where.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Correspondent {
    pub tenant: TenantId,
    pub inbox: InboxId,
    pub channel: Channel,
    pub party: Party,
    /// The address on the channel, sealed under `party` as the item `MessageId(party.0)`.
    pub address: Sealed,
    /// Of a number that says so.
    pub country: Option<Country>,
    /// It is only a name, which nothing can be sent to.
    pub unanswerable: bool,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Received {
    pub from: Correspondent,
    pub kind: MessageKind,
    pub message: MessageId,
    /// The sealed [`crate::Content`], under item `message`.
    pub content: Sealed,
    /// When the provider says it was sent.
    pub sent_at: Timestamp,
    /// The edge could tell that the sender is who it says (a platform's signature; an e-mail's authentication).
    pub authenticated: bool,
    /// E-mail: what an answer must repeat, a sealed [`crate::MailThread`] under item `message`.
    pub thread: Option<Sealed>,
    /// E-mail: the conversation that a reference of ours in it names.
    pub placed: Option<ConversationId>,
    /// E-mail: only a person may answer it. It came over a list, say, or from an address that nobody reads.
    pub people_only: bool,
    /// E-mail whose sender may be anyone: the party of the address, where it is known again should it come a second time.
    pub home: Option<Party>,
    /// E-mail: what later mails are told to belong to this one by.
    pub marks: Option<Marks>,
    /// E-mail: what it answers.
    pub answers: Answers,
    /// Until when the platform lets the customer be answered, by this message; none where it sets no bounds.
    pub window: Option<Window>,
    /// The customer came by a link.
    pub entry: Option<Box<Entry>>,
    /// Other channels: the message it answers.
    pub reply_to: Option<Mention>,
    pub referral: Option<Box<Referral>>,
}

impl Received {
    /// It was taken in elsewhere than where its party's conversations are. (Mail that names another party's conversation
    /// was so once, too.)
    pub(super) fn is_astray(&self) -> bool {
        let elsewhere = |party: Party| party != self.from.party;
        self.home.is_some_and(elsewhere) || self.placed.is_some_and(|placed| elsewhere(placed.party))
    }
}

/// A message that a platform speaks of by its own id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mention {
    /// That id, as [`super::Sent::hash`] makes of it: of a message of ours.
    pub provider: u64,
    /// The message it is otherwise: the customer's, or one that was written elsewhere.
    pub message: MessageId,
}

/// What a platform charges for a message of ours.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Pricing {
    /// None where the platform does not say.
    pub billable: Option<bool>,
    /// In its words: `service`, `utility`, `marketing`, …
    pub category: Option<Arc<str>>,
    /// By conversation (`CBP`) or by message (`PMP`).
    pub model: Option<Arc<str>>,
}

/// How a customer came here: by a link or a code of the business's own, by an advertisement. Told by the platform; made by
/// the business, so it is not sealed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Referral {
    /// What the business wrote into the link. Whoever has the link can write something else.
    pub reference: Option<Arc<str>>,
    /// From where, in Messenger's words, whichever the platform: [`Referral::ADS`], `SHORTLINK`, `MESSENGER_CODE`, `POST`, …
    pub source: Option<Arc<str>>,
    /// `OPEN_THREAD`, in Messenger's words.
    pub kind: Option<Arc<str>>,
    /// The advertisement's id.
    pub ad: Option<Arc<str>>,
    /// What the advertisement or post is called.
    pub title: Option<Arc<str>>,
    /// Where it is, or where the customer was.
    pub url: Option<Arc<str>>,
}

impl Referral {
    /// The source of who tapped an advertisement.
    pub const ADS: &str = "ADS";

    pub fn is_ad(&self) -> bool {
        self.source.as_deref() == Some(Referral::ADS)
    }
}

/// How a customer came in, as far as the edge can tell: what else a platform says of it is part of the content.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// A link of the workspace.
    pub link: Option<LinkId>,
    pub token: Option<ShownToken>,
}

/// What stood in a link where a token stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ShownToken {
    /// We made it, for this tenant.
    Ours(Box<Token>),
    /// Nobody knows who made it: it was altered, or is another business's.
    Unknown,
}

/// A token that we made: whoever shows it first, and in time, is the contact. What it says stands in it, encrypted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Token {
    pub id: TokenId,
    pub contact: ContactId,
    pub expires_at: Timestamp,
    /// The item that `about` is sealed under.
    pub message: MessageId,
    /// What the customer comes about, an order say: a sealed [`crate::Content`], of the party that showed it.
    pub about: Option<Sealed>,
}

/// Why a token that was shown makes nobody a contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Untied {
    /// It was altered, or is another business's.
    Unknown,
    Expired,
    /// It was shown before.
    Used,
    /// The contact is gone, or has no room for an address more.
    NoContact,
    /// The address is known to be another contact's.
    AnothersAddress,
}

impl Untied {
    pub fn as_str(self) -> &'static str {
        match self {
            Untied::Unknown => "unknown",
            Untied::Expired => "expired",
            Untied::Used => "used",
            Untied::NoContact => "no_contact",
            Untied::AnothersAddress => "anothers_address",
        }
    }
}

/// What a mail is known by, as keyed hashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Marks {
    /// Of its Message-ID.
    pub id: Option<u64>,
    /// Of its subject, without what mail programs put before it.
    pub topic: u64,
}

/// What a mail says it answers, nearest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Answers {
    /// Messages of ours, to the same party.
    pub ours: Vec<MessageId>,
    /// Any mails, by the keyed hashes of their Message-IDs.
    pub mails: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum MessageKind {
    Message,
    Postback,
}

/// What is recorded without being a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum NoteKind {
    Referral,
    Optin,
    /// A message of the business's own, written elsewhere (another app, the platform's inbox).
    Echo,
    Reaction,
    Handover,
    Link,
    Bounce,
    AutoReply,
    /// The customer asks who writes, and how to make it end.
    Help,
    Complaint,
    Unknown,
    /// The customer wrote while another application had the conversation.
    Overheard,
    /// The customer changed a message.
    Edit,
    /// The customer took a message back.
    Unsend,
    /// The platform says something to the business: it has broken a rule, say.
    Notice,
}

impl NoteKind {
    /// As readers are told it.
    pub fn as_str(self) -> &'static str {
        match self {
            NoteKind::Referral => "referral",
            NoteKind::Optin => "optin",
            NoteKind::Echo => "echo",
            NoteKind::Reaction => "reaction",
            NoteKind::Handover => "handover",
            NoteKind::Link => "link",
            NoteKind::Bounce => "bounce",
            NoteKind::AutoReply => "auto_reply",
            NoteKind::Complaint => "complaint",
            NoteKind::Help => "help",
            NoteKind::Unknown => "unknown",
            NoteKind::Overheard => "overheard",
            NoteKind::Edit => "edit",
            NoteKind::Unsend => "unsend",
            NoteKind::Notice => "notice",
        }
    }

    /// The customer did it.
    pub fn by_customer(self) -> bool {
        matches!(
            self,
            NoteKind::Referral
                | NoteKind::Optin
                | NoteKind::Reaction
                | NoteKind::Link
                | NoteKind::Overheard
                | NoteKind::Edit
                | NoteKind::Unsend
                | NoteKind::Help
        )
    }
}
