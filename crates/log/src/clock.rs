//! The one place that asks the operating system what time it is.

/// Milliseconds since the Unix epoch, UTC.
#[allow(clippy::disallowed_methods)]
pub fn now() -> i64 {
    match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}
