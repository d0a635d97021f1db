//! The projection: a reader for each partition, one writer for all.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::{Kind, Peer, Topology, contact, conversation, delivery, desk, workspace};
use log::Log;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use wire::Point;

use crate::{
    Error, Store,
    change::Batch,
    follow::{Follow, decisions},
    lag, metrics,
};

/// Changes written in one transaction, at most and unless a single batch brings more. While one is written, the
/// next ones queue; so batches grow by themselves when there is much to do.
const MOST_CHANGES: usize = 2_000;

/// From one transaction to the next, unless there is enough for one before: pages that many changes touch are then
/// written once for all of them. After a quiet moment the first change is written at once.
const PACE: Duration = Duration::from_millis(40);

/// Batches that may wait for the writer; then the readers wait.
const MOST_WAITING: usize = 8;

/// Drops every row if some come from beyond the end of their log: it has lost its end, or is another log, and gives
/// those positions to other records, which a reader who starts behind them would never see. [`run`] then projects all
/// of it again. Call it before anything is appended, so that the log still ends where it was cut.
pub async fn drop_if_ahead(log: &dyn Log, topology: &Topology, store: &Store) -> Result<(), Error> {
    let points: HashMap<Peer, Point> = store.positions().await?.into_iter().collect();
    for peer in peers(topology) {
        let end = log.end(decisions(peer)).await.map_err(|source| Error::Log { peer, source })?;
        let stored = points.get(&peer).map_or(0, |point| point.position);
        if stored > end {
            tracing::warn!(%peer, stored, end, "the log ends before the rows do: dropping them and projecting it again");
            return store.clear().await;
        }
    }
    Ok(())
}

/// Follows the logs from where the rows end, until it is cancelled; then what was read is still written. Ends early
/// only with an error: rows and points are whole then, and another `run` goes on from there. Call it once at a
/// time for a store, and after [`drop_if_ahead`].
pub async fn run(
    log: Arc<dyn Log>,
    topology: Topology,
    store: Store,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    metrics::describe();
    let projection = project(&log, &topology, &store, None, shutdown, |_| {});
    tokio::select! {
        done = projection => done,
        never = lag::measure(&log, &topology, &store) => match never {},
    }
}

/// How far a rebuild has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Records of all logs read and written so far.
    pub done: u64,
    /// Records there were at the start.
    pub total: u64,
}

/// Drops every row and projects again, from zero to where the logs end now. Nobody else may write meanwhile. If it is
/// interrupted, [`run`] goes on from there; readers see the rows as they come back.
pub async fn rebuild(
    log: Arc<dyn Log>,
    topology: Topology,
    store: &Store,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<(), Error> {
    store.clear().await?;
    let mut ends = HashMap::new();
    let mut total = 0;
    for peer in peers(&topology) {
        let read = async { Ok((log.start(decisions(peer)).await?, log.end(decisions(peer)).await?)) };
        let (start, end) = read.await.map_err(|source| Error::Log { peer, source })?;
        total += end.saturating_sub(start);
        ends.insert(peer, end);
    }
    let mut done = 0;
    progress(Progress { done, total });
    let token = CancellationToken::new();
    project(&log, &topology, store, Some(ends), token, |records| {
        done += records;
        progress(Progress { done: done.min(total), total });
    })
    .await?;
    // Positions may have gaps at their end.
    progress(Progress { done: total, total });
    Ok(())
}

/// Every partition of every aggregate.
pub(crate) fn peers(topology: &Topology) -> impl Iterator<Item = Peer> {
    let of_kind = |kind| (0..topology.partitions(kind)).map(move |partition| Peer { kind, partition });
    Kind::ALL.into_iter().flat_map(of_kind)
}

/// Reads from the stored points to `ends`, or for ever. `written` is told how many records each transaction covers.
async fn project(
    log: &Arc<dyn Log>,
    topology: &Topology,
    store: &Store,
    ends: Option<HashMap<Peer, u64>>,
    shutdown: CancellationToken,
    mut written: impl FnMut(u64),
) -> Result<(), Error> {
    let points: HashMap<Peer, Point> = store.positions().await?.into_iter().collect();
    let (sender, mut batches) = mpsc::channel(MOST_WAITING);
    let stop = shutdown.child_token();
    let mut readers = JoinSet::new();
    for peer in peers(topology) {
        let follow = Follow {
            log: log.clone(),
            partition: peer.partition,
            from: points.get(&peer).copied().unwrap_or_default(),
            until: ends.as_ref().map(|ends| ends.get(&peer).copied().unwrap_or_default()),
            batches: sender.clone(),
        };
        let stop = stop.clone();
        match peer.kind {
            Kind::Conversation => readers.spawn(follow.run::<conversation::Decider>(stop)),
            Kind::Desk => readers.spawn(follow.run::<desk::Decider>(stop)),
            Kind::Delivery => readers.spawn(follow.run::<delivery::Decider>(stop)),
            Kind::Contact => readers.spawn(follow.run::<contact::Decider>(stop)),
            Kind::Workspace => readers.spawn(follow.run::<workspace::Decider>(stop)),
        };
    }
    drop(sender);

    // The first failure is told; the readers stop, and what they have handed on is still written.
    let mut outcome = Ok(());
    let mut paced = Instant::now();
    loop {
        tokio::select! {
            batch = batches.recv() => match batch {
                Some(batch) => match write(store, batch, &mut batches, paced).await {
                    Ok(records) => {
                        paced = Instant::now() + PACE;
                        written(records);
                    }
                    Err(error) => {
                        outcome = outcome.and(Err(error));
                        break;
                    }
                },
                None => break,
            },
            Some(ended) = readers.join_next() => {
                if let Err(error) = ended.map_err(Error::Task).flatten() {
                    outcome = outcome.and(Err(error));
                    stop.cancel();
                }
            }
        }
    }
    drop(batches);
    stop.cancel();
    while let Some(ended) = readers.join_next().await {
        outcome = outcome.and(ended.map_err(Error::Task).flatten());
    }
    outcome
}

/// Writes this batch and those that come until `paced`, or wait already. Yields how many records they cover.
async fn write(
    store: &Store,
    first: Batch,
    waiting: &mut mpsc::Receiver<Batch>,
    paced: Instant,
) -> Result<u64, Error> {
    let mut changes = first.changes.len();
    let mut batches = vec![first];
    while changes < MOST_CHANGES {
        // What waits already is taken even when the time is over; all readers at their end is no reason to wait.
        let Ok(Some(next)) = tokio::time::timeout_at(paced, waiting.recv()).await else { break };
        changes += next.changes.len();
        batches.push(next);
    }
    let records = batches.iter().map(|batch| batch.point.position.saturating_sub(batch.from)).sum();
    let begun = Instant::now();
    store.apply(batches).await?;
    metrics::written(changes, begun.elapsed());
    Ok(records)
}
