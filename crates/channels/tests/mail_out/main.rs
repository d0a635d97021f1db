//! Mail as it leaves, read, verified and taken by software of others' making: Python's own parser, dkimpy, and aiosmtpd.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod peers;
mod reading;
mod sending;
