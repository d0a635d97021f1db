//! A look at a mailbox, for whoever sets one up: as far as its reading goes before the first message.

use std::time::Duration;

use super::{Error, Limits, Mailbox, access::Tokens, session::Session};
use crate::Outbound;

/// A mailbox that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Looked {
    /// The folder's UIDVALIDITY (RFC 3501 section 2.3.1.1).
    pub validity: u32,
    /// The UID of the last message there was; 0 where there was none.
    pub last: u32,
    /// The server tells of new mail at once (RFC 2177).
    pub can_idle: bool,
}

/// Connects, logs in and opens the folder, for reading only. Each step takes so long at most.
///
/// # Errors
/// The first step that fails.
pub async fn look(mailbox: &Mailbox, outbound: Outbound, within: Duration) -> Result<Looked, Error> {
    let Mailbox { place, access, roots } = mailbox;
    let limits = Limits { answer: within, ..Limits::default() };
    let mut session = Session::open(place, access, &Tokens::new(outbound), &limits, roots.as_ref()).await?;
    let opened = session.examine(&place.folder).await?;
    Ok(Looked { validity: opened.validity, last: opened.last, can_idle: session.can_idle() })
}
