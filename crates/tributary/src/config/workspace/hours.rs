//! Hours and holidays, as `workspace.toml` writes them.
//!
//! ```text
//! open      mon-fri 09:00-17:00
//! holidays  12-25    12-24 12:00-24:00    2026-12-27..2026-12-31    12-24..01-01    2026-04-03[Europe/Berlin]
//! ```

use domain::policy::{self, Day, Holiday, OpenSpan};
use serde::Deserialize;

use super::Wrong;

/// Minutes.
const DAY: u16 = 24 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hours {
    time_zone: String,
    open: Vec<String>,
    #[serde(default)]
    holidays: Vec<String>,
}

impl Hours {
    pub(super) fn policy(self) -> Result<policy::Hours, Wrong> {
        let mut open = Vec::new();
        for text in &self.open {
            let bad = || Wrong::at("open", format!("{text:?} is not a span like \"mon-fri 09:00-17:00\""));
            open.extend(spans(text).ok_or_else(bad)?);
        }
        let holidays = self.holidays.iter().map(|text| holiday(text, &self.time_zone));
        let holidays = holidays.collect::<Result<_, _>>()?;
        Ok(policy::Hours { time_zone: self.time_zone, open, holidays })
    }
}

/// `mon-fri 09:00-17:00`.
fn spans(text: &str) -> Option<Vec<OpenSpan>> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let (days, times) = text.trim().split_once(' ')?;
    let day = |name: &str| DAYS.iter().position(|day| *day == name.trim().to_lowercase());
    let (first, last) = match days.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(days)?, day(days)?),
    };
    let (from, to) = times_of_day(times)?;
    let weekday = |day: usize| u8::try_from(day + 1).ok();
    (first..=last).map(|day| Some(OpenSpan { weekday: weekday(day)?, from, to })).collect()
}

/// `09:00-17:00`, in minutes since midnight.
fn times_of_day(text: &str) -> Option<(u16, u16)> {
    let minutes = |time: &str| {
        let (hour, minute) = time.trim().split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour <= 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let (from, to) = text.split_once('-')?;
    Some((minutes(from)?, minutes(to)?))
}

/// Days, and of what part of them; the zone in brackets, if there is one, must be that of the hours.
fn holiday(text: &str, time_zone: &str) -> Result<Holiday, Wrong> {
    let wrong = |what: String| Wrong::at("holidays", what);
    let (when, zone) = match text.trim().strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((when, zone)) => (when.trim(), Some(zone)),
        None => (text.trim(), None),
    };
    if let Some(zone) = zone.filter(|zone| *zone != time_zone) {
        return Err(wrong(format!("{text:?} is in zone {zone:?}, but the hours are in {time_zone:?}")));
    }
    if when.contains(['T', 'Z', '+']) {
        return Err(wrong(format!("{text:?} is a moment; a holiday is a day in the hours' own zone")));
    }
    let bad = || {
        wrong(format!("{text:?} is not a day like \"12-25\" or \"2026-12-27..2026-12-31\", or a part of it"))
    };
    let (days, times) = match when.split_once(' ') {
        Some((days, times)) => (days, times_of_day(times).ok_or_else(bad)?),
        None => (when, (0, DAY)),
    };
    let (first, last) = days.split_once("..").unwrap_or((days, days));
    let (first, last) = (day(first).ok_or_else(bad)?, day(last).ok_or_else(bad)?);
    Ok(Holiday { first, last, from: times.0, to: times.1 })
}

/// `12-25`, or `2026-12-25`.
fn day(text: &str) -> Option<Day> {
    let mut parts = text.trim().split('-');
    let year = match text.trim().matches('-').count() {
        1 => None,
        2 => Some(parts.next().filter(|year| year.len() == 4)?.parse().ok()?),
        _ => return None,
    };
    Some(Day { year, month: parts.next()?.parse().ok()?, day: parts.next()?.parse().ok()? })
}
