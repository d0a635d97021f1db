//! One run: a town is made, the plan's actions are done one after the other, then everything that was broken is mended,
//! everyone gets time, and nothing may be left undone.

mod deeds;
mod ending;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use domain::{FactId, Kind, Peer, Timestamp};
use futures::{FutureExt as _, task::noop_waker_ref};
use log::{Appending, Log as _, MemoryLog, Topic};
use runtime::{Clock, intake};
use tokio::time::Instant;

use super::{
    action::{Action, Planned},
    bugs::Bug,
    crew::Crew,
    door::Watch,
    oracle::{Oracle, Violation},
    people::Outgoing,
    town::{DAWN, PEERS, TOPOLOGY},
};

/// With commands on their way, no more time than this passes at once, in milliseconds: one that waits for hours is
/// refused, and little would come of a run in which most are.
const WITH_COMMANDS_ON_THEIR_WAY: u64 = 600_000;

/// What came of a run.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) violation: Option<Violation>,
    /// The number of the action after which it showed; none at the end.
    pub(crate) at: Option<u32>,
    pub(crate) tally: Tally,
    /// Over every record of every log.
    pub(crate) digest: [u8; 32],
}

/// What a run did, by kind.
#[derive(Clone, Default, Debug)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    pub(crate) actions: u64,
    /// Appends by workers and by edges, and times a worker was woken.
    pub(crate) appends: u64,
    pub(crate) wakes: u64,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) happened: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(crate) fn steps(&self) -> u64 {
        self.actions + self.appends + self.wakes
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        self.seeds += other.seeds;
        self.actions += other.actions;
        self.appends += other.appends;
        self.wakes += other.wakes;
        for (fault, times) in &other.faults {
            *self.faults.entry(fault).or_default() += times;
        }
        for (what, times) in &other.happened {
            *self.happened.entry(what).or_default() += times;
        }
    }
}

/// Runs the plan on a thread's own time.
pub(crate) fn run(seed: u64, plan: &[Planned], bug: Option<Bug>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async { Town::new(seed, bug).live(plan).await })
}

struct Town {
    log: MemoryLog,
    clock: Clock,
    watch: Arc<Watch>,
    crew: Crew,
    outgoing: Arc<Mutex<Outgoing>>,
    /// Inputs on their way into the log: repeated until they are taken, as providers and clients do.
    posted: Vec<Posted>,
    facts: Vec<Fact>,
    commands: Vec<(Peer, Bytes, Timestamp)>,
    tally: Tally,
}

struct Posted {
    to: Peer,
    bytes: Bytes,
    fact: Option<FactId>,
    appending: Option<Appending>,
}

struct Fact {
    to: Peer,
    id: FactId,
    bytes: Bytes,
    at: Timestamp,
    taken: bool,
}

impl Town {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let topics: Vec<_> = Kind::ALL
            .into_iter()
            .flat_map(|kind| [kind.intake_topic(), kind.log_topic()].map(|topic| (kind, topic)))
            .map(|(kind, topic)| (Topic(topic), TOPOLOGY.partitions(kind)))
            .collect();
        let began = Instant::now();
        let now = move || DAWN + i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let log = MemoryLog::new(&topics).with_clock(now);
        let clock = Clock::new(now);
        let watch = Arc::new(Watch {
            oracle: Mutex::new(Oracle::new(log.clone(), clock.clone())),
            appends: 0.into(),
            wakes: 0.into(),
        });
        let outgoing: Arc<Mutex<Outgoing>> = Arc::default();
        let crew = Crew::new(log.clone(), clock.clone(), watch.clone(), outgoing.clone(), bug, seed);
        Town {
            log,
            clock,
            watch,
            crew,
            outgoing,
            posted: Vec::new(),
            facts: Vec::new(),
            commands: Vec::new(),
            tally: Tally { seeds: 1, ..Tally::default() },
        }
    }

    async fn live(mut self, plan: &[Planned]) -> Outcome {
        (0..PEERS.len() as u8).for_each(|peer| self.crew.start(peer, false));
        self.act(u32::MAX, Action::Applies { policy: 2 });
        self.rest().await;
        for planned in plan {
            self.act(planned.number, planned.action);
            self.tally.actions += 1;
            if let Action::Passes { millis } = planned.action {
                let unread =
                    self.watch.oracle.lock().unwrap().has_unread_commands() || !self.posted.is_empty();
                let millis = if unread { millis.min(WITH_COMMANDS_ON_THEIR_WAY) } else { millis };
                tokio::time::advance(Duration::from_millis(millis)).await;
            }
            if planned.rests {
                self.rest().await;
            } else {
                self.look_around();
            }
            if self.is_violated() {
                return self.outcome(Some(planned.number)).await;
            }
        }
        self.end().await;
        self.outcome(None).await
    }

    /// All that can go on without time goes on.
    async fn rest(&mut self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.look_around();
    }

    /// Between two actions: what was posted is taken or posted again, and what is new in the logs is looked at.
    fn look_around(&mut self) {
        let mut posted = std::mem::take(&mut self.posted);
        posted.retain_mut(|posted| !self.is_taken(posted));
        self.posted = posted;
        self.look_at_logs();
        let policies = self.watch.oracle.lock().unwrap().policies().clone();
        self.crew.tell(&policies);
    }

    /// What came into the logs by no worker's call: before a worker can read it.
    fn look_at_logs(&self) {
        self.watch.oracle.lock().unwrap().catch_up_with_all();
    }

    fn is_taken(&mut self, posted: &mut Posted) -> bool {
        let appending = posted.appending.get_or_insert_with(|| {
            self.watch.appends.fetch_add(1, Relaxed);
            self.log.append(intake(posted.to), vec![posted.bytes.clone()])
        });
        let mut context = std::task::Context::from_waker(noop_waker_ref());
        match appending.poll_unpin(&mut context) {
            std::task::Poll::Pending => false,
            std::task::Poll::Ready(Ok(_)) => {
                let fact = self.facts.iter_mut().find(|fact| Some(fact.id) == posted.fact);
                fact.into_iter().for_each(|fact| fact.taken = true);
                true
            }
            std::task::Poll::Ready(Err(_)) => {
                posted.appending = None;
                false
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn is_violated(&self) -> bool {
        self.watch.oracle.lock().unwrap().violation().is_some()
    }
}
