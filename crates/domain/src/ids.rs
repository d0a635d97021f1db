//! Names of things. An id embeds what its partition is chosen by, so that whoever holds an id knows where to
//! send what concerns it: a conversation id its party, an agent's, a queue's or an offer's id their desk.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Text that does not name what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct BadId {
    pub what: &'static str,
    pub text: String,
}

/// Short names that people choose in configuration: letters, digits, `-`, `_` and `.`, at most 64.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name's text, shared.
            pub fn shared(&self) -> Arc<str> {
                self.0.clone()
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                if is_name(text) { Ok($name(text.into())) } else { Err(BadId { what: $what, text: text.into() }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

names! {
    /// A business that shares the installation with others.
    TenantId, "a tenant's name";
    /// The business's own endpoint: a Page, a mailbox, a number. Unique in the installation.
    InboxId, "an inbox's name";
    /// A bot, unique in its tenant.
    BotId, "a bot's name";
    /// Opening hours, unique in their tenant.
    HoursId, "a name of opening hours";
    /// A link that customers come in by, unique in its tenant.
    LinkId, "a link's name";
    /// Something that agents know, unique in its tenant.
    SkillId, "a skill's name";
    /// A language that agents speak, however the tenant writes it (`de`, `pt-BR`).
    LanguageId, "a language's name";
}

/// Sixteen bytes that mean nothing but themselves: keyed hashes and random ids, written as 32 hex digits.
macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = || BadId { what: $what, text: text.into() };
                if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(bad());
                }
                u128::from_str_radix(text, 16).map(|n| $name(n.to_be_bytes())).map_err(|_| bad())
            }
        }
    )*};
}

hashes! {
    /// An address within an inbox: a keyed hash of both, so the log does not tell who it is.
    Party, "a party";
    /// What a channel reported, once however often it is delivered: a keyed hash of (inbox, kind, provider id).
    FactId, "a fact's id";
    /// A command, scoped by tenant and principal: a hash of both and the caller's own id for it.
    CommandId, "a command's id";
    /// A keyed hash over a command's plaintext: the same id with another content is a conflict.
    ContentHash, "a content hash";
    /// One message, in or out. Inward it is the fact's id; outward it is derived from what decided it. It is also
    /// the item under which the message's content is sealed, and the idempotency key of its delivery.
    MessageId, "a message's id";
    /// A person in the owned ledger.
    ContactId, "a contact's id";
    /// A token in a link, which ties an address to a contact once.
    TokenId, "a token's id";
    /// One leader's rule over a partition: random, and never ruling twice.
    Epoch, "an epoch";
}

/// One of the conversations of one party.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConversationId {
    pub party: Party,
    /// 1 for the party's first conversation.
    pub number: u32,
}

/// What a bot is asked to answer. Carries the ownership epoch under which it was asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TurnId {
    pub conversation: ConversationId,
    /// The ownership epoch of the conversation: it grows with every change of owner.
    pub owner_epoch: u32,
    /// Counts the turns of the conversation, from 1.
    pub number: u32,
}

/// A tenant's team of agents, the unit that decides about capacity.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeskId {
    pub tenant: TenantId,
    pub name: Arc<str>,
}

/// A line of waiting conversations at a desk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QueueId {
    pub desk: DeskId,
    pub name: Arc<str>,
}

/// A person who answers. Has exactly one home desk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AgentId {
    pub desk: DeskId,
    pub name: Arc<str>,
}

/// An offer of one conversation to one agent; once accepted, the id of the assignment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OfferId {
    pub desk: DeskId,
    /// Counts the offers of the desk's partition, from 1.
    pub number: u64,
}

/// A share of an inbox's outgoing traffic; all messages to one party go through one lane.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Lane {
    pub inbox: InboxId,
    pub number: u8,
}

impl Lane {
    /// Lanes an inbox is cut into. Fixed for ever, like partition counts.
    pub const PER_INBOX: u8 = 4;

    pub fn of(inbox: InboxId, party: Party) -> Lane {
        Lane { inbox, number: party.0[15] % Lane::PER_INBOX }
    }
}

/// Ids written as `a/b`: `/` stands in no name, so the parts are told apart.
macro_rules! at_desk {
    ($($name:ident, $what:literal;)*) => {$(
        impl $name {
            pub fn new(desk: DeskId, name: &str) -> Result<Self, BadId> {
                if is_name(name) {
                    Ok($name { desk, name: name.into() })
                } else {
                    Err(BadId { what: $what, text: name.into() })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", self.desk, self.name)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = || BadId { what: $what, text: text.into() };
                let (desk, name) = text.rsplit_once('/').ok_or_else(bad)?;
                $name::new(desk.parse().map_err(|_| bad())?, name)
            }
        }
    )*};
}

at_desk! {
    QueueId, "a queue (TENANT/DESK/QUEUE)";
    AgentId, "an agent (TENANT/DESK/AGENT)";
}

impl DeskId {
    pub fn new(tenant: TenantId, name: &str) -> Result<Self, BadId> {
        if is_name(name) {
            Ok(DeskId { tenant, name: name.into() })
        } else {
            Err(BadId { what: "a desk's name", text: name.into() })
        }
    }
}

impl fmt::Display for DeskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.name)
    }
}

impl FromStr for DeskId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { what: "a desk (TENANT/DESK)", text: text.into() };
        let (tenant, name) = text.split_once('/').ok_or_else(bad)?;
        DeskId::new(tenant.parse().map_err(|_| bad())?, name)
    }
}

impl fmt::Display for OfferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.desk, self.number)
    }
}

impl FromStr for OfferId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { what: "an offer (TENANT/DESK/NUMBER)", text: text.into() };
        let (desk, number) = text.rsplit_once('/').ok_or_else(bad)?;
        Ok(OfferId { desk: desk.parse().map_err(|_| bad())?, number: number.parse().map_err(|_| bad())? })
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.party, self.number)
    }
}

impl FromStr for ConversationId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { what: "a conversation (PARTY-NUMBER)", text: text.into() };
        let (party, number) = text.split_once('-').ok_or_else(bad)?;
        Ok(ConversationId {
            party: party.parse().map_err(|_| bad())?,
            number: number.parse().map_err(|_| bad())?,
        })
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.conversation, self.owner_epoch, self.number)
    }
}

impl FromStr for TurnId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { what: "a turn (CONVERSATION.EPOCH.NUMBER)", text: text.into() };
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or_else(bad);
        let (conversation, owner_epoch, number) = (next()?, next()?, next()?);
        Ok(TurnId {
            conversation: conversation.parse().map_err(|_| bad())?,
            owner_epoch: owner_epoch.parse().map_err(|_| bad())?,
            number: number.parse().map_err(|_| bad())?,
        })
    }
}

/// Composite ids show themselves in debug output as they are written everywhere else.
macro_rules! debug_as_display {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

debug_as_display!(ConversationId, DeskId, QueueId, AgentId, OfferId);
