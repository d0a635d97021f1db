//! What happened at a desk.

use std::sync::Arc;

use crate::{
    AgentId, Channel, Code, CommandId, ConversationId, DeskId, OfferId, QueueId, Rejection, Relay, Route,
    Settles, Timestamp, conversation, policy::Special, relay::fnv1a,
};

use super::{Presence, Why, evolve::Concerns};

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
        agent_until: Option<Timestamp>,
        by_request: bool,
        /// What it has beyond others of the queue: its points come on top of `priority`.
        special: Option<Arc<Special>>,
    },
    /// Nobody could be asked for now.
    Waits {
        conversation: ConversationId,
        queue: QueueId,
        why: Why,
    },
    /// As the policy is, nobody could ever be asked: operators must act.
    Stranded {
        conversation: ConversationId,
        queue: QueueId,
        because: StrandedBecause,
    },
    /// Anyone will do from here on.
    PreferenceEnded {
        conversation: ConversationId,
        queue: QueueId,
        agent: AgentId,
        because: PreferenceEnded,
    },
    /// The conversation is asked to go on to another queue, and offered to nobody here meanwhile.
    Overflowing {
        conversation: ConversationId,
        owner_epoch: u32,
        queue: QueueId,
        to: QueueId,
        since: Timestamp,
        because: OverflowBecause,
    },
    /// The queue is closed until then, as far as that is known: whoever waits there is offered to nobody meanwhile.
    QueueClosed {
        conversation: ConversationId,
        owner_epoch: u32,
        queue: QueueId,
        until: Option<Timestamp>,
        /// The conversation is asked to tell the customer.
        say: bool,
    },
    /// The desk will look at the queue then: something changes by time alone.
    LookSet {
        queue: QueueId,
        at: Timestamp,
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
    /// The agent let so many offers in a row expire, and is away from here on, until the agent says otherwise.
    SentAway {
        agent: AgentId,
        expired: u32,
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
        /// None in what was decided before reasons were kept.
        why: Option<Why>,
    },
    /// The agent is not asked, by the queue's rule or because it was the agent who asked; the conversation is.
    AcceptedByRule {
        offer: OfferId,
        conversation: ConversationId,
        owner_epoch: u32,
        agent: AgentId,
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

    /// The conversation is over for the agent, whose room it takes until what is left to do is finished.
    WrapUpBegan {
        assignment: OfferId,
        agent: AgentId,
        conversation: ConversationId,
        until: Timestamp,
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

    /// An agent is asked in to look on: takes no room, and ends with [`Event::ConsultEnded`].
    ConsultBegan {
        consult: CommandId,
        conversation: ConversationId,
        agent: AgentId,
    },
    /// Nobody of those who were asked is available, or has time for one more.
    ConsultFailed {
        desk: DeskId,
        consult: CommandId,
        conversation: ConversationId,
    },
    ConsultEnded {
        consult: CommandId,
        conversation: ConversationId,
        agent: AgentId,
        /// The agent left; the conversation is told.
        gone: bool,
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

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum StrandedBecause {
    /// The policy has no such queue.
    NoQueue,
    /// No agent of the policy could take it, however long it waits.
    NoAgent,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum PreferenceEnded {
    AgentGone,
    /// The agent was waited for long enough.
    GraceOver,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum OverflowBecause {
    Waited,
    /// So many agents refused it.
    Refused,
    /// No agent of the policy could ever take it here.
    NoAgent,
    /// The queue is closed.
    Closed,
}

/// The command id under which an offer is accepted without asking: nobody's own, and the same every time.
pub fn acceptance_by_rule(offer: &OfferId) -> CommandId {
    let desk = fnv1a([offer.desk.tenant.as_str().as_bytes(), b"/", offer.desk.name.as_bytes()]);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&desk.to_be_bytes());
    id[8..].copy_from_slice(&offer.number.to_be_bytes());
    CommandId(id)
}

impl Event {
    /// The desk that decided it.
    pub fn desk(&self) -> &DeskId {
        Concerns::of(self).desk
    }

    pub(super) fn relay(&self) -> Option<(Route, Relay)> {
        let to = |conversation: &ConversationId, command| {
            Some((Route::Party(conversation.party), Relay::Conversation(command)))
        };
        let assign =
            |offer: &OfferId, conversation: &ConversationId, owner_epoch, agent: &AgentId, command| {
                let (offer, agent) = (offer.clone(), agent.clone());
                let conversation = *conversation;
                to(
                    &conversation,
                    conversation::Command::Assign { conversation, owner_epoch, offer, agent, command },
                )
            };
        match self {
            Event::AcceptRequested { offer, conversation, owner_epoch, agent, command } => {
                assign(offer, conversation, *owner_epoch, agent, *command)
            }
            Event::AcceptedByRule { offer, conversation, owner_epoch, agent } => {
                assign(offer, conversation, *owner_epoch, agent, acceptance_by_rule(offer))
            }
            Event::Overflowing { conversation, owner_epoch, to: queue, since, .. } => to(
                conversation,
                conversation::Command::Overflow {
                    conversation: *conversation,
                    owner_epoch: *owner_epoch,
                    to: queue.clone(),
                    since: *since,
                },
            ),
            Event::QueueClosed { conversation, owner_epoch, queue, until, say: true } => to(
                conversation,
                conversation::Command::TellAway {
                    conversation: *conversation,
                    owner_epoch: *owner_epoch,
                    queue: queue.clone(),
                    until: *until,
                },
            ),
            Event::ConsultBegan { consult, conversation, agent } => {
                let (consult, agent) = (*consult, Some(agent.clone()));
                let conversation = *conversation;
                to(&conversation, conversation::Command::ConsultAnswer { conversation, consult, agent })
            }
            Event::ConsultFailed { consult, conversation, .. } => {
                let (consult, conversation) = (*consult, *conversation);
                to(&conversation, conversation::Command::ConsultAnswer { conversation, consult, agent: None })
            }
            Event::ConsultEnded { consult, conversation, gone: true, .. } => {
                let (consult, conversation) = (*consult, *conversation);
                to(&conversation, conversation::Command::ConsultGone { conversation, consult })
            }
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
