//! HTML mail as readable text: what a message is when it has no text part. Blocks become lines, block quotes
//! become `> ` lines, so that the new part is found the same way as in plain text. Nothing of the markup
//! survives.

use mail_parser::decoders::html::add_html_token;

/// Elements whose content is not for reading.
const HIDDEN: [&str; 6] = ["script", "style", "head", "title", "template", "svg"];
const PARAGRAPHS: [&str; 12] =
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "pre"];
const LINES: [&str; 14] = [
    "div", "tr", "li", "hr", "section", "article", "header", "footer", "address", "dt", "dd", "center",
    "form", "body",
];
/// A nesting of quotes beyond which no more marks are added.
const MAX_QUOTES: usize = 8;

/// The readable text. Lines end in `\n`.
pub(super) fn to_text(html: &str) -> String {
    let mut text = Text::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.write(&rest[..at]);
        rest = &rest[at..];
        rest = if let Some(after) = rest.strip_prefix("<!--") {
            after.split_once("-->").map_or("", |(_, after)| after)
        } else if let Some((tag, after)) = tag(rest) {
            let (closes, name) = name(tag);
            if !closes && !tag.ends_with('/') && HIDDEN.contains(&name.as_str()) {
                skip_past(after, &name)
            } else {
                text.element(&name, closes);
                after
            }
        } else {
            text.write("<");
            &rest[1..]
        };
    }
    text.write(rest);
    text.out
}

/// Splits `<tag …>rest`; None when the `<` opens no tag. A `>` inside a quoted attribute does not end it.
fn tag(text: &str) -> Option<(&str, &str)> {
    let inner = &text[1..];
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
        return None;
    }
    let mut quote = None;
    for (at, byte) in inner.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some((&inner[..at], &inner[at + 1..])),
            (None, b'"' | b'\'') if inner[..at].trim_end().ends_with('=') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    // Never closed: forget the quotes, or the rest of the mail would be lost.
    inner.find('>').map(|at| (&inner[..at], &inner[at + 1..]))
}

fn name(tag: &str) -> (bool, String) {
    let (closes, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
    let end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
    (closes, tag[..end].to_ascii_lowercase())
}

/// What follows the end of a hidden element; all of it when the element never ends.
fn skip_past<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        if rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return rest.find('>').map_or("", |end| &rest[end + 1..]);
        }
    }
    text
}

#[derive(Default)]
struct Text {
    out: String,
    quotes: usize,
    preformatted: usize,
    /// Line ends owed before the next character.
    line_ends: usize,
    space: bool,
    bullet: bool,
}

impl Text {
    fn element(&mut self, name: &str, closes: bool) {
        if PARAGRAPHS.contains(&name) {
            self.line_ends = self.line_ends.max(2);
        } else if LINES.contains(&name) {
            self.line_ends = self.line_ends.max(1);
        }
        match (name, closes) {
            ("br", _) => self.line_ends = (self.line_ends + 1).min(3),
            ("td" | "th", false) => self.space = true,
            ("li", _) => self.bullet = !closes,
            ("blockquote", false) => self.quotes += 1,
            ("blockquote", true) => self.quotes = self.quotes.saturating_sub(1),
            ("pre", false) => self.preformatted += 1,
            ("pre", true) => self.preformatted = self.preformatted.saturating_sub(1),
            _ => {}
        }
    }

    fn write(&mut self, mut text: &str) {
        while let Some(at) = text.find('&') {
            self.characters(&text[..at]);
            text = &text[at..];
            // The longest name of an entity has 31 letters.
            let end = text.bytes().take(34).position(|b| b == b';');
            let end = end.filter(|end| text[1..*end].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#'));
            let mut decoded = String::new();
            let end = end.map_or(1, |end| end + 1);
            add_html_token(&mut decoded, &text.as_bytes()[..end], false);
            self.characters(&decoded);
            text = &text[end..];
        }
        self.characters(text);
    }

    fn characters(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' if self.preformatted > 0 => self.line_ends += 1,
                ' ' | '\t' if self.preformatted > 0 && self.line_ends == 0 => self.out.push(c),
                // Zero-width characters only hide preview text.
                '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' => {}
                c if c.is_whitespace() || c.is_control() => self.space = true,
                c => {
                    self.place();
                    self.out.push(c);
                }
            }
        }
    }

    /// Brings line ends, marks and space before a character.
    fn place(&mut self) {
        let starts = self.out.is_empty();
        if starts || self.line_ends > 0 {
            let ends = if starts { 0 } else { self.line_ends };
            self.out.extend(std::iter::repeat_n('\n', ends));
            self.out.extend(std::iter::repeat_n("> ", self.quotes.min(MAX_QUOTES)));
            if std::mem::take(&mut self.bullet) {
                self.out.push_str("- ");
            }
        } else if self.space {
            self.out.push(' ');
        }
        (self.line_ends, self.space) = (0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_lines_and_markup_is_gone() {
        let html = "<html><head><title>no</title><style>p{}</style></head><body><p>Hello &amp; <b>good</b>\n day,</p>\
            <div>one<br>two</div><ul><li>a</li><li>b &lt;3</li></ul><script>alert('<p>')</script>\
            <table><tr><td>x</td><td>y</td></tr></table>1 < 2 &nosuch; &#8364;<!-- <p>no --></body></html>";
        assert_eq!(to_text(html), "Hello & good day,\n\none\ntwo\n\n- a\n- b <3\n\nx y\n\n1 < 2 &nosuch; €");
    }

    #[test]
    fn quotes_are_marked() {
        let html = "Yes.<blockquote>Will it?<blockquote><p>A question</p></blockquote>So?</blockquote>Bye";
        assert_eq!(to_text(html), "Yes.\n\n> Will it?\n\n> > A question\n\n> So?\n\nBye");
    }

    #[test]
    fn broken_markup_keeps_its_words() {
        assert_eq!(to_text("a <b"), "a <b");
        assert_eq!(to_text("<style>never closed"), "never closed");
        assert_eq!(to_text("<a title=\"x > y\">link</a> <p title=\"open>text</p>"), "link\n\ntext");
        assert_eq!(to_text("<!-- never closed"), "");
        assert_eq!(to_text(&"<blockquote>".repeat(100_000)), "");
        assert_eq!(to_text("<pre>a  b\n  c</pre>"), "a  b\nc");
    }
}
