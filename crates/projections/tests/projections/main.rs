//! Stories told to the log, and what the read models make of them.
#![allow(clippy::unwrap_used)]

mod contacts;
mod elsewhere;
mod recovery;
mod set_aside;
mod timeline;
mod world;
