//! Measures of the last hours: one tally a minute for the last hour, one a quarter of an hour for a day. What is
//! older is forgotten, so memory is bounded by the number of queues and agents.

use std::collections::{BTreeMap, VecDeque};

use domain::{AgentId, DeskId, Millis, QueueId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Window,
    measure::Measure,
    tally::{AgentTally, QueueTally},
};

const MINUTE: i64 = 60_000;
const QUARTER: i64 = 15 * MINUTE;
/// What minutes are kept for; longer stretches are told by the quarter of an hour.
const HOUR: Millis = Millis::hours(1);
/// The longest there is, as clocks are put back.
const DAY: Millis = Millis::hours(25);

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Windows {
    queues: BTreeMap<QueueId, Over<QueueTally>>,
    agents: BTreeMap<AgentId, Over<AgentTally>>,
}

/// Where a window begins: with this bucket of that width.
#[derive(Clone, Copy)]
pub(super) struct Begin {
    width: i64,
    first: i64,
}

impl Begin {
    /// Up to a bucket before that time.
    fn from(width: i64, at: i64) -> Begin {
        Begin { width, first: at.div_euclid(width) }
    }

    pub(super) fn at(self) -> Timestamp {
        Timestamp(self.first * self.width)
    }
}

impl Window {
    pub(super) fn begin(self, midnight: Timestamp, now: Timestamp) -> Begin {
        match self {
            Window::Last(span) => Begin::from(MINUTE, before(now, span)),
            // All zones' days begin with a quarter of an hour.
            Window::Today => Begin::from(QUARTER, midnight.0),
        }
    }
}

fn before(now: Timestamp, span: Millis) -> i64 {
    now.0.saturating_sub(i64::try_from(span.0).unwrap_or(i64::MAX))
}

impl Windows {
    pub(super) fn len(&self) -> usize {
        self.queues.values().map(Over::len).chain(self.agents.values().map(Over::len)).sum()
    }

    pub(super) fn queues(&self) -> impl Iterator<Item = &QueueId> {
        self.queues.keys()
    }

    pub(super) fn agents_of(&self, desk: &DeskId) -> impl Iterator<Item = &AgentId> {
        let first = AgentId { desk: desk.clone(), name: "".into() };
        self.agents.range(first..).map(|(agent, _)| agent).take_while(move |agent| agent.desk == *desk)
    }

    pub(super) fn of_queue(&self, queue: &QueueId, begin: Begin) -> QueueTally {
        self.queues.get(queue).map(|over| over.sum(begin)).unwrap_or_default()
    }

    pub(super) fn of_agent(&self, agent: &AgentId, begin: Begin) -> AgentTally {
        self.agents.get(agent).map(|over| over.sum(begin)).unwrap_or_default()
    }

    pub(super) fn note(&mut self, at: Timestamp, measure: &Measure) {
        if let Measure::Spent { agent, from, busy } = measure {
            return self.agent(agent).spend(*from, at, *busy);
        }
        if let Some(queue) = measure.queue() {
            if !self.queues.contains_key(queue) {
                self.queues.insert(queue.clone(), Over::default());
            }
            if let Some(over) = self.queues.get_mut(queue) {
                over.change(at, |tally| tally.note(measure));
            }
        }
        if let Some(agent) = measure.agent() {
            self.agent(agent).change(at, |tally| tally.note(measure));
        }
    }

    fn agent(&mut self, agent: &AgentId) -> &mut Over<AgentTally> {
        self.agents.entry(agent.clone()).or_default()
    }
}

/// Tallies by time, in two grains.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Over<T> {
    minutes: Buckets<T>,
    quarters: Buckets<T>,
}

impl<T> Over<T>
where
    T: Default + for<'a> std::ops::AddAssign<&'a T>,
{
    /// A tally is a few small numbers; eight of them are as much as anything else that is kept.
    fn len(&self) -> usize {
        1 + (self.minutes.0.len() + self.quarters.0.len()) / 8
    }

    fn change(&mut self, at: Timestamp, change: impl Fn(&mut T)) {
        let minute = self.minutes.at(at.0.div_euclid(MINUTE), kept(HOUR, MINUTE));
        let quarter = self.quarters.at(at.0.div_euclid(QUARTER), kept(DAY, QUARTER));
        minute.into_iter().chain(quarter).for_each(change);
    }

    fn sum(&self, begin: Begin) -> T {
        let buckets = if begin.width == MINUTE { &self.minutes } else { &self.quarters };
        let mut sum = T::default();
        buckets.0.iter().filter(|(number, _)| *number >= begin.first).for_each(|(_, tally)| sum += tally);
        sum
    }
}

impl Over<AgentTally> {
    /// Spreads a span over the buckets that it lies in.
    fn spend(&mut self, from: Timestamp, to: Timestamp, busy: bool) {
        let grains = [(&mut self.minutes, MINUTE, HOUR), (&mut self.quarters, QUARTER, DAY)];
        for (buckets, width, window) in grains {
            // What would be forgotten at once is not gone through.
            let from = from.max(Begin::from(width, before(to, window)).at());
            let (first, last) = (from.0.div_euclid(width), to.0.div_euclid(width));
            for number in first..=last {
                let (begins, ends) = (from.0.max(number * width), to.0.min((number + 1) * width));
                if begins < ends
                    && let Some(tally) = buckets.at(number, kept(window, width))
                {
                    tally.spend(Timestamp(ends) - Timestamp(begins), busy);
                }
            }
        }
    }
}

/// How many buckets reach over a window, however it lies in them.
fn kept(window: Millis, width: i64) -> i64 {
    i64::try_from(window.0).unwrap_or(i64::MAX) / width + 1
}

/// By number, ascending; those in which nothing happened are left out.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Buckets<T>(VecDeque<(i64, T)>);

impl<T: Default> Buckets<T> {
    /// The bucket of that number, unless it lies `kept` behind the newest: partitions are read at different speeds.
    fn at(&mut self, number: i64, kept: i64) -> Option<&mut T> {
        let newest = self.0.back().map_or(number, |(newest, _)| number.max(*newest));
        if number <= newest.saturating_sub(kept) {
            return None;
        }
        while self.0.front().is_some_and(|(first, _)| *first <= newest.saturating_sub(kept)) {
            self.0.pop_front();
        }
        let place = match self.0.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(place) => place,
            Err(place) => {
                self.0.insert(place, (number, T::default()));
                place
            }
        };
        self.0.get_mut(place).map(|(_, tally)| tally)
    }
}
