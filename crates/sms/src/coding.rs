//! Data coding schemes: what the octets of a short message are, and the text they hold.
//!
//! SMPP 3.4 (§5.2.19) numbers encodings of its own from 0 to 14; what is above follows TS 23.038 §4.

use encoding_rs::{EUC_JP, EUC_KR, ISO_2022_JP, ISO_8859_5, ISO_8859_8, SHIFT_JIS};

use crate::Alphabet;

/// How a message's octets are read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Coding {
    /// One septet an octet.
    Gsm7,
    /// Also of what calls itself ASCII: a sender who means that writes no more.
    Latin1,
    /// UTF-16, most significant octet first: what calls itself UCS-2 may hold more.
    Ucs2,
    Cyrillic,
    Hebrew,
    ShiftJis,
    Iso2022Jp,
    EucJp,
    EucKr,
    /// For a machine, or in no encoding we know.
    Binary,
}

/// What octets hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    Text(String),
    Binary(Vec<u8>),
}

impl Coding {
    /// What a `data_coding` says; 0 says that it is the message centre's own default, which only configuration tells.
    pub fn of(data_coding: u8, default: Coding) -> Coding {
        match data_coding {
            0 => default,
            1 | 3 => Coding::Latin1,
            2 | 4 => Coding::Binary,
            5 => Coding::ShiftJis,
            6 => Coding::Cyrillic,
            7 => Coding::Hebrew,
            8 => Coding::Ucs2,
            10 => Coding::Iso2022Jp,
            13 => Coding::EucJp,
            14 => Coding::EucKr,
            9 | 11 | 12 | 15 => Coding::Binary,
            // General data coding, and marked for deletion: bits 3 and 2 name the alphabet; bit 5 says it is compressed.
            0x10..=0x7f => match (data_coding & 0x20, data_coding & 0x0c) {
                (0, 0x00) => Coding::Gsm7,
                (0, 0x08) => Coding::Ucs2,
                _ => Coding::Binary,
            },
            // Message waiting.
            0xc0..=0xdf => Coding::Gsm7,
            0xe0..=0xef => Coding::Ucs2,
            // Message class.
            0xf0..=0xff if data_coding & 0x04 == 0 => Coding::Gsm7,
            _ => Coding::Binary,
        }
    }

    /// The text, whatever the octets: what cannot be shown becomes U+FFFD. `alphabet` counts for septets.
    pub fn read(self, octets: &[u8], alphabet: Alphabet) -> Body {
        let encoding = match self {
            Coding::Gsm7 => return Body::Text(alphabet.read(octets)),
            Coding::Latin1 => return Body::Text(octets.iter().copied().map(char::from).collect()),
            Coding::Ucs2 => return Body::Text(utf16(octets)),
            Coding::Binary => return Body::Binary(octets.to_vec()),
            Coding::Cyrillic => ISO_8859_5,
            Coding::Hebrew => ISO_8859_8,
            Coding::ShiftJis => SHIFT_JIS,
            Coding::Iso2022Jp => ISO_2022_JP,
            Coding::EucJp => EUC_JP,
            Coding::EucKr => EUC_KR,
        };
        Body::Text(encoding.decode_without_bom_handling(octets).0.into_owned())
    }
}

/// A byte order mark counts, if there is one; an octet left over at the end is half a character.
fn utf16(octets: &[u8]) -> String {
    let (octets, read): (_, fn([u8; 2]) -> u16) = match octets {
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        _ => (octets, u16::from_be_bytes),
    };
    let (pairs, rest) = octets.as_chunks::<2>();
    let mut text: String = char::decode_utf16(pairs.iter().map(|pair| read(*pair)))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data_coding: u8, octets: &[u8]) -> Body {
        Coding::of(data_coding, Coding::Gsm7).read(octets, Alphabet::default())
    }

    #[test]
    fn every_scheme_has_its_reading() {
        let text = |text: &str| Body::Text(text.to_owned());
        assert_eq!(read(0, b"\x00\x1b\x65"), text("@€"));
        assert_eq!(Coding::of(0, Coding::Latin1).read(b"@\xe9", Alphabet::default()), text("@é"));
        assert_eq!(read(1, b"@"), text("@"));
        assert_eq!(read(3, b"\xfc\xa7"), text("ü§"));
        assert_eq!(read(6, b"\xbf\xe0\xd8\xd2\xd5\xe2"), text("Привет"));
        assert_eq!(read(7, b"\xf9\xec\xe5\xed"), text("שלום"));
        assert_eq!(read(5, b"\x93\xfa\x96\x7b"), text("日本"));
        assert_eq!(read(10, b"\x1b$BF|K\\\x1b(B"), text("日本"));
        assert_eq!(read(13, b"\xc6\xfc\xcb\xdc"), text("日本"));
        assert_eq!(read(14, b"\xc7\xd1\xb1\xdb"), text("한글"));
        for binary in [2, 4, 9, 0x14, 0x2c, 0x30, 0x80, 0xf4, 0xf7] {
            assert_eq!(read(binary, b"\x01\x02"), Body::Binary(vec![1, 2]), "{binary:#x}");
        }
        for septets in [0x10, 0x11, 0x40, 0xc0, 0xd0, 0xf0, 0xf1] {
            assert_eq!(read(septets, b"\x00"), text("@"), "{septets:#x}");
        }
        for wide in [8, 0x18, 0x19, 0x48, 0xe0] {
            assert_eq!(read(wide, b"\x00A"), text("A"), "{wide:#x}");
        }
    }

    #[test]
    fn ucs2_may_hold_more_than_it_says_and_less_than_whole_characters() {
        let ucs2 = |octets| Coding::Ucs2.read(octets, Alphabet::default());
        assert_eq!(ucs2(b"\xd8\x3d\xde\x00"), Body::Text("😀".into()));
        assert_eq!(ucs2(b"\xfe\xff\x00A"), Body::Text("A".into()));
        assert_eq!(ucs2(b"\xff\xfeA\x00"), Body::Text("A".into()));
        assert_eq!(ucs2(b"\xd8\x3d\x00A\x00"), Body::Text("\u{fffd}A\u{fffd}".into()));
    }
}
