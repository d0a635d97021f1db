//! What one worker leads: an aggregate's state, and what every partition keeps besides.
//!
//! The leader asks ([`Partition::take`], [`Partition::fire`], …) and gets a [`Step`]; everyone who reads the log
//! folds the step ([`Partition::fold`]). Asking changes nothing, folding decides nothing.

mod memory;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Answer, Cause, Code, CommandId, ContentHash, Context, Departed, Intake, Millis, Origin,
    Outbox, Peer, Policies, Policy, Recorded, Rejection, SetAside, Settles, Step, Timestamp, Topology,
    facts::Facts,
};

pub use self::memory::MOST_RETIRED;

/// Answers are remembered this long, so that a repeated command gets the same one.
const ANSWERS_KEPT: Millis = Millis::hours(6);

/// A copy costs little, and may be written out while this one goes on: what is large is shared by both.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Partition<A: Aggregate> {
    topology: Topology,
    decided_at: Timestamp,
    policies: Policies,
    facts: Facts,
    lasting_facts: Facts,
    answers: Remembered<CommandId, (ContentHash, Result<(), Rejection>)>,
    /// Commands whose answer waits for another aggregate.
    pending: BTreeMap<CommandId, ContentHash>,
    /// The last relay applied, of each source.
    inbound: BTreeMap<Peer, u64>,
    outbound: BTreeMap<Peer, Outbox>,
    state: A::State,
    /// On its way out of memory, and no part of the state any more.
    #[serde(skip)]
    departed: Departed<A>,
}

/// What came of looking at an intake record.
#[derive(Clone, PartialEq, Debug)]
pub enum Taken<A: Aggregate> {
    Step(Step<A>),
    /// It was applied before: nothing follows. A relay's source is told again how far we are.
    Again,
    /// A relay that came before its predecessors; its source resends in order.
    Early,
    /// A command that is already waiting for its answer.
    Pending,
    /// Refused, and nobody waits to be told: the caller sets it aside, so that nothing is lost.
    Refused(Rejection),
}

impl<A: Aggregate> Partition<A> {
    pub fn new(topology: Topology) -> Self {
        Partition {
            topology,
            decided_at: Timestamp::default(),
            policies: Policies::default(),
            facts: Facts::default(),
            lasting_facts: Facts::default(),
            answers: Remembered::default(),
            pending: BTreeMap::new(),
            inbound: BTreeMap::new(),
            outbound: BTreeMap::new(),
            state: A::State::default(),
            departed: Departed::default(),
        }
    }

    pub fn state(&self) -> &A::State {
        &self.state
    }

    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// When the last decision was made; no later one is earlier.
    pub fn decided_at(&self) -> Timestamp {
        self.decided_at
    }

    /// The last number applied of a source's relays.
    pub fn applied(&self, source: Peer) -> u64 {
        self.inbound.get(&source).copied().unwrap_or(0)
    }

    /// Whether an input of this origin is out of its turn: applied before, under way, or ahead of its predecessors.
    pub fn is_out_of_turn(&self, origin: Origin) -> bool {
        match origin {
            Origin::Fact(id) => self.knows(id),
            Origin::Command { id, .. } => self.answers.get(&id).is_some() || self.pending.contains_key(&id),
            Origin::Relay { source, number } => number != self.applied(source) + 1,
            Origin::Report => false,
        }
    }

    /// Every source that ever sent a relay, with the last number applied.
    pub fn sources(&self) -> impl Iterator<Item = (Peer, u64)> {
        self.inbound.iter().map(|(peer, number)| (*peer, *number))
    }

    pub fn outboxes(&self) -> impl Iterator<Item = (Peer, &Outbox)> {
        self.outbound.iter().map(|(peer, outbox)| (*peer, outbox))
    }

    /// When the first timer is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        A::timers(&self.state).first().map(|timer| timer.due)
    }

    /// Decides one intake record. What memory does not know of it was asked for before ([`Partition::question`]).
    pub fn take(&self, now: Timestamp, intake: &Intake<A::Command>) -> Taken<A> {
        let (origin, at, command) = match intake {
            Intake::Applied { by, through } => {
                return match self.outbound.get(by) {
                    Some(outbox) if outbox.awaits(*through) => {
                        Taken::Step(Step::new(Cause::Applied { by: *by, through: *through }))
                    }
                    _ => Taken::Again,
                };
            }
            Intake::Input { origin, at, command, .. } => (*origin, *at, command),
        };
        match origin {
            Origin::Fact(id) => {
                if self.knows(id) {
                    return Taken::Again;
                }
                self.decide_unasked(now, Cause::Fact(id), command)
            }
            Origin::Relay { source, number } => {
                let applied = self.applied(source);
                if number <= applied {
                    Taken::Again
                } else if number > applied + 1 {
                    Taken::Early
                } else {
                    self.decide_unasked(now, Cause::Relay { source, number }, command)
                }
            }
            Origin::Report => self.decide_unasked(now, Cause::Report, command),
            Origin::Command { id, content } => self.take_command(now, id, content, at, command),
        }
    }

    fn take_command(
        &self,
        now: Timestamp,
        id: CommandId,
        content: ContentHash,
        asked_at: Timestamp,
        command: &A::Command,
    ) -> Taken<A> {
        let cause = Cause::Command { id, content };
        let known = self.answers.get(&id).map(|(known, result)| (*known, Some(result.clone())));
        let known = known.or_else(|| self.pending.get(&id).map(|known| (*known, None)));
        let result = match known {
            // It may be the repetition of one whose answer is forgotten by now.
            None if now - asked_at > ANSWERS_KEPT => {
                Err(Rejection::new(Code::Stale, "this command waited for hours to be decided: ask anew"))
            }
            None => return Taken::Step(self.decide(now, &self.policies, cause, command)),
            Some((known, _)) if known != content => {
                Err(Rejection::new(Code::Conflict, "this command id was used before with another content"))
            }
            Some((_, None)) => return Taken::Pending,
            Some((_, Some(result))) => result,
        };
        let mut step = Step::new(cause);
        step.answers.push(Answer { command: id, content, result });
        Taken::Step(step)
    }

    /// Decides what follows from the timer that is due first, if its time has come.
    pub fn fire(&self, now: Timestamp) -> Option<Step<A>> {
        let timer = A::timers(&self.state).first().filter(|timer| timer.due <= now)?;
        let command = A::fired(timer.id.clone());
        Some(self.decide(now, &self.policies, Cause::Timer(timer), &command))
    }

    /// Decides what follows from a new version of a policy; nothing if it is not newer.
    pub fn adopt(&self, now: Timestamp, policy: Arc<Policy>) -> Option<Step<A>> {
        if policy.version <= self.policies.version(&policy.tenant) {
            return None;
        }
        let mut policies = self.policies.clone();
        policies.put(policy.clone());
        let command = A::policy_changed(&policy.tenant);
        let cause = Cause::PolicyInForce(policy);
        Some(match command {
            Some(command) => self.decide(now, &policies, cause, &command),
            None => Step::new(cause),
        })
    }

    /// Decides what a new leader must before anything else: only earlier leaders' work is under way then.
    pub fn recover(&self, now: Timestamp) -> Option<Step<A>> {
        let step = self.decide(now, &self.policies, Cause::Recovered, &A::recovered()?);
        (!step.events.is_empty()).then_some(step)
    }

    /// The step by which an input that cannot be read, or breaks the rules' code, is kept for an operator. Of
    /// what can be told of its origin, it counts as taken: a relay's number is used up, a command answered.
    pub fn set_aside(&self, origin: Option<Origin>, bytes: Bytes, reason: String) -> Step<A> {
        let mut step = Step::new(match origin {
            None => Cause::Unreadable,
            Some(Origin::Fact(id)) => Cause::Fact(id),
            Some(Origin::Command { id, content }) => Cause::Command { id, content },
            Some(Origin::Relay { source, number }) => Cause::Relay { source, number },
            Some(Origin::Report) => Cause::Report,
        });
        if let Cause::Command { id, content } = step.cause {
            let result =
                Err(Rejection::new(Code::Internal, "this command could not be handled; it is set aside"));
            step.answers.push(Answer { command: id, content, result });
        }
        step.set_aside = Some(SetAside { bytes, reason });
        step
    }

    fn decide_unasked(&self, now: Timestamp, cause: Cause<A>, command: &A::Command) -> Taken<A> {
        match self.try_decide(now, &self.policies, cause, command) {
            Ok(step) => Taken::Step(step),
            Err((_, rejection)) => Taken::Refused(rejection),
        }
    }

    /// Decides where a refusal has nobody to tell and nothing to lose: the cause alone is recorded.
    fn decide(&self, now: Timestamp, policies: &Policies, cause: Cause<A>, command: &A::Command) -> Step<A> {
        self.try_decide(now, policies, cause, command).unwrap_or_else(|(cause, _)| Step::new(cause))
    }

    fn try_decide(
        &self,
        now: Timestamp,
        policies: &Policies,
        cause: Cause<A>,
        command: &A::Command,
    ) -> Result<Step<A>, (Cause<A>, Rejection)> {
        let asked = match cause {
            Cause::Command { id, content } => Some((id, content)),
            _ => None,
        };
        let context = Context { now, policies, command: asked.map(|(id, _)| id) };
        let (events, mut result) = match A::decide(&self.state, &context, command) {
            Ok(events) => (events, Some(Ok(()))),
            Err(rejection) if asked.is_none() => return Err((cause, rejection)),
            Err(rejection) => (Vec::new(), Some(Err(rejection))),
        };
        let mut step = Step::new(cause);
        let mut given: BTreeMap<Peer, u64> = BTreeMap::new();
        for event in events {
            match A::settles(&event) {
                Some(Settles::Pending(id)) if asked.is_some_and(|(asked, _)| asked == id) => result = None,
                Some(Settles::Now(command, result)) => {
                    if let Some(content) = self.pending.get(&command) {
                        step.answers.push(Answer { command, content: *content, result });
                    }
                }
                _ => {}
            }
            let relay = A::relay(&event).map(|(route, _)| {
                let peer = self.topology.peer(&route);
                let last = self.outbound.get(&peer).map_or(0, Outbox::last);
                let number = given.entry(peer).and_modify(|n| *n += 1).or_insert(last + 1);
                (peer, *number)
            });
            step.events.push(Recorded { event, relay });
        }
        if let (Some((command, content)), Some(result)) = (asked, result) {
            step.answers.push(Answer { command, content, result });
        }
        Ok(step)
    }

    /// Folds one accepted step. `at` is its decision's time.
    pub fn fold(&mut self, at: Timestamp, step: &Step<A>) {
        self.decided_at = self.decided_at.max(at);
        match &step.cause {
            Cause::Relay { source, number } => {
                self.inbound.insert(*source, *number);
            }
            Cause::Applied { by, through } => {
                if let Some(outbox) = self.outbound.get_mut(by) {
                    outbox.confirm(*through);
                }
            }
            Cause::Timer(timer) => {
                A::timers_mut(&mut self.state).take(timer);
            }
            Cause::PolicyInForce(policy) => self.policies.put(policy.clone()),
            Cause::Fact(_)
            | Cause::Command { .. }
            | Cause::Report
            | Cause::Recovered
            | Cause::Memory
            | Cause::Unreadable => {}
        }
        for recorded in &step.events {
            self.departed.parties.extend(A::tombstone(&self.state, &recorded.event));
            A::evolve(&mut self.state, at, &recorded.event);
            if let (Some((peer, number)), Some((_, relay))) = (recorded.relay, A::relay(&recorded.event)) {
                let outbox = self.outbound.entry(peer).or_default();
                outbox.push(number, &relay);
            }
            if let (Some(Settles::Pending(id)), Cause::Command { id: asked, content }) =
                (A::settles(&recorded.event), &step.cause)
                && id == *asked
            {
                self.pending.insert(id, *content);
            }
        }
        for answer in &step.answers {
            // A conflict answers the second caller; the first one's answer, given or awaited, stays.
            if self.pending.get(&answer.command).is_some_and(|content| *content != answer.content) {
                continue;
            }
            self.pending.remove(&answer.command);
            if self.answers.get(&answer.command).is_none() {
                self.answers.put(answer.command, (answer.content, answer.result.clone()), at);
            }
        }
        if let Cause::Fact(id) = step.cause {
            self.remember(id, at, step);
        }
        self.answers.forget_before(at, ANSWERS_KEPT);
    }

    /// The commands that wait for another aggregate.
    pub fn pending(&self) -> BTreeSet<CommandId> {
        self.pending.keys().copied().collect()
    }
}

/// A map that forgets what is old, oldest first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(
    bound = "K: Ord + Serialize + serde::de::DeserializeOwned, V: Serialize + serde::de::DeserializeOwned"
)]
struct Remembered<K: Ord, V> {
    by_key: BTreeMap<K, V>,
    by_age: VecDeque<(Timestamp, K)>,
}

impl<K: Ord, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Remembered { by_key: BTreeMap::new(), by_age: VecDeque::new() }
    }
}

impl<K: Ord + Copy, V> Remembered<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.by_key.get(key)
    }

    fn put(&mut self, key: K, value: V, at: Timestamp) {
        if self.by_key.insert(key, value).is_none() {
            self.by_age.push_back((at, key));
        }
    }

    fn forget_before(&mut self, now: Timestamp, kept: Millis) {
        while let Some((at, key)) = self.by_age.front() {
            if now - *at <= kept {
                break;
            }
            self.by_key.remove(key);
            self.by_age.pop_front();
        }
    }
}
