//! When people are there: hours of the week in a time zone, and the days on which they do not hold.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When people are there.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Hours {
    /// An IANA time zone name.
    pub time_zone: String,
    pub open: Vec<OpenSpan>,
    /// Days on which nobody is there, or not all of the day.
    pub holidays: Vec<Holiday>,
}

/// An open span on one weekday; `from` < `to`, in minutes since local midnight (at most 1440).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct OpenSpan {
    /// 1 is Monday, 7 is Sunday (ISO 8601).
    pub weekday: u8,
    pub from: u16,
    pub to: u16,
}

/// One day or several on which nobody is there between `from` and `to`, in minutes since local midnight; 0 to 1440 is
/// all day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Holiday {
    pub first: Day,
    /// The same as `first` for a single day. Both name a year, or neither does; then it may be over the turn of the year.
    pub last: Day,
    pub from: u16,
    pub to: u16,
}

/// A day of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Day {
    /// None: every year.
    pub year: Option<u16>,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(year) = self.year {
            write!(f, "{year:04}-")?;
        }
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl Holiday {
    /// Whether it falls on this day, which names its year.
    pub fn is_on(&self, day: Day) -> bool {
        let day = Day { year: day.year.filter(|_| self.first.year.is_some()), ..day };
        if self.first <= self.last {
            (self.first..=self.last).contains(&day)
        } else {
            day >= self.first || day <= self.last
        }
    }
}
