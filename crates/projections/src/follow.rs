//! A reader of one partition: what was accepted there becomes batches of changes for the writer.

use std::sync::Arc;

use domain::Peer;
use log::{Limit, Log, Record, Tail, Topic};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::{Point, Reader, Verdict};

use crate::{
    Error,
    change::{self, Batch, Source},
};

/// Small enough that the batches of many partitions fit into memory at once.
const READ: Limit = Limit { records: 512, bytes: 256 << 10 };

pub(crate) struct Follow {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) partition: u32,
    /// Where the rows end.
    pub(crate) from: Point,
    /// The end to stop at; none to go on for ever.
    pub(crate) until: Option<u64>,
    pub(crate) batches: mpsc::Sender<Batch>,
}

/// Where a partition's decisions stand.
pub(crate) fn decisions(peer: Peer) -> log::Partition {
    Topic(peer.kind.log_topic()).partition(peer.partition)
}

impl Follow {
    /// Reads until the end it was given, or until it is stopped. An accepted record that cannot be understood is an
    /// error; what stands before it is handed on.
    pub(crate) async fn run<A: Source>(self, stop: CancellationToken) -> Result<(), Error> {
        let peer = Peer { kind: A::KIND, partition: self.partition };
        let mut tail = Tail::new(self.log.clone(), decisions(peer), self.from.position).with_limit(READ);
        let mut reader = Reader::<A>::new(self.from);
        while self.until.is_none_or(|end| reader.point().position < end) {
            let read = async {
                match self.until {
                    // Positions may have gaps, so there may be nothing left before the end.
                    Some(_) => tail.ready().await,
                    None => tail.batch().await,
                }
            };
            let records = tokio::select! {
                records = read => records.map_err(|source| Error::Log { peer, source })?,
                () = stop.cancelled() => break,
            };
            if records.is_empty() {
                break;
            }
            let from = reader.point().position;
            let mut changes = Vec::new();
            let understood = read_all(&mut reader, &records, peer, &mut changes);
            let batch = Batch { peer, from, point: reader.point(), changes };
            if self.batches.send(batch).await.is_err() {
                // The writer has failed and says so itself.
                break;
            }
            understood?;
        }
        Ok(())
    }
}

fn read_all<A: Source>(
    reader: &mut Reader<A>,
    records: &[Record],
    peer: Peer,
    changes: &mut Vec<change::Change>,
) -> Result<(), Error> {
    for record in records {
        let verdict = reader.read(record.position, &record.bytes);
        match verdict.map_err(|source| Error::Wire { peer, source })? {
            Verdict::Accepted(decision) => {
                change::collect(decision, record.position, peer.partition, changes);
            }
            Verdict::Ruling(_) | Verdict::Ignored(_) => {}
        }
    }
    Ok(())
}
