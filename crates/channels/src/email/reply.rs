//! The new part of a reply, apart from quotes, history and signatures. It only decides what is shown first: the
//! whole text stays beside it, so an unsure case keeps more rather than less.

use super::words::{DEVICES, FROM, HEADERS, SEPARATORS, STARTS, WROTE};

/// Lines an attribution may be broken over.
const ATTRIBUTION_LINES: usize = 4;
const ATTRIBUTION_LENGTH: usize = 400;

/// The new part of a message's readable text. Blank only if the text is.
pub(super) fn new_part(body: &str) -> String {
    let lines: Vec<&str> = body.lines().collect();
    let mut kept: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let nothing_yet = kept.iter().all(|line| is_blank(line));
        if let Some(end) = attribution(&lines, at) {
            let after = quoted_until(&lines, end);
            if after > end || nothing_yet {
                // The answer may stand below what it quotes.
                at = after;
                continue;
            }
            break;
        }
        if is_separator(lines[at]) || is_header_block(&lines, at) {
            if nothing_yet {
                // Passed on without a word: the whole of it is what is new.
                kept.extend(&lines[at..]);
            }
            break;
        }
        if !nothing_yet && is_signature(&lines, at) {
            break;
        }
        kept.push(lines[at]);
        at += 1;
    }
    drop_tail(&mut kept);
    let text = kept.join("\n");
    let text = if is_blank(&text) { body.replace("\r\n", "\n") } else { text };
    text.trim_matches('\n').trim_end().to_owned()
}

/// Quotes nobody answers below, rules and telephones' lines at the end; unless there is nothing else.
fn drop_tail(kept: &mut Vec<&str>) {
    let idle = |line: &&str| {
        let line = line.trim();
        let rule = line.len() >= 5 && line.chars().all(|c| matches!(c, '-' | '_' | '=' | '*' | ' '));
        line.is_empty() || rule || is_quoted(line) || is_device(line)
    };
    if let Some(last) = kept.iter().rposition(|line| !idle(line)) {
        kept.truncate(last + 1);
    }
}

/// The line after an attribution that starts here.
fn attribution(lines: &[&str], at: usize) -> Option<usize> {
    let first = lines[at].trim_start_matches(['-', ' ', '*']);
    if is_blank(first) || is_quoted(first) {
        return None;
    }
    let dated = starts_dated(first);
    let mut joined = String::new();
    for (offset, line) in lines[at..].iter().take(ATTRIBUTION_LINES).enumerate() {
        let line = line.trim();
        let restarts = offset > 0 && starts_dated(line) && has_digit(line);
        if is_blank(line) || restarts || joined.len() + line.len() > ATTRIBUTION_LENGTH {
            return None;
        }
        joined.push_str(if offset == 0 { first } else { line });
        // A name first, then date and verb: only where the address shows what it is.
        let plausible = dated || offset == 0 || (offset == 1 && first.contains('@'));
        let quoted_next = lines[at + offset + 1..]
            .iter()
            .find(|line| !is_blank(line))
            .is_some_and(|line| is_quoted(line) || line.starts_with('|'));
        if plausible && is_attribution(&joined, dated, quoted_next) {
            return Some(at + offset + 1);
        }
        joined.push(' ');
    }
    None
}

fn is_attribution(text: &str, dated: bool, quoted_next: bool) -> bool {
    let text = text.to_lowercase();
    let ended = text.trim_end_matches([' ', '-', '*']);
    let bare = ended.trim_end_matches([':', '：', ' ', '\u{a0}']);
    let colon = bare.len() < ended.len();
    let rule = ended.len() < text.len();
    let has_address = bare.contains('@');
    if !(has_address || has_time(bare) || (dated && has_digit(bare))) {
        return false;
    }
    let verb_last = WROTE.iter().any(|verb| bare.ends_with(verb));
    // `… schrieb am Freitag um 12:52 Uhr:`
    let verb_inside = bare.contains(" schrieb ") || bare.contains(" napisał ");
    // `2017-02-05 13:29 GMT+02:00 Name <name@x.test>:`, in old mail without the colon.
    let address_last = bare.ends_with('>') && has_address && has_digit(bare) && (dated || has_time(bare));
    verb_last && (colon || rule)
        || colon && (verb_inside || address_last)
        || address_last && dated && quoted_next
}

fn starts_dated(line: &str) -> bool {
    let lower: String = line.chars().take(12).collect::<String>().to_lowercase();
    // `2017-02-05 …`, `30 серп. 2016 …`, but not an address that starts with a digit.
    let after_digits = lower.trim_start_matches(|c: char| c.is_ascii_digit());
    let numeric = after_digits.len() < lower.len() && after_digits.starts_with(['-', '.', '/', ' ', '年']);
    numeric || STARTS.iter().any(|start| lower.starts_with(start))
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

/// `9:41`, `21.05`
fn has_time(text: &str) -> bool {
    text.as_bytes().windows(4).any(|w| {
        w[0].is_ascii_digit() && matches!(w[1], b':' | b'.') && w[2].is_ascii_digit() && w[3].is_ascii_digit()
    })
}

/// The end of the quotes that follow, blank lines between them included.
fn quoted_until(lines: &[&str], start: usize) -> usize {
    let mut end = start;
    for (at, line) in lines.iter().enumerate().skip(start) {
        if is_quoted(line) || line.trim_start().starts_with('|') {
            end = at + 1;
        } else if !is_blank(line) {
            break;
        }
    }
    end
}

fn is_header_block(lines: &[&str], at: usize) -> bool {
    header_name(lines[at]).is_some_and(|name| FROM.contains(&name.as_str()))
        && lines[at + 1..]
            .iter()
            .filter(|line| !is_blank(line))
            .take(3)
            .any(|line| header_name(line).is_some_and(|name| HEADERS.contains(&name.as_str())))
}

/// `*From:* somebody` gives `from`.
fn header_name(line: &str) -> Option<String> {
    let line: String = line.trim_start_matches([' ', '\t', '*', '_']).chars().take(30).collect();
    let (name, _) = line.split_once([':', '：'])?;
    Some(name.trim_end_matches(['*', '_', ' ', '\u{a0}']).to_lowercase())
}

fn is_separator(line: &str) -> bool {
    let line = line.trim();
    if line.eq_ignore_ascii_case("begin forwarded message:") {
        return true;
    }
    line.len() < 200 && line.starts_with(['-', '_', '=', '#']) && {
        let line = line.to_lowercase();
        let words = line.trim_matches(|c: char| matches!(c, '-' | '_' | '=' | '#' | '*' | ' '));
        line.len() > words.len() + 3
            && SEPARATORS.iter().any(|found| words.strip_prefix("please ").unwrap_or(words) == *found)
    }
}

/// RFC 3676 section 4.3 says `-- `; without the space a few lines at most may follow.
fn is_signature(lines: &[&str], at: usize) -> bool {
    match lines[at] {
        "-- " => true,
        "--" | "—" => lines[at + 1..].iter().filter(|line| !is_blank(line)).take(11).count() <= 10,
        _ => false,
    }
}

fn is_device(line: &str) -> bool {
    line.len() < 120 && {
        let line = line.to_lowercase();
        DEVICES.iter().any(|start| line.starts_with(start))
    }
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        assert_eq!(new_part(body), expected, "{body}");
    }

    #[test]
    fn programs_introduce_history_in_their_own_words() {
        for line in [
            "On Tue, 3 Mar 2026 at 09:41, Ana <a@x.test> wrote:",
            "On Tue, 3 Mar 2026 at 09:41, Somebody With A Long Name <\n4711somebody@x.test>\nwrote:",
            "Am 03.03.2026 um 09:41 schrieb Ana <a@x.test>:",
            "Ana <a@x.test> schrieb am Di., 3. März 2026,\n09:41:",
            "Le mar. 3 mars 2026 à 09:41, Ana <a@x.test> a écrit :",
            "El mar, 3 mar 2026 a las 9:41, Ana (<a@x.test>) escribió:",
            "Il giorno mar 3 mar 2026 alle ore 09:41 Ana <a@x.test> ha\nscritto:",
            "Em ter., 3 de mar. de 2026 às 09:41, Ana <a@x.test> escreveu:",
            "Op di 3 mrt 2026 om 09:41 schreef Ana <a@x.test>:",
            "wt., 3 mar 2026 o 09:41 Ana <a@x.test> napisał(a):",
            "вт, 3 мар. 2026 г. в 09:41, Ana <a@x.test>:",
            "вт, 3 бер. 2026 р. о 09:41 Ana <a@x.test> пише:",
            "Den tis 3 mars 2026 kl 09:41 skrev Ana <a@x.test>:",
            "Ana <a@x.test>, 3 Mar 2026 Sal, 09:41 tarihinde şunu yazdı:",
            "Vào Th 3, 3 thg 3, 2026 vào lúc 09:41 Ana <a@x.test> đã viết:",
            "เมื่อ อ. 3 มี.ค. 2026 เวลา 09:41 Ana <a@x.test> เขียนว่า:",
            "في ثلاثاء، 3 مارس 2026 في 9:41 م تمت كتابة ما يلي بواسطة Ana <a@x.test>:",
            "2026年3月3日(火) 9:41 Ana <a@x.test>:",
            "2026년 3월 3일 (화) 오전 9:41, Ana <a@x.test>님이 작성:",
            "Ana <a@x.test> 于2026年3月3日周二 09:41写道：",
        ] {
            check(&format!("Answer.\n\n{line}\n\n> old\n> words\n"), "Answer.");
            check(&format!("{line}\n> old words\n\nAnswer.\n"), "Answer.");
        }
    }

    #[test]
    fn separators_and_header_blocks_end_the_new_part() {
        for history in [
            "-----Original Message-----\nFrom: x\n",
            "-----Ursprüngliche Nachricht-----\nVon: x\n",
            "---------- Forwarded message ---------\nold",
            "________________________________\nFrom: Ana\nSent: Tuesday\nTo: b\nSubject: x\n",
            "*De :* Ana\n*Envoyé :* mardi\n",
            "差出人: Ana\n送信日時: 2026年\n",
            "Begin forwarded message:\n\nold",
            "##- Please type your reply above this line -##\nold",
        ] {
            check(&format!("Answer.\n\n{history}"), "Answer.");
        }
        check(
            "-----Original Message-----\nFrom: x\nSent: y\n\nall of it",
            "-----Original Message-----\nFrom: x\nSent: y\n\nall of it",
        );
    }

    #[test]
    fn signatures_are_left_out() {
        check("Yes.\n\n-- \nAna\nShop Ltd\n", "Yes.");
        check("Yes.\n\nSent from my iPhone", "Yes.");
        check("Ja.\n\nVon meinem iPhone gesendet", "Ja.");
        check("-- \nAna", "-- \nAna");
    }

    #[test]
    fn what_only_looks_like_history_stays() {
        for body in [
            "On Monday I wrote:\nthis stays",
            "From: the heart",
            "I asked on page 5 what he wrote.\n\nNothing came.",
            "> a question\n\nan answer between\n\n> and another\n\nand one more",
            "a > b\n--\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11",
            "-----\nnot a separator\n-----\nmore",
        ] {
            check(body, body);
        }
    }

    #[test]
    fn something_always_remains() {
        check("> only\n> quotes", "> only\n> quotes");
        check(
            "On 3 Mar 2026 at 9:41, a@x.test wrote:\n> old",
            "On 3 Mar 2026 at 9:41, a@x.test wrote:\n> old",
        );
        check("\r\n  \r\n", "");
        check("\r\n  indented\r\nlines\r\n", "  indented\nlines");
    }
}
