//! The hub: follows every log once for the whole server, resolves the answers callers wait for, and keeps the
//! small views that live sessions begin from: what agents hold, which turns wait, which policies are in force.
//!
//! ```text
//! X.log ──follow──▶ fold views ──▶ sessions of agents and bots
//!                └─▶ answers  ──▶ waiting commands
//! ```
//!
//! It reads from the beginning at every start, for its views are nowhere else; until it has read what was there,
//! the server says it is not ready.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    AgentId, BotId, Channel, CommandId, ContentHash, InboxId, Kind, Peer, Policy, TenantId, Timestamp,
    Topology, contact, conversation, delivery, desk, workspace,
};
use log::Log;
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
mod turns;

pub(crate) use agents::{Assignment, Ending, Holdings, Offer, Update};
pub(crate) use answers::Waiting;
pub(crate) use turns::Turn;

/// Cheap to clone; every service has one.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Inner>);

struct Inner {
    log: Arc<dyn Log>,
    /// How far each partition was read.
    read_to: BTreeMap<Peer, watch::Sender<Point>>,
    /// What was in the logs at the start has been read.
    ready: watch::Sender<bool>,
    stopped: CancellationToken,
    answers: answers::Answers,
    agents: Mutex<agents::Agents>,
    turns: Mutex<turns::Turns>,
    policies: Mutex<HashMap<TenantId, Arc<Policy>>>,
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
    pub(crate) fn new(log: Arc<dyn Log>, topology: Topology) -> Hub {
        let peers = Kind::ALL
            .into_iter()
            .flat_map(|kind| (0..topology.partitions(kind)).map(move |partition| Peer { kind, partition }));
        Hub(Arc::new(Inner {
            log,
            read_to: peers.map(|peer| (peer, watch::Sender::new(Point::default()))).collect(),
            ready: watch::Sender::new(false),
            stopped: CancellationToken::new(),
            answers: answers::Answers::default(),
            agents: Mutex::default(),
            turns: Mutex::default(),
            policies: Mutex::default(),
        }))
    }

    /// Follows every partition until `stop`, or until one cannot be followed any further.
    pub(crate) async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
        let _stopped = self.0.stopped.clone().drop_guard();
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
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            Some(ended) = following.join_next() => ended.unwrap_or_else(|failed| Err(Error::Task(failed))),
        }
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

    /// Waits for the answer to a command: begin before it is appended.
    pub(crate) fn wait(&self, id: CommandId, content: ContentHash) -> Waiting {
        self.0.answers.wait(id, content)
    }

    /// The channel of an inbox; none if the policy in force no longer has it.
    pub(crate) fn channel(&self, tenant: &TenantId, inbox: &InboxId) -> Option<Channel> {
        Some(self.policy(tenant)?.inboxes.get(inbox)?.channel)
    }

    async fn follow<A: View>(self, peer: Peer) -> Result<(), Error> {
        let mut follow = Follow::<A>::new(self.0.log.clone(), peer.partition, Point::default());
        loop {
            let batch = follow.batch().await?;
            for accepted in &batch.decisions {
                let decision = &accepted.decision;
                for step in &decision.steps {
                    for recorded in &step.events {
                        A::fold(&self.0, decision.decided_at, &recorded.event);
                    }
                }
                // Only now, so that who is answered finds what it changed in the views.
                for answer in decision.steps.iter().flat_map(|step| &step.answers) {
                    self.0.answers.resolve(accepted.position, answer);
                }
            }
            if let Some(read_to) = self.0.read_to.get(&peer) {
                read_to.send_replace(batch.point);
            }
        }
    }
}

/// What the hub makes of an aggregate's events.
trait View: Codec {
    fn fold(hub: &Inner, at: Timestamp, event: &Self::Event);
}

impl View for conversation::Decider {
    fn fold(hub: &Inner, at: Timestamp, event: &conversation::Event) {
        lock(&hub.turns).fold(event);
        lock(&hub.agents).fold_conversation(at, event);
    }
}

impl View for desk::Decider {
    fn fold(hub: &Inner, _at: Timestamp, event: &desk::Event) {
        lock(&hub.agents).fold_desk(event);
    }
}

/// Only answers are wanted here.
impl View for delivery::Decider {
    fn fold(_hub: &Inner, _at: Timestamp, _event: &delivery::Event) {}
}

/// Only answers are wanted here.
impl View for contact::Decider {
    fn fold(_hub: &Inner, _at: Timestamp, _event: &contact::Event) {}
}

impl View for workspace::Decider {
    fn fold(hub: &Inner, _at: Timestamp, event: &workspace::Event) {
        let workspace::Event::PolicyApplied(policy) = event;
        lock(&hub.policies).insert(policy.tenant.clone(), policy.clone());
    }
}

/// Every section under these locks leaves its data whole, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
