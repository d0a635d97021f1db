//! Any channel that can post JSON: a form on a website, an app's own chat, a provider we have no connector for.
//!
//! ```text
//! POST {"id","from","text",…} ─▶ bearer::valid ─▶ normalize ─▶ facts      Outgoing ─▶ GenericSender ─▶ configured URL
//! ```
//!
//! The protocol is ours: [`normalize`](normalize()) says what is read, [`GenericSender`] what is sent.

pub mod bearer;
mod normalize;
mod send;

#[cfg(test)]
mod tests;

pub use normalize::normalize;
pub use send::{GenericSender, Target};
