//! What a message carries: kinds by what the bytes are, names that are never a path.

use mail_parser::{Message, MessagePart, MimeHeaders};

use super::head;
use crate::Attachment;
use crate::fact::media_kind;

/// Attachments of one message that are listed. The message is kept whole in any case.
const LISTED: usize = 256;
/// Letters of a file's name.
const NAME: usize = 160;

/// Everything that is not the message's text.
pub(in crate::email) fn attachments(message: &Message<'_>) -> Vec<Attachment> {
    message.attachments().filter(|part| !is_text_of(message, part)).map(attachment).take(LISTED).collect()
}

/// The HTML twin of a text part is not an attachment.
fn is_text_of(message: &Message<'_>, part: &MessagePart<'_>) -> bool {
    let is = |id: &u32| message.parts.get(*id as usize).is_some_and(|found| std::ptr::eq(found, part));
    part.is_text() && message.text_body.iter().chain(&message.html_body).any(is)
}

fn attachment(part: &MessagePart<'_>) -> Attachment {
    let declared = part.content_type().map(|kind| match kind.subtype() {
        Some(subtype) => format!("{}/{}", kind.ctype(), subtype).to_ascii_lowercase(),
        None => kind.ctype().to_ascii_lowercase(),
    });
    let content_type = truly(declared, part.contents());
    // A picture that may hold a script is a file.
    let kind = content_type.as_deref().filter(|kind| *kind != "image/svg+xml").map_or("file", media_kind);
    Attachment {
        kind: kind.into(),
        url: None,
        name: part.attachment_name().and_then(|name| file_name(&head::decode_value(name))),
        content_type,
        data: None,
    }
}

/// The type that the bytes show; what claims to be a picture, a sound or a film and is markup or a program, is not.
fn truly(declared: Option<String>, bytes: &[u8]) -> Option<String> {
    let media = declared.as_deref().is_some_and(|kind| media_kind(kind) != "file");
    let vague = declared
        .as_deref()
        .is_none_or(|kind| matches!(kind, "application/octet-stream" | "application/unknown"));
    match signature(bytes) {
        Some(found) if vague || media && media_kind(found) != declared.as_deref().map_or("", media_kind) => {
            Some(found.to_owned())
        }
        None if media && declared.as_deref() != Some("image/svg+xml") && is_markup(bytes) => {
            Some("application/octet-stream".to_owned())
        }
        _ => declared,
    }
}

fn is_markup(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"<")
}

/// The first octets of the formats that people send.
fn signature(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: [(&[u8], &str); 17] = [
        (b"%PDF-", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"PK\x03\x04", "application/zip"),
        (b"Rar!\x1a\x07", "application/vnd.rar"),
        (b"\x1f\x8b", "application/gzip"),
        (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
        (b"{\\rtf", "application/rtf"),
        (b"OggS", "audio/ogg"),
        (b"ID3", "audio/mpeg"),
        (b"fLaC", "audio/flac"),
        (b"MZ", "application/vnd.microsoft.portable-executable"),
        (b"\x7fELF", "application/x-executable"),
    ];
    if let Some((_, kind)) = SIGNATURES.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(kind);
    }
    match (bytes.get(..4)?, bytes.get(4..12)?) {
        (b"RIFF", inner) if inner.ends_with(b"WEBP") => Some("image/webp"),
        (b"RIFF", inner) if inner.ends_with(b"WAVE") => Some("audio/wav"),
        (_, [b'f', b't', b'y', b'p', b'h', b'e', b'i', b'c' | b'x']) => Some("image/heic"),
        (_, [b'f', b't', b'y', b'p', b'M', b'4', b'A', _]) => Some("audio/mp4"),
        (_, [b'f', b't', b'y', b'p', ..]) => Some("video/mp4"),
        _ => None,
    }
}

/// The last component of what the sender calls a file: never a path, never a name that shows its letters in another
/// order than it has them.
fn file_name(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let name: String = name.chars().filter(|c| !steers(*c)).collect();
    let name = name.trim();
    if name.trim_matches('.').is_empty() {
        return None;
    }
    let letters = name.chars().count();
    if letters <= NAME {
        return Some(name.to_owned());
    }
    // The end says what it is.
    let end = name.rsplit_once('.').map(|(_, end)| end).filter(|end| end.chars().count() <= 10);
    let start: String = name.chars().take(NAME).collect();
    Some(end.map_or_else(|| start.clone(), |end| format!("{start}.{end}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        for (name, expected) in [
            ("../../etc/passwd", Some("passwd")),
            ("C:\\temp\\a.txt", Some("a.txt")),
            ("..", None),
            ("a/..", None),
            ("", None),
            ("in\u{202e}fdp.exe", Some("infdp.exe")),
            ("a\0b\r\n.txt", Some("ab.txt")),
        ] {
            assert_eq!(file_name(name).as_deref(), expected, "{name:?}");
        }
        let long = file_name(&format!("{}.pdf", "é".repeat(5_000))).unwrap();
        assert!(long.ends_with(".pdf") && long.chars().count() < 200);
    }

    #[test]
    fn bytes_say_what_they_are() {
        let kind = |declared: &str, bytes: &[u8]| truly(Some(declared.to_owned()), bytes).unwrap();
        assert_eq!(kind("application/octet-stream", b"%PDF-1.7"), "application/pdf");
        assert_eq!(kind("image/png", b"<script>"), "application/octet-stream");
        assert_eq!(kind("image/png", b"MZ\x90"), "application/vnd.microsoft.portable-executable");
        assert_eq!(kind("image/jpg", b"\xff\xd8\xff\xe0"), "image/jpg");
        assert_eq!(
            kind("application/vnd.oasis.opendocument.text", b"PK\x03\x04"),
            "application/vnd.oasis.opendocument.text"
        );
        assert_eq!(truly(None, b"\x89PNG\r\n\x1a\n1234"), Some("image/png".to_owned()));
    }
}
