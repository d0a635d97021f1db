//! What stands below an answer without being one: signatures, the lines that devices add, legal notices.

use std::ops::Range;

use super::line::{Line, plain};
use super::words::WORDS;

/// Lines of a signature, where its mark could also be something else.
const LINES: usize = 10;

/// Where a block of text ends and its signature and its legal notice begin: `text.start ..= signature ..= notice`.
pub(super) struct Tail {
    pub(super) signature: usize,
    pub(super) notice: usize,
}

pub(super) fn tail(lines: &[Line<'_>], text: Range<usize>) -> Tail {
    let notice = notice(lines, &text).unwrap_or(text.end);
    let mut signature = delimited(lines, text.start..notice).unwrap_or(notice);
    // Several may stand below one another: a telephone's line above a rule above a list's.
    loop {
        let rest = text.start..signature;
        let Some(found) =
            rule(lines, &rest).or_else(|| device(lines, &rest)).or_else(|| contact(lines, &rest))
        else {
            return Tail { signature, notice };
        };
        signature = found;
    }
}

/// RFC 3676 section 4.3 says `-- `; without the space, only a few lines may follow.
fn delimited(lines: &[Line<'_>], text: Range<usize>) -> Option<usize> {
    text.clone().find(|at| match lines[*at].text {
        "-- " => true,
        mark => {
            matches!(mark.trim(), "--" | "—" | "–" | "- -" | "__")
                && filled(lines, at + 1..text.end).take(LINES + 1).count() <= LINES
        }
    })
}

/// A rule with nothing, a list's notice or a name and how to reach it below.
fn rule(lines: &[Line<'_>], text: &Range<usize>) -> Option<usize> {
    let mut below = 0;
    for at in text.clone().rev() {
        let line = &lines[at];
        if line.is_rule() {
            let rest = at + 1..text.end;
            let signs = below == 0
                || filled(lines, rest).any(|at| is_contact(lines[at].text) || is_list(lines[at].text));
            return signs.then_some(at);
        }
        below += usize::from(!line.is_blank());
        if below > LINES || line.text.len() > 160 {
            return None;
        }
    }
    None
}

/// `Sent from my telephone`, and what little may stand below it.
fn device(lines: &[Line<'_>], text: &Range<usize>) -> Option<usize> {
    let last: Vec<usize> = filled_back(lines, text).take(3).collect();
    last.into_iter().find(|at| {
        let line = &lines[*at];
        let alone = *at == text.start || lines[at - 1].is_blank() || lines[at - 1].is_rule();
        line.text.len() < 160
            && (alone || filled(lines, at + 1..text.end).next().is_none())
            && is_device(line)
    })
}

fn is_device(line: &Line<'_>) -> bool {
    let line = line.lower();
    let bare = line
        .trim_matches(|c: char| matches!(c, '-' | '–' | '—' | '*' | '_' | '.' | '[' | ']' | '(' | ' ' | '<'));
    // Not a sentence that happens to begin like that.
    bare.split(' ').count() <= 14 && (WORDS.is_device(bare) || WORDS.is_device(&line))
}

/// Below `Kind regards` and a name: telephone numbers, addresses, a company. The regards and the name stay.
fn contact(lines: &[Line<'_>], text: &Range<usize>) -> Option<usize> {
    let last: Vec<usize> = filled_back(lines, text).take(LINES + 2).collect();
    let farewell = last.iter().position(|at| is_farewell(&lines[*at]))?;
    // From the line after the name to the end, last line first.
    let below = last.get(..farewell.checked_sub(1)?)?;
    let reached = below.iter().any(|at| is_contact(lines[*at].text));
    let all = below.iter().all(|at| is_contact(lines[*at].text) || is_calling(lines[*at].text));
    (reached && all && below.len() >= 2).then(|| below.last().copied()).flatten()
}

/// What may stand beside ways to reach someone: a company, a position, a street. Not a sentence, not `Order: 7`.
fn is_calling(text: &str) -> bool {
    let text = text.trim();
    text.split_whitespace().count() <= 8
        && text.chars().count() <= 80
        && !text.starts_with(char::is_lowercase)
        && !text.ends_with(['?', '!', '.', ':', ','])
        && !text.contains(':')
}

fn is_farewell(line: &Line<'_>) -> bool {
    line.text.len() < 80 && {
        let line = line.lower();
        WORDS.is_farewell(line.trim_end_matches([',', '!', '.', ' ', ';', '，', '。', '、', '~', '-']))
    }
}

/// Before the number or the address itself.
const LABELS: &str = "t|m|p|f|e|w|d|o|tel|tél|telefon|telephone|phone|ph|mobile|mob|mobil|cell|fax|handy|office|direct|\
    email|e-mail|mail|correo|web|website|skype|whatsapp|line|telegram|teléfono|telefono|telefone|móvil|celular|\
    портал|сайт|телефон|тел|моб|факс|電話|電話番号|手机|电话|传真|邮箱|携帯|전화|휴대폰|โทร|โทรศัพท์|อีเมล|điện thoại|\
    đt|هاتف|جوال|טלפון|נייד|puh|tlf|gsm|telf|cep";

/// A telephone number, or an address of the mail or of the web, alone in its line but for a word that says which.
fn is_contact(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['|', '*', '-', '•', ' ']);
    if text.len() > 120 || text.ends_with(['?', '!']) {
        return false;
    }
    let (label, rest) = text.split_once([':', '：']).unwrap_or(("", text));
    let label = plain(label.trim_end_matches(['.', ' ']));
    let web = ["http", "https", "mailto"].contains(&label.as_str());
    let labelled = LABELS.split('|').any(|known| known == label);
    if !label.is_empty() && !labelled && !web {
        return false;
    }
    let rest = if web { text } else { rest.trim() };
    let first = rest.split_whitespace().next().unwrap_or_default();
    let address = rest.split_whitespace().count() <= 4
        && (rest.contains('@') || rest.contains("www.") || rest.contains("http"));
    let named = plain(first.trim_end_matches('.'));
    let number = if LABELS.split('|').any(|known| known == named) { &rest[first.len()..] } else { rest };
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let phone = digits >= 6 && number.chars().filter(|c| c.is_alphabetic()).count() <= 4;
    address || phone
}

fn is_list(text: &str) -> bool {
    let text = text.to_lowercase();
    [
        "mailing list",
        "unsubscribe",
        "mailinglist",
        "list-unsubscribe",
        "google groups",
        "abmelden",
        "désabonner",
        "-bounces@",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// The first line of a legal notice: a paragraph that starts like one and has nothing but more of it below.
fn notice(lines: &[Line<'_>], text: &Range<usize>) -> Option<usize> {
    let mut found = None;
    for at in text.clone() {
        let line = &lines[at];
        let starts =
            !line.is_blank() && (at == text.start || lines[at - 1].is_blank() || lines[at - 1].is_rule());
        if starts && found.is_none() {
            let start: String = line.text.chars().take(80).collect();
            let start = plain(start.trim_start_matches(|c: char| !c.is_alphanumeric()));
            if WORDS.is_disclaimer(&start) && paragraph(lines, at..text.end) >= 60 {
                found = Some(at);
            }
        }
    }
    let at = found?;
    // Its heading and the rule above belong to it.
    let above = (text.start..at).rev().find(|above| !lines[*above].is_blank());
    Some(above.filter(|above| lines[*above].is_rule()).unwrap_or(at))
}

/// Letters up to the next blank line.
fn paragraph(lines: &[Line<'_>], text: Range<usize>) -> usize {
    lines[text].iter().take_while(|line| !line.is_blank()).map(|line| line.text.len()).sum()
}

fn filled(lines: &[Line<'_>], text: Range<usize>) -> impl Iterator<Item = usize> {
    text.filter(|at| !lines[*at].is_blank())
}

fn filled_back(lines: &[Line<'_>], text: &Range<usize>) -> impl Iterator<Item = usize> {
    text.clone().rev().filter(|at| !lines[*at].is_blank())
}

#[cfg(test)]
mod tests {
    use super::super::line::lines;
    use super::*;

    fn kept(text: &str) -> String {
        let lines = lines(text, |_| None);
        let tail = tail(&lines, 0..lines.len());
        lines[..tail.signature]
            .iter()
            .map(|line| line.text)
            .collect::<Vec<_>>()
            .join("\n")
            .trim_end()
            .to_owned()
    }

    #[test]
    fn signatures_begin_where_they_are_marked() {
        assert_eq!(kept("Yes.\n\n-- \nAna\nShop Ltd"), "Yes.");
        assert_eq!(kept("Yes.\n\nSent from my iPhone"), "Yes.");
        assert_eq!(kept("Ja.\n\nVon meinem iPhone gesendet\n"), "Ja.");
        assert_eq!(kept("はい。\n\niPhoneから送信"), "はい。");
        assert_eq!(kept("Evet.\n\niPhone'umdan gönderildi"), "Evet.");
        assert_eq!(kept("Yes.\n\n_______________\nMailing list mail@x.test\nhttp://x.test/list"), "Yes.");
        assert_eq!(kept("Yes.\n\nGet Outlook for iOS<https://aka.ms/o0ukef>\n__________________"), "Yes.");
    }

    #[test]
    fn ways_to_reach_someone_go_the_name_stays() {
        let text = "Please call.\n\nBest regards,\nAna Silva\nShop Ltd\nTel. +44 20 7946 0000\nwww.shop.test";
        assert_eq!(kept(text), "Please call.\n\nBest regards,\nAna Silva");
        assert_eq!(kept("Thanks\nAna"), "Thanks\nAna");
        for kept_whole in [
            "Thanks\nAna\n\nhttp://x.test/invoice\nmy order number is 12345678",
            "Thanks\nAna\nOrder number: 12345678\na@x.test",
            "Thanks\nAna\nI will be at 12 High Street tomorrow.\n+44 20 7946 0000",
        ] {
            assert_eq!(kept(kept_whole), kept_whole);
        }
        let question = "Thanks,\nAna\n\nP.S. Can you also send me the invoice?\nIt is urgent.";
        assert_eq!(kept(question), question);
    }

    #[test]
    fn legal_notices_are_told_apart() {
        let text = "Yes.\n\nThis e-mail and any attachments are confidential and intended solely for the addressee.\n\nMore of it.";
        let lines = lines(text, |_| None);
        assert_eq!(tail(&lines, 0..lines.len()).notice, 2);
        assert_eq!(
            kept("This message is intended only as a joke"),
            "This message is intended only as a joke"
        );
    }

    #[test]
    fn what_only_looks_like_a_signature_stays() {
        for text in [
            "-----\nnot a separator\n-----\nmore",
            "a\n\nSent from Paris with love, it arrived two weeks late and I am sad about that, really",
        ] {
            assert_eq!(kept(text), text);
        }
    }
}
