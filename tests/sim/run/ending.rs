//! The end of a run: everything is mended, everyone gets time, and then nothing may be left undone.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use domain::{Kind, Peer, Timestamp, contact, conversation, delivery, desk, workspace};
use log::{Limit, Log as _, memory::Fault};
use runtime::{Standing, intake, log_of, verify::verify};
use wire::Codec;

use super::{Outcome, Town};
use crate::{
    action::Tells,
    oracle::Invariant,
    town::{PEERS, TOPOLOGY},
};

/// Rounds that a mended town gets to come to rest.
const ROUNDS: u32 = 60;

impl Town {
    /// Everything is mended and everyone gets time; then nothing may be left undone.
    pub(super) async fn end(&mut self) {
        self.log.forget_faults();
        self.log.refuse(false);
        self.log.release();
        self.log.land();
        self.look_around();
        for round in 0..ROUNDS {
            self.crew.recover();
            // Relays that got lost are sent again after two seconds, and workers that failed pause as long; later on,
            // what a provider wanted to be tried again is due within minutes.
            let millis = if round < 10 { 2_300 } else { 61_000 };
            tokio::time::advance(Duration::from_millis(millis)).await;
            for _ in 0..3 {
                self.rest().await;
                tokio::time::sleep(Duration::from_millis(21)).await;
                self.look_around();
                while !self.outgoing.lock().unwrap().is_idle() {
                    self.provider_tells(0, Tells::Taken);
                    self.rest().await;
                }
            }
            if self.is_violated() || (round > 1 && self.is_at_rest().await) {
                break;
            }
        }
        let taken: Vec<_> =
            self.facts.iter().filter(|fact| fact.taken).map(|fact| (fact.to, fact.id)).collect();
        {
            let mut oracle = self.watch.oracle.lock().unwrap();
            oracle.at_rest(&taken);
            oracle.reads_the_same_from_the_middle();
        }
        if self.is_violated() {
            return;
        }
        self.check_timers().await;
        self.crew.stop_all();
        for _ in 0..20 {
            if self.crew.are_gone() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        self.look_around();
        self.fold_again().await;
    }

    async fn is_at_rest(&self) -> bool {
        let nothing_posted = self.posted.is_empty() && self.outgoing.lock().unwrap().is_idle();
        nothing_posted && self.watch.oracle.lock().unwrap().is_quiet() && self.overdue().await.is_none()
    }

    async fn check_timers(&mut self) {
        let overdue = self.overdue().await;
        self.watch.oracle.lock().unwrap().require(
            overdue.is_none(),
            Invariant::TimersInTime,
            format_args!("{overdue:?}: a timer is overdue, and everyone had time"),
        );
    }

    /// A partition with a timer that should have fired.
    async fn overdue(&self) -> Option<Peer> {
        let by = Timestamp(self.now().0 - 2_000);
        for peer in PEERS {
            let due = match peer.kind {
                Kind::Conversation => self.next_due::<conversation::Decider>(peer).await,
                Kind::Desk => self.next_due::<desk::Decider>(peer).await,
                Kind::Delivery => self.next_due::<delivery::Decider>(peer).await,
                Kind::Contact => self.next_due::<contact::Decider>(peer).await,
                Kind::Workspace => self.next_due::<workspace::Decider>(peer).await,
            };
            if due.is_some_and(|due| due <= by) {
                return Some(peer);
            }
        }
        None
    }

    async fn next_due<A: Codec>(&self, peer: Peer) -> Option<Timestamp> {
        let mut standing = Standing::<A>::new(peer.partition, TOPOLOGY);
        let mut tail = standing.tail(Arc::new(self.log.clone()));
        standing.catch_up(&mut tail).await.ok()?;
        standing.partition.next_due()
    }

    /// From zero and from each snapshot that was left: the same state.
    async fn fold_again(&mut self) {
        let snapshots: Vec<_> = self.crew.snapshots().map(Some).collect();
        let snapshots = if snapshots.is_empty() { vec![None] } else { snapshots };
        for snapshots in snapshots {
            let report = verify(Arc::new(self.log.clone()), TOPOLOGY, snapshots, &|_| {}).await;
            let clean = report.as_ref().is_ok_and(|report| report.is_clean());
            let said = match &report {
                Ok(report) => {
                    report.violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                }
                Err(error) => error.to_string(),
            };
            self.watch.oracle.lock().unwrap().require(
                clean,
                Invariant::FoldsAgree,
                format_args!("folding everything again finds: {said}"),
            );
        }
    }

    pub(super) async fn outcome(mut self, at: Option<u32>) -> Outcome {
        let violation = {
            let oracle = self.watch.oracle.lock().unwrap();
            self.tally.happened = oracle.happened().clone();
            oracle.violation().cloned()
        };
        self.tally.appends = self.watch.appends.load(Relaxed);
        self.tally.wakes = self.watch.wakes.load(Relaxed);
        for (fault, times) in self.log.faults_met() {
            self.tally.faults.insert(met(fault), times);
        }
        let mut all = Vec::new();
        for peer in PEERS {
            for partition in [intake(peer), log_of(peer)] {
                let mut from = self.log.start(partition).await.unwrap_or(0);
                while let Ok(records) = self.log.read(partition, from, Limit::default()).await
                    && let Some(last) = records.last()
                {
                    from = last.position + 1;
                    for record in &records {
                        all.extend(record.position.to_be_bytes());
                        all.extend(record.appended_at.to_be_bytes());
                        all.extend(&record.bytes);
                    }
                }
            }
        }
        Outcome { violation, at, tally: self.tally, digest: wire::digest(&all) }
    }
}

fn met(fault: Fault) -> &'static str {
    match fault {
        Fault::AckLost => "acknowledgements lost",
        Fault::WriteLost => "writes lost",
        Fault::Late => "writes that landed late",
        Fault::Doubled => "writes doubled",
    }
}
