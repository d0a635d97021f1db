//! Messages between aggregates, and where they go.
//!
//! A relay is a command that one aggregate's event is for another. Source and target count them densely, so
//! that resending is harmless and a gap is impossible.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DeskId, Lane, Party, TenantId, contact, conversation, delivery, desk};

/// The five aggregates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Kind {
    Conversation,
    Desk,
    Delivery,
    Contact,
    Workspace,
}

impl Kind {
    pub const ALL: [Kind; 5] =
        [Kind::Conversation, Kind::Desk, Kind::Delivery, Kind::Contact, Kind::Workspace];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Conversation => "conversation",
            Kind::Desk => "desk",
            Kind::Delivery => "delivery",
            Kind::Contact => "contact",
            Kind::Workspace => "workspace",
        }
    }

    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The topic that many write to: facts, commands and relays for this aggregate.
    pub fn intake_topic(self) -> &'static str {
        match self {
            Kind::Conversation => "conversation.in",
            Kind::Desk => "desk.in",
            Kind::Delivery => "delivery.in",
            Kind::Contact => "contact.in",
            Kind::Workspace => "workspace.in",
        }
    }

    /// The topic that only the leader writes to: this aggregate's decisions.
    pub fn log_topic(self) -> &'static str {
        match self {
            Kind::Conversation => "conversation.log",
            Kind::Desk => "desk.log",
            Kind::Delivery => "delivery.log",
            Kind::Contact => "contact.log",
            Kind::Workspace => "workspace.log",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One partition of one aggregate, as the sender or the target of relays.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Peer {
    pub kind: Kind,
    pub partition: u32,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.kind, self.partition)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A command on its way from one aggregate to another.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Relay {
    Conversation(conversation::Command),
    Desk(desk::Command),
    Delivery(delivery::Command),
    Contact(contact::Command),
}

impl Relay {
    pub fn kind(&self) -> Kind {
        match self {
            Relay::Conversation(_) => Kind::Conversation,
            Relay::Desk(_) => Kind::Desk,
            Relay::Delivery(_) => Kind::Delivery,
            Relay::Contact(_) => Kind::Contact,
        }
    }
}

/// What a partition is chosen by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// To the conversations of a party.
    Party(Party),
    /// To a desk.
    Desk(DeskId),
    /// To the delivery lane of an inbox.
    Lane(Lane),
    /// To a tenant's contacts.
    Contacts(TenantId),
    /// To a tenant's workspace.
    Workspace(TenantId),
}

impl Route {
    pub fn kind(&self) -> Kind {
        match self {
            Route::Party(_) => Kind::Conversation,
            Route::Desk(_) => Kind::Desk,
            Route::Lane(_) => Kind::Delivery,
            Route::Contacts(_) => Kind::Contact,
            Route::Workspace(_) => Kind::Workspace,
        }
    }
}

/// How many partitions each aggregate has: fixed when the log is created.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Topology {
    pub conversation: u32,
    pub desk: u32,
    pub delivery: u32,
    pub contact: u32,
    pub workspace: u32,
}

impl Topology {
    pub fn partitions(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Conversation => self.conversation,
            Kind::Desk => self.desk,
            Kind::Delivery => self.delivery,
            Kind::Contact => self.contact,
            Kind::Workspace => self.workspace,
        }
    }

    /// Where the route leads. Stable for ever: changing this function would tear every history apart.
    pub fn peer(&self, route: &Route) -> Peer {
        let hash = match route {
            // A party is a keyed hash already.
            Route::Party(party) => u64::from_be_bytes(std::array::from_fn(|i| party.0[i])),
            Route::Desk(desk) => fnv1a([desk.tenant.as_str().as_bytes(), b"/", desk.name.as_bytes()]),
            Route::Lane(lane) => fnv1a([lane.inbox.as_str().as_bytes(), b"/", &[lane.number]]),
            Route::Contacts(tenant) | Route::Workspace(tenant) => {
                fnv1a([tenant.as_str().as_bytes(), b"", b""])
            }
        };
        let kind = route.kind();
        let count = u64::from(self.partitions(kind).max(1));
        Peer { kind, partition: u32::try_from(hash % count).unwrap_or(0) }
    }
}

/// FNV-1a, 64 bits: small, stable, and good enough to spread names.
pub(crate) fn fnv1a<const N: usize>(parts: [&[u8]; N]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.into_iter().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}
