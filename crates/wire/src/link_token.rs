//! What a token in a link says. It is encrypted and authenticated by the vault before it leaves, under a purpose of its
//! tenant's own, so that no tenant's token means anything to another.
//!
//! In a link it stands behind the link's own reference: `REF.tk1-TOKEN`; or alone, `tk1-TOKEN`.

use domain::{ContactId, TenantId, Timestamp, TokenId, policy::TOKEN_MARK};

/// A link with a token in it must keep to what platforms let a reference be.
pub const LONGEST_ABOUT: usize = 48;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkToken {
    /// Random: a token counts once.
    pub id: TokenId,
    pub contact: ContactId,
    /// In whole seconds.
    pub expires_at: Timestamp,
    /// What the customer comes about: an order's number, say. [`LONGEST_ABOUT`] bytes at most.
    pub about: String,
}

impl LinkToken {
    /// What the vault's reference is made for.
    pub fn purpose(tenant: &TenantId) -> String {
        format!("link token of {tenant}")
    }

    pub fn encode(&self) -> Vec<u8> {
        let seconds = u32::try_from(self.expires_at.0 / 1_000).unwrap_or_default();
        [&self.id.0[..], &self.contact.0, &seconds.to_be_bytes(), self.about.as_bytes()].concat()
    }

    /// None for bytes that this was not made of.
    pub fn decode(bytes: &[u8]) -> Option<LinkToken> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (contact, rest) = rest.split_first_chunk()?;
        let (seconds, about) = rest.split_first_chunk()?;
        Some(LinkToken {
            id: TokenId(*id),
            contact: ContactId(*contact),
            expires_at: Timestamp(i64::from(u32::from_be_bytes(*seconds)) * 1_000),
            about: std::str::from_utf8(about).ok()?.to_owned(),
        })
    }

    /// A link's own reference and the token behind it, as the vault wrote it.
    pub fn split(reference: &str) -> (Option<&str>, Option<&str>) {
        match reference.split_once(TOKEN_MARK) {
            None => (Some(reference), None),
            Some((own, token)) => {
                let own = own.strip_suffix('.').unwrap_or(own);
                (Some(own).filter(|own| !own.is_empty()), Some(token))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(id: [u8; 16], contact: [u8; 16], seconds: u32, about in ".{0,12}") {
            let expires_at = Timestamp(i64::from(seconds) * 1_000);
            let token = LinkToken { id: TokenId(id), contact: ContactId(contact), expires_at, about };
            prop_assert_eq!(LinkToken::decode(&token.encode()), Some(token));
        }

        #[test]
        fn other_bytes_are_none_or_a_token(bytes: Vec<u8>) {
            if let Some(token) = LinkToken::decode(&bytes) {
                prop_assert_eq!(token.encode(), bytes);
            }
        }
    }

    #[test]
    fn a_token_stands_behind_the_links_own_reference() {
        assert_eq!(LinkToken::split("summer"), (Some("summer"), None));
        assert_eq!(LinkToken::split("summer.tk1-abc"), (Some("summer"), Some("abc")));
        assert_eq!(LinkToken::split("tk1-abc"), (None, Some("abc")));
        assert_eq!(LinkToken::split("summer.tk1-"), (Some("summer"), Some("")));
    }
}
