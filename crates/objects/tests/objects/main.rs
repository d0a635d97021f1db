//! One suite for every kind of store, and what each kind does when things go wrong.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod folder;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "s3")]
#[path = "../../../../tests/objects/server.rs"]
mod server;
mod suite;
#[cfg(feature = "s3")]
#[path = "../../../../tests/objects/wire.rs"]
mod wire;
