//! E-mail: mail servers hand messages in over SMTP or LMTP, answers leave through the business's own relay.
//!
//! ```text
//! mail server ─▶ smtp (socket, bounds) ─▶ normalize (mime, html, reply, report) ─▶ Intake ─▶ trust (who wrote it)
//!     mailbox ◀▶ imap ────────────────────┘
//!       relay ◀─ send (pace, answer) ◀─ compose (letter, dkim) ◀─ Outgoing
//!                           └── reference: what an answer brings back, so that it finds its conversation
//! ```
//!
//! Sources: RFC 5321 (SMTP), RFC 2033 (LMTP), RFC 5322 (messages), RFC 2045 and following (MIME), RFC 3464
//! (delivery status), RFC 3834 (automatic answers), RFC 5965 (complaints).

use std::net::IpAddr;

mod answer;
mod aside;
mod compose;
mod dkim;
mod html;
pub mod imap;
mod letter;
mod metrics;
mod mime;
mod normalize;
mod pace;
mod reference;
mod relay;
mod reply;
mod report;
mod send;
pub mod smtp;
#[cfg(test)]
mod tests;
mod threading;
mod trust;

pub use compose::{Error as ComposeError, MailboxIdentity, compose};
pub use dkim::{DkimError, DkimSigner};
pub use letter::{Letterhead, SignWith, Template, TemplateError};
pub use normalize::normalize;
pub use reference::{message_id, reply_to};
pub use relay::{NoLine, Relay, RelayConfig, RelayTls};
pub use reply::{Part, PartKind, parts};
pub use report::{Bounced, Cause};
pub use send::{Manners, SmtpSender};
pub(crate) use threading::{answered_of_ours, topic};
pub use trust::{Authentication, BadSetting, Error as TrustError, Hosts, Verifier};

/// How a mail server handed a message over: what stands outside of the message itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Envelope {
    /// The return path, lower case; empty for `<>`, which only reports and automatic answers use.
    pub sender: String,
    /// The recipients it was handed over for, lower case.
    pub recipients: Vec<String>,
    /// Who handed it over. None where a mailbox was read.
    pub client: Option<Client>,
}

/// The other end of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    pub ip: IpAddr,
    /// The name it gave itself.
    pub helo: String,
}

/// `local` and `domain` of a bare address.
fn split_address(address: &str) -> Option<(&str, &str)> {
    address.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty())
}
