//! The reference to a conversation that our mails carry and their answers bring back.
//!
//! It stands in two places, since a mail program may lose either: in our Message-ID (`<KEY.REF@domain>`), which
//! comes back in `In-Reply-To` and `References`, and in the Reply-To address (`local+REF@domain`), which comes
//! back as a recipient. Here it is only a string of the right shape; the intake asks the vault whether it is one
//! of ours.

use sha2::{Digest, Sha256};

use super::split_address;

/// Lower-case base32hex of these many characters. Shorter tags (`support+sales@…`) are the business's own; the
/// local part of an address has room for 64 (RFC 5321 section 4.5.3.1.1).
const LENGTH: std::ops::RangeInclusive<usize> = 16..=63;

const MAX_LOCAL: usize = 64;

/// The Message-ID, without angle brackets, of the mail with this idempotency key. The same arguments always give
/// the same id.
pub fn message_id(key: &str, reference: &str, domain: &str) -> String {
    let plain = |key: &str| {
        (1..=64).contains(&key.len())
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let key = if plain(key) { key.to_owned() } else { hex(&Sha256::digest(key)[..16]) };
    if reference.is_empty() { format!("{key}@{domain}") } else { format!("{key}.{reference}@{domain}") }
}

/// The address that answers go to: the mailbox with the reference as its tag. None when there is no reference or
/// no room for it; the answer then finds its way by our Message-ID.
pub fn reply_to(mailbox: &str, reference: &str) -> Option<String> {
    let (local, domain) = split_address(mailbox)?;
    let fits = local.len() + 1 + reference.len() <= MAX_LOCAL;
    (fits && !reference.is_empty()).then(|| format!("{local}+{reference}@{domain}"))
}

/// What may be a reference in a recipient's address.
pub(super) fn in_address(address: &str) -> Option<String> {
    let (local, _) = split_address(address)?;
    candidate(local.rsplit_once('+')?.1)
}

/// What may be a reference in a message id.
pub(super) fn in_message_id(id: &str) -> Option<String> {
    let (local, _) = split_address(id)?;
    candidate(local.rsplit_once('.')?.1)
}

/// The address without its tag: `support+anything@x` is delivered to `support@x`.
pub(super) fn without_tag(address: &str) -> Option<String> {
    let (local, domain) = split_address(address)?;
    let (local, _) = local.split_once('+').filter(|(local, _)| !local.is_empty())?;
    Some(format!("{local}@{domain}"))
}

/// Mail programs may change the case of what they carry back.
fn candidate(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let shaped = LENGTH.contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v'));
    shaped.then_some(text)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = "0123456789abcdefghijklmnopqrstuv";

    #[test]
    fn what_is_put_in_is_found_again() {
        let id = message_id("d-17-4", REFERENCE, "example.test");
        assert_eq!(id, format!("d-17-4.{REFERENCE}@example.test"));
        assert_eq!(in_message_id(&id).as_deref(), Some(REFERENCE));
        let address = reply_to("support@example.test", REFERENCE).unwrap();
        assert_eq!(in_address(&address.to_uppercase()).as_deref(), Some(REFERENCE));
        assert_eq!(without_tag(&address).as_deref(), Some("support@example.test"));
    }

    #[test]
    fn a_key_of_any_form_gives_a_clean_id() {
        let id = message_id("a b\r\n<>@", REFERENCE, "example.test");
        assert!(id.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>')), "{id}");
        assert_eq!(in_message_id(&id).as_deref(), Some(REFERENCE));
        assert_ne!(id, message_id("a b\r\n<>@@", REFERENCE, "example.test"));
        assert_ne!(message_id("", REFERENCE, "x.test"), message_id(&"k".repeat(65), REFERENCE, "x.test"));
    }

    #[test]
    fn tags_and_ids_of_others_are_left_alone() {
        for address in
            ["support@x.test", "support+sales@x.test", "support+0123456789ABCDEFGHIJ-@x.test", "", "@", "+"]
        {
            assert_eq!(in_address(address), None, "{address}");
        }
        for id in ["CAF+abc@mail.gmail.com", "1234.5678@x.test", "no-at-sign.0123456789abcdefghij"] {
            assert_eq!(in_message_id(id), None, "{id}");
        }
        assert_eq!(without_tag("+tag@x.test"), None);
    }

    #[test]
    fn a_reference_without_room_is_left_out() {
        assert_eq!(reply_to(&format!("{}@x.test", "m".repeat(40)), REFERENCE), None);
        assert_eq!(reply_to("support@x.test", ""), None);
        assert_eq!(reply_to("support", REFERENCE), None);
    }
}
