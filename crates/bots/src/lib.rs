//! The built-in bot: configured in the workspace, asked by the conversation worker.
//!
//! A turn that stands in the log is an effect to perform: the bot reads it, thinks ([`answer`], a pure function),
//! and puts its answer into the conversation's intake. Someone else's bot does the same over gRPC and has no
//! advantage and no disadvantage by that. It also finds the words for queues that are closed.

mod away;
mod flow;
mod metrics;
mod runner;

pub use flow::{Asked, Said, answer};
pub use metrics::describe as describe_metrics;
pub use runner::BuiltIn;
