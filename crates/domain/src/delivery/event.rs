//! What happened to a message on its way out.

use std::sync::Arc;

use crate::{
    ConversationId, InboxId, MessageId, Party, Relay, Route, TenantId, Timestamp,
    conversation::{self, Outgoing, Progress, Suppression, Withheld},
};

use super::MailboxMark;

#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant, reason = "most of them carry a message, and none is kept for long")]
pub enum Event {
    /// The message is to leave; it waits behind earlier ones to the same party.
    Queued {
        conversation: ConversationId,
        message: MessageId,
        outgoing: Outgoing,
    },
    /// An attempt is about to be made. It is made only once this was read back.
    SendStarted {
        message: MessageId,
        attempt: u32,
    },
    Sent {
        conversation: ConversationId,
        message: MessageId,
        attempt: u32,
        provider_id: Arc<str>,
    },
    RetryScheduled {
        message: MessageId,
        attempt: u32,
        due: Timestamp,
        code: Arc<str>,
        reason: Arc<str>,
        /// It was announced, and not made: it counts as none.
        not_made: bool,
    },
    Failed {
        conversation: ConversationId,
        message: MessageId,
        attempt: u32,
        code: Arc<str>,
        reason: Arc<str>,
        /// The address itself is dead.
        dead: bool,
    },
    /// The attempt was started and its outcome is not known yet: the sender is asked whether it can tell.
    OutcomeLost {
        message: MessageId,
        attempt: u32,
    },
    /// Nobody knows, and it is not sent again.
    OutcomeUnknown {
        conversation: ConversationId,
        message: MessageId,
        attempt: u32,
        reason: Arc<str>,
    },
    /// There is nobody at this address, which is another of the contact whose conversation the message is from.
    AddressDead {
        tenant: TenantId,
        party: Party,
    },
    /// It may not leave yet, and waits beside the party's line.
    Held {
        conversation: ConversationId,
        message: MessageId,
        until: Timestamp,
    },
    /// It stands at the end of the party's line now.
    Released {
        message: MessageId,
    },
    /// It had not left, and will not.
    Withheld {
        conversation: ConversationId,
        message: MessageId,
        because: Withheld,
    },
    /// It was to be sent no more while an attempt was under way: that is the last one.
    LastAttempt {
        message: MessageId,
        because: Withheld,
    },
    /// The inbox's mailbox was read so far.
    MailboxMarked {
        inbox: InboxId,
        mark: MailboxMark,
    },
}

impl Event {
    pub(super) fn relay(&self) -> Option<(Route, Relay)> {
        let (conversation, message, progress) = match self {
            Event::Sent { conversation, message, provider_id, .. } => {
                (conversation, message, Progress::Sent { provider_id: provider_id.clone() })
            }
            Event::Failed { conversation, message, code, reason, dead, .. } => {
                let (code, reason) = (code.clone(), reason.clone());
                (conversation, message, Progress::Failed { code, reason, dead: *dead })
            }
            Event::AddressDead { tenant, party } => {
                let (tenant, party, cause) = (tenant.clone(), *party, Suppression::DeadAddress);
                let command = conversation::Command::Suppress { tenant, party, cause };
                return Some((Route::Party(party), Relay::Conversation(command)));
            }
            Event::OutcomeUnknown { conversation, message, .. } => (conversation, message, Progress::Unknown),
            Event::Held { conversation, message, until } => {
                (conversation, message, Progress::Held { until: *until })
            }
            Event::Withheld { conversation, message, because } => {
                (conversation, message, Progress::Withheld { because: *because })
            }
            _ => return None,
        };
        let command =
            conversation::Command::Progress { conversation: *conversation, message: *message, progress };
        Some((Route::Party(conversation.party), Relay::Conversation(command)))
    }
}
