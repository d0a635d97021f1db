//! One partition from its beginning to its end, every check along the way.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{Aggregate, MessageId, Peer, Step, Topology};
use log::{Log, Record};
use wire::{Codec, Verdict};

use super::{
    common::{Common, Traffic},
    report::{Counts, Found},
};
use crate::{Error, Snapshot, Snapshots, Standing, off_thread::off_thread, standing::log_of};

/// What is checked of one aggregate's events besides what is common to all.
pub(super) trait Checks<A: Aggregate>: Default + Send {
    fn step(&mut self, step: &Step<A>, found: &mut Found);

    /// A decision is complete.
    fn decided(&mut self, _found: &mut Found) {}

    fn finish(self) -> Kept;
}

/// What is counted, or compared with other partitions.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) open_conversations: u64,
    /// Messages that conversations decided to send, and how often.
    pub(super) decided: HashMap<MessageId, u32>,
    /// Messages that delivery took on, and where.
    pub(super) queued: Vec<(MessageId, u64)>,
}

/// For aggregates whose events have no invariants of their own.
#[derive(Default)]
pub(super) struct NothingMore;

impl<A: Aggregate> Checks<A> for NothingMore {
    fn step(&mut self, _: &Step<A>, _: &mut Found) {}

    fn finish(self) -> Kept {
        Kept::default()
    }
}

pub(super) struct Job {
    pub(super) peer: Peer,
    pub(super) log: Arc<dyn Log>,
    pub(super) topology: Topology,
    pub(super) snapshots: Option<Snapshots>,
    /// What stands before here may be held against the other partitions.
    pub(super) settled: u64,
    pub(super) end: u64,
    /// Records folded, of all partitions.
    pub(super) done: Arc<AtomicU64>,
}

pub(super) struct Folded {
    pub(super) peer: Peer,
    pub(super) counts: Counts,
    pub(super) found: Found,
    /// The relays as of the end, and as of what is settled.
    pub(super) traffic: Traffic,
    pub(super) settled_traffic: Traffic,
    pub(super) kept: Kept,
    pub(super) snapshots_compared: u64,
    pub(super) snapshots_skipped: Vec<String>,
}

pub(super) async fn fold<A: Codec, C: Checks<A>>(job: Job) -> Result<Folded, Error> {
    let Job { peer, log, topology, snapshots, settled, end, done } = job;
    let mut standing = Standing::<A>::counting(peer.partition, topology);
    let mut tail = standing.tail(log.clone());
    let mut common = Common::new(topology);
    let mut checks = C::default();
    let mut counts = Counts { partitions: 1, ..Counts::default() };
    let mut found = Found::new(peer);
    let mut comparison = Comparison::<A>::load(snapshots, &*log, peer, end).await;
    let mut settled_traffic = None;

    comparison.at(&standing, &mut found);
    while tail.next_position() < end {
        let records = tail.ready().await.map_err(|source| standing.failed("read the log", source))?;
        let records: Vec<_> = records.into_iter().take_while(|record| record.position < end).collect();
        if records.is_empty() {
            break;
        }
        for record in &records {
            if record.position >= settled && settled_traffic.is_none() {
                settled_traffic = Some(common.traffic.clone());
            }
            found.position = record.position;
            counts.records += 1;
            match standing.fold(record)? {
                Verdict::Ignored(_) => counts.ignored += 1,
                Verdict::Ruling(announce) => {
                    counts.accepted += 1;
                    common.rules(announce.epoch, &mut found);
                }
                Verdict::Accepted(decision) => {
                    counts.accepted += 1;
                    common.begin(&decision, &mut found);
                    for step in &decision.steps {
                        counts.steps += 1;
                        counts.events += step.events.len() as u64;
                        counts.set_aside += u64::from(step.set_aside.is_some());
                        common.step(decision.decided_at, step, &mut found);
                        checks.step(step, &mut found);
                    }
                    checks.decided(&mut found);
                }
            }
            comparison.follow(record)?;
            comparison.at(&standing, &mut found);
        }
        done.fetch_add(records.len() as u64, Ordering::Relaxed);
        // A log in memory never makes us wait; others want to run too.
        tokio::task::yield_now().await;
    }
    comparison.finish(&standing, &mut found);
    let end =
        log.end(log_of(peer)).await.map_err(|source| standing.failed("find the end of the log", source))?;
    comparison.beyond(end, &mut found);
    Ok(Folded {
        peer,
        counts,
        found,
        settled_traffic: settled_traffic.unwrap_or_else(|| common.traffic.clone()),
        traffic: common.traffic,
        kept: checks.finish(),
        snapshots_compared: comparison.compared,
        snapshots_skipped: comparison.skipped,
    })
}

/// The snapshots of a partition beside the fold from zero.
struct Comparison<A: Codec> {
    /// By position; not reached yet.
    ahead: BTreeMap<u64, Vec<Snapshot<A>>>,
    /// The positions of those we do not get to, taken since this began.
    later: Vec<u64>,
    /// Folds that began at a snapshot, by its position.
    beside: Vec<(u64, Standing<A>)>,
    compared: u64,
    skipped: Vec<String>,
}

impl<A: Codec> Comparison<A> {
    async fn load(snapshots: Option<Snapshots>, log: &dyn Log, peer: Peer, end: u64) -> Self {
        let mut all = Vec::new();
        if let Some(snapshots) = snapshots {
            let here = snapshots.clone();
            all.extend(off_thread(move || here.all::<A>(peer)).await.into_iter().flatten());
            if let Some(mirror) = snapshots.mirror() {
                all.extend(mirror.all(&snapshots, log, peer).await);
            }
        }
        let mut comparison = Comparison {
            ahead: BTreeMap::new(),
            later: Vec::new(),
            beside: Vec::new(),
            compared: 0,
            skipped: Vec::new(),
        };
        for snapshot in all {
            match snapshot {
                Ok(snapshot) if snapshot.point.position > end => {
                    comparison.later.push(snapshot.point.position)
                }
                Ok(snapshot) => {
                    let ahead = comparison.ahead.entry(snapshot.point.position).or_default();
                    // What is here and in the mirror, and the same, is folded once.
                    match ahead.iter().any(|other| other.is_same(&snapshot)) {
                        true => comparison.compared += 1,
                        false => ahead.push(snapshot),
                    }
                }
                Err(reason) => comparison.skipped.push(reason),
            }
        }
        comparison
    }

    /// Compares the snapshot taken where the fold stands, if there is one, and folds on from it.
    fn at(&mut self, standing: &Standing<A>, found: &mut Found) {
        let point = standing.point();
        for snapshot in self.ahead.remove(&point.position).unwrap_or_default() {
            self.compared += 1;
            let same_place = (snapshot.point.epoch, snapshot.point.seq) == (point.epoch, point.seq);
            let same_state = standing.digest() == snapshot.digest;
            found.require(
                same_place && same_state,
                7,
                format_args!("the snapshot at {} is not what folding from zero gives", point.position),
            );
            self.beside.push((point.position, Standing::from_snapshot(standing.peer.partition, snapshot)));
        }
    }

    fn follow(&mut self, record: &Record) -> Result<(), Error> {
        self.beside.iter_mut().try_for_each(|(_, standing)| standing.fold(record).map(drop))
    }

    /// A snapshot is taken of what stands in the log, so by now the log has grown to it.
    fn beyond(&self, end: u64, found: &mut Found) {
        for position in self.later.iter().filter(|position| **position > end) {
            found.add(7, format_args!("there is a snapshot at {position}, but the log ends at {end}"));
        }
    }

    fn finish(&mut self, standing: &Standing<A>, found: &mut Found) {
        for position in self.ahead.keys() {
            found.add(7, format_args!("there is a snapshot at {position}, where no record ends"));
        }
        if self.beside.is_empty() {
            return;
        }
        let from_zero = standing.digest();
        for (position, beside) in &self.beside {
            found.require(
                beside.digest() == from_zero,
                7,
                format_args!("folding from the snapshot at {position} gives another state than from zero"),
            );
        }
    }
}
