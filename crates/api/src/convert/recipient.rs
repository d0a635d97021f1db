//! To whom a conversation is given, as callers name it.

use domain::{AgentId, Code, DeskId, QueueId, Rejection, TenantId, conversation::Transfer};

use super::parse;

pub(crate) fn queue(tenant: &TenantId, name: &str) -> Result<Transfer, Rejection> {
    let queue: QueueId = parse("queue", name)?;
    own(tenant, &queue.desk)?;
    Ok(Transfer::Queue(queue))
}

pub(crate) fn agent(tenant: &TenantId, name: &str) -> Result<Transfer, Rejection> {
    let agent: AgentId = parse("agent", name)?;
    own(tenant, &agent.desk)?;
    Ok(Transfer::Agent(agent))
}

pub(crate) fn desk(tenant: &TenantId, name: &str) -> Result<Transfer, Rejection> {
    let desk: DeskId = parse("desk", name)?;
    own(tenant, &desk)?;
    Ok(Transfer::Desk(desk))
}

/// Another tenant's is as good as none.
fn own(tenant: &TenantId, desk: &DeskId) -> Result<(), Rejection> {
    match desk.tenant == *tenant {
        true => Ok(()),
        false => Err(Rejection::new(Code::NotFound, "there is no such queue, agent or desk")),
    }
}
