//! Snapshots of a partition that is led here, written without its leader.
//!
//! ```text
//!  leader  ──read back through P──▶ cuts its archive ───────────────────────▶ reads the new segments from now on
//!  scribe                           └▶ newest snapshot ─fold▶ P ─write▶ snapshot ┘
//! ```
//!
//! A scribe is one more reader of the log: it begins at the newest snapshot, folds to where its leader stood when it was
//! begun, and writes what it has. So the leader never waits while a state is encoded or an archive put in order, and
//! nobody has to tell apart what changed meanwhile. For that long the partition is in memory twice; in a process, it is
//! one partition at a time.

use std::sync::Arc;

use log::Limit;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use wire::{Codec, Point};

use crate::{Archive, Error, Setup, Standing, off_thread::drop_off_thread};

/// What is folded between two moments at which others may run.
const SIP: Limit = Limit { records: 64, bytes: 64 * 1024 };

/// One snapshot being written.
pub(crate) struct Scribe {
    task: AbortOnDropHandle<Result<Option<Archive>, Error>>,
    no_more: CancellationToken,
}

impl Scribe {
    /// Begins a snapshot of the partition at a point that its leader has read back.
    pub(crate) fn begin<A: Codec>(setup: Arc<Setup<A>>, partition: u32, point: Point) -> Self {
        let no_more = CancellationToken::new();
        let task = write(setup, partition, point, no_more.clone());
        Scribe { task: AbortOnDropHandle::new(tokio::spawn(task)), no_more }
    }

    /// The archive as the snapshot names it, once there is one; none if there is no snapshot. Cancel-safe; not to be asked
    /// again.
    pub(crate) async fn written(&mut self) -> Result<Option<Archive>, Error> {
        (&mut self.task).await.unwrap_or_else(|source| Err(Error::Fold { source }))
    }

    /// Gives up, unless it writes already.
    pub(crate) fn give_up(&self) {
        self.no_more.cancel();
    }
}

async fn write<A: Codec>(
    setup: Arc<Setup<A>>,
    partition: u32,
    point: Point,
    no_more: CancellationToken,
) -> Result<Option<Archive>, Error> {
    let folding = async {
        let turn = match &setup.snapshots {
            Some(snapshots) => snapshots.turn().await,
            None => None,
        };
        Ok::<_, Error>((turn, fold(&setup, partition, point).await?))
    };
    let (_turn, mut standing) = tokio::select! {
        biased;
        () = no_more.cancelled() => return Ok(None),
        folded = folding => folded?,
    };
    let is_written = standing.point() == point && standing.leave_snapshot(&setup).await?;
    let archive = std::mem::take(&mut standing.archive);
    drop_off_thread(standing);
    Ok(is_written.then_some(archive))
}

/// What the log accepted before this point.
async fn fold<A: Codec>(setup: &Setup<A>, partition: u32, point: Point) -> Result<Standing<A>, Error> {
    let mut standing = Standing::newest(partition, setup).await?;
    let mut tail = standing.tail(setup.log.clone()).with_limit(SIP);
    while standing.point().position < point.position {
        let records = tail.batch().await.map_err(|source| standing.failed("read the log", source))?;
        let behind = records.iter().take_while(|record| record.position < point.position).count();
        standing.take_in(&records[..behind], setup).await?;
        tokio::task::yield_now().await;
    }
    Ok(standing)
}
