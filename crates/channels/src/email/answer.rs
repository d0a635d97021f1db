//! What a relay's "no" means for the message in hand: not now, never, or never anything for that address; and how long to
//! wait before asking again (RFC 5321 section 4.2.1, RFC 3463).

use std::time::Duration;

use lettre::transport::smtp::Error;

use super::report;
use crate::Outcome;

/// Where in the dialogue it was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Said {
    /// To us and our mailbox.
    OfUs,
    /// To the recipient, or the message.
    OfMessage,
}

/// A relay's "no".
pub(super) struct No {
    pub(super) outcome: Outcome,
    /// The recipient's domain wants less of our mail, and for how long if it says so.
    pub(super) slower: Option<Option<Duration>>,
}

/// Greylisting wants us to come back after some minutes, most often five.
const GREYLISTED: Duration = Duration::from_secs(5 * 60);
/// A mailbox does not get emptier within seconds.
const FULL: Duration = Duration::from_secs(30 * 60);
/// For anything else.
const SOON: Duration = Duration::from_secs(60);
/// A server's own wish counts up to this.
const LONGEST_WISH: Duration = Duration::from_secs(4 * 3600);

/// What a negative reply means; none if there was no reply.
pub(super) fn no(error: &Error, said: Said) -> Option<No> {
    let status = error.status()?;
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    Some(judge(u16::from(status), &text, said))
}

fn judge(status: u16, text: &str, said: Said) -> No {
    let judged = report::of_reply(status, text);
    let words = text.to_lowercase();
    let enhanced = text.split_whitespace().next().filter(|word| is_enhanced(word, status));
    let code = enhanced.map_or_else(|| status.to_string(), |enhanced| format!("{status} {enhanced}"));
    let reason = text.to_owned();
    if status >= 500 {
        let dead = judged.hard && said == Said::OfMessage;
        let outcome = if dead { Outcome::Dead { code, reason } } else { Outcome::Refused { code, reason } };
        return No { outcome, slower: None };
    }
    let wish = wish(&words);
    let greylisted =
        ["greylist", "graylist", "grey list", "gray list"].iter().any(|word| words.contains(word));
    let hurried = status == 421
        || matches!(enhanced, Some("4.7.0" | "4.7.28" | "4.7.650" | "4.7.651" | "4.4.5"))
        || ["too many", "rate limit", "throttl", "too fast", "slow down", "deferred due to"]
            .iter()
            .any(|word| words.contains(word));
    let usual = match judged.cause {
        _ if greylisted => GREYLISTED,
        report::Cause::MailboxFull => FULL,
        _ => SOON,
    };
    let after = wish.unwrap_or(usual).min(LONGEST_WISH);
    let slower = (hurried && !greylisted && said == Said::OfMessage).then_some(wish);
    let after = u64::try_from(after.as_millis()).ok();
    No { outcome: Outcome::Retry { code, reason, after }, slower }
}

/// `4.7.1`, of the reply's own class.
fn is_enhanced(word: &str, status: u16) -> bool {
    let mut numbers = word.split('.');
    let class = numbers.next().and_then(|class| class.parse::<u16>().ok());
    let short = |number: &str| (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    class == Some(status / 100) && numbers.clone().count() == 2 && numbers.all(short)
}

/// `… try again in 300 seconds`, `please wait 5 minutes`: a number and its unit, after a word that asks for time.
fn wish(words: &str) -> Option<Duration> {
    let asks =
        ["again", "retry", "wait", "later", "come back", "delay"].iter().any(|ask| words.contains(ask));
    let mut tokens = words.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()).peekable();
    while let Some(token) = tokens.next().filter(|_| asks) {
        let digits = token.len() - token.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Ok(number) = token[..digits].parse::<u32>() else { continue };
        let unit =
            if digits < token.len() { &token[digits..] } else { tokens.peek().copied().unwrap_or_default() };
        let seconds = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            _ => continue,
        };
        return Some(Duration::from_secs(u64::from(number) * seconds));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, text: &str) -> (String, bool) {
        let No { outcome, slower } = judge(status, text, Said::OfMessage);
        let told = match outcome {
            Outcome::Retry { code, after, .. } => format!("retry {code} {}", after.unwrap() / 1000),
            Outcome::Refused { code, .. } => format!("refused {code}"),
            Outcome::Dead { code, .. } => format!("dead {code}"),
            other => format!("{other:?}"),
        };
        (told, slower.is_some())
    }

    #[test]
    fn replies_of_servers() {
        for (status, text, meant, slower) in [
            (550, "5.1.1 <ana@x.test>: Recipient address rejected: User unknown", "dead 550 5.1.1", false),
            (550, "No such user here", "dead 550", false),
            (554, "5.7.1 Message rejected as spam", "refused 554 5.7.1", false),
            (552, "5.2.2 Mailbox full", "refused 552 5.2.2", false),
            (550, "5.7.26 Unauthenticated email from x.test is not accepted", "refused 550 5.7.26", false),
            (450, "4.2.0 Greylisted, see http://x.test", "retry 450 4.2.0 300", false),
            (451, "4.7.1 Greylisting in action, please try again in 90 seconds", "retry 451 4.7.1 90", false),
            (451, "4.7.1 Please try again after 10min", "retry 451 4.7.1 600", false),
            (452, "4.2.2 The recipient's inbox is full", "retry 452 4.2.2 1800", false),
            (451, "4.3.0 Temporary lookup failure", "retry 451 4.3.0 60", false),
            (421, "4.7.28 Our system has detected an unusual rate", "retry 421 4.7.28 60", true),
            (450, "4.7.0 Too many connections, slow down", "retry 450 4.7.0 60", true),
        ] {
            assert_eq!(told(status, text), (meant.to_owned(), slower), "{status} {text}");
        }
    }

    #[test]
    fn what_is_said_of_us_says_nothing_of_the_address() {
        let no = judge(550, "5.1.1 user unknown", Said::OfUs);
        assert!(matches!(no.outcome, Outcome::Refused { .. }));
        assert!(judge(421, "4.7.0 too many", Said::OfUs).slower.is_none());
    }

    #[test]
    fn wishes_within_reason() {
        assert_eq!(wish("try again in 5 minutes"), Some(Duration::from_secs(300)));
        assert_eq!(wish("queued for 5 minutes"), None, "nothing is asked");
        assert_eq!(wish("retry in 99999999999999 s"), None);
        let (told, _) = told(450, "4.2.0 greylisted, retry in 4000000 hours");
        assert_eq!(told, "retry 450 4.2.0 14400");
    }
}
