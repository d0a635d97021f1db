//! Keys in memory, sixteen bytes each: a few sorted lists, put together as they grow, so that there are never many. Each has
//! a filter before it, since nearly every key that is asked for is in none.

use super::{Key, filter::Filter};

#[derive(Default)]
pub(super) struct Runs(Vec<Run>);

struct Run {
    /// In order.
    keys: Vec<Key>,
    filter: Filter,
}

impl Run {
    fn new(keys: Vec<Key>) -> Self {
        let mut filter = Filter::for_about(keys.len() as u64);
        keys.iter().for_each(|key| filter.put(key));
        Run { keys, filter }
    }

    fn contains(&self, key: &Key) -> bool {
        self.filter.may_have(key) && self.keys.binary_search(key).is_ok()
    }
}

impl Runs {
    /// Takes in keys that are in order.
    pub(super) fn push(&mut self, mut keys: Vec<Key>) {
        while let Some(last) = self.0.pop_if(|last| last.keys.len() <= keys.len()) {
            keys = merged(&last.keys, &keys);
        }
        self.0.push(Run::new(keys));
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.0.iter().any(|run| run.contains(key))
    }

    /// All keys in order, and those that were put more than once, once for each time too many.
    pub(super) fn in_order(&self) -> (Vec<Key>, Vec<Key>) {
        let mut keys = self.0.iter().fold(Vec::new(), |all, run| merged(&all, &run.keys));
        let mut twice = Vec::new();
        keys.dedup_by(|again, key| {
            let is_same = again == key;
            if is_same {
                twice.push(*key);
            }
            is_same
        });
        (keys, twice)
    }
}

fn merged(first: &[Key], second: &[Key]) -> Vec<Key> {
    let mut both = Vec::with_capacity(first.len() + second.len());
    both.extend_from_slice(first);
    both.extend_from_slice(second);
    // Two lists in order are what this sort is quickest with.
    both.sort();
    both
}
