//! What the vault reports. Nothing is counted on the cached path, which must stay within a microsecond or two.

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use std::time::Duration;

const ISSUED: &str = "tributary_vault_keys_issued_total";
const READ: &str = "tributary_vault_keys_read_total";
const ERASED: &str = "tributary_vault_keys_erased_total";
const COMMIT: &str = "tributary_vault_commit_seconds";
const BLOB_BYTES: &str = "tributary_vault_blob_bytes_total";

pub(crate) fn describe() {
    describe_counter!(ISSUED, Unit::Count, "Data keys created for new parties");
    describe_counter!(READ, Unit::Count, "Data keys read from the key store because they were not cached");
    describe_counter!(ERASED, Unit::Count, "Data keys destroyed");
    describe_histogram!(COMMIT, Unit::Seconds, "Time of one durable commit of the key store");
    describe_counter!(BLOB_BYTES, Unit::Bytes, "Bytes written to sealed blobs");
}

pub(crate) fn read() {
    counter!(READ).increment(1);
}

pub(crate) fn issued(keys: usize, took: Duration) {
    counter!(ISSUED).increment(keys as u64);
    histogram!(COMMIT).record(took.as_secs_f64());
}

pub(crate) fn erased(keys: usize, took: Duration) {
    counter!(ERASED).increment(keys as u64);
    histogram!(COMMIT).record(took.as_secs_f64());
}

pub(crate) fn blob_written(bytes: usize) {
    counter!(BLOB_BYTES).increment(bytes as u64);
}
