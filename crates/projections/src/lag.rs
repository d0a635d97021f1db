//! How far the rows are behind the log.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use domain::{Kind, Peer, Topology};
use log::{Limit, Log, clock};
use tokio::time::MissedTickBehavior;

use crate::{Error, Store, follow::decisions, metrics, project::peers};

const EVERY: Duration = Duration::from_secs(1);

/// What one partition's rows lack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lag {
    pub records: u64,
    /// How long ago the log took the oldest record that is not in the rows yet, in milliseconds.
    pub millis: u64,
}

/// The lag of every partition, now.
pub async fn lag(log: &dyn Log, topology: &Topology, store: &Store) -> Result<Vec<(Peer, Lag)>, Error> {
    let points: BTreeMap<_, _> = store.positions().await?.into_iter().collect();
    let mut lags = Vec::new();
    for peer in peers(topology) {
        let position = points.get(&peer).map_or(0, |point| point.position);
        let lag = behind(log, decisions(peer), position).await;
        lags.push((peer, lag.map_err(|source| Error::Log { peer, source })?));
    }
    Ok(lags)
}

async fn behind(log: &dyn Log, partition: log::Partition, position: u64) -> Result<Lag, log::Error> {
    let records = log.end(partition).await?.saturating_sub(position);
    if records == 0 {
        return Ok(Lag::default());
    }
    let oldest = log.read(partition, position, Limit { records: 1, bytes: 1 }).await?;
    let millis = oldest.first().map_or(0, |record| clock::now().saturating_sub(record.appended_at));
    Ok(Lag { records, millis: u64::try_from(millis).unwrap_or(0) })
}

/// Reports the lag for as long as it is polled.
pub(crate) async fn measure(log: &Arc<dyn Log>, topology: &Topology, store: &Store) -> Infallible {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match lag(&**log, topology, store).await {
            Ok(lags) => report(&lags),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not measure the projection's lag"
                );
            }
        }
    }
}

fn report(lags: &[(Peer, Lag)]) {
    for kind in Kind::ALL {
        let of_kind = lags.iter().filter(|(peer, _)| peer.kind == kind).map(|(_, lag)| lag);
        let (records, millis) =
            of_kind.fold((0, 0), |(records, millis), lag| (records + lag.records, lag.millis.max(millis)));
        metrics::lag(kind, records, Duration::from_millis(millis));
    }
}
