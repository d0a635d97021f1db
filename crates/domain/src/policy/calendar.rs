//! Hours on the time line: when they open and close, told from the policy and a time alone.
//!
//! The zones' rules are those that the program was built with, so any machine tells the same. They change when
//! governments say so, and with them what a later version tells of the same hours; what was decided stands in events,
//! and a new leader looks at every queue anew.

use std::sync::LazyLock;

use jiff::{
    ToSpan as _, civil,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::Timestamp;

use super::{Day, Hours};

/// What a machine has installed decides nothing.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Minutes.
const DAY: u16 = 24 * 60;
/// So many days before and after a time are looked at for how long hours have been open, and will be.
const WEEK: i64 = 8;
/// So many days ahead hours are looked for that open again.
const YEAR: i64 = 400;

#[derive(Debug, thiserror::Error)]
#[error("{zone:?} is not an IANA time zone")]
pub struct UnknownZone {
    zone: String,
    #[source]
    source: jiff::Error,
}

/// Hours in their zone.
#[derive(Clone, PartialEq, Debug)]
pub struct Calendar {
    zone: TimeZone,
    hours: Hours,
}

/// A time through which hours are open, or closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Period {
    Open {
        /// None: for longer than a week.
        since: Option<Timestamp>,
        /// They may go on being open then, if that is a week ahead.
        until: Timestamp,
    },
    Closed {
        /// None: for longer than a week.
        since: Option<Timestamp>,
        /// None: not in the next year.
        until: Option<Timestamp>,
    },
}

impl Calendar {
    pub fn of(hours: &Hours) -> Result<Calendar, UnknownZone> {
        let zone = ZONES.get(&hours.time_zone);
        let zone = zone.map_err(|source| UnknownZone { zone: hours.time_zone.clone(), source })?;
        Ok(Calendar { zone, hours: hours.clone() })
    }

    pub fn is_open(&self, at: Timestamp) -> bool {
        matches!(self.around(at), Period::Open { .. })
    }

    /// The period that a time falls in: from its beginning to just before its end. A span begins when local clocks
    /// first show its beginning, or skip it, and ends alike.
    pub fn around(&self, at: Timestamp) -> Period {
        let Some(today) = self.local(at).map(civil::DateTime::date) else {
            return Period::Closed { since: None, until: None };
        };
        // Spans that touch are one, so that midnight closes nothing.
        let mut open: Option<(Timestamp, Timestamp)> = None;
        let mut closed = None;
        for (place, day) in (-WEEK..YEAR).map(|place| (place, today.checked_add(place.days()))) {
            let Ok(day) = day else { continue };
            for (from, to) in self.open_on(day) {
                match &mut open {
                    Some((_, until)) if from <= *until => *until = to.max(*until),
                    Some((_, until)) if at < *until => break,
                    _ => {
                        closed = open.map(|(_, until)| until);
                        open = Some((from, to));
                    }
                }
            }
            // What comes after tomorrow touches nothing of today.
            if let Some((since, until)) = open.filter(|(_, until)| at < *until)
                && (place >= WEEK || self.ends_before(until, day))
            {
                let long_ago = today.checked_sub((WEEK - 1).days()).ok().and_then(|day| self.at(day, 0));
                return if at < since {
                    Period::Closed { since: closed, until: Some(since) }
                } else {
                    Period::Open { since: Some(since).filter(|since| Some(*since) >= long_ago), until }
                };
            }
        }
        Period::Closed { since: open.map(|(_, until)| until), until: None }
    }

    /// A time as local clocks and calendars show it: `2026-11-30` and `09:00`.
    pub fn written(&self, at: Timestamp) -> Option<(String, String)> {
        let local = self.local(at)?;
        Some((local.date().to_string(), format!("{:02}:{:02}", local.hour(), local.minute())))
    }

    /// When the local day began that it is at a time.
    fn midnight(&self, at: Timestamp) -> Option<Timestamp> {
        self.at(self.local(at)?.date(), 0)
    }

    fn local(&self, at: Timestamp) -> Option<civil::DateTime> {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(self.zone.to_datetime(at))
    }

    /// Whether the day goes on beyond that time.
    fn ends_before(&self, time: Timestamp, day: civil::Date) -> bool {
        self.at(day, DAY).is_some_and(|end| time < end)
    }

    /// When hours are open on that day, in order.
    fn open_on(&self, day: civil::Date) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let weekday = day.weekday().to_monday_one_offset().unsigned_abs();
        let spans = self.hours.open.iter().filter(|span| span.weekday == weekday);
        let mut open: Vec<(u16, u16)> = spans.map(|span| (span.from, span.to)).collect();
        open.sort_unstable();
        let date = Day {
            year: day.year().try_into().ok(),
            month: day.month().unsigned_abs(),
            day: day.day().unsigned_abs(),
        };
        for holiday in self.hours.holidays.iter().filter(|holiday| holiday.is_on(date)) {
            let rest = |(from, to): (u16, u16)| [(from, to.min(holiday.from)), (from.max(holiday.to), to)];
            open = open.into_iter().flat_map(rest).filter(|(from, to)| from < to).collect();
        }
        let times =
            open.into_iter().filter_map(move |(from, to)| Some((self.at(day, from)?, self.at(day, to)?)));
        times.filter(|(from, to)| from < to)
    }

    /// That minute of the day; one that is skipped is the same time after the gap, one that comes twice is the first.
    fn at(&self, day: civil::Date, minute: u16) -> Option<Timestamp> {
        let day = if minute < DAY { day } else { day.tomorrow().ok()? };
        let (hour, minute) = (minute % DAY / 60, minute % 60);
        let local = day.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
        Some(Timestamp(self.zone.to_timestamp(local).ok()?.as_millisecond()))
    }
}

/// When the day began that it is at a time in a zone; in UTC where that zone is not known.
pub fn midnight(zone: &str, at: Timestamp) -> Timestamp {
    let in_zone = |zone: &str| {
        let hours = Hours { time_zone: zone.to_owned(), ..Hours::default() };
        Calendar::of(&hours).ok()?.midnight(at)
    };
    let day = i64::from(DAY) * 60_000;
    in_zone(zone).unwrap_or_else(|| Timestamp(at.0.div_euclid(day) * day))
}

impl Day {
    /// Whether the calendar has such a day, in that year or in any.
    pub fn exists(self) -> bool {
        let (Ok(year), Ok(month), Ok(day)) =
            (i16::try_from(self.year.unwrap_or(2000)), i8::try_from(self.month), i8::try_from(self.day))
        else {
            return false;
        };
        civil::Date::new(year, month, day).is_ok()
    }
}

#[cfg(test)]
mod tests;
