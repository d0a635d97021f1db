//! Messenger, Instagram and WhatsApp against a Meta of this process that behaves as its documentation says.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod fake;
mod foreign;
mod health;
mod sending;
mod webhooks;
