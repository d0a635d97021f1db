//! Mailboxes that we read ourselves, over IMAP (RFC 3501), where no mail server hands their mail to our listener.
//!
//! ```text
//! policies ─▶ Place, Access ─┐
//! delivery worker ─▶ Led ────┴▶ Pulls ─▶ pull ─▶ session (async-imap) ◀─▶ mail server
//!        ▲                                 ├─▶ normalize ─▶ Intake ─▶ log
//!        └───────── MarkMailbox ◀──────────┘  once that is durable
//! ```
//!
//! Who leads an inbox's first lane of delivery reads its mailbox, so one process does. How far it came is part of that
//! lane's state: the mark. It moves only behind mail that is durable, so nothing is skipped; what is read a second time,
//! after a crash or because the server counts anew, is known again as the same fact. Nothing in the mailbox is changed,
//! not even what is marked as read.

mod access;
mod batch;
mod look;
mod metrics;
mod place;
mod pull;
mod pulls;
mod session;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use access::{Access, OAuth2};
pub use look::{Looked, look};
pub use place::{BadSetting, Place, SETTINGS, Start, Tls};
pub use pulls::{Mailbox, Mailboxes, Pulls};

/// What the reading of every mailbox keeps to.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of one message. A larger one is told of in the timeline, with its header.
    pub max_message: usize,
    /// Octets of the messages fetched by one command, unless a single one has more.
    pub batch_bytes: usize,
    /// Messages fetched by one command.
    pub batch_messages: usize,
    /// The longest that a server is left in IDLE: below the half hour after which it may hang up (RFC 2177), and
    /// below what most firewalls remember a silent connection for.
    pub idle: Duration,
    /// Between looks at a server that has no IDLE.
    pub poll: Duration,
    /// For a server to answer a command.
    pub answer: Duration,
    /// For one message to arrive.
    pub message: Duration,
    /// For the intake to make a message durable.
    pub intake: Duration,
    /// Between attempts to reach a server: the first pause, which doubles, and the longest.
    pub pause: (Duration, Duration),
    /// After a server refused the password. Some lock an account that is tried more often.
    pub refused_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Limits {
            max_message: 25 * MIB,
            batch_bytes: 8 * MIB,
            batch_messages: 256,
            idle: Duration::from_secs(5 * 60),
            poll: Duration::from_secs(60),
            answer: Duration::from_secs(60),
            message: Duration::from_secs(10 * 60),
            intake: Duration::from_secs(60),
            pause: (Duration::from_secs(1), Duration::from_secs(5 * 60)),
            refused_pause: Duration::from_secs(15 * 60),
        }
    }
}

/// Why a mailbox is not read for now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot reach the server")]
    Connect(#[source] std::io::Error),
    #[error("the server's name {0} is no host's name")]
    Name(String),
    #[error("no TLS with the server")]
    Tls(#[source] std::io::Error),
    /// Trying again does not help, unless somebody sees to it.
    #[error("the server refuses the login: {0}")]
    Refused(String),
    #[error("no access token: {0}")]
    Token(String),
    #[error("the server refuses to {operation}: {reason}")]
    Answer { operation: &'static str, reason: String },
    #[error("the connection broke: could not {operation}")]
    Lost { operation: &'static str },
    #[error("the server took too long to {operation}")]
    TooLong { operation: &'static str },
    /// Its bytes are not told: they may be mail.
    #[error("the server's answer makes no sense: could not {operation}")]
    Nonsense { operation: &'static str },
    #[error("mail cannot be kept now: {0}")]
    Intake(String),
    #[error("the log takes no mark")]
    Mark(#[source] log::Error),
}
