//! How fast an inbox sends: what its configuration allows, and less for a while where the message centre says so.
//!
//! After each throttling the rate is half of what was taken in the last second, or of the rate in force; every second
//! without one it grows by a tenth, until it is what it was.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Pace {
    most: Option<f64>,
    state: Mutex<State>,
}

struct State {
    /// Messages a second. None: whatever the window allows.
    rate: Option<f64>,
    /// When the next message may go.
    next: Instant,
    /// When the rate was changed last, and when it was cut.
    changed: Instant,
    cut: Option<Instant>,
    /// Taken in the second that began then, and in the one before.
    counted: (Instant, u32, u32),
    /// Below this a rate that was cut is still growing; without a configured one it ends there.
    ceiling: f64,
}

impl Pace {
    pub(super) fn new(rate: Option<u32>) -> Pace {
        let (most, now) = (rate.map(f64::from), Instant::now());
        let state =
            State { rate: most, next: now, changed: now, cut: None, counted: (now, 0, 0), ceiling: f64::MAX };
        Pace { most, state: Mutex::new(state) }
    }

    /// Waits for this message's turn.
    pub(super) async fn turn(&self) {
        let at = self.with(|state| state.turn(self.most, Instant::now()));
        if let Some(at) = at {
            tokio::time::sleep_until(at).await;
        }
    }

    /// A message was taken.
    pub(super) fn taken(&self) {
        self.with(|state| state.taken(Instant::now()));
    }

    /// A message was refused as one too many.
    pub(super) fn throttled(&self) {
        self.with(|state| state.throttled(Instant::now()));
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// When; none for at once.
    fn turn(&mut self, most: Option<f64>, now: Instant) -> Option<Instant> {
        let rate = self.rate?;
        if self.rate != most && now - self.changed >= SECOND {
            let grown = rate * 1.1;
            self.rate = match most {
                Some(most) => Some(grown.min(most)),
                None => Some(grown).filter(|grown| *grown < self.ceiling),
            };
            self.changed = now;
        }
        let at = self.next.max(now);
        self.next = at + Duration::from_secs_f64(1.0 / rate.max(0.1));
        Some(at)
    }

    fn taken(&mut self, now: Instant) {
        self.count(now);
        self.counted.1 += 1;
    }

    fn throttled(&mut self, now: Instant) {
        self.count(now);
        // Those that were under way together are told together.
        if self.cut.is_some_and(|cut| now.saturating_duration_since(cut) < SECOND) {
            return;
        }
        let (_, this, before) = self.counted;
        let seen = f64::from(this.max(before));
        let rate = self.rate.map_or(seen, |rate| if seen > 0.0 { rate.min(seen) } else { rate });
        self.ceiling = rate.max(1.0) * 2.0;
        self.rate = Some((rate / 2.0).max(1.0));
        self.next = self.next.max(now + SECOND);
        (self.changed, self.cut) = (now, Some(now));
    }

    fn count(&mut self, now: Instant) {
        let (began, this, _) = self.counted;
        let seconds = (now - began).as_secs();
        if seconds > 0 {
            self.counted = (now, 0, if seconds == 1 { this } else { 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages that go in each of so many seconds, if the message centre takes `takes` of them a second, and those of them
    /// that were refused. Each takes a millisecond.
    fn seconds(pace: &Pace, now: &mut Instant, takes: u32, count: usize) -> Vec<(u32, u32)> {
        let mut sent = Vec::new();
        for _ in 0..count {
            let (end, mut taken, mut refused) = (*now + SECOND, 0, 0);
            while *now < end {
                pace.with(|state| {
                    *now = state.turn(pace.most, *now).unwrap_or(*now) + Duration::from_millis(1);
                    if taken < takes {
                        taken += 1;
                        state.taken(*now);
                    } else {
                        refused += 1;
                        state.throttled(*now);
                    }
                });
            }
            sent.push((taken, refused));
        }
        sent
    }

    #[test]
    fn a_configured_rate_is_kept_to() {
        let (pace, mut now) = (Pace::new(Some(20)), Instant::now());
        for (sent, _) in seconds(&pace, &mut now, u32::MAX, 5) {
            assert!((19..=21).contains(&sent), "{sent}");
        }
    }

    #[test]
    fn a_throttled_one_comes_down_to_what_is_taken_and_up_again() {
        let (pace, mut now) = (Pace::new(None), Instant::now());
        let before = seconds(&pace, &mut now, 100, 1);
        assert!(before[0].1 > 0, "it begins as fast as it can: {before:?}");
        let later = seconds(&pace, &mut now, 100, 30);
        let (taken, refused) =
            later.iter().fold((0, 0), |(taken, refused), it| (taken + it.0, refused + it.1));
        assert!(refused * 20 < taken, "few are refused: {refused} of {taken}");
        assert!(taken > 30 * 40, "and most of what could go goes: {later:?}");
        let free = seconds(&pace, &mut now, u32::MAX, 40);
        assert!(free.last() > Some(&(500, 0)), "nothing is left of it in the end: {free:?}");
    }
}
