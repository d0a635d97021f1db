//! The customers of a partition, by party.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Party,
    shared::{self, Shared},
};

use super::{Customer, names::Names};

#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Customers {
    // Each on its own: where a part is copied, those in it are not.
    by_party: Shared<Party, Arc<Customer>>,
    pub(super) names: Names,
}

impl Customers {
    pub(super) fn get(&self, party: Party) -> Option<&Customer> {
        self.by_party.get(&party).map(Arc::as_ref)
    }

    pub(super) fn get_mut(&mut self, party: Party) -> Option<&mut Customer> {
        self.by_party.get_mut(&party).map(Arc::make_mut)
    }

    pub(super) fn has(&self, party: Party) -> bool {
        self.by_party.contains_key(&party)
    }

    pub(super) fn put(&mut self, party: Party, customer: Customer) {
        self.by_party.insert(party, Arc::new(customer));
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
        let mut names = Names::default();
        let by_party = shared::read(deserializer, |customer| names.adopt(customer))?;
        Ok(Customers { by_party, names })
    }
}
