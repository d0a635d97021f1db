//! Showing what is sealed: opened for whoever may see it, withheld from everyone else.

use bytes::Bytes;
use domain::{Content, MessageId, Party, Sealed, TenantId};
use tonic::Status;
use vault::{Opened, Subject, Vault};
use wire::api::v1::{self as pb, address, body};

use crate::{convert, metrics};

/// Opens one tenant's sealed values for one caller.
#[derive(Clone)]
pub(crate) struct Opener {
    pub(crate) vault: Vault,
    pub(crate) tenant: TenantId,
    /// The caller may see personal data, and wants to.
    pub(crate) shown: bool,
}

enum Seen {
    Plain(Vec<u8>),
    Withheld,
    Erased,
    Unreadable,
}

impl Opener {
    /// A sealed [`Content`]. Fails only while the vault is unavailable.
    pub(crate) async fn body(&self, item: MessageId, sealed: &Sealed) -> Result<pb::Body, Status> {
        Ok(self.body_and_raw(item, sealed).await?.0)
    }

    /// The same, and what the provider sent: where the body is shown and the original was kept.
    pub(crate) async fn body_and_raw(
        &self,
        item: MessageId,
        sealed: &Sealed,
    ) -> Result<(pb::Body, Option<Bytes>), Status> {
        let mut raw = None;
        let state = match self.open(item, sealed).await? {
            Seen::Plain(plaintext) => match wire::decode_content(&plaintext) {
                Ok(mut content) => {
                    raw = content.raw.take();
                    body::State::Content(convert::content(content))
                }
                Err(error) => {
                    unreadable(item, &error);
                    body::State::Unreadable(())
                }
            },
            Seen::Withheld => body::State::Withheld(()),
            Seen::Erased => body::State::Erased(()),
            Seen::Unreadable => body::State::Unreadable(()),
        };
        Ok((pb::Body { state: Some(state) }, raw))
    }

    /// A customer's address, sealed under its own party.
    pub(crate) async fn address(&self, sealed: &Sealed) -> Result<pb::Address, Status> {
        let item = of_party(sealed.subject);
        let state = match self.open(item, sealed).await? {
            Seen::Plain(plaintext) => match String::from_utf8(plaintext) {
                Ok(text) => address::State::Address(text),
                Err(error) => {
                    unreadable(item, &error.utf8_error());
                    address::State::Unreadable(())
                }
            },
            Seen::Withheld => address::State::Withheld(()),
            Seen::Erased => address::State::Erased(()),
            Seen::Unreadable => address::State::Unreadable(()),
        };
        Ok(pb::Address { state: Some(state) })
    }

    async fn open(&self, item: MessageId, sealed: &Sealed) -> Result<Seen, Status> {
        if !self.shown {
            return Ok(Seen::Withheld);
        }
        let subject = subject(&self.tenant, sealed.subject);
        match self.vault.open_sealed(&subject, &item.0, &sealed.bytes).await {
            Ok(Opened::Plain(plaintext)) => Ok(Seen::Plain(plaintext)),
            Ok(Opened::Erased) => Ok(Seen::Erased),
            Err(error) if error.is_unavailable() => Err(vault_unavailable(&error)),
            Err(error) => {
                unreadable(item, &error);
                Ok(Seen::Unreadable)
            }
        }
    }
}

/// The item of what belongs to a party rather than to a message of it: its address, a transfer's note.
pub(crate) fn of_party(party: Party) -> MessageId {
    MessageId(party.0)
}

/// Seals a content under the customer's key.
pub(crate) async fn seal(
    vault: &Vault,
    tenant: &TenantId,
    party: Party,
    item: MessageId,
    content: &Content,
) -> Result<Sealed, Status> {
    let plaintext = wire::encode_content(content);
    let bytes = vault.seal(&subject(tenant, party), &item.0, &plaintext).await;
    let bytes = bytes.map_err(|error| vault_unavailable(&error))?;
    Ok(Sealed { subject: party, bytes: bytes.into() })
}

/// What is left for the next agent, if anything.
pub(crate) async fn note(
    vault: &Vault,
    tenant: &TenantId,
    party: Party,
    text: String,
) -> Result<Option<Sealed>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let content = Content { text, ..Content::default() };
    seal(vault, tenant, party, of_party(party), &content).await.map(Some)
}

fn subject(tenant: &TenantId, party: Party) -> Subject {
    Subject { tenant: tenant.shared(), party: party.0 }
}

fn vault_unavailable(error: &vault::Error) -> Status {
    tracing::warn!(error = error as &dyn std::error::Error, "the vault could not be used");
    Status::unavailable("the key store is unavailable for now: try again")
}

fn unreadable(item: MessageId, error: &(dyn std::error::Error + 'static)) {
    metrics::unreadable();
    tracing::warn!(%item, error, "a sealed value could not be read");
}
