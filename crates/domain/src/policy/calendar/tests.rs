use proptest::prelude::*;

use super::*;
use crate::policy::{Holiday, OpenSpan};

fn time(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn hours(zone: &str, open: &[(u8, u16, u16)], holidays: &[Holiday]) -> Hours {
    let open = open.iter().map(|(weekday, from, to)| OpenSpan { weekday: *weekday, from: *from, to: *to });
    Hours { time_zone: zone.into(), open: open.collect(), holidays: holidays.to_vec() }
}

fn calendar(zone: &str, open: &[(u8, u16, u16)], holidays: &[Holiday]) -> Calendar {
    Calendar::of(&hours(zone, open, holidays)).unwrap()
}

/// Weekdays from nine to five in Berlin, which is two hours ahead in summer, and one in winter.
fn office(holidays: &[Holiday]) -> Calendar {
    calendar("Europe/Berlin", &[1, 2, 3, 4, 5].map(|weekday| (weekday, 540, 1020)), holidays)
}

fn day(text: &str) -> Day {
    let numbers: Vec<u16> = text.split('-').map(|part| part.parse().unwrap()).collect();
    let (year, month, day) = match numbers[..] {
        [year, month, day] => (Some(year), month, day),
        [month, day] => (None, month, day),
        _ => panic!("{text}"),
    };
    Day { year, month: u8::try_from(month).unwrap(), day: u8::try_from(day).unwrap() }
}

fn holiday(first: &str, last: &str) -> Holiday {
    Holiday { first: day(first), last: day(last), from: 0, to: 1440 }
}

/// When a calendar that is closed opens.
fn opens(calendar: &Calendar, at: &str) -> Option<Timestamp> {
    match calendar.around(time(at)) {
        Period::Closed { until, .. } => until,
        open @ Period::Open { .. } => panic!("{open:?}"),
    }
}

fn open(since: &str, until: &str) -> Period {
    Period::Open { since: Some(time(since)), until: time(until) }
}

#[test]
fn hours_are_local_and_their_end_is_not_open() {
    // 2026-07-01 is a Wednesday.
    let summer = open("2026-07-01T07:00:00Z", "2026-07-01T15:00:00Z");
    assert_eq!(opens(&office(&[]), "2026-07-01T06:59:59.999Z"), Some(time("2026-07-01T07:00:00Z")));
    assert_eq!(office(&[]).around(time("2026-07-01T07:00:00Z")), summer);
    assert_eq!(office(&[]).around(time("2026-07-01T14:59:59.999Z")), summer);
    assert_eq!(opens(&office(&[]), "2026-07-01T15:00:00Z"), Some(time("2026-07-02T07:00:00Z")));
    assert!(!office(&[]).is_open(time("2026-01-07T07:30:00Z")));
    assert!(office(&[]).is_open(time("2026-01-07T08:00:00Z")));
    // Over a weekend.
    let weekend = Period::Closed {
        since: Some(time("2026-07-03T15:00:00Z")),
        until: Some(time("2026-07-06T07:00:00Z")),
    };
    assert_eq!(office(&[]).around(time("2026-07-04T10:00:00Z")), weekend);
}

#[test]
fn an_unknown_zone_is_an_error() {
    let wrong = Calendar::of(&hours("Mars/Olympus", &[], &[])).unwrap_err();
    assert_eq!(wrong.to_string(), "\"Mars/Olympus\" is not an IANA time zone");
}

#[test]
fn on_holidays_nobody_is_there() {
    // 2026-12-23 is a Wednesday.
    let christmas = Holiday { from: 720, ..holiday("12-24", "12-24") };
    let office = office(&[christmas, holiday("12-25", "12-26"), holiday("2026-12-28", "2027-01-01")]);
    assert_eq!(
        office.around(time("2026-12-24T09:00:00Z")),
        open("2026-12-24T08:00:00Z", "2026-12-24T11:00:00Z")
    );
    assert_eq!(opens(&office, "2026-12-24T11:00:00Z"), Some(time("2027-01-04T08:00:00Z")));
    // Once is once, and every year is every year: 2027-12-24 is a Friday.
    assert_eq!(opens(&office, "2027-12-24T11:00:00Z"), Some(time("2027-12-27T08:00:00Z")));
    assert!(office.is_open(time("2027-12-28T09:00:00Z")));
}

#[test]
fn a_holiday_may_be_over_the_turn_of_the_year() {
    let office = office(&[holiday("12-24", "01-01")]);
    assert_eq!(opens(&office, "2025-12-23T17:00:00Z"), Some(time("2026-01-02T08:00:00Z")));
    assert_eq!(opens(&office, "2026-12-31T09:00:00Z"), Some(time("2027-01-04T08:00:00Z")));
}

#[test]
fn midnight_closes_nothing() {
    let night = calendar("Europe/Berlin", &[(1, 1320, 1440), (2, 0, 360)], &[]);
    let whole = open("2026-07-06T20:00:00Z", "2026-07-07T04:00:00Z");
    assert_eq!(night.around(time("2026-07-06T21:00:00Z")), whole);
    assert_eq!(night.around(time("2026-07-07T03:00:00Z")), whole);
    let always = calendar("Europe/Berlin", &[1, 2, 3, 4, 5, 6, 7].map(|weekday| (weekday, 0, 1440)), &[]);
    let Period::Open { since: None, until } = always.around(time("2026-07-06T21:00:00Z")) else {
        panic!("it is open for longer than one looks back");
    };
    assert!(until > time("2026-07-13T21:00:00Z"));
}

#[test]
fn clocks_that_are_put_forward_skip_what_they_skip() {
    // 02:00 is followed by 03:00 on that Sunday.
    let early = |from, to| calendar("Europe/Berlin", &[(7, from, to)], &[]);
    let at = time("2026-03-29T01:45:00Z");
    assert_eq!(early(150, 300).around(at), open("2026-03-29T01:30:00Z", "2026-03-29T03:00:00Z"));
    assert_eq!(
        early(60, 120).around(time("2026-03-29T00:30:00Z")),
        open("2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z")
    );
}

#[test]
fn clocks_that_are_put_back_open_once() {
    // 03:00 is 02:00 again on that Sunday: a span from 02:30 begins the first time.
    let early = calendar("Europe/Berlin", &[(7, 150, 300)], &[]);
    let whole = open("2026-10-25T00:30:00Z", "2026-10-25T04:00:00Z");
    assert_eq!(early.around(time("2026-10-25T01:15:00Z")), whole);
}

#[test]
fn what_never_opens_says_so() {
    assert_eq!(opens(&calendar("UTC", &[], &[]), "2026-07-01T00:00:00Z"), None);
    let closed = holiday("01-01", "12-31");
    assert_eq!(opens(&office(&[closed]), "2026-07-01T00:00:00Z"), None);
}

#[test]
fn a_time_is_written_as_local_clocks_show_it() {
    let written = office(&[]).written(time("2026-11-30T08:05:00Z"));
    assert_eq!(written, Some(("2026-11-30".into(), "09:05".into())));
}

#[test]
fn some_days_do_not_exist() {
    for (text, exists) in [("02-29", true), ("2028-02-29", true), ("2026-02-29", false), ("02-30", false)] {
        assert_eq!(day(text).exists(), exists, "{text}");
    }
    assert!(!day("13-01").exists() && !day("00-10").exists() && !day("2026-04-31").exists());
}

fn any_hours() -> impl Strategy<Value = Hours> {
    let span = (1..=7_u8, 0..1440_u16, 1..600_u16).prop_map(|(weekday, from, long)| OpenSpan {
        weekday,
        from,
        to: (from + long).min(1440),
    });
    let days =
        prop::sample::select(vec![("01-01", "01-01"), ("12-30", "01-03"), ("2026-06-10", "2026-07-20")]);
    let holiday = (days, 0..1440_u16, 1..1440_u16).prop_map(|((first, last), from, long)| Holiday {
        from,
        to: (from + long).min(1440),
        ..holiday(first, last)
    });
    // Without summer time, so that clocks can be read by arithmetic.
    let zone = prop::sample::select(vec!["UTC", "Asia/Kolkata", "America/Phoenix"]);
    (zone, prop::collection::vec(span, 0..6), prop::collection::vec(holiday, 0..3))
        .prop_map(|(zone, open, holidays)| Hours { time_zone: zone.into(), open, holidays })
}

/// As anyone can tell who reads the clock and the calendar on the wall.
fn reads_open(hours: &Hours, at: Timestamp) -> bool {
    let ahead = match &*hours.time_zone {
        "Asia/Kolkata" => 330,
        "America/Phoenix" => -420,
        _ => 0,
    };
    let minutes = at.0.div_euclid(60_000) + ahead;
    let (days, minute) = (minutes.div_euclid(1440), u16::try_from(minutes.rem_euclid(1440)).unwrap());
    // 1970-01-01 was a Thursday.
    let weekday = u8::try_from((days + 3).rem_euclid(7) + 1).unwrap();
    let date = civil::date(1970, 1, 1).checked_add(days.days()).unwrap();
    let written = date.to_string();
    let on = |holiday: &Holiday| {
        let (first, last) = (holiday.first.to_string(), holiday.last.to_string());
        let today = &written[written.len() - first.len()..];
        let within = if first <= last {
            *first <= *today && *today <= *last
        } else {
            *today >= *first || *today <= *last
        };
        within && (holiday.from..holiday.to).contains(&minute)
    };
    let spans = || hours.open.iter().filter(|span| span.weekday == weekday);
    spans().any(|span| (span.from..span.to).contains(&minute)) && !hours.holidays.iter().any(on)
}

proptest! {
    /// Whatever the hours: they are open when the clock says so, through the whole of the period told, and not at its end.
    #[test]
    fn periods_are_what_the_clock_says(hours in any_hours(), minute in 29_700_000..30_300_000_i64, within in 0.0..1.0) {
        let (calendar, at) = (Calendar::of(&hours).unwrap(), Timestamp(minute * 60_000 + 30_000));
        let (is_open, ends) = match calendar.around(at) {
            Period::Open { since, until } => {
                if let Some(since) = since {
                    prop_assert!(since <= at && reads_open(&hours, since));
                    prop_assert!(!reads_open(&hours, Timestamp(since.0 - 1)));
                }
                (true, Some(until))
            }
            Period::Closed { since, until } => {
                if let Some(since) = since {
                    prop_assert!(since <= at && !reads_open(&hours, since));
                    prop_assert!(reads_open(&hours, Timestamp(since.0 - 1)));
                }
                (false, until)
            }
        };
        prop_assert_eq!(reads_open(&hours, at), is_open);
        let Some(ends) = ends else { return Ok(()) };
        prop_assert!(at < ends);
        #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any time between will do")]
        let between = Timestamp(at.0 + ((ends.0 - at.0) as f64 * within) as i64);
        prop_assert_eq!(reads_open(&hours, between), is_open);
        prop_assert_eq!(reads_open(&hours, ends), !is_open);
    }
}
