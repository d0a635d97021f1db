//! Proof by counting: folds the whole log again and checks the invariants on what it finds there.
//!
//! The checks count events and causes and never call the rules, so a mistake in the rules shows here. Each
//! partition is looked at alone ([`fold`]), then what one tells of another ([`across`]). It may run beside live
//! workers: what it looks at is the log as it was when it began.

mod across;
mod common;
mod conversation;
mod delivery;
mod desk;
mod fold;
mod report;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
    time::Duration,
};

use domain::{Kind, Peer, Topology};
use log::Log;
use tokio::task::JoinSet;

use crate::{Error, Snapshots, standing::log_of};
use fold::{Folded, Job, fold};
pub use report::{Counts, Progress, Report, Violation};

/// Between two words about progress.
const TICK: Duration = Duration::from_millis(100);

/// Checks everything up to the present tail. `progress` is told now and then how far this is, and once at the end.
///
/// Violations are found, not failed on: an error means that the log could not be read to its end.
pub async fn verify(
    log: Arc<dyn Log>,
    topology: Topology,
    snapshots: Option<Snapshots>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, Error> {
    let peers: Vec<_> = Kind::ALL
        .into_iter()
        .flat_map(|kind| (0..topology.partitions(kind)).map(move |partition| Peer { kind, partition }))
        .collect();
    // Twice, for work goes on between one partition and the next: what a partition says of others by its first end
    // stands in those others by their second.
    let settled = ends(log.as_ref(), &peers).await?;
    let ends = ends(log.as_ref(), &peers).await?;

    let records_total = ends.iter().sum();
    let done = Arc::new(AtomicU64::new(0));
    let tell = || progress(Progress { records_done: done.load(Ordering::Relaxed), records_total });
    let mut jobs = peers.iter().zip(settled.iter().zip(ends)).map(|(peer, (settled, end))| Job {
        peer: *peer,
        log: log.clone(),
        topology,
        snapshots: snapshots.clone(),
        settled: *settled,
        end,
        done: done.clone(),
    });

    let mut tasks = JoinSet::new();
    jobs.by_ref().take(available_parallelism().map_or(1, usize::from)).for_each(|job| start(&mut tasks, job));
    let mut folded = Vec::with_capacity(peers.len());
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                None => break,
                Some(ended) => {
                    folded.push(ended.map_err(|source| Error::Fold { source })??);
                    jobs.by_ref().take(1).for_each(|job| start(&mut tasks, job));
                }
            },
            _ = tick.tick() => tell(),
        }
    }
    tell();
    folded.sort_by_key(|folded: &Folded| folded.peer);
    let crossing = across::check(&folded, &peers, &settled);
    Ok(Report::of(folded, crossing))
}

async fn ends(log: &dyn Log, peers: &[Peer]) -> Result<Vec<u64>, Error> {
    let mut ends = Vec::with_capacity(peers.len());
    for peer in peers {
        let end = log.end(log_of(*peer)).await;
        ends.push(end.map_err(|source| Error::Log {
            peer: *peer,
            operation: "find the end of the log",
            source,
        })?);
    }
    Ok(ends)
}

fn start(tasks: &mut JoinSet<Result<Folded, Error>>, job: Job) {
    use domain::{contact, conversation, delivery, desk, workspace};
    match job.peer.kind {
        Kind::Conversation => {
            tasks.spawn(fold::<conversation::Decider, self::conversation::Conversations>(job))
        }
        Kind::Desk => tasks.spawn(fold::<desk::Decider, self::desk::Reservations>(job)),
        Kind::Delivery => tasks.spawn(fold::<delivery::Decider, self::delivery::Deliveries>(job)),
        Kind::Contact => tasks.spawn(fold::<contact::Decider, fold::NothingMore>(job)),
        Kind::Workspace => tasks.spawn(fold::<workspace::Decider, fold::NothingMore>(job)),
    };
}
