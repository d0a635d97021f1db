//! The way from one worker into the log. It is watched: what a worker may not do shows here, as it does it. And it is
//! where a worker dies: at any use of the log, before it takes effect or behind it, the worker waits for ever.

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Epoch, Intake, Origin, Peer, workspace};
use log::{Appending, Error, Limit, Log, MemoryLog, Partition, Record, Share, Topic};
use runtime::log_of;
use tokio::sync::watch;
use wire::Header;

use super::{
    dice::Dice,
    oracle::{Invariant, Oracle},
    town::PEERS,
};

/// What all doors of a town share.
pub(crate) struct Watch {
    pub(crate) oracle: Mutex<Oracle>,
    pub(crate) appends: AtomicU64,
    pub(crate) wakes: AtomicU64,
}

pub(crate) struct Door {
    me: Peer,
    pub(crate) log: MemoryLog,
    watch: Arc<Watch>,
    dice: Mutex<Dice>,
    doom: Mutex<Option<Doom>>,
    dead: AtomicBool,
    /// It leads, or has led: one that stands by since its start does nothing but read.
    pub(crate) may_append: AtomicBool,
    /// It is to lead, as far as it is told. One that was to, and still does, announces itself no more.
    pub(crate) may_announce: AtomicBool,
    flight: Arc<Mutex<Flight>>,
}

/// The worker dies at its next use of the log but so many.
struct Doom {
    after: u8,
    done: bool,
}

/// What became of the appends of one epoch, in the order of the calls: none while they are under way.
#[derive(Default)]
struct Flight {
    epoch: Option<Epoch>,
    outcomes: Vec<Option<bool>>,
    /// Its leader has had a turn since one had failed, and heard of it.
    has_heard: bool,
}

impl Flight {
    /// Whether one failed that its leader can hear of: it hears in order.
    fn has_failed(&self) -> bool {
        self.outcomes.iter().map_while(|outcome| *outcome).any(|well| !well)
    }
}

/// What happens to the worker at this use of the log.
#[derive(PartialEq)]
enum Fate {
    LivesOn,
    DiesBefore,
    DiesBehind,
}

impl Door {
    pub(crate) fn new(me: Peer, log: MemoryLog, watch: Arc<Watch>, seed: u64) -> Self {
        Door {
            me,
            log,
            watch,
            dice: Mutex::new(Dice::new(seed)),
            doom: Mutex::default(),
            dead: AtomicBool::new(false),
            may_append: AtomicBool::new(false),
            may_announce: AtomicBool::new(false),
            flight: Arc::default(),
        }
    }

    pub(crate) fn doom(&self, after: u8, done: bool) {
        *self.doom.lock().unwrap() = Some(Doom { after, done });
    }

    pub(crate) fn spare(&self) {
        *self.doom.lock().unwrap() = None;
    }

    fn fate(&self) -> Fate {
        let mut doom = self.doom.lock().unwrap();
        match &mut *doom {
            None => Fate::LivesOn,
            Some(Doom { after: 0, done }) => {
                self.dead.store(true, Relaxed);
                if *done { Fate::DiesBehind } else { Fate::DiesBefore }
            }
            Some(doom) => {
                doom.after -= 1;
                Fate::LivesOn
            }
        }
    }

    /// Does something with the log, as far as the worker lives to.
    async fn use_log<T>(&self, using: impl Future<Output = T>) -> T {
        let fate = self.fate();
        if fate == Fate::DiesBefore {
            return pending().await;
        }
        if self.dice.lock().unwrap().roll(4) == 0 {
            // Others come first now and then.
            let mut let_others = true;
            std::future::poll_fn(|context| {
                if std::mem::take(&mut let_others) {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
            .await;
        }
        let result = using.await;
        if fate == Fate::DiesBehind { pending().await } else { result }
    }

    /// What is about to be appended must follow from what stands in our own log.
    fn inspect(&self, partition: Partition, records: &[Bytes]) {
        let Some(target) = PEERS.iter().find(|peer| runtime::intake(**peer) == partition) else { return };
        let mut oracle = self.watch.oracle.lock().unwrap();
        for record in records {
            match wire::decode_origin(record) {
                Some(Origin::Relay { source, number }) if source == self.me => {
                    oracle.leaves(self.me, *target, number);
                }
                Some(_) => {}
                None => {
                    // The word that relays are applied is the same for every aggregate.
                    let word = wire::decode_intake::<workspace::Decider>(record);
                    if let Ok(Intake::Applied { by, through }) = word
                        && by == self.me
                    {
                        oracle.confirms(self.me, *target, through);
                    }
                }
            }
        }
    }

    /// The place of a decision of ours among those of its epoch. Nothing may follow one that failed.
    fn take_off(&self, records: &[Bytes]) -> Option<usize> {
        let headers = records.iter().filter_map(|record| wire::decode_header(record).ok());
        let epoch = headers.into_iter().find_map(|header| match header {
            Header::Decision { epoch, .. } => Some(epoch),
            Header::Announce(_) => None,
        })?;
        let mut flight = self.flight.lock().unwrap();
        if flight.epoch != Some(epoch) {
            *flight = Flight { epoch: Some(epoch), ..Flight::default() };
        }
        let me = self.me;
        self.watch.oracle.lock().unwrap().require(
            !flight.has_heard,
            Invariant::StaleEpochsAreInvisible,
            format_args!("{me}: the leader of epoch {epoch} goes on after it was told of a failed append"),
        );
        flight.outcomes.push(None);
        Some(flight.outcomes.len() - 1)
    }
}

#[async_trait]
impl Log for Door {
    fn partitions(&self, topic: Topic) -> Result<u32, Error> {
        self.log.partitions(topic)
    }

    fn append(&self, partition: Partition, records: Vec<Bytes>) -> Appending {
        let fate = self.fate();
        if fate == Fate::DiesBefore {
            return Box::pin(pending());
        }
        self.watch.oracle.lock().unwrap().require(
            self.may_append.load(Relaxed),
            Invariant::EffectsAfterTheReadBack,
            format_args!("a worker that stands by for {} appends to {partition}", self.me),
        );
        let announces =
            records.iter().any(|record| matches!(wire::decode_header(record), Ok(Header::Announce(_))));
        self.watch.oracle.lock().unwrap().require(
            self.may_announce.load(Relaxed) || !announces,
            Invariant::StaleEpochsAreInvisible,
            format_args!("a worker that was not given {} announces itself", self.me),
        );
        let place = if partition == log_of(self.me) {
            self.take_off(&records)
        } else {
            self.inspect(partition, &records);
            None
        };
        self.watch.appends.fetch_add(1, Relaxed);
        let appending = self.log.append(partition, records);
        if partition == log_of(self.me) {
            self.watch.oracle.lock().unwrap().catch_up(self.me);
        }
        if fate == Fate::DiesBehind {
            return Box::pin(pending());
        }
        let Some(place) = place else { return appending };
        let (flight, epoch) = (self.flight.clone(), self.flight.lock().unwrap().epoch);
        Box::pin(async move {
            let result = appending.await;
            let mut flight = flight.lock().unwrap();
            if flight.epoch == epoch {
                flight.outcomes[place] = Some(result.is_ok());
            }
            result
        })
    }

    async fn read(&self, partition: Partition, from: u64, limit: Limit) -> Result<Vec<Record>, Error> {
        self.use_log(self.log.read(partition, from, limit)).await
    }

    async fn start(&self, partition: Partition) -> Result<u64, Error> {
        self.use_log(self.log.start(partition)).await
    }

    async fn end(&self, partition: Partition) -> Result<u64, Error> {
        self.use_log(self.log.end(partition)).await
    }

    async fn wait(&self, partition: Partition, from: u64) -> Result<(), Error> {
        self.log.wait(partition, from).await
    }

    async fn trim(&self, partition: Partition, before: u64) -> Result<(), Error> {
        self.use_log(async {
            self.watch.oracle.lock().unwrap().trims(self.me, partition, before);
            self.log.trim(partition, before).await
        })
        .await
    }

    async fn join(
        &self,
        group: &str,
        topic: Topic,
        standbys: usize,
    ) -> Result<watch::Receiver<Share>, Error> {
        self.log.join(group, topic, standbys).await
    }
}

/// A worker that ends where its door says, as a process does that is killed: nothing of it runs on.
pub(crate) struct Mortal<F> {
    life: Option<Pin<Box<F>>>,
    door: Arc<Door>,
}

impl<F: Future<Output = ()>> Mortal<F> {
    pub(crate) fn new(life: F, door: Arc<Door>) -> Self {
        Mortal { life: Some(Box::pin(life)), door }
    }
}

impl<F: Future<Output = ()>> Future for Mortal<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.door.watch.wakes.fetch_add(1, Relaxed);
        let Some(life) = &mut self.life else { return Poll::Ready(()) };
        let polled = life.as_mut().poll(context);
        if polled.is_ready() || self.door.dead.load(Relaxed) {
            self.life = None;
            return Poll::Ready(());
        }
        // A leader waits only when it has heard all there is to hear.
        let mut flight = self.door.flight.lock().unwrap();
        flight.has_heard |= flight.has_failed();
        drop(flight);
        Poll::Pending
    }
}
