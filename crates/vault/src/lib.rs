//! The vault: the edges seal personal data here before it enters the log, and readers open it here again.
//!
//! Every party has a random data key of its own, kept in a key store apart from the log. Destroying that key
//! erases the person from everything that was ever written, and replaying the log still gives the same state.
//! Keyed hashes give parties, facts and commands ids that reveal nothing and never change.

use std::sync::Arc;

pub mod backup;
mod blobs;
mod cipher;
mod error;
mod hashes;
mod keys;
mod master;
mod metrics;
mod random;
mod reference;
mod sealed;
mod vault;

pub use blobs::BlobId;
pub use error::Error;
#[cfg(feature = "postgres")]
pub use keys::Postgres;
pub use keys::{KeyStore, copy_keys};
pub use master::MasterKey;
pub use vault::{Config, INLINE_MAX, Opened, Vault};

/// A keyed hash: the id of a party, a fact, or a command's content.
pub type Id = [u8; 16];

/// Whose data it is. Every subject has its own key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    pub tenant: Arc<str>,
    pub party: Id,
}
