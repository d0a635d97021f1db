//! What the workers of a process tell those who ask whether it does its work.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{Kind, Peer};

use crate::metrics;

/// Whether this process does what it should: it is in its groups, and leads what they gave it. That may be nothing: there
/// can be more members than partitions.
#[derive(Default)]
pub struct Readiness(Mutex<BTreeMap<What, usize>>);

/// What is true of this process, for as long as it is [`Counted`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The group of these workers has not answered yet.
    Joining(Kind),
    /// A group wants it to lead this.
    Given(Peer),
    Leading(Peer),
    /// Another leads this, and it is folded here.
    StandingBy(Peer),
    /// These workers are out of their group.
    Adrift(Kind),
    /// It leads one of these, and its clock is not to be trusted.
    ClockOff(Kind),
}

impl Readiness {
    pub fn is_ready(&self) -> bool {
        self.check().is_ok()
    }

    /// Why this process does not do all of its work, for an operator.
    pub fn check(&self) -> Result<(), &'static str> {
        let counts = self.counts();
        if counts.keys().any(|what| matches!(what, What::ClockOff(_))) {
            return Err("this machine's clock is not the log's: nothing is decided until it is right again");
        }
        if counts.keys().any(|what| matches!(what, What::Joining(_))) {
            return Err("the group has not answered yet");
        }
        let is_led = |what: &What| match what {
            What::Given(peer) => counts.contains_key(&What::Leading(*peer)),
            _ => true,
        };
        match counts.keys().all(is_led) {
            true => Ok(()),
            false => Err("not every partition is led yet"),
        }
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<What, usize>> {
        // Every section under this lock leaves its data whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl What {
    fn measure(self, by: f64) {
        match self {
            What::Joining(_) | What::Given(_) => {}
            What::Leading(peer) => metrics::leading(peer.kind, by),
            What::StandingBy(peer) => metrics::standing_by(peer.kind, by),
            What::Adrift(kind) => metrics::adrift(kind, by),
            What::ClockOff(kind) => metrics::clock_off(kind, by),
        }
    }
}

/// Something that is true for as long as this lives.
pub(crate) struct Counted {
    readiness: Arc<Readiness>,
    what: What,
}

impl Counted {
    pub(crate) fn joining(readiness: &Arc<Readiness>, kind: Kind) -> Self {
        Counted::begin(readiness, What::Joining(kind))
    }

    pub(crate) fn given(readiness: &Arc<Readiness>, peer: Peer) -> Self {
        Counted::begin(readiness, What::Given(peer))
    }

    pub(crate) fn leading(readiness: &Arc<Readiness>, peer: Peer) -> Self {
        Counted::begin(readiness, What::Leading(peer))
    }

    pub(crate) fn standing_by(readiness: &Arc<Readiness>, peer: Peer) -> Self {
        Counted::begin(readiness, What::StandingBy(peer))
    }

    pub(crate) fn adrift(readiness: &Arc<Readiness>, kind: Kind) -> Self {
        Counted::begin(readiness, What::Adrift(kind))
    }

    pub(crate) fn clock_off(readiness: &Arc<Readiness>, kind: Kind) -> Self {
        Counted::begin(readiness, What::ClockOff(kind))
    }

    fn begin(readiness: &Arc<Readiness>, what: What) -> Self {
        what.measure(1.0);
        *readiness.counts().entry(what).or_default() += 1;
        Counted { readiness: readiness.clone(), what }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.what.measure(-1.0);
        let mut counts = self.readiness.counts();
        if let Some(count) = counts.get_mut(&self.what) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.what);
            }
        }
    }
}
