//! References: short texts we hand out, in a Message-ID or a Reply-To, and recognise when they come back.
//!
//! Encryption is deterministic in the manner of SIV (RFC 5297): a keyed hash of purpose and content is both the
//! proof that we made it and the nonce of the key stream, so the same content always gives the same reference.

use blake3::Hasher;
use data_encoding::BASE32_DNSSEC;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::cipher::Secret;

/// 96 bits: out of reach for a forger who has to ask us about every guess, and short enough for the 64 octets
/// of an address's local part (RFC 5321 §4.5.3.1.1).
const TAG: usize = 12;
type Tag = [u8; TAG];

/// Longer texts were not made by us; reading them would only cost time.
const LONGEST: usize = 1024;

pub(crate) struct References {
    tag: Secret,
    stream: Secret,
}

impl References {
    pub(crate) fn new(root: &Secret) -> References {
        let derive = |context| Zeroizing::new(blake3::derive_key(context, &root[..]));
        References {
            tag: derive("tributary vault v1: reference tags"),
            stream: derive("tributary vault v1: reference key stream"),
        }
    }

    pub(crate) fn write(&self, purpose: &str, bytes: &[u8]) -> String {
        let tag = self.tag(purpose, bytes);
        let mut whole = [&tag[..], bytes].concat();
        self.apply_stream(purpose, &tag, &mut whole[TAG..]);
        BASE32_DNSSEC.encode(&whole)
    }

    pub(crate) fn read(&self, purpose: &str, text: &str) -> Option<Vec<u8>> {
        if text.len() > LONGEST {
            return None;
        }
        let mut bytes = BASE32_DNSSEC.decode(text.as_bytes()).ok()?;
        let tag = *bytes.first_chunk::<TAG>()?;
        bytes.drain(..TAG);
        self.apply_stream(purpose, &tag, &mut bytes);
        let ours: bool = self.tag(purpose, &bytes).ct_eq(&tag).into();
        ours.then_some(bytes)
    }

    fn tag(&self, purpose: &str, bytes: &[u8]) -> Tag {
        let mut tag = Tag::default();
        keyed(&self.tag, purpose).update(bytes).finalize_xof().fill(&mut tag);
        tag
    }

    fn apply_stream(&self, purpose: &str, tag: &Tag, bytes: &mut [u8]) {
        let mut stream = vec![0; bytes.len()];
        keyed(&self.stream, purpose).update(tag).finalize_xof().fill(&mut stream);
        bytes.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
    }
}

fn keyed(key: &Secret, purpose: &str) -> Hasher {
    let mut hasher = Hasher::new_keyed(key);
    hasher.update(&(purpose.len() as u64).to_le_bytes()).update(purpose.as_bytes());
    hasher
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references() -> References {
        References::new(&Zeroizing::new([3; 32]))
    }

    #[test]
    fn what_we_wrote_we_read_in_any_case() {
        for bytes in [&b""[..], b"x", &[0; 20], b"conversation-id-and-more"] {
            let text = references().write("reply", bytes);
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{text}");
            assert_eq!(references().read("reply", &text).unwrap(), bytes);
            assert_eq!(references().read("reply", &text.to_uppercase()).unwrap(), bytes);
            assert_eq!(text, references().write("reply", bytes), "the same content gives the same reference");
        }
        assert!(references().write("reply", &[0; 20]).len() <= 52, "room is left in a local part");
    }

    #[test]
    fn forged_references_are_none() {
        let text = references().write("reply", b"conversation 42");
        assert_eq!(references().read("unsubscribe", &text), None, "another purpose");
        assert_eq!(
            References::new(&Zeroizing::new([4; 32])).read("reply", &text),
            None,
            "another installation"
        );
        for i in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[i] = if forged[i] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(references().read("reply", &forged), None, "{forged}");
        }
        for cut in 0..text.len() {
            assert_eq!(references().read("reply", &text[..cut]), None);
        }
        for other in ["", "zzzz", "ümlaut", "a b", &text.repeat(100)] {
            assert_eq!(references().read("reply", other), None, "{other}");
        }
    }

    #[test]
    fn content_does_not_show() {
        let (one, two) = (references().write("reply", &[0; 32]), references().write("reply", &[1; 32]));
        assert!(one.bytes().zip(two.bytes()).filter(|(a, b)| a == b).count() < 20, "{one} {two}");
    }
}
