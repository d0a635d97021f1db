//! What happened in the ledger.

use std::sync::Arc;

use crate::{
    ContactId, Party, Relay, Route, Tags, TenantId, Timestamp,
    conversation::{self, Correspondent, Token, Untied},
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
    /// An agent made sure that the address is this contact's person's. `was` had it before, and is remembered with its
    /// tags; none where the address was not known yet.
    Joined {
        tenant: TenantId,
        contact: ContactId,
        party: Party,
        was: Option<ContactId>,
    },
    /// That was wrong: the address is `contact`'s again, who is made anew if it was gone. Its tags stand behind this.
    Parted {
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
    /// A token of ours was shown at this address, and is of no more use. `refused`: why the address is not the contact's by
    /// it. Its conversations learn of it.
    TokenTaken {
        tenant: TenantId,
        party: Party,
        token: Box<Token>,
        refused: Option<Untied>,
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
            Event::TokenTaken { tenant, party, token, refused } => {
                let (tenant, token) = (tenant.clone(), token.clone());
                (*party, conversation::Command::NoteTie { tenant, party: *party, token, refused: *refused })
            }
            _ => return None,
        };
        Some((Route::Party(party), Relay::Conversation(command)))
    }
}
