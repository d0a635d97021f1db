//! Keys of the parties that are talking now, under a lease, so that an erasure by another process is noticed
//! within it.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{Subject, sealed::DataKey};

const SHARDS: usize = 16;

pub(crate) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    lease: Duration,
    /// How many entries `young` may hold before it becomes `old`.
    half: usize,
}

/// Least-recently-used, nearly: what was not asked for while `young` filled up goes with `old`.
#[derive(Default)]
struct Shard {
    young: HashMap<Subject, Entry>,
    old: HashMap<Subject, Entry>,
}

struct Entry {
    key: Arc<DataKey>,
    until: Instant,
}

impl Cache {
    pub(crate) fn new(lease: Duration, entries: usize) -> Cache {
        Cache { shards: Default::default(), lease, half: (entries / SHARDS / 2).max(1) }
    }

    pub(crate) fn get(&self, subject: &Subject) -> Option<Arc<DataKey>> {
        let mut shard = self.shard(subject);
        if let Some(entry) = shard.young.get(subject) {
            return (Instant::now() < entry.until).then(|| entry.key.clone());
        }
        let entry = shard.old.remove(subject)?;
        if Instant::now() >= entry.until {
            return None;
        }
        let key = entry.key.clone();
        let dropped = shard.insert(subject.clone(), entry, self.half);
        drop(shard);
        drop(dropped);
        Some(key)
    }

    /// The lease runs from `read_at`, a moment before the key was read from the store.
    pub(crate) fn put(&self, subject: Subject, key: Arc<DataKey>, read_at: Instant) {
        let entry = Entry { key, until: read_at + self.lease };
        let mut shard = self.shard(&subject);
        shard.old.remove(&subject);
        let dropped = shard.insert(subject, entry, self.half);
        drop(shard);
        drop(dropped);
    }

    pub(crate) fn remove(&self, subject: &Subject) {
        let mut shard = self.shard(subject);
        shard.young.remove(subject);
        shard.old.remove(subject);
    }

    /// A party is a keyed hash: any of its bytes spreads evenly.
    fn shard(&self, subject: &Subject) -> MutexGuard<'_, Shard> {
        let number = usize::from(subject.party[0]) % SHARDS;
        // A map that a panic left behind is still a map of valid keys.
        self.shards[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Yields what fell out, for the caller to drop once the lock is released.
    fn insert(&mut self, subject: Subject, entry: Entry, half: usize) -> HashMap<Subject, Entry> {
        let dropped = if self.young.len() >= half {
            let young = mem::take(&mut self.young);
            mem::replace(&mut self.old, young)
        } else {
            HashMap::new()
        };
        self.young.insert(subject, entry);
        dropped
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn subject(n: u32) -> Subject {
        let mut party = [0; 16];
        party[..4].copy_from_slice(&n.to_le_bytes());
        Subject { tenant: "acme".into(), party }
    }

    fn key(generation: u32) -> Arc<DataKey> {
        Arc::new(DataKey::new(generation, Zeroizing::new([0; 32])))
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_keeps_what_is_asked_for() {
        let cache = Cache::new(Duration::from_secs(30), 1_600);
        cache.put(subject(0), key(1), Instant::now());
        for n in 1..20_000 {
            cache.put(subject(n), key(1), Instant::now());
            assert!(cache.get(&subject(0)).is_some(), "after {n}");
        }
        let held: usize =
            cache.shards.iter().map(|shard| shard.lock().unwrap()).map(|s| s.young.len() + s.old.len()).sum();
        assert!((800..=1_600).contains(&held), "{held}");
    }

    #[test]
    fn a_key_is_served_only_under_its_lease_and_until_removed() {
        let cache = Cache::new(Duration::from_secs(30), 100);
        let Some(long_ago) = Instant::now().checked_sub(Duration::from_secs(31)) else { return };
        cache.put(subject(1), key(1), long_ago);
        assert!(cache.get(&subject(1)).is_none(), "the lease is over");
        cache.put(subject(1), key(2), Instant::now());
        assert_eq!(cache.get(&subject(1)).unwrap().generation, 2);
        cache.remove(&subject(1));
        assert!(cache.get(&subject(1)).is_none());
    }
}
