//! Snapshots of a partition that is led here, written while its leader goes on.
//!
//! ```text
//!  leader  ──all is read back──▶ lends state and archive ─────────────────▶ takes the archive back
//!  scribe                        └▶ writes them, at its leisure ─▶ snapshot ┘
//! ```
//!
//! What is lent is shared, and so costs the leader little: who changes while it is written is in memory twice for that
//! long, and nobody else. At what is read back, since what is in flight may never be accepted.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;
use wire::Codec;

use crate::{Archive, Error, Setup, Standing, off_thread::drop_off_thread};

/// One snapshot being written.
pub(crate) struct Scribe(AbortOnDropHandle<Result<Option<Archive>, Error>>);

/// To write a snapshot; there is one in the process.
pub(crate) type Turn = OwnedSemaphorePermit;

impl Scribe {
    pub(crate) fn begin<A: Codec>(setup: Arc<Setup<A>>, lent: Standing<A>, turn: Turn) -> Self {
        Scribe(AbortOnDropHandle::new(tokio::spawn(write(setup, lent, turn))))
    }

    /// The archive as the snapshot names it, once there is one; none if there is no snapshot. Cancel-safe; not to be asked
    /// again.
    pub(crate) async fn written(&mut self) -> Result<Option<Archive>, Error> {
        (&mut self.0).await.unwrap_or_else(|source| Err(Error::Fold { source }))
    }
}

async fn write<A: Codec>(
    setup: Arc<Setup<A>>,
    mut lent: Standing<A>,
    _turn: Turn,
) -> Result<Option<Archive>, Error> {
    let is_written = lent.leave_snapshot(&setup).await?;
    let archive = std::mem::take(&mut lent.archive);
    drop_off_thread(lent);
    Ok(is_written.then_some(archive))
}
