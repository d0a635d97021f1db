//! The API from outside: a real server on loopback, real clients, and the log in memory.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what it did not expect")]

mod commands;
mod desk_stream;
mod reads;
mod serving;
mod set_aside;
mod subscribe;
mod supervision;
mod tokens;
mod turns;
mod world;
