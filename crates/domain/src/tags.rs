//! What a conversation knows of its customer's tags: enough to tell one from another, and no words.
//!
//! Tags are the business's own words about a person. They stand in the ledger; everywhere else a hash of each is all
//! that routing needs, so that erasing a person need not look for them there.

use serde::{Deserialize, Serialize};

use crate::relay::fnv1a;

/// The tags of a contact, each as FNV-1a of 64 bits (stable for ever: they stand in the log), in order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tags(Vec<u64>);

impl Tags {
    pub fn of<'a>(tags: impl IntoIterator<Item = &'a str>) -> Tags {
        Tags::from(tags.into_iter().map(hash).collect::<Vec<_>>())
    }

    pub fn has(&self, tag: &str) -> bool {
        self.0.binary_search(&hash(tag)).is_ok()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn hashes(&self) -> &[u64] {
        &self.0
    }
}

impl From<Vec<u64>> for Tags {
    fn from(mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.shrink_to_fit();
        Tags(hashes)
    }
}

fn hash(tag: &str) -> u64 {
    fnv1a([tag.as_bytes()])
}
