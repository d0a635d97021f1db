//! Where large messages are read: on threads of their own, so that nobody else waits for them.

use bytes::Bytes;

use super::{Envelope, normalize};
use crate::{Fact, Malformed};

/// What is larger goes aside, in bytes.
pub(super) const ASIDE: usize = 256 * 1024;

/// [`normalize`], and aside for what is large.
pub(super) async fn read(
    inbox: String,
    raw: Bytes,
    envelope: Option<Envelope>,
) -> Result<Vec<Fact>, Malformed> {
    if raw.len() < ASIDE {
        return normalize(Some(&inbox), &raw, envelope.as_ref());
    }
    let aside = tokio::task::spawn_blocking(move || normalize(Some(&inbox), &raw, envelope.as_ref()));
    aside.await.unwrap_or_else(|error| Err(Malformed { what: "message", reason: error.to_string() }))
}
