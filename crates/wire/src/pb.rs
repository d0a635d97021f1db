//! The generated messages of `tributary.log.v1`. Nothing outside this crate sees them.
#![allow(clippy::all, clippy::pedantic, unreachable_pub)]

include!("gen/tributary.log.v1.rs");
