//! The workers of the town, each with a door of its own into the log, and rivals that believe they lead the same.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use domain::{Kind, Millis, Peer, Policies, contact, conversation, delivery, desk, workspace};
use log::{Log, MemoryLog};
use runtime::{Clock, Duty, Effects, NoEffects, Random, Readiness, Retention, Setup, Snapshots, Worker};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use wire::Codec;

use super::{
    bugs::{Bug, Buggy, Memory},
    dice::Dice,
    door::{Door, Mortal, Watch},
    mirror::Mirror,
    people::{Bot, Outgoing, Provider},
    town::{PEERS, TOPOLOGY},
};

/// Short enough that customers are retired and come back within a plan.
const RETIRE_AFTER: Millis = Millis::seconds(300);
/// Short enough that intakes are trimmed within a plan.
pub(crate) const INTAKE_KEPT: Millis = Millis::seconds(30);
const RETENTION: Retention = Retention { intake: INTAKE_KEPT, every: Duration::from_secs(1) };

/// Steps; few enough that snapshots are written while their leaders go on.
const SNAPSHOT_EVERY: usize = 20;

pub(crate) struct Crew {
    log: MemoryLog,
    /// What the workers and the rivals go by: the town's, and by how many milliseconds each is ahead of it.
    clock: Clock,
    ahead: [Arc<AtomicI64>; 2],
    watch: Arc<Watch>,
    outgoing: Arc<Mutex<Outgoing>>,
    bug: Option<(Bug, Arc<Mutex<Memory>>)>,
    dice: Dice,
    policies: Policies,
    workers: BTreeMap<(u8, bool), Running>,
    /// Made when they are first needed: one for the workers, one for the rivals.
    snapshots: [Option<tempfile::TempDir>; 2],
}

struct Running {
    door: Arc<Door>,
    policies: watch::Sender<Policies>,
    duty: watch::Sender<Duty>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Tells it whether it leads.
    fn lead(&self, leads: bool, bug: Option<Bug>) {
        let may_append = self.door.may_append.fetch_or(leads, Relaxed);
        self.door.may_announce.store(leads, Relaxed);
        if may_append && bug == Some(Bug::AnnouncesUnasked) {
            return;
        }
        let duty = if leads { Duty::Lead } else { Duty::StandBy };
        self.duty.send_if_modified(|told| std::mem::replace(told, duty) != duty);
    }
}

impl Crew {
    pub(crate) fn new(
        log: MemoryLog,
        clock: Clock,
        watch: Arc<Watch>,
        outgoing: Arc<Mutex<Outgoing>>,
        bug: Option<Bug>,
        seed: u64,
    ) -> Self {
        Crew {
            log,
            clock,
            ahead: Default::default(),
            watch,
            outgoing,
            bug: bug.map(|bug| (bug, Arc::default())),
            dice: Dice::new(seed ^ 0x5eed),
            policies: Policies::default(),
            workers: BTreeMap::new(),
            snapshots: [None, None],
        }
    }

    fn dir(&mut self, rival: bool) -> PathBuf {
        let dir = self.snapshots[usize::from(rival)].get_or_insert_with(|| {
            // In memory where there is such a place: nothing here has to survive.
            let made = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
            made.expect("a folder for snapshots")
        });
        dir.path().to_owned()
    }

    pub(crate) fn snapshots(&self) -> impl Iterator<Item = Snapshots> {
        self.snapshots.iter().flatten().map(|dir| Snapshots::new(dir.path()))
    }

    pub(crate) fn lose_snapshots(&self, rival: bool) {
        let dir = self.snapshots[usize::from(rival)].as_ref();
        let entries = dir.and_then(|dir| std::fs::read_dir(dir.path()).ok());
        for entry in entries.into_iter().flatten().flatten() {
            std::fs::remove_dir_all(entry.path()).expect("a folder of ours");
        }
    }

    /// Flips a bit of the newest snapshot of each partition.
    pub(crate) fn spoil_snapshots(&self, rival: bool) {
        let files =
            |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let folders = self.snapshots[usize::from(rival)].iter().flat_map(|dir| files(dir.path()));
        for folder in folders {
            let snapshots = files(&folder).filter(|path| path.extension().is_some_and(|it| it == "snapshot"));
            let Some(newest) = snapshots.max() else { continue };
            let mut bytes = std::fs::read(&newest).expect("a file of ours");
            bytes.last_mut().into_iter().for_each(|last| *last ^= 1);
            std::fs::write(&newest, bytes).expect("a file of ours");
        }
    }

    /// The worker leads from now on. It is started, unless it is alive.
    pub(crate) fn start(&mut self, peer: u8, rival: bool) {
        self.assign(peer, rival, true);
    }

    /// It folds along from now on.
    pub(crate) fn stand_by(&mut self, peer: u8, rival: bool) {
        self.assign(peer, rival, false);
    }

    /// The partition is taken from whoever of the two has it, and the other is given it.
    pub(crate) fn hand_over(&mut self, peer: u8, to_rival: bool) {
        self.with(peer, !to_rival, |running| running.lead(false, self.bug()));
        self.start(peer, to_rival);
    }

    fn bug(&self) -> Option<Bug> {
        self.bug.as_ref().map(|(bug, _)| *bug)
    }

    fn assign(&mut self, peer: u8, rival: bool, leads: bool) {
        self.workers.retain(|_, running| !running.task.is_finished());
        if !self.workers.contains_key(&(peer, rival)) {
            self.hire(peer, rival);
        }
        self.with(peer, rival, |running| running.lead(leads, self.bug()));
    }

    fn hire(&mut self, peer: u8, rival: bool) {
        let watch = self.watch.clone();
        let running = match PEERS[usize::from(peer)].kind {
            Kind::Conversation => self.run::<conversation::Decider>(peer, rival, Arc::new(Bot(watch))),
            Kind::Delivery => {
                let provider = Provider { watch, book: self.outgoing.clone() };
                self.run::<delivery::Decider>(peer, rival, Arc::new(provider))
            }
            Kind::Desk => self.run::<desk::Decider>(peer, rival, Arc::new(NoEffects)),
            Kind::Contact => self.run::<contact::Decider>(peer, rival, Arc::new(NoEffects)),
            Kind::Workspace => self.run::<workspace::Decider>(peer, rival, Arc::new(NoEffects)),
        };
        self.workers.insert((peer, rival), running);
    }

    fn run<A: Codec>(&mut self, peer: u8, rival: bool, effects: Arc<dyn Effects<A>>) -> Running {
        let me: Peer = PEERS[usize::from(peer)];
        let effects = Arc::new(Mirror { effects, me, log: self.log.clone(), watch: self.watch.clone() });
        let door = Arc::new(Door::new(me, self.log.another_reader(), self.watch.clone(), self.dice.next()));
        let log: Arc<dyn Log> = match &self.bug {
            None => door.clone(),
            Some((bug, memory)) => Arc::new(Buggy::new(me, *bug, door.clone(), memory.clone())),
        };
        let (clock, ahead) = (self.clock.clone(), self.ahead[usize::from(rival)].clone());
        let (policies, known) = watch::channel(self.policies.clone());
        let setup = Setup {
            log,
            topology: TOPOLOGY,
            name: if rival { "rival".into() } else { "worker".into() },
            effects,
            policies: known,
            snapshots: Some(Snapshots::new(self.dir(rival)).every(SNAPSHOT_EVERY)),
            readiness: Arc::new(Readiness::default()),
            clock: Clock::new(move || clock.now().0 + ahead.load(Relaxed)),
            retention: RETENTION,
            retire_after: RETIRE_AFTER,
            standbys: 0,
        };
        let dice = Mutex::new(Dice::new(self.dice.next()));
        let random = Random::new(move |bytes| dice.lock().unwrap().fill(bytes));
        let cancel = CancellationToken::new();
        let (duty, told) = watch::channel(Duty::StandBy);
        let worker = Worker::new(Arc::new(setup), me.partition).with_random(random);
        let task = tokio::spawn(Mortal::new(worker.run_while(told, cancel.clone()), door.clone()));
        Running { door, policies, duty, cancel, task }
    }

    /// Lets it come to an end in order, whenever it can.
    pub(crate) fn stop(&self, peer: u8, rival: bool) {
        self.with(peer, rival, |running| running.cancel.cancel());
    }

    pub(crate) fn set_ahead(&self, rival: bool, millis: i64) {
        self.ahead[usize::from(rival)].store(millis, Relaxed);
    }

    pub(crate) fn doom(&self, peer: u8, rival: bool, after: u8, done: bool) {
        self.with(peer, rival, |running| running.door.doom(after, done));
    }

    pub(crate) fn blind(&self, peer: u8, rival: bool) {
        self.with(peer, rival, |running| running.door.log.pause_reading());
    }

    pub(crate) fn unblind(&self, peer: u8, rival: bool) {
        self.with(peer, rival, |running| running.door.log.resume_reading());
    }

    fn with(&self, peer: u8, rival: bool, act: impl FnOnce(&Running)) {
        if let Some(running) = self.workers.get(&(peer, rival)) {
            act(running);
        }
    }

    /// Every worker learns what is in force now, one after the other.
    pub(crate) fn tell(&mut self, policies: &Policies) {
        if *policies == self.policies {
            return;
        }
        self.policies = policies.clone();
        for running in self.workers.values() {
            running.policies.send_replace(policies.clone());
        }
    }

    /// Clocks are right, whoever is there sees and is not doomed; rivals go, and each partition has a worker.
    pub(crate) fn recover(&mut self) {
        self.ahead.iter().for_each(|ahead| ahead.store(0, Relaxed));
        for running in self.workers.values() {
            running.door.log.resume_reading();
            running.door.spare();
        }
        for ((_, rival), running) in &self.workers {
            if *rival {
                running.cancel.cancel();
            }
        }
        // One that was told to stop, or died, comes back.
        self.workers.retain(|_, running| !running.task.is_finished() && !running.cancel.is_cancelled());
        (0..PEERS.len() as u8).for_each(|peer| self.start(peer, false));
    }

    /// Tells all to stop in order.
    pub(crate) fn stop_all(&self) {
        self.workers.values().for_each(|running| running.cancel.cancel());
    }

    pub(crate) fn are_gone(&self) -> bool {
        self.workers.values().all(|running| running.task.is_finished())
    }
}
