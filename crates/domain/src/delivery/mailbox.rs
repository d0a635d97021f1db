//! How far an inbox's mailbox was read, where the inbox fetches its mail itself (IMAP).
//!
//! The leader of the inbox's first lane holds that connection. What it has read it tells the lane once that mail is
//! durable, so whoever leads next goes on from there.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Messages of a mailbox are counted upward by their UIDs, for as long as its UIDVALIDITY stays (RFC 3501 section 2.3.1.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MailboxMark {
    /// The account and its folder. Another one is read from its own beginning.
    pub mailbox: Arc<str>,
    pub validity: u32,
    /// All messages up to this UID have been read.
    pub through: u32,
    /// Mail that arrived before is none of ours: it was there before the inbox was set up.
    pub since: Timestamp,
    /// Messages up to this UID were there when the reading began, or began anew: of these, only what arrived from `since` on
    /// is read. What has a higher UID came later, whatever its date.
    pub sifted_through: u32,
}

impl MailboxMark {
    /// Whether this says something new to who knows `known`.
    pub(super) fn follows(&self, known: &MailboxMark) -> bool {
        let is_same = self.mailbox == known.mailbox && self.validity == known.validity;
        !is_same || self.through > known.through
    }
}
