//! What the projection tells about itself.

use std::time::Duration;

use ::metrics::{Unit, gauge, histogram};
use domain::Kind;

pub const LAG_RECORDS: &str = "tributary_projection_lag_records";
pub const LAG: &str = "tributary_projection_lag_seconds";
pub const BATCH: &str = "tributary_projection_batch_changes";
pub const WRITE: &str = "tributary_projection_write_seconds";

/// Describes the metrics; a recorder must be installed before.
pub(crate) fn describe() {
    ::metrics::describe_gauge!(
        LAG_RECORDS,
        Unit::Count,
        "Records of the log not in the read model yet, by aggregate"
    );
    ::metrics::describe_gauge!(
        LAG,
        Unit::Seconds,
        "Age of the oldest record not in the read model yet, by aggregate"
    );
    ::metrics::describe_histogram!(BATCH, Unit::Count, "Changes written in one transaction");
    ::metrics::describe_histogram!(
        WRITE,
        Unit::Seconds,
        "Time of one transaction, waiting for the database included"
    );
}

pub(crate) fn lag(kind: Kind, records: u64, age: Duration) {
    gauge!(LAG_RECORDS, "aggregate" => kind.as_str()).set(records as f64);
    gauge!(LAG, "aggregate" => kind.as_str()).set(age.as_secs_f64());
}

pub(crate) fn written(changes: usize, took: Duration) {
    histogram!(BATCH).record(changes as f64);
    histogram!(WRITE).record(took);
}
