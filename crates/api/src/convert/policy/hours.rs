//! Hours and holidays, both ways.

use domain::{
    Rejection,
    policy::{Day, Holiday, Hours, OpenSpan},
};
use wire::api::v1::policy::{self as doc};

use super::super::invalid;

pub(super) fn hours_message(hours: &Hours) -> doc::Hours {
    let span = |span: &OpenSpan| doc::OpenSpan {
        weekday: span.weekday.into(),
        from: span.from.into(),
        to: span.to.into(),
    };
    let holiday = |holiday: &Holiday| doc::Holiday {
        first: Some(day_message(holiday.first)),
        last: (holiday.last != holiday.first).then(|| day_message(holiday.last)),
        from: holiday.from.into(),
        to: holiday.to.into(),
    };
    doc::Hours {
        time_zone: hours.time_zone.clone(),
        open: hours.open.iter().map(span).collect(),
        holidays: hours.holidays.iter().map(holiday).collect(),
    }
}

pub(super) fn hours(at: &str, hours: doc::Hours) -> Result<Hours, Rejection> {
    let spans = hours.open.into_iter().map(|span| open_span(at, span));
    let holidays = hours.holidays.into_iter().map(|day| holiday(at, day));
    Ok(Hours {
        time_zone: hours.time_zone,
        open: spans.collect::<Result<_, _>>()?,
        holidays: holidays.collect::<Result<_, _>>()?,
    })
}

fn open_span(at: &str, span: doc::OpenSpan) -> Result<OpenSpan, Rejection> {
    let bad = || invalid(format!("`{at}.open`: weekdays are 1 to 7, times 0 to 1440 minutes"));
    Ok(OpenSpan {
        weekday: span.weekday.try_into().map_err(|_| bad())?,
        from: span.from.try_into().map_err(|_| bad())?,
        to: span.to.try_into().map_err(|_| bad())?,
    })
}

fn holiday(at: &str, holiday: doc::Holiday) -> Result<Holiday, Rejection> {
    let bad = || invalid(format!("`{at}.holidays`: each has a first day, and times of 0 to 1440 minutes"));
    let first = day(at, holiday.first.ok_or_else(bad)?)?;
    Ok(Holiday {
        first,
        last: holiday.last.map_or(Ok(first), |last| day(at, last))?,
        from: holiday.from.try_into().map_err(|_| bad())?,
        to: holiday.to.try_into().map_err(|_| bad())?,
    })
}

fn day_message(day: Day) -> doc::Day {
    doc::Day { year: day.year.unwrap_or_default().into(), month: day.month.into(), day: day.day.into() }
}

fn day(at: &str, day: doc::Day) -> Result<Day, Rejection> {
    let bad = || invalid(format!("`{at}.holidays`: {}-{}-{} is no day", day.year, day.month, day.day));
    let year: u16 = day.year.try_into().map_err(|_| bad())?;
    Ok(Day {
        year: Some(year).filter(|year| *year > 0),
        month: day.month.try_into().map_err(|_| bad())?,
        day: day.day.try_into().map_err(|_| bad())?,
    })
}
