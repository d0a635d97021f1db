//! Timers as state: set and cancelled by events, fired by whoever leads, at most once a generation.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Millis, Timestamp};

/// The timers of one partition: at most one for each id.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(bound = "T: Ord + Clone + Serialize + serde::de::DeserializeOwned")]
pub struct Timers<T: Ord + Clone> {
    by_id: BTreeMap<T, (Timestamp, u64)>,
    by_due: BTreeSet<(Timestamp, T)>,
    /// Of the timer set last; every setting gets a new one.
    generation: u64,
}

/// One setting of a timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Timer<T> {
    pub due: Timestamp,
    pub id: T,
    pub generation: u64,
}

impl<T: Ord + Clone> Default for Timers<T> {
    fn default() -> Self {
        Timers { by_id: BTreeMap::new(), by_due: BTreeSet::new(), generation: 0 }
    }
}

impl<T: Ord + Clone> Timers<T> {
    /// Sets the timer, replacing an earlier setting of it.
    pub fn set(&mut self, id: T, due: Timestamp) {
        self.cancel(&id);
        self.generation += 1;
        self.by_due.insert((due, id.clone()));
        self.by_id.insert(id, (due, self.generation));
    }

    pub fn set_after(&mut self, id: T, now: Timestamp, span: Millis) {
        self.set(id, now + span);
    }

    pub fn cancel(&mut self, id: &T) {
        if let Some((due, _)) = self.by_id.remove(id) {
            self.by_due.remove(&(due, id.clone()));
        }
    }

    /// When the timer is due, if it is set.
    pub fn due(&self, id: &T) -> Option<Timestamp> {
        self.by_id.get(id).map(|(due, _)| *due)
    }

    /// The timer due first, whether or not its time has come.
    pub fn first(&self) -> Option<Timer<T>> {
        let (due, id) = self.by_due.first()?;
        let (_, generation) = self.by_id.get(id)?;
        Some(Timer { due: *due, id: id.clone(), generation: *generation })
    }

    /// Takes this very setting out; false if it is no longer the one in force.
    pub fn take(&mut self, timer: &Timer<T>) -> bool {
        if self.by_id.get(&timer.id) != Some(&(timer.due, timer.generation)) {
            return false;
        }
        self.cancel(&timer.id);
        true
    }

    /// The timers that are set, in the order of their ids.
    pub fn ids(&self) -> impl Iterator<Item = &T> {
        self.by_id.keys()
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
