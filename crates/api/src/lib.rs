//! The public gRPC API: everything that people, bots and other services ask of Tributary or are told by it.
//!
//! ```text
//! client ──token──▶ service ──command──▶ X.in … X.log ──▶ hub ──answer──▶ client
//!                      ▲                    │
//!                      └── subscriptions ◀──┴──▶ hub ──▶ streams of agents, bots and supervisors
//! ```
//!
//! Nothing is decided here. A command is answered by the decision that the log accepted; what is shown is what
//! the log or its projections hold. The services are defined in `proto/tributary/v1`.

// Who calls, and the server that listens.
mod auth;
mod server;

// The services.
mod bots;
mod contacts;
mod desk;
mod events;
mod operator;
mod supervision;
mod timelines;
mod why;
mod workspace;

// What they share: the log followed, commands answered, streams bounded.
mod commands;
mod cursor;
mod follow;
mod hub;
mod outlet;

// Between the domain and the API's messages.
mod content;
mod convert;

pub mod metrics;

pub use auth::{Principal, Role, Tokens};
pub use convert::policy::to_message as policy_message;
pub use follow::Error as FollowError;
pub use operator::{NotRead, ReadAgain};
pub use server::{Config, Error, Server};
pub use why::Story;
