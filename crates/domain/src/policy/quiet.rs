//! Quiet hours: when nobody is written to who has not just asked.
//!
//! By the clocks where the customer is, as far as the number tells (a country that keeps one time), and otherwise by the
//! inbox's. What is no answer waits for their end.

use std::collections::BTreeMap;

use crate::Timestamp;

use super::{Calendar, Country, Hours, OpenSpan, Period};

/// The settings of an inbox that they are read from, beside its `region`.
pub const QUIET_SETTINGS: [&str; 2] = ["quiet_hours", "quiet_zone"];

/// An inbox's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quiet {
    /// As if they were opening hours, in the inbox's zone.
    hours: Hours,
}

impl Quiet {
    /// # Errors
    /// The setting that cannot be, and why.
    pub fn read(settings: &BTreeMap<String, String>) -> Result<Option<Quiet>, (&'static str, String)> {
        let Some(span) = settings.get("quiet_hours") else { return Ok(None) };
        let (from, to) = read_span(span).ok_or_else(|| {
            ("quiet_hours", format!("{span:?}: it is a time and another, such as \"21:00-08:00\""))
        })?;
        let zone = match settings.get("quiet_zone") {
            Some(zone) => zone.clone(),
            None => {
                let region = settings.get("region").and_then(|region| region.parse::<Country>().ok());
                let zone = region.and_then(Country::zone).ok_or_else(|| {
                    let what = "whose clocks quiet hours go by: a zone, such as \"America/New_York\", or `region` \
                                with a country that keeps one time";
                    ("quiet_zone", what.to_owned())
                })?;
                zone.to_owned()
            }
        };
        let spans = if from < to { vec![(from, to)] } else { vec![(0, to), (from, 24 * 60)] };
        let of_day = |weekday| {
            let span = move |&(from, to): &(u16, u16)| OpenSpan { weekday, from, to };
            spans.iter().filter(|(from, to)| from < to).map(span)
        };
        let open = (1..=7).flat_map(of_day).collect();
        let hours = Hours { time_zone: zone, open, holidays: Vec::new() };
        Calendar::of(&hours).map_err(|error| ("quiet_zone", error.to_string()))?;
        Ok(Some(Quiet { hours }))
    }

    /// When they end, if it is quiet at that time for somebody there.
    pub fn until(&self, at: Timestamp, there: Option<Country>) -> Option<Timestamp> {
        let zone = there.and_then(Country::zone).unwrap_or(&self.hours.time_zone);
        let hours = Hours { time_zone: zone.to_owned(), ..self.hours.clone() };
        match Calendar::of(&hours).ok()?.around(at) {
            Period::Open { until, .. } => Some(until),
            Period::Closed { .. } => None,
        }
    }
}

/// Minutes since midnight. The same time twice would be all day, or never.
fn read_span(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (read_time(from.trim())?, read_time(to.trim())?);
    (from != to).then_some((from, to))
}

fn read_time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, below: u16| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number: &u16| is_plain && *number < below)
    };
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Option<Quiet>, (&'static str, String)> {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Quiet::read(&settings.collect())
    }

    fn time(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn until(quiet: &Quiet, at: &str, there: Option<&str>) -> Option<Timestamp> {
        quiet.until(time(at), there.map(|country| country.parse().unwrap()))
    }

    #[test]
    fn a_night_is_quiet_until_morning_by_the_customers_clocks() {
        let quiet = read(&[("quiet_hours", "21:00-08:00"), ("quiet_zone", "America/New_York")]).unwrap();
        let quiet = quiet.unwrap();
        // 02:00 in New York, 08:00 in Berlin, 11:30 in India.
        let at = "2026-01-12T07:00:00Z";
        assert_eq!(until(&quiet, at, None), Some(time("2026-01-12T13:00:00Z")));
        assert_eq!(until(&quiet, at, Some("DE")), None);
        assert_eq!(until(&quiet, at, Some("IN")), None);
        assert_eq!(
            until(&quiet, at, Some("CA")),
            Some(time("2026-01-12T13:00:00Z")),
            "it keeps several times"
        );
        // The evening before midnight is the same night.
        assert_eq!(until(&quiet, "2026-01-12T21:30:00Z", Some("DE")), Some(time("2026-01-13T07:00:00Z")));
        // The first minute counts, the last is over.
        assert_eq!(until(&quiet, "2026-01-12T20:00:00Z", Some("DE")), Some(time("2026-01-13T07:00:00Z")));
        assert_eq!(until(&quiet, "2026-01-13T07:00:00Z", Some("DE")), None);
    }

    #[test]
    fn clocks_that_change_in_the_night_are_followed() {
        let quiet = read(&[("quiet_hours", "21:00-08:00"), ("region", "DE")]).unwrap().unwrap();
        assert_eq!(until(&quiet, "2026-03-28T22:00:00Z", None), Some(time("2026-03-29T06:00:00Z")));
        assert_eq!(until(&quiet, "2026-10-24T22:00:00Z", None), Some(time("2026-10-25T07:00:00Z")));
    }

    #[test]
    fn noon_can_be_quiet_too_and_a_night_that_begins_at_midnight() {
        let noon = read(&[("quiet_hours", "12:30-14:00"), ("region", "DE")]).unwrap().unwrap();
        assert_eq!(until(&noon, "2026-01-12T12:00:00Z", None), Some(time("2026-01-12T13:00:00Z")));
        assert_eq!(until(&noon, "2026-01-12T22:00:00Z", None), None);
        let night = read(&[("quiet_hours", "22:00-00:00"), ("region", "DE")]).unwrap().unwrap();
        assert_eq!(until(&night, "2026-01-12T21:30:00Z", None), Some(time("2026-01-12T23:00:00Z")));
        assert_eq!(until(&night, "2026-01-12T23:30:00Z", None), None);
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert_eq!(read(&[("region", "DE")]), Ok(None));
        for span in
            ["", "21", "21:00", "21:00-21:00", "24:00-08:00", "21:60-08:00", "+1:00-08:00", "9:00-10:00"]
        {
            assert_eq!(
                read(&[("quiet_hours", span), ("region", "DE")]).unwrap_err().0,
                "quiet_hours",
                "{span}"
            );
        }
        let night = ("quiet_hours", "21:00-08:00");
        for place in [("region", "US"), ("quiet_zone", "Mars/Olympus"), ("words", "none")] {
            assert_eq!(read(&[night, place]).unwrap_err().0, "quiet_zone", "{place:?}");
        }
    }
}
