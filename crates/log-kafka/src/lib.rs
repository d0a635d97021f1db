//! The log on Apache Kafka: one record is one plain message, a position is its offset.
//!
//! ```text
//! append ──▶ one idempotent producer ──▶ brokers ──▶ one tail consumer ──▶ recent records ──▶ readers at the end
//!                     │ acknowledged                                            ▲      (memory only)
//!                     └─────────────────────────────────────────────────────────┘
//!                                        brokers ──▶ a few history consumers ──▶ readers of what is older
//! ```
//!
//! Every reader of a process shares one tail consumer, whatever the number of partitions and readers; what this process
//! appended itself is seen with its acknowledgement. Who reads what has left memory borrows one of a few consumers, each
//! of which goes on where it was. Nothing here blocks a thread of the asynchronous runtime.
//!
//! Topics are made by [`topics::create`] and never by accident: the settings that the log's promises rest on are
//! theirs, and [`topics::check`] holds a cluster against them.

mod client;
mod config;
mod history;
mod kafka;
mod line;
mod membership;
mod producer;
mod slot;
mod tail;
pub mod topics;
mod watch;

pub use config::{KafkaConfig, Unusable};
pub use kafka::KafkaLog;
