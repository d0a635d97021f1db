//! HTML mail as readable text: what a message is when it has no text part. Blocks become lines, block quotes
//! become `> ` lines, so that the new part is found the same way as in plain text. Where the markup of a mail program
//! says that history begins, the place in the text is kept. Nothing else of the markup survives.

use std::collections::HashSet;
use std::ops::Range;

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
/// Classes and ids of the elements that hold an attribution and nothing else: Gmail, Thunderbird, Airmail.
const ATTRIBUTIONS: [&str; 4] = ["gmail_attr", "moz-cite-prefix", "airmail_on", "moz-email-headers-table"];
/// Of those that hold history, or stand right above it: Outlook in its many forms, Yahoo, Proton, Zoho, Tutanota, GMX,
/// Thunderbird's forwards.
const HISTORIES: [&str; 12] = [
    "divrplyfwdmsg",
    "appendonsend",
    "olk_src_body_section",
    "mail-editor-reference-message-container",
    "ms-outlook-mobile-reference-message",
    "outlookmessageheader",
    "yahoo_quoted",
    "protonmail_quote",
    "zmail_extra",
    "tutanota_quote",
    "name=\"quote\"",
    "moz-forward-container",
];

/// Elements that may bear them.
const MARKED: [&str; 6] = ["div", "span", "table", "section", "blockquote", "p"];

/// The text of an HTML part. Lines end in `\n`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Readable {
    pub(super) text: String,
    /// Where in the text the markup says that an attribution stands, or, when empty, that history begins.
    pub(super) marks: Vec<Range<usize>>,
}

pub(super) fn read(html: &str) -> Readable {
    let mut text = Text { out: String::with_capacity(html.len() / 3), ..Text::default() };
    let mut endless = HashSet::new();
    let mut rest = html;
    // Behind the last `>` there is no tag: looking for the end of one would take the whole rest every time.
    let last = html.rfind('>').map_or(0, |last| html.len() - last);
    while let Some(at) = rest.find('<') {
        text.write(&rest[..at]);
        rest = &rest[at..];
        rest = if let Some(after) = rest.strip_prefix("<!--") {
            after.split_once("-->").map_or("", |(_, after)| after)
        } else if rest.len() < last || last == 0 {
            break;
        } else if let Some((tag, after)) = tag(rest) {
            let (closes, name) = name(tag);
            if !closes && !tag.ends_with('/') && HIDDEN.contains(&name.as_str()) {
                skip_past(after, name, &mut endless)
            } else {
                text.element(&name, closes, tag);
                after
            }
        } else {
            text.write("<");
            &rest[1..]
        };
    }
    text.write(rest);
    Readable { text: text.out, marks: text.marks }
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
fn skip_past<'a>(text: &'a str, name: String, endless: &mut HashSet<String>) -> &'a str {
    if endless.contains(&name) {
        return text;
    }
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        if rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(&name)) {
            return rest.find('>').map_or("", |end| &rest[end + 1..]);
        }
    }
    endless.insert(name);
    text
}

#[derive(Default)]
struct Text {
    out: String,
    marks: Vec<Range<usize>>,
    /// The element that an attribution stands in: its name, and how many of that name are open.
    attribution: Option<(String, usize)>,
    /// A mark is owed to the next character.
    marked: bool,
    quotes: usize,
    preformatted: usize,
    /// Line ends owed before the next character.
    line_ends: usize,
    space: bool,
    bullet: bool,
}

impl Text {
    fn element(&mut self, name: &str, closes: bool, tag: &str) {
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
        self.watch(name, closes, tag);
    }

    /// Keeps the places that mail programs mark as an attribution or as history.
    fn watch(&mut self, name: &str, closes: bool, tag: &str) {
        if let Some((_, open)) = self.attribution.as_mut().filter(|(of, _)| of == name) {
            *open = if closes { *open - 1 } else { *open + 1 };
            if *open == 0 {
                self.attribution = None;
                let empty = std::mem::take(&mut self.marked);
                if let Some(mark) = self.marks.last_mut().filter(|_| !empty) {
                    mark.end = self.out.len();
                }
            }
        } else if !closes && MARKED.contains(&name) && (name.len() + 4..4096).contains(&tag.len()) {
            let tag = tag.to_ascii_lowercase();
            if !["class", "id=", "name="].iter().any(|attribute| tag.contains(attribute)) {
                return;
            }
            if ATTRIBUTIONS.iter().any(|class| tag.contains(class)) && self.attribution.is_none() {
                self.attribution = Some((name.to_owned(), 1));
                self.marked = true;
            } else if HISTORIES.iter().any(|class| tag.contains(class)) {
                self.marked = true;
            }
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

    fn characters(&mut self, mut text: &str) {
        while let Some(first) = text.bytes().next() {
            // Words as they are, in one go.
            let word = text.bytes().position(|b| !b.is_ascii_graphic()).unwrap_or(text.len());
            if word > 0 {
                self.place();
                self.out.push_str(&text[..word]);
                text = &text[word..];
                continue;
            }
            let c = if first.is_ascii() { char::from(first) } else { text.chars().next().unwrap_or(' ') };
            text = &text[c.len_utf8()..];
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
        if starts || self.line_ends > 0 || self.marked {
            let ends = if starts { 0 } else { self.line_ends.max(1) };
            self.out.extend(std::iter::repeat_n('\n', ends));
            if std::mem::take(&mut self.marked) {
                self.marks.push(self.out.len()..self.out.len());
            }
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
    use crate::email::reply;

    fn to_text(html: &str) -> String {
        read(html).text
    }

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

    fn new_part(html: &str) -> String {
        let readable = read(html);
        reply::new_part(&readable.text, &readable.marks)
    }

    #[test]
    fn mail_programs_mark_what_they_quote() {
        for history in [
            "<div class=\"gmail_quote\"><div dir=\"ltr\" class=\"gmail_attr\">Ymlu Ana &lt;a@x.test&gt; xyz<br></div>\
                <blockquote class=\"gmail_quote\">old</blockquote></div>",
            "<div class=\"moz-cite-prefix\">Ana xyz<br></div><blockquote type=\"cite\">old<br></blockquote>",
            "<hr><div id=\"divRplyFwdMsg\"><b>Xyz:</b> Ana<br></div><div>old</div>",
            "<div id=\"appendonsend\"></div><hr><div>Xyz<br>old</div>",
            "<div id=\"ydp1yahoo_quoted_2\" class=\"yahoo_quoted\"><div>Ana xyz:</div><div>old</div></div>",
            "<div class=\"protonmail_quote\">Xyz<br><blockquote>old</blockquote></div>",
            "<div style=\"border:none;border-top:solid #E1E1E1 1.0pt\"><p><b>From:</b> Ana<br><b>Sent:</b> now<br>\
                <b>Subject:</b> b</p></div><p>old</p>",
            "<br><blockquote type=\"cite\"><div>On 3 Mar 2026, Ana wrote:</div>old</blockquote>",
        ] {
            assert_eq!(new_part(&format!("<div>Answer.</div>{history}")), "Answer.", "{history}");
        }
    }

    #[test]
    fn an_answer_inside_of_a_quote_is_found() {
        let html = "<div class=\"gmail_quote\"><div class=\"gmail_attr\">Ana xyz:</div><blockquote>When?</blockquote>\
            <div>Now.</div><blockquote>Where?</blockquote><div>Here.</div></div>";
        assert_eq!(new_part(html), "> When?\n\nNow.\n\n> Where?\n\nHere.");
    }

    #[test]
    fn endless_markup_takes_no_endless_time() {
        for piece in
            ["<a ", "<a b=\"", "<style>", "<!-", "<div class=\"gmail_attr\">", "<", "&", "</", "<pre>"]
        {
            let html = format!("x{}", piece.repeat(300_000));
            assert!(to_text(&html).starts_with('x'), "{piece}");
        }
    }
}
