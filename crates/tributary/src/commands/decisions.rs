//! What counts in a partition's log, for commands that read it from the beginning.

use std::{ops::ControlFlow, sync::Arc};

use anyhow::Context as _;
use domain::Peer;
use log::{Log, Tail};
use wire::{Codec, Decision, Point, Reader, Verdict};

/// Reads the decisions that were accepted before `end`, in order, until `each` has enough. `told` hears how far it is.
pub async fn read_decisions<A: Codec>(
    log: &Arc<dyn Log>,
    peer: Peer,
    end: u64,
    told: &dyn Fn(u64),
    mut each: impl FnMut(&Decision<A>) -> ControlFlow<()>,
) -> anyhow::Result<()> {
    let mut tail = Tail::new(log.clone(), runtime::log_of(peer), 0);
    let mut reader = Reader::<A>::new(Point::default());
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
