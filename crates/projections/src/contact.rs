//! People of the owned ledger, as they stand.

use domain::{Channel, ContactId, InboxId, Party, Sealed, Timestamp};

#[derive(Clone, PartialEq, Debug)]
pub struct ContactRow {
    pub id: ContactId,
    pub created_at: Timestamp,
    /// In the order of their bytes.
    pub tags: Vec<String>,
    /// In the order of their parties. One that was seen this very moment may still be missing.
    pub addresses: Vec<Address>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Address {
    pub party: Party,
    pub inbox: InboxId,
    pub channel: Channel,
    /// The address on the channel, sealed under `party` as the item `MessageId(party.0)`.
    pub sealed: Sealed,
    pub first_seen: Timestamp,
}
