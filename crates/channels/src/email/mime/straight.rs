//! Messages whose outline is broken, made such that the parser finds header, body and parts.

use std::borrow::Cow;

use mail_parser::{Message, MimeHeaders, PartType};

/// Octets of a boundary that a message may really have (RFC 2046 allows 70).
const BOUNDARY: usize = 200;

/// Without what a mail store put above the header, with lines that end as they should, and with the blank line that
/// ends the header.
pub(super) fn straighten(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut rest = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    loop {
        let (line, after) = next_line(rest);
        // RFC 4155: `From sender date`, before the header.
        let store = line.starts_with(b"From ") || line.starts_with(b">From ");
        if after.is_empty() || !(store || line.trim_ascii().is_empty()) {
            break;
        }
        rest = after;
    }
    if !rest.contains(&b'\n') && rest.contains(&b'\r') {
        let lines: Vec<u8> = rest.iter().map(|b| if *b == b'\r' { b'\n' } else { *b }).collect();
        return Cow::Owned(
            end_of_header(&lines).map_or_else(|| lines.clone(), |at| with_blank_line(&lines, at)),
        );
    }
    match end_of_header(rest) {
        Some(at) => Cow::Owned(with_blank_line(rest, at)),
        None => Cow::Borrowed(rest),
    }
}

/// Where the header ends: behind its last line.
pub(super) fn head_end(raw: &[u8]) -> usize {
    let mut rest = raw;
    while !rest.is_empty() {
        let (line, after) = next_line(rest);
        if line.is_empty() {
            break;
        }
        rest = after;
    }
    raw.len() - rest.len()
}

/// Where the body begins though no blank line says so: a line that is no field and has none after it. A line that is
/// none between fields was only torn off; the parser skips it.
fn end_of_header(raw: &[u8]) -> Option<usize> {
    let (mut rest, mut fields) = (raw, 0);
    while !rest.is_empty() {
        let (line, after) = next_line(rest);
        if line.is_empty() {
            return None;
        }
        if is_field(line) {
            fields += 1;
        } else if !line.starts_with(b" ") && !line.starts_with(b"\t") && fields > 0 {
            let (next, _) = next_line(after);
            if !is_field(next) && !next.starts_with(b" ") && !next.starts_with(b"\t") {
                return Some(raw.len() - rest.len());
            }
        }
        rest = after;
    }
    None
}

fn with_blank_line(raw: &[u8], at: usize) -> Vec<u8> {
    [&raw[..at], b"\r\n", &raw[at..]].concat()
}

/// `Name: value` (RFC 5322 section 2.2), a space before the colon forgiven.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = line.iter().take(128).position(|b| *b == b':') else { return false };
    let name = line[..colon].trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// A line without its end, and what follows it.
fn next_line(raw: &[u8]) -> (&[u8], &[u8]) {
    let (line, after) = match raw.iter().position(|b| *b == b'\n') {
        Some(at) => (&raw[..at], &raw[at + 1..]),
        None => (raw, &raw[raw.len()..]),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), after)
}

/// The message with the boundary that stands before its parts, where it names another one or none.
pub(super) fn with_true_boundary(raw: &[u8], message: &Message<'_>) -> Option<Vec<u8>> {
    let root = message.parts.first()?;
    let kind = root.content_type().filter(|kind| kind.ctype().eq_ignore_ascii_case("multipart"))?;
    if matches!(&root.body, PartType::Multipart(parts) if !parts.is_empty()) {
        return None;
    }
    let end = head_end(raw);
    let mut rest = &raw[end..];
    while !rest.is_empty() {
        let (line, after) = next_line(rest);
        let boundary = line
            .strip_prefix(b"--")
            .map(<[u8]>::trim_ascii_end)
            .filter(|of| (1..BOUNDARY).contains(&of.len()));
        let (next, _) = next_line(after);
        if let Some(boundary) =
            boundary.filter(|_| next.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"content-")))
        {
            let boundary = std::str::from_utf8(boundary).ok().filter(|of| !of.contains(['"', '\\']))?;
            let subtype = kind.subtype().unwrap_or("mixed");
            // Of two such fields the parser takes the last.
            let field = format!("Content-Type: multipart/{subtype}; boundary=\"{boundary}\"\r\n");
            return Some([&raw[..end], field.as_bytes(), &raw[end..]].concat());
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: &str) {
        assert_eq!(String::from_utf8_lossy(&straighten(raw.as_bytes())), expected);
    }

    #[test]
    fn what_is_above_the_header_goes() {
        check("From a@x.test Tue Mar 3\n\r\nSubject: a\n\nb", "Subject: a\n\nb");
        check("\u{feff}\n\nSubject: a\n\nb", "Subject: a\n\nb");
        check("\n\n", "\n");
    }

    #[test]
    fn the_blank_line_is_found_again() {
        check("A: b\nSubject: c\nHello, I am text\n", "A: b\nSubject: c\n\r\nHello, I am text\n");
        check("A: b\ntorn off\nC: d\n\ne", "A: b\ntorn off\nC: d\n\ne");
        check("A: b\r\rtext", "A: b\n\ntext");
        check("just some words", "just some words");
    }

    #[test]
    fn the_header_ends_at_the_blank_line() {
        assert_eq!(head_end(b"A: b\r\n\r\nc"), 6);
        assert_eq!(head_end(b"\nc"), 0);
        assert_eq!(head_end(b"A: b"), 4);
    }
}
