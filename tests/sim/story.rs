//! From a run that failed to a story short enough to be read, and to the line that tells it again.

use super::{
    action::{Planned, plan},
    bugs::Bug,
    oracle::Violation,
    run::run,
};

/// Runs that shrinking may take.
const PATIENCE: usize = 600;

/// What is left of a plan: its seed, and the numbers of the actions kept. Written `SEED` or `SEED:1,5,9-12`.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) plan: Vec<Planned>,
    is_whole: bool,
}

impl Story {
    pub(crate) fn of(seed: u64) -> Self {
        Story { seed, plan: plan(seed), is_whole: true }
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (seed, kept) = match line.split_once(':') {
            Some((seed, kept)) => (seed, Some(kept)),
            None => (line, None),
        };
        let mut story = Story::of(seed.trim().parse().ok()?);
        if let Some(kept) = kept {
            let mut ranges = Vec::new();
            for range in kept.split(',') {
                let (from, to) = range.split_once('-').unwrap_or((range, range));
                ranges.push(from.trim().parse::<u32>().ok()?..=to.trim().parse().ok()?);
            }
            story = story.keeping(|planned| ranges.iter().any(|range| range.contains(&planned.number)));
        }
        Some(story)
    }

    fn keeping(&self, kept: impl Fn(&Planned) -> bool) -> Self {
        let plan = self.plan.iter().filter(|planned| kept(planned)).copied().collect();
        Story { seed: self.seed, plan, is_whole: false }
    }

    /// The line that [`Self::parse`] reads.
    pub(crate) fn line(&self) -> String {
        if self.is_whole {
            return self.seed.to_string();
        }
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for Planned { number, .. } in &self.plan {
            match ranges.last_mut() {
                Some((_, to)) if *to + 1 == *number => *to = *number,
                _ => ranges.push((*number, *number)),
            }
        }
        let ranges = ranges.iter().map(|(from, to)| match from == to {
            true => from.to_string(),
            false => format!("{from}-{to}"),
        });
        format!("{}:{}", self.seed, ranges.collect::<Vec<_>>().join(","))
    }

    /// Drops actions, in ever smaller parts, as long as what is left violates the same invariant.
    pub(crate) fn shrink(self, violation: Violation, bug: Option<Bug>) -> (Story, Violation) {
        let (mut shortest, mut violation) = (self, violation);
        let mut runs = 0;
        let mut part = shortest.plan.len().div_ceil(2).max(1);
        loop {
            let mut from = 0;
            let mut shrunk = false;
            while from < shortest.plan.len() && runs < PATIENCE {
                let dropped = &shortest.plan[from..(from + part).min(shortest.plan.len())];
                let shorter = shortest.keeping(|planned| !dropped.contains(planned));
                runs += 1;
                match run(shorter.seed, &shorter.plan, bug).violation {
                    Some(found) if found.invariant == violation.invariant => {
                        (shortest, violation, shrunk) = (shorter, found, true);
                    }
                    _ => from += part,
                }
            }
            if runs >= PATIENCE || (part == 1 && !shrunk) {
                return (shortest, violation);
            }
            part = (part / 2).max(1);
        }
    }

    pub(crate) fn tell(&self, violation: &Violation) -> String {
        let mut told = format!("{violation}\n\nin {} actions of seed {}:\n", self.plan.len(), self.seed);
        for planned in &self.plan {
            told.push_str(&format!("  {planned}\n"));
        }
        told.push_str(&format!(
            "\nto see it again:\n  TRIBUTARY_SIM='{}' cargo test -p tributary-runtime --test sim -- --nocapture replays\n\
             to keep it, add the line to tests/sim/seeds.txt:\n  {}\n",
            self.line(),
            self.line(),
        ));
        told
    }
}

/// Runs a seed or what is left of one. A failure is shrunk and told.
pub(crate) fn check(story: Story, bug: Option<Bug>) -> Result<super::run::Outcome, String> {
    let outcome = run(story.seed, &story.plan, bug);
    match outcome.violation.clone() {
        None => Ok(outcome),
        Some(violation) => {
            let (shortest, violation) = story.shrink(violation, bug);
            Err(shortest.tell(&violation))
        }
    }
}
