//! People: a conversation is assigned to one of them, who answers it and gives it away.

use crate::{
    AgentId, Code, CommandId, Context, ConversationId, DeskId, MessageId, OfferId, Policy, QueueId,
    Rejection, Sealed, Timestamp,
};

use super::{
    CloseReason, Closer, Conversations, HandOffReason, HeldReply, Outgoing, Owner, ReplyBy, Transfer, What,
    decide::{Decided, NOTHING},
    draft::{Draft, Found, Wish, is_closed, no_conversation, policy, queue_still_there},
    elsewhere, snooze, suppression,
    window::{self, Way},
};

/// The desk has an agent for the conversation: it is that agent's if it still waits as it did when it was offered.
pub(super) fn assign(
    state: &Conversations,
    id: ConversationId,
    owner_epoch: u32,
    offer: &OfferId,
    agent: &AgentId,
    command: CommandId,
) -> Decided {
    // Asked of the customer, not of the conversation: the desk waits for an answer even about one long closed.
    let customer = state.customer(id.party).ok_or_else(|| no_conversation(id))?;
    let waits = Found::find(state, id).is_some_and(|Found { conversation, .. }| {
        conversation.owner_epoch == owner_epoch && matches!(conversation.owner(), Some(Owner::Queue { .. }))
    });
    let mut draft = Draft::of(customer);
    draft.push(if waits {
        What::Assigned {
            conversation: id,
            agent: agent.clone(),
            assignment: offer.clone(),
            owner_epoch: owner_epoch + 1,
            command,
        }
    } else {
        What::AssignmentRefused { conversation: id, offer: offer.clone(), command }
    });
    // Said once more, to whom it matters now.
    if let Some(window) = customer.window().filter(|_| waits) {
        draft.push(What::WindowOpened { conversation: id, window });
    }
    Ok(draft.finish())
}

#[expect(clippy::too_many_arguments, reason = "as the command has it")]
pub(super) fn reply(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
    message: MessageId,
    body: Sealed,
    by: Option<ReplyBy>,
) -> Decided {
    let (found, _) = held(state, id, agent, assignment)?;
    let by_other_address = matches!(by, Some(ReplyBy::Email | ReplyBy::Sms));
    if found.customer.opted_out && !by_other_address {
        return Err(Rejection::new(Code::OptedOut, "the customer asked for no more messages on this inbox"));
    }
    let refusal = suppression::refusal(&found).or_else(|| elsewhere::refusal(&found));
    if let Some(rejection) = refusal.filter(|_| !by_other_address) {
        return Err(rejection);
    }
    let policy = context.policies.of(&agent.desk.tenant);
    let signed = policy.and_then(|policy| policy.agents.get(agent)?.name.clone());
    let agent = agent.clone();
    let what = match window::way(context, &found, by)? {
        Way::Send => {
            let outgoing = Outgoing { signed, ..found.outgoing(body, true) };
            What::Replied { conversation: id, agent, message, outgoing }
        }
        Way::Elsewhere(other) => {
            let outgoing = Outgoing { signed, ..found.outgoing_to(other, body, true) };
            What::Replied { conversation: id, agent, message, outgoing }
        }
        Way::Hold => What::ReplyHeld { conversation: id, reply: HeldReply { agent, message, body, signed } },
    };
    Ok(found.draft().and(what).finish())
}

pub(super) fn transfer(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
    to: &Transfer,
    note: Option<Sealed>,
) -> Decided {
    let (found, own) = held(state, id, agent, assignment)?;
    let policy = policy(context, &found.customer.endpoint.tenant)?;
    let (queue, wanted) = destination(policy, to, own)?;
    Ok(found
        .leaves_its_agent()
        .and(What::Released { conversation: id, assignment: assignment.clone() })
        .and(What::Transferred { conversation: id, by: agent.clone(), note })
        .and(found.wanted(context, queue, HandOffReason::Transferred, Wish::only(wanted), context.now))
        .finish())
}

/// Where a conversation waits that is given to someone, and the one agent wanted. `own`: where it waited before.
pub(super) fn destination<'a>(
    policy: &'a Policy,
    to: &'a Transfer,
    own: &'a QueueId,
) -> Result<(&'a QueueId, Option<AgentId>), Rejection> {
    let not_found = |what: String| Rejection::new(Code::NotFound, what);
    let (queue, wanted) = match to {
        Transfer::Queue(queue) => (queue, None),
        Transfer::Desk(desk) => (queue_of_desk(policy, desk)?, None),
        Transfer::Agent(to) => {
            let known = policy.agents.get(to).ok_or_else(|| not_found(format!("there is no agent {to}")))?;
            // If that agent is not there, someone else at the same desk is the next best: of the conversation's own
            // queue, if that can be.
            let at_desk = Some(own).filter(|own| own.desk == to.desk);
            let queue = known.queues.get(own).or_else(|| known.queues.first()).or(at_desk);
            (queue.map_or_else(|| queue_of_desk(policy, &to.desk), Ok)?, Some(to.clone()))
        }
    };
    match policy.queues.contains_key(queue) {
        true => Ok((queue, wanted)),
        false => Err(not_found(format!("there is no queue {queue}"))),
    }
}

fn queue_of_desk<'a>(policy: &'a Policy, desk: &'a DeskId) -> Result<&'a QueueId, Rejection> {
    policy.default_queue(desk).ok_or_else(|| match policy.queues_at(desk).next() {
        Some((one, _)) => Rejection::new(
            Code::Invalid,
            format!("desk {desk} has several queues and none is its default: name one, such as {one}"),
        ),
        None => Rejection::new(Code::NotFound, format!("there is no desk {desk} with a queue to wait in")),
    })
}

pub(super) fn close(
    state: &Conversations,
    id: ConversationId,
    agent: &AgentId,
    assignment: Option<&OfferId>,
) -> Decided {
    let Some(assignment) = assignment else { return snooze::close(state, id, agent) };
    let (found, _) = held(state, id, agent, assignment)?;
    let (by, reason) = (Closer::Agent(agent.clone()), CloseReason::Done);
    Ok(found
        .leaves_its_agent()
        .and(What::Released { conversation: id, assignment: assignment.clone() })
        .and(What::Closed { conversation: id, by, reason })
        .finish())
}

/// The agent is gone. Where the assignment ended before, the desk has learnt that from its release.
pub(super) fn give_back(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    assignment: &OfferId,
) -> Decided {
    let Some(found) = Found::find(state, id) else { return NOTHING };
    let queue = match found.conversation.owner() {
        Some(Owner::Agent { assignment: held, queue, .. }) if **held == *assignment => queue,
        _ => return NOTHING,
    };
    let queue = queue_still_there(context, found.customer, queue);
    Ok(found
        .leaves_its_agent()
        .and(What::Released { conversation: id, assignment: assignment.clone() })
        .and(found.wanted(context, queue, HandOffReason::AgentGone, Wish::anyone().again(), context.now))
        .finish())
}

/// Nobody took it in its queue: it goes on to another, unless it waits no more as it did.
pub(super) fn overflow(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    owner_epoch: u32,
    to: &QueueId,
    since: Timestamp,
) -> Decided {
    let Some(found) = Found::find(state, id) else { return NOTHING };
    let queue = match found.conversation.owner() {
        Some(Owner::Queue { queue, .. }) if found.conversation.owner_epoch == owner_epoch => queue,
        _ => return NOTHING,
    };
    Ok(found
        .draft()
        .and(What::Withdrawn { conversation: id, queue: QueueId::clone(queue), owner_epoch })
        .and(found.wanted(context, to, HandOffReason::Overflowed, Wish::anyone(), since))
        .finish())
}

/// A conversation in the hands of the agent who asks, and the queue it was taken from.
pub(super) fn held<'a>(
    state: &'a Conversations,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
) -> Result<(Found<'a>, &'a QueueId), Rejection> {
    let found = Found::of_tenant(state, id, &agent.desk.tenant)?;
    match found.conversation.owner() {
        None => Err(is_closed()),
        Some(Owner::Agent { agent: owner, assignment: held, queue, .. })
            if **owner == *agent && **held == *assignment =>
        {
            Ok((found, queue))
        }
        Some(_) => {
            Err(Rejection::new(Code::NotOwner, "the conversation is not this agent's under this assignment"))
        }
    }
}
