//! The partition worker: one runtime for all five aggregates.
//!
//! A [`Worker`] leads one partition: it folds the log, announces itself, and then does four things over and
//! over: **read** its intake, **decide**, **append** one decision, and, once that was read back from the log as
//! accepted, **perform** what follows from it. Everything it knows can be thrown away and folded again.

mod effects;
mod error;
mod leader;
mod metrics;
mod policies;
mod post;
mod relays;
mod snapshot;
mod standing;
pub mod verify;
mod worker;

pub use effects::{Effects, NoEffects};
pub use error::Error;
pub use metrics::describe as describe_metrics;
pub use policies::follow as follow_policies;
pub use post::Post;
pub use snapshot::{Snapshot, Snapshots};
pub use standing::{Standing, intake, log_of};
pub use worker::{Readiness, Setup, Worker, run_all};
