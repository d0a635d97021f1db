//! The rules of the ledger.

use std::sync::Arc;

use crate::{Code, ContactId, Context, Party, Rejection, Tags, TenantId};

use super::{Command, Contact, Contacts, Event};

/// In bytes.
const LONGEST_TAG: usize = 64;
/// On one contact.
const MOST_TAGS: usize = 100;
/// Of one contact. All of them are told of its tags in one decision, which is bounded.
const MOST_ADDRESSES: usize = 256;
/// So many of the other addresses of a contact is each of them told of.
const MOST_OTHERS: usize = 15;

pub(super) fn decide(
    state: &Contacts,
    _context: &Context,
    command: &Command,
) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::See { from, at } => Ok(match state.owner(&from.tenant, from.party) {
            // An address that was known before anyone wrote from it.
            Some(contact) => {
                let found = state.get(&from.tenant, contact);
                let tags = found.map(tags_of).unwrap_or_default();
                let told =
                    || Event::TagsTold { tenant: from.tenant.clone(), party: from.party, tags: tags.clone() };
                let tags = (!tags.is_empty()).then(told);
                let parties = found.map_or(&[][..], |found| &found.parties);
                let others = (parties.len() > 1).then(|| others_told(&from.tenant, parties, from.party));
                tags.into_iter().chain(others).collect()
            }
            None => vec![Event::Created { contact: first_seen_as(from.party), from: from.clone(), at: *at }],
        }),
        Command::Link { tenant, contact, party } => link(state, tenant, *contact, *party),
        Command::Tag { tenant, contact, tag } => add_tag(state, tenant, *contact, tag),
        Command::Untag { tenant, contact, tag } => remove_tag(state, tenant, *contact, tag),
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
    let found = find(state, tenant, contact)?;
    let was = state
        .owner(tenant, party)
        .ok_or_else(|| Rejection::new(Code::NotFound, format!("there is no address {party}")))?;
    if was == contact {
        return Ok(Vec::new());
    }
    if found.parties.len() >= MOST_ADDRESSES {
        let detail = format!("a contact has at most {MOST_ADDRESSES} addresses");
        return Err(Rejection::new(Code::Invalid, detail));
    }
    let mut events = vec![Event::Linked { tenant: tenant.clone(), contact, party, was }];
    let tags = tags_of(found);
    if state.get(tenant, was).is_some_and(|was| tags_of(was) != tags) {
        events.push(Event::TagsTold { tenant: tenant.clone(), party, tags });
    }
    // Whose others are not as they were: all of the contact that has it now, and of the one that had it.
    let left = state.get(tenant, was).into_iter().flat_map(|was| &was.parties);
    let left: Vec<Party> = left.copied().filter(|left| *left != party).collect();
    let mut joined = found.parties.clone();
    joined.push(party);
    joined.sort_unstable();
    for parties in [joined, left] {
        events.extend(parties.iter().map(|party| others_told(tenant, &parties, *party)));
    }
    Ok(events)
}

/// One address of a contact learns of the others.
fn others_told(tenant: &TenantId, parties: &[Party], party: Party) -> Event {
    let others = parties.iter().copied().filter(|other| *other != party).take(MOST_OTHERS).collect();
    Event::OthersTold { tenant: tenant.clone(), party, others }
}

/// Why no contact can have this tag, if none can.
pub fn tag_problem(tag: &str) -> Option<String> {
    if tag.is_empty() || tag.len() > LONGEST_TAG {
        return Some(format!("a tag has 1 to {LONGEST_TAG} bytes, not {}", tag.len()));
    }
    tag.chars().any(char::is_control).then(|| "a tag has no control characters".into())
}

fn add_tag(
    state: &Contacts,
    tenant: &TenantId,
    contact: ContactId,
    tag: &Arc<str>,
) -> Result<Vec<Event>, Rejection> {
    let found = find(state, tenant, contact)?;
    let tags = &found.tags;
    let invalid = |detail: String| Err(Rejection::new(Code::Invalid, detail));
    if let Some(what) = tag_problem(tag) {
        return invalid(what);
    }
    if tags.contains(tag) {
        return Ok(Vec::new());
    }
    if tags.len() >= MOST_TAGS {
        return invalid(format!("a contact has at most {MOST_TAGS} tags"));
    }
    let tagged = Event::Tagged { tenant: tenant.clone(), contact, tag: tag.clone() };
    let tags = Tags::of(tags.iter().chain([tag]).map(|tag| &**tag));
    Ok(std::iter::once(tagged).chain(told(tenant, found, &tags)).collect())
}

fn remove_tag(
    state: &Contacts,
    tenant: &TenantId,
    contact: ContactId,
    tag: &Arc<str>,
) -> Result<Vec<Event>, Rejection> {
    let found = find(state, tenant, contact)?;
    if !found.tags.contains(tag) {
        return Ok(Vec::new());
    }
    let untagged = Event::Untagged { tenant: tenant.clone(), contact, tag: tag.clone() };
    let tags = Tags::of(found.tags.iter().filter(|known| *known != tag).map(|tag| &**tag));
    Ok(std::iter::once(untagged).chain(told(tenant, found, &tags)).collect())
}

fn tags_of(contact: &Contact) -> Tags {
    Tags::of(contact.tags.iter().map(|tag| &**tag))
}

/// Every address of a contact learns of its tags.
fn told(tenant: &TenantId, contact: &Contact, tags: &Tags) -> impl Iterator<Item = Event> {
    let told = |party: &Party| Event::TagsTold { tenant: tenant.clone(), party: *party, tags: tags.clone() };
    contact.parties.iter().map(told)
}

fn find<'a>(state: &'a Contacts, tenant: &TenantId, contact: ContactId) -> Result<&'a Contact, Rejection> {
    state
        .get(tenant, contact)
        .ok_or_else(|| Rejection::new(Code::NotFound, format!("there is no contact {contact}")))
}
