//! Large attachments, left out before a message is parsed: of what a person does not read, its first bytes tell what it is,
//! and the message is kept whole beside its reading. So a mail of 25 MB costs little more than its own length to read.

/// Messages that are no longer are read as they are.
const LARGE: usize = 256 * 1024;
/// What is left of an attachment, in octets as they were sent.
const KEPT: usize = 64 * 1024;
/// Octets of a part's header that are looked at.
const HEADER: usize = 16 * 1024;

/// The message without the most of its large attachments; none where there are no such.
pub(super) fn hollow(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() <= LARGE {
        return None;
    }
    let (mut out, mut copied) = (Vec::new(), 0);
    let (mut header, mut body) = (Some(0), false);
    let mut at = 0;
    while at < raw.len() {
        if body {
            body = false;
            let end = encoded_end(raw, at);
            if end - at > KEPT {
                let kept = raw[..at + KEPT].iter().rposition(|b| *b == b'\n').map_or(at, |line| line + 1);
                out.extend_from_slice(&raw[copied..kept.max(at)]);
                copied = end;
                at = end;
                continue;
            }
        }
        let end = line_end(raw, at);
        let line = raw[at..end].trim_ascii_end();
        if line.starts_with(b"--") {
            header = Some(end);
        } else if line.is_empty() {
            body = header.take().is_some_and(|start| is_unread(&raw[start..at]));
        }
        at = end;
    }
    (copied > 0).then(|| {
        out.extend_from_slice(&raw[copied..]);
        out
    })
}

fn line_end(raw: &[u8], at: usize) -> usize {
    raw[at..].iter().position(|b| *b == b'\n').map_or(raw.len(), |found| at + found + 1)
}

/// Behind the last of the lines from here on that hold base64, and whole groups of it.
fn encoded_end(raw: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < raw.len() {
        let end = line_end(raw, at);
        let line = raw[at..end].trim_ascii_end();
        let is_encoded = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
        if line.is_empty() || !line.len().is_multiple_of(4) || !line.iter().all(is_encoded) {
            break;
        }
        at = end;
    }
    at
}

/// Whether the part below this header is an attachment in base64 that holds no text, no message and no parts.
fn is_unread(header: &[u8]) -> bool {
    let lower = header[..header.len().min(HEADER)].to_ascii_lowercase();
    let lower = String::from_utf8_lossy(&lower);
    let value = |name: &str| {
        let mut values =
            lower.lines().filter_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
        // Of two such fields it is not clear which one counts.
        values.next().map(str::trim).filter(|_| values.next().is_none())
    };
    let kinds = ["application/", "image/", "audio/", "video/", "font/"];
    value("content-transfer-encoding") == Some("base64")
        && value("content-type").is_some_and(|kind| kinds.iter().any(|known| kind.starts_with(known)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::email::normalize;

    fn mail(kind: &str, lines: usize) -> Vec<u8> {
        let head = "From: a@x.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee there.\r\n--b\r\n";
        let part = format!("Content-Type: {kind}; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        let body = format!("{}\r\n", "JVBE".repeat(19)).repeat(lines);
        format!("{head}{part}{body}--b\r\nContent-Type: text/plain\r\n\r\nAnd here.\r\n--b--\r\n")
            .into_bytes()
    }

    #[test]
    fn large_attachments_are_left_out_and_nothing_that_is_read() {
        let whole = mail("application/pdf", 20_000);
        let hollowed = hollow(&whole).unwrap();
        assert!(hollowed.len() < 70_000, "{}", hollowed.len());
        let read = |raw: &[u8]| {
            let mut fact = normalize(Some("email"), raw, None).unwrap().remove(0);
            // A digest of the whole, as it has no Message-ID.
            fact.external_id = None;
            fact
        };
        assert_eq!(read(&whole), read(&mail("application/pdf", 20)));
        assert_eq!(read(&whole).attachments.len(), 1);
        assert_eq!(read(&whole).mail.unwrap().body.as_deref(), Some("See there.\nAnd here."));
    }

    #[test]
    fn what_may_be_read_stays_whole() {
        for kind in ["text/plain", "message/rfc822", "multipart/mixed", "application-x"] {
            assert!(hollow(&mail(kind, 20_000)).is_none(), "{kind}");
        }
        assert!(hollow(&mail("application/pdf", 100)).is_none(), "it is small");
        let text = [&b"From: a@x.test\r\n\r\n"[..], &b"words and more words\r\n".repeat(20_000)].concat();
        assert!(hollow(&text).is_none());
        let said_twice = mail("text/plain\r\nContent-Type: application/pdf", 20_000);
        assert!(hollow(&said_twice).is_none());
    }
}
