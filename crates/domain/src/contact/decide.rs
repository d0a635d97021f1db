//! The rules of the ledger.

use std::sync::Arc;

use crate::{
    Code, ContactId, Context, Party, Rejection, Tags, TenantId, Timestamp, conversation::Correspondent,
};

use super::{Command, Contact, Contacts, Event, tie};

/// In bytes.
const LONGEST_TAG: usize = 64;
/// On one contact.
const MOST_TAGS: usize = 100;
/// Of one contact. All of them are told of its tags in one decision, which is bounded.
pub(super) const MOST_ADDRESSES: usize = 256;
/// So many of the other addresses of a contact is each of them told of.
const MOST_OTHERS: usize = 15;

pub(super) fn decide(
    state: &Contacts,
    context: &Context,
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
        Command::Follow { party, to, moved, at } => Ok(follow(state, *party, to, *moved, *at)),
        Command::Link { tenant, contact, party } => link(state, tenant, *contact, *party),
        Command::Join { tenant, party, to } => join(state, tenant, *party, *to),
        Command::Part { tenant, party, of } => Ok(part(state, tenant, *party, *of)),
        Command::Tag { tenant, contact, tag } => add_tag(state, tenant, *contact, tag),
        Command::Untag { tenant, contact, tag } => remove_tag(state, tenant, *contact, tag),
        Command::TagAddress { tenant, party, tags } => Ok(tag_address(state, tenant, *party, tags)),
        Command::Tie { tenant, party, token } => Ok(tie::tie(state, context.now, tenant, *party, token)),
    }
}

/// The id of the contact that a party's first sign of life creates: the party's own bytes. A party is seen for
/// the first time only once, so no two contacts of a tenant get the same.
pub(super) fn first_seen_as(party: Party) -> ContactId {
    ContactId(party.0)
}

/// A relay is never refused: what cannot be linked stays a contact of its own.
fn follow(state: &Contacts, party: Party, to: &Correspondent, moved: bool, at: Timestamp) -> Vec<Event> {
    let tenant = &to.tenant;
    let Some(contact) = state.owner(tenant, party) else { return Vec::new() };
    let own = first_seen_as(to.party);
    let (mut events, was) = match state.owner(tenant, to.party) {
        Some(_) if moved => return Vec::new(),
        Some(was) => (Vec::new(), was),
        None => (vec![Event::Created { contact: own, from: to.clone(), at }], own),
    };
    let Some(found) = state.get(tenant, contact) else { return events };
    if was != contact && found.parties.len() < MOST_ADDRESSES {
        events.extend(linked(state, tenant, contact, found, to.party, was));
    }
    events
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
    let has_room = found.parties.len() < MOST_ADDRESSES;
    has_room.then_some(()).ok_or_else(too_many)?;
    Ok(linked(state, tenant, contact, found, party, was))
}

/// The address is this contact's from here on; `was` had it.
fn linked(
    state: &Contacts,
    tenant: &TenantId,
    contact: ContactId,
    found: &Contact,
    party: Party,
    was: ContactId,
) -> Vec<Event> {
    let mut events = vec![Event::Linked { tenant: tenant.clone(), contact, party, was }];
    let tags = tags_of(found);
    if state.get(tenant, was).map(tags_of).unwrap_or_default() != tags {
        events.push(Event::TagsTold { tenant: tenant.clone(), party, tags });
    }
    events.extend(others_after(state, tenant, found, was, party));
    events
}

/// Whose others are not as they were when an address is linked: all of the contact that has it then, and of the one that
/// had it.
pub(super) fn others_after(
    state: &Contacts,
    tenant: &TenantId,
    found: &Contact,
    was: ContactId,
    party: Party,
) -> Vec<Event> {
    moved(tenant, party, Some(found), state.get(tenant, was))
}

/// The same, where either may be new or gone.
fn moved(tenant: &TenantId, party: Party, to: Option<&Contact>, from: Option<&Contact>) -> Vec<Event> {
    let left = from.into_iter().flat_map(|was| &was.parties);
    let left: Vec<Party> = left.copied().filter(|left| *left != party).collect();
    let mut joined: Vec<Party> = to.map(|to| to.parties.clone()).unwrap_or_default();
    joined.push(party);
    joined.sort_unstable();
    let told = [joined, left].into_iter().flat_map(|parties| {
        let told: Vec<Event> = parties.iter().map(|party| others_told(tenant, &parties, *party)).collect();
        told
    });
    told.collect()
}

fn too_many() -> Rejection {
    Rejection::new(Code::Invalid, format!("a contact has at most {MOST_ADDRESSES} addresses"))
}

fn join(state: &Contacts, tenant: &TenantId, party: Party, to: Party) -> Result<Vec<Event>, Rejection> {
    let unknown = || Rejection::new(Code::NotFound, format!("there is no address {to}"));
    let contact = state.owner(tenant, to).ok_or_else(unknown)?;
    let found = find(state, tenant, contact)?;
    // None: its first sign of life is on its way here.
    let was = state.owner(tenant, party);
    if was == Some(contact) {
        return Ok(Vec::new());
    }
    let has_room = found.parties.len() < MOST_ADDRESSES;
    has_room.then_some(()).ok_or_else(too_many)?;
    let told = Event::TagsTold { tenant: tenant.clone(), party, tags: tags_of(found) };
    let mut events = vec![Event::Joined { tenant: tenant.clone(), contact, party, was }, told];
    events.extend(moved(tenant, party, Some(found), was.and_then(|was| state.get(tenant, was))));
    Ok(events)
}

/// Back to the contact that the address came from, which is made anew if it was gone.
fn part(state: &Contacts, tenant: &TenantId, party: Party, of: Party) -> Vec<Event> {
    let Some(was) = state.owner(tenant, party).filter(|was| state.owner(tenant, of) == Some(*was)) else {
        return Vec::new();
    };
    let came_from = state.came_from(tenant, party);
    let back = came_from.map(|before| before.contact).filter(|contact| *contact != was);
    let contact = back.unwrap_or_else(|| own_contact(state, tenant, party));
    let mut events = vec![Event::Parted { tenant: tenant.clone(), contact, party, was }];
    let tags = match state.get(tenant, contact) {
        Some(found) => tags_of(found),
        None => {
            let had = || came_from.into_iter().flat_map(|before| &before.tags);
            let tagged = |tag: &Arc<str>| Event::Tagged { tenant: tenant.clone(), contact, tag: tag.clone() };
            events.extend(had().map(tagged));
            Tags::of(had().map(|tag| &**tag))
        }
    };
    events.push(Event::TagsTold { tenant: tenant.clone(), party, tags });
    events.extend(moved(tenant, party, state.get(tenant, contact), state.get(tenant, was)));
    events
}

/// A contact for this address alone: the one named after it, or the next that nobody has.
fn own_contact(state: &Contacts, tenant: &TenantId, party: Party) -> ContactId {
    let mut contact = first_seen_as(party);
    while state.get(tenant, contact).is_some() {
        contact = ContactId(u128::from_be_bytes(contact.0).wrapping_add(1).to_be_bytes());
    }
    contact
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

/// What a link gives. Nobody waits for an answer: what there is no room for is left out.
fn tag_address(state: &Contacts, tenant: &TenantId, party: Party, tags: &[Arc<str>]) -> Vec<Event> {
    let contact = state.owner(tenant, party);
    let Some((contact, found)) = contact.and_then(|id| Some((id, state.get(tenant, id)?))) else {
        return Vec::new();
    };
    let (events, after) = added(tenant, contact, found, tags.iter());
    let told = (!events.is_empty()).then(|| told(tenant, found, &after));
    events.into_iter().chain(told.into_iter().flatten()).collect()
}

/// The tags that a contact does not have yet, as far as there is room, and all it has then.
pub(super) fn added<'a>(
    tenant: &TenantId,
    contact: ContactId,
    found: &Contact,
    tags: impl Iterator<Item = &'a Arc<str>>,
) -> (Vec<Event>, Tags) {
    let mut all = found.tags.clone();
    let mut events = Vec::new();
    for tag in tags.filter(|tag| tag_problem(tag).is_none()) {
        if all.len() < MOST_TAGS && all.insert(tag.clone()) {
            events.push(Event::Tagged { tenant: tenant.clone(), contact, tag: tag.clone() });
        }
    }
    (events, Tags::of(all.iter().map(|tag| &**tag)))
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
pub(super) fn told(tenant: &TenantId, contact: &Contact, tags: &Tags) -> impl Iterator<Item = Event> {
    let told = |party: &Party| Event::TagsTold { tenant: tenant.clone(), party: *party, tags: tags.clone() };
    contact.parties.iter().map(told)
}

fn find<'a>(state: &'a Contacts, tenant: &TenantId, contact: ContactId) -> Result<&'a Contact, Rejection> {
    state
        .get(tenant, contact)
        .ok_or_else(|| Rejection::new(Code::NotFound, format!("there is no contact {contact}")))
}
