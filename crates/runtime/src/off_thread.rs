//! Work that waits for the disk, kept off the threads that workers run on.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::{self, JoinError},
};

/// Yields what `work` does. On a runtime of one thread it is done in place: there nothing runs beside anything, and
/// what runs first is the same every time.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Ok(work()),
        _ => task::spawn_blocking(work).await,
    }
}

/// Drops what takes long to drop.
pub(crate) fn drop_off_thread<T: Send + 'static>(value: T) {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => drop(value),
        _ => drop(task::spawn_blocking(move || drop(value))),
    }
}
