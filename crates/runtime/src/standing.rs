//! Where a reader of one partition's decisions stands: the state, and the point in the log it is a fold of.

use std::sync::Arc;

use domain::{Partition, Peer, Topology};
use log::{Log, Record, Tail, Topic};
use wire::{Codec, Point, Reader, Verdict};

use crate::{
    Archive, Error, Mark, Setup, Snapshot,
    off_thread::{drop_off_thread, off_thread},
    snapshot,
};

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

    /// At the newest snapshot that can be used, or at the beginning. One from the mirror is brought here if it spares much.
    pub(crate) async fn newest(number: u32, setup: &Setup<A>) -> Result<Self, Error> {
        let here = Standing::newest_here(number, setup).await?;
        let Some((snapshots, mirror)) = setup.snapshots.as_ref().and_then(|it| Some((it, it.mirror()?)))
        else {
            return Ok(here);
        };
        match mirror.fetch(snapshots, &*setup.log, here.peer, here.point().position).await {
            true => {
                drop_off_thread(here);
                Standing::newest_here(number, setup).await
            }
            false => Ok(here),
        }
    }

    async fn newest_here(number: u32, setup: &Setup<A>) -> Result<Self, Error> {
        let from_zero = Standing::new(number, setup.topology);
        let peer = from_zero.peer;
        let Some(snapshots) = setup.snapshots.clone() else { return Ok(from_zero) };
        loop {
            let looked = snapshots.clone();
            let newest = off_thread(move || looked.newest::<A>(peer)).await;
            let Some(snapshot) = newest.ok().flatten() else { return Ok(from_zero) };
            let position = snapshot.point.position;
            let mark = Mark::before(&*setup.log, peer, position).await;
            if mark.map_err(|source| from_zero.failed("read the log", source))? == Some(snapshot.mark) {
                return Ok(Standing::from_snapshot(number, snapshot));
            }
            tracing::warn!(%peer, position, "removing a snapshot of another log");
            let discarding = snapshots.clone();
            if !matches!(off_thread(move || discarding.discard(peer, position)).await, Ok(Ok(()))) {
                return Ok(from_zero);
            }
        }
    }

    /// What a leader holds, once it has read back all that it decided.
    pub(crate) fn from_parts(
        peer: Peer,
        partition: Partition<A>,
        archive: Archive,
        intake_through: u64,
        reader: Reader<A>,
    ) -> Self {
        Standing { peer, partition, archive, intake_through, folded: 0, reader }
    }

    pub fn point(&self) -> Point {
        self.reader.point()
    }

    /// Of all that was folded. Equal prefixes give equal digests.
    pub fn digest(&self) -> [u8; 32] {
        snapshot::digest(wire::digest_of_state(&self.partition), &self.archive)
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

    /// Folds these records, and leaves a snapshot behind them if that is overdue.
    pub(crate) async fn take_in(&mut self, records: &[Record], setup: &Setup<A>) -> Result<(), Error> {
        for record in records {
            self.fold(record)?;
        }
        if setup.snapshots.as_ref().is_some_and(|snapshots| snapshots.are_overdue(self.folded)) {
            self.leave_snapshot(setup).await?;
        }
        Ok(())
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

    /// Leaves a snapshot behind; false if the disk would not take it, for the log has it all. An archive that is found
    /// damaged is an error, and the snapshots that name it go.
    pub(crate) async fn leave_snapshot(&mut self, setup: &Setup<A>) -> Result<bool, Error> {
        let Some(snapshots) = setup.snapshots.clone() else { return Ok(false) };
        let (peer, point) = (self.peer, self.point());
        let mark = Mark::before(&*setup.log, peer, point.position).await;
        // What was read there may be gone.
        let mark =
            mark.map_err(|source| self.failed("read the log", source))?.ok_or(Error::ReadBack { peer })?;
        let mut standing = std::mem::replace(self, Standing::new(peer.partition, setup.topology));
        let written = off_thread(move || {
            let Standing { partition, archive, intake_through, .. } = &mut standing;
            let written = snapshots.write(peer, partition, archive, &point, mark, *intake_through);
            if let Err(Error::Archive { source, .. }) = &written {
                snapshots.distrust(peer, &source.segment);
            }
            (written, standing)
        });
        let (written, standing) = written.await.map_err(|source| Error::Fold { source })?;
        *self = standing;
        self.folded = 0;
        match written {
            Ok(_) => tracing::debug!(%peer, position = point.position, "snapshot written"),
            Err(error @ Error::Archive { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no snapshot; the log has it all");
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn failed(&self, operation: &'static str, source: log::Error) -> Error {
        Error::Log { peer: self.peer, operation, source }
    }
}
