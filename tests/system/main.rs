//! The real binary, driven by real clients over real sockets, and judged by counting.
//!
//! ```text
//! providers ─HTTP, SMTP─▶ ┌───────────┐ ─gRPC─▶ agents, subscriber
//!                         │ tributary │
//! outbox, attempts  ◀─────└───────────┘ ─gRPC─▶ timelines
//!        └────────────────▶ count ◀────────────────┘
//! ```
//!
//! Nothing here uses the code it judges: signatures are made, mails written and events folded by this test's own
//! hand. Only the generated gRPC clients are shared.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// The binary, its folder, and what it leaves there.
mod outbox;
mod process;

// Whoever talks to it.
mod clients;
mod people;

// What must hold, counted.
mod count;

// The stories.
mod story_callback;
mod story_full_disk;
mod story_kill;
mod story_many_agents;
mod story_one_of_each;
mod story_stop;
