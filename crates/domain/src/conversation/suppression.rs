//! Addresses that nothing is sent to: mail came back from there, or is not wanted there.
//!
//! Each cause comes and goes by itself. That an address is dead, or that the customer complained, ends when the customer
//! writes; that only answers are wanted does not.

use std::sync::Arc;

use crate::{Code, Party, Rejection, TenantId};

use super::{
    Conversations, Customer, Event, Suppression, What,
    decide::{Decided, NOTHING},
    draft::{Draft, Found},
};

/// Noted once. Who is not known here was never written to.
pub(super) fn suppress(state: &Conversations, party: Party, cause: Suppression) -> Vec<Event> {
    match state.customer(party) {
        Some(customer) if !customer.suppressed().contains(&cause) => {
            Draft::of(customer).and(What::Suppressed { party, cause }).finish()
        }
        _ => Vec::new(),
    }
}

pub(super) fn ask(state: &Conversations, tenant: &TenantId, party: Party, cause: Suppression) -> Decided {
    match state.customer(party) {
        Some(customer) if customer.endpoint.tenant == *tenant => Ok(suppress(state, party, cause)),
        _ => NOTHING,
    }
}

/// An operator lifts whatever there is.
pub(super) fn lift(state: &Conversations, tenant: &TenantId, party: Party, by: &Arc<str>) -> Decided {
    let customer = state.customer(party).filter(|customer| customer.endpoint.tenant == *tenant);
    let customer = customer
        .ok_or_else(|| Rejection::new(Code::NotFound, "nobody is known by this address in this inbox"))?;
    let lifted = |draft: Draft, cause: &Suppression| {
        draft.and(What::SuppressionLifted { party, cause: *cause, by: Some(by.clone()) })
    };
    Ok(customer.suppressed().iter().fold(Draft::of(customer), lifted).finish())
}

/// What ends because the customer wrote, and surely it was the customer.
pub(super) fn ended_by_writing(customer: &Customer) -> impl Iterator<Item = Suppression> {
    customer.suppressed().iter().copied().filter(|cause| *cause != Suppression::Unsubscribed)
}

/// Why nothing may be sent in a conversation, for the agent who wants to.
pub(super) fn refusal(found: &Found) -> Option<Rejection> {
    // Where the customer wrote in this conversation, whatever is sent is an answer.
    let is_answer = found.conversation.thread.is_some();
    let holds = |cause: &&Suppression| **cause != Suppression::Unsubscribed || !is_answer;
    let why = match found.customer.suppressed().iter().find(holds)? {
        Suppression::DeadAddress => {
            "what was sent to this address came back: there is nobody. It is sent to again when the customer writes from it, \
             or an operator lifts this"
        }
        Suppression::Complaint => {
            "the customer called our mail spam. It is sent to again when the customer writes, or an operator lifts this"
        }
        Suppression::Unsubscribed => "the customer wants no mail that is not an answer",
    };
    Some(Rejection::new(Code::Suppressed, why))
}
