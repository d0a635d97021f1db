//! The durable log: where everything that happened is written down, once.
//!
//! Facts and commands arrive in a topic's partitions on the left, decisions leave on the right; everything
//! else in Tributary is a fold of what stands here. The [`Log`] trait is written for the weakest backend and
//! every backend passes the same [`conformance`] suite.
//!
//! ```text
//! edges ──append──▶ X.in ──tail──▶ worker ──append──▶ X.log ──tail──▶ readers
//! ```

pub mod clock;
pub mod conformance;
mod contract;
pub mod copy;
pub mod local;
pub mod memory;
pub mod metrics;
mod tail;

pub use contract::{
    Appending, Error, Limit, Log, MAX_RECORD, Membership, Partition, Record, Share, Topic, check_size,
};
pub use local::{LocalConfig, LocalLog};
pub use memory::MemoryLog;
pub use tail::Tail;
