//! Ctrl-C and SIGTERM: the first asks to stop in order, one that comes later does not wait for it. And the signal of
//! a file that may not grow.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit;

/// What comes within this time is the first signal again: supervisors tell a process and then its whole group.
const ECHO: Duration = Duration::from_secs(1);

/// `SIGXFSZ` as Linux numbers it, on all but MIPS and PA-RISC.
const FILE_TOO_LARGE: i32 = 25;

/// Makes a limit on the size of files (`ulimit -f`) an error of the write that meets it, which the log treats as a full
/// disk. Unless the signal is caught, the kernel ends the process.
pub fn survive_file_size_limits() -> anyhow::Result<()> {
    // It stays caught when nobody listens any more.
    signal(SignalKind::from_raw(FILE_TOO_LARGE)).map(drop).context("could not catch SIGXFSZ")
}

/// A token that the first signal cancels.
pub fn stop() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let mut first: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first.get_or_insert_with(Instant::now).elapsed() > ECHO {
                tracing::warn!("told again to stop: stopping at once; the log has all that was acknowledged");
                std::process::exit(exit::FAILED.into());
            }
            stop.cancel();
        }
    });
    Ok(token)
}
