//! What introduces history: an attribution (`On Friday, A wrote:`), a separator (`-----Original Message-----`),
//! a block of headers (`From: … Sent: … Subject: …`).

use super::line::{Line, is_rule_char, plain};
use super::words::{Field, WORDS};

/// Lines an attribution may be broken over.
const ATTRIBUTION_LINES: usize = 5;
const ATTRIBUTION_LENGTH: usize = 500;
/// Lines that a block of headers may have.
const HEADER_LINES: usize = 16;

/// An introduction: the line after it, and whether it names a whole mail that is carried along, by a separator or by
/// headers, rather than what somebody said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Intro {
    pub(super) end: usize,
    pub(super) carries: bool,
}

/// The introduction that starts at a line. A separator may be followed by headers or an attribution, which are then a
/// part of it.
pub(super) fn intro(lines: &[Line<'_>], at: usize) -> Option<Intro> {
    let mut below_rule = lines[..at].iter().rev().find(|line| !line.is_blank()).is_some_and(Line::is_rule);
    let (mut next, mut intro) = (at, None::<Intro>);
    while let Some(line) = lines.get(next) {
        let separator = is_separator(line.text);
        let carried = if separator { Some(next + 1) } else { header_block(lines, next, below_rule) };
        let Some(found) = carried.or_else(|| attribution(lines, next)) else { break };
        intro = Some(Intro {
            end: found,
            carries: carried.is_some() || intro.is_some_and(|intro| intro.carries),
        });
        below_rule = separator;
        let Some(blank) = lines[found..].iter().take(3).position(|line| !line.is_blank()) else { break };
        next = found + blank;
    }
    intro
}

/// Where an introduction begins behind other words on the same line.
pub(super) fn split_within(text: &str) -> Option<usize> {
    if text.len() > 2 * ATTRIBUTION_LENGTH || !text.contains("---") {
        return None;
    }
    let bytes = text.as_bytes();
    let mut from = 1;
    while let Some(found) = bytes.get(from..)?.windows(3).position(|w| w == b"---") {
        let at = from + found;
        let after = text[at..].trim_start_matches(['-', ' ']);
        if after.is_empty() {
            return None;
        }
        if !text[..at].trim().is_empty() && text[..at].trim_end_matches(is_rule_char).trim().len() > 1 {
            let line = Line { text: &text[at..], at: 0..0 };
            if is_separator(line.text) || attribution(std::slice::from_ref(&line), 0).is_some() {
                return Some(at);
            }
        }
        from = text.len() - after.len();
    }
    None
}

/// The line after an attribution that starts here.
fn attribution(lines: &[Line<'_>], at: usize) -> Option<usize> {
    let window = window(lines, at);
    let head = window.first().filter(|line| line.text.len() <= ATTRIBUTION_LENGTH && !line.is_quoted())?;
    // Most lines are ruled out by the end that none of these has.
    let quoted_after = |offset: usize| {
        lines[at + offset + 1..].iter().take(4).find(|line| !line.is_blank()).is_some_and(is_marked)
    };
    let may_end = |offset: usize, line: &Line<'_>| {
        let text = line.text.trim_end_matches(|c: char| c.is_whitespace() || c == '*' || is_direction(c));
        text.ends_with([':', '：', '-', '–', '—']) || quoted_after(offset)
    };
    if !window.iter().enumerate().any(|(offset, line)| may_end(offset, line)) {
        return None;
    }
    let first = plain(head.text.trim_start_matches(|c: char| is_rule_char(c) || c.is_whitespace()));
    let first = first.strip_prefix('(').unwrap_or(&first);
    if first.is_empty() {
        return None;
    }
    let opens = opens(first);
    let mut joined = String::new();
    for (offset, line) in window.iter().enumerate() {
        // An address whose end stands on a line of its own: `<`, `a@x.test`, `> wrote:`.
        let closes = joined.matches('<').count() > joined.matches('>').count();
        if line.is_quoted() && !closes || joined.len() + line.text.len() > ATTRIBUTION_LENGTH {
            return None;
        }
        let text = if offset == 0 { first.to_owned() } else { line.lower() };
        // Another one begins: the first line belongs to what was said.
        if offset > 0 && opens_with_date(&text) && !joined.trim_end().ends_with([',', '<', '(']) {
            return None;
        }
        joined.push_str(&text);
        // Broken over lines only where the first shows what it is: a date, or a name with its address.
        let plausible = opens || offset == 0 || offset == 1 && first.contains(['@', '<']);
        let open = joined.matches('<').count() > joined.matches('>').count();
        if plausible && !open && may_end(offset, line) && is_attribution(&joined, opens, quoted_after(offset))
        {
            return Some(at + offset + 1);
        }
        joined.push(' ');
    }
    None
}

/// The lines that an attribution may be broken over. Only an address in its brackets may stand below a blank one.
fn window<'a, 'b>(lines: &'a [Line<'b>], at: usize) -> &'a [Line<'b>] {
    let mut end = at;
    while end < lines.len().min(at + ATTRIBUTION_LINES) {
        let blank = lines[end].is_blank();
        if blank && lines.get(end + 1).is_none_or(|next| next.text.trim() != "<") {
            break;
        }
        end += 1;
    }
    &lines[at..end]
}

/// `text` is plain. Who, when and that something was said: two of these must be clear, and the end must be one.
fn is_attribution(text: &str, opens: bool, quoted_next: bool) -> bool {
    let ended = text.trim_end_matches(|c: char| c == ' ' || c == '*' || is_rule_char(c));
    let rule = text.len() - ended.len() >= 2;
    let bare = ended.trim_end_matches([':', '：', ' ', ')', '»', '"']);
    let colon = ended[bare.len()..].contains([':', '：']);
    let address = bare.contains('@') || bare.contains("mailto:");
    let moment = has_time(bare) || has_date(bare);
    let when = moment || opens && has_digit(bare);
    if !(colon || rule || quoted_next) || !(address || when || quoted_next) {
        return false;
    }
    let said = WORDS.ends_said(bare) && !is_own(bare) || bare.ends_with("napisał(a");
    // One of each: that something was said, an end that shows it, and who or when, or what.
    if said && (colon || rule || when) {
        return true;
    }
    // `… schrieb A <a@x.test>:`, `… schrieb am Freitag um 12:52 Uhr:`
    if colon && (address && when || moment && opens || moment && quoted_next) && WORDS.said_inside(bare) {
        return true;
    }
    // `2017-02-05 13:29 GMT+02:00 A <a@x.test>:`, in some programs without the colon.
    let address_last = address && ended.trim_end_matches([':', '：', ' ']).ends_with(['>', ')', ']']);
    if address_last && moment && (colon || quoted_next) && (opens || opens_with_date(text)) {
        return true;
    }
    // `Quoting A <a@x.test>:`
    colon && quoted_next && address && opens
}

/// `On Monday I wrote:` speaks of oneself.
fn is_own(bare: &str) -> bool {
    [
        " i wrote",
        " we wrote",
        " you wrote",
        " he wrote",
        " she wrote",
        " they wrote",
        " i said",
        " i sent",
        " we sent",
    ]
    .iter()
    .any(|own| bare.ends_with(own))
}

fn opens(text: &str) -> bool {
    WORDS.opens(text) || opens_with_date(text)
}

/// `2017-02-05 …`, `30 серп. 2016 …`, `2026年…`, but not an address that starts with a digit.
fn opens_with_date(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let year = |text: &str| has_year(text.get(..24.min(text.len())).unwrap_or(text));
    matches!(digits, 1 | 2 | 4)
        && text[digits..].starts_with(['-', '.', '/', ' ', '年', ','])
        && (has_date(text)
            || text.chars().take(24).collect::<String>().contains(char::is_alphabetic) && year_near(text))
        || digits == 0 && text.len() > 6 && is_weekday_like(text) && year(text)
}

/// A word of up to twelve letters, a comma or a full stop, and then a number: `tirsdag 3.`, `вт, 3`.
fn is_weekday_like(text: &str) -> bool {
    let word = text.chars().take_while(|c| c.is_alphabetic()).count();
    let rest: String = text.chars().skip(word).take(4).collect();
    (1..=12).contains(&word)
        && rest.starts_with([',', '.', ' '])
        && rest.contains(|c: char| c.is_ascii_digit())
}

fn year_near(text: &str) -> bool {
    has_year(&text.chars().take(32).collect::<String>())
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

/// `1998`, `2026`, also in the Buddhist era that Thailand counts in.
fn has_year(text: &str) -> bool {
    numbers(text).any(|number| number.len() == 4 && matches!(&number[..2], "19" | "20" | "25"))
}

/// `9:41`, `21.05`, `9h41`, `3 pm`, `9時`
fn has_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let clock = bytes.windows(4).any(|w| {
        w[0].is_ascii_digit()
            && matches!(w[1], b':' | b'.' | b'h')
            && w[2].is_ascii_digit()
            && w[3].is_ascii_digit()
    });
    clock || text.contains('時') && has_digit(text)
}

/// `3.3.2026`, `2026-03-03`, `3/3/26`, or a year beside another number.
fn has_date(text: &str) -> bool {
    let numeric = text.as_bytes().windows(4).enumerate().any(|(at, w)| {
        w[0].is_ascii_digit()
            && matches!(w[1], b'.' | b'-' | b'/')
            && w[2].is_ascii_digit()
            && text[at + 2..].trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(char::from(w[1]))
    });
    numeric || has_year(text) && numbers(text).nth(1).is_some()
}

fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty())
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Quoted, by any of the marks that programs use.
fn is_marked(line: &Line<'_>) -> bool {
    line.is_quoted() || line.text.trim_start().starts_with('|')
}

fn is_separator(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['>', '*', ' ']);
    let start = text.trim_start_matches(|c: char| is_rule_char(c) || matches!(c, ' ' | '|' | '<' | '['));
    let decorated = text.len() - start.len() >= 2;
    if start.is_empty()
        || text.len() > 240
        || !decorated && !text.trim_end_matches(['*', ' ']).ends_with([':', '：'])
    {
        return false;
    }
    let words = plain(start);
    // Behind the words, more dashes, or already the first header.
    let bare = words
        .trim_end_matches(|c: char| is_rule_char(c) || matches!(c, ' ' | ':' | '：' | '|' | '>' | ']' | '.'));
    if WORDS.is_separator(bare) {
        return true;
    }
    let inner = ["--", "==", "__", "‐‐", "——", "**"].iter().filter_map(|dashes| words.find(dashes)).min();
    decorated && inner.is_some_and(|at| WORDS.is_separator(words[..at].trim()))
}

/// The line after a block of headers that starts here: who it is from, and at least one more; something in it must
/// be a mail's, since orders and forms have a `From:` and a `To:` as well.
fn header_block(lines: &[Line<'_>], at: usize, below_rule: bool) -> Option<usize> {
    let (name, value) = header(lines[at].text)?;
    let first = WORDS.field(&name)?;
    let (mut fields, mut from, mut telling, mut end) =
        (1, first == Field::From, first == Field::Telling, at + 1);
    let mut address = lines[at].text.contains('@');
    let mut loose = 0;
    for (offset, line) in lines[at + 1..].iter().take(HEADER_LINES).enumerate() {
        let field = header(line.text).and_then(|(name, _)| WORDS.field(&name));
        match field {
            Some(field) => {
                fields += 1;
                from |= field == Field::From;
                telling |= field == Field::Telling;
                address |= line.text.contains('@');
                end = at + offset + 2;
                loose = 0;
            }
            // A long line goes on, or a blank one stands between.
            None => {
                loose += 1;
                if loose > 2 || line.is_quoted() {
                    break;
                }
            }
        }
    }
    let enough = if first == Field::From { 2 } else { 3 };
    // `Date: Wed, 16 May 2012 00:15:02 -0600` and `To: a@x.test`
    let dated = first == Field::Other && fields >= 2 && address && has_time(value) && has_year(value);
    (dated
        || from && fields >= enough && (telling || address || below_rule)
        || below_rule && fields >= 2 && telling)
        .then_some(end)
}

/// `*From:* somebody` gives `from` and `somebody`.
fn header(line: &str) -> Option<(String, &str)> {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '>' | '|'));
    let (name, value) = line.split_once([':', '：']).filter(|(name, _)| name.len() <= 60)?;
    let name = plain(name.trim_end_matches(['*', '_', ' ', '\u{a0}', '\t']));
    Some((name, value.trim_start_matches(['*', '_', ' '])))
}

#[cfg(test)]
mod tests {
    use super::super::line::lines;
    use super::*;

    fn end(text: &str) -> Option<usize> {
        intro(&lines(text, |_| None), 0).map(|intro| intro.end)
    }

    #[test]
    fn an_introduction_ends_where_history_begins() {
        assert_eq!(end("On 3 March 2026 at 09:41, A <a@x.test> wrote:\n> b"), Some(1));
        assert_eq!(
            end("-----Original Message-----\nFrom: a\nSent: b\nTo: c,\n  d\nSubject: e\n\nf"),
            Some(6)
        );
        assert_eq!(
            end("------- Original Message -------\nOn Tuesday, March 3rd, 2026 at 9:41 AM, A wrote:\n\nb"),
            Some(2)
        );
        assert_eq!(end("From: a@x.test\nTo: b@x.test\n\nHello"), Some(2));
    }

    #[test]
    fn what_is_no_introduction() {
        for text in [
            "On Monday I wrote:\nthis",
            "From: Berlin\nTo: Munich\nDate: 3 May",
            "I asked on page 5 what he wrote.\n\nNothing.",
            "To order 5 items write to Ana <a@x.test>:\n\nthanks",
            "At 9:41 the train left. Then:\n\nnothing",
            "------ Enter Feedback Below ------",
            "Sent: yesterday",
            "On blah-blah-blah",
        ] {
            assert_eq!(end(text), None, "{text}");
        }
    }

    #[test]
    fn words_before_an_introduction_are_split_off() {
        let text = "bla-bla - bla--- On Wed, Apr 4, 2012 at 3:59 PM, me@x.test wrote:";
        assert_eq!(split_within(text), text.find("---"));
        assert_eq!(split_within("a --- b --- c"), None);
        assert_eq!(split_within("--- On Wed, Apr 4, 2012 at 3:59 PM, me@x.test wrote:"), None);
    }
}
