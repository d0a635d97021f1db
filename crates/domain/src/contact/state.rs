//! The ledgers of the tenants in one partition.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{ContactId, Party, TenantId, Timers, Timestamp, TokenId, shared::Shared};

use super::{Event, TimerId};

/// A ledger for each tenant, so that no id reaches into another tenant's.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Contacts {
    ledgers: BTreeMap<TenantId, Ledger>,
    pub(super) timers: Timers<TimerId>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Ledger {
    contacts: Shared<ContactId, Contact>,
    /// Whose each address is. Every one named here stands in that contact's `parties`.
    owners: Shared<Party, ContactId>,
    /// Of the addresses that agents have joined.
    came_from: BTreeMap<Party, Before>,
    /// Tokens that were shown, until they would be of no use anyway.
    taken: BTreeMap<TokenId, Timestamp>,
}

/// What an address was a part of before it was joined with another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Before {
    pub(super) contact: ContactId,
    pub(super) tags: BTreeSet<Arc<str>>,
}

/// A person, with at least one address.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Contact {
    /// In order, without spare room: there may be millions of contacts, and most have one.
    pub parties: Vec<Party>,
    pub tags: BTreeSet<Arc<str>>,
}

impl Contacts {
    pub fn get(&self, tenant: &TenantId, contact: ContactId) -> Option<&Contact> {
        self.ledgers.get(tenant)?.contacts.get(&contact)
    }

    /// Whose address this is.
    pub fn owner(&self, tenant: &TenantId, party: Party) -> Option<ContactId> {
        self.ledgers.get(tenant)?.owners.get(&party).copied()
    }

    pub(super) fn came_from(&self, tenant: &TenantId, party: Party) -> Option<&Before> {
        self.ledgers.get(tenant)?.came_from.get(&party)
    }

    /// Whether a token was shown before.
    pub(super) fn is_taken(&self, tenant: &TenantId, token: TokenId) -> bool {
        self.ledgers.get(tenant).is_some_and(|ledger| ledger.taken.contains_key(&token))
    }

    pub(super) fn evolve(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Created { contact, from, .. } => {
                let ledger = self.ledgers.entry(from.tenant.clone()).or_default();
                if !ledger.contacts.contains_key(contact) {
                    ledger.contacts.insert(*contact, Contact::default());
                }
                ledger.link(*contact, from.party);
            }
            Event::Linked { tenant, contact, party, .. } => {
                if let Some(ledger) = self.ledgers.get_mut(tenant) {
                    ledger.came_from.remove(party);
                    ledger.link(*contact, *party);
                }
            }
            Event::Joined { tenant, contact, party, was } => {
                if let Some(ledger) = self.ledgers.get_mut(tenant) {
                    let before = was.and_then(|was| {
                        let tags = ledger.contacts.get(&was)?.tags.clone();
                        Some(Before { contact: was, tags })
                    });
                    before.and_then(|before| ledger.came_from.insert(*party, before));
                    ledger.link(*contact, *party);
                }
            }
            Event::Parted { tenant, contact, party, .. } => {
                if let Some(ledger) = self.ledgers.get_mut(tenant) {
                    ledger.came_from.remove(party);
                    if !ledger.contacts.contains_key(contact) {
                        ledger.contacts.insert(*contact, Contact::default());
                    }
                    ledger.link(*contact, *party);
                }
            }
            Event::Tagged { tenant, contact, tag } => {
                if let Some(contact) = self.get_mut(tenant, contact) {
                    contact.tags.insert(tag.clone());
                }
            }
            Event::Untagged { tenant, contact, tag } => {
                if let Some(contact) = self.get_mut(tenant, contact) {
                    contact.tags.remove(tag);
                }
            }
            Event::TagsTold { .. } | Event::OthersTold { .. } => {}
            Event::TokenTaken { tenant, token, .. } => {
                let taken = &mut self.ledgers.entry(tenant.clone()).or_default().taken;
                // One that has expired is refused for that.
                taken.retain(|_, expires_at| *expires_at > at);
                taken.insert(token.id, token.expires_at);
            }
        }
    }

    fn get_mut(&mut self, tenant: &TenantId, contact: &ContactId) -> Option<&mut Contact> {
        self.ledgers.get_mut(tenant)?.contacts.get_mut(contact)
    }
}

impl Ledger {
    /// Moves the address to this contact; the one it leaves is gone if it was its last.
    fn link(&mut self, contact: ContactId, party: Party) {
        let Some(new) = self.contacts.get_mut(&contact) else { return };
        if let Err(place) = new.parties.binary_search(&party) {
            new.parties.reserve_exact(1);
            new.parties.insert(place, party);
        }
        let Some(was) = self.owners.insert(party, contact).filter(|was| *was != contact) else { return };
        if let Some(old) = self.contacts.get_mut(&was) {
            old.parties.retain(|linked| *linked != party);
            if old.parties.is_empty() {
                self.contacts.remove(&was);
            }
        }
    }
}
