//! The business on a log in memory, and the means to let things happen to it.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use domain::{
    CommandId, Intake, Kind, MessageId, Millis, Partition, Party, Peer, Policies, Rejection, Route,
    Timestamp,
    conversation::{self, What},
};
use log::{Log, MemoryLog, Topic};
use runtime::{
    Clock, Effects, NoEffects, Post, Readiness, Retention, Setup, Snapshots, Standing, Worker,
    follow_policies, run_all,
    verify::{Report, verify},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wire::{Codec, Decision, Verdict};

pub(crate) use super::business::*;

/// Yields once the condition holds.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "this never came: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Effects that only write down what they were asked for.
pub(crate) struct Recorder<A: Codec> {
    pub(crate) performed: Mutex<Vec<A::Event>>,
    /// The encoded state at each resumption, and how many events had been performed by then.
    pub(crate) resumed: Mutex<Vec<(Vec<u8>, usize)>>,
}

impl<A: Codec> Default for Recorder<A> {
    fn default() -> Self {
        Recorder { performed: Mutex::default(), resumed: Mutex::default() }
    }
}

impl<A: Codec> Effects<A> for Recorder<A> {
    fn perform(&self, _: &Partition<A>, _: Timestamp, event: &A::Event) {
        self.performed.lock().unwrap().push(event.clone());
    }

    fn resume(&self, partition: &Partition<A>) {
        let performed = self.performed.lock().unwrap().len();
        self.resumed.lock().unwrap().push((wire::encode_state(partition), performed));
    }
}

impl<A: Codec> Recorder<A> {
    pub(crate) fn count(&self, meant: impl Fn(&A::Event) -> bool) -> usize {
        self.performed.lock().unwrap().iter().filter(|event| meant(event)).count()
    }
}

/// The world outlives its workers.
pub(crate) struct World {
    pub(crate) log: MemoryLog,
    pub(crate) snapshots: Option<tempfile::TempDir>,
    /// The policies that single workers are told of.
    pub(crate) policies: watch::Sender<Policies>,
    /// The workers' clock.
    pub(crate) clock: Clock,
    pub(crate) retention: Retention,
    pub(crate) retire_after: Millis,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) turns: Arc<Recorder<conversation::Decider>>,
    pub(crate) sends: Arc<Recorder<domain::delivery::Decider>>,
}

/// Workers under way.
pub(crate) struct Running {
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    /// Lets them come to an end in order.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let topics: Vec<_> = Kind::ALL
            .into_iter()
            .flat_map(|kind| {
                let count = TOPOLOGY.partitions(kind);
                [(Topic(kind.intake_topic()), count), (Topic(kind.log_topic()), count)]
            })
            .collect();
        let mut policies = Policies::default();
        policies.put(Arc::new(policy(1, Millis::seconds(60), 2)));
        World {
            log: MemoryLog::new(&topics),
            snapshots: None,
            policies: watch::Sender::new(policies),
            clock: Clock::default(),
            retention: Retention::default(),
            retire_after: Millis::hours(1),
            readiness: Arc::default(),
            turns: Arc::default(),
            sends: Arc::default(),
        }
    }

    /// Its clock and its log's go by tokio's time, which a test may pause.
    pub(crate) fn in_tokio_time() -> Self {
        let began = tokio::time::Instant::now();
        let now = move || 1_700_000_000_000 + began.elapsed().as_millis() as i64;
        let world = World::new();
        World { log: world.log.with_clock(now), clock: Clock::new(now), ..world }
    }

    pub(crate) fn with_snapshots() -> Self {
        World { snapshots: Some(tempfile::tempdir().unwrap()), ..World::new() }
    }

    pub(crate) fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.log.clone())
    }

    pub(crate) fn snapshots(&self) -> Option<Snapshots> {
        self.snapshots.as_ref().map(|dir| Snapshots::new(dir.path()))
    }

    pub(crate) fn snapshot_files(&self, peer: Peer) -> Vec<std::path::PathBuf> {
        let dir: &Path = self.snapshots.as_ref().unwrap().path();
        let entries = std::fs::read_dir(dir.join(format!("{}-{}", peer.kind, peer.partition))).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|what| what == "snapshot")).collect();
        paths.sort();
        paths
    }

    pub(crate) fn setup<A: Codec>(
        &self,
        name: &str,
        effects: Arc<dyn Effects<A>>,
        policies: watch::Receiver<Policies>,
    ) -> Setup<A> {
        Setup {
            log: self.log(),
            topology: TOPOLOGY,
            name: name.into(),
            effects,
            policies,
            snapshots: self.snapshots(),
            readiness: self.readiness.clone(),
            clock: self.clock.clone(),
            retention: self.retention,
            retire_after: self.retire_after,
            standbys: 0,
        }
    }

    /// A worker of one partition, which knows the world's policies.
    pub(crate) fn start_one<A: Codec>(
        &self,
        name: &str,
        number: u32,
        effects: Arc<dyn Effects<A>>,
    ) -> Running {
        let running = Running { cancel: CancellationToken::new(), tasks: TaskTracker::new() };
        let setup = Arc::new(self.setup(name, effects, self.policies.subscribe()));
        running.tasks.spawn(Worker::new(setup, number).run(running.cancel.clone()));
        running
    }

    /// The worker of the customer's conversations.
    pub(crate) fn start_conversations(&self, name: &str) -> Running {
        self.start_one(name, 0, self.turns.clone())
    }

    /// All workers of all aggregates, which learn the policies from the workspace.
    pub(crate) async fn start_all(&self) -> Running {
        let running = Running { cancel: CancellationToken::new(), tasks: TaskTracker::new() };
        let policies = follow_policies(self.log(), TOPOLOGY, &running.tasks, running.cancel.clone());
        let policies = policies.await.unwrap();
        self.run_all(&running, self.turns.clone(), self.sends.clone(), &policies);
        running
    }

    /// All workers of all aggregates, which know the world's policies.
    pub(crate) fn start_with(
        &self,
        turns: Arc<dyn Effects<conversation::Decider>>,
        sends: Arc<dyn Effects<domain::delivery::Decider>>,
    ) -> Running {
        let running = Running { cancel: CancellationToken::new(), tasks: TaskTracker::new() };
        self.run_all(&running, turns, sends, &self.policies.subscribe());
        running
    }

    fn run_all(
        &self,
        running: &Running,
        turns: Arc<dyn Effects<conversation::Decider>>,
        sends: Arc<dyn Effects<domain::delivery::Decider>>,
        policies: &watch::Receiver<Policies>,
    ) {
        self.run(running, turns, policies);
        self.run(running, sends, policies);
        self.run::<domain::desk::Decider>(running, Arc::new(NoEffects), policies);
        self.run::<domain::contact::Decider>(running, Arc::new(NoEffects), policies);
        self.run::<domain::workspace::Decider>(running, Arc::new(NoEffects), policies);
    }

    fn run<A: Codec>(
        &self,
        running: &Running,
        effects: Arc<dyn Effects<A>>,
        policies: &watch::Receiver<Policies>,
    ) {
        running.tasks.spawn(run_all(self.setup("all", effects, policies.clone()), running.cancel.clone()));
    }

    pub(crate) async fn post<A: Codec>(&self, route: Route, intake: &Intake<A::Command>) {
        Post { log: self.log(), topology: TOPOLOGY }.send::<A>(&route, intake).await.unwrap();
    }

    pub(crate) async fn says(&self, party: Party, n: u8) {
        self.post::<conversation::Decider>(Route::Party(party), &message(party, n)).await;
    }

    /// What stands in one partition's log and counts.
    pub(crate) async fn accepted<A: Codec>(&self, number: u32) -> Vec<Decision<A>> {
        let mut standing = Standing::<A>::new(number, TOPOLOGY);
        let mut tail = standing.tail(self.log());
        let mut decisions = Vec::new();
        loop {
            let records = tail.ready().await.unwrap();
            if records.is_empty() {
                return decisions;
            }
            for record in records {
                if let Verdict::Accepted(decision) = standing.fold(&record).unwrap() {
                    decisions.push(decision);
                }
            }
        }
    }

    /// All events of an aggregate, partition by partition.
    pub(crate) async fn events<A: Codec>(&self) -> Vec<A::Event> {
        let mut events = Vec::new();
        for number in 0..TOPOLOGY.partitions(A::KIND) {
            let steps = self.accepted::<A>(number).await.into_iter().flat_map(|decision| decision.steps);
            events.extend(steps.flat_map(|step| step.events).map(|recorded| recorded.event));
        }
        events
    }

    /// Waits for an event and says what is found in it.
    pub(crate) async fn event<A: Codec, T>(&self, what: &str, find: impl Fn(&A::Event) -> Option<T>) -> T {
        eventually(what, async || self.events::<A>().await.iter().find_map(&find)).await
    }

    /// Waits for a command's answer.
    pub(crate) async fn answer<A: Codec>(&self, what: &str, n: u8) -> Result<(), Rejection> {
        let find = async || {
            for number in 0..TOPOLOGY.partitions(A::KIND) {
                let steps = self.accepted::<A>(number).await.into_iter().flat_map(|decision| decision.steps);
                let mut answers = steps.flat_map(|step| step.answers);
                if let Some(answer) = answers.find(|answer| answer.command == CommandId([n; 16])) {
                    return Some(answer.result);
                }
            }
            None
        };
        eventually(what, find).await
    }

    /// The messages received so far, in the order of the log.
    pub(crate) async fn received(&self) -> Vec<MessageId> {
        let received = |event: conversation::Event| match event.what {
            What::MessageReceived { message, .. } => Some(message),
            _ => None,
        };
        self.events::<conversation::Decider>().await.into_iter().filter_map(received).collect()
    }

    pub(crate) async fn has_received(&self, count: usize) {
        let all = async || (self.received().await.len() >= count).then_some(());
        eventually(&format!("{count} messages"), all).await;
    }

    pub(crate) async fn verify(&self) -> Report {
        verify(self.log(), TOPOLOGY, self.snapshots(), &|_| {}).await.unwrap()
    }

    pub(crate) async fn assert_clean(&self) -> Report {
        let report = self.verify().await;
        assert!(report.is_clean(), "{report}");
        report
    }
}
