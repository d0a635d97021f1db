//! What a worker goes by: the time of day, and whether it can be believed.

use std::{fmt, sync::Arc};

use domain::Timestamp;
use tokio::time::{Duration, Instant};

/// A leader whose clock is further off the log's than this, in milliseconds, decides nothing.
const TOLERANCE: i64 = 2_000;
/// Between looks at whether a clock that was off is right again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The time of day, which tests and simulations may set.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// A clock that says what `now` says: milliseconds since the Unix epoch.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Clock(Arc::new(now))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp((self.0)())
    }
}

/// The machine's clock.
impl Default for Clock {
    fn default() -> Self {
        Clock::new(log::clock::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// Holds a leader's clock against the log's, which stamps every record. What was appended between two looks at our
/// clock must be stamped between them; how long the append took does not matter.
#[derive(Debug)]
pub(crate) struct Guard {
    state: State,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    /// It was right when it showed this, at that moment.
    Right(Timestamp, Instant),
    /// It was off by so many milliseconds (ahead of the log's where positive), as was seen at that moment.
    Off(i64, Instant),
}

impl Guard {
    /// A record that was appended after our clock showed `before`, and read back when it showed `after`, each with the
    /// moment at which it did.
    pub(crate) fn measured(
        (before, since): (Timestamp, Instant),
        appended_at: Timestamp,
        (after, at): (Timestamp, Instant),
    ) -> Self {
        let ahead = before.0.saturating_sub(appended_at.0);
        let behind = appended_at.0.saturating_sub(after.0);
        // A clock that jumped forward meanwhile would let every stamp pass.
        let jumped = after.0.saturating_sub(before.0).saturating_sub(millis(at - since));
        let state = match (ahead > TOLERANCE, behind > TOLERANCE, jumped.abs() > TOLERANCE) {
            (true, ..) => State::Off(ahead, at),
            (_, true, _) => State::Off(-behind, at),
            (.., true) => State::Off(jumped, at),
            _ => State::Right(after, at),
        };
        Guard { state }
    }

    /// By how many milliseconds our clock is ahead of the log's, or behind where negative; none while it is right.
    pub(crate) fn off_by(&self) -> Option<i64> {
        match self.state {
            State::Right(..) => None,
            State::Off(by, _) => Some(by),
        }
    }

    /// Whether our clock, which shows `now`, may be decided by. One that jumped since it was found right may not,
    /// until it is measured again.
    pub(crate) fn trusts(&self, now: Timestamp, moment: Instant) -> bool {
        match self.state {
            State::Right(showed, at) => {
                now.0.saturating_sub(showed.0).saturating_sub(millis(moment - at)).abs() <= TOLERANCE
            }
            State::Off(..) => false,
        }
    }

    /// Whether a clock that is not trusted should be measured now.
    pub(crate) fn is_to_be_measured(&self, moment: Instant) -> bool {
        match self.state {
            State::Right(..) => true,
            State::Off(_, at) => moment - at >= LOOK_AGAIN,
        }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_700_000_000_000;

    /// Milliseconds after noon.
    fn measured(before: i64, appended_at: i64, after: i64) -> Option<i64> {
        let at = |offset| Timestamp(NOON.saturating_add(offset));
        let since = Instant::now();
        let until = since + Duration::from_millis((after - before).unsigned_abs());
        Guard::measured((at(before), since), at(appended_at), (at(after), until)).off_by()
    }

    #[test]
    fn a_clock_that_jumps_during_a_slow_append_is_off() {
        let since = Instant::now();
        let at = |millis| (Timestamp(NOON + millis), since + Duration::from_secs(1));
        let jumped = Guard::measured((Timestamp(NOON), since), Timestamp(NOON + 500), at(3_600_000)).off_by();
        assert_eq!(jumped, Some(3_599_000));
        assert_eq!(
            Guard::measured((Timestamp(NOON), since), Timestamp(NOON + 500), at(1_000)).off_by(),
            None
        );
    }

    #[test]
    fn a_slow_append_says_nothing_about_the_clock() {
        assert_eq!(measured(0, 30_000, 60_000), None);
        assert_eq!(measured(0, -2_000, 60_000), None, "just within bounds");
        assert_eq!(measured(0, 62_000, 60_000), None, "just within bounds");
    }

    #[test]
    fn a_stamp_outside_of_what_our_clock_showed_says_that_it_is_off() {
        assert_eq!(measured(0, -2_001, 60_000), Some(2_001));
        assert_eq!(measured(0, 62_001, 60_000), Some(-2_001));
        assert!(measured(0, i64::MAX, 0).is_some(), "whatever the log says");
    }

    #[test]
    fn a_clock_that_jumps_is_not_trusted_until_it_is_measured() {
        let began = Instant::now();
        let at = |seconds: i64| Timestamp(NOON + seconds * 1_000);
        let later = began + Duration::from_secs(600);
        let guard = Guard::measured((at(0), began), at(0), (at(0), began));
        for right in [598, 600, 602] {
            assert!(guard.trusts(at(right), later), "{right}");
        }
        for wrong in [-3_600, 0, 597, 603, 3_600] {
            assert!(!guard.trusts(at(wrong), later), "{wrong}");
        }
        assert!(guard.is_to_be_measured(later), "at once");
    }

    #[test]
    fn a_clock_that_was_off_is_measured_now_and_then() {
        let began = Instant::now();
        let at = |seconds: i64| Timestamp(NOON + seconds * 1_000);
        let guard = Guard::measured((at(3_600), began), at(0), (at(3_600), began));
        assert!(!guard.is_to_be_measured(began));
        assert!(guard.is_to_be_measured(began + LOOK_AGAIN));
        assert!(!guard.trusts(at(1), began + LOOK_AGAIN), "it may be right again, but nobody has looked");
    }
}
