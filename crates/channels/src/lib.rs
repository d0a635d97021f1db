//! The channels: what customers write with, and the left edge of Tributary.
//!
//! Each channel is a folder with the same three parts: a pure `normalize` from the provider's bytes to
//! [`Fact`]s, an edge that receives those bytes on a socket and answers only once the facts are durable, and
//! a [`Sender`] that carries a message out.
//!
//! ```text
//! socket ─▶ edge ─▶ normalize ─▶ Intake (seal, append) ─▶ log     log ─▶ delivery worker ─▶ Sender ─▶ provider
//! ```

#[cfg(test)]
mod compliance;
mod dead;
mod delivery;
pub mod email;
mod entry;
mod fact;
pub mod generic;
pub mod http;
mod intake;
mod log_intake;
pub mod messenger;
mod metrics;
mod orphans;
mod outbound;
mod profile;
pub mod sandbox;
mod scalar;
mod sender;
pub mod smpp;
#[cfg(test)]
mod testing;
mod tls;
pub mod twilio;
mod withhold;

pub use delivery::{Deliverer, Senders};
pub use fact::{Attachment, Channel, Fact, FactKind, KnownAs, Mail, Malformed, Pricing, Referral};
pub use intake::{Intake, Refused, Unsubscribe};
pub use log_intake::LogIntake;
pub use metrics::describe as describe_metrics;
pub use orphans::{Error as OrphansError, Orphans};
pub use outbound::{Error as OutboundError, Outbound};
pub use profile::{HELP, Profile, SETTINGS as PROFILE_SETTINGS};
pub use sender::{Chat, Lookup, Outcome, Outgoing, Sender, Thread};
