//! What stands where a short message's sender and receiver stand: a number, a short code, or a name.
//!
//! Numbers are written in E.164, so that however a network writes one, it is the same customer.

use std::str::FromStr;

use phonenumber::{Mode, country};

/// A country by its ISO 3166 code: numbers without a country code are read as dialled there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region(country::Id);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not a country's code (two letters, as in \"DE\")")]
pub struct UnknownRegion(String);

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        text.to_ascii_uppercase().parse().map(Region).map_err(|_| UnknownRegion(text.to_owned()))
    }
}

impl Region {
    /// The ISO 3166 code, in capitals.
    pub fn code(self) -> String {
        format!("{:?}", self.0)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Address {
    /// In E.164, with its plus sign.
    Number(String),
    /// Digits that mean something in one network only. It may be answered.
    Code(String),
    /// Letters: nobody can answer that.
    Name(String),
}

/// A number has more digits than a short code.
const LONGEST_CODE: usize = 6;
/// A number of more digits has its country's code, unless it begins with the zero that is dialled before one without.
const LONGEST_AT_HOME: usize = 10;

impl Address {
    /// Reads what a person or a provider wrote. What looks like a number and is none that `region` knows stays as its digits.
    pub fn read(text: &str, region: Option<Region>) -> Address {
        let text = text.trim();
        if let Some(digits) = text.strip_prefix('+').filter(|digits| is_e164(digits)) {
            return Address::Number(format!("+{digits}"));
        }
        let is_written_as_number =
            |c: char| c.is_ascii_digit() || c.is_whitespace() || "+-./()\u{a0}".contains(c);
        if text.is_empty() || !text.chars().all(is_written_as_number) {
            return Address::Name(text.to_owned());
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return Address::Name(text.to_owned());
        }
        if !text.starts_with('+') && digits.len() <= LONGEST_CODE {
            return Address::Code(digits);
        }
        // So many digits, and not as dialled at home: providers leave out the plus sign.
        let abroad =
            (digits.len() > LONGEST_AT_HOME && !digits.starts_with('0')).then(|| format!("+{digits}"));
        let parsed = abroad.and_then(|abroad| valid(None, &abroad));
        match parsed.or_else(|| valid(region, text)) {
            Some(number) => Address::Number(number),
            None if text.starts_with('+') => Address::Number(format!("+{digits}")),
            None => Address::Code(digits),
        }
    }

    /// As it names a party.
    pub fn as_str(&self) -> &str {
        match self {
            Address::Number(text) | Address::Code(text) | Address::Name(text) => text,
        }
    }

    pub fn into_string(self) -> String {
        match self {
            Address::Number(text) | Address::Code(text) | Address::Name(text) => text,
        }
    }

    /// The country a number is of, as far as the number says.
    pub fn region(&self) -> Option<Region> {
        let Address::Number(number) = self else { return None };
        phonenumber::parse(None, number).ok()?.country().id().map(Region)
    }

    /// A message to it can arrive.
    pub fn can_be_answered(&self) -> bool {
        !matches!(self, Address::Name(_))
    }
}

/// The number in E.164, if it is one.
fn valid(region: Option<Region>, text: &str) -> Option<String> {
    let number = phonenumber::parse(region.map(|region| region.0), text).ok()?;
    phonenumber::is_valid(&number).then(|| number.format().mode(Mode::E164).to_string())
}

/// As networks write it: nothing to look up. A number that begins with its country's trunk prefix is rare, and looked up by
/// nobody.
fn is_e164(digits: &str) -> bool {
    (8..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, region: &str) -> Address {
        Address::read(text, region.parse().ok())
    }

    #[test]
    fn however_a_number_is_written_it_is_one() {
        let number = Address::Number("+4915112345678".into());
        for text in [
            "+4915112345678",
            "0151 12345678",
            "+49 (0)151 12345678",
            "0049 151 12345678",
            "0151/1234-5678",
            " 015112345678 ",
        ] {
            assert_eq!(read(text, "DE"), number, "{text}");
        }
        assert_eq!(read("(415) 867-5309", "us"), Address::Number("+14158675309".into()));
        assert_eq!(read("14158675309", "US"), Address::Number("+14158675309".into()));
        assert_eq!(
            read("+1 555 0100", ""),
            Address::Number("+15550100".into()),
            "no valid one, but written as one"
        );
    }

    #[test]
    fn a_number_without_its_plus_sign_is_still_from_abroad() {
        for (text, region, number) in [
            ("4915112345678", "US", "+4915112345678"),
            ("385916242493", "DE", "+385916242493"),
            ("14158675309", "DE", "+14158675309"),
            ("11987654321", "BR", "+5511987654321"),
            ("9876543210", "IN", "+919876543210"),
        ] {
            assert_eq!(read(text, region), Address::Number(number.into()), "{text} {region}");
        }
    }

    #[test]
    fn short_codes_and_names_are_no_numbers() {
        assert_eq!(read("12345", "US"), Address::Code("12345".into()));
        assert_eq!(read("83-22", "DE"), Address::Code("8322".into()));
        assert_eq!(
            read("015112345678", ""),
            Address::Code("015112345678".into()),
            "no region says what it is"
        );
        for name in ["ACME", "Acme 24", "", "---", "4you"] {
            let address = read(name, "DE");
            assert_eq!(address, Address::Name(name.into()));
            assert!(!address.can_be_answered());
        }
        assert!(read("12345", "US").can_be_answered());
    }

    #[test]
    fn a_region_is_a_country() {
        assert_eq!("de".parse::<Region>().unwrap().code(), "DE");
        assert!("Germany".parse::<Region>().is_err());
        assert!("".parse::<Region>().is_err());
    }
}
