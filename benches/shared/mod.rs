//! What the benches of the whole system share. Each starts the real binary on loopback, loads it from this process,
//! and looks afterwards into what it left behind.

#![allow(dead_code, reason = "each bench uses its part")]

pub(crate) mod load;
pub(crate) mod process;
pub(crate) mod report;
pub(crate) mod watch;
pub(crate) mod webhooks;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
