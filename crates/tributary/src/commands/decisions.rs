//! What counts in a partition's log, for commands that read it from the beginning, or from a point on.

use std::{ops::ControlFlow, sync::Arc};

use anyhow::Context as _;
use domain::{Peer, Timestamp};
use log::{Limit, Log, Tail};
use runtime::Points;
use wire::{Codec, Decision, Point, Reader, Verdict};

/// Reads the decisions that were accepted before `end`, in order, until `each` has enough. `told` hears how far it is.
pub async fn read_decisions<A: Codec>(
    log: &Arc<dyn Log>,
    peer: Peer,
    end: u64,
    told: &dyn Fn(u64),
    each: impl FnMut(&Decision<A>) -> ControlFlow<()>,
) -> anyhow::Result<()> {
    read_decisions_from::<A>(log, peer, Point::default(), end, told, each).await
}

/// The same, from a point on.
pub async fn read_decisions_from<A: Codec>(
    log: &Arc<dyn Log>,
    peer: Peer,
    point: Point,
    end: u64,
    told: &dyn Fn(u64),
    mut each: impl FnMut(&Decision<A>) -> ControlFlow<()>,
) -> anyhow::Result<()> {
    let mut tail = Tail::new(log.clone(), runtime::log_of(peer), point.position);
    let mut reader = Reader::<A>::new(point);
    while tail.next_position() < end {
        let records = tail.ready().await.with_context(|| format!("could not read the log of {peer}"))?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            let verdict = reader.read(record.position, &record.bytes);
            let verdict = verdict
                .with_context(|| format!("the log of {peer} has a record that this version cannot read"))?;
            if let Verdict::Accepted(decision) = verdict
                && each(&decision).is_break()
            {
                return Ok(());
            }
        }
        told(tail.next_position());
    }
    Ok(())
}

/// The last known point before whatever a partition decided from a time on; the beginning, where none is known.
pub async fn point_before(
    log: &Arc<dyn Log>,
    points: &Points,
    peer: Peer,
    at: Timestamp,
) -> anyhow::Result<Point> {
    let partition = runtime::log_of(peer);
    let failed = || format!("could not read the log of {peer}");
    let mut low = log.start(partition).await.with_context(failed)?;
    let mut high = log.end(partition).await.with_context(failed)?;
    // The log says when it took each record, and takes them in order.
    while low < high {
        let middle = low + (high - low) / 2;
        let one = Limit { records: 1, ..Limit::default() };
        let found = log.read(partition, middle, one).await.with_context(failed)?;
        match found.first() {
            Some(record) if record.appended_at < at.0 => low = record.position + 1,
            _ => high = middle,
        }
    }
    Ok(points.before(&**log, peer, low).await)
}
