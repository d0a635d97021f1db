//! What the ledger may be told or asked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ContactId, Party, TenantId, Timestamp,
    conversation::{Correspondent, Token},
};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Relay, from a conversation: someone wrote from this address. Creates a contact on first sight.
    See {
        from: Correspondent,
        at: Timestamp,
    },
    /// Relay, from a conversation: whoever is at this address is at another one, too.
    Follow {
        party: Party,
        to: Correspondent,
        /// The other address is new to that customer. Was it known here before, it was someone else's, and stays theirs.
        moved: bool,
        at: Timestamp,
    },
    /// This address is this contact's (too), of 256 at most. It leaves the contact it was linked to; one left without
    /// addresses is gone.
    Link {
        tenant: TenantId,
        contact: ContactId,
        party: Party,
    },
    /// Relay, from a conversation: an agent made sure that the address is the same person's as the address `to`. The
    /// contact that it leaves comes back by [`Command::Part`].
    Join {
        tenant: TenantId,
        party: Party,
        to: Party,
    },
    /// Relay, from a conversation: that was wrong.
    Part {
        tenant: TenantId,
        party: Party,
        of: Party,
    },
    /// Tags are the business's own words, at most 64 bytes each and 100 a contact.
    Tag {
        tenant: TenantId,
        contact: ContactId,
        tag: Arc<str>,
    },
    Untag {
        tenant: TenantId,
        contact: ContactId,
        tag: Arc<str>,
    },
    /// Relay, from a conversation: the link that the customer came in by gives these tags to whoever has the address.
    TagAddress {
        tenant: TenantId,
        party: Party,
        tags: Vec<Arc<str>>,
    },
    /// Relay, from a conversation: at this address a token was shown that we made for a contact.
    Tie {
        tenant: TenantId,
        party: Party,
        token: Box<Token>,
    },
}

/// Contacts have no timers yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TimerId {}
