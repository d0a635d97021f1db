//! A map that costs little to copy: copies share what neither has changed since.
//!
//! A snapshot is written of such a copy while the original goes on. Keys are hashes and so spread evenly over parts, by
//! their first byte; who changes one of a part that is shared copies that part, a 256th of the whole.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};

use crate::{ContactId, Party};

const PARTS: usize = 1 << u8::BITS;

/// A hash. Its order is that of its bytes.
pub(crate) trait Key: Copy + Ord {
    fn first(&self) -> u8;
}

impl Key for Party {
    fn first(&self) -> u8 {
        self.0[0]
    }
}

impl Key for ContactId {
    fn first(&self) -> u8 {
        self.0[0]
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Shared<K: Ord, V> {
    parts: Vec<Arc<BTreeMap<K, V>>>,
}

impl<K: Ord, V> Default for Shared<K, V> {
    fn default() -> Self {
        Shared { parts: vec![Arc::default(); PARTS] }
    }
}

impl<K: Key, V: Clone> Shared<K, V> {
    fn part(&self, key: &K) -> &BTreeMap<K, V> {
        &self.parts[usize::from(key.first())]
    }

    fn part_mut(&mut self, key: &K) -> &mut BTreeMap<K, V> {
        Arc::make_mut(&mut self.parts[usize::from(key.first())])
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.part(key).get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.part_mut(key).get_mut(key)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.part(key).contains_key(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.part_mut(&key).insert(key, value)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.part_mut(key).remove(key)
    }

    /// In the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flat_map(|part| part.iter())
    }
}

impl<K: Key, V> FromIterator<(K, V)> for Shared<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut parts: Vec<Vec<(K, V)>> = (0..PARTS).map(|_| Vec::new()).collect();
        for (key, value) in entries {
            parts[usize::from(key.first())].push((key, value));
        }
        // A map that is built at once, of what is in order, has no spare room.
        Shared { parts: parts.into_iter().map(|part| Arc::new(part.into_iter().collect())).collect() }
    }
}

/// As one map, in the order of the keys.
impl<K: Key + Serialize, V: Clone + Serialize> Serialize for Shared<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count: usize = self.parts.iter().map(|part| part.len()).sum();
        let mut map = serializer.serialize_map(Some(count))?;
        for (key, value) in self.iter() {
            serde::ser::SerializeMap::serialize_entry(&mut map, key, value)?;
        }
        serde::ser::SerializeMap::end(map)
    }
}

impl<'de, K: Key + Deserialize<'de>, V: Clone + Deserialize<'de>> Deserialize<'de> for Shared<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, |_: &mut V| ())
    }
}

/// Reads such a map, seeing to each value as it comes.
pub(crate) fn read<'de, D, K, R, V>(
    deserializer: D,
    see_to: impl FnMut(&mut R),
) -> Result<Shared<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Key + Deserialize<'de>,
    R: Deserialize<'de> + Into<V>,
{
    deserializer.deserialize_map(Entries(see_to, PhantomData))
}

struct Entries<F, K, R, V>(F, PhantomData<(K, R, V)>);

impl<'de, F, K, R, V> Visitor<'de> for Entries<F, K, R, V>
where
    F: FnMut(&mut R),
    K: Key + Deserialize<'de>,
    R: Deserialize<'de> + Into<V>,
{
    type Value = Shared<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map by hashes")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<Self::Value, M::Error> {
        // What is read may be damaged and must not reserve more than it is worth.
        let mut entries = Vec::with_capacity(map.size_hint().unwrap_or_default().min(1 << 16));
        while let Some((key, mut value)) = map.next_entry::<K, R>()? {
            (self.0)(&mut value);
            entries.push((key, value.into()));
        }
        Ok(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(first: u8, last: u8) -> Party {
        let mut bytes = [7; 16];
        (bytes[0], bytes[15]) = (first, last);
        Party(bytes)
    }

    #[test]
    fn it_is_a_map_whatever_changes_and_whoever_holds_a_copy() {
        let (mut shared, mut plain) = (Shared::default(), BTreeMap::new());
        let mut lent = Vec::new();
        for round in 0..40_u8 {
            for n in 0..50_u8 {
                let key = party(n.wrapping_mul(round), n % 3);
                match n % 4 {
                    0 => assert_eq!(shared.remove(&key), plain.remove(&key)),
                    1 => assert_eq!(
                        shared.get_mut(&key).map(|it| *it += 1),
                        plain.get_mut(&key).map(|it| *it += 1)
                    ),
                    _ => assert_eq!(shared.insert(key, u32::from(n)), plain.insert(key, u32::from(n))),
                }
                assert_eq!(shared.get(&key), plain.get(&key));
                assert_eq!(shared.contains_key(&key), plain.contains_key(&key));
            }
            lent.push((shared.clone(), plain.clone()));
        }
        for (shared, plain) in lent {
            assert!(shared.iter().eq(plain.iter()), "a copy stays as it was, in order");
            assert_eq!(plain.into_iter().collect::<Shared<_, _>>(), shared);
        }
    }

    #[test]
    fn a_copy_shares_all_but_what_changed_since() {
        let mut shared: Shared<Party, u32> = (0..=255).map(|n| (party(n, 0), 0)).collect();
        let lent = shared.clone();
        shared.insert(party(9, 1), 1);
        let apart = shared.parts.iter().zip(&lent.parts).filter(|(ours, theirs)| !Arc::ptr_eq(ours, theirs));
        assert_eq!(apart.count(), 1);
    }
}
