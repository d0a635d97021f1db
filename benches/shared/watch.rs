//! When nothing is left to do: seen from outside, in what the process writes and counts.

use std::{collections::BTreeMap, time::Duration};

use domain::{Kind, Topology};
use log::{LocalLog, Log as _, Topic};
use projections::Store;
use tokio::time::Instant;

use super::{
    Outcome,
    process::{Installation, Server},
};

/// Nothing new for so long: nothing is under way any more.
const STILL: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks from outside at what the process writes.
pub(crate) struct Watch {
    log: LocalLog,
    store: Store,
    topology: Topology,
}

impl Watch {
    pub(crate) fn open(installation: &Installation) -> Outcome<Watch> {
        let topics: Vec<_> = Kind::ALL
            .into_iter()
            .flat_map(|kind| [kind.intake_topic(), kind.log_topic()])
            .map(Topic)
            .collect();
        let log = LocalLog::open_read_only(&installation.data().join("log"), &topics)?;
        let store = Store::open(installation.data().join("readmodel"))?;
        let count = |kind: Kind| log.partitions(Topic(kind.log_topic()));
        let topology = Topology {
            conversation: count(Kind::Conversation)?,
            desk: count(Kind::Desk)?,
            delivery: count(Kind::Delivery)?,
            contact: count(Kind::Contact)?,
            workspace: count(Kind::Workspace)?,
        };
        Ok(Watch { log, store, topology })
    }

    /// How many inputs each aggregate was given so far.
    pub(crate) async fn intakes(&self) -> Outcome<BTreeMap<&'static str, u64>> {
        let mut intakes = BTreeMap::new();
        for kind in Kind::ALL {
            for number in 0..self.topology.partitions(kind) {
                let end = self.log.end(Topic(kind.intake_topic()).partition(number)).await?;
                *intakes.entry(kind.as_str()).or_default() += end;
            }
        }
        Ok(intakes)
    }

    async fn is_projected(&self) -> Outcome<bool> {
        let lags = projections::lag(&self.log, &self.topology, &self.store).await?;
        Ok(lags.iter().all(|(_, lag)| lag.records == 0))
    }
}

/// Waits until nothing is left to do. Yields since when that is so. `before`: what had been read when the process
/// began to count.
pub(crate) async fn settled(
    installation: &Installation,
    server: &Server,
    before: &BTreeMap<&'static str, u64>,
) -> Outcome<Instant> {
    let watch = Watch::open(installation)?;
    let began = Instant::now();
    let mut still: Option<(Instant, BTreeMap<_, _>)> = None;
    while began.elapsed() < PATIENCE {
        let looked = Instant::now();
        let read: BTreeMap<_, _> =
            server.by_aggregate("tributary_worker_inputs_total").await?.into_iter().collect();
        let given = watch.intakes().await?;
        let is_read = given.iter().all(|(kind, given)| {
            read.get(*kind).copied().unwrap_or(0.0) as u64 + before.get(kind).copied().unwrap_or(0) >= *given
        });
        let done = is_read && watch.is_projected().await?;
        still = match still {
            Some((since, known)) if done && known == given => Some((since, known)),
            _ => done.then_some((looked, given)),
        };
        if let Some((since, _)) = &still
            && since.elapsed() >= STILL
        {
            return Ok(*since);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err(format!("it is not done {PATIENCE:?} after the load: {}", server.said()).into())
}
