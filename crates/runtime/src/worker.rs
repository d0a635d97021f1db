//! A worker's life: fold, announce, lead, and begin again whenever anything is in doubt.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{Epoch, Peer, Policies, Timestamp, Topology};
use futures::FutureExt as _;
use log::{Log, Topic, clock};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wire::{Announce, Codec};

use crate::{
    Effects, Error, Post, Snapshots, Standing,
    leader::{End, Leader},
    metrics,
    standing::log_of,
};

/// The version of the records this code writes; readers are upgraded before leaders.
const RECORD_VERSION: u32 = 1;
/// How long a worker that lost its rule, or failed, waits before it tries again; doubles up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// What the workers of one aggregate share.
pub struct Setup<A: Codec> {
    pub log: Arc<dyn Log>,
    pub topology: Topology,
    /// This process, for those who read the log.
    pub name: String,
    pub effects: Arc<dyn Effects<A>>,
    pub policies: watch::Receiver<Policies>,
    pub snapshots: Option<Snapshots>,
    pub readiness: Arc<Readiness>,
}

impl<A: Codec> Setup<A> {
    pub(crate) fn post(&self) -> Post {
        Post { log: self.log.clone(), topology: self.topology }
    }
}

/// How many partitions this process should lead, and how many it leads.
#[derive(Default)]
pub struct Readiness {
    wanted: AtomicUsize,
    leading: AtomicUsize,
}

impl Readiness {
    pub fn is_ready(&self) -> bool {
        self.leading.load(Ordering::Acquire) >= self.wanted.load(Ordering::Acquire)
    }
}

/// Counts a partition as led for as long as it lives.
struct Leading<'a, A: Codec>(&'a Readiness, PhantomData<A>);

impl<'a, A: Codec> Leading<'a, A> {
    fn begin(readiness: &'a Readiness) -> Self {
        readiness.leading.fetch_add(1, Ordering::AcqRel);
        metrics::leading(A::KIND, 1.0);
        Leading(readiness, PhantomData)
    }
}

impl<A: Codec> Drop for Leading<'_, A> {
    fn drop(&mut self) {
        metrics::leading(A::KIND, -1.0);
        self.0.leading.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Leads one partition for as long as it may.
pub struct Worker<A: Codec> {
    setup: Arc<Setup<A>>,
    number: u32,
}

/// Leads the partitions that the group gives this process, until cancelled. Returns once all have ended.
pub async fn run_all<A: Codec>(setup: Setup<A>, cancel: CancellationToken) -> Result<(), log::Error> {
    let mut given = setup.log.join("workers", Topic(A::KIND.intake_topic())).await?;
    let setup = Arc::new(setup);
    let tasks = TaskTracker::new();
    let mut running: BTreeMap<u32, CancellationToken> = BTreeMap::new();
    loop {
        let numbers = given.borrow_and_update().clone();
        running.retain(|number, token| {
            let kept = numbers.contains(number);
            if !kept {
                token.cancel();
            }
            kept
        });
        for number in numbers {
            running.entry(number).or_insert_with(|| {
                let token = cancel.child_token();
                tasks.spawn(Worker { setup: setup.clone(), number }.run(token.clone()));
                token
            });
        }
        tokio::select! {
            () = cancel.cancelled() => break,
            changed = given.changed() => if changed.is_err() {
                cancel.cancelled().await;
                break;
            },
        }
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}

impl<A: Codec> Worker<A> {
    pub fn new(setup: Arc<Setup<A>>, number: u32) -> Self {
        Worker { setup, number }
    }

    fn peer(&self) -> Peer {
        Peer { kind: A::KIND, partition: self.number }
    }

    /// Until cancelled: what was under way is then read back, and a snapshot is left behind.
    pub async fn run(self, cancel: CancellationToken) {
        self.setup.readiness.wanted.fetch_add(1, Ordering::AcqRel);
        // The intake positions that the rules failed on, so that they are set aside next time.
        let mut poison = BTreeSet::new();
        let mut pause = PAUSE.0;
        while !cancel.is_cancelled() {
            let began = tokio::time::Instant::now();
            // Inputs that the rules fail on are caught one by one. What fails besides (a timer, an effect) must not
            // leave the partition without a worker; the log is as whole as ever.
            let reign = AssertUnwindSafe(self.reign(&mut poison, &cancel)).catch_unwind().await;
            match reign {
                Ok(Ok(End::Cancelled)) => break,
                Ok(Ok(End::Deposed)) => tracing::info!(peer = %self.peer(), "another worker leads now"),
                Err(_) => {
                    metrics::stepped_down(A::KIND);
                    tracing::error!(peer = %self.peer(), "the worker panicked; folding the log again");
                }
                Ok(Err(error)) => {
                    metrics::stepped_down(A::KIND);
                    if let Error::Poison { position, .. } = &error {
                        poison.insert(*position);
                    }
                    tracing::warn!(error = &error as &dyn std::error::Error, "folding the log again");
                }
            }
            if began.elapsed() > PAUSE.1 {
                pause = PAUSE.0;
            }
            tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(jittered(pause)) => pause = (pause * 2).min(PAUSE.1),
            }
        }
        self.setup.readiness.wanted.fetch_sub(1, Ordering::AcqRel);
    }

    async fn reign(&self, poison: &mut BTreeSet<u64>, cancel: &CancellationToken) -> Result<End, Error> {
        let mut standing = self.load().await?;
        let mut tail = standing.tail(self.setup.log.clone());
        standing.catch_up(&mut tail).await?;

        let epoch = self.announce(&standing).await?;
        standing.catch_up(&mut tail).await?;
        if standing.point().epoch != Some(epoch) {
            return Ok(End::Deposed);
        }
        poison.retain(|position| *position >= standing.intake_through);
        let _leading = Leading::<A>::begin(&self.setup.readiness);
        tracing::debug!(peer = %self.peer(), %epoch, "leading");
        Leader::new(self.setup.clone(), standing, tail, epoch, poison).lead(cancel).await
    }

    async fn load(&self) -> Result<Standing<A>, Error> {
        let Some(snapshots) = self.setup.snapshots.clone() else {
            return Ok(Standing::new(self.number, self.setup.topology));
        };
        let peer = self.peer();
        let newest = tokio::task::spawn_blocking(move || snapshots.newest::<A>(peer)).await;
        let from_zero = Standing::new(self.number, self.setup.topology);
        let Some(snapshot) = newest.ok().flatten() else { return Ok(from_zero) };
        let end = self.setup.log.end(log_of(peer)).await;
        if snapshot.point.position
            > end.map_err(|source| from_zero.failed("find the end of the log", source))?
        {
            tracing::warn!(%peer, "skipping a snapshot of another log: ours ends before it");
            return Ok(from_zero);
        }
        Ok(Standing::from_snapshot(self.number, snapshot))
    }

    /// Claims the partition. Whether the claim was accepted is for the log to say.
    async fn announce(&self, standing: &Standing<A>) -> Result<Epoch, Error> {
        let mut epoch = [0; 16];
        // Without randomness there is no safe epoch; the operating system's cannot fail once it has begun.
        if getrandom::fill(&mut epoch).is_err() {
            let source =
                log::Error::Storage { operation: "draw a random epoch", source: "no randomness".into() };
            return Err(standing.failed("announce", source));
        }
        let epoch = Epoch(epoch);
        let announce = Announce {
            epoch,
            follows: standing.point().epoch,
            leader: self.setup.name.clone(),
            version: RECORD_VERSION,
            at: Timestamp(clock::now()),
        };
        let record = wire::encode_announce(&announce);
        let appended = self.setup.log.append(log_of(self.peer()), vec![record]).await;
        appended.map_err(|source| standing.failed("announce", source))?;
        Ok(epoch)
    }
}

/// Between half of the span and the whole, so that rivals do not meet again and again.
fn jittered(span: Duration) -> Duration {
    let mut byte = [0];
    // A failure leaves the byte at zero: less jitter, nothing worse.
    let _ = getrandom::fill(&mut byte);
    span / 2 + span * u32::from(byte[0]) / 512
}
