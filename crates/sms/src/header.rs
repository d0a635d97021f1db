//! The user data header before a short message's text (TS 23.040 §9.2.3.24): which part of a longer message it is, and in
//! which alphabets it is written. Everything else in it is skipped.

use crate::Language;

const CONCATENATED: u8 = 0x00;
const CONCATENATED_WIDE: u8 = 0x08;
const PORTS: u8 = 0x05;
const SINGLE_SHIFT: u8 = 0x24;
const LOCKING_SHIFT: u8 = 0x25;

/// What we read of a header, and write.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Header {
    pub concatenation: Option<Concatenation>,
    pub locking: Option<Language>,
    pub single: Option<Language>,
    /// The application's port the message is for: it is not for people. Read only.
    pub port: Option<u16>,
}

/// One part of a message that was sent in several.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Concatenation {
    /// The same in all parts; the sender's, and used again after 256 messages, or 65,536.
    pub reference: u16,
    /// The reference has 16 bits.
    pub wide: bool,
    /// At least 1.
    pub total: u8,
    /// From 1 to `total`.
    pub number: u8,
}

impl Concatenation {
    /// None where the numbers cannot be: such a part is a message of its own (§9.2.3.24.1).
    pub fn new(reference: u16, wide: bool, total: u8, number: u8) -> Option<Self> {
        (1..=total).contains(&number).then_some(Concatenation { reference, wide, total, number })
    }
}

/// A header that is longer than its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a user data header of {told} octets, of which {there} are there")]
pub struct Malformed {
    pub told: usize,
    pub there: usize,
}

impl Header {
    /// The header at the beginning of the octets, and what follows it. An element that is cut short ends the reading.
    ///
    /// # Errors
    /// When the octets are fewer than the header's own length says.
    pub fn read(octets: &[u8]) -> Result<(Header, &[u8]), Malformed> {
        let Some((length, rest)) = octets.split_first() else {
            return Err(Malformed { told: 1, there: 0 });
        };
        let told = usize::from(*length);
        let Some((mut elements, text)) = rest.split_at_checked(told) else {
            return Err(Malformed { told, there: rest.len() });
        };
        let mut header = Header::default();
        while let [kind, length, rest @ ..] = elements {
            let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else { break };
            elements = rest;
            // An element that is there twice counts as it came last.
            match (*kind, value) {
                (CONCATENATED, [reference, total, number]) => {
                    header.concatenation = Concatenation::new(u16::from(*reference), false, *total, *number);
                }
                (CONCATENATED_WIDE, [high, low, total, number]) => {
                    let reference = u16::from_be_bytes([*high, *low]);
                    header.concatenation = Concatenation::new(reference, true, *total, *number);
                }
                (PORTS, [high, low, _, _]) => header.port = Some(u16::from_be_bytes([*high, *low])),
                (SINGLE_SHIFT, [code]) => header.single = Language::of(*code),
                (LOCKING_SHIFT, [code]) => header.locking = Language::of(*code),
                _ => {}
            }
        }
        Ok((header, text))
    }

    /// With its length before it; nothing where there is nothing to say.
    pub fn write(&self) -> Vec<u8> {
        let mut octets = vec![0];
        match self.concatenation {
            Some(Concatenation { reference, wide: true, total, number }) => {
                let [high, low] = reference.to_be_bytes();
                octets.extend([CONCATENATED_WIDE, 4, high, low, total, number]);
            }
            Some(Concatenation { reference, wide: false, total, number }) => {
                octets.extend([CONCATENATED, 3, reference as u8, total, number]);
            }
            None => {}
        }
        for (kind, language) in [(SINGLE_SHIFT, self.single), (LOCKING_SHIFT, self.locking)] {
            octets.extend(language.iter().flat_map(|language| [kind, 1, language.code()]));
        }
        if octets.len() == 1 {
            return Vec::new();
        }
        octets[0] = (octets.len() - 1) as u8;
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for wide in [false, true] {
            for single in [None, Some(Language::Turkish)] {
                for locking in [None, Some(Language::Hindi)] {
                    for concatenation in [None, Concatenation::new(0x17, wide, 255, 3)] {
                        let header = Header { concatenation, locking, single, port: None };
                        let mut octets = header.write();
                        if octets.is_empty() {
                            assert_eq!(header, Header::default());
                            continue;
                        }
                        octets.extend(b"text");
                        assert_eq!(Header::read(&octets), Ok((header, &b"text"[..])));
                    }
                }
            }
        }
    }

    #[test]
    fn elements_we_do_not_know_are_skipped_and_impossible_ones_do_not_count() {
        let (header, text) = Header::read(b"\x0a\x70\x01\xff\x00\x03\x2a\x02\x01\x05\x00hi").unwrap();
        assert_eq!(header.concatenation, Concatenation::new(0x2a, false, 2, 1));
        assert_eq!(text, b"hi");
        for (total, number) in [(0, 0), (0, 1), (2, 0), (2, 3)] {
            let (header, _) = Header::read(&[5, 0, 3, 1, total, number]).unwrap();
            assert_eq!(header.concatenation, None, "{number} of {total}");
        }
        let (header, _) = Header::read(b"\x06\x05\x04\x0b\x84\x23\xf0").unwrap();
        assert_eq!(header.port, Some(2948), "WAP push");
    }

    #[test]
    fn a_length_that_lies_is_told() {
        assert_eq!(Header::read(b""), Err(Malformed { told: 1, there: 0 }));
        assert_eq!(Header::read(b"\x05\x00\x03"), Err(Malformed { told: 5, there: 2 }));
        // The header is there; an element in it is not.
        assert_eq!(Header::read(b"\x02\x00\x09ab"), Ok((Header::default(), &b"ab"[..])));
        assert_eq!(Header::read(b"\x00ab"), Ok((Header::default(), &b"ab"[..])));
    }
}
