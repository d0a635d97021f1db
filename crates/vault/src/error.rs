//! What can go wrong between an edge and its sealed bytes, told apart by what the caller should do.

use std::{path::PathBuf, sync::Arc};

use crate::BlobId;

type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// A vault that could not do what was asked. [`Error::Unavailable`] passes; the others do not by waiting.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The key store or the blobs cannot be reached, are locked, or their disk is full. Nothing was sealed;
    /// an edge answers 503 and the sender tries again.
    #[error("could not {operation}: the vault is unavailable for now")]
    Unavailable {
        operation: &'static str,
        #[source]
        source: Cause,
    },
    #[error("could not open the vault at {place}")]
    Open {
        place: String,
        #[source]
        source: Cause,
    },
    #[error("could not copy {path}")]
    Copy {
        path: PathBuf,
        #[source]
        source: Cause,
    },
    #[error("{path} is damaged: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error("{place} was written by a newer version (format {found}; this one knows up to {known})")]
    Newer { place: String, found: u32, known: u32 },
    #[error("this is not the master key that {place} was created with")]
    WrongMasterKey { place: String },
    #[error("the URL of the key store is of no use: {reason}")]
    Url { reason: String },
    #[error("there is no key store in {place}")]
    NoStore { place: String },
    #[error("{place} holds the keys of {parties} parties already: keys are copied to where there are none")]
    NotEmpty { place: String, parties: u64 },
    #[error("{place} belongs to another installation: its ids are made with another root secret")]
    OtherRoot { place: String },
    #[error(
        "the copy in {place} is not what was copied: it has {found} rows of {wanted}, or another root secret"
    )]
    BadCopy { place: String, found: u64, wanted: u64 },
    #[error("could not {operation} the master key in {path}")]
    MasterKeyFile {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: Arc<std::io::Error>,
    },
    #[error("the environment variable {name}, which should hold the master key, is not set or not text")]
    MasterKeyVariable { name: String },
    #[error("the master key in {place} must be 32 bytes, written as 64 hexadecimal digits or as base64")]
    MasterKeyText { place: String },
    #[error("these are not sealed bytes: {reason}")]
    NotSealed { reason: &'static str },
    /// Another party's bytes, or a key store restored from a backup older than the log.
    #[error("the key store never issued a key of generation {generation} for this party")]
    NoKey { generation: u32 },
    #[error("the stored key of generation {generation} for this party is damaged")]
    KeyDamaged { generation: u32 },
    #[error("the sealed bytes are damaged, or were sealed for another party or another item")]
    NotAuthentic,
    #[error("the sealed blob {0} is missing")]
    BlobMissing(BlobId),
    #[error("the sealed blob {0} is damaged, or was sealed for another party or another item")]
    BlobNotAuthentic(BlobId),
}

impl Error {
    pub(crate) fn unavailable<E>(operation: &'static str) -> impl FnOnce(E) -> Error
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |source| Error::Unavailable { operation, source: Arc::new(source) }
    }

    /// Trying again later may succeed, and nothing was sealed or erased half-way that a retry would not mend.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Error::Unavailable { .. })
    }
}
