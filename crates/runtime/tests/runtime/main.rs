//! The worker with real aggregates on a log in memory: a story end to end, leaders that come and go, faults of the
//! log, and the checks that find what must not be.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod adrift;
mod brittle;
mod business;
mod chaos;
mod clocks;
mod faults;
mod hand;
mod keeping;
mod leaders;
mod memory;
mod mirror;
mod net;
mod panics;
mod scribes;
#[cfg(feature = "s3")]
#[path = "../../../../tests/objects/server.rs"]
mod server;
mod standby;
mod story;
mod timers;
mod watched;
#[cfg(feature = "s3")]
#[path = "../../../../tests/objects/wire.rs"]
mod wire;
mod world;
