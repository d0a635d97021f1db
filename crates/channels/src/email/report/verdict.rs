//! From what a server says of one recipient to a verdict: the status code, the reply code, and whether to try again.

use serde::Serialize;

use super::cause::Cause;

/// What a mail server reports of one recipient of a mail of ours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Bounced {
    /// Lower case; empty where the report does not say.
    pub address: String,
    /// The status code (RFC 3463), of the report or, where it gives none, of the cause.
    pub status: String,
    /// The reply (RFC 5321 section 4.2) of the server that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    pub cause: Cause,
    /// The address is dead: nothing should be sent to it again. Otherwise this mail failed, or is late.
    pub hard: bool,
    /// It is still being tried.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub delayed: bool,
    /// The server's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostic: Option<String>,
}

/// What there is to judge by.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    pub(super) address: String,
    pub(super) status: Option<String>,
    pub(super) action: Option<String>,
    pub(super) diagnostic: Option<String>,
    /// What people are told.
    pub(super) told: String,
}

/// Letters of a diagnostic that are kept.
const DIAGNOSTIC: usize = 500;

impl Evidence {
    pub(super) fn judge(self) -> Bounced {
        let delayed = self.action.as_deref().is_some_and(|action| action.starts_with("delay"));
        let diagnostic = self.diagnostic.as_deref().map(str::to_lowercase).unwrap_or_default();
        let told = self.told.to_lowercase();
        let code = reply_code(&diagnostic).or_else(|| reply_code(&told));
        let status = best(self.status.iter().map(String::as_str).chain([diagnostic.as_str()]), &told);
        let class = match (status.as_deref().and_then(|status| status.chars().next()), code) {
            (Some(class), _) => class,
            (None, Some(code)) if code < 500 => '4',
            _ if delayed => '4',
            _ => '5',
        };
        let of_status = || status.as_deref().filter(|status| !is_vague(status)).and_then(Cause::of_status);
        let words = if diagnostic.is_empty() { &told } else { &diagnostic };
        let cause = Cause::said(words)
            // Of an address that the code calls unknown, `inactive` says no less.
            .map(|said| {
                of_status().filter(|of| *of == Cause::UserUnknown && said == Cause::Suspended).unwrap_or(said)
            })
            .or_else(of_status)
            .or_else(|| Cause::said(&told))
            .or_else(|| Cause::hinted(words))
            .or_else(|| Cause::hinted(&told))
            .unwrap_or(Cause::Unclear);
        let words = self
            .diagnostic
            .filter(|words| !words.is_empty())
            .map(|words| words.chars().take(DIAGNOSTIC).collect());
        Bounced {
            address: self.address,
            hard: cause.is_hard() && class == '5' && !delayed,
            status: status.unwrap_or_else(|| format!("{class}.{}", cause.code())),
            code,
            cause,
            delayed,
            diagnostic: words,
        }
    }
}

/// The report's own code, unless the server's says more; what people are told only where neither has one.
fn best<'a>(sources: impl Iterator<Item = &'a str>, told: &str) -> Option<String> {
    let all: Vec<String> = sources.flat_map(statuses).collect();
    // That time ran out, or that something was wrong with the address, has a reason that may be named as well.
    let telling =
        |status: &&String| !is_vague(status) && !status.ends_with(".4.7") && !status.ends_with(".1.0");
    let best =
        all.iter().find(telling).or_else(|| all.iter().find(|status| !is_vague(status))).or(all.first());
    let best = best.cloned();
    if best.as_deref().is_none_or(is_vague) {
        let class = |status: &String| best.as_ref().is_none_or(|best| best[..1] == status[..1]);
        return statuses(told).find(|status| class(status) && !is_vague(status)).or(best);
    }
    best
}

fn is_vague(status: &str) -> bool {
    status.ends_with(".0.0")
}

/// Status codes in a text: `5.1.1`, `#5.1.1`, but no part of an address such as `192.5.1.1`.
fn statuses(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|token| {
        let token = token.trim_matches('.');
        let mut numbers = token.split('.');
        let class = numbers.next().filter(|class| matches!(*class, "2" | "4" | "5"))?;
        let (subject, detail) = (numbers.next()?, numbers.next()?);
        let fits = |number: &str| (1..=3).contains(&number.len());
        (fits(subject) && fits(detail) && subject.len() <= 2 && numbers.next().is_none() && class != "2")
            .then(|| token.to_owned())
    })
}

/// Whether a server's reply stands in a text.
pub(super) fn says_code(text: &str) -> bool {
    reply_code(text).is_some() && statuses(text).next().is_some()
}

/// A reply code by itself: `550 User unknown`, `said: 550-5.1.1`.
fn reply_code(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    let is_word = |b: Option<&u8>| {
        b.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'@' | b'_' | b'/'))
    };
    bytes.windows(3).enumerate().find_map(|(at, digits)| {
        let first = matches!(digits[0], b'4' | b'5')
            && matches!(digits[1], b'0'..=b'5')
            && digits[2].is_ascii_digit();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let after = bytes.get(at + 3);
        let alone = !is_word(before)
            && before != Some(&b'-')
            && matches!(after, None | Some(b' ' | b'-' | b'\n' | b'\r' | b':' | b')' | b'\t' | b';'));
        // A port, a time and a size also have three digits; a reply is followed by words or a status.
        // `ERROR_CODE :421,`
        let alone = alone || after == Some(&b',') && before == Some(&b':');
        let replies =
            bytes.get(at + 4).is_none_or(|b| !b.is_ascii_digit() || text[at + 4..].starts_with(['4', '5']));
        (first && alone && replies).then(|| text[at..at + 3].parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: &str, diagnostic: &str, told: &str) -> Bounced {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Evidence {
            status: some(status),
            diagnostic: some(diagnostic),
            told: told.into(),
            ..Evidence::default()
        }
        .judge()
    }

    #[test]
    fn what_says_more_counts() {
        let bounced = judge("5.0.0", "smtp; 550 5.1.1 <a@x.test>... User Unknown", "");
        assert_eq!((bounced.status.as_str(), bounced.code, bounced.hard), ("5.1.1", Some(550), true));
        let bounced = judge("5.2.2", "", "It could not be delivered.");
        assert_eq!(
            (bounced.status.as_str(), bounced.cause, bounced.hard),
            ("5.2.2", Cause::MailboxFull, false)
        );
        let bounced = judge("", "", "Sorry, no mailbox here by that name. (#5.1.1)");
        assert_eq!((bounced.status.as_str(), bounced.hard), ("5.1.1", true));
        let bounced = judge("", "", "The user does not exist");
        assert_eq!((bounced.status.as_str(), bounced.hard), ("5.1.1", true), "a code of the cause");
        let bounced = judge("4.4.1", "connect to x.test[192.5.1.1]: Connection refused", "");
        assert_eq!((bounced.status.as_str(), bounced.code, bounced.hard), ("4.4.1", None, false));
    }

    #[test]
    fn numbers_that_are_no_codes() {
        assert_eq!(statuses("192.5.1.1 and 15.1.544 and 5.5.2653.13").next(), None);
        assert_eq!(reply_code("after 450 12:00, port 525, a550"), None);
        assert_eq!(reply_code("said: 550-5.1.1 no"), Some(550));
        assert_eq!(reply_code("host a[192.0.2.1] said: 452 too many"), Some(452));
    }
}
