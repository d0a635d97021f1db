//! From bytes to text: by the character set that a mail names, and where that cannot be, by what the bytes are.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{EUC_KR, Encoding, GBK, UTF_8, WINDOWS_1252};
use mail_parser::decoders::charsets::map::charset_decoder;

/// Bytes that are looked at to tell which character set they are in.
const SAMPLE: usize = 16 * 1024;

/// The text, whatever the bytes are.
pub(in crate::email) fn decode<'a>(label: Option<&str>, bytes: &'a [u8]) -> Cow<'a, str> {
    let label = label.map(|label| {
        label.trim_matches(|c: char| c.is_whitespace() || "\"'".contains(c)).to_ascii_lowercase()
    });
    match label.as_deref().map(charset) {
        Some(Charset::Known(encoding)) if encoding != UTF_8 && encoding != WINDOWS_1252 => {
            encoding.decode(bytes).0
        }
        Some(Charset::Own(decoder)) => Cow::Owned(decoder(bytes)),
        // Bytes that are good UTF-8 are hardly ever anything else, even where they claim to be Latin.
        named => match (std::str::from_utf8(bytes), named) {
            // Japanese in seven bits, under no name.
            (Ok(text), _) if text.contains("\u{1b}$") => detect(bytes).decode(bytes).0,
            (Ok(text), _) => Cow::Borrowed(text),
            (_, Some(Charset::Known(encoding))) if encoding == WINDOWS_1252 => encoding.decode(bytes).0,
            (_, Some(Charset::Known(_))) => damaged_utf8(bytes),
            _ => detect(bytes).decode(bytes).0,
        },
    }
}

/// Whether the mail parser's own reading of this character set is right.
pub(in crate::email) fn is_plain(label: Option<&str>) -> bool {
    label.is_some_and(|label| match charset(&label.to_ascii_lowercase()) {
        Charset::Known(encoding) => encoding != WINDOWS_1252,
        Charset::Own(_) | Charset::None => false,
    })
}

/// Whether seven-bit text in this character set is what it looks like.
pub(in crate::email) fn is_ascii_alike(label: &str) -> bool {
    !matches!(charset(&label.to_ascii_lowercase()), Charset::Own(_))
        && !label.to_ascii_lowercase().contains("2022")
}

enum Charset {
    Known(&'static Encoding),
    /// What the web does not know.
    Own(fn(&[u8]) -> String),
    None,
}

/// `label` is in lower case.
fn charset(label: &str) -> Charset {
    let own: Option<fn(&[u8]) -> String> = match label {
        "utf-7" | "utf7" | "unicode-1-1-utf-7" | "x-unicode-1-1-utf-7" => Some(utf7),
        "iso-2022-kr" | "iso2022-kr" | "iso2022kr" | "csiso2022kr" => Some(iso_2022_kr),
        "hz-gb-2312" | "hz" => Some(hz),
        _ => None,
    };
    if let Some(own) = own {
        return Charset::Own(own);
    }
    // A mail that says this says nothing.
    if [
        "us-ascii",
        "ascii",
        "unknown",
        "default",
        "none",
        "x-unknown",
        "unknown-8bit",
        "binary",
        "x-binaryenc",
    ]
    .contains(&label)
    {
        return Charset::None;
    }
    if let Some(encoding) = Encoding::for_label(label.as_bytes()).filter(|of| *of != encoding_rs::REPLACEMENT)
    {
        return Charset::Known(encoding);
    }
    if let Some(decoder) = charset_decoder(label.as_bytes()) {
        return Charset::Own(decoder);
    }
    // Names that only one program ever used.
    let number = |of: &str| label.contains(of);
    let family = [
        ("utf-8", number("utf8") || number("utf-8") || number("utf_8")),
        ("utf-16", number("utf16") || number("utf-16") || number("ucs")),
        ("iso-2022-jp", number("2022-jp") || number("2022jp") || number("5022")),
        ("shift_jis", number("932") || number("jis") || number("31j")),
        ("euc-jp", number("euc-jp") || number("eucjp") || number("51932")),
        ("gb18030", label.starts_with("gb") || number("936") || number("gbk") || number("gb2312")),
        ("big5", number("big5") || number("950")),
        ("euc-kr", number("949") || number("ksc") || number("ks_c") || number("euckr")),
        ("windows-874", number("874") || number("tis") || number("8859-11")),
        ("koi8-u", number("koi8-u") || number("koi8u")),
        ("koi8-r", number("koi8")),
        ("windows-1250", number("1250")),
        ("windows-1251", number("1251")),
        ("windows-1252", number("1252") || number("latin1") || number("ansi")),
        ("windows-1253", number("1253")),
        ("windows-1254", number("1254")),
        ("windows-1255", number("1255")),
        ("windows-1256", number("1256")),
        ("windows-1257", number("1257")),
        ("windows-1258", number("1258")),
        ("ibm866", number("866")),
        ("iso-8859-15", number("8859-15") || number("8859_15")),
        ("iso-8859-2", number("8859-2") || number("8859_2")),
        ("iso-8859-5", number("8859-5") || number("8859_5")),
        ("iso-8859-7", number("8859-7") || number("8859_7")),
        ("iso-8859-9", number("8859-9") || number("8859_9")),
        ("windows-1252", number("8859")),
    ];
    let found =
        family.iter().find(|(_, fits)| *fits).and_then(|(name, _)| Encoding::for_label(name.as_bytes()));
    found.map_or(Charset::None, Charset::Known)
}

/// What bytes of no or of a false character set are most likely in.
pub(in crate::email) fn detect(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&bytes[..bytes.len().min(SAMPLE)], bytes.len() <= SAMPLE);
    detector.guess(None, Utf8Detection::Allow)
}

/// A few bad bytes are damage, many mean that it was never UTF-8.
fn damaged_utf8(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes);
    let foreign = text.chars().filter(|c| !c.is_ascii()).count();
    let bad = text.chars().filter(|c| *c == '\u{fffd}').count();
    if bad * 3 > foreign { detect(bytes).decode(bytes).0 } else { text }
}

/// RFC 2152.
fn utf7(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(plus) = rest.iter().position(|b| *b == b'+') {
        text.extend(rest[..plus].iter().map(|b| char::from(*b)));
        rest = &rest[plus + 1..];
        let end = rest
            .iter()
            .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')))
            .unwrap_or(rest.len());
        if end == 0 {
            text.push('+');
        } else {
            let (mut bits, mut held, mut units) = (0u32, 0, Vec::new());
            for byte in &rest[..end] {
                bits = bits << 6 | u32::from(sextet(*byte).unwrap_or(0));
                held += 6;
                if held >= 16 {
                    held -= 16;
                    units.push((bits >> held & 0xffff) as u16);
                }
            }
            text.push_str(&String::from_utf16_lossy(&units));
        }
        rest = &rest[end..];
        rest = rest.strip_prefix(b"-").unwrap_or(rest);
    }
    text.extend(rest.iter().map(|b| char::from(*b)));
    text
}

pub(super) fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// RFC 1557: EUC-KR in seven bits, between SO and SI.
fn iso_2022_kr(bytes: &[u8]) -> String {
    let mut eight = Vec::with_capacity(bytes.len());
    let mut shifted = false;
    let text = bytes.strip_prefix(b"\x1b$)C").unwrap_or(bytes);
    for byte in text {
        match byte {
            0x0e => shifted = true,
            0x0f => shifted = false,
            b'\n' => {
                shifted = false;
                eight.push(b'\n');
            }
            byte if shifted && (0x21..=0x7e).contains(byte) => eight.push(byte | 0x80),
            byte => eight.push(*byte),
        }
    }
    EUC_KR.decode(&eight).0.replace("\u{1b}$)C", "")
}

/// RFC 1843: GB 2312 in seven bits, between `~{` and `~}`.
fn hz(bytes: &[u8]) -> String {
    let mut eight = Vec::with_capacity(bytes.len());
    let mut shifted = false;
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'~', [b'{', after @ ..]) => {
                shifted = true;
                after
            }
            (b'~', [b'}', after @ ..]) => {
                shifted = false;
                after
            }
            (b'~', [b'\n', after @ ..]) => after,
            (b'~', [b'~', after @ ..]) if !shifted => {
                eight.push(b'~');
                after
            }
            (byte, after) => {
                eight.push(if shifted && (0x21..=0x7e).contains(byte) { byte | 0x80 } else { *byte });
                after
            }
        };
    }
    GBK.decode(&eight).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(label: &str, bytes: &[u8], expected: &str) {
        assert_eq!(decode(Some(label), bytes), expected, "{label}");
    }

    #[test]
    fn every_character_set_of_mail_is_read() {
        check("UTF-8", "grüß".as_bytes(), "grüß");
        check("iso-8859-1", b"gr\xfc\xdf", "grüß");
        check("\"ISO_8859-15\"", b"\xa4", "€");
        check("windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет");
        check("win-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет");
        check("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет");
        check("ISO-2022-JP", b"\x1b$B%O%m!<\x1b(B", "ハロー");
        check("cp50221", b"\x1b$B%O%m!<\x1b(B", "ハロー");
        check("shift_jis", b"\x83n\x83\x8D\x81[", "ハロー");
        check("gb2312", b"\xc4\xe3\xba\xc3", "你好");
        check("cp-936", b"\xc4\xe3\xba\xc3", "你好");
        check("big5", b"\xa7A\xa6n", "你好");
        check("ks_c_5601-1987", b"\xbe\xc8\xb3\xe7", "안녕");
        check("iso-2022-kr", b"\x1b$)C\x0e>H3g\x0f!", "안녕!");
        check("hz-gb-2312", b"~{Dc:C~}!", "你好!");
        check("tis-620", b"\xca\xc7\xd1\xca\xb4\xd5", "สวัสดี");
        check("utf-16le", b"h\0i\0", "hi");
        check("utf-7", b"Hi +AOk-t+AOk-, 1 +- 1 +ZYeB9FH6ckh5Pg", "Hi été, 1 + 1 文致出版社");
        check("ibm850", b"\x9b", "ø");
    }

    #[test]
    fn what_a_mail_says_of_itself_may_be_false() {
        check("us-ascii", "grüß".as_bytes(), "grüß");
        check("iso-8859-1", "grüß".as_bytes(), "grüß");
        check("none", b"TEST", "TEST");
        check("utf-8", "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}".as_bytes(), "Привет");
        let cyrillic = b"\xc7\xe4\xf0\xe0\xe2\xf1\xf2\xe2\xf3\xe9\xf2\xe5, \xea\xe0\xea \xe4\xe5\xeb\xe0?";
        check("utf-8", cyrillic, "Здравствуйте, как дела?");
        check("x-no-such", cyrillic, "Здравствуйте, как дела?");
        assert_eq!(decode(None, b"Forma\xe7\xe3o em Ver\xe3o"), "Formação em Verão");
        assert_eq!(decode(None, b"\x1b$B%O%m!<\x1b(B"), "ハロー");
    }

    #[test]
    fn a_little_damage_is_not_another_character_set() {
        let text =
            [&"Здравствуйте".as_bytes()[..7], " как дела, всё ли хорошо у вас сегодня".as_bytes()].concat();
        assert!(decode(Some("utf-8"), &text).contains("как дела"));
    }
}
