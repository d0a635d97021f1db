//! What a delivery lane may be told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ConversationId, InboxId, MessageId, Millis, Party,
    conversation::{Outgoing, Withheld},
};

use super::MailboxMark;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "most of them carry a message, and none is kept for long")]
pub enum Command {
    /// Relay, from a conversation: carry this out.
    Deliver {
        conversation: ConversationId,
        message: MessageId,
        outgoing: Outgoing,
    },
    /// Relay, from a conversation: what waits to be sent to this party is sent no more.
    Withhold {
        party: Party,
        because: Withheld,
    },
    /// Report, from the sender: what became of an attempt. Counts even from a deposed sender.
    Report {
        message: MessageId,
        attempt: u32,
        outcome: Outcome,
    },
    /// Report, from whoever fetches the inbox's mail: all up to here is durable. For the inbox's first lane.
    MarkMailbox {
        inbox: InboxId,
        mark: MailboxMark,
    },
    /// A new leader takes over: attempts that were started and have no outcome are unknown.
    Recover,
    TimerFired(TimerId),
}

/// What became of an attempt.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    Sent {
        provider_id: Arc<str>,
    },
    /// Not taken; may be later. `after` is the provider's own wish.
    Retry {
        code: Arc<str>,
        reason: Arc<str>,
        after: Option<Millis>,
    },
    /// No attempt was made: it is not this message's turn for so long.
    NotYet {
        code: Arc<str>,
        reason: Arc<str>,
        after: Millis,
    },
    /// Never taken.
    Refused {
        code: Arc<str>,
        reason: Arc<str>,
        /// The address itself is dead: nothing else would be taken either.
        dead: bool,
    },
    /// Perhaps taken. `resend` where sending again reaches the customer once all the same.
    Unknown {
        reason: Arc<str>,
        resend: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TimerId {
    /// It is time for the next attempt.
    Retry(MessageId),
    /// A message to this party was held until now.
    Held(Party),
}
