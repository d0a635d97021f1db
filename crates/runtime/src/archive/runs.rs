//! Keys in memory, sixteen bytes each: a few sorted lists, put together as they grow, so that there are never many.

use super::Key;

#[derive(Default)]
pub(super) struct Runs(Vec<Vec<Key>>);

impl Runs {
    /// Takes in keys that are in order.
    pub(super) fn push(&mut self, mut run: Vec<Key>) {
        while let Some(last) = self.0.pop_if(|last| last.len() <= run.len()) {
            run = merged(last, run);
        }
        self.0.push(run);
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.0.iter().any(|run| run.binary_search(key).is_ok())
    }

    /// All keys in order, and those that were put more than once, once for each time too many.
    pub(super) fn in_order(&self) -> (Vec<Key>, Vec<Key>) {
        let mut keys = self.0.iter().fold(Vec::new(), |all, run| merged(all, run.clone()));
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

fn merged(mut first: Vec<Key>, second: Vec<Key>) -> Vec<Key> {
    first.extend(second);
    // Two lists in order are what this sort is quickest with.
    first.sort();
    first.shrink_to_fit();
    first
}
