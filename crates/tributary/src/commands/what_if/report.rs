//! What came of a period, whether it was lived or replayed.

use std::collections::BTreeMap;

use domain::{Millis, QueueId, Timestamp, desk};
use projections::statistics::{AgentTally, Course, Measure, QueueTally};

pub const HOUR: i64 = 3_600_000;

/// Both ends belong to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Period {
    fn holds(&self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    period: Period,
    pub total: Totals,
    pub queues: BTreeMap<QueueId, Totals>,
    /// All agents together.
    pub people: AgentTally,
    /// By the number of the hour since the epoch.
    pub hours: BTreeMap<i64, QueueTally>,
    /// Conversations that no agent of the policy could ever take, as they came to wait.
    pub stranded: u32,
    /// When the number of those who wait changed, and by how much; also before the period.
    steps: Vec<(Timestamp, i32)>,
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Totals {
    pub tally: QueueTally,
    /// The longest that anyone answered had waited.
    pub longest: Millis,
    /// Waiting at the end, and beyond what was promised.
    pub waiting: u32,
    pub late: u32,
}

impl Totals {
    pub fn service_level(&self) -> Option<f64> {
        self.tally.service_level(self.late)
    }

    /// Who gave up, of all whose waiting came to an end.
    pub fn abandonment(&self) -> Option<f64> {
        let ended = self.tally.answered + self.tally.abandoned;
        (ended > 0).then(|| f64::from(self.tally.abandoned) / f64::from(ended))
    }

    fn note(&mut self, measure: &Measure) {
        self.tally.note(measure);
        if let Measure::Answered { waited, .. } = measure {
            self.longest = self.longest.max(*waited);
        }
    }
}

impl Report {
    pub fn new(period: Period) -> Report {
        Report {
            period,
            total: Totals::default(),
            queues: BTreeMap::new(),
            people: AgentTally::default(),
            hours: BTreeMap::new(),
            stranded: 0,
            steps: Vec::new(),
        }
    }

    pub fn period(&self) -> Period {
        self.period
    }

    /// Counts a measure if it belongs to the period; in any order.
    pub fn note(&mut self, at: Timestamp, measure: Measure) {
        let step = match measure {
            Measure::Came { .. } => 1,
            Measure::Answered { .. } | Measure::Abandoned { .. } | Measure::WentOn { .. } => -1,
            _ => 0,
        };
        if step != 0 {
            self.steps.push((at, step));
        }
        if let Measure::Spent { from, busy, .. } = measure {
            let (from, to) = (from.max(self.period.from), at.min(self.period.to));
            return self.people.spend(to - from, busy);
        }
        if !self.period.holds(at) {
            return;
        }
        if let Some(queue) = measure.queue() {
            self.queues.entry(queue.clone()).or_default().note(&measure);
            self.total.note(&measure);
            self.hours.entry(at.0.div_euclid(HOUR)).or_default().note(&measure);
        }
        self.people.note(&measure);
    }

    /// What a desk said that is no measure.
    pub fn desk(&mut self, at: Timestamp, event: &desk::Event) {
        if matches!(event, desk::Event::Stranded { .. }) && self.period.holds(at) {
            self.stranded += 1;
        }
    }

    /// The period is over, and this is where the course of things stands.
    pub fn finish(mut self, mut course: Course) -> Report {
        let to = self.period.to;
        course.settle(to, &mut |at, measure| self.note(at, measure));
        for (queue, line) in course.lines() {
            let (waiting, late) = (line.len(), line.late(to));
            for totals in [self.queues.entry(queue.clone()).or_default(), &mut self.total] {
                totals.waiting += waiting;
                totals.late += late;
            }
        }
        self.steps.sort_unstable();
        self
    }

    /// How many waited at most in each of so many equal parts of the period.
    pub fn waiting(&self, parts: usize) -> Vec<u32> {
        let length = (self.period.to.0 - self.period.from.0).max(1) as f64;
        let part = |at: Timestamp| ((at.0 - self.period.from.0) as f64 / length * parts as f64) as usize;
        let mut most = vec![0; parts];
        let (mut waiting, mut here) = (0_i64, 0);
        for (at, step) in self.steps.iter().filter(|(at, _)| *at <= self.period.to) {
            if *at >= self.period.from {
                let there = part(*at).min(parts.saturating_sub(1));
                // Nothing changed in between.
                most[here..=there].iter_mut().for_each(|most| *most = (*most).max(waiting));
                here = there;
            }
            waiting += i64::from(*step);
            if let Some(most) = most.get_mut(here) {
                *most = if *at < self.period.from { waiting } else { (*most).max(waiting) };
            }
        }
        most.iter_mut().skip(here).for_each(|most| *most = (*most).max(waiting));
        most.into_iter().map(|most| u32::try_from(most).unwrap_or(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> QueueId {
        "acme/desk/all".parse().unwrap()
    }

    fn report() -> Report {
        Report::new(Period { from: Timestamp(1_000), to: Timestamp(2_000) })
    }

    #[test]
    fn who_waits_is_drawn_at_most_in_each_part_whatever_the_order() {
        let mut report = report();
        let came = || Measure::Came { queue: queue() };
        let left = || Measure::WentOn { queue: queue(), promise: projections::statistics::Promise::None };
        for (at, measure) in
            [(1_750, left()), (500, came()), (1_250, came()), (1_260, left()), (2_500, came()), (600, came())]
        {
            report.note(Timestamp(at), measure);
        }
        let report = report.finish(Course::default());
        assert_eq!(report.waiting(4), [2, 3, 2, 2]);
        assert_eq!(report.waiting(1), [3]);
        assert_eq!((report.total.tally.came, report.total.tally.went_on), (1, 2), "of the period alone");
    }

    #[test]
    fn time_is_cut_to_the_period() {
        let mut report = report();
        let spent = |from| Measure::Spent {
            agent: "acme/desk/ann".parse().unwrap(),
            from: Timestamp(from),
            busy: true,
        };
        report.note(Timestamp(1_100), spent(0));
        report.note(Timestamp(9_000), spent(1_900));
        report.note(Timestamp(900), spent(0));
        assert_eq!((report.people.available, report.people.busy), (200, 200));
    }
}
