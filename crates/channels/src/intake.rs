//! The door from an edge into the log: an edge hands over facts and may answer its provider when it returns.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Fact;

/// Seals facts and makes them durable.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Returns once **all** the facts are durable in the log, each exactly as often as it needs to be: the same
    /// fact again is harmless. `raw` is what the provider sent, kept (sealed) beside facts of kind `unknown` that have no
    /// [`Fact::raw`] of their own, and for e-mail always.
    async fn accept(&self, inbox: &str, facts: Vec<Fact>, raw: Option<Bytes>) -> Result<(), Refused>;
}

/// The door for customers who want no more mail that is not an answer (RFC 8058).
#[async_trait]
pub trait Unsubscribe: Send + Sync + 'static {
    /// The inbox whose mails bring this reference along, if it is one of ours.
    fn inbox_of(&self, reference: &str) -> Option<String>;

    /// Returns once the wish is durable. The same again is harmless.
    async fn unsubscribe(&self, reference: &str) -> Result<(), Refused>;
}

/// Why facts were not taken. Nothing may be acknowledged to the provider then.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("there is no inbox {0}")]
    UnknownInbox(String),
    /// The log or the key store cannot take them now; the provider should redeliver.
    #[error("cannot store anything now: {0}")]
    Unavailable(String),
}
