//! The readable text of a message: its text parts in order, HTML turned into text where there is nothing else.

use std::borrow::Cow;
use std::ops::Range;

use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

use super::{charset, transfer};
use crate::email::html;

/// What a person reads.
#[derive(Debug, Default, PartialEq)]
pub(in crate::email) struct Body {
    /// Lines end in `\n`.
    pub(in crate::email) text: String,
    /// Where in it the markup says that history is introduced; see [`html::Readable`].
    pub(in crate::email) marks: Vec<Range<usize>>,
}

pub(in crate::email) fn body(message: &Message<'_>) -> Option<Body> {
    let parts = |ids: &[u32]| -> Vec<usize> { ids.iter().map(|id| *id as usize).collect() };
    gather(message, &parts(&message.text_body))
        .or_else(|| gather(message, &parts(&message.html_body)))
        .or_else(|| gather(message, &stray(message)))
}

/// Text that the parser put aside, because something about its part is broken.
fn stray(message: &Message<'_>) -> Vec<usize> {
    let texts = message.parts.iter().enumerate().filter(|(_, part)| {
        let kind = part.content_type();
        let text = kind.is_none_or(|kind| match kind.ctype() {
            "multipart" => true,
            "text" => matches!(kind.subtype(), None | Some("plain" | "html")),
            kind => kind.is_empty(),
        });
        // RFC 2045 section 5.2: a whole message of a type that is none is text.
        let untyped = message.parts.len() == 1 && kind.is_some_and(|kind| kind.subtype().is_none());
        let carried = part.attachment_name().is_some()
            || part.content_disposition().is_some_and(|how| how.is_attachment());
        text && !carried || untyped
    });
    texts.map(|(at, _)| at).take(1).collect()
}

fn gather(message: &Message<'_>, parts: &[usize]) -> Option<Body> {
    let mut body = Body::default();
    for part in parts.iter().filter_map(|at| message.parts.get(*at)) {
        let text = text_of(part, message.raw_message());
        let (text, marks) = match &part.body {
            PartType::Html(_) => {
                let readable = html::read(&text);
                (Cow::Owned(readable.text), readable.marks)
            }
            PartType::Text(_) => (clean(text), Vec::new()),
            PartType::Binary(bytes) if !bytes.contains(&0) => {
                (clean(charset::decode(None, bytes)), Vec::new())
            }
            _ => continue,
        };
        if text.trim().is_empty() {
            continue;
        }
        if body.text.is_empty() {
            body.text = text.into_owned();
            body.marks = marks;
            continue;
        }
        body.text.push('\n');
        let start = body.text.len();
        body.marks.extend(marks.into_iter().map(|mark| mark.start + start..mark.end + start));
        body.text.push_str(&text);
    }
    (!body.text.is_empty()).then_some(body)
}

/// A text part in its character set. The parser's own reading is taken where it is right.
pub(in crate::email) fn text_of<'a>(part: &'a MessagePart<'_>, raw: &'a [u8]) -> Cow<'a, str> {
    let (PartType::Text(text) | PartType::Html(text)) = &part.body else { return Cow::Borrowed("") };
    let label = part.content_type().and_then(|kind| kind.attribute("charset"));
    // Not a letter beyond ASCII, nor a shift to others.
    let ascii = text.is_ascii() && !text.as_bytes().contains(&0x1b);
    let sound = !part.is_encoding_problem && (ascii || !text.contains('\u{fffd}'));
    if sound && (ascii && label.is_none_or(charset::is_ascii_alike) || charset::is_plain(label)) {
        return Cow::Borrowed(text);
    }
    let encoded = raw.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
    let encoding = part.content_transfer_encoding();
    match transfer::decode(encoding, encoded) {
        Cow::Borrowed(bytes) => charset::decode(label, bytes),
        Cow::Owned(bytes) => Cow::Owned(charset::decode(label, &bytes).into_owned()),
    }
}

/// Lines end in `\n`, and nothing that steers a machine is left: stores and terminals take NULs and escapes ill.
fn clean(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.bytes().any(|b| b < b' ' && b != b'\n' && b != b'\t' || b == 0x7f) {
        return text;
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.bytes().position(|b| b < b' ' && b != b'\n' && b != b'\t' || b == 0x7f) {
        clean.push_str(&rest[..at]);
        if rest.as_bytes()[at] == b'\r' && rest.as_bytes().get(at + 1) != Some(&b'\n') {
            clean.push('\n');
        }
        rest = &rest[at + 1..];
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::super::Straight;
    use super::*;

    fn text(raw: &[u8]) -> String {
        let straight = Straight::of(raw);
        let parsed = straight.parse().unwrap_or_else(|reason| panic!("{reason}"));
        body(&parsed.message).unwrap_or_default().text
    }

    #[test]
    fn the_text_is_read_in_its_character_set() {
        assert_eq!(text(b"A: b\n\nForma\xe7\xe3o em Ver\xe3o"), "Formação em Verão");
        assert_eq!(text("A: b\nContent-Type: text/plain; charset=us-ascii\n\ngrüß".as_bytes()), "grüß");
        assert_eq!(text(b"A: b\nContent-Type: text/plain; charset=utf-7\n\n+ZYeB9A end"), "文致 end");
        assert_eq!(
            text(b"A: b\nContent-Type: text/html; charset=windows-1251\n\n<p>\xcf\xf0\xe8\xe2\xe5\xf2"),
            "Привет"
        );
        assert_eq!(
            text(b"A: b\nContent-Type: text/plain; charset=iso-2022-kr\n\n\x1b$)C\x0e>H3g\x0f"),
            "안녕"
        );
    }

    #[test]
    fn broken_encodings_lose_no_text() {
        let mixed = b"A: b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: text/plain\n\
            Content-Transfer-Encoding: quoted-printable\n\n50=% off =ZZ =41\n--c\nContent-Type: text/plain\n\
            Content-Transfer-Encoding: base64\n\naGVsbG8*=\n--c--\n";
        let text = text(mixed);
        assert!(text.contains("50=% off =ZZ A"), "{text}");
    }

    #[test]
    fn machines_are_not_steered() {
        assert_eq!(text(b"A: b\n\na\0b\x1b[31mc\rd\r\ne\x07"), "ab[31mc\nd\ne");
    }
}
