//! Where a reader of one partition's decisions stands: the state, and the point in the log it is a fold of.

use std::sync::Arc;

use domain::{Partition, Peer, Topology};
use log::{Log, Record, Tail, Topic};
use wire::{Codec, Point, Reader, Verdict};

use crate::{Archive, Error, Snapshot, snapshot};

/// The intake of a peer.
pub fn intake(peer: Peer) -> log::Partition {
    Topic(peer.kind.intake_topic()).partition(peer.partition)
}

/// The decisions of a peer.
pub fn log_of(peer: Peer) -> log::Partition {
    Topic(peer.kind.log_topic()).partition(peer.partition)
}

/// A fold of the accepted prefix of one partition.
pub struct Standing<A: Codec> {
    pub peer: Peer,
    pub partition: Partition<A>,
    /// What has left the partition's memory.
    pub archive: Archive,
    /// Where the next leader continues reading the intake.
    pub intake_through: u64,
    /// Steps folded since the beginning, or since the snapshot this began with, and what left memory by them.
    pub(crate) folded: usize,
    reader: Reader<A>,
}

impl<A: Codec> Standing<A> {
    /// At the beginning of everything.
    pub fn new(number: u32, topology: Topology) -> Self {
        Standing {
            peer: Peer { kind: A::KIND, partition: number },
            partition: Partition::new(topology),
            archive: Archive::default(),
            intake_through: 0,
            folded: 0,
            reader: Reader::new(Point::default()),
        }
    }

    /// The same for a reader who never leads: what leaves memory is only counted.
    pub(crate) fn counting(number: u32, topology: Topology) -> Self {
        Standing { archive: Archive::counting(), ..Standing::new(number, topology) }
    }

    pub fn from_snapshot(number: u32, snapshot: Snapshot<A>) -> Self {
        Standing {
            peer: Peer { kind: A::KIND, partition: number },
            partition: snapshot.partition,
            archive: snapshot.archive,
            intake_through: snapshot.intake_through,
            folded: 0,
            reader: Reader::new(snapshot.point),
        }
    }

    pub fn point(&self) -> Point {
        self.reader.point()
    }

    /// Of all that was folded. Equal prefixes give equal digests.
    pub fn digest(&self) -> [u8; 32] {
        snapshot::digest(wire::digest(&wire::encode_state(&self.partition)), &self.archive)
    }

    pub(crate) fn into_parts(self) -> (Partition<A>, Archive, u64, Reader<A>) {
        (self.partition, self.archive, self.intake_through, self.reader)
    }

    /// A place in the log that goes on from here.
    pub fn tail(&self, log: Arc<dyn Log>) -> Tail {
        Tail::new(log, log_of(self.peer), self.point().position)
    }

    /// Folds one record, if it is accepted.
    pub fn fold(&mut self, record: &Record) -> Result<Verdict<A>, Error> {
        let verdict = self
            .reader
            .read(record.position, &record.bytes)
            .map_err(|source| Error::Unreadable { peer: self.peer, position: record.position, source })?;
        if let Verdict::Accepted(decision) = &verdict {
            for step in &decision.steps {
                self.partition.fold(decision.decided_at, step);
            }
            let departed = self.partition.take_departed();
            self.folded += decision.steps.len() + departed.len();
            self.archive.keep(departed);
            self.intake_through = decision.intake_through;
        }
        Ok(verdict)
    }

    /// Folds what is there now.
    pub async fn catch_up(&mut self, tail: &mut Tail) -> Result<(), Error> {
        loop {
            let records = tail.ready().await.map_err(|source| self.failed("read the log", source))?;
            if records.is_empty() {
                return Ok(());
            }
            for record in &records {
                self.fold(record)?;
            }
        }
    }

    pub(crate) fn failed(&self, operation: &'static str, source: log::Error) -> Error {
        Error::Log { peer: self.peer, operation, source }
    }
}
