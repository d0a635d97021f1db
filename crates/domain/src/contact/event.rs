//! What happened in the ledger.

use std::sync::Arc;

use crate::{
    ContactId, Party, Relay, Route, Tags, TenantId, Timestamp,
    conversation::{self, Correspondent},
};

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
    /// The conversations of this address learn what tags its contact has.
    TagsTold {
        tenant: TenantId,
        party: Party,
        tags: Tags,
    },
    /// The conversations of this address learn which other addresses its contact has.
    OthersTold {
        tenant: TenantId,
        party: Party,
        /// In order; of a contact with very many, some.
        others: Vec<Party>,
    },
}

impl Event {
    pub(super) fn relay(&self) -> Option<(Route, Relay)> {
        let (party, command) = match self {
            Event::TagsTold { tenant, party, tags } => {
                let (tenant, tags) = (tenant.clone(), tags.clone());
                (*party, conversation::Command::NoteTags { tenant, party: *party, tags })
            }
            Event::OthersTold { tenant, party, others } => {
                let (tenant, others) = (tenant.clone(), others.clone());
                (*party, conversation::Command::NoteOthers { tenant, party: *party, others })
            }
            _ => return None,
        };
        Some((Route::Party(party), Relay::Conversation(command)))
    }
}
