//! Supervisors: agents who may give any conversation of the desks they supervise to someone, whoever has it; and
//! administrators, who may give any of their tenant.

use crate::{AgentId, Code, Context, ConversationId, Millis, Rejection, Sealed, TenantId};

use super::{
    Conversations, HandOffReason, Owner, Transfer, What,
    agents::destination,
    decide::Decided,
    draft::{Found, Wish, is_closed, policy},
};

/// Whoever takes a conversation is waited for this long, should there be no room for it at once.
const TAKEN_WITHIN: Millis = Millis::seconds(30);

pub(super) fn reassign(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    by: &AgentId,
    seen: Option<u32>,
    to: &Transfer,
    note: Option<Sealed>,
) -> Decided {
    let found = Found::of_tenant(state, id, &by.desk.tenant)?;
    let policy = policy(context, &found.customer.endpoint.tenant)?;
    let forbidden = |what: String| Rejection::new(Code::Forbidden, what);
    let desks = policy.agents.get(by).map(|agent| &agent.supervises).filter(|desks| !desks.is_empty());
    let desks = desks.ok_or_else(|| forbidden(format!("agent {by} supervises no desk")))?;
    let desk = &found.conversation.owner().ok_or_else(is_closed)?.queue().desk;
    if !desks.contains(desk) {
        return Err(forbidden(format!(
            "agent {by} does not supervise desk {desk}, where the conversation is"
        )));
    }
    give(&found, context, Some(by), seen, to, note)
}

pub(super) fn override_owner(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    tenant: &TenantId,
    seen: Option<u32>,
    to: &Transfer,
    note: Option<Sealed>,
) -> Decided {
    give(&Found::of_tenant(state, id, tenant)?, context, None, seen, to, note)
}

/// A change of owner like any other: what the former owner, or one who was just accepting, still says is refused.
fn give(
    found: &Found,
    context: &Context,
    by: Option<&AgentId>,
    seen: Option<u32>,
    to: &Transfer,
    note: Option<Sealed>,
) -> Decided {
    let id = found.id;
    let policy = policy(context, &found.customer.endpoint.tenant)?;
    let owner = found.conversation.owner().ok_or_else(is_closed)?;
    if seen.is_some_and(|seen| seen != found.conversation.owner_epoch) {
        return Err(Rejection::new(Code::Stale, "the conversation has another owner by now than was seen"));
    }
    let (queue, wanted) = destination(policy, to, owner.queue())?;
    let wish = match (&wanted, by) {
        (Some(agent), Some(by)) if agent == by => Wish::of(by, context.now + TAKEN_WITHIN).by_request(),
        _ => Wish::only(wanted.clone()),
    };
    let mut draft = found.leaves_its_agent();
    let (wish, since) = match owner {
        Owner::Agent { agent, .. } if wanted.as_ref() == Some(&**agent) => {
            return Err(Rejection::new(
                Code::Invalid,
                format!("the conversation is agent {agent}'s already"),
            ));
        }
        Owner::Agent { assignment, .. } => {
            draft.push(What::Released { conversation: id, assignment: (**assignment).clone() });
            (wish.again(), context.now)
        }
        // The customer goes on waiting, and has waited for as long.
        Owner::Queue { queue, since, .. } => {
            let (queue, owner_epoch) = ((**queue).clone(), found.conversation.owner_epoch);
            draft.push(What::Withdrawn { conversation: id, queue, owner_epoch });
            (wish, *since)
        }
        Owner::Bot { .. } => (wish, context.now),
        Owner::Snoozed { .. } => (wish.again(), context.now),
    };
    draft.push(What::Reassigned { conversation: id, by: by.cloned(), note });
    Ok(draft.and(found.wanted(context, queue, HandOffReason::Reassigned, wish, since)).finish())
}
