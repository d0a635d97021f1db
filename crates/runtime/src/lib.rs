//! The partition worker: one runtime for all five aggregates.
//!
//! A [`Worker`] leads one partition: it folds the log, announces itself, and then does four things over and
//! over: **read** its intake, **decide**, **append** one decision, and, once that was read back from the log as
//! accepted, **perform** what follows from it. Everything it knows can be thrown away and folded again.

mod archive;
mod clock;
mod effects;
mod error;
mod leader;
mod mark;
mod metrics;
mod mirror;
mod off_thread;
mod points;
mod policies;
mod portions;
mod post;
mod random;
mod readiness;
mod relays;
mod retention;
mod rule;
mod scribe;
mod snapshot;
mod standing;
pub mod verify;
mod worker;

pub use archive::Archive;
pub use clock::Clock;
pub use effects::{Effects, NoEffects};
pub use error::Error;
pub use mark::Mark;
pub use metrics::describe as describe_metrics;
pub use mirror::Mirror;
pub use points::Points;
pub use policies::follow as follow_policies;
pub use post::Post;
pub use random::Random;
pub use readiness::Readiness;
pub use retention::Retention;
pub use rule::{Behind, LastDecision, Rule};
pub use snapshot::{Snapshot, Snapshots};
pub use standing::{Standing, intake, log_of};
pub use worker::{Duty, Setup, Worker, run_all};
