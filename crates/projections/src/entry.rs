//! What a timeline is made of.

use std::{fmt, str::FromStr};

use domain::{
    AgentId, BotId, Channel, ContactId, ConversationId, InboxId, MessageId, Party, Sealed, Timestamp,
};

/// Whose timeline is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimelineOf {
    Conversation(ConversationId),
    /// All conversations of one address, and what belongs to none of them.
    Party(Party),
    /// All addresses that belong to the contact now.
    Contact(ContactId),
}

/// One thing that happened with a customer. A message, in or out, is exactly one entry.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Made of the entry's place in the log: the same after every rebuild, ascending within a party.
    pub id: i64,
    pub party: Party,
    pub inbox: InboxId,
    /// Unknown where the address never gave a sign of life of its own (the sender of a bounce).
    pub channel: Option<Channel>,
    /// None where it belongs to the party but to no conversation.
    pub conversation: Option<ConversationId>,
    /// When it was decided; for what a customer sent, a moment after it came.
    pub at: Timestamp,
    pub kind: EntryKind,
    pub author: Author,
    /// The message, where the entry is one.
    pub message: Option<MessageId>,
    pub body: Option<Body>,
    /// What more there is to say, by kind: see [`EntryKind`].
    pub detail: Option<String>,
    /// How far a message of ours has come. None until something is known, and for everything else.
    pub delivery: Option<Delivery>,
    /// The message it answers, or speaks of.
    pub about: Option<MessageId>,
    /// Its author took it back: there is no body to show.
    pub taken_back: bool,
}

/// A sealed [`domain::Content`] and the item it opens under.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Body {
    pub item: MessageId,
    pub sealed: Sealed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    pub status: DeliveryStatus,
    pub reason: Option<String>,
}

/// In the order in which they can come true: a later one replaces an earlier one, never the other way round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DeliveryStatus {
    /// Perhaps taken by the provider, perhaps not; it is not sent again.
    Unknown = 1,
    /// The provider took it.
    Sent = 2,
    /// It will not arrive.
    Failed = 3,
    /// The provider says it arrived.
    Delivered = 4,
    Read = 5,
}

impl DeliveryStatus {
    const ALL: [DeliveryStatus; 5] = [
        DeliveryStatus::Unknown,
        DeliveryStatus::Sent,
        DeliveryStatus::Failed,
        DeliveryStatus::Delivered,
        DeliveryStatus::Read,
    ];

    pub(crate) fn ranked(rank: i64) -> Option<DeliveryStatus> {
        DeliveryStatus::ALL.into_iter().find(|status| *status as i64 == rank)
    }
}

/// Who did it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Author {
    Customer,
    Bot(BotId),
    Agent(AgentId),
    System,
}

/// `customer`, `bot:NAME`, `agent:TENANT/DESK/NAME`, `system`.
impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Author::Customer => f.write_str("customer"),
            Author::Bot(bot) => write!(f, "bot:{bot}"),
            Author::Agent(agent) => write!(f, "agent:{agent}"),
            Author::System => f.write_str("system"),
        }
    }
}

impl FromStr for Author {
    type Err = Unnamed;

    fn from_str(text: &str) -> Result<Self, Unnamed> {
        let author = match text.split_once(':') {
            None if text == "customer" => Some(Author::Customer),
            None if text == "system" => Some(Author::System),
            Some(("bot", name)) => name.parse().ok().map(Author::Bot),
            Some(("agent", name)) => name.parse().ok().map(Author::Agent),
            _ => None,
        };
        author.ok_or_else(|| Unnamed::new("an author", text))
    }
}

/// Text in a row that names nothing known: the row was written by another version, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct Unnamed {
    what: &'static str,
    text: String,
}

impl Unnamed {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Unnamed { what, text: text.to_owned() }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What happened, named as its event.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum EntryKind {
            $($(#[$doc])* $kind,)*
        }

        impl EntryKind {
            pub fn as_str(self) -> &'static str {
                match self {
                    $(EntryKind::$kind => $name,)*
                }
            }
        }

        impl FromStr for EntryKind {
            type Err = Unnamed;

            fn from_str(text: &str) -> Result<Self, Unnamed> {
                match text {
                    $($name => Ok(EntryKind::$kind),)*
                    _ => Err(Unnamed::new("a kind of timeline entry", text)),
                }
            }
        }
    };
}

kinds! {
    Opened = "opened",
    Reopened = "reopened",
    /// Detail: `unauthenticated` where it is not certain that the sender is who it says, else `postback` where it
    /// is one.
    MessageReceived = "message_received",
    /// Detail: `referral`, `optin`, `reaction`, `handover`, `link`, `bounce`, `auto_reply`, `complaint`, `unknown`,
    /// `overheard`, `edit`, `unsend` or `notice`; behind a space, where there is a referral with one, its ref.
    Noted = "noted",
    /// Detail: why it could not be understood.
    UnreadableKept = "unreadable_kept",
    OptedOut = "opted_out",
    OptedIn = "opted_in",
    /// Nothing is sent there from here on. Detail: `dead_address`, `complaint` or `unsubscribed`.
    Suppressed = "suppressed",
    /// Detail: as of `suppressed`; behind a space the operator who lifted it, unless the customer wrote.
    SuppressionLifted = "suppression_lifted",
    /// By a link of the workspace. Detail: its name.
    Entered = "entered",
    /// The customer showed a token that was made for a contact; detail: that contact. Its body is what the token is about.
    Tied = "tied",
    /// The customer showed a token, and is who it was before. Detail: `unknown`, `expired`, `used`, `no_contact` or
    /// `anothers_address`.
    NotTied = "not_tied",
    BotEngaged = "bot_engaged",
    BotReplied = "bot_replied",
    /// Detail: `no_bot`, `bot_handed_off`, `bot_silent`, `transferred`, `agent_gone`, `overflowed`, `returned`,
    /// `reassigned`, `woke`, `split`, `held_back` or `entered`; behind a space the queue.
    AgentWanted = "agent_wanted",
    Assigned = "assigned",
    /// Its body, if it has one, is the agent's note to whoever comes next.
    Transferred = "transferred",
    /// By a supervisor, or by an administrator (then the author is the system); its body is as of a transfer.
    Reassigned = "reassigned",
    /// By who has the conversation; the detail is the agent who was asked in, the body what was left for that one.
    ConsultBegan = "consult_began",
    /// Its author is who looked on.
    ConsultEnded = "consult_ended",
    /// Between the agent who has it and the one who looks on: not for the customer.
    Remarked = "remarked",
    /// Detail: until when, in milliseconds since the Unix epoch.
    Snoozed = "snoozed",
    /// By an agent. Stands where the split begins, in the conversation that goes on without what follows; detail: the
    /// conversation that it is in now, and behind a space the first message.
    Split = "split",
    /// By an agent; detail: the conversation whose entries stand in this one from here on.
    Joined = "joined",
    /// By an agent; detail: the conversation of another address that this one goes on for.
    AddressJoined = "address_joined",
    /// By an agent, who took that back; detail as before.
    AddressParted = "address_parted",
    /// By an agent; detail: the conversation of another address that goes on for this one.
    TakenIn = "taken_in",
    TakenOut = "taken_out",
    Replied = "replied",
    /// The business's own message, written with another application; its author is the system.
    AnsweredElsewhere = "answered_elsewhere",
    /// Another application answers from here on. Detail: that application, where it is known.
    ThreadTaken = "thread_taken",
    /// It is answered here again. Detail: as of `thread_taken`.
    ThreadReturned = "thread_returned",
    /// The customer has another address on this channel. Detail: that party; behind a space `moved` where the one before is
    /// none any more.
    KnownAs = "known_as",
    /// The business itself: the queue is closed.
    AwaySaid = "away_said",
    /// Detail: `done`, `opted_out` or `joined`.
    Closed = "closed",
}
