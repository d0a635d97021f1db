//! What a worker does in the world, once a decision stands in the log.

use std::any::Any;

use domain::{Aggregate, Partition, Peer, Timestamp};

/// The effects of one aggregate's events. Called in the order of the log, only for decisions of this leader
/// that were read back, and never while replaying.
///
/// Both calls must return at once: an effect that takes time runs in a task of its own and reports what came of
/// it as an input. An effect may be asked for twice, by two leaders; it is made harmless by its key or by having
/// been announced in the log before.
pub trait Effects<A: Aggregate>: Send + Sync + 'static {
    /// `partition` may be ahead of `event`; `at` is when the event was decided.
    fn perform(&self, partition: &Partition<A>, at: Timestamp, event: &A::Event);

    /// A new leader rules and has read its intake to the tail: do again what the state says is still owed. That may be
    /// much. The leader waits until it is found, and not until it is done: it is best done by one task, a few at a time.
    fn resume(&self, _partition: &Partition<A>) {}

    /// What only one process should have, such as a connection to a provider that is given once: asked for after
    /// [`resume`](Effects::resume), and dropped when this leader's rule has ended, or when it learns that it has. Another may
    /// hold the same by then, for a moment.
    fn hold(&self, _peer: Peer, _partition: &Partition<A>) -> Option<Box<dyn Any + Send>> {
        None
    }
}

/// For aggregates whose events call for nothing but relays.
pub struct NoEffects;

impl<A: Aggregate> Effects<A> for NoEffects {
    fn perform(&self, _: &Partition<A>, _: Timestamp, _: &A::Event) {}
}
