//! Transfer encodings, read leniently: what cannot be decoded stays as it is, and nothing is refused.

use std::borrow::Cow;

use super::charset::sextet;

/// The bytes of a part as they were before they were encoded (RFC 2045 section 6).
pub(super) fn decode<'a>(encoding: Option<&str>, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    let encoding = encoding.map(|name| name.trim().trim_end_matches([';', '.']).to_ascii_lowercase());
    match encoding.as_deref() {
        Some("quoted-printable") => Cow::Owned(quoted_printable(bytes, false)),
        Some("base64") => Cow::Owned(base64(bytes)),
        _ => Cow::Borrowed(bytes),
    }
}

/// `word`: of an encoded word in a header, where `_` is a space.
pub(super) fn quoted_printable(bytes: &[u8], word: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'=', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            (b'=', _) => {
                // A line that goes on; spaces behind the `=` were added on the way.
                let blank = after.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
                match &after[blank..] {
                    [b'\r', b'\n', after @ ..] | [b'\n', after @ ..] => rest = after,
                    _ => out.push(b'='),
                }
            }
            (b'_', _) if word => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
    }
    out
}

/// Skips what is not of the alphabet; padding may stand in the middle, where two were put together.
pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    for byte in bytes {
        if let Some(value) = sextet(*byte) {
            bits = bits << 6 | u32::from(value);
            held += 6;
            if held >= 8 {
                held -= 8;
                out.push((bits >> held) as u8);
            }
        } else if *byte == b'=' {
            (bits, held) = (0, 0);
        }
    }
    out
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        digit => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_undone_as_far_as_they_go() {
        assert_eq!(quoted_printable(b"gr=FC=df= \r\nx=3D=ZZ=", false), b"gr\xfc\xdfx==ZZ=");
        assert_eq!(quoted_printable(b"a_b", true), b"a b");
        assert_eq!(base64(b"aGVs\r\nbG8=!d29ybGQ"), b"helloworld");
        assert_eq!(&*decode(Some("BASE64;"), b"aGk="), b"hi");
        assert_eq!(&*decode(Some("8bit"), b"a=41"), b"a=41");
    }
}
