//! Opening hours in the business's own time zone.

use domain::{Timestamp, policy::Hours};
use jiff::tz::TimeZone;

/// Why hours cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{zone:?} is not an IANA time zone")]
    Zone {
        zone: String,
        #[source]
        source: jiff::Error,
    },
    #[error("the time is out of range")]
    Time(#[source] jiff::Error),
}

/// Whether someone is there at this moment.
pub fn is_open(hours: &Hours, at: Timestamp) -> Result<bool, Error> {
    let zone = TimeZone::get(&hours.time_zone)
        .map_err(|source| Error::Zone { zone: hours.time_zone.clone(), source })?;
    let local = jiff::Timestamp::from_millisecond(at.0).map_err(Error::Time)?.to_zoned(zone);
    let weekday = local.weekday().to_monday_one_offset().unsigned_abs();
    let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
    Ok(hours.open.iter().any(|span| span.weekday == weekday && (span.from..span.to).contains(&minute)))
}

#[cfg(test)]
mod tests {
    use domain::policy::OpenSpan;

    use super::*;

    fn open_at(time: &str) -> bool {
        let hours = Hours {
            time_zone: "Europe/Berlin".into(),
            open: (1..=5).map(|weekday| OpenSpan { weekday, from: 9 * 60, to: 17 * 60 }).collect(),
        };
        let at: jiff::Timestamp = time.parse().unwrap();
        is_open(&hours, Timestamp(at.as_millisecond())).unwrap()
    }

    #[test]
    fn hours_are_local_and_their_end_is_not_open() {
        // 2026-07-01 is a Wednesday; Berlin is two hours ahead in summer, one in winter.
        assert!(!open_at("2026-07-01T06:59:59Z"));
        assert!(open_at("2026-07-01T07:00:00Z"));
        assert!(open_at("2026-07-01T14:59:59Z"));
        assert!(!open_at("2026-07-01T15:00:00Z"));
        assert!(!open_at("2026-01-07T07:30:00Z"));
        assert!(open_at("2026-01-07T08:00:00Z"));
        assert!(!open_at("2026-07-04T10:00:00Z"), "a Saturday");
    }

    #[test]
    fn an_unknown_zone_is_an_error() {
        let hours = Hours { time_zone: "Mars/Olympus".into(), open: Vec::new() };
        assert!(is_open(&hours, Timestamp(0)).is_err());
    }
}
