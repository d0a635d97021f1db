//! What a set of entries comes to, whatever the order in which they were put: equal tallies, equal sets.

use super::{Key, segment::take_array};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(super) count: u64,
    /// Of a hash of each entry. Keys without a value are hashes already.
    sum: u128,
}

impl Tally {
    pub(super) const LENGTH: usize = 24;

    pub(super) fn of(key: &Key, value: &[u8]) -> Self {
        let hash = if value.is_empty() {
            *key
        } else {
            let digest = wire::digest(&[key, value].concat());
            std::array::from_fn(|i| digest[i])
        };
        Tally { count: 1, sum: u128::from_be_bytes(hash) }
    }

    pub(super) fn add(&mut self, other: Tally) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    pub(super) fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.count.to_be_bytes());
        bytes[8..].copy_from_slice(&self.sum.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; Self::LENGTH]) -> Self {
        let rest = &mut &bytes[..];
        let mut take = || take_array::<8>(rest).map_or(0, u64::from_be_bytes);
        let (count, high, low) = (take(), take(), take());
        Tally { count, sum: u128::from(high) << 64 | u128::from(low) }
    }
}
