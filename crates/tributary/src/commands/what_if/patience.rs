//! How long customers wait before they give up, as far as it shows. Who was answered showed only that they waited so long;
//! left at that, whoever was answered would wait for ever in a replay, and a worse policy would lose nobody. So their
//! patience is drawn from what all showed together (the estimate of Kaplan and Meier, *Nonparametric estimation from
//! incomplete observations*, 1958), given that it lasted as long as they waited.

use domain::Millis;

/// The share of customers who still wait after some time, where it falls.
#[derive(Default)]
pub struct Patience(Vec<(Millis, f64)>);

impl Patience {
    /// From how long each waited, and whether that one gave up then.
    pub fn of(mut waits: Vec<(Millis, bool)>) -> Patience {
        waits.sort_unstable_by_key(|(waited, _)| *waited);
        let (mut steps, mut share, mut left): (Vec<(Millis, f64)>, _, _) = (Vec::new(), 1.0, waits.len());
        for wait in waits.chunk_by(|(one, _), (other, _)| one == other) {
            let gave_up = wait.iter().filter(|(_, gave_up)| *gave_up).count();
            if let (Some((waited, _)), true) = (wait.first(), gave_up > 0) {
                share *= 1.0 - gave_up as f64 / left as f64;
                steps.push((*waited, share));
            }
            left -= wait.len();
        }
        Patience(steps)
    }

    /// When someone who waited so long would have given up; none: not within what is known of anyone. `chance` is at least 0
    /// and less than 1.
    pub fn beyond(&self, waited: Millis, chance: f64) -> Option<Millis> {
        let past = self.0.partition_point(|(at, _)| *at <= waited);
        let still = past.checked_sub(1).and_then(|last| self.0.get(last)).map_or(1.0, |(_, share)| *share);
        let falls = |(_, share): &&(Millis, f64)| *share <= still * chance;
        self.0.get(past..)?.iter().find(falls).map(|(at, _)| *at)
    }
}

/// A number of a customer's own, at least 0 and less than 1, the same in every replay (splitmix64).
pub fn chance(case: usize, leg: usize) -> f64 {
    let mut z = (case as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add((leg as u64) << 32);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_answered_counts_as_long_as_they_waited() {
        // The textbook's way: at 2, one of four left; at 5, one of two.
        let waits = [(1, false), (2, true), (3, false), (5, true), (8, false)];
        let patience = Patience::of(waits.map(|(waited, gave_up)| (Millis(waited), gave_up)).to_vec());
        assert_eq!(patience.0, [(Millis(2), 0.75), (Millis(5), 0.375)]);
        let beyond = |waited, chance| patience.beyond(Millis(waited), chance).map(|at| at.0);
        assert_eq!([beyond(0, 0.8), beyond(0, 0.5), beyond(0, 0.3)], [Some(2), Some(5), None]);
        // Who waited for 3 has three quarters of all behind them.
        assert_eq!([beyond(3, 0.6), beyond(3, 0.49), beyond(9, 0.99)], [Some(5), None, None]);
    }

    #[test]
    fn where_nobody_gives_up_nobody_would() {
        let patience = Patience::of(vec![(Millis(5), false); 3]);
        assert_eq!(patience.beyond(Millis(0), 0.0), None);
        assert_eq!(Patience::of(Vec::new()).beyond(Millis(0), 0.0), None);
    }

    #[test]
    fn drawn_patience_is_as_patience_was() {
        // Patience is exponential, and everyone is answered at some time, if they still wait.
        let exponential = |chance: f64, mean: f64| Millis((-mean * (1.0 - chance).ln()) as u64);
        let waits = (0..20_000).map(|n| {
            let (gives_up, answered) =
                (exponential(chance(n, 1), 60_000.0), exponential(chance(n, 2), 30_000.0));
            (gives_up.min(answered), gives_up < answered)
        });
        let waits: Vec<_> = waits.collect();
        let patience = Patience::of(waits.clone());
        let drawn = waits.iter().enumerate().map(|(n, (waited, gave_up))| match gave_up {
            true => *waited,
            false => patience.beyond(*waited, chance(n, 3)).unwrap_or(Millis(u64::MAX)),
        });
        let drawn: Vec<_> = drawn.collect();
        for (within, share) in [(30_000, 0.3935), (60_000, 0.6321), (120_000, 0.8647)] {
            let found = drawn.iter().filter(|patience| patience.0 <= within).count() as f64 / 20_000.0;
            assert!((found - share).abs() < 0.02, "{found} within {within}, not {share}");
        }
    }
}
