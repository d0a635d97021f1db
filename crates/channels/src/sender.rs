//! The way out: what a delivery worker asks of a channel, and what the channel may answer.

use async_trait::async_trait;

use crate::Attachment;

/// One message to one customer, in plaintext, at the moment it leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Stable over retries and restarts; goes to the provider wherever it has a place for such a key.
    pub key: String,
    /// The customer's address on the channel.
    pub to: String,
    pub text: String,
    /// Answers offered for tapping, where the channel can show them.
    pub quick_replies: Vec<String>,
    pub attachments: Vec<Attachment>,
    /// When the message was decided, in milliseconds since the epoch.
    pub at: i64,
    /// A person wrote it (platforms treat a bot's and a person's messages differently).
    pub by_person: bool,
    /// E-mail only: how the answer finds its thread and its way back.
    pub thread: Option<Thread>,
    /// What chat platforms take besides.
    pub chat: Chat,
}

/// What a chat platform shows, and what it wants to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat {
    pub rich: Option<Box<domain::Rich>>,
    /// Until when the platform takes it; none where it sets no bounds.
    pub window: Option<domain::conversation::Window>,
    /// The name of the person who wrote it, for customers.
    pub signed: Option<String>,
}

/// What a mail needs besides, first of all to stand in the customer's thread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thread {
    pub subject: String,
    /// The customer's last Message-ID, without angle brackets.
    pub in_reply_to: Option<String>,
    pub references: Vec<String>,
    /// A signed reference to the conversation: goes into our Message-ID and the Reply-To's local part.
    pub reference: String,
    /// How what is answered begins.
    pub quote: String,
    /// When that was written, in milliseconds since the epoch.
    pub written_at: Option<i64>,
    /// The name of the person who wrote it, for customers.
    pub signed: Option<String>,
    /// A signed reference under which the customer unsubscribes, where this is no answer to the customer.
    pub unsubscribe: Option<String>,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it and gave it this id.
    Sent { provider_id: String },
    /// The provider did not take it and may later; `after` is its own wish, in milliseconds, if it had one.
    Retry { code: String, reason: String, after: Option<u64> },
    /// No attempt was made: it is not this message's turn for so long, in milliseconds.
    NotYet { code: String, reason: String, after: u64 },
    /// The provider will never take it.
    Refused { code: String, reason: String },
    /// The provider will never take it, nor anything else for this address: there is nobody.
    Dead { code: String, reason: String },
    /// It may or may not have been taken: the connection broke after the request had left.
    Unknown { reason: String },
}

/// What a provider can tell, later, about an attempt whose outcome was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Sent {
        provider_id: String,
    },
    /// No attempt with this key has reached the customer, and none of them still can: it is made again.
    NotSent,
    /// Anything less certain than the other two.
    CannotTell,
}

/// One inbox's way out. Holds its own connections; is asked by one delivery worker at a time for a lane.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Makes one attempt. Bounded in time by the sender itself.
    async fn send(&self, message: &Outgoing) -> Outcome;

    /// True where sending the same key twice reaches the customer once.
    fn deduplicates(&self) -> bool {
        false
    }

    /// Asks what became of an earlier attempt with this key. Most providers cannot tell.
    ///
    /// The earlier attempt may not be over: a worker that was deposed without knowing it may still be about to make it.
    /// So [`Lookup::NotSent`] may be answered only where a late attempt does no harm, because the sender
    /// [deduplicates](Sender::deduplicates) by the key, or where it can be excluded, because nobody but this process sends
    /// here (the sandbox). A provider's list of messages in which the key is missing is neither.
    async fn lookup(&self, _key: &str) -> Lookup {
        Lookup::CannotTell
    }
}
