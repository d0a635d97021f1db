//! The header of a message, mended before it is parsed: encoded words that were cut within a letter or name a
//! character set of their own, and letters that were not encoded at all.

use std::borrow::Cow;

use data_encoding::BASE64;

use super::charset;
use super::transfer;

/// Octets of an encoded word. RFC 2047 allows 75, programs write more; each that does not end costs a search this long.
const WORD: usize = 1024;

/// The header with each of its encoded words in UTF-8; none where there is nothing to mend. `head` is what stands
/// above the blank line.
pub(super) fn mend(head: &[u8]) -> Option<Vec<u8>> {
    let words = head.windows(2).any(|pair| pair == b"=?");
    let raw = std::str::from_utf8(head).is_err();
    if !words && !raw {
        return None;
    }
    let text = if raw { Cow::Owned(letters(head).into_bytes()) } else { Cow::Borrowed(head) };
    Some(if words { decode_words(&text) } else { text.into_owned() })
}

/// Header fields in bare octets: in the character set of the message's text, as their program had only one.
fn letters(head: &[u8]) -> String {
    let mut text = String::with_capacity(head.len());
    let label = named_charset(head).filter(|label| !label.eq_ignore_ascii_case("utf-8"));
    let foreign: Vec<u8> = head
        .split(|b| *b == b'\n')
        .filter(|line| std::str::from_utf8(line).is_err())
        .flatten()
        .copied()
        .collect();
    for line in head.split_inclusive(|b| *b == b'\n') {
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            // All such lines together tell best which character set they are in.
            Err(_) => match label {
                Some(label) => text.push_str(&charset::decode(Some(label), line)),
                None => text.push_str(&charset::detect(&foreign).decode_without_bom_handling(line).0),
            },
        }
    }
    text
}

fn named_charset(head: &[u8]) -> Option<&str> {
    let lower = head.to_ascii_lowercase();
    let at = lower.windows(8).position(|w| w == b"charset=")? + 8;
    let value = head[at..].strip_prefix(b"\"").unwrap_or(&head[at..]);
    let end =
        value.iter().position(|b| matches!(b, b'"' | b';' | b'\r' | b'\n' | b' ')).unwrap_or(value.len());
    std::str::from_utf8(&value[..end]).ok().filter(|label| !label.is_empty())
}

/// One encoded word.
struct Word<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
    /// What follows it.
    rest: &'a [u8],
}

/// Every run of encoded words in one character set becomes one, in UTF-8: a letter may be cut in two by the end of
/// a word, and the parser knows each word by itself only.
fn decode_words(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"=?") {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let Some(mut word) = word(rest) else {
            out.extend_from_slice(&rest[..2]);
            rest = &rest[2..];
            continue;
        };
        loop {
            let gap = word.rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
            // A word that begins a line was torn off: no field begins like that.
            let next = self::word(&word.rest[gap..]);
            match next.filter(|next| next.charset.eq_ignore_ascii_case(word.charset)) {
                Some(next) => {
                    word.bytes.extend(next.bytes);
                    word.rest = next.rest;
                }
                None => break,
            }
        }
        let decoded = charset::decode(Some(word.charset), &word.bytes);
        let decoded: String = decoded.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        out.extend_from_slice(b"=?utf-8?B?");
        out.extend_from_slice(BASE64.encode(decoded.as_bytes()).as_bytes());
        out.extend_from_slice(b"?=");
        rest = word.rest;
    }
    out.extend_from_slice(rest);
    out
}

/// `=?charset*language?encoding?text?=`
fn word(text: &[u8]) -> Option<Word<'_>> {
    let text = text.strip_prefix(b"=?")?;
    let end = text.iter().take(64).position(|b| *b == b'?')?;
    let charset = std::str::from_utf8(&text[..end]).ok()?;
    let charset =
        charset.split('*').next().filter(|name| !name.is_empty() && !name.contains(char::is_whitespace))?;
    let (encoding, text) = text[end + 1..].split_first()?;
    let text = text.strip_prefix(b"?")?;
    let end = text.windows(2).take(WORD).position(|pair| pair == b"?=")?;
    let bytes = match encoding {
        b'q' | b'Q' => transfer::quoted_printable(&text[..end], true),
        b'b' | b'B' => transfer::base64(&text[..end]),
        _ => return None,
    };
    Some(Word { charset, bytes, rest: &text[end + 2..] })
}

/// A value that holds encoded words where none should be, such as the name of a file.
pub(super) fn decode_value(value: &str) -> String {
    if !value.contains("=?") {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some(at) = rest.windows(2).position(|pair| pair == b"=?") {
        out.push_str(&String::from_utf8_lossy(&rest[..at]));
        rest = &rest[at..];
        match word(rest) {
            Some(word) => {
                out.push_str(&charset::decode(Some(word.charset), &word.bytes));
                rest = word.rest;
                let gap = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
                if rest[gap..].starts_with(b"=?") {
                    rest = &rest[gap..];
                }
            }
            None => {
                out.push_str("=?");
                rest = &rest[2..];
            }
        }
    }
    out.push_str(&String::from_utf8_lossy(rest));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(head: &[u8]) -> String {
        let head = mend(head).unwrap();
        decode_value(std::str::from_utf8(&head).unwrap())
    }

    #[test]
    fn letters_that_were_cut_in_two_are_whole() {
        // The three octets of one letter stand in two words.
        assert_eq!(
            mended(b"Subject: =?utf-8?B?5pel5g==?=\r\n =?UTF-8?B?nKzoqp4=?=\r\n"),
            "Subject: 日本語\r\n"
        );
        assert_eq!(mended(b"Subject: =?utf-8?Q?gr=C3?= =?utf-8?Q?=BC=C3=9F?=!\r\n"), "Subject: grüß!\r\n");
        assert_eq!(mended(b"S: =?iso-8859-1?Q?a?= =?utf-8?Q?b?= c"), "S: ab c", "two of different kinds");
    }

    #[test]
    fn words_that_keep_no_rule_are_read() {
        assert_eq!(mended(b"Subject: =?NONE?B?VEVTVA=?="), "Subject: TEST");
        assert_eq!(mended(b"Subject: =?utf-8?Q?with a space?="), "Subject: with a space");
        assert_eq!(mended(b"Subject: =?iso-2022-kr?B?GyQpQw4+SDNnDw==?="), "Subject: 안녕");
        assert_eq!(
            mended(b"Subject: =?utf-8?Q?a=0D=0ABcc:_x?="),
            "Subject: a  Bcc: x",
            "no line is smuggled in"
        );
        assert_eq!(mended(b"Subject: =?utf-8?X?a?= =?"), "Subject: =?utf-8?X?a?= =?");
        assert_eq!(mended(b"A: =?utf-8?Q?a?=\r\nB: =?utf-8?Q?b?="), "A: a\r\nB: b", "fields stay apart");
        let torn = mend(b"A: =?utf-8?B?5pel5g==?=\r\n=?utf-8?B?nKzoqp4=?=\r\nB: c").unwrap();
        assert_eq!(decode_value(std::str::from_utf8(&torn).unwrap()), "A: 日本語\r\nB: c");
    }

    #[test]
    fn bare_letters_are_read() {
        assert_eq!(mended(b"Subject: Forma\xe7\xe3o em Ver\xe3o\r\n"), "Subject: Formação em Verão\r\n");
        let head =
            b"Subject: \xcf\xf0\xe8\xe2\xe5\xf2\r\nContent-Type: text/plain; charset=\"windows-1251\"\r\n";
        assert!(mended(head).starts_with("Subject: Привет\r\n"));
        assert!(mend("Subject: grüß\r\n".as_bytes()).is_none());
    }
}
