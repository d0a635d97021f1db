//! How fast mail goes to each domain: no faster than agreed, and slower for a while where a domain asks for patience.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// A domain that asked for patience gets none of our mail for this long, then for twice as long, …
const FIRST_REST: Duration = Duration::from_secs(30);
const LONGEST_REST: Duration = Duration::from_secs(30 * 60);
/// From so many domains on, those that nothing holds back are forgotten.
const MANY: usize = 4096;

/// Of one mailbox.
pub(super) struct Pace {
    /// Mails a minute to one domain.
    per_minute: Option<u32>,
    domains: HashMap<String, Domain>,
}

struct Domain {
    /// When what was sent so far is as if it had been sent evenly.
    even_at: Instant,
    /// Until then places are promised to mail that found none: each comes back for one of its own.
    promised: Instant,
    until: Option<Instant>,
    rests: u32,
}

impl Pace {
    pub(super) fn new(per_minute: Option<u32>) -> Self {
        Pace { per_minute: per_minute.filter(|rate| *rate > 0), domains: HashMap::new() }
    }

    /// Takes a place for one mail, or says how long there is none. A minute's mails may go at once after a quiet one.
    pub(super) fn admit(&mut self, domain: &str, now: Instant) -> Result<(), Duration> {
        let step = self.per_minute.map(|rate| Duration::from_secs(60) / rate);
        let known = self.domain(domain, now);
        if let Some(left) =
            known.until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
        {
            return Err(left);
        }
        let Some(step) = step else { return Ok(()) };
        let even_at = known.even_at.max(now) + step;
        let ahead = even_at.saturating_duration_since(now);
        if ahead > Duration::from_secs(60) {
            let free = now + (ahead - Duration::from_secs(60));
            known.promised = free.max(known.promised + step);
            return Err(known.promised - now);
        }
        known.even_at = even_at;
        Ok(())
    }

    /// The domain wants less of us. Yields for how long it gets nothing.
    pub(super) fn rest(&mut self, domain: &str, wish: Option<Duration>, now: Instant) -> Duration {
        let known = self.domain(domain, now);
        // What was under way as the domain spoke says it again.
        if let Some(left) =
            known.until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
        {
            return left;
        }
        let rest = (FIRST_REST * (1 << known.rests.min(8))).min(LONGEST_REST).max(wish.unwrap_or_default());
        known.rests = known.rests.saturating_add(1);
        known.until = Some(now + rest);
        rest
    }

    /// The domain took a mail.
    pub(super) fn goes_well(&mut self, domain: &str) {
        if let Some(known) = self.domains.get_mut(domain) {
            (known.until, known.rests) = (None, 0);
        }
    }

    fn domain(&mut self, domain: &str, now: Instant) -> &mut Domain {
        if self.domains.len() >= MANY && !self.domains.contains_key(domain) {
            self.domains
                .retain(|_, known| known.even_at > now || known.until.is_some_and(|until| until > now));
        }
        let new = || Domain { even_at: now, promised: now, until: None, rests: 0 };
        self.domains.entry(domain.to_owned()).or_insert_with(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn no_more_a_minute_than_agreed_and_each_domain_by_itself() {
        let (mut pace, mut now) = (Pace::new(Some(6)), Instant::now());
        for _ in 0..6 {
            assert_eq!(pace.admit("x.test", now), Ok(()));
        }
        assert_eq!(pace.admit("x.test", now), Err(10 * SECOND));
        assert_eq!(pace.admit("y.test", now), Ok(()));
        now += 10 * SECOND;
        assert_eq!(pace.admit("x.test", now), Ok(()));
        assert_eq!(pace.admit("x.test", now), Err(10 * SECOND));
        let mut sent = 0;
        for _ in 0..600 {
            now += SECOND;
            sent += usize::from(pace.admit("x.test", now).is_ok());
        }
        assert_eq!(sent, 60);
    }

    /// Many that wait for the same domain are not all asked again whenever one may leave.
    #[test]
    fn each_that_waits_has_a_time_of_its_own() {
        let (mut pace, now) = (Pace::new(Some(60)), Instant::now());
        let admitted = (0..1_000).filter(|_| pace.admit("x.test", now).is_ok()).count();
        assert_eq!(admitted, 60);
        let mut pace = Pace::new(Some(60));
        let mut line: Vec<Instant> = vec![now; 300];
        let mut asked = 0;
        while let Some(at) = line.iter().copied().min() {
            let first = line.iter().position(|due| *due == at).unwrap();
            line.swap_remove(first);
            asked += 1;
            if let Err(wait) = pace.admit("x.test", at) {
                line.push(at + wait);
            }
        }
        assert!(asked <= 600, "{asked} times for 300 mails");
    }

    #[test]
    fn a_domain_that_asks_for_patience_gets_more_each_time() {
        let (mut pace, mut now) = (Pace::new(None), Instant::now());
        let mut rests = Vec::new();
        for _ in 0..9 {
            assert_eq!(pace.admit("x.test", now), Ok(()));
            let rest = pace.rest("x.test", None, now);
            assert_eq!(pace.rest("x.test", None, now), rest, "said twice, it is one wish");
            assert_eq!(pace.admit("x.test", now), Err(rest));
            assert_eq!(pace.admit("y.test", now), Ok(()));
            rests.push(rest.as_secs());
            now += rest;
        }
        assert_eq!(rests, [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]);
        pace.goes_well("x.test");
        assert_eq!(pace.rest("x.test", Some(90 * SECOND), now), 90 * SECOND, "its own wish counts");
    }

    #[test]
    fn domains_are_forgotten() {
        let (mut pace, now) = (Pace::new(Some(1)), Instant::now());
        for n in 0..3 * MANY {
            pace.admit(&format!("{n}.test"), now + 120 * SECOND * u32::try_from(n).unwrap()).unwrap();
        }
        assert!(pace.domains.len() <= MANY);
    }
}
