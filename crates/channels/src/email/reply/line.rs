//! One line of a text, and what it looks like by itself.

use std::ops::Range;

/// A line without its end, and where it stands in the text, its end included.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) at: Range<usize>,
}

/// The lines of a text; together they are the text. A mail program may put an attribution behind the last line of
/// an answer (`bye--- On Monday, A wrote:`): `splits` says where, and it becomes a line of its own.
pub(super) fn lines<'a>(body: &'a str, splits: impl Fn(&'a str) -> Option<usize>) -> Vec<Line<'a>> {
    let mut lines = Vec::with_capacity(body.len() / 32);
    let mut start = 0;
    for whole in body.split_inclusive('\n') {
        let end = start + whole.len();
        let text = whole.trim_end_matches(['\n', '\r']);
        match splits(text) {
            Some(at) => {
                lines.push(Line { text: &text[..at], at: start..start + at });
                lines.push(Line { text: &text[at..], at: start + at..end });
            }
            None => lines.push(Line { text, at: start..end }),
        }
        start = end;
    }
    lines
}

impl Line<'_> {
    pub(super) fn is_blank(&self) -> bool {
        // What HTML and mail programs leave on lines that look empty.
        self.text
            .chars()
            .all(|c| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}'))
    }

    /// `> quoted`. A line that begins with `>From ` was quoted by a mail store (RFC 4155), not by a person.
    pub(super) fn is_quoted(&self) -> bool {
        let text = self.text.trim_start();
        (text.starts_with('>') || text.starts_with('＞')) && !text.starts_with(">From ")
    }

    /// Nothing but dashes and the like, three or more.
    pub(super) fn is_rule(&self) -> bool {
        let text = self.text.trim();
        text.len() >= 3
            && text.chars().all(|c| is_rule_char(c) || c == ' ')
            && text.chars().filter(|c| is_rule_char(*c)).take(3).count() == 3
    }

    pub(super) fn lower(&self) -> String {
        plain(self.text)
    }
}

pub(super) fn is_rule_char(c: char) -> bool {
    matches!(
        c,
        '-' | '_' | '=' | '*' | '~' | '#' | '+' | '·' | '‐' | '‑' | '–' | '—' | '─' | '━' | '＿' | 'ᐧ'
    )
}

/// Lower case, one space for any white space, without the marks that only steer how letters are shown.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    if text.is_ascii() {
        for word in text.split_ascii_whitespace() {
            if !plain.is_empty() {
                plain.push(' ');
            }
            plain.push_str(word);
        }
        plain.make_ascii_lowercase();
        return plain;
    }
    for c in text.chars() {
        match c {
            // Zero width, direction of writing, and the dot that lower case leaves of a Turkish İ.
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{ad}' => {}
            c if c.is_whitespace() => {
                if !plain.ends_with(' ') && !plain.is_empty() {
                    plain.push(' ');
                }
            }
            c => plain.extend(c.to_lowercase().filter(|c| *c != '\u{307}')),
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line<'_> {
        Line { text, at: 0..text.len() }
    }

    #[test]
    fn lines_are_the_text() {
        let body = "a\r\nb--- c\n\n d";
        let lines = lines(body, |text| text.find("---"));
        let texts: Vec<&str> = lines.iter().map(|line| line.text).collect();
        assert_eq!(texts, ["a", "b", "--- c", "", " d"]);
        let whole: String = lines.iter().map(|line| &body[line.at.clone()]).collect();
        assert_eq!(whole, body);
    }

    #[test]
    fn marks_are_recognised() {
        assert!(line("> a").is_quoted() && line("  >> a").is_quoted() && !line(">From here on").is_quoted());
        assert!(line("-----").is_rule() && line(" - - -").is_rule() && line("___").is_rule());
        assert!(!line("--").is_rule() && !line("- a -").is_rule() && !line("").is_rule());
        assert!(line("\u{a0}\u{200b}").is_blank());
    }

    #[test]
    fn plain_text_is_comparable() {
        assert_eq!(plain("  \u{200f}On\u{a0} \t3\u{202f}PM İ "), "on 3 pm i");
    }
}
