//! Following one partition of a log: only what was accepted, with the points a reader may start at.

use std::sync::Arc;

use domain::Peer;
use log::{Limit, Log, Tail, Topic};
use wire::{Codec, Decision, Point, Reader, Verdict};

/// A partition that can be followed no further.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read the log of {peer}")]
    Log {
        peer: Peer,
        #[source]
        source: log::Error,
    },
    #[error("could not understand the log of {peer}")]
    Wire {
        peer: Peer,
        #[source]
        source: wire::Error,
    },
    #[error("a task that follows the log was stopped from outside or panicked")]
    Task(#[source] tokio::task::JoinError),
}

/// Small enough that many followers at once stay modest; a decision is 512 KiB at most.
const BATCH: Limit = Limit { records: 256, bytes: 256 << 10 };

pub(crate) struct Follow<A: Codec> {
    peer: Peer,
    tail: Tail,
    reader: Reader<A>,
}

/// Accepted decisions in order, perhaps none, and the point behind everything that was read.
pub(crate) struct Batch<A: Codec> {
    pub(crate) decisions: Vec<Accepted<A>>,
    pub(crate) point: Point,
}

pub(crate) struct Accepted<A: Codec> {
    pub(crate) position: u64,
    /// The point behind this decision.
    pub(crate) after: Point,
    pub(crate) decision: Decision<A>,
}

impl<A: Codec> Follow<A> {
    pub(crate) fn new(log: Arc<dyn Log>, partition: u32, from: Point) -> Self {
        let peer = Peer { kind: A::KIND, partition };
        let tail = Tail::new(log, log_partition(peer), from.position).with_limit(BATCH);
        Follow { peer, tail, reader: Reader::new(from) }
    }

    /// What comes next, waiting for it. Cancel-safe.
    pub(crate) async fn batch(&mut self) -> Result<Batch<A>, Error> {
        self.batch_if(|| true).await
    }

    /// The same for who does not always care for the decisions: `wanted` is asked once there is a batch, and if it is
    /// not, that is only judged, not decoded.
    pub(crate) async fn batch_if(&mut self, wanted: impl FnOnce() -> bool) -> Result<Batch<A>, Error> {
        let peer = self.peer;
        let records = self.tail.batch().await.map_err(|source| Error::Log { peer, source })?;
        let mut decisions = Vec::new();
        if !wanted() {
            for record in &records {
                let judged = self.reader.judge(record.position, &record.bytes);
                judged.map_err(|source| Error::Wire { peer, source })?;
            }
            return Ok(Batch { decisions, point: self.reader.point() });
        }
        decisions.reserve(records.len());
        for record in &records {
            let verdict = self.reader.read(record.position, &record.bytes);
            match verdict.map_err(|source| Error::Wire { peer, source })? {
                Verdict::Accepted(decision) => decisions.push(Accepted {
                    position: record.position,
                    after: self.reader.point(),
                    decision,
                }),
                Verdict::Ruling(_) | Verdict::Ignored(_) => {}
            }
        }
        Ok(Batch { decisions, point: self.reader.point() })
    }
}

/// Where a partition's decisions stand.
pub(crate) fn log_partition(peer: Peer) -> log::Partition {
    Topic(peer.kind.log_topic()).partition(peer.partition)
}

/// Where what a partition is to decide is appended.
pub(crate) fn intake_partition(peer: Peer) -> log::Partition {
    Topic(peer.kind.intake_topic()).partition(peer.partition)
}
