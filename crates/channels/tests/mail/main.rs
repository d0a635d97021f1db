//! Mail as it really comes: through Postfix into our listener, and out of Dovecot's mailboxes over IMAP, while each of the
//! three is killed in the middle.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "../../../../tests/mail/server.rs"]
mod server;
mod world;

mod bounces;
mod imap;
mod lmtp;
