//! What events speak of: what is sent, and why a conversation goes where it goes.

use std::sync::Arc;

use crate::{AgentId, BotId, Channel, InboxId, MessageId, Sealed, TenantId, Timestamp};

use super::super::Window;

/// Everything that delivery needs to carry a message out.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Outgoing {
    pub tenant: TenantId,
    pub inbox: InboxId,
    pub channel: Channel,
    pub to: Sealed,
    pub body: Sealed,
    pub thread: Option<ThreadOf>,
    /// It is no answer, and may not leave before: there it is night.
    pub not_before: Option<Timestamp>,
    /// A person wrote it.
    pub by_person: bool,
    /// That person's name, for customers.
    pub signed: Option<Arc<str>>,
    /// Until when it may leave; none where the channel sets no bounds.
    pub window: Option<Window>,
}

/// The customer's message whose thread an answer stands in.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct ThreadOf {
    /// The item the thread is sealed under.
    pub message: MessageId,
    pub thread: Sealed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum HandOffReason {
    /// No bot greets in this inbox.
    NoBot,
    /// The bot handed over: the customer asked for a person, or the bot knew no answer.
    BotHandedOff,
    /// The bot did not answer in time.
    BotSilent,
    /// An agent transferred it.
    Transferred,
    /// The agent who had it is gone.
    AgentGone,
    /// Nobody took it in the queue before this one.
    Overflowed,
    /// It was with an agent not long ago, and goes on with that one if that can be.
    Returned,
    /// A supervisor gave it to someone.
    Reassigned,
    /// It was put away until now, or the customer wrote, or the agent who put it away wants it back.
    Woke,
    /// An agent split it off.
    Split,
    /// The bot may not answer: the customer got an automatic answer not long ago, or only a person may.
    HeldBack,
    /// The customer came by a link that leads there.
    Entered,
}

#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Closer {
    Bot(BotId),
    Agent(AgentId),
    Customer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum CloseReason {
    Done,
    OptedOut,
    /// It was taken into another conversation.
    Joined,
}

/// Why an agent is no longer consulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum ConsultEnd {
    /// One of the two said so.
    Said,
    /// Who was consulted is gone.
    AgentGone,
    /// The conversation left the agent who had it.
    Left,
}
