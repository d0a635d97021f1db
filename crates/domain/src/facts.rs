//! The facts that were taken. The newest are in memory, where nearly every redelivery finds its like; older ones leave
//! in batches, to be kept beside the state (see [`crate::Departed`]).

use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{FactId, Millis, Timestamp};

/// Facts are remembered at least this long, so that a redelivery is recognized: WhatsApp redelivers for 7 days. What
/// came by e-mail is remembered for ever: a mailbox may be read again from its beginning.
pub const FACTS_KEPT: Millis = Millis::hours(14 * 24);

/// So many facts leave memory together. Twice as many are in memory at most.
const BATCH: usize = 4_096;

/// Facts that leave memory.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Batch {
    /// When the last of them was taken.
    pub newest: Timestamp,
    /// In order.
    pub ids: Vec<FactId>,
}

impl Batch {
    pub fn contains(&self, id: &FactId) -> bool {
        self.ids.binary_search(id).is_ok()
    }
}

/// The facts in memory: those of late, and the full batch before them.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    young: Young,
    newest: Timestamp,
    old: Batch,
}

impl Facts {
    pub(crate) fn contains(&self, id: &FactId) -> bool {
        self.young.0.contains(id) || self.old.contains(id)
    }

    /// Remembers a fact; what makes room for it, if anything must.
    pub(crate) fn put(&mut self, id: FactId, at: Timestamp) -> Option<Batch> {
        self.young.0.insert(id);
        self.newest = self.newest.max(at);
        if self.young.0.len() < BATCH {
            return None;
        }
        let full = Batch { newest: self.newest, ids: self.young.in_order() };
        self.young.0.clear();
        Some(std::mem::replace(&mut self.old, full)).filter(|leaving| !leaving.ids.is_empty())
    }
}

#[derive(Clone, PartialEq, Debug, Default)]
struct Young(HashSet<FactId, BuildHasherDefault<AsItIs>>);

impl Young {
    fn in_order(&self) -> Vec<FactId> {
        let mut ids: Vec<_> = self.0.iter().copied().collect();
        ids.sort_unstable();
        ids
    }
}

/// Equal sets give equal bytes.
impl Serialize for Young {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.in_order().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Young {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<FactId>::deserialize(deserializer).map(|ids| Young(ids.into_iter().collect()))
    }
}

/// A fact's id is a keyed hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    // The length of an array, which is always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        // A set looks at the highest bits and the lowest.
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
