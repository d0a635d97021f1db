//! SMS over SMPP 3.4: a client (ESME) of an operator's or aggregator's message centre.
//!
//! ```text
//! deliver_sm ─▶ link ─▶ Inbound: receipt, part or message ─▶ Intake ─▶ deliver_sm_resp
//! Outgoing ─▶ Smpp: segments ─▶ pace ─▶ window of a link ─▶ submit_sm ─▶ submit_sm_resp ─▶ Outcome
//! ```
//!
//! The codec and the session are ours. Of the crates there are, `smpp34` (0.1) panics on statuses it does not know, logs
//! each message, and needs the system's TLS; `rusmpp` (0.3) is a good codec, but strict: a unit with one bad field is an
//! error of the stream, and its client `rusmppc` ends the connection over it, writes unit by unit, has no window, and does
//! not tell a request that never left from one whose outcome nobody knows. All three distinctions matter here.

mod config;
mod inbound;
mod link;
mod message;
mod normalize;
mod pace;
pub mod pdu;
mod receipt;
mod sender;
mod status;

#[cfg(test)]
mod tests;

pub use config::{Config, SETTINGS, Wrong};
pub use normalize::normalize;
pub use sender::{Error, Smpp};
