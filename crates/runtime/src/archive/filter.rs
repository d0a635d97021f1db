//! Tells most keys that are not in a segment without reading it: a Bloom filter, ten bits an entry.

use super::Key;

const BITS_AN_ENTRY: u64 = 10;
/// Bits looked at for each key. With ten bits an entry, one key in a hundred is taken to be here and is not.
const LOOKS: u64 = 7;

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Filter(Box<[u64]>);

impl Filter {
    pub(super) fn for_about(entries: u64) -> Self {
        let words = (entries * BITS_AN_ENTRY).div_ceil(64).max(1);
        Filter((0..words).map(|_| 0).collect())
    }

    /// None if there are too few words to ask.
    pub(super) fn from_words(words: impl Iterator<Item = Option<u64>>) -> Option<Self> {
        let words: Box<[u64]> = words.collect::<Option<_>>()?;
        (!words.is_empty()).then_some(Filter(words))
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    pub(super) fn put(&mut self, key: &Key) {
        for (word, bit) in places(self.0.len(), key) {
            self.0[word] |= bit;
        }
    }

    pub(super) fn may_have(&self, key: &Key) -> bool {
        places(self.0.len(), key).all(|(word, bit)| self.0[word] & bit != 0)
    }
}

/// Keys are hashes already: their halves make as many places as are wanted.
fn places(words: usize, key: &Key) -> impl Iterator<Item = (usize, u64)> {
    let half = |from: usize| u64::from_be_bytes(std::array::from_fn(|i| key[from + i]));
    let (start, stride) = (half(0), half(8) | 1);
    let bits = words as u64 * 64;
    (0..LOOKS).map(move |look| {
        let place = start.wrapping_add(look.wrapping_mul(stride)) % bits;
        (usize::try_from(place / 64).unwrap_or_default(), 1 << (place % 64))
    })
}
