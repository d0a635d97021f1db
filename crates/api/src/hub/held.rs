//! What an agent holds, and the words in which a session hears that it changed.

use std::collections::BTreeMap;

use domain::{
    AgentId, Channel, ConversationId, InboxId, MessageId, OfferId, QueueId, Sealed, Timestamp,
    conversation::{ConsultEnd, Progress, ReceiptKind},
    desk::Presence,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) offer: OfferId,
    pub(crate) conversation: ConversationId,
    pub(crate) queue: QueueId,
    pub(crate) channel: Channel,
    pub(crate) expires_at: Timestamp,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) assignment: OfferId,
    pub(crate) conversation: ConversationId,
    pub(crate) inbox: InboxId,
    /// What whoever gave it away last left for this agent.
    pub(crate) note: Option<Sealed>,
    /// Until when the agent may answer, where there is such a bound.
    pub(crate) answer_until: Option<Timestamp>,
}

/// What is left to do about a conversation that is over.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct WrapUp {
    pub(crate) assignment: OfferId,
    pub(crate) conversation: ConversationId,
    pub(crate) until: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Accepted,
    Declined,
    Expired,
    Withdrawn,
}

/// How an agent came to hold a conversation no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Left {
    Closed,
    Transferred,
    AgentGone,
    /// By this supervisor; by an administrator, if by none.
    Reassigned(Option<AgentId>),
    Snoozed,
}

/// What an agent has put away.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Snooze {
    pub(crate) conversation: ConversationId,
    pub(crate) until: Timestamp,
}

/// An agent is asked in to a conversation that another one has.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Consult {
    pub(crate) conversation: ConversationId,
    pub(crate) inbox: InboxId,
    /// Who has it.
    pub(crate) by: AgentId,
    /// Who is asked in.
    pub(crate) agent: AgentId,
    pub(crate) note: Option<Sealed>,
}

/// What a session is told.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Update {
    /// The agent's presence was set, or renewed.
    Present(Presence),
    /// So many offers in a row expired that the agent is away.
    SentAway {
        expired: u32,
    },
    /// What the agent takes, or wants back, waits for the agent, who is away or has no room.
    NotYet {
        conversation: ConversationId,
        away: bool,
    },
    Offered(Offer),
    OfferEnded {
        offer: OfferId,
        how: Ending,
    },
    Assigned(Assignment),
    Released(Assignment, Left),
    WrapUp(WrapUp),
    WrapUpEnded(OfferId),
    Snoozed(Snooze),
    SnoozeEnded(ConversationId),
    Consult(Consult),
    ConsultEnded(Consult, ConsultEnd),
    Remarked {
        conversation: ConversationId,
        message: MessageId,
        by: AgentId,
        body: Sealed,
        at: Timestamp,
    },
    AnswerUntil {
        conversation: ConversationId,
        until: Timestamp,
    },
    Said {
        conversation: ConversationId,
        message: MessageId,
        by_agent: bool,
        body: Sealed,
        at: Timestamp,
    },
    Progress {
        conversation: ConversationId,
        message: MessageId,
        progress: Progress,
    },
    Receipt {
        conversation: ConversationId,
        message: MessageId,
        kind: ReceiptKind,
        reason: String,
    },
}

/// What an agent holds now.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Holdings {
    pub(crate) offers: BTreeMap<OfferId, Offer>,
    pub(crate) assignments: BTreeMap<OfferId, Assignment>,
    pub(crate) wrap_ups: BTreeMap<OfferId, WrapUp>,
    pub(crate) snoozed: BTreeMap<ConversationId, Snooze>,
    /// Those that the agent asked for, and those that it was asked in to.
    pub(crate) consults: BTreeMap<ConversationId, Consult>,
}

impl Holdings {
    pub(super) fn is_empty(&self) -> bool {
        self.offers.is_empty()
            && self.assignments.is_empty()
            && self.wrap_ups.is_empty()
            && self.snoozed.is_empty()
            && self.consults.is_empty()
    }
}
