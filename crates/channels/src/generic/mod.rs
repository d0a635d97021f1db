//! Any channel that can post JSON: a form on a website, an app's own chat, a provider we have no connector for.
//!
//! ```text
//! POST {"id","from","text",…} ─▶ bearer::valid ─▶ normalize ─▶ facts      Outgoing ─▶ GenericSender ─▶ configured URL
//! ```
//!
//! The protocol is ours, [`normalize`](normalize()) says what is read and [`GenericSender`] what is sent, unless settings
//! describe a provider's: then [`Provider`] reads and checks, and a [`Request`] sends.

pub(crate) mod allow;
pub mod bearer;
mod normalize;
mod read;
mod send;
mod settings;
pub(crate) mod signature;

#[cfg(test)]
mod providers;
#[cfg(test)]
mod tests;

pub use normalize::normalize;
pub use send::{GenericSender, Request, Target};
pub use settings::{CODES, Provider, SETTINGS, Wrong, request};
