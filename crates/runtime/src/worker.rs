//! A worker's life: fold, announce, lead, and begin again whenever anything is in doubt.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use domain::{Epoch, Millis, Peer, Policies, Timestamp, Topology};
use futures::FutureExt as _;
use log::{Limit, Log, Tail, Topic};
use tokio::{sync::watch, time::Instant};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use wire::{Announce, Codec};

use crate::{
    Clock, Effects, Error, Points, Post, Random, Readiness, Retention, Snapshots, Standing,
    clock::Guard,
    leader::{End, Leader, Poison},
    metrics,
    readiness::Counted,
    retention,
    standing::log_of,
};

/// The version of the records this code writes; readers are upgraded before leaders.
const RECORD_VERSION: u32 = 2;
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
    /// Where snapshots are left, and the index of reading points beside them.
    pub snapshots: Option<Snapshots>,
    pub readiness: Arc<Readiness>,
    /// What the log stamps records by, give or take two seconds.
    pub clock: Clock,
    /// How long the intakes of what is led are kept. Nothing is removed where there are no snapshots.
    pub retention: Retention,
    /// Parties for whom nothing has been under way for this long leave memory. They come back when they are needed, as
    /// they were.
    pub retire_after: Millis,
    /// Whether partitions that are led elsewhere are folded here, so that taking over is quick. It costs as much memory
    /// as leading them.
    pub standby: bool,
}

impl<A: Codec> Setup<A> {
    pub(crate) fn post(&self) -> Post {
        Post { log: self.log.clone(), topology: self.topology }
    }
}

/// Leads one partition for as long as it may.
pub struct Worker<A: Codec> {
    setup: Arc<Setup<A>>,
    number: u32,
    random: Random,
}

/// A fold that goes on from the tail.
struct Folded<A: Codec> {
    standing: Standing<A>,
    tail: Tail,
}

/// A worker under way, and what it is told.
struct Running {
    assigned: watch::Sender<bool>,
    cancel: CancellationToken,
}

/// Leads the partitions that the group gives this process, until cancelled; with `standby` it folds the others. Returns
/// once all have ended.
pub async fn run_all<A: Codec>(setup: Setup<A>, cancel: CancellationToken) -> Result<(), log::Error> {
    let topic = Topic(A::KIND.intake_topic());
    let mut given = setup.log.join("workers", topic).await?;
    let folded = if setup.standby { 0..setup.log.partitions(topic)? } else { 0..0 };
    let setup = Arc::new(setup);
    let tasks = TaskTracker::new();
    let mut running: BTreeMap<u32, Running> = BTreeMap::new();
    loop {
        let led: BTreeSet<u32> = given.borrow_and_update().iter().copied().collect();
        running.retain(|number, worker| {
            let kept = led.contains(number) || folded.contains(number);
            if !kept {
                worker.cancel.cancel();
            }
            kept
        });
        for number in folded.clone().chain(led.iter().copied()) {
            let assigned = led.contains(&number);
            let worker = running.entry(number).or_insert_with(|| {
                let worker = Running { assigned: watch::Sender::new(assigned), cancel: cancel.child_token() };
                let (told, cancel) = (worker.assigned.subscribe(), worker.cancel.clone());
                tasks.spawn(Worker::new(setup.clone(), number).run_while(told, cancel));
                worker
            });
            worker.assigned.send_if_modified(|told| std::mem::replace(told, assigned) != assigned);
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
        Worker { setup, number, random: Random::default() }
    }

    /// Draws epochs and the length of pauses from elsewhere than the operating system.
    pub fn with_random(self, random: Random) -> Self {
        Worker { random, ..self }
    }

    fn peer(&self) -> Peer {
        Peer { kind: A::KIND, partition: self.number }
    }

    /// Leads until cancelled: what was under way is then read back, and a snapshot is left behind.
    pub async fn run(self, cancel: CancellationToken) {
        self.lead(None, &cancel).await;
    }

    /// Leads while it is assigned, and folds what others decide while it is not, so that taking over is quick.
    pub async fn run_while(self, mut assigned: watch::Receiver<bool>, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            let mut folded = None;
            let leads = *assigned.borrow_and_update();
            if !leads {
                folded = self.stand_by(&mut assigned, &cancel).await;
                if folded.is_none() {
                    return;
                }
            }
            let revoked = cancel.child_token();
            let revoking = async {
                drop(assigned.wait_for(|assigned| !assigned).await);
                revoked.cancel();
                std::future::pending().await
            };
            tokio::select! {
                biased;
                () = self.lead(folded, &revoked) => {}
                () = revoking => {}
            }
        }
    }

    /// Folds until it is assigned; none once cancelled, or once nobody is left to assign it.
    async fn stand_by(
        &self,
        assigned: &mut watch::Receiver<bool>,
        cancel: &CancellationToken,
    ) -> Option<Folded<A>> {
        let mut pause = PAUSE.0;
        loop {
            let folding = AssertUnwindSafe(self.fold_along(assigned, cancel)).catch_unwind();
            match folding.await {
                Ok(Ok(folded)) => return folded,
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "standing by begins again");
                }
                Err(_) => tracing::error!(peer = %self.peer(), "a fold panicked; standing by begins again"),
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return None,
                () = tokio::time::sleep(self.jittered(pause)) => pause = (pause * 2).min(PAUSE.1),
            }
        }
    }

    async fn fold_along(
        &self,
        assigned: &mut watch::Receiver<bool>,
        cancel: &CancellationToken,
    ) -> Result<Option<Folded<A>>, Error> {
        let mut folded = self.load().await?;
        loop {
            let records = tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(None),
                told = assigned.wait_for(|assigned| *assigned) => return Ok(told.is_ok().then_some(folded)),
                records = folded.tail.batch() => records,
            };
            let records = records.map_err(|source| folded.standing.failed("read the log", source))?;
            folded.standing.take_in(&records, &self.setup).await?;
        }
    }

    /// Until cancelled. It begins with what was folded already, and folds again by itself whenever it must.
    async fn lead(&self, mut folded: Option<Folded<A>>, cancel: &CancellationToken) {
        let _wanted = Counted::wanted(&self.setup.readiness, A::KIND);
        let mut poison = Poison::default();
        let mut pause = PAUSE.0;
        while !cancel.is_cancelled() {
            let began = Instant::now();
            // What the rules and the effects fail on is caught one by one. What fails besides must not leave the
            // partition without a worker; the log is as whole as ever.
            let reign = AssertUnwindSafe(self.reign(folded.take(), &mut poison, cancel)).catch_unwind().await;
            match reign {
                Ok(Ok(End::Cancelled)) => break,
                Ok(Ok(End::Deposed)) => tracing::info!(peer = %self.peer(), "another worker leads now"),
                Err(_) => {
                    metrics::stepped_down(A::KIND);
                    tracing::error!(peer = %self.peer(), "the worker panicked; folding the log again");
                }
                Ok(Err(error)) => {
                    metrics::stepped_down(A::KIND);
                    tracing::warn!(error = &error as &dyn std::error::Error, "folding the log again");
                }
            }
            if began.elapsed() > PAUSE.1 {
                pause = PAUSE.0;
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(self.jittered(pause)) => pause = (pause * 2).min(PAUSE.1),
            }
        }
    }

    async fn reign(
        &self,
        folded: Option<Folded<A>>,
        poison: &mut Poison<A::TimerId>,
        cancel: &CancellationToken,
    ) -> Result<End, Error> {
        let folded = match folded {
            Some(folded) => folded,
            None => self.load().await?,
        };
        let Folded { mut standing, mut tail } = folded;
        self.catch_up(&mut standing, &mut tail).await?;

        let (epoch, guard) = self.announce(&standing).await?;
        self.catch_up(&mut standing, &mut tail).await?;
        if standing.point().epoch != Some(epoch) {
            return Ok(End::Deposed);
        }
        poison.forget_inputs_before(standing.intake_through);
        let _leading = Counted::leading(&self.setup.readiness, A::KIND);
        tracing::debug!(peer = %self.peer(), %epoch, "leading");
        let _house = self.keep_house();
        Leader::new(self.setup.clone(), standing, tail, epoch, guard, poison).lead(cancel).await
    }

    /// What whoever leads does besides, in a task of its own: trims the intake, and keeps the index of reading points.
    fn keep_house(&self) -> Option<AbortOnDropHandle<()>> {
        let (setup, peer) = (&self.setup, self.peer());
        let snapshots = setup.snapshots.clone()?;
        let points = Points::new(snapshots.clone()).keep(setup.log.clone(), peer);
        let intake =
            retention::keep(setup.log.clone(), snapshots, setup.clock.clone(), setup.retention, peer);
        Some(AbortOnDropHandle::new(tokio::spawn(async move {
            futures::join!(points, intake);
        })))
    }

    /// The newest snapshot that can be used, or the beginning.
    async fn load(&self) -> Result<Folded<A>, Error> {
        let standing = Standing::newest(self.number, &self.setup).await?;
        Ok(Folded { tail: standing.tail(self.setup.log.clone()), standing })
    }

    /// Folds what is there now.
    async fn catch_up(&self, standing: &mut Standing<A>, tail: &mut Tail) -> Result<(), Error> {
        loop {
            let records = tail.ready().await.map_err(|source| standing.failed("read the log", source))?;
            if records.is_empty() {
                return Ok(());
            }
            standing.take_in(&records, &self.setup).await?;
        }
    }

    /// Claims the partition. Whether the claim was accepted is for the log to say. What the log stamps on it tells how
    /// our clock is.
    async fn announce(&self, standing: &Standing<A>) -> Result<(Epoch, Guard), Error> {
        // Without randomness there is no safe epoch; the operating system's cannot fail once it has begun.
        let epoch = self.random.draw().map(Epoch).map_err(|error| {
            let source =
                log::Error::Storage { operation: "draw a random epoch", source: error.to_string().into() };
            standing.failed("announce", source)
        })?;
        let (log, clock) = (&self.setup.log, &self.setup.clock);
        let (shown, since) = (clock.now(), Instant::now());
        let announce = Announce {
            epoch,
            follows: standing.point().epoch,
            leader: self.setup.name.clone(),
            version: RECORD_VERSION,
            at: shown,
        };
        let record = wire::encode_announce(&announce);
        let appended = log.append(log_of(self.peer()), vec![record]).await;
        let position = appended.map_err(|source| standing.failed("announce", source))?;
        let (now, moment) = (clock.now(), Instant::now());
        let announced = log.read(log_of(self.peer()), position, Limit { records: 1, bytes: 0 }).await;
        let announced = announced.map_err(|source| standing.failed("read the announcement", source))?;
        let appended_at = announced.first().map_or(shown, |record| Timestamp(record.appended_at));
        Ok((epoch, Guard::measured((shown, since), appended_at, (now, moment))))
    }

    /// Between half of the span and the whole, so that rivals do not meet again and again.
    fn jittered(&self, span: Duration) -> Duration {
        // Without randomness there is less jitter, nothing worse.
        let [byte] = self.random.draw().unwrap_or_default();
        span / 2 + span * u32::from(byte) / 512
    }
}
