//! What stands in a mail that leaves, in two forms that say the same: plain text, and HTML by a template.
//!
//! ```text
//! what was written ── signature ── how what is answered began, quoted
//! ```

use std::fmt::Write as _;

use super::compose::one_line;

/// How a mailbox's mails look.
#[derive(Clone, Debug, Default)]
pub struct Letterhead {
    pub template: Template,
    pub sign_with: SignWith,
    /// Before what is quoted, with `{date}` and `{address}`; none: nothing is quoted.
    pub quote_intro: Option<String>,
    /// Each signs.
    pub dkim: Vec<super::DkimSigner>,
    /// Before the path under which customers unsubscribe; none: they do by mail only.
    pub public_url: Option<String>,
}

/// How an agent's mails are signed, above the business's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SignWith {
    #[default]
    Name,
    Initials,
    Nothing,
}

/// Where a part of the letter goes in the HTML.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    Text,
    Signature,
    Quote,
    Unsubscribe,
}

/// HTML with places for what was written (`{{text}}`), who signs (`{{signature}}`), what is answered (`{{quote}}`), and how
/// to unsubscribe, where that is offered (`{{unsubscribe}}`). What goes there is HTML already, and harmless.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template(Vec<(String, Option<Slot>)>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("a mail's template has no place {{{{{0}}}}}; it knows text, signature, quote and unsubscribe")]
    UnknownPlace(String),
    #[error("a mail's template ends within a place: `{{{{` without `}}}}`")]
    Open,
    #[error("a mail's template needs {{{{text}}}}, once")]
    Text,
}

const DEFAULT: &str = r#"<!DOCTYPE html>
<html>
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>
<body style="margin:0;padding:12px;font:15px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;color:#1a1a1a">
{{text}}
{{signature}}
{{quote}}
{{unsubscribe}}
</body>
</html>
"#;

impl Default for Template {
    fn default() -> Self {
        // Checked by a test; a letter without its template is still the text.
        Template::parse(DEFAULT).unwrap_or_else(|_| Template(vec![(String::new(), Some(Slot::Text))]))
    }
}

impl Template {
    /// # Errors
    /// When it names a place that there is not, or has not exactly one for the text.
    pub fn parse(html: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = html;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after.split_once("}}").ok_or(TemplateError::Open)?;
            let slot = match name.trim() {
                "text" => Slot::Text,
                "signature" => Slot::Signature,
                "quote" => Slot::Quote,
                "unsubscribe" => Slot::Unsubscribe,
                other => return Err(TemplateError::UnknownPlace(one_line(other))),
            };
            pieces.push((before.to_owned(), Some(slot)));
            rest = behind;
        }
        pieces.push((rest.to_owned(), None));
        let texts = pieces.iter().filter(|(_, slot)| *slot == Some(Slot::Text)).count();
        if texts == 1 { Ok(Template(pieces)) } else { Err(TemplateError::Text) }
    }

    fn fill(&self, part: impl Fn(Slot) -> String) -> String {
        let mut html = String::new();
        for (before, slot) in &self.0 {
            html.push_str(before);
            if let Some(slot) = slot {
                html.push_str(&part(*slot));
            }
        }
        html
    }
}

/// The parts of one mail.
#[derive(Debug, Default)]
pub(super) struct Letter {
    /// With line feeds alone.
    pub(super) text: String,
    /// A line each: the agent, the business.
    pub(super) signature: Vec<String>,
    /// What introduces the quote, and the quote.
    pub(super) quote: Option<(String, String)>,
    pub(super) unsubscribe: Option<String>,
}

impl Letter {
    /// The signature stands below `-- `, with its space (RFC 3676 section 4.3): programs leave out what follows when they quote.
    pub(super) fn plain(&self) -> String {
        let mut plain = self.text.clone();
        if !self.signature.is_empty() {
            _ = write!(plain, "\n\n-- \n{}", self.signature.join("\n"));
        }
        if let Some(url) = &self.unsubscribe {
            _ = write!(plain, "\n\n{url}");
        }
        if let Some((intro, quote)) = &self.quote {
            _ = write!(plain, "\n\n{intro}");
            for line in quote.lines() {
                plain.push_str(if line.is_empty() { "\n>" } else { "\n> " });
                plain.push_str(line);
            }
        }
        plain.replace('\n', "\r\n")
    }

    pub(super) fn html(&self, template: &Template) -> String {
        let html = template.fill(|slot| match slot {
            Slot::Text => format!("<div dir=\"auto\">{}</div>", lines(&self.text)),
            Slot::Signature if self.signature.is_empty() => String::new(),
            Slot::Signature => format!(
                "<div dir=\"auto\" style=\"margin-top:1.5em;color:#666\">-- <br>{}</div>",
                lines(&self.signature.join("\n"))
            ),
            Slot::Quote => self.quote.as_ref().map_or(String::new(), |(intro, quote)| {
                format!(
                    "<div style=\"margin-top:1.5em;color:#666\" dir=\"auto\">{}</div>\n<blockquote type=\"cite\" \
                     style=\"margin:0 0 0 .8ex;padding-left:1ex;border-left:1px solid #ccc\" dir=\"auto\">{}</blockquote>",
                    escaped(intro),
                    lines(quote)
                )
            }),
            Slot::Unsubscribe => self.unsubscribe.as_ref().map_or(String::new(), |url| {
                format!("<p style=\"color:#666\"><a href=\"{0}\">{0}</a></p>", escaped(url))
            }),
        });
        html.replace("\r\n", "\n").replace('\n', "\r\n")
    }
}

/// A person's initials: `A. B.` of `Ann Berg`. Of a name in one word, its first letter.
pub(super) fn initials(name: &str) -> String {
    let letters = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let initials: Vec<String> = letters.map(|first| format!("{}.", first.to_uppercase())).collect();
    initials.join(" ")
}

/// Text as HTML: nothing of it is markup, its lines stay, and its addresses can be followed.
fn lines(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let words = line.split_inclusive(' ').map(|word| {
            let bare = word.trim_end_matches(|c: char| " .,;:!?)]}>\"'".contains(c));
            let is_address = ["https://", "http://"].iter().any(|start| {
                bare.strip_prefix(start).is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric()))
            });
            match is_address {
                true => {
                    let (url, rest) = (escaped(bare), escaped(&word[bare.len()..]));
                    format!("<a href=\"{url}\">{url}</a>{rest}")
                }
                false => escaped(word),
            }
        });
        let line: String = words.collect();
        // Runs of spaces would be one.
        line.replace("  ", " &nbsp;").replace('\t', " &nbsp; &nbsp;")
    });
    lines.collect::<Vec<_>>().join("<br>\n")
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c if c.is_control() && !matches!(c, '\t' | '\n') => {}
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_template_has_every_place() {
        let Template(pieces) = Template::parse(DEFAULT).unwrap();
        let slots: Vec<Slot> = pieces.into_iter().filter_map(|(_, slot)| slot).collect();
        assert_eq!(slots, [Slot::Text, Slot::Signature, Slot::Quote, Slot::Unsubscribe]);
    }

    #[test]
    fn a_template_that_would_lose_the_text_is_none() {
        assert_eq!(Template::parse("<p>{{ txt }}</p>"), Err(TemplateError::UnknownPlace("txt".into())));
        assert_eq!(Template::parse("<p>{{text</p>"), Err(TemplateError::Open));
        for html in ["", "<p>hello</p>", "{{text}}{{text}}"] {
            assert_eq!(Template::parse(html), Err(TemplateError::Text), "{html}");
        }
        let message = Template::parse("{{x}}").unwrap_err().to_string();
        assert!(message.contains("no place {{x}}"), "{message}");
    }

    #[test]
    fn nothing_that_is_written_becomes_markup() {
        let letter = Letter {
            text: "<script>alert('x')</script> & see https://x.test/?a=1&b=\"2\".\n  two spaces".into(),
            signature: vec!["Ann <b>Berg</b>".into()],
            quote: Some(("On <i>x</i>:".into(), "</blockquote><img src=x>".into())),
            unsubscribe: None,
        };
        let html = letter.html(&Template::default());
        for tag in ["<script", "<b>", "<i>", "<img"] {
            assert!(!html.contains(tag), "{tag} in {html}");
        }
        assert!(html.contains("<a href=\"https://x.test/?a=1&amp;b=&quot;2\">"), "{html}");
        assert_eq!(html.matches("</blockquote>").count(), 1);
        assert!(html.contains("<br>\r\n &nbsp;two spaces"), "{html}");
    }

    #[test]
    fn initials_of_all_kinds_of_names() {
        for (name, short) in [
            ("Ann Berg", "A. B."),
            ("ann", "A."),
            ("José María de la Cruz", "J. M. D. L. C."),
            ("李 雷", "李. 雷."),
            ("", ""),
        ] {
            assert_eq!(initials(name), short);
        }
    }
}
