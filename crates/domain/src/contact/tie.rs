//! A customer who is logged in at the business's own site comes by a link with a token in it: the address is the
//! contact's from there on.
//!
//! Whoever has the link can follow it, so a token counts once and for a short time, and never moves an address that is known
//! to be someone's: what that one said would stand among what the contact did.

use crate::{
    Party, TenantId, Timestamp,
    conversation::{Token, Untied},
};

use super::{
    Contact, Contacts, Event,
    decide::{MOST_ADDRESSES, added, first_seen_as, others_after, told},
};

pub(super) fn tie(
    state: &Contacts,
    now: Timestamp,
    tenant: &TenantId,
    party: Party,
    token: &Token,
) -> Vec<Event> {
    let taken = |refused| Event::TokenTaken {
        tenant: tenant.clone(),
        party,
        token: Box::new(token.clone()),
        refused,
    };
    let refuse = |why| vec![taken(Some(why))];
    let owner = state.owner(tenant, party);
    // Whoever follows the link a second time is who they were before.
    if owner == Some(token.contact) && state.is_taken(tenant, token.id) {
        return Vec::new();
    }
    if token.expires_at <= now {
        return refuse(Untied::Expired);
    }
    if state.is_taken(tenant, token.id) {
        return refuse(Untied::Used);
    }
    let (Some(found), Some(was)) = (state.get(tenant, token.contact), owner) else {
        return refuse(Untied::NoContact);
    };
    if was == token.contact {
        return vec![taken(None)];
    }
    // Nobody's but its own: the contact that came about by it, and has nothing else.
    let own = |old: &&Contact| was == first_seen_as(party) && old.parties == [party];
    let Some(old) = state.get(tenant, was).filter(own) else {
        return refuse(Untied::AnothersAddress);
    };
    if found.parties.len() >= MOST_ADDRESSES {
        return refuse(Untied::NoContact);
    }
    // What was known of the address goes along with it.
    let (tagged, tags) = added(tenant, token.contact, found, old.tags.iter());
    let mut events = vec![Event::Linked { tenant: tenant.clone(), contact: token.contact, party, was }];
    if !tagged.is_empty() {
        events.extend(told(tenant, found, &tags));
    }
    events.extend(tagged);
    events.push(Event::TagsTold { tenant: tenant.clone(), party, tags });
    events.extend(others_after(state, tenant, found, was, party));
    events.push(taken(None));
    events
}
