//! What the workers of a process tell those who ask whether it does its work.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use domain::Kind;

use crate::metrics;

/// How many partitions this process should lead, how many it leads, and of how many the clock is not to be trusted.
#[derive(Default)]
pub struct Readiness {
    wanted: AtomicUsize,
    leading: AtomicUsize,
    clock_off: AtomicUsize,
}

impl Readiness {
    pub fn is_ready(&self) -> bool {
        self.check().is_ok()
    }

    /// Why this process does not do all of its work, for an operator.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.clock_off.load(Ordering::Acquire) > 0 {
            return Err("this machine's clock is not the log's: nothing is decided until it is right again");
        }
        match self.leading.load(Ordering::Acquire) >= self.wanted.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err("not every partition is led yet"),
        }
    }
}

/// Counts a partition in for as long as it lives.
pub(crate) struct Counted {
    readiness: Arc<Readiness>,
    kind: Kind,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Wanted,
    Leading,
    ClockOff,
}

impl Counted {
    /// It should be led by this process.
    pub(crate) fn wanted(readiness: &Arc<Readiness>, kind: Kind) -> Self {
        Counted::begin(readiness, kind, What::Wanted)
    }

    pub(crate) fn leading(readiness: &Arc<Readiness>, kind: Kind) -> Self {
        metrics::leading(kind, 1.0);
        Counted::begin(readiness, kind, What::Leading)
    }

    pub(crate) fn clock_off(readiness: &Arc<Readiness>, kind: Kind) -> Self {
        metrics::clock_off(kind, 1.0);
        Counted::begin(readiness, kind, What::ClockOff)
    }

    fn begin(readiness: &Arc<Readiness>, kind: Kind, what: What) -> Self {
        let counted = Counted { readiness: readiness.clone(), kind, what };
        counted.counter().fetch_add(1, Ordering::AcqRel);
        counted
    }

    fn counter(&self) -> &AtomicUsize {
        match self.what {
            What::Wanted => &self.readiness.wanted,
            What::Leading => &self.readiness.leading,
            What::ClockOff => &self.readiness.clock_off,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        match self.what {
            What::Wanted => {}
            What::Leading => metrics::leading(self.kind, -1.0),
            What::ClockOff => metrics::clock_off(self.kind, -1.0),
        }
        self.counter().fetch_sub(1, Ordering::AcqRel);
    }
}
