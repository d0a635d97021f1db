//! What a mail says of the conversation it belongs to, besides signed references: the ids of ours that it answers, and
//! its subject without what programs put before it.

use domain::MessageId;

use super::reference;
use crate::Mail;

/// Ids of ours that one mail is asked about.
const MOST: usize = 8;

/// What mail programs put before the subject of an answer or of a mail passed on, in the languages they speak; lower
/// case, without the colon.
const BEFORE: &[&str] = &[
    "re",
    "fw",
    "fwd",
    "aw",
    "antw",
    "antwort",
    "wg",
    "sv",
    "vs",
    "vb",
    "vl",
    "ang",
    "ref",
    "ré",
    "rép",
    "réf",
    "tr",
    "trans",
    "rv",
    "res",
    "enc",
    "rif",
    "i",
    "r",
    "inoltra",
    "odp",
    "pd",
    "ynt",
    "ilt",
    "i̇lt",
    "yan",
    "ilet",
    "atb",
    "vá",
    "továbbítás",
    "doorst",
    "sl",
    "tl",
    "bls",
    "trs",
    "oth",
    "ats",
    "prs",
    "απ",
    "σχετ",
    "πρθ",
    "на",
    "отв",
    "ответ",
    "пересл",
    "fs",
    "відп",
    "fyi",
    "השב",
    "תשובה",
    "הועבר",
    "رد",
    "إعادة توجيه",
    "پاسخ",
    "ต อบ",
    "ตอบ",
    "ส่งต่อ",
    "回复",
    "回覆",
    "答复",
    "转发",
    "轉寄",
    "轉發",
    "返信",
    "転送",
    "답장",
    "회신",
    "전달",
    "trả lời",
    "chuyển tiếp",
];

/// What servers put before a subject from outside, lower case.
const STAMPS: &[&str] = &["[external]", "[ext]", "[extern]", "[externe]", "[externo]"];

/// What a conversation by mail is about: the subject as it was before it was answered and passed on. Mails of one
/// correspondence have the same, whatever languages their programs speak.
pub(crate) fn topic(subject: &str) -> String {
    let words: Vec<&str> = subject.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    let mut rest = text.as_str();
    loop {
        rest = rest.trim_start();
        let stamped = STAMPS.iter().find_map(|stamp| rest.strip_prefix(stamp));
        match stamped.or_else(|| without_prefix(rest)) {
            Some(shorter) => rest = shorter,
            None => return rest.to_owned(),
        }
    }
}

/// `re: …`, `re[2]: …`, `回复：…`
fn without_prefix(text: &str) -> Option<&str> {
    let (before, rest) = text.split_once([':', '：'])?;
    let counted = |c: char| c.is_ascii_digit() || matches!(c, '[' | ']' | '(' | ')' | '^' | '.' | ' ');
    BEFORE.contains(&before.trim_end_matches(counted)).then_some(rest)
}

/// The messages of ours that a mail answers, nearest first, each with the reference that its id bears: only one that the
/// vault can read shows that the id is ours.
pub(crate) fn answered_of_ours(reply_to: Option<&str>, mail: &Mail) -> Vec<(String, MessageId)> {
    let answered = reply_to.into_iter().chain(mail.references.iter().rev().map(String::as_str));
    let ours = |id: &str| {
        let reference = reference::in_message_id(id)?;
        let key = id.split_once('.')?.0.to_ascii_lowercase();
        Some((reference, key.parse().ok()?))
    };
    let mut found: Vec<(String, MessageId)> = Vec::new();
    for one in answered.filter_map(ours) {
        if !found.contains(&one) && found.len() < MOST {
            found.push(one);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_stays_whoever_answers() {
        let same = [
            "My order 4711",
            "Re: My order  4711",
            "AW: My order 4711",
            "SV: Re: RE: My order 4711",
            "Fwd: AW: my Order 4711",
            "Re[2]: My order 4711",
            "Re (3): My order 4711",
            "[EXTERNAL] Re: [External] My order 4711",
            "回复：My order 4711",
            "Ответ: My order 4711",
            "TR : My order 4711",
        ];
        for subject in same {
            assert_eq!(topic(subject), "my order 4711", "{subject}");
        }
        for other in ["My order 4712", "Order: My order 4711", "Reorder: 4711", "3: My order 4711"] {
            assert_ne!(topic(other), "my order 4711", "{other}");
        }
        assert_eq!(topic("Re: AW:"), "");
    }

    #[test]
    fn our_ids_are_found_among_those_a_mail_answers() {
        let reference = "0123456789abcdefghijklmnopqrstuv";
        let ours = |message: u128| {
            let id = MessageId(message.to_be_bytes());
            (id, reference::message_id(&id.to_string(), reference, "us.test"))
        };
        let ((first, first_id), (second, second_id)) = (ours(7), ours(9));
        let references = vec!["theirs@a.test".into(), first_id, second_id.to_uppercase()];
        let mail = Mail { references, ..Mail::default() };
        let found = answered_of_ours(Some(&second_id), &mail);
        assert_eq!(found, [(reference.to_owned(), second), (reference.to_owned(), first)]);
        assert_eq!(answered_of_ours(Some("no-key.0123456789abcdefghij@us.test"), &Mail::default()), []);
    }
}
