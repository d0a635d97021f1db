//! The customers of a partition, by party.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};

use crate::Party;

use super::{Customer, names::Names};

#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Customers {
    // Boxed, so that the map's spare room is not the size of customers.
    by_party: BTreeMap<Party, Box<Customer>>,
    pub(super) names: Names,
}

impl Customers {
    pub(super) fn get(&self, party: Party) -> Option<&Customer> {
        self.by_party.get(&party).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, party: Party) -> Option<&mut Customer> {
        self.by_party.get_mut(&party).map(Box::as_mut)
    }

    pub(super) fn has(&self, party: Party) -> bool {
        self.by_party.contains_key(&party)
    }

    pub(super) fn put(&mut self, party: Party, customer: Customer) {
        self.by_party.insert(party, Box::new(customer));
    }

    pub(super) fn remove(&mut self, party: Party) {
        self.by_party.remove(&party);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Party, &Customer)> {
        self.by_party.iter().map(|(party, customer)| (*party, &**customer))
    }
}

impl Serialize for Customers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.by_party.serialize(serializer)
    }
}

/// One by one, so that names are not read a million times over before they are made one.
impl<'de> Deserialize<'de> for Customers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Customers;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("customers by party")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Customers, M::Error> {
        let mut names = Names::default();
        // A map that is built from what is in order has no spare room. What is read may be damaged and must not
        // reserve more than it is worth.
        let mut entries = Vec::with_capacity(map.size_hint().unwrap_or_default().min(1 << 16));
        while let Some((party, mut customer)) = map.next_entry::<Party, Box<Customer>>()? {
            names.adopt(&mut customer);
            entries.push((party, customer));
        }
        Ok(Customers { by_party: entries.into_iter().collect(), names })
    }
}
