//! The worker with real aggregates on a log in memory: a story end to end, leaders that come and go, faults of the
//! log, and the checks that find what must not be.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod chaos;
mod faults;
mod hand;
mod leaders;
mod net;
mod story;
mod timers;
mod world;
