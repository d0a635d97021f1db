//! Other addresses of the same person: where else the customer could be written to.
//!
//! The ledger says which addresses are one contact's. What each of them is, and whether it may be written to, is known
//! where its own conversations are; they tell the others, and again whenever that changes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Channel, InboxId, Kept, Party, Sealed, TenantId};

use super::{
    Conversations, Correspondent, Customer, Endpoint, Event, Suppression, What, customer::keep_newest,
    draft::Draft,
};

/// The word may come before the ledger's that it is one of the contact's, so some are kept that are not (yet).
const KEPT: usize = 32;

/// What an address tells the others of its contact.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OtherAddress {
    pub from: Correspondent,
    /// Its customer has not asked for silence there, and nothing sent there came back.
    pub writable: bool,
}

/// What is known of a customer's other addresses.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Others {
    /// Those of the contact, in order.
    pub(super) parties: Vec<Party>,
    /// What was told, newest last.
    addresses: Vec<Other>,
}

/// An address of a customer's contact, in its own inbox.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Other {
    pub(super) endpoint: Arc<Endpoint>,
    party: Party,
    address: Kept,
    writable: bool,
}

impl Other {
    pub fn inbox(&self) -> &InboxId {
        &self.endpoint.inbox
    }

    pub fn channel(&self) -> Channel {
        self.endpoint.channel
    }

    pub fn party(&self) -> Party {
        self.party
    }

    /// Sealed under [`Other::party`] as the item `MessageId(party.0)`.
    pub fn address(&self) -> Sealed {
        self.address.sealed()
    }

    fn told(&self) -> OtherAddress {
        let Endpoint { tenant, inbox, channel } = self.endpoint.as_ref().clone();
        // What else is known of it stands where it is at home.
        let (party, address, country, unanswerable) = (self.party, self.address(), None, false);
        let from = Correspondent { tenant, inbox, channel, party, address, country, unanswerable };
        OtherAddress { from, writable: self.writable }
    }

    fn of(endpoint: Arc<Endpoint>, told: &OtherAddress) -> Self {
        let (party, writable) = (told.from.party, told.writable && !told.from.unanswerable);
        Other { endpoint, party, address: Kept::new(&told.from.address), writable }
    }
}

impl Others {
    pub(super) fn are(&mut self, parties: &[Party]) {
        self.parties = parties.to_vec();
    }

    pub(super) fn know(&mut self, endpoint: Arc<Endpoint>, told: &OtherAddress) {
        self.addresses.retain(|known| known.party != told.from.party);
        keep_newest(&mut self.addresses, Other::of(endpoint, told), KEPT);
    }

    pub(super) fn told(&self) -> impl Iterator<Item = OtherAddress> {
        self.addresses.iter().map(Other::told)
    }

    pub(super) fn addresses_mut(&mut self) -> impl Iterator<Item = &mut Other> {
        self.addresses.iter_mut()
    }

    pub(super) fn returned(parties: &[Party], addresses: &[OtherAddress]) -> Option<Self> {
        let address = |told: &OtherAddress| {
            let (tenant, inbox) = (told.from.tenant.clone(), told.from.inbox.clone());
            Other::of(Arc::new(Endpoint { tenant, inbox, channel: told.from.channel }), told)
        };
        let others = Others { parties: parties.to_vec(), addresses: addresses.iter().map(address).collect() };
        (others != Others::default()).then_some(others)
    }
}

impl Customer {
    /// The other addresses of the same contact that may be written to, the newest word last.
    pub fn others(&self) -> impl Iterator<Item = &Other> {
        let others = self.others.as_deref();
        let is_theirs =
            |others: &Others, other: &Other| others.parties.contains(&other.party) && other.writable;
        others
            .into_iter()
            .flat_map(move |others| others.addresses.iter().filter(move |other| is_theirs(others, other)))
    }

    pub(super) fn others_mut(&mut self) -> &mut Others {
        self.others.get_or_insert_default()
    }

    fn other_parties(&self) -> &[Party] {
        self.others.as_deref().map_or(&[], |others| &others.parties)
    }
}

/// The ledger says which addresses are one contact's: each learns what this one is.
pub(super) fn note(state: &Conversations, tenant: &TenantId, party: Party, others: &[Party]) -> Vec<Event> {
    let customer = state.customer(party).filter(|customer| customer.endpoint.tenant == *tenant);
    let Some(customer) = customer.filter(|customer| customer.other_parties() != others) else {
        return Vec::new();
    };
    let noted = Draft::of(customer).and(What::OthersNoted { party, others: others.to_vec() });
    let of = word_of(customer, party, Reach::of(customer).is_open());
    others.iter().fold(noted, |draft, to| draft.and(What::AddressTold { to: *to, of: of.clone() })).finish()
}

/// Another address says what it is.
pub(super) fn note_address(state: &Conversations, party: Party, of: &OtherAddress) -> Vec<Event> {
    let customer = state.customer(party).filter(|customer| customer.endpoint.tenant == of.from.tenant);
    let news = customer.filter(|customer| {
        let mut known = customer.others.iter().flat_map(|others| others.told());
        !known.any(|known| known == *of)
    });
    let noted = |customer| Draft::of(customer).and(What::AddressNoted { party, of: of.clone() }).finish();
    news.map(noted).unwrap_or_default()
}

/// What was decided, and who is to know of it: where an address may be written to no more, or again, the others of its
/// contact learn that.
pub(super) fn with_news(state: &Conversations, mut events: Vec<Event>) -> Vec<Event> {
    let Some(first) = events.iter().find(|event| changes_reach(&event.what)) else { return events };
    let party = first.party();
    let Some(customer) = state.customer(party).filter(|customer| !customer.other_parties().is_empty()) else {
        return events;
    };
    let before = Reach::of(customer);
    let after = events.iter().fold(before.clone(), |reach, event| reach.after(&event.what));
    if before.is_open() != after.is_open() {
        let of = word_of(customer, party, after.is_open());
        let told = |draft: Draft, to: &Party| draft.and(What::AddressTold { to: *to, of: of.clone() });
        events.extend(customer.other_parties().iter().fold(Draft::of(customer), told).finish());
    }
    events
}

fn word_of(customer: &Customer, party: Party, writable: bool) -> OtherAddress {
    let Endpoint { tenant, inbox, channel } = customer.endpoint.as_ref().clone();
    let (address, country, unanswerable) =
        (customer.address.sealed(), customer.country, customer.unanswerable);
    let from = Correspondent { tenant, inbox, channel, party, address, country, unanswerable };
    OtherAddress { from, writable }
}

/// Why an address may not be written to, if it may not.
#[derive(Clone)]
struct Reach {
    opted_out: bool,
    suppressed: Vec<Suppression>,
}

impl Reach {
    fn of(customer: &Customer) -> Self {
        Reach { opted_out: customer.opted_out, suppressed: customer.suppressed().to_vec() }
    }

    fn is_open(&self) -> bool {
        !self.opted_out && self.suppressed.is_empty()
    }

    fn after(mut self, what: &What) -> Self {
        match what {
            What::OptedOut { .. } => self.opted_out = true,
            What::OptedIn { .. } => self.opted_out = false,
            What::Suppressed { cause, .. } => self.suppressed.push(*cause),
            What::SuppressionLifted { cause, .. } => self.suppressed.retain(|known| known != cause),
            _ => {}
        }
        self
    }
}

fn changes_reach(what: &What) -> bool {
    use What::{OptedIn, OptedOut, Suppressed, SuppressionLifted};
    matches!(what, OptedOut { .. } | OptedIn { .. } | Suppressed { .. } | SuppressionLifted { .. })
}
