//! The hub: follows every log once for the whole server, resolves the answers callers wait for, and keeps the
//! small views that live sessions begin from: what agents hold, which turns wait, which policies are in force, how the
//! desks are doing.
//!
//! ```text
//! X.log ──follow──▶ fold views ──▶ sessions of agents and bots
//!                └─▶ answers  ──▶ waiting commands
//! ```
//!
//! It goes on from the views it kept on disk, or from the beginning; until it has read what was there, the server
//! says it is not ready.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{
    AgentId, BotId, Cause, Channel, CommandId, ContentHash, InboxId, Kind, Peer, Policy, TenantId, Timestamp,
    Topology, TurnId, contact, conversation, delivery, desk, workspace,
};
use log::Log;
use projections::statistics::Statistics;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wire::{Codec, Point};

use crate::follow::{Error, Follow, log_partition};

mod agents;
mod answers;
mod held;
mod kept;
mod moments;
mod turns;

pub(crate) use answers::Waiting;
pub(crate) use held::{Assignment, Consult, Ending, Holdings, Left, Offer, Snooze, Speaker, Update, WrapUp};
pub(crate) use turns::Turn;

/// The views are kept again once so many steps were read since the last time, or several times as many as the views
/// hold, so that writing them stays a small part of the work.
const KEEP_EVERY: usize = 100_000;
const KEEP_RATIO: usize = 4;
/// Between looks whether they should be.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Cheap to clone; every service has one.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Inner>);

struct Inner {
    log: Arc<dyn Log>,
    kept: Option<kept::Kept>,
    /// Held shared while a batch is folded, so that who holds it alone sees views and points that belong together.
    folding: RwLock<()>,
    /// Steps folded since the views were kept.
    unkept: AtomicUsize,
    /// How far each partition was read.
    read_to: BTreeMap<Peer, watch::Sender<Point>>,
    /// What was in the logs at the start has been read.
    ready: watch::Sender<bool>,
    stopped: CancellationToken,
    answers: answers::Answers,
    agents: Mutex<agents::Agents>,
    turns: Mutex<turns::Turns>,
    policies: Mutex<HashMap<TenantId, Arc<Policy>>>,
    moments: Mutex<moments::Moments>,
    statistics: Mutex<Statistics>,
}

/// The hub no longer reads: the server is stopping.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("the hub has stopped reading")]
    Stopped,
    #[error("could not ask the log how far it reaches")]
    Log(#[source] log::Error),
}

impl From<Lost> for Status {
    fn from(lost: Lost) -> Status {
        tracing::warn!(error = &lost as &dyn std::error::Error, "a call could not be served");
        Status::unavailable("this server cannot read the log for now: try again")
    }
}

impl Hub {
    /// `keep_in` is the folder in which the views are kept from one start to the next; without it they are folded
    /// from the beginning every time.
    pub(crate) fn new(log: Arc<dyn Log>, topology: Topology, keep_in: Option<PathBuf>) -> Hub {
        let peers = Kind::ALL
            .into_iter()
            .flat_map(|kind| (0..topology.partitions(kind)).map(move |partition| Peer { kind, partition }));
        Hub(Arc::new(Inner {
            log,
            kept: keep_in.map(kept::Kept::new),
            folding: RwLock::new(()),
            unkept: AtomicUsize::new(0),
            read_to: peers.map(|peer| (peer, watch::Sender::new(Point::default()))).collect(),
            ready: watch::Sender::new(false),
            stopped: CancellationToken::new(),
            answers: answers::Answers::default(),
            agents: Mutex::default(),
            turns: Mutex::default(),
            policies: Mutex::default(),
            moments: Mutex::default(),
            statistics: Mutex::default(),
        }))
    }

    /// Follows every partition until `stop`, or until one cannot be followed any further.
    pub(crate) async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
        let _stopped = self.0.stopped.clone().drop_guard();
        self.restore().await?;
        let mut following = JoinSet::new();
        for peer in self.0.read_to.keys().copied() {
            match peer.kind {
                Kind::Conversation => following.spawn(self.clone().follow::<conversation::Decider>(peer)),
                Kind::Desk => following.spawn(self.clone().follow::<desk::Decider>(peer)),
                Kind::Delivery => following.spawn(self.clone().follow::<delivery::Decider>(peer)),
                Kind::Contact => following.spawn(self.clone().follow::<contact::Decider>(peer)),
                Kind::Workspace => following.spawn(self.clone().follow::<workspace::Decider>(peer)),
            };
        }
        let reading_what_is_there = async {
            for peer in self.0.read_to.keys() {
                self.caught_up(*peer).await?;
            }
            Ok::<(), Lost>(())
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(ended) = following.join_next() => return ended.unwrap_or_else(|failed| Err(Error::Task(failed))),
            Ok(()) = reading_what_is_there => {
                self.0.ready.send_replace(true);
            }
        }
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut size = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    following.shutdown().await;
                    self.keep().await;
                    return Ok(());
                }
                Some(ended) = following.join_next() => {
                    return ended.unwrap_or_else(|failed| Err(Error::Task(failed)));
                }
                _ = looks.tick() => {
                    if self.0.unkept.load(Ordering::Relaxed) >= KEEP_EVERY.max(KEEP_RATIO * size) {
                        size = self.keep().await;
                    }
                }
            }
        }
    }

    /// Takes up the views that were kept, if they are of this log.
    async fn restore(&self) -> Result<(), Error> {
        let Some(kept) = self.0.kept.clone() else { return Ok(()) };
        let mut ends = BTreeMap::new();
        for peer in self.0.read_to.keys().copied() {
            let end = self.0.log.end(log_partition(peer)).await;
            ends.insert(peer, end.map_err(|source| Error::Log { peer, source })?);
        }
        let views = tokio::task::spawn_blocking(move || kept.read(&ends)).await.map_err(Error::Task)?;
        let Some(views) = views else { return Ok(()) };
        for (peer, read_to) in &self.0.read_to {
            read_to.send_replace(views.point(*peer));
        }
        lock(&self.0.agents).restore(views.agents, views.notes);
        lock(&self.0.turns).restore(views.turns, views.unasked);
        lock(&self.0.policies)
            .extend(views.policies.into_iter().map(|policy| (policy.tenant.clone(), policy)));
        *lock(&self.0.moments) = views.moments;
        *lock(&self.0.statistics) = views.statistics;
        Ok(())
    }

    /// Writes the views as they are now. Yields how much there is of them.
    async fn keep(&self) -> usize {
        let Some(kept) = self.0.kept.clone() else { return 0 };
        let views = {
            let _alone = self.0.folding.write().unwrap_or_else(PoisonError::into_inner);
            self.0.unkept.store(0, Ordering::Relaxed);
            let (agents, turns) = (lock(&self.0.agents), lock(&self.0.turns));
            let points = self.0.read_to.iter().map(|(peer, read_to)| (*peer, *read_to.borrow()));
            kept::Views {
                read_to: points.collect(),
                agents: agents.holdings().collect(),
                notes: agents.notes().collect(),
                turns: turns.pending().collect(),
                unasked: turns.unasked().clone(),
                policies: lock(&self.0.policies).values().cloned().collect(),
                moments: lock(&self.0.moments).clone(),
                statistics: lock(&self.0.statistics).clone(),
            }
        };
        let size = views.len();
        let written = tokio::task::spawn_blocking(move || kept.write(&views)).await;
        if let Err(error) = written.map_err(std::io::Error::other).flatten() {
            tracing::warn!(%error, "the hub could not keep its views; a restart will read more of the log");
        }
        size
    }

    /// Yields once everything that was in the logs when the hub started is in its views.
    pub(crate) async fn ready(&self) -> Result<(), Lost> {
        let mut ready = self.0.ready.subscribe();
        tokio::select! {
            _ = ready.wait_for(|ready| *ready) => Ok(()),
            () = self.0.stopped.cancelled() => Err(Lost::Stopped),
        }
    }

    /// Yields once everything that is in the partition's log now is in the hub's views.
    pub(crate) async fn caught_up(&self, peer: Peer) -> Result<(), Lost> {
        let Some(read_to) = self.0.read_to.get(&peer) else { return Ok(()) };
        let end = self.0.log.end(log_partition(peer)).await.map_err(Lost::Log)?;
        let mut read_to = read_to.subscribe();
        tokio::select! {
            _ = read_to.wait_for(|point| point.position >= end) => Ok(()),
            () = self.0.stopped.cancelled() => Err(Lost::Stopped),
        }
    }

    /// How far the partition was read.
    pub(crate) fn point(&self, peer: Peer) -> Point {
        self.0.read_to.get(&peer).map(|read_to| *read_to.borrow()).unwrap_or_default()
    }

    /// Where a reader may begin who looks for what a partition decided at this time or later. Of conversations and desks.
    pub(crate) fn point_before(&self, peer: Peer, at: Timestamp) -> Point {
        lock(&self.0.moments).before(peer, at)
    }

    pub(crate) fn policy(&self, tenant: &TenantId) -> Option<Arc<Policy>> {
        lock(&self.0.policies).get(tenant).cloned()
    }

    /// What the agent holds, and a session's updates from there on. The channel closes on a session that lets
    /// its updates pile up.
    pub(crate) fn join_agent(&self, agent: &AgentId) -> (Holdings, mpsc::Receiver<Update>) {
        lock(&self.0.agents).join(agent)
    }

    /// The turns a bot has not answered, and those that come from there on. Closes like an agent's.
    pub(crate) fn join_bot(
        &self,
        tenant: &TenantId,
        bot: &BotId,
    ) -> (Vec<Arc<Turn>>, mpsc::Receiver<Arc<Turn>>) {
        lock(&self.0.turns).join(tenant, bot)
    }

    /// The inbox of a turn that no bot has answered yet.
    pub(crate) fn inbox_of(&self, turn: TurnId) -> Option<InboxId> {
        lock(&self.0.turns).inbox(turn)
    }

    /// Waits for the answer to a command: begin before it is appended.
    pub(crate) fn wait(&self, id: CommandId, content: ContentHash) -> Waiting {
        self.0.answers.wait(id, content)
    }

    /// Asks the live figures. Nothing is folded meanwhile, so ask for one desk at a time.
    pub(crate) fn statistics<T>(&self, ask: impl FnOnce(&Statistics) -> T) -> T {
        ask(&lock(&self.0.statistics))
    }

    /// The channel of an inbox; none if the policy in force no longer has it.
    pub(crate) fn channel(&self, tenant: &TenantId, inbox: &InboxId) -> Option<Channel> {
        Some(self.policy(tenant)?.inboxes.get(inbox)?.channel)
    }

    async fn follow<A: View>(self, peer: Peer) -> Result<(), Error> {
        let mut follow = Follow::<A>::new(self.0.log.clone(), peer.partition, self.point(peer));
        loop {
            // Whoever waits for an answer began to before their command was appended, so before its answer was read.
            let batch = follow.batch_if(|| A::IS_SEEN || self.0.answers.are_awaited()).await?;
            let _folding = self.0.folding.read().unwrap_or_else(PoisonError::into_inner);
            for accepted in &batch.decisions {
                let decision = &accepted.decision;
                self.0.unkept.fetch_add(decision.steps.len(), Ordering::Relaxed);
                for step in &decision.steps {
                    if let Cause::PolicyInForce(policy) = &step.cause {
                        A::policy(&self.0, peer, policy);
                    }
                    for recorded in &step.events {
                        A::fold(&self.0, peer, decision.decided_at, &recorded.event);
                    }
                }
                // Only now, so that who is answered finds what it changed in the views.
                for answer in decision.steps.iter().flat_map(|step| &step.answers) {
                    self.0.answers.resolve(accepted.position, answer);
                }
            }
            if let (Kind::Conversation | Kind::Desk, Some(last)) = (peer.kind, batch.decisions.last()) {
                lock(&self.0.moments).note(peer, last.decision.decided_at, batch.point);
            }
            if let Some(read_to) = self.0.read_to.get(&peer) {
                read_to.send_replace(batch.point);
            }
        }
    }
}

/// What the hub makes of an aggregate's events.
trait View: Codec {
    /// Whether anything of its events is kept; of the others only the answers count.
    const IS_SEEN: bool = true;

    /// A policy is in force at the partition from here on.
    fn policy(_hub: &Inner, _at: Peer, _policy: &Policy) {}

    fn fold(hub: &Inner, by: Peer, at: Timestamp, event: &Self::Event);
}

impl View for conversation::Decider {
    fn policy(hub: &Inner, at: Peer, policy: &Policy) {
        lock(&hub.statistics).policy(at.partition, policy);
    }

    fn fold(hub: &Inner, by: Peer, at: Timestamp, event: &conversation::Event) {
        lock(&hub.turns).fold(event);
        lock(&hub.agents).fold_conversation(at, event);
        lock(&hub.statistics).conversation(by.partition, at, event);
    }
}

impl View for desk::Decider {
    fn fold(hub: &Inner, _by: Peer, at: Timestamp, event: &desk::Event) {
        lock(&hub.agents).fold_desk(event);
        lock(&hub.statistics).desk(at, event);
    }
}

impl View for delivery::Decider {
    const IS_SEEN: bool = false;

    fn fold(_hub: &Inner, _by: Peer, _at: Timestamp, _event: &delivery::Event) {}
}

impl View for contact::Decider {
    const IS_SEEN: bool = false;

    fn fold(_hub: &Inner, _by: Peer, _at: Timestamp, _event: &contact::Event) {}
}

impl View for workspace::Decider {
    fn fold(hub: &Inner, _by: Peer, _at: Timestamp, event: &workspace::Event) {
        let workspace::Event::PolicyApplied(policy) = event;
        lock(&hub.policies).insert(policy.tenant.clone(), policy.clone());
    }
}

/// Every section under these locks leaves its data whole, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use domain::{Cause, Epoch, OfferId, Party, Recorded, Step, conversation::What};
    use log::{MemoryLog, Topic};
    use wire::{Announce, Decision};

    use super::*;

    const TOPOLOGY: Topology = Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };
    const CONVERSATIONS: Peer = Peer { kind: Kind::Conversation, partition: 0 };
    const EPOCH: Epoch = Epoch([1; 16]);

    fn log() -> MemoryLog {
        let topics = Kind::ALL.into_iter().flat_map(|kind| [kind.intake_topic(), kind.log_topic()]);
        MemoryLog::new(&topics.map(|topic| (Topic(topic), 1)).collect::<Vec<_>>())
    }

    fn assigned(number: u64) -> conversation::Event {
        let conversation = domain::ConversationId { party: Party([number as u8; 16]), number: 1 };
        let assignment = OfferId { desk: "acme/desk".parse().unwrap(), number };
        let (agent, command) = ("acme/desk/ann".parse().unwrap(), CommandId([3; 16]));
        let what = What::Assigned { conversation, agent, assignment, owner_epoch: 2, command };
        conversation::Event { tenant: "acme".parse().unwrap(), inbox: "chat".parse().unwrap(), what }
    }

    fn wanted() -> conversation::Event {
        let what = What::AgentWanted {
            conversation: domain::ConversationId { party: Party([9; 16]), number: 1 },
            channel: Channel::Sms,
            queue: "acme/desk/all".parse().unwrap(),
            owner_epoch: 1,
            reason: conversation::HandOffReason::NoBot,
            since: Timestamp(3),
            again: false,
            agent: None,
            agent_until: None,
            by_request: false,
            special: None,
        };
        conversation::Event { tenant: "acme".parse().unwrap(), inbox: "chat".parse().unwrap(), what }
    }

    async fn decided(log: &MemoryLog, seq: u64, event: conversation::Event) {
        let events = vec![Recorded { event, relay: None }];
        let step = Step { cause: Cause::Report, events, answers: Vec::new(), set_aside: None };
        let (epoch, decided_at) = (EPOCH, Timestamp(5));
        let decision: Decision<conversation::Decider> =
            Decision { epoch, seq, intake_through: 0, decided_at, steps: vec![step] };
        log.append(log_partition(CONVERSATIONS), vec![wire::encode_decision(&decision)]).await.unwrap();
    }

    /// Reads what is there with a hub that keeps its views, and stops it. How many conversations an agent has, and how many
    /// wait.
    async fn held(log: &MemoryLog, dir: &std::path::Path) -> (usize, u32) {
        let hub = Hub::new(Arc::new(log.clone()), TOPOLOGY, Some(dir.to_owned()));
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (hub, stop) = (hub.clone(), stop.clone());
            async move { hub.run(stop).await }
        });
        hub.ready().await.unwrap();
        let (holdings, _) = hub.join_agent(&"acme/desk/ann".parse().unwrap());
        let now = hub.statistics(|all| all.look(&"acme/desk".parse().unwrap(), None, Timestamp(7)));
        stop.cancel();
        running.await.unwrap().unwrap();
        (holdings.assignments.len(), now.queues.iter().map(|queue| queue.waiting).sum())
    }

    #[tokio::test]
    async fn a_restart_goes_on_from_the_views_that_were_kept() {
        let (log, dir) = (log(), tempfile::tempdir().unwrap());
        let announce =
            Announce { epoch: EPOCH, follows: None, leader: "a".into(), version: 1, at: Timestamp(4) };
        log.append(log_partition(CONVERSATIONS), vec![wire::encode_announce(&announce)]).await.unwrap();
        decided(&log, 1, assigned(1)).await;
        decided(&log, 2, wanted()).await;
        assert_eq!(held(&log, dir.path()).await, (1, 1));

        // What it has read is gone, so it can only come from what it kept.
        let end = log.end(log_partition(CONVERSATIONS)).await.unwrap();
        log.trim(log_partition(CONVERSATIONS), end).await.unwrap();
        decided(&log, 3, assigned(2)).await;
        assert_eq!(held(&log, dir.path()).await, (2, 1));

        // Kept of a log that went further: not ours.
        let other = self::log();
        assert_eq!(held(&other, dir.path()).await, (0, 0));
    }
}
