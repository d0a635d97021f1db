//! Whether a queue is open, as decisions ask it many times a second: what the calendar says is kept for as long as it
//! holds.

use std::sync::{Mutex, PoisonError};

use crate::{
    Millis, Policy, Timestamp,
    policy::{Calendar, Period, Queue},
};

use super::state::{Line, Place};

/// The hours of one queue, if it has any. Hours in a zone that is not known close nothing: nobody is to wait for ever.
#[derive(Debug, Default)]
pub(super) struct Opening {
    calendar: Option<Calendar>,
    /// What was found last, and the time it was asked for.
    found: Mutex<Option<(Timestamp, Period)>>,
}

impl PartialEq for Opening {
    fn eq(&self, other: &Self) -> bool {
        self.calendar == other.calendar
    }
}

impl Opening {
    pub(super) fn of(queue: &Queue, policy: &Policy) -> Opening {
        let hours = queue.hours.as_ref().and_then(|hours| policy.hours.get(hours));
        Opening { calendar: hours.and_then(|hours| Calendar::of(hours).ok()), found: Mutex::default() }
    }

    /// None: it is always open.
    fn period(&self, now: Timestamp) -> Option<Period> {
        let calendar = self.calendar.as_ref()?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |(from, period): &(Timestamp, Period)| match period {
            Period::Open { until, .. } | Period::Closed { until: Some(until), .. } => {
                (*from..*until).contains(&now)
            }
            Period::Closed { until: None, .. } => *from <= now,
        };
        if let Some((_, period)) = (*found).filter(holds) {
            return Some(period);
        }
        let period = calendar.around(now);
        *found = Some((now, period));
        Some(period)
    }

    /// Whoever is wanted in person is not bound to the queue's hours.
    pub(super) fn is_open_to(&self, line: &Line, now: Timestamp) -> bool {
        line.wanted.is_some() || !matches!(self.period(now), Some(Period::Closed { .. }))
    }

    /// When it opens or closes next, as far as that is known.
    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        match self.period(now)? {
            Period::Open { until, .. } => Some(until),
            Period::Closed { until, .. } => until,
        }
    }

    /// Whether a time is within the time through which it is closed now.
    pub(super) fn has_been_closed_since(&self, then: Timestamp, now: Timestamp) -> bool {
        match self.period(now) {
            Some(Period::Closed { since, .. }) => since.is_none_or(|since| since <= then),
            _ => false,
        }
    }

    /// From when on the waiting of someone counts: from when the queue opened at the earliest; none while it is closed.
    pub(super) fn counts_from(&self, place: Place, now: Timestamp) -> Option<Timestamp> {
        match self.period(now) {
            None | Some(Period::Open { since: None, .. }) => Some(place.since),
            Some(Period::Open { since: Some(opened), .. }) => Some(opened.max(place.since)),
            Some(Period::Closed { .. }) => None,
        }
    }

    /// For how long someone has waited, as far as that counts.
    pub(super) fn waited(&self, place: Place, now: Timestamp) -> Millis {
        self.counts_from(place, now).map_or(Millis(0), |from| now - from)
    }
}
