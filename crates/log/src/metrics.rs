//! What a durable log tells about itself, whatever it stands on.

use std::time::Duration;

use ::metrics::{Counter, Histogram, Unit};

use crate::Error;

pub const APPENDS: &str = "tributary_log_appends_total";
pub const BYTES: &str = "tributary_log_bytes_total";
pub const BATCH: &str = "tributary_log_batch_records";
pub const COMMIT: &str = "tributary_log_commit_seconds";
pub const ERRORS: &str = "tributary_log_append_errors_total";

/// Handles to the metrics; a recorder must be installed before the log is opened to see them. For backends.
pub struct Meters {
    appends: Counter,
    bytes: Counter,
    batch: Histogram,
    commit: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        Meters::new()
    }
}

impl Meters {
    pub fn new() -> Self {
        describe();
        Meters {
            appends: ::metrics::counter!(APPENDS),
            bytes: ::metrics::counter!(BYTES),
            batch: ::metrics::histogram!(BATCH),
            commit: ::metrics::histogram!(COMMIT),
        }
    }

    /// Appends that were made durable together, and how long that took.
    pub fn committed(&self, appends: usize, records: usize, bytes: usize, took: Duration) {
        self.appends.increment(appends as u64);
        self.bytes.increment(bytes as u64);
        self.batch.record(records as f64);
        self.commit.record(took);
    }

    /// An append that failed.
    pub fn refused(&self, error: &Error) {
        let kind = match error {
            Error::Full(_) => "full",
            Error::DiskFull => "disk_full",
            Error::TooLarge { .. } => "too_large",
            Error::Closed => "closed",
            Error::Unknown { .. } => "unknown",
            _ => "other",
        };
        ::metrics::counter!(ERRORS, "kind" => kind).increment(1);
    }
}

fn describe() {
    ::metrics::describe_counter!(APPENDS, Unit::Count, "Appends made durable");
    ::metrics::describe_counter!(BYTES, Unit::Bytes, "Bytes made durable");
    ::metrics::describe_histogram!(BATCH, Unit::Count, "Records committed together");
    ::metrics::describe_histogram!(
        COMMIT,
        Unit::Seconds,
        "Time from taking a batch to having it on stable storage"
    );
    ::metrics::describe_counter!(ERRORS, Unit::Count, "Appends that failed, by kind");
}
