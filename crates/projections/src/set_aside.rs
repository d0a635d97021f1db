//! Inputs that could not be handled, kept whole for an operator.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use domain::{InboxId, Kind, MessageId, Party, Peer, Sealed, TenantId, Timestamp};

use crate::entry::Unnamed;

/// Where in the log it was set aside. Written `AGGREGATE-PARTITION-POSITION-INDEX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SetAsideId {
    /// Whose decision set it aside, and so whose intake it came from.
    pub peer: Peer,
    pub position: u64,
    pub index: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetAsideRow {
    pub id: SetAsideId,
    /// None where the input does not tell: it could not be read, or came from another aggregate.
    pub tenant: Option<TenantId>,
    pub at: Timestamp,
    pub reason: String,
    /// Of what is kept, in bytes.
    pub size: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetAside {
    pub row: SetAsideRow,
    pub kept: Kept,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// The intake record as it came; what is personal in it is sealed.
    Input(Bytes),
    /// A message that could not be understood: a sealed [`domain::Content`] under item `message`.
    Message { inbox: InboxId, party: Party, message: MessageId, content: Sealed },
}

impl fmt::Display for SetAsideId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}-{}", self.peer.kind, self.peer.partition, self.position, self.index)
    }
}

impl FromStr for SetAsideId {
    type Err = Unnamed;

    fn from_str(text: &str) -> Result<Self, Unnamed> {
        let bad = || Unnamed::new("an input set aside (AGGREGATE-PARTITION-POSITION-INDEX)", text);
        let mut parts = text.splitn(4, '-');
        let mut next = || parts.next().ok_or_else(bad);
        let (kind, partition, position, index) = (next()?, next()?, next()?, next()?);
        Ok(SetAsideId {
            peer: Peer {
                kind: Kind::named(kind).ok_or_else(bad)?,
                partition: partition.parse().map_err(|_| bad())?,
            },
            position: position.parse().map_err(|_| bad())?,
            index: index.parse().map_err(|_| bad())?,
        })
    }
}
