//! Conversations that their agents have put away: they take no room, and come back to whoever put them away, at a time or
//! when the customer writes, whichever is first.

use crate::{AgentId, Code, Context, ConversationId, Millis, OfferId, QueueId, Rejection, Timestamp};

use super::{
    CloseReason, Closer, Conversations, Customer, HandOffReason, Owner, What,
    agents::held,
    decide::{Decided, NOTHING},
    draft::{Found, Wish, is_closed, queue_still_there},
};

const LONGEST: Millis = Millis::hours(366 * 24);

/// How long whoever put it away is waited for where the queue does not say.
pub const SNOOZE_GRACE: Millis = Millis::seconds(60);

pub(super) fn snooze(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
    until: Timestamp,
) -> Decided {
    let (found, _) = held(state, id, agent, assignment)?;
    if until <= context.now {
        return Err(Rejection::new(Code::Invalid, "the time until which to put it away is over"));
    }
    if until - context.now > LONGEST {
        return Err(Rejection::new(Code::Invalid, "a conversation is put away for a year at most"));
    }
    let snoozed = What::Snoozed {
        conversation: id,
        agent: agent.clone(),
        assignment: assignment.clone(),
        owner_epoch: found.conversation.owner_epoch + 1,
        until,
    };
    Ok(found.leaves_its_agent().and(snoozed).finish())
}

/// Whoever put it away does not wait for the time.
pub(super) fn wake(state: &Conversations, context: &Context, id: ConversationId, agent: &AgentId) -> Decided {
    let found = Found::of_tenant(state, id, &agent.desk.tenant)?;
    match found.conversation.owner().ok_or_else(is_closed)? {
        Owner::Snoozed { agent: by, queue } if **by == *agent => {
            let (queue, wish) = back_to(context, found.customer, queue, by);
            let wanted = found.wanted(context, queue, HandOffReason::Woke, wish.by_request(), context.now);
            Ok(found.draft().and(wanted).finish())
        }
        _ => Err(Rejection::new(Code::NotOwner, "this agent has not put the conversation away")),
    }
}

/// Whoever put it away is done with it after all.
pub(super) fn close(state: &Conversations, id: ConversationId, agent: &AgentId) -> Decided {
    let found = Found::of_tenant(state, id, &agent.desk.tenant)?;
    match found.conversation.owner().ok_or_else(is_closed)? {
        Owner::Snoozed { agent: by, .. } if **by == *agent => {
            let (by, reason) = (Closer::Agent(agent.clone()), CloseReason::Done);
            Ok(found.draft().and(What::Closed { conversation: id, by, reason }).finish())
        }
        _ => Err(Rejection::new(Code::NotOwner, "this agent has not put the conversation away")),
    }
}

/// The time has come.
pub(super) fn over(state: &Conversations, context: &Context, id: ConversationId) -> Decided {
    let Some(found) = Found::find(state, id) else { return NOTHING };
    let Some(Owner::Snoozed { agent, queue }) = found.conversation.owner() else { return NOTHING };
    let (queue, wish) = back_to(context, found.customer, queue, agent);
    Ok(found.draft().and(found.wanted(context, queue, HandOffReason::Woke, wish, context.now)).finish())
}

/// Where it waits again, for whoever put it away, and for how long only for that agent.
pub(super) fn back_to<'a>(
    context: &Context<'a>,
    customer: &Customer,
    kept: &'a QueueId,
    agent: &AgentId,
) -> (&'a QueueId, Wish) {
    let queue = queue_still_there(context, customer, kept);
    let policy = context.policies.of(&queue.desk.tenant);
    let works = agent.desk == queue.desk && policy.is_some_and(|policy| policy.agents.contains_key(agent));
    let sticky = policy.and_then(|policy| policy.queues.get(queue)?.sticky);
    let grace = sticky.map_or(SNOOZE_GRACE, |sticky| sticky.grace);
    (queue, if works { Wish::of(agent, context.now + grace) } else { Wish::anyone() })
}
