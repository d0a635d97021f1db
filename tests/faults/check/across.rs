//! What one partition says beside what another did: nothing is lost between them, nothing made up.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
};

use super::{Judged, Violations, events, rule::Ruled, short, shown};
use crate::records::{Contact, Event, Id, OfferId};

/// How often each party was written down.
#[derive(Default)]
pub(crate) struct Contacts(HashMap<Id, u32>);

pub(super) fn contacts(ruled: &Ruled) -> Contacts {
    let mut contacts = Contacts::default();
    for decided in &ruled.decided {
        for event in events(&decided.decision) {
            if let Event::Contact(event) = event
                && let Some(Contact::Created(created)) = &event.kind
            {
                let party = created.from.as_ref().map_or(Id::new(), |from| from.party.clone());
                *contacts.0.entry(party).or_default() += 1;
            }
        }
    }
    contacts
}

impl Judged {
    pub(super) fn across(&mut self) {
        let mut violations = Violations::new();
        self.relays(&mut violations);
        self.messages(&mut violations);
        let conversations = || self.conversations.values();
        same(
            "8: conversations that wait at a desk",
            |(conversation, epoch)| format!("{} in epoch {epoch}", shown(conversation)),
            sums(conversations().flat_map(|one| &one.wanted)),
            sums(self.desks.values().flat_map(|desk| &desk.enqueued)),
            &mut violations,
        );
        same(
            "5: offers that were taken",
            offer,
            sums(conversations().flat_map(|one| &one.assigned)),
            sums(self.desks.values().flat_map(|desk| &desk.accepted)),
            &mut violations,
        );
        same(
            "5: assignments held",
            offer,
            conversations().flat_map(|one| one.held.clone()).collect(),
            self.desks.values().flat_map(|desk| desk.held()).collect(),
            &mut violations,
        );
        let refused = sums(conversations().flat_map(|one| &one.refused));
        let taken = sums(conversations().flat_map(|one| &one.assigned));
        let both = refused.keys().filter(|offer| taken.contains_key(offer));
        violations.extend(both.map(|id| format!("5: offer {} was taken, and refused", offer(id))));
        same(
            "8: customers",
            |id: &Id| short(id),
            sums(conversations().flat_map(|one| &one.customers)),
            sums(self.contacts.values().flat_map(|contacts| &contacts.0)),
            &mut violations,
        );
        self.violations.append(&mut violations);
    }

    /// 8: at rest, every relay that left has been applied, and nobody was told otherwise.
    fn relays(&self, violations: &mut Violations) {
        for (source, from) in &self.inputs {
            for (target, sent) in &from.sent {
                let applied =
                    self.inputs.get(target).and_then(|to| to.applied.get(source)).copied().unwrap_or(0);
                if applied != *sent {
                    violations
                        .push(format!("8: {source} sent {sent} relays to {target}, which applied {applied}"));
                }
                let confirmed = from.confirmed.get(target).copied().unwrap_or(0);
                if confirmed > applied {
                    violations.push(format!("8: {target} is said to have applied {confirmed} relays of {source}, and applied {applied}"));
                }
            }
            for (origin, applied) in &from.applied {
                let sent =
                    self.inputs.get(origin).and_then(|origin| origin.sent.get(source)).copied().unwrap_or(0);
                if *applied > sent {
                    violations
                        .push(format!("8: {source} applied {applied} relays of {origin}, which sent {sent}"));
                }
            }
        }
    }

    /// 11: what conversations say is what is to leave, and what became of it is noted there, once.
    fn messages(&self, violations: &mut Violations) {
        let said = sums(self.conversations.values().flat_map(|one| &one.said));
        let queued = self.deliveries.values().flat_map(|one| one.known.keys()).map(|message| (message, &1));
        same("11: messages to leave", |id: &Id| short(id), said, sums(queued), violations);
        let noted = sums(self.conversations.values().flat_map(|one| &one.noted));
        let ended = self.deliveries.values().flat_map(|one| &one.known).filter(|(_, known)| known.has_ended);
        same(
            "11: messages that left or not",
            |id: &Id| short(id),
            noted,
            sums(ended.map(|(message, _)| (message, &1))),
            violations,
        );
    }
}

/// Adds up what several partitions counted.
fn sums<'a, K: Ord + Clone + 'a>(counts: impl Iterator<Item = (&'a K, &'a u32)>) -> BTreeMap<K, u32> {
    let mut sums = BTreeMap::new();
    counts.for_each(|(key, times)| *sums.entry(key.clone()).or_default() += times);
    sums
}

/// What two sides count must be the same.
fn same<K: Ord, V: PartialEq + Debug>(
    what: &str,
    show: impl Fn(&K) -> String,
    one: BTreeMap<K, V>,
    other: BTreeMap<K, V>,
    violations: &mut Violations,
) {
    let only = |here: &BTreeMap<K, V>, there: &BTreeMap<K, V>| {
        let differ = here.iter().filter(|(key, value)| there.get(key) != Some(value));
        differ.map(|(key, value)| format!("{} {value:?}", show(key))).collect::<Vec<_>>()
    };
    let (here, there) = (only(&one, &other), only(&other, &one));
    if !here.is_empty() || !there.is_empty() {
        violations.push(format!("{what}: {here:?} on the one side, {there:?} on the other"));
    }
}

fn offer(id: &OfferId) -> String {
    format!("{}/{}", id.desk, id.number)
}
