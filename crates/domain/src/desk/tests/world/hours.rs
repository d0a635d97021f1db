//! Hours as anyone can count them who looks at the clock every minute: in Greenwich, and from a Thursday, 1970-01-01, on.

use super::super::*;
use crate::{HoursId, policy};

#[derive(Default)]
pub(super) struct Hours {
    /// The minutes of the first day at which they are open.
    open: BTreeMap<HoursId, BTreeSet<i64>>,
}

const MINUTE: i64 = 60_000;
const THURSDAY: u8 = 4;

impl Hours {
    /// So far ahead is looked: on other days the hours here are closed, so that what comes after that is not told.
    pub(super) const AHEAD: Millis = Millis::hours(12);

    pub(super) fn of(policy: &Policy) -> Hours {
        let minutes = |hours: &policy::Hours| {
            let on = |span: &policy::OpenSpan| span.weekday == THURSDAY;
            let spans = hours.open.iter().filter(|span| on(span)).flat_map(|span| span.from..span.to);
            let holidays = hours.holidays.iter().flat_map(|holiday| holiday.from..holiday.to);
            let holidays: BTreeSet<_> = holidays.collect();
            spans.filter(|minute| !holidays.contains(minute)).map(i64::from).collect()
        };
        Hours { open: policy.hours.iter().map(|(id, hours)| (id.clone(), minutes(hours))).collect() }
    }

    pub(super) fn is_open(&self, queue: &Queue, at: Timestamp) -> bool {
        let hours = queue.hours.as_ref().map(|hours| &self.open[hours]);
        hours.is_none_or(|open| open.contains(&at.0.div_euclid(MINUTE)))
    }

    /// Since when it has been open; none if it is not.
    pub(super) fn opened(&self, queue: &Queue, at: Timestamp) -> Option<Timestamp> {
        let Some(open) = queue.hours.as_ref().map(|hours| &self.open[hours]) else { return Some(seconds(0)) };
        let minute = at.0.div_euclid(MINUTE);
        let first = (0..=minute).rev().take_while(|minute| open.contains(minute)).last()?;
        Some(Timestamp(first * MINUTE))
    }

    /// Since when it has been closed, if it is.
    pub(super) fn closed(&self, queue: &Queue, at: Timestamp) -> Timestamp {
        let Some(open) = queue.hours.as_ref().map(|hours| &self.open[hours]) else { return at };
        let last = open.range(..at.0.div_euclid(MINUTE)).next_back();
        last.map_or(seconds(0), |minute| Timestamp((minute + 1) * MINUTE))
    }

    /// When it opens or closes next, if that is not far ahead.
    pub(super) fn next_change(&self, queue: &Queue, at: Timestamp) -> Option<Timestamp> {
        let open = queue.hours.as_ref().map(|hours| &self.open[hours])?;
        let minute = at.0.div_euclid(MINUTE);
        // Only at its ends anything changes.
        let ends = open.iter().flat_map(|minute| [*minute, minute + 1]).filter(|end| *end > minute);
        let changes = ends.filter(|end| open.contains(end) != open.contains(&minute)).min();
        let ahead = i64::try_from(Hours::AHEAD.0).expect("hours") / MINUTE;
        changes.filter(|end| *end - minute <= ahead).map(|end| Timestamp(end * MINUTE))
    }
}
