//! The rules of the ledger.

use std::sync::Arc;

use crate::{Code, ContactId, Context, Party, Rejection, TenantId};

use super::{Command, Contact, Contacts, Event};

/// In bytes.
const LONGEST_TAG: usize = 64;
/// On one contact.
const MOST_TAGS: usize = 100;

pub(super) fn decide(
    state: &Contacts,
    _context: &Context,
    command: &Command,
) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::See { from, at } => Ok(match state.owner(&from.tenant, from.party) {
            Some(_) => Vec::new(),
            None => vec![Event::Created { contact: first_seen_as(from.party), from: from.clone(), at: *at }],
        }),
        Command::Link { tenant, contact, party } => link(state, tenant, *contact, *party),
        Command::Tag { tenant, contact, tag } => add_tag(state, tenant, *contact, tag),
        Command::Untag { tenant, contact, tag } => Ok(if find(state, tenant, *contact)?.tags.contains(tag) {
            vec![Event::Untagged { tenant: tenant.clone(), contact: *contact, tag: tag.clone() }]
        } else {
            Vec::new()
        }),
    }
}

/// The id of the contact that a party's first sign of life creates: the party's own bytes. A party is seen for
/// the first time only once, so no two contacts of a tenant get the same.
fn first_seen_as(party: Party) -> ContactId {
    ContactId(party.0)
}

fn link(
    state: &Contacts,
    tenant: &TenantId,
    contact: ContactId,
    party: Party,
) -> Result<Vec<Event>, Rejection> {
    find(state, tenant, contact)?;
    let was = state
        .owner(tenant, party)
        .ok_or_else(|| Rejection::new(Code::NotFound, format!("there is no address {party}")))?;
    if was == contact {
        return Ok(Vec::new());
    }
    Ok(vec![Event::Linked { tenant: tenant.clone(), contact, party, was }])
}

fn add_tag(
    state: &Contacts,
    tenant: &TenantId,
    contact: ContactId,
    tag: &Arc<str>,
) -> Result<Vec<Event>, Rejection> {
    let tags = &find(state, tenant, contact)?.tags;
    let invalid = |detail: String| Err(Rejection::new(Code::Invalid, detail));
    if tag.is_empty() || tag.len() > LONGEST_TAG {
        return invalid(format!("a tag has 1 to {LONGEST_TAG} bytes, not {}", tag.len()));
    }
    if tag.chars().any(char::is_control) {
        return invalid("a tag has no control characters".into());
    }
    if tags.contains(tag) {
        return Ok(Vec::new());
    }
    if tags.len() >= MOST_TAGS {
        return invalid(format!("a contact has at most {MOST_TAGS} tags"));
    }
    Ok(vec![Event::Tagged { tenant: tenant.clone(), contact, tag: tag.clone() }])
}

fn find<'a>(state: &'a Contacts, tenant: &TenantId, contact: ContactId) -> Result<&'a Contact, Rejection> {
    state
        .get(tenant, contact)
        .ok_or_else(|| Rejection::new(Code::NotFound, format!("there is no contact {contact}")))
}
