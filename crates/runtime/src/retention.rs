//! How long an intake is kept. Whoever leads a partition trims its intake, beside leading, a step at a time.
//!
//! No fold needs an intake that was read; it is kept for people who look into what came, and in case a leader must
//! begin at an older snapshot. So only what lies before the oldest snapshot's place goes, once it is old enough. That is
//! the oldest snapshot here. One from a mirror may be older, and does no harm: from it the decisions are folded, which
//! are all there, and the last of them says where the intake is read on. A mirror out of reach must not fill the log.

use std::{sync::Arc, time::Duration};

use domain::{Millis, Peer, Timestamp};
use log::{Limit, Log};

use crate::{Clock, Error, Snapshots, off_thread::off_thread, standing::intake};

/// What one step removes, in records: a log must not be busy with it for long.
const STEP: u64 = 10_000;
/// Between steps.
const BREATH: Duration = Duration::from_millis(20);

/// What may be trimmed, and when it is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Inputs stay at least this long, by the times at which the log took them and what came last.
    pub intake: Millis,
    /// Between looks.
    pub every: Duration,
}

/// Two weeks, looked at every ten minutes.
impl Default for Retention {
    fn default() -> Self {
        Retention { intake: Millis::hours(14 * 24), every: Duration::from_secs(10 * 60) }
    }
}

/// Trims the intake of a partition now and then. Never ends.
pub(crate) async fn keep(
    log: Arc<dyn Log>,
    snapshots: Snapshots,
    clock: Clock,
    retention: Retention,
    peer: Peer,
) {
    loop {
        tokio::time::sleep(retention.every).await;
        let looked = snapshots.clone();
        // A disk that cannot be read leaves everything as it is.
        let oldest = off_thread(move || looked.oldest_intake(peer)).await;
        let Some(through) = oldest.ok().flatten() else { continue };
        match trim(&*log, peer, through, clock.now(), retention.intake).await {
            Ok(0) => {}
            Ok(trimmed) => tracing::info!(%peer, trimmed, "old inputs were removed"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "old inputs stay for now");
            }
        }
    }
}

/// Removes what stands before `through` and was appended longer ago than `kept`. Yields over how many positions that went.
async fn trim(log: &dyn Log, peer: Peer, through: u64, now: Timestamp, kept: Millis) -> Result<u64, Error> {
    let partition = intake(peer);
    let failed = |operation| move |source| Error::Log { peer, operation, source };
    let start = log.start(partition).await.map_err(failed("find the start of the intake"))?;
    let end = log.end(partition).await.map_err(failed("find the end of the intake"))?;
    if start >= through.min(end) {
        return Ok(0);
    }
    // Our clock may be ahead of the log's, and nothing here waits until that is found.
    let newest = log.read(partition, end - 1, Limit { records: 1, bytes: 0 }).await;
    let newest = newest.map_err(failed("read the intake"))?;
    let Some(newest) = newest.first() else { return Ok(0) };
    let now = now.0.min(newest.appended_at);
    let before = Timestamp(now.saturating_sub(i64::try_from(kept.0).unwrap_or(i64::MAX)));
    let (mut from, mut step) = (start, STEP);
    while from < through && step > 0 {
        let to = from.saturating_add(step).min(through);
        let last = log.read(partition, to - 1, Limit { records: 1, bytes: 0 }).await;
        // Where there is a gap, this is the record behind it, and no younger than those before it.
        let last = last.map_err(failed("read the intake"))?;
        if last.first().is_some_and(|last| last.appended_at < before.0) {
            log.trim(partition, to).await.map_err(failed("trim the intake"))?;
            tokio::time::sleep(BREATH).await;
            (from, step) = (to, STEP);
        } else {
            step /= 2;
        }
    }
    Ok(from - start)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use bytes::Bytes;
    use domain::Kind;
    use log::{MemoryLog, Topic};

    use super::*;

    #[tokio::test]
    async fn what_is_old_and_was_read_goes_and_nothing_else() {
        let peer = Peer { kind: Kind::Desk, partition: 0 };
        let hour = Arc::new(AtomicI64::new(0));
        let shown = hour.clone();
        let topics = [(Topic(peer.kind.intake_topic()), 1)];
        let log = MemoryLog::new(&topics).with_clock(move || shown.load(Ordering::SeqCst));
        for now in 0..25 {
            hour.store(now, Ordering::SeqCst);
            log.append(intake(peer), vec![Bytes::from_static(b"an input"); 1_000]).await.unwrap();
        }
        // As if inputs were kept for no time, and the clock showed this.
        let trimmed =
            async |through, now| trim(&log, peer, through, Timestamp(now), Millis(0)).await.unwrap();
        assert_eq!(trimmed(25_000, 0).await, 0, "none is older than that");
        assert_eq!(trimmed(7, 24).await, 7, "more was not read");
        assert_eq!(trimmed(25_000, 12).await, 11_993);
        assert_eq!(log.start(intake(peer)).await.unwrap(), 12_000, "the first of the thirteenth hour stays");
        assert_eq!(trimmed(25_000, 12).await, 0);
        assert_eq!(trimmed(11_000, 24).await, 0, "that is long gone");
        assert_eq!(trimmed(25_000, 100).await, 12_000, "our clock is ahead, and the last hour is young");
        let kept = trim(&log, peer, 25_000, Timestamp(100), Millis(1)).await.unwrap();
        assert_eq!(kept, 0);
    }
}
