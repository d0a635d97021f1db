//! Blobs that no record came to name: a process was killed between sealing something large and appending the record that
//! refers to it, or the log refused that record. They are removed, days later.
//!
//! A blob is durable before its record is appended. So whoever reads a log to its end, lists the blobs, and reads on,
//! finds the name of every blob of the list that has a record; what is days old by then and was never named never will
//! be. Intakes are read as well as decisions: what is not decided yet is named there alone, and no intake is trimmed
//! before it is decided. Nothing is decoded: a reference is found by its bytes, wherever in a record it stands, and what
//! looks like one by chance only keeps a file.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use domain::{Kind, Millis, Timestamp, Topology};
use log::{Log, Partition, Tail, Topic, clock};
use tokio_util::sync::CancellationToken;
use vault::{BlobId, Vault};

/// A record follows its blob at once. This leaves time for clocks that are wrong, and for an operator who looks.
const KEPT: Millis = Millis::hours(7 * 24);
/// From the start to the first look, and between looks.
const FIRST: Duration = Duration::from_secs(60 * 60);
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Between reads: nobody waits for this.
const BREATH: Duration = Duration::from_millis(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not look for the names of blobs in {partition}")]
    Log {
        partition: Partition,
        #[source]
        source: log::Error,
    },
    #[error("could not sweep blobs")]
    Vault(#[from] vault::Error),
}

/// Sweeps the blobs of this process's vault. Where several processes share one, each may do so.
pub struct Orphans {
    log: Arc<dyn Log>,
    vault: Vault,
    /// How far each partition was read.
    read: HashMap<Partition, Read>,
    named: HashSet<BlobId>,
}

/// Every record is read in two looks, a day apart: the list of a folder that others write to may be late.
#[derive(Clone, Copy, Default)]
struct Read {
    once: u64,
    twice: u64,
}

impl Orphans {
    pub fn new(log: Arc<dyn Log>, topology: Topology, vault: Vault) -> Self {
        let partitions = Kind::ALL.into_iter().flat_map(|kind| {
            let of = move |topic: &'static str| {
                (0..topology.partitions(kind)).map(move |number| Topic(topic).partition(number))
            };
            of(kind.intake_topic()).chain(of(kind.log_topic()))
        });
        let read = partitions.map(|partition| (partition, Read::default())).collect();
        Orphans { log, vault, read, named: HashSet::new() }
    }

    /// Looks once a day until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = FIRST;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            match stop.run_until_cancelled(self.sweep(Timestamp(clock::now()))).await {
                None => break,
                Some(Ok(0)) => {}
                Some(Ok(swept)) => tracing::info!(swept, "removed blobs that no record names"),
                Some(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "blobs are not swept for now");
                }
            }
            pause = EVERY;
        }
    }

    /// Removes the blobs that are days old `now` and were never named. Yields how many files went. What was read stays
    /// known: the first look reads all there is, unless there are no blobs, and later ones what came since.
    pub async fn sweep(&mut self, now: Timestamp) -> Result<u64, Error> {
        // First the ends, then the list: what stands before an end and is named there is in the list.
        let mut ends = HashMap::new();
        for partition in self.read.keys().copied() {
            let end = self.log.end(partition).await.map_err(|source| Error::Log { partition, source })?;
            ends.insert(partition, end);
        }
        let all: HashSet<BlobId> = self.vault.blobs().await?.into_iter().collect();
        self.named.retain(|blob| all.contains(blob));
        let mut unnamed: HashSet<BlobId> = all.difference(&self.named).copied().collect();
        if !unnamed.is_empty() {
            for (partition, end) in &ends {
                let from = self.read.get(partition).map_or(0, |read| read.twice);
                let looked = self.look(*partition, from, *end, &mut unnamed).await;
                looked.map_err(|source| Error::Log { partition: *partition, source })?;
            }
        }
        // What comes to be named while this is read is young.
        self.named.extend(all.difference(&unnamed));
        for (partition, read) in &mut self.read {
            let end = ends.get(partition).copied().unwrap_or(read.once);
            *read = Read { once: end, twice: read.once };
        }
        let before = now.0.saturating_sub(i64::try_from(KEPT.0).unwrap_or(i64::MAX));
        Ok(self.vault.sweep_blobs(before, move |blob| !unnamed.contains(blob)).await?)
    }

    /// Strikes out what is named in the records from one position to another.
    async fn look(
        &self,
        partition: Partition,
        from: u64,
        end: u64,
        unnamed: &mut HashSet<BlobId>,
    ) -> Result<(), log::Error> {
        let from = from.max(self.log.start(partition).await?);
        let mut tail = Tail::new(self.log.clone(), partition, from);
        while tail.next_position() < end && !unnamed.is_empty() {
            let records = tail.ready().await?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                Vault::blobs_in(&record.bytes).for_each(|blob| _ = unnamed.remove(&blob));
            }
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }
}
