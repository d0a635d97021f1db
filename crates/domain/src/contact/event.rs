//! What happened in the ledger.

use std::sync::Arc;

use crate::{ContactId, Party, TenantId, Timestamp, conversation::Correspondent};

#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A new contact, with its first address linked.
    Created {
        contact: ContactId,
        from: Correspondent,
        at: Timestamp,
    },
    /// The address belongs to `contact` from here on; `was` had it before.
    Linked {
        tenant: TenantId,
        contact: ContactId,
        party: Party,
        was: ContactId,
    },
    Tagged {
        tenant: TenantId,
        contact: ContactId,
        tag: Arc<str>,
    },
    Untagged {
        tenant: TenantId,
        contact: ContactId,
        tag: Arc<str>,
    },
}
