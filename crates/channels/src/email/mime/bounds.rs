//! What a message may cost to read. The MIME parser trusts its input: it recurses once per message inside an
//! encoded message, and it searches the whole rest for every boundary it is promised. Mail that would make it
//! overflow its stack or run for minutes is recognised here first, and kept unread.

use std::sync::LazyLock;

use mail_parser::decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode};
use mail_parser::{GetHeader, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// Multiparts in one message; each may cost one search through the rest of it.
const MULTIPARTS: usize = 256;
/// Messages inside messages.
const NESTING: usize = 32;
/// Octets of a boundary. RFC 2046 allows 70.
const BOUNDARY: usize = 256;
/// Encoded messages inside encoded messages.
const ENCODINGS: usize = 3;
/// Octets of an encoded message that need not be looked into.
const UNREADABLE: usize = 4096;

/// Parses what is looked at, and only that: half the fields of a header are traces of its way.
pub(super) static PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    let ids = ["Message-ID", "In-Reply-To", "References"];
    let parser =
        ["From", "Sender", "To", "Cc"].into_iter().fold(MessageParser::new(), MessageParser::header_address);
    ids.into_iter()
        .fold(parser, MessageParser::header_id)
        .with_mime_headers()
        .header_text(HeaderName::ContentTransferEncoding)
        .header_text(HeaderName::Subject)
        .header_date(HeaderName::Date)
        .default_header_ignore()
});

const FAILED: &str = "reading it failed";
const TOO_DEEP: &str = "it nests too deeply";

/// Reads a message that is within bounds; otherwise says why not.
pub(super) fn parse(raw: &[u8]) -> Result<Message<'_>, &'static str> {
    let parsed = fenced(|| {
        check(raw, ENCODINGS)?;
        PARSER.parse(raw).ok_or("it has no header")
    });
    // With debug assertions, the parser also stops at structures that it otherwise reads as far as they go.
    parsed.map_err(|reason| if reason == FAILED { "its parts are damaged" } else { reason })
}

/// The parser is careful but not ours, and mail comes from anyone: a panic over a message costs it its reading,
/// nothing else.
pub(in crate::email) fn fenced<T>(read: impl FnOnce() -> Result<T, &'static str>) -> Result<T, &'static str> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or(Err(FAILED))
}

fn check(raw: &[u8], encodings: usize) -> Result<(), &'static str> {
    let words = Words::of(raw);
    if words.multiparts > MULTIPARTS {
        return Err("it has too many parts");
    }
    let (mut continued, mut too_long) = (0, false);
    for at in words.boundaries {
        let value = &raw[at + b"boundary".len()..];
        continued += usize::from(value.first() == Some(&b'*'));
        let mut within = value.iter().take(BOUNDARY + 8);
        // A boundary ends with its quote, its line, or the next attribute.
        too_long |= value.first() == Some(&b'=')
            && value.len() > BOUNDARY + 8
            && !within.by_ref().skip(2).any(|b| matches!(b, b'"' | b'\n' | b';'));
    }
    if too_long || continued > 8 {
        return Err("it has an endless boundary");
    }
    // Only these types hold messages; nothing else makes the parser nest.
    if words.nests { check_nesting(raw, encodings) } else { Ok(()) }
}

/// Reads the structure alone, nothing decoded, and takes it apart without recursion.
fn check_nesting(raw: &[u8], encodings: usize) -> Result<(), &'static str> {
    // Read as what it is not, an encoding is never applied.
    let structure = MessageParser::new()
        .header_content_type(HeaderName::ContentType)
        .header_content_type(HeaderName::ContentTransferEncoding);
    let mut open: Vec<_> = structure.parse(raw).map(|message| (message, 0)).into_iter().collect();
    let mut verdict = Ok(());
    while let Some((message, depth)) = open.pop() {
        if depth > NESTING {
            verdict = Err(TOO_DEEP);
        }
        for part in message.parts {
            if verdict.is_ok() && part.content_type().is_none_or(|kind| kind.ctype() == "message") {
                verdict = check_encoded(&part, raw, encodings);
            }
            if let PartType::Message(inner) = part.body {
                open.push((inner, depth + 1));
            }
        }
    }
    verdict
}

/// Looks into a part that is a message in base64 or quoted-printable. What claims to be one, is large and cannot
/// be decoded here might still be decoded by the parser.
fn check_encoded(part: &MessagePart<'_>, raw: &[u8], encodings: usize) -> Result<(), &'static str> {
    let encoding =
        part.headers.header_value(&HeaderName::ContentTransferEncoding).and_then(|of| of.as_content_type());
    let Some(encoding) = encoding.filter(|of| !["7bit", "8bit", "binary"].contains(&of.ctype())) else {
        return Ok(());
    };
    let body = raw.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
    let before_boundary = body.windows(3).position(|w| w == b"\n--").map_or(body, |end| &body[..end]);
    let base64 = base64_decode(before_boundary);
    if base64.is_none() && encoding.ctype() != "quoted-printable" && body.len() > UNREADABLE {
        return Err("a message in it cannot be decoded");
    }
    for inner in [base64, quoted_printable_decode(body)].into_iter().flatten() {
        match encodings.checked_sub(1) {
            Some(left) => check(&inner, left)?,
            None => return Err(TOO_DEEP),
        }
    }
    Ok(())
}

/// The words of a message by which it could cost much, whatever their case; all found in one pass.
#[derive(Default)]
struct Words {
    multiparts: usize,
    boundaries: Vec<usize>,
    nests: bool,
}

impl Words {
    fn of(raw: &[u8]) -> Self {
        // By two letters, whatever their case: hardly any pair needs a closer look.
        const LETTERS: usize = 0x1f;
        let mut look = [false; 1024];
        for pair in [b"mu", b"bo", b"rf", b"gl", b"di"] {
            look[(usize::from(pair[0]) & LETTERS) << 5 | usize::from(pair[1]) & LETTERS] = true;
        }
        let mut words = Words::default();
        for (at, pair) in raw.windows(2).enumerate() {
            if !look[(usize::from(pair[0]) & LETTERS) << 5 | usize::from(pair[1]) & LETTERS] {
                continue;
            }
            let is = |word: &[u8]| {
                raw[at..].get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
            };
            match [pair[0] | 0x20, pair[1] | 0x20] {
                [b'm', b'u'] => words.multiparts += usize::from(is(b"multipart")),
                [b'b', b'o'] if is(b"boundary") => words.boundaries.push(at),
                [b'r', b'f'] => words.nests |= is(b"rfc822"),
                [b'g', b'l'] => words.nests |= is(b"global"),
                [b'd', b'i'] => words.nests |= is(b"digest"),
                _ => {}
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_messages_is_refused_not_followed() {
        let chain = b"Content-Type: message/rfc822\n\n".repeat(20_000);
        assert_eq!(parse(&chain).err(), Some("it nests too deeply"));
        let base64 = data_encoding::BASE64.encode(&chain);
        for encoding in ["base64", " BASE64 ", "=?utf-8?q?base64?=", "(comment) base64"] {
            let encoded =
                format!("Content-Type: message/rfc822\nContent-Transfer-Encoding:{encoding}\n\n{base64}");
            assert!(parse(encoded.as_bytes()).is_err(), "{encoding}");
        }
        let quoted = format!(
            "Content-Type: message/global\nContent-Transfer-Encoding: quoted-printable\n\n{}",
            String::from_utf8_lossy(&chain)
        );
        assert_eq!(parse(quoted.as_bytes()).err(), Some("it nests too deeply"));
        let small = "From: a@x.test\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\
            Content-Transfer-Encoding: base64\n\nRnJvbTogYkB4LnRlc3QKCmhlbGxv\n--b--\n";
        assert!(parse(small.as_bytes()).is_ok());
    }

    #[test]
    fn a_forward_within_a_forward_is_read() {
        let mut mail = b"From: a@x.test\nSubject: innermost\n\nhello\n".to_vec();
        for _ in 0..5 {
            mail = [&b"From: a@x.test\nContent-Type: message/rfc822\n\n"[..], &mail].concat();
        }
        assert!(parse(&mail).is_ok());
    }

    #[test]
    fn promised_boundaries_are_counted_and_measured() {
        let parts = b"Content-Type: multipart/mixed; boundary=never\n\n".repeat(10_000);
        assert_eq!(parse(&parts).err(), Some("it has too many parts"));
        let endless = [&b"Content-Type: multipart/mixed; boundary=\""[..], &b"-".repeat(100_000)].concat();
        assert_eq!(parse(&endless).err(), Some("it has an endless boundary"));
        let word = b"From: a@x.test\n\nThe boundary between us=fine.\n";
        assert!(parse(word).is_ok());
    }

    #[test]
    fn a_panic_of_the_parser_stays_inside() {
        assert_eq!(fenced::<()>(|| panic!("on purpose")), Err("reading it failed"));
    }
}
