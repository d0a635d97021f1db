//! A log taken over into another: every record at the position it had.
//!
//! Since positions stay, all that was made of them stays: cursors, snapshots, read models, how far an intake was read.
//! Nothing has to know that the log has moved.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use crate::{Error, Limit, Log, Partition, Record, Tail, Topic};

/// Records that stand for what was removed from the source, written at a time.
const FILLING: u64 = 10_000;
/// Batches that are read while the ones before are being written.
const AHEAD: usize = 4;

/// How far a copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    Copying { done: u64, total: u64 },
    Comparing { done: u64, total: u64 },
}

/// Why a log could not be copied. What was copied so far stays; the same call goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("could not read {partition}")]
    Read {
        partition: Partition,
        #[source]
        source: Error,
    },
    #[error("could not write {partition}")]
    Write {
        partition: Partition,
        #[source]
        source: Error,
    },
    #[error(
        "topic {topic} has {from} partitions, and {to} where it is to go; both must have the same number"
    )]
    OtherCount { topic: Topic, from: u32, to: u32 },
    #[error(
        "{partition}: there are records at {end} and after, where the source ends: that is no copy of it"
    )]
    Longer { partition: Partition, end: u64 },
    #[error(
        "{partition}: the source has no record at {position}, and then more; such a log cannot be copied"
    )]
    Gap { partition: Partition, position: u64 },
    #[error("{partition}: the record at {expected} came to stand at {position}: something else writes there")]
    Displaced { partition: Partition, expected: u64, position: u64 },
    #[error("{partition}: the record at {position} is not the one the source has there")]
    Different { partition: Partition, position: u64 },
    #[error("{partition}: the source grew while it was copied: stop what writes it, and run this again")]
    Grew { partition: Partition },
}

/// Copies what stands in these topics, then reads both logs once more and compares every record. Yields how many there
/// are.
///
/// Nobody else may write to either log. A copy that was interrupted goes on where it stopped. What was trimmed from the
/// source is trimmed in the copy. When the log took a record is not copied: that is a matter of the log it is in.
pub async fn copy(
    from: &Arc<dyn Log>,
    to: &Arc<dyn Log>,
    topics: &[Topic],
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<u64, CopyError> {
    let mut spans = Vec::new();
    for topic in topics {
        let count = |log: &Arc<dyn Log>| log.partitions(*topic);
        let unknown = topic.partition(0);
        let source = count(from).map_err(|source| CopyError::Read { partition: unknown, source })?;
        let target = count(to).map_err(|source| CopyError::Write { partition: unknown, source })?;
        if source != target {
            return Err(CopyError::OtherCount { topic: *topic, from: source, to: target });
        }
        for number in 0..source {
            spans.push(Span::of(from, to, topic.partition(number)).await?);
        }
    }
    let total = spans.iter().map(|span| span.end - span.start).sum();
    let mut done = 0;
    for span in &spans {
        span.copy(from, to, |copied| {
            done += copied;
            progress(Progress::Copying { done, total });
        })
        .await?;
    }
    let mut done = 0;
    for span in &spans {
        span.compare(from, to, |compared| {
            done += compared;
            progress(Progress::Comparing { done, total });
        })
        .await?;
    }
    Ok(total)
}

/// What the source has of a partition, and how much of it is there already.
struct Span {
    partition: Partition,
    start: u64,
    end: u64,
    copied: u64,
}

impl Span {
    async fn of(from: &Arc<dyn Log>, to: &Arc<dyn Log>, partition: Partition) -> Result<Span, CopyError> {
        let (read, write) = (reading(partition), writing(partition));
        let (start, end) =
            (from.start(partition).await.map_err(read)?, from.end(partition).await.map_err(read)?);
        let copied = to.end(partition).await.map_err(write)?;
        match copied > end {
            true => Err(CopyError::Longer { partition, end }),
            false => Ok(Span { partition, start, end, copied }),
        }
    }

    async fn copy(
        &self,
        from: &Arc<dyn Log>,
        to: &Arc<dyn Log>,
        mut copied: impl FnMut(u64),
    ) -> Result<(), CopyError> {
        let partition = self.partition;
        let mut next = self.copied;
        while next < self.start {
            let count = FILLING.min(self.start - next);
            let filling = vec![Bytes::new(); usize::try_from(count).unwrap_or(usize::MAX)];
            next = self.placed(next + count, to.append(partition, filling).await)?;
        }
        copied(next.saturating_sub(self.start));
        let mut tail = Tail::new(from.clone(), partition, next);
        let mut appending = VecDeque::new();
        while next < self.end || !appending.is_empty() {
            if next < self.end && appending.len() < AHEAD {
                let records = tail.ready().await.map_err(reading(partition))?;
                let count = records.len() as u64;
                let bytes = self.in_a_row(next, records)?;
                next += count;
                appending.push_back((next, count, to.append(partition, bytes)));
            } else if let Some((end, count, append)) = appending.pop_front() {
                self.placed(end, append.await)?;
                copied(count);
            }
        }
        if to.start(partition).await.map_err(writing(partition))? < self.start {
            to.trim(partition, self.start).await.map_err(writing(partition))?;
        }
        Ok(())
    }

    /// The records' bytes, if they stand at `next` and after without a gap and end where the source did.
    fn in_a_row(&self, next: u64, records: Vec<Record>) -> Result<Vec<Bytes>, CopyError> {
        let partition = self.partition;
        if records.is_empty() {
            return Err(CopyError::Gap { partition, position: next });
        }
        let mut bytes = Vec::with_capacity(records.len());
        for (position, record) in (next..).zip(records) {
            if record.position >= self.end {
                return Err(CopyError::Grew { partition });
            }
            if record.position != position {
                return Err(CopyError::Gap { partition, position });
            }
            bytes.push(record.bytes);
        }
        Ok(bytes)
    }

    /// Where the next record goes, if the last one came to stand before `end`.
    fn placed(&self, end: u64, appended: Result<u64, Error>) -> Result<u64, CopyError> {
        let partition = self.partition;
        match appended {
            Ok(position) if position + 1 == end => Ok(end),
            Ok(position) => Err(CopyError::Displaced { partition, expected: end - 1, position }),
            Err(source) => Err(CopyError::Write { partition, source }),
        }
    }

    async fn compare(
        &self,
        from: &Arc<dyn Log>,
        to: &Arc<dyn Log>,
        mut compared: impl FnMut(u64),
    ) -> Result<(), CopyError> {
        let partition = self.partition;
        let mut next = self.start;
        while next < self.end {
            let ours = from.read(partition, next, Limit::default()).await.map_err(reading(partition))?;
            let mut copies = Tail::new(to.clone(), partition, next);
            let mut theirs = Vec::new();
            while theirs.len() < ours.len() {
                let more = copies.ready().await.map_err(writing(partition))?;
                if more.is_empty() {
                    break;
                }
                theirs.extend(more);
            }
            let mut theirs = theirs.into_iter();
            for Record { position, bytes, .. } in &ours {
                let same =
                    theirs.next().is_some_and(|copy| copy.position == *position && copy.bytes == *bytes);
                if !same {
                    return Err(CopyError::Different { partition, position: *position });
                }
                next = position + 1;
            }
            if ours.is_empty() {
                return Err(CopyError::Gap { partition, position: next });
            }
            compared(ours.len() as u64);
        }
        let source = from.end(partition).await.map_err(reading(partition))?;
        let target = to.end(partition).await.map_err(writing(partition))?;
        if source != self.end {
            return Err(CopyError::Grew { partition });
        }
        if target != self.end {
            return Err(CopyError::Longer { partition, end: self.end });
        }
        Ok(())
    }
}

fn reading(partition: Partition) -> impl Fn(Error) -> CopyError + Copy {
    move |source| CopyError::Read { partition, source }
}

fn writing(partition: Partition) -> impl Fn(Error) -> CopyError + Copy {
    move |source| CopyError::Write { partition, source }
}
