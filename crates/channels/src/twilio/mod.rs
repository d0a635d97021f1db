//! SMS (and MMS) through Twilio's Programmable Messaging, or anything that speaks its HTTP.
//!
//! ```text
//! POST message or status ─▶ Form ─▶ signature::valid ─▶ normalize ─▶ facts      Outgoing ─▶ TwilioSender ─▶ Messages.json
//! ```
//!
//! Sources: *Validating requests are coming from Twilio*, *Twilio's request to your webhook URL*, *Outbound message
//! status in status callbacks* and *Messages resource* at twilio.com/docs.

mod form;
mod normalize;
mod send;
pub mod signature;

/// The same for every attempt at telling us one event (*Event delivery retries and event duplication*).
pub(crate) const IDEMPOTENCY: &str = "i-twilio-idempotency-token";

#[cfg(test)]
mod tests;

pub use form::Form;
pub(crate) use normalize::tell_apart;
pub use normalize::{facts, normalize};
pub use send::{Account, TwilioSender};
