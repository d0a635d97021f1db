//! Keyed hashes: ids that say nothing to whoever lacks the key and are the same for ever.
//!
//! All keys here derive from the root secret, which is drawn once, lives wrapped in the key store, and stays
//! when the master key is replaced: a party or a fact must never get another id.

use blake3::Hasher;
use zeroize::Zeroizing;

use crate::{Id, Subject, cipher::Secret};

pub(crate) struct Hashes {
    party: Secret,
    fact: Secret,
    content: Secret,
    folder: Secret,
}

impl Hashes {
    pub(crate) fn new(root: &Secret) -> Hashes {
        let derive = |context| Zeroizing::new(blake3::derive_key(context, &root[..]));
        Hashes {
            party: derive("tributary vault v1: parties"),
            fact: derive("tributary vault v1: facts"),
            content: derive("tributary vault v1: command contents"),
            folder: derive("tributary vault v1: blob names"),
        }
    }

    pub(crate) fn party(&self, tenant: &str, inbox: &str, address: &str) -> Id {
        hash(&self.party, &[tenant.as_bytes(), inbox.as_bytes(), address.as_bytes()])
    }

    pub(crate) fn fact(&self, inbox: &str, kind: &str, item: &[u8]) -> Id {
        hash(&self.fact, &[inbox.as_bytes(), kind.as_bytes(), item])
    }

    pub(crate) fn content(&self, bytes: &[u8]) -> Id {
        hash(&self.content, &[bytes])
    }

    /// Names a subject's blob files, so that a directory listing does not tell whose they are.
    pub(crate) fn folder(&self, subject: &Subject) -> Id {
        hash(&self.folder, &[subject.tenant.as_bytes(), &subject.party])
    }
}

/// Each part goes in after its length, so that no two lists of parts read the same.
fn hash(key: &Secret, parts: &[&[u8]]) -> Id {
    let mut hasher = Hasher::new_keyed(key);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut id = Id::default();
    hasher.finalize_xof().fill(&mut id);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_and_every_boundary_counts() {
        let hashes = Hashes::new(&Zeroizing::new([1; 32]));
        let party = hashes.party("acme", "email", "ann@example.test");
        assert_eq!(party, hashes.party("acme", "email", "ann@example.test"));
        for (tenant, inbox, address) in [
            ("acme2", "email", "ann@example.test"),
            ("acme", "sms", "ann@example.test"),
            ("acme", "email", "bob@example.test"),
            ("acmee", "mail", "ann@example.test"),
            ("acme", "emaila", "nn@example.test"),
        ] {
            assert_ne!(party, hashes.party(tenant, inbox, address));
        }
        assert_ne!(party, hashes.fact("acme", "email", b"ann@example.test"), "each use has its own key");
        assert_ne!(party, Hashes::new(&Zeroizing::new([2; 32])).party("acme", "email", "ann@example.test"));
    }
}
