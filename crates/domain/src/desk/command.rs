//! What a desk may be told or asked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, Channel, CommandId, ConversationId, DeskId, OfferId, QueueId, TenantId, Timestamp,
    conversation::Transfer, policy::Special,
};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Command {
    // Relays, from conversations.
    /// A conversation waits for a person.
    Enqueue {
        conversation: ConversationId,
        owner_epoch: u32,
        channel: Channel,
        queue: QueueId,
        since: Timestamp,
        /// It was with this desk before: to the head of the line.
        again: bool,
        /// Only this agent is wanted, as long as the agent is there; otherwise anyone of the queue.
        agent: Option<AgentId>,
        /// That agent is waited for until then.
        agent_until: Option<Timestamp>,
        /// That agent asked for it, and is not asked again.
        by_request: bool,
        /// What it has beyond others of the queue.
        special: Option<Arc<Special>>,
    },
    /// A conversation no longer waits.
    Withdraw {
        conversation: ConversationId,
        owner_epoch: u32,
    },
    /// The conversation is the accepting agent's: `Assigned` stands in its log.
    Confirm {
        offer: OfferId,
        command: CommandId,
    },
    /// The conversation is not to be had any more.
    Refuse {
        offer: OfferId,
        command: CommandId,
    },
    /// The agent no longer holds the conversation.
    Release {
        assignment: OfferId,
    },
    /// The agent has put the conversation away: nothing is left to do for now.
    PutAway {
        assignment: OfferId,
    },

    /// A conversation's agent asks another in, or someone of a queue.
    Consult {
        conversation: ConversationId,
        consult: CommandId,
        by: AgentId,
        whom: Transfer,
    },
    /// Nobody is consulted about it any more.
    EndConsult {
        desk: DeskId,
        consult: CommandId,
    },

    // Commands, from agents.
    /// The agent is there (or away, or gone). `until` ends the lease unless it is renewed by saying so again.
    SetPresence {
        agent: AgentId,
        presence: Presence,
        until: Timestamp,
    },
    Accept {
        agent: AgentId,
        offer: OfferId,
    },
    Decline {
        agent: AgentId,
        offer: OfferId,
    },
    /// The agent has finished what was left to do for a conversation that is over.
    FinishWrapUp {
        agent: AgentId,
        assignment: OfferId,
    },

    /// A new policy of this tenant is in force.
    PolicyChanged {
        tenant: TenantId,
    },
    /// A new leader takes over: what these rules would have decided is decided now.
    Recover,
    TimerFired(TimerId),
}

/// Whether an agent can be offered conversations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Presence {
    Available,
    /// Keeps what is assigned, is offered nothing.
    Away,
    /// Gives back what is assigned.
    Offline,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TimerId {
    /// The agent's lease ends.
    Lease(AgentId),
    /// The agent has not answered the offer.
    Offer(OfferId),
    /// Everyone suitable had refused the conversation; they may be asked again.
    Rested(ConversationId),
    /// One decision could not hold all that must follow; the desk goes on.
    Deferred(DeskId),
    /// The agent whom the conversation wants was waited for long enough.
    Grace(ConversationId),
    /// Someone in the queue has waited so long that something changes by that.
    Look(QueueId),
    /// The time for finishing what was left to do is over.
    WrapUp(OfferId),
}
