//! What may befall the log in memory, asked for by name. Nothing happens by chance here: whoever asks has the dice.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bytes::Bytes;

use crate::Partition;

/// What may befall one append. Its caller is told [`crate::Error::Unknown`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// It is written, the acknowledgement is lost.
    AckLost,
    /// It is not written.
    WriteLost,
    /// It is on its way for a while, and written when [`super::MemoryLog::land`] is called.
    Late,
    /// It is written, and once more when [`super::MemoryLog::land`] is called.
    Doubled,
}

impl Fault {
    pub const ALL: [Fault; 4] = [Fault::AckLost, Fault::WriteLost, Fault::Late, Fault::Doubled];

    pub(super) fn writes_now(self) -> bool {
        matches!(self, Fault::AckLost | Fault::Doubled)
    }

    pub(super) fn lands_later(self) -> bool {
        matches!(self, Fault::Late | Fault::Doubled)
    }
}

/// What was asked for, and what is still on its way.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) held: bool,
    pub(super) stalled: HashSet<Partition>,
    pub(super) refusing: bool,
    asked_for: HashMap<Partition, VecDeque<Fault>>,
    on_their_way: VecDeque<(Partition, Vec<Bytes>)>,
    met: BTreeMap<Fault, u64>,
}

impl Faults {
    pub(super) fn ask_for(&mut self, partition: Partition, fault: Fault) {
        self.asked_for.entry(partition).or_default().push_back(fault);
    }

    /// The fault that the next append to this partition meets, if one was asked for.
    pub(super) fn meet(&mut self, partition: Partition) -> Option<Fault> {
        let fault = self.asked_for.get_mut(&partition)?.pop_front()?;
        *self.met.entry(fault).or_default() += 1;
        Some(fault)
    }

    pub(super) fn send_off(&mut self, partition: Partition, records: Vec<Bytes>) {
        self.on_their_way.push_back((partition, records));
    }

    pub(super) fn land(&mut self) -> VecDeque<(Partition, Vec<Bytes>)> {
        std::mem::take(&mut self.on_their_way)
    }

    pub(super) fn forget(&mut self) {
        self.asked_for.clear();
    }

    pub(super) fn met(&self) -> BTreeMap<Fault, u64> {
        self.met.clone()
    }

    pub(super) fn delays(&self, partition: Partition) -> bool {
        self.held || self.stalled.contains(&partition)
    }
}
