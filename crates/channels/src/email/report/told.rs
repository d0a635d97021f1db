//! What a report tells people: its text up to the copy of the mail that it brings back, and the recipients in it.

/// Starts of lines that only the copy of a mail has.
const COPIED: [&str; 9] = [
    "received: ",
    "return-path:",
    "dkim-signature:",
    "mime-version:",
    "message-id:",
    "x-mailer:",
    "delivered-to:",
    "x-original-to:",
    "content-transfer-encoding:",
];
/// Recipients of one report that are looked at.
const RECIPIENTS: usize = 100;

/// The part of a report's text that is the report's own, and the copy below it.
pub(super) fn split(text: &str) -> (&str, &str) {
    let mut start = 0;
    let mut fields = 0;
    let mut first_field = 0;
    for line in text.split_inclusive('\n') {
        let line_start = line.trim_start_matches("> ").as_bytes();
        let starts = |name: &str| {
            line_start.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        };
        let field = ["from:", "to:", "subject:", "date:", "cc:"].iter().any(|name| starts(name));
        if field && fields == 0 {
            first_field = start;
        }
        fields = if field { fields + 1 } else { 0 };
        if COPIED.iter().any(|name| starts(name)) {
            return text.split_at(if fields > 0 { first_field } else { start });
        }
        if fields == 3 {
            return text.split_at(first_field);
        }
        start += line.len();
    }
    (text, "")
}

/// Addresses at the starts of lines, each with what is said up to the next one; of none there, all in the text.
pub(super) fn recipients(told: &str, ours: &[String]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in told.lines() {
        let start = line.trim_start_matches(|c: char| c.is_whitespace() || "<\"'*-•([".contains(c));
        // A line of a conversation between servers: `<<< 550 <a@x.test>... no such user`.
        let start = start.trim_start_matches(|c: char| c.is_ascii_digit() || " .<>-".contains(c));
        let start = ["RCPT TO:", "Recipient:", "recipient:", "Original-Recipient:"]
            .iter()
            .find_map(|name| start.strip_prefix(name))
            .unwrap_or(start)
            .trim_start_matches([' ', '<']);
        let begins = addresses(start).next().filter(|found| start.to_lowercase().starts_with(found.as_str()));
        match begins.filter(|address| is_recipient(address, ours)) {
            Some(address) => match found.iter().position(|(of, _)| *of == address) {
                Some(at) => add(&mut found[at].1, line),
                None if found.len() < RECIPIENTS => found.push((address, line.to_owned())),
                None => {}
            },
            None => {
                if let Some((_, said)) = found.last_mut() {
                    add(said, line);
                }
            }
        }
    }
    if found.len() == 1 {
        found[0].1 = told.to_owned();
    }
    if found.is_empty() {
        let all = addresses(told).find(|address| is_recipient(address, ours));
        found.extend(all.map(|address| (address, told.to_owned())));
    }
    found
}

fn add(said: &mut String, line: &str) {
    said.push('\n');
    said.push_str(line);
}

/// Not the one who is told, and not a machine.
fn is_recipient(address: &str, ours: &[String]) -> bool {
    let local = address.split('@').next().unwrap_or_default();
    !ours.iter().any(|of| of == address) && !["postmaster", "mailer-daemon", "abuse"].contains(&local)
}

/// The e-mail addresses in a text, in lower case.
fn addresses(text: &str) -> impl Iterator<Item = String> {
    text.match_indices('@').filter_map(|(at, _)| {
        let is_local = |c: char| c.is_alphanumeric() || "!#$%&*+-/=?^_`{|}~.".contains(c);
        let local = text[..at].char_indices().rev().take(64).take_while(|(_, c)| is_local(*c)).last()?.0;
        let domain = &text[at + 1..];
        let end =
            domain.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '.')).unwrap_or(domain.len());
        let domain = domain[..end].trim_end_matches(['.', '-']);
        (domain.contains('.') || domain.len() > 2)
            .then(|| format!("{}@{domain}", &text[local..at]).to_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_no_part_of_the_report() {
        let text = "Sorry.\n\n<a@x.test>:\nno such user\n\n--- Below this line is a copy.\n\nReturn-Path: <b@y.test>\nTo: c@x.test\n";
        let (told, copy) = split(text);
        assert!(told.ends_with("copy.\n\n") && copy.starts_with("Return-Path"));
        assert_eq!(split("no copy\nFrom: here on\n").1, "");
    }

    #[test]
    fn each_recipient_has_its_own_words() {
        let told = "Failed:\n\n<a@x.test>:\n550 no such user\n\n  B@y.test\n    mailbox full\n";
        let found = recipients(told, &["me@z.test".into()]);
        assert_eq!(found.len(), 2);
        assert!(found[0].1.contains("no such user") && !found[0].1.contains("full"));
        assert_eq!(found[1].0, "b@y.test");
        let inline = recipients(
            "Your mail to me@z.test and a@x.test failed, says postmaster@x.test.",
            &["me@z.test".into()],
        );
        assert_eq!(inline[0].0, "a@x.test");
    }
}
