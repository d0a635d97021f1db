//! Short messages over real sockets: with a message centre of this process that misbehaves as scripts say, and with message
//! centres and libraries of others' making.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod client;
mod delivered;
mod foreign;
mod jsmpp;
mod lines;
mod sent;
mod smsc;
mod twilio;
