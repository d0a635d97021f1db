//! Objects: large things that never change, by name, where many machines reach them.
//!
//! ```text
//!  vault: sealed blobs ──┐            ┌── a folder (this machine's, or one that is shared)
//!                        ├──▶ Store ──┤
//!  runtime: snapshots ───┘            └── a bucket of S3 or of what speaks like it (feature `s3`)
//! ```
//!
//! An object is there whole or not at all, and is durable once a write returned. Every call ends within a bounded time:
//! ten seconds, and one more for each MiB that moves.

#[cfg(feature = "s3")]
mod bucket;
mod error;
mod folder;
mod place;
mod store;

pub use error::Error;
pub use store::{At, Credentials, Object, S3, Store};
