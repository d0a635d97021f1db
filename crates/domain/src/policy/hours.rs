//! When people are there.

use serde::{Deserialize, Serialize};

/// When people are there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hours {
    /// An IANA time zone name.
    pub time_zone: String,
    pub open: Vec<OpenSpan>,
}

/// An open span on one weekday; `from` < `to`, in minutes since local midnight (at most 1440).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct OpenSpan {
    /// 1 is Monday, 7 is Sunday (ISO 8601).
    pub weekday: u8,
    pub from: u16,
    pub to: u16,
}
