//! A worker's state held against the log, whenever it begins to act: whether it folded along, began at a snapshot or at
//! zero, what it leads by must be a fold of what the log accepted.

use std::{collections::VecDeque, sync::Arc};

use domain::{Partition, Peer, Timestamp};
use log::MemoryLog;
use runtime::{Effects, Standing, log_of};
use wire::Codec;

use super::{
    door::Watch,
    oracle::{Invariant, look::read},
    town::TOPOLOGY,
};

pub(crate) struct Mirror<A: Codec> {
    pub(crate) effects: Arc<dyn Effects<A>>,
    pub(crate) me: Peer,
    pub(crate) log: MemoryLog,
    pub(crate) watch: Arc<Watch>,
}

impl<A: Codec> Effects<A> for Mirror<A> {
    fn perform(&self, partition: &Partition<A>, at: Timestamp, event: &A::Event) {
        self.effects.perform(partition, at, event);
    }

    /// Nothing is in flight then.
    fn resume(&self, partition: &Partition<A>) {
        let is_a_fold = self.is_a_fold(partition);
        self.watch.oracle.lock().unwrap().require(
            is_a_fold,
            Invariant::FoldsAgree,
            format_args!("{}: a leader begins with a state that no part of the log folds to", self.me),
        );
        self.effects.resume(partition);
    }
}

impl<A: Codec> Mirror<A> {
    /// Whether some prefix of the log folds to this: one that is blind, or was deposed, does not stand at its end.
    fn is_a_fold(&self, partition: &Partition<A>) -> bool {
        let mut standing = Standing::<A>::new(self.me.partition, TOPOLOGY);
        let (mut ahead, state) = (VecDeque::new(), wire::encode_state(partition));
        let is_it = |folded: &Partition<A>| {
            folded.decided_at() == partition.decided_at() && wire::encode_state(folded) == state
        };
        while !is_it(&standing.partition) {
            if ahead.is_empty() {
                ahead = read(&self.log, log_of(self.me), standing.point().position).into();
            }
            let Some(Ok(_)) = ahead.pop_front().map(|record| standing.fold(&record)) else { return false };
        }
        true
    }
}
