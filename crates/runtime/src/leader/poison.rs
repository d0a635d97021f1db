//! What the rules fail on. A panic in them is a mistake of ours, and must not stop a partition.

use std::fmt;

use bytes::Bytes;
use domain::{Aggregate, Cause, SetAside, Step, TenantId, Timer};

/// What a step is about, as far as it is known before anything is decided. `T` is the aggregate's timer id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Matter<T> {
    /// The input at this position of the intake.
    Input(u64),
    Timer(Timer<T>),
    Policy(TenantId, u64),
    /// What earlier leaders left under way.
    Recovery,
    /// Those who have been quiet, and leave memory.
    Memory,
}

impl<T: fmt::Debug> fmt::Display for Matter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Matter::Input(position) => write!(f, "the input at {position}"),
            Matter::Timer(Timer { due, id, generation }) => {
                write!(f, "the timer {id:?}, generation {generation}, due at {}", due.0)
            }
            Matter::Policy(tenant, version) => write!(f, "version {version} of the policy of {tenant}"),
            Matter::Recovery => f.write_str("what earlier leaders left under way"),
            Matter::Memory => f.write_str("those who leave memory"),
        }
    }
}

/// Whose events could be decided but not folded: that spoils the state, so its leader gave up, and the next one, which
/// is handed this, sets it aside.
pub(crate) struct Poison<T>(Vec<Matter<T>>);

impl<T> Default for Poison<T> {
    fn default() -> Self {
        Poison(Vec::new())
    }
}

impl<T: PartialEq> Poison<T> {
    pub(super) fn put(&mut self, matter: Matter<T>) {
        self.0.push(matter);
    }

    pub(super) fn holds(&self, matter: &Matter<T>) -> bool {
        self.0.contains(matter)
    }

    /// Inputs before this position will not come again. Of the others there are few, and none comes twice.
    pub(crate) fn forget_inputs_before(&mut self, through: u64) {
        self.0.retain(|matter| !matches!(matter, Matter::Input(position) if *position < through));
    }
}

/// The step in place of one that the rules failed to make: its cause is used up, and an operator sees why.
pub(super) fn kept<A: Aggregate>(cause: Cause<A>, reason: String) -> Step<A> {
    let set_aside = Some(SetAside { bytes: Bytes::new(), reason });
    Step { cause, events: Vec::new(), answers: Vec::new(), set_aside }
}
