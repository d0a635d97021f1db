//! Lengths of time as people write them: `250ms`, `30s`, `10m`, `24h`, `7d`.

use std::str::FromStr;

use domain::Millis;
use serde::{Deserialize, Deserializer, de::Error as _};

/// For `#[serde(with = …)]`-less use: a newtype that reads itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span(pub Millis);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// On the command line.
impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(Span).ok_or_else(|| unlike(text))
    }
}

fn unlike(text: &str) -> String {
    format!("{text:?} is not a length of time like \"250ms\", \"30s\", \"10m\", \"24h\" or \"7d\"")
}

fn parse(text: &str) -> Option<Millis> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit).map(Millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        assert_eq!(parse("250ms"), Some(Millis(250)));
        assert_eq!(parse("24h"), Some(Millis::hours(24)));
        assert_eq!(parse("7d"), Some(Millis::hours(168)));
        for wrong in ["", "s", "10", "1.5s", "-1s", "10 years", "99999999999999999999s"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
