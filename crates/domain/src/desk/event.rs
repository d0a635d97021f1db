//! What happened at a desk.

use crate::{
    AgentId, Channel, Code, CommandId, ConversationId, DeskId, OfferId, QueueId, Rejection, Relay, Route,
    Settles, Timestamp, conversation,
};

use super::Presence;

#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    Enqueued {
        conversation: ConversationId,
        owner_epoch: u32,
        channel: Channel,
        queue: QueueId,
        priority: i32,
        since: Timestamp,
        again: bool,
        agent: Option<AgentId>,
    },
    /// The conversation waits here no more (without having been assigned).
    Dequeued {
        conversation: ConversationId,
        queue: QueueId,
        because: LeftQueue,
    },
    PresenceSet {
        agent: AgentId,
        presence: Presence,
        until: Timestamp,
    },
    /// The lease ended without being renewed.
    LeaseLapsed {
        agent: AgentId,
    },

    // The life of a reservation: one `Offered`, then exactly one of the four endings.
    Offered {
        offer: OfferId,
        conversation: ConversationId,
        owner_epoch: u32,
        agent: AgentId,
        queue: QueueId,
        channel: Channel,
        expires_at: Timestamp,
    },
    /// The agent said yes; the conversation is asked. The reservation goes on until it answers.
    AcceptRequested {
        offer: OfferId,
        conversation: ConversationId,
        owner_epoch: u32,
        agent: AgentId,
        command: CommandId,
    },
    /// Ending 1: the conversation is the agent's; from here the offer is an assignment.
    Accepted {
        offer: OfferId,
        conversation: ConversationId,
        agent: AgentId,
        command: CommandId,
    },
    /// Ending 2. The conversation goes on waiting; this agent is not offered it again.
    Declined {
        offer: OfferId,
        conversation: ConversationId,
        agent: AgentId,
    },
    /// Ending 3. Like declined.
    Expired {
        offer: OfferId,
        conversation: ConversationId,
        agent: AgentId,
    },
    /// Ending 4. `command` is the acceptance that was under way, if one was.
    Withdrawn {
        offer: OfferId,
        conversation: ConversationId,
        agent: AgentId,
        because: WithdrawnBecause,
        command: Option<CommandId>,
    },

    /// An assignment ended: the agent has room again.
    AssignmentEnded {
        assignment: OfferId,
        agent: AgentId,
        conversation: ConversationId,
    },
    /// The agent is gone; the conversation is asked to go back to its queue. The load counts until it has.
    GivingBack {
        assignment: OfferId,
        agent: AgentId,
        conversation: ConversationId,
    },

    /// More follows than one decision may hold; a timer due at once goes on.
    WorkDeferred {
        desk: DeskId,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum LeftQueue {
    Assigned,
    Withdrawn,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum WithdrawnBecause {
    /// The conversation no longer waits.
    ConversationGone,
    /// The agent left, or the lease lapsed.
    AgentGone,
    /// A new policy leaves no room for it.
    PolicyChanged,
}

impl Event {
    pub(super) fn relay(&self) -> Option<(Route, Relay)> {
        let to = |conversation: &ConversationId, command| {
            Some((Route::Party(conversation.party), Relay::Conversation(command)))
        };
        match self {
            Event::AcceptRequested { offer, conversation, owner_epoch, agent, command } => to(
                conversation,
                conversation::Command::Assign {
                    conversation: *conversation,
                    owner_epoch: *owner_epoch,
                    offer: offer.clone(),
                    agent: agent.clone(),
                    command: *command,
                },
            ),
            Event::GivingBack { assignment, conversation, .. } => to(
                conversation,
                conversation::Command::GiveBack {
                    conversation: *conversation,
                    assignment: assignment.clone(),
                },
            ),
            _ => None,
        }
    }

    pub(super) fn settles(&self) -> Option<Settles> {
        match self {
            Event::AcceptRequested { command, .. } => Some(Settles::Pending(*command)),
            Event::Accepted { command, .. } => Some(Settles::Now(*command, Ok(()))),
            Event::Withdrawn { command: Some(command), .. } => Some(Settles::Now(
                *command,
                Err(Rejection::new(Code::OfferEnded, "the conversation no longer waits for this agent")),
            )),
            _ => None,
        }
    }
}
