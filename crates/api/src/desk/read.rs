//! What an agent says, as the domain's values.

use domain::{
    AgentId, ConversationId, OfferId, Rejection, TenantId, Timestamp,
    conversation::{ReplyBy, Transfer},
    desk::Presence,
};
use wire::api::v1::{
    self as pb,
    agent_message::{consult, reassign, reply, transfer},
};

use crate::convert::{invalid, parse, recipient};

/// The conversation and the assignment under which the agent holds it.
pub(super) fn held(conversation: &str, assignment: &str) -> Result<(ConversationId, OfferId), Rejection> {
    Ok((parse("conversation", conversation)?, parse("assignment", assignment)?))
}

pub(super) fn presence(number: i32) -> Result<Presence, Rejection> {
    match pb::Presence::try_from(number) {
        Ok(pb::Presence::Available) => Ok(Presence::Available),
        Ok(pb::Presence::Away) => Ok(Presence::Away),
        Ok(pb::Presence::Offline) => Ok(Presence::Offline),
        Ok(pb::Presence::Unspecified) | Err(_) => Err(invalid(format!("`presence`: {number} is none"))),
    }
}

/// How an answer goes that may not go as usual. A template goes at any time.
pub(super) fn by(number: i32, shown: Option<&pb::Rich>) -> Result<Option<ReplyBy>, Rejection> {
    if shown.is_some_and(|shown| shown.template.is_some()) {
        return Ok(Some(ReplyBy::Template));
    }
    match reply::By::try_from(number) {
        Ok(reply::By::Unspecified) => Ok(None),
        Ok(reply::By::Hold) => Ok(Some(ReplyBy::Hold)),
        Ok(reply::By::Email) => Ok(Some(ReplyBy::Email)),
        Ok(reply::By::Sms) => Ok(Some(ReplyBy::Sms)),
        Err(_) => Err(invalid(format!("`by`: {number} is none"))),
    }
}

/// A moment, to the millisecond.
pub(super) fn time(field: &str, at: Option<prost_types::Timestamp>) -> Result<Timestamp, Rejection> {
    let at = at.ok_or_else(|| invalid(format!("`{field}` is missing")))?;
    let millis =
        at.seconds.checked_mul(1_000).and_then(|whole| whole.checked_add((at.nanos / 1_000_000).into()));
    millis.map(Timestamp).ok_or_else(|| invalid(format!("`{field}` is too far away")))
}

/// To whom an agent transfers.
pub(super) fn transfer(tenant: &TenantId, to: Option<transfer::To>) -> Result<Transfer, Rejection> {
    match to {
        None => Err(invalid("say which `queue`, `agent` or `desk` to transfer to")),
        Some(transfer::To::Queue(name)) => recipient::queue(tenant, &name),
        Some(transfer::To::Agent(name)) => recipient::agent(tenant, &name),
        Some(transfer::To::Desk(name)) => recipient::desk(tenant, &name),
    }
}

/// Whom an agent asks in.
pub(super) fn consult(tenant: &TenantId, whom: Option<consult::Whom>) -> Result<Transfer, Rejection> {
    match whom {
        None => Err(invalid("say which `queue`, `agent` or `desk` to consult")),
        Some(consult::Whom::Queue(name)) => recipient::queue(tenant, &name),
        Some(consult::Whom::Agent(name)) => recipient::agent(tenant, &name),
        Some(consult::Whom::Desk(name)) => recipient::desk(tenant, &name),
    }
}

/// To whom a supervisor gives something: to nobody else if nobody is named.
pub(super) fn reassign(by: &AgentId, to: Option<reassign::To>) -> Result<Transfer, Rejection> {
    let tenant = &by.desk.tenant;
    match to {
        None => Ok(Transfer::Agent(by.clone())),
        Some(reassign::To::Queue(name)) => recipient::queue(tenant, &name),
        Some(reassign::To::Agent(name)) => recipient::agent(tenant, &name),
        Some(reassign::To::Desk(name)) => recipient::desk(tenant, &name),
    }
}
