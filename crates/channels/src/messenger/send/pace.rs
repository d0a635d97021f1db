//! How fast messages leave: no faster than the platform allows the Page and each customer's thread, and not at all for a
//! while where it asked for patience.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::messenger::platform::Rates;

/// A Page that was too fast rests this long, then twice as long, …
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(10 * 60);
/// So does a thread.
const THREAD_REST: Duration = Duration::from_secs(5);
/// From so many threads on, those that nothing holds back are forgotten.
const MANY: usize = 4096;

pub(super) struct Pace {
    page: Bucket,
    media: Option<Bucket>,
    /// Of each customer, where the platform has such a rate.
    per_thread: Option<(u32, Duration)>,
    threads: HashMap<String, Thread>,
    until: Option<Instant>,
    rests: u32,
}

#[derive(Default)]
struct Thread {
    bucket: Option<Bucket>,
    until: Option<Instant>,
}

/// So many at once after a quiet time, and then one a step.
#[derive(Clone, Copy)]
struct Bucket {
    step: Duration,
    burst: u32,
    /// When what was sent so far is as if it had been sent evenly.
    even_at: Option<Instant>,
}

impl Bucket {
    fn new(step: Duration, burst: u32) -> Self {
        Bucket { step, burst: burst.max(1), even_at: None }
    }

    /// A tenth of a second's messages may leave at once.
    fn per_second(rate: u32) -> Self {
        let rate = rate.max(1);
        Bucket::new(Duration::from_secs(1) / rate, rate / 10)
    }

    /// How long there is no place.
    fn wait(&self, now: Instant) -> Duration {
        let ahead = self.even_at.map_or(Duration::ZERO, |even| even.saturating_duration_since(now));
        (ahead + self.step).saturating_sub(self.step * self.burst)
    }

    fn take(&mut self, now: Instant) {
        self.even_at = Some(self.even_at.map_or(now, |even| even.max(now)) + self.step);
    }
}

impl Pace {
    pub(super) fn new(rates: &Rates, rate: Option<u32>) -> Self {
        Pace {
            page: Bucket::per_second(rate.unwrap_or(rates.page.is)),
            media: rates.media.map(|media| Bucket::per_second(media.is)),
            per_thread: rates.thread.map(|thread| (thread.is.0, Duration::from_millis(thread.is.1))),
            threads: HashMap::new(),
            until: None,
            rests: 0,
        }
    }

    /// Takes a place for one message, or says how long there is none.
    pub(super) fn admit(&mut self, to: &str, is_media: bool, now: Instant) -> Result<(), Duration> {
        self.forget(now);
        let of_until = |until: Option<Instant>| {
            until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
        };
        let thread = self.threads.get(to);
        let media = self.media.as_ref().filter(|_| is_media);
        let waits = [
            of_until(self.until),
            self.page.wait(now),
            media.map_or(Duration::ZERO, |media| media.wait(now)),
            of_until(thread.and_then(|thread| thread.until)),
            thread.and_then(|thread| thread.bucket).map_or(Duration::ZERO, |bucket| bucket.wait(now)),
        ];
        let wait = waits.into_iter().max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        self.page.take(now);
        if let Some(media) = self.media.as_mut().filter(|_| is_media) {
            media.take(now);
        }
        if let Some((burst, step)) = self.per_thread {
            let thread = self.threads.entry(to.to_owned()).or_default();
            thread.bucket.get_or_insert_with(|| Bucket::new(step, burst)).take(now);
        }
        Ok(())
    }

    /// The Page was too fast. Yields for how long nothing leaves.
    pub(super) fn rest(&mut self, wish: Option<Duration>, now: Instant) -> Duration {
        // What was under way as the platform spoke says it again.
        if let Some(left) =
            self.until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
        {
            return left;
        }
        let rest = (FIRST_REST * (1 << self.rests.min(12))).min(LONGEST_REST).max(wish.unwrap_or_default());
        self.rests = self.rests.saturating_add(1);
        self.until = Some(now + rest);
        rest
    }

    /// Too many went to this customer.
    pub(super) fn rest_thread(&mut self, to: &str, wish: Option<Duration>, now: Instant) -> Duration {
        let rest = THREAD_REST.max(wish.unwrap_or_default());
        self.threads.entry(to.to_owned()).or_default().until = Some(now + rest);
        rest
    }

    pub(super) fn goes_well(&mut self) {
        (self.until, self.rests) = (None, 0);
    }

    fn forget(&mut self, now: Instant) {
        if self.threads.len() >= MANY {
            self.threads.retain(|_, thread| {
                thread.until.is_some_and(|until| until > now)
                    || thread.bucket.is_some_and(|bucket| bucket.even_at.is_some_and(|even| even > now))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messenger::platform::{MESSENGER, WHATSAPP};

    #[test]
    fn a_page_sends_no_faster_than_allowed() {
        let (mut pace, mut now) = (Pace::new(&MESSENGER.rates, Some(100)), Instant::now());
        let mut sent = 0;
        for _ in 0..3000 {
            now += Duration::from_millis(1);
            sent += usize::from(pace.admit("x", false, now).is_ok());
        }
        assert!((300..=311).contains(&sent), "{sent} in three seconds");
    }

    #[test]
    fn audio_and_video_have_a_rate_of_their_own() {
        let (mut pace, now) = (Pace::new(&MESSENGER.rates, None), Instant::now());
        assert_eq!(pace.admit("x", true, now), Ok(()));
        assert!(pace.admit("y", true, now).is_err());
        assert_eq!(pace.admit("y", false, now), Ok(()));
    }

    #[test]
    fn a_thread_of_whatsapp_has_its_burst_and_then_its_step() {
        let (mut pace, mut now) = (Pace::new(&WHATSAPP.rates, Some(1_000_000)), Instant::now());
        for _ in 0..45 {
            assert_eq!(pace.admit("x", false, now), Ok(()));
        }
        assert_eq!(pace.admit("x", false, now), Err(Duration::from_secs(6)));
        assert_eq!(pace.admit("y", false, now), Ok(()));
        now += Duration::from_secs(6);
        assert_eq!(pace.admit("x", false, now), Ok(()));
        assert!(pace.admit("x", false, now).is_err());
    }

    #[test]
    fn a_page_that_was_too_fast_rests_longer_each_time() {
        let (mut pace, mut now) = (Pace::new(&MESSENGER.rates, None), Instant::now());
        for expected in [1, 2, 4, 8] {
            let rest = pace.rest(None, now);
            assert_eq!(rest, Duration::from_secs(expected));
            assert_eq!(pace.rest(None, now), rest, "said twice, it is one wish");
            assert_eq!(pace.admit("x", false, now), Err(rest));
            now += rest;
        }
        pace.goes_well();
        let wish = Duration::from_secs(90);
        assert_eq!(pace.rest(Some(wish), now), wish);
    }

    #[test]
    fn threads_are_forgotten() {
        let (mut pace, mut now) = (Pace::new(&WHATSAPP.rates, Some(1_000_000)), Instant::now());
        for n in 0..3 * MANY {
            now += Duration::from_secs(7);
            pace.admit(&n.to_string(), false, now).unwrap();
        }
        assert!(pace.threads.len() <= MANY);
    }
}
