//! A worker's life: fold, announce, lead, and begin again whenever anything is in doubt.

use std::{collections::BTreeMap, convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use domain::{Epoch, Kind, Millis, Peer, Policies, Timestamp, Topology};
use futures::FutureExt as _;
use log::{Limit, Log, Membership, Tail, Topic};
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
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

/// Who is behind by less than so many records announces itself: another may lead still and decide ever more, and what it
/// decides before it is deposed is read with the announcement.
const NEAR: usize = 100;
/// How long a process that stops goes on, at most, for others to take over what it leads.
const HANDING_OVER: Duration = Duration::from_secs(3);

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
    /// How many processes fold a partition beside its leader, so that one of them takes over at once. Each of them pays
    /// for it with as much memory as the leader.
    pub standbys: usize,
}

impl<A: Codec> Setup<A> {
    pub(crate) fn post(&self) -> Post {
        Post { log: self.log.clone(), topology: self.topology }
    }
}

/// What a worker is to do about its partition. Only who is to lead announces itself: two who did so again and again would
/// disturb each other. But whoever leads goes on until another is announced, also where the partition was given away or
/// lost with the group: nobody else decides before that.
///
/// Where attempts are made, only who has lost its group goes on. Whoever follows asks what became of those that have not
/// reported, so whoever has given the partition away begins none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// To announce itself, and again whenever it does not lead.
    Lead,
    /// The group that gave the partition is out of reach: to fold, once it does not lead any more.
    Keep,
    /// To fold what another decides, so that taking over is quick.
    StandBy,
    /// To end.
    Leave,
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
    duty: watch::Sender<Duty>,
    counted: Option<Counted>,
}

impl Running {
    fn tell(&mut self, duty: Duty, counted: impl FnOnce() -> Option<Counted>) {
        if self.duty.send_if_modified(|told| std::mem::replace(told, duty) != duty) {
            self.counted = counted();
        }
    }
}

/// Leads the partitions that the group gives this process, and stands by where it is next in line, until cancelled. Then it
/// leaves the group, lets those who are next in line for its own take over, and returns once all have ended.
pub async fn run_all<A: Codec>(setup: Setup<A>, cancel: CancellationToken) -> Result<(), log::Error> {
    let mut joining = Some(Counted::joining(&setup.readiness, A::KIND));
    let mut shares = setup.log.join("workers", Topic(A::KIND.intake_topic()), setup.standbys).await?;
    let setup = Arc::new(setup);
    let mut running: BTreeMap<u32, Running> = BTreeMap::new();
    // Each yields its number.
    let mut tasks = JoinSet::new();
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let mut adrift = None;
    loop {
        let share = shares.borrow_and_update().clone();
        match (share.membership == Membership::Adrift, &adrift) {
            (true, None) => {
                adrift = Some(Counted::adrift(&setup.readiness, A::KIND));
                tracing::warn!(workers = %A::KIND, "out of the group: what is led here goes on, and no more");
            }
            (false, Some(_)) => {
                adrift = None;
                tracing::info!(workers = %A::KIND, "in the group again");
            }
            (true, Some(_)) | (false, None) => {}
        }
        let led = if adrift.is_some() { Duty::Keep } else { Duty::Lead };
        let mut duties: BTreeMap<u32, Duty> = running.keys().map(|number| (*number, Duty::Leave)).collect();
        duties.extend(share.next.iter().map(|number| (*number, Duty::StandBy)));
        duties.extend(share.led.iter().map(|number| (*number, led)));
        for (number, duty) in duties {
            let peer = Peer { kind: A::KIND, partition: number };
            let counted = || match duty {
                Duty::Lead => Some(Counted::given(&setup.readiness, peer)),
                Duty::StandBy => Some(Counted::standing_by(&setup.readiness, peer)),
                Duty::Keep | Duty::Leave => None,
            };
            if let Some(worker) = running.get_mut(&number) {
                worker.tell(duty, counted);
                continue;
            }
            let ((duty, told), cancel) = (watch::channel(duty), stop.clone());
            running.insert(number, Running { duty, counted: counted() });
            let worker = Worker::new(setup.clone(), number);
            tasks.spawn(async move {
                worker.run_while(told, cancel).await;
                number
            });
        }
        if share.membership != Membership::Joining {
            joining = None;
        }
        tokio::select! {
            () = cancel.cancelled() => break,
            changed = shares.changed() => if changed.is_err() {
                cancel.cancelled().await;
                break;
            },
            // It may be wanted again by now.
            Some(Ok(number)) = tasks.join_next() => drop(running.remove(&number)),
        }
    }
    // Where it is next in line for others, they are for it.
    let is_followed = !shares.borrow().next.is_empty();
    drop((joining, shares));
    if is_followed {
        running.values_mut().for_each(|worker| worker.tell(Duty::Leave, || None));
        let ended = async { while tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(HANDING_OVER, ended).await;
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
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
        let _given = Counted::given(&self.setup.readiness, self.peer());
        let (_told, duty) = watch::channel(Duty::Lead);
        self.run_while(duty, cancel).await;
    }

    /// Does its duty until that is to end, until cancelled, or until nobody is left to tell it.
    pub async fn run_while(self, mut duty: watch::Receiver<Duty>, cancel: CancellationToken) {
        let mut poison = Poison::default();
        let mut pause = PAUSE.0;
        while !cancel.is_cancelled() && duty.has_changed().is_ok() && *duty.borrow() != Duty::Leave {
            let began = Instant::now();
            // What the rules and the effects fail on is caught one by one. What fails besides must not leave the
            // partition without a worker; the log is as whole as ever.
            let reign = AssertUnwindSafe(self.reign(&mut duty, &mut poison, &cancel)).catch_unwind().await;
            match reign {
                Ok(Ok(End::Cancelled)) => continue,
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

    /// Folds until it is to lead, and leads until that ends.
    async fn reign(
        &self,
        duty: &mut watch::Receiver<Duty>,
        poison: &mut Poison<A::TimerId>,
        cancel: &CancellationToken,
    ) -> Result<End, Error> {
        let Some(Folded { mut standing, mut tail }) = self.fold(duty, cancel).await? else {
            return Ok(End::Cancelled);
        };
        let (position, epoch, guard) = self.announce(&standing).await?;
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(End::Cancelled),
            caught_up = self.catch_up(&mut standing, &mut tail, position) => caught_up?,
        }
        if standing.point().epoch != Some(epoch) {
            return Ok(End::Deposed);
        }
        poison.forget_inputs_before(standing.intake_through);
        let _leading = Counted::leading(&self.setup.readiness, self.peer());
        tracing::debug!(peer = %self.peer(), %epoch, "leading");
        let _house = self.keep_house();
        let let_go = cancel.child_token();
        let letting_go = async {
            if A::KIND == Kind::Delivery {
                drop(duty.wait_for(|duty| matches!(duty, Duty::StandBy | Duty::Leave)).await);
                let_go.cancel();
            }
            std::future::pending::<Infallible>().await
        };
        let leader = Leader::new(self.setup.clone(), standing, tail, epoch, guard, poison);
        tokio::select! {
            biased;
            end = leader.lead(&let_go) => end,
            never = letting_go => match never {},
        }
    }

    /// Folds what there is and what comes, until it is to lead and has folded nearly everything: all that there was when it
    /// seemed to be. (A reading may be short, and who announces itself behind an announcement that it has not seen is refused
    /// as often as it tries.) None once that is not to be.
    async fn fold(
        &self,
        duty: &mut watch::Receiver<Duty>,
        cancel: &CancellationToken,
    ) -> Result<Option<Folded<A>>, Error> {
        let mut folded = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(None),
            folded = self.load() => folded?,
        };
        let mut goal = None;
        loop {
            let leads = match *duty.borrow_and_update() {
                Duty::Lead => true,
                Duty::Keep | Duty::StandBy => false,
                Duty::Leave => return Ok(None),
            };
            let Folded { standing, tail } = &mut folded;
            let is_there = leads && goal.is_none_or(|goal| tail.next_position() >= goal);
            let records = tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(None),
                told = duty.changed() => match told {
                    Ok(()) => continue,
                    Err(_) => return Ok(None),
                },
                records = async { if is_there { tail.ready().await } else { tail.batch().await } } => records,
            };
            let records = records.map_err(|source| standing.failed("read the log", source))?;
            let is_near = records.len() < NEAR;
            standing.take_in(&records, &self.setup).await?;
            if leads && is_near {
                let end = match goal {
                    Some(end) => end,
                    None => {
                        let end = self.setup.log.end(log_of(self.peer())).await;
                        *goal.insert(end.map_err(|source| standing.failed("read the log", source))?)
                    }
                };
                if tail.next_position() >= end {
                    return Ok(Some(folded));
                }
            }
        }
    }

    /// What whoever leads does besides, in a task of its own: trims the intake, keeps the index of reading points, and
    /// mirrors the snapshots.
    fn keep_house(&self) -> Option<AbortOnDropHandle<()>> {
        let (setup, peer) = (&self.setup, self.peer());
        let snapshots = setup.snapshots.clone()?;
        let points = Points::new(snapshots.clone()).keep(setup.log.clone(), peer);
        let mirrored = snapshots.mirror().cloned();
        let mirror = mirrored.map(|mirror| mirror.keep(snapshots.clone(), setup.log.clone(), peer));
        let intake =
            retention::keep(setup.log.clone(), snapshots, setup.clock.clone(), setup.retention, peer);
        Some(AbortOnDropHandle::new(tokio::spawn(async move {
            futures::join!(points, intake, futures::future::OptionFuture::from(mirror));
        })))
    }

    /// The newest snapshot that can be used, or the beginning.
    async fn load(&self) -> Result<Folded<A>, Error> {
        let standing = Standing::newest(self.number, &self.setup).await?;
        Ok(Folded { tail: standing.tail(self.setup.log.clone()), standing })
    }

    /// Folds what is there now, at least through this position, where there is something.
    async fn catch_up(&self, standing: &mut Standing<A>, tail: &mut Tail, through: u64) -> Result<(), Error> {
        loop {
            let is_behind = tail.next_position() <= through;
            let records = if is_behind { tail.batch().await } else { tail.ready().await };
            let records = records.map_err(|source| standing.failed("read the log", source))?;
            if records.is_empty() {
                return Ok(());
            }
            standing.take_in(&records, &self.setup).await?;
        }
    }

    /// Claims the partition, at the position it yields. Whether the claim was accepted is for the log to say. What the log stamps on it tells how
    /// our clock is.
    async fn announce(&self, standing: &Standing<A>) -> Result<(u64, Epoch, Guard), Error> {
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
        Ok((position, epoch, Guard::measured((shown, since), appended_at, (now, moment))))
    }

    /// Between half of the span and the whole, so that rivals do not meet again and again.
    fn jittered(&self, span: Duration) -> Duration {
        // Without randomness there is less jitter, nothing worse.
        let [byte] = self.random.draw().unwrap_or_default();
        span / 2 + span * u32::from(byte) / 512
    }
}
