//! A conversation of another address, taken into the one that an agent has: the agent is sure that both are one person.
//!
//! ```text
//! Join ──▶ JoinAsked ──relay──▶ the other address: TakenIn, closed ──relay──▶ AddressJoined ──relay──▶ one contact
//! Part ──▶ PartAsked ──relay──▶ the other address: TakenOut, open  ──relay──▶ AddressParted ──relay──▶ two contacts
//! ```
//!
//! What was said stays where it was said, sealed under whoever said it: the contact's timeline shows both. What comes from
//! the other address later opens its conversation again, with the agent who took it in, and is answered there. The agent is
//! answered once the other address has agreed, or has not.

use crate::{
    AgentId, Channel, Code, CommandId, Context, ConversationId, InboxId, OfferId, QueueId, Rejection,
};

use super::{
    CloseReason, Closer, Conversations, Event, HandOffReason, What,
    agents::held,
    decide::Decided,
    draft::{Draft, Found, Wish, no_conversation, queue_still_there},
    threads::{TAKEN_WITHIN, taken_from_its_owner},
};

/// Asked of the other address, of which nothing is known here.
pub(super) fn join(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
    other: ConversationId,
) -> Decided {
    let (found, _, command) = asks(state, context, id, agent, assignment, other)?;
    Ok(found.draft().and(What::JoinAsked { conversation: id, other, by: agent.clone(), command }).finish())
}

/// A join that was wrong is undone.
pub(super) fn part(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
    other: ConversationId,
) -> Decided {
    let (found, queue, command) = asks(state, context, id, agent, assignment, other)?;
    let queue = queue.clone();
    Ok(found
        .draft()
        .and(What::PartAsked { conversation: id, other, by: agent.clone(), queue, command })
        .finish())
}

fn asks<'a>(
    state: &'a Conversations,
    context: &Context,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
    other: ConversationId,
) -> Result<(Found<'a>, &'a QueueId, CommandId), Rejection> {
    let (found, queue) = held(state, id, agent, assignment)?;
    let invalid = |what: &str| Rejection::new(Code::Invalid, what);
    if other.party == id.party {
        return Err(invalid("it is of the same address: say which message is to be split off"));
    }
    if found.customer.endpoint.channel != Channel::Email {
        return Err(invalid(ONLY_MAIL));
    }
    let command = context.command.ok_or_else(|| invalid("it needs a command id, by which it is answered"))?;
    Ok((found, queue, command))
}

pub(super) const ONLY_MAIL: &str = "only conversations by mail are joined";

/// Who asks, of the other address.
pub(super) struct Asker<'a> {
    pub(super) conversation: ConversationId,
    pub(super) inbox: &'a InboxId,
    pub(super) agent: &'a AgentId,
    pub(super) command: CommandId,
}

impl Asker<'_> {
    /// What the other address decided, or why it did not.
    fn told(&self, other: ConversationId, decided: Decided) -> Vec<Event> {
        decided.unwrap_or_else(|why| {
            let tenant = self.agent.desk.tenant.clone();
            vec![Event {
                tenant,
                inbox: self.inbox.clone(),
                what: What::NotTaken {
                    conversation: other,
                    asked_by: self.conversation,
                    command: self.command,
                    why,
                },
            }]
        })
    }
}

/// Where the other conversation is: it is over, and the one that asks goes on in its place.
pub(super) fn take_in(state: &Conversations, id: ConversationId, asker: &Asker) -> Vec<Event> {
    let decided = || {
        let found = Found::of_tenant(state, id, &asker.agent.desk.tenant)?;
        if found.customer.endpoint.channel != Channel::Email {
            return Err(Rejection::new(Code::Invalid, ONLY_MAIL));
        }
        let mails = found.conversation.mails.as_deref();
        let is_open = found.conversation.owner().is_some();
        if mails.is_some_and(|mails| mails.goes_on_in.is_some())
            || !is_open && mails.is_some_and(|mails| mails.taken_into.is_some())
        {
            return Err(Rejection::new(Code::Invalid, "that conversation was joined with another before"));
        }
        let mut draft = taken_from_its_owner(&found, asker.agent)?;
        if is_open {
            let (by, reason) = (Closer::Agent(asker.agent.clone()), CloseReason::Joined);
            draft.push(What::Closed { conversation: id, by, reason });
        }
        let (into, by, command) = (asker.conversation, asker.agent.clone(), asker.command);
        Ok(draft.and(What::TakenIn { conversation: id, into, by, command }).finish())
    };
    asker.told(id, decided())
}

/// Where the other conversation is: it stands by itself again, and is offered to the agent who parts the two.
pub(super) fn take_out(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    queue: &QueueId,
    asker: &Asker,
) -> Vec<Event> {
    let decided = || {
        let found = Found::of_tenant(state, id, &asker.agent.desk.tenant)?;
        let taken_into = found.conversation.mails.as_deref().and_then(|mails| mails.taken_into);
        if taken_into != Some(asker.conversation) {
            return Err(Rejection::new(Code::Invalid, "that conversation was not joined with this one"));
        }
        let (of, by, command) = (asker.conversation, asker.agent.clone(), asker.command);
        let mut draft = found.draft().and(What::TakenOut { conversation: id, of, by, command });
        // It may be open again by itself, since the customer wrote.
        if found.conversation.owner().is_none() {
            let queue = queue_still_there(context, found.customer, queue);
            let wish = Wish::of(asker.agent, context.now + TAKEN_WITHIN).by_request().again();
            draft.push(What::Reopened { conversation: id });
            draft.push(found.wanted(context, queue, HandOffReason::Split, wish, context.now));
        }
        Ok(draft.finish())
    };
    asker.told(id, decided())
}

/// Where it was asked: the other address has done it, or has refused.
pub(super) fn taken(
    state: &Conversations,
    id: ConversationId,
    other: ConversationId,
    command: CommandId,
    outcome: &Taken,
) -> Decided {
    // The conversation may be with someone else by now: that both are one person stands.
    let customer = state.customer(id.party).ok_or_else(|| no_conversation(id))?;
    let what = match outcome.clone() {
        Taken::In { by } => What::AddressJoined { conversation: id, other, by, command },
        Taken::Out { by } => What::AddressParted { conversation: id, other, by, command },
        Taken::Not { why } => What::JoinRefused { conversation: id, other, command, why },
    };
    Ok(Draft::of(customer).and(what).finish())
}

/// What became of a conversation of another address.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Taken {
    In { by: AgentId },
    Out { by: AgentId },
    Not { why: Rejection },
}
