//! What a floor supervisor asks: who waits and for how long, who is there, how well customers were served. A pure fold
//! of what conversations and desks decided; time comes with the events, and with whoever asks.
//!
//! ```text
//! conversation.log ─▶ waits  ─┐
//!                             ├─▶ measures ─▶ windows (live), or a report of a whole period
//! desk.log ─────────▶ people ─┘
//! ```
//!
//! What counts for a queue is read off the conversations, where ownership is decided; what counts for an agent, and
//! what is on offer, off the desks. So every number comes from one log, and it does not matter in which order the
//! partitions are read.
//!
//! *Answered* is a conversation once an agent has it (`Assigned`), whether or not the queue asks its agents: it is what
//! routing brings about. When that agent first writes is measured apart. *Abandoned* is one that ended while it waited.

mod measure;
mod people;
mod tally;
mod waits;
mod windows;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use domain::{AgentId, DeskId, Millis, Policy, QueueId, Timestamp, conversation, desk, policy};
use serde::{Deserialize, Serialize};

pub use self::{
    measure::{Measure, Promise},
    people::{AgentHolds, QueueTaken},
    tally::{AgentTally, QueueTally},
    waits::Line,
};
use self::{people::People, waits::Waits, windows::Windows};

/// The stretches of time that live figures are given for, each up to the moment of asking.
pub const WINDOWS: [Window; 3] =
    [Window::Last(Millis::seconds(15 * 60)), Window::Last(Millis::hours(1)), Window::Today];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// An hour at most.
    Last(Millis),
    /// Since midnight, where the queue or the agent is.
    Today,
}

/// Follows what conversations and desks decide, and measures what is over. Keeps what is under way alone.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Course {
    waits: Waits,
    people: People,
}

impl Course {
    /// A policy is in force at this partition of the conversations.
    pub fn policy(&mut self, partition: u32, policy: &Policy) {
        self.waits.policy(partition, policy);
    }

    /// What a conversation's partition decided.
    pub fn conversation(
        &mut self,
        partition: u32,
        at: Timestamp,
        event: &conversation::Event,
        note: &mut impl FnMut(Timestamp, Measure),
    ) {
        self.waits.fold(partition, at, event, &mut |measure| note(at, measure));
    }

    /// What a desk decided.
    pub fn desk(&mut self, at: Timestamp, event: &desk::Event, note: &mut impl FnMut(Timestamp, Measure)) {
        self.people.fold(at, event, &mut |measure| note(at, measure));
    }

    /// Measures the time that agents have spent up to now. For a period that ends.
    pub fn settle(&mut self, now: Timestamp, note: &mut impl FnMut(Timestamp, Measure)) {
        self.people.settle(now, &mut |measure| note(now, measure));
    }

    /// Who waits, by queue.
    pub fn lines(&self) -> impl Iterator<Item = (&QueueId, &Line)> {
        self.waits.lines()
    }
}

/// The course of things, and what was measured in the last hours: what a live view shows.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Statistics {
    course: Course,
    windows: Windows,
}

/// A queue at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct QueueNow {
    pub queue: QueueId,
    /// Conversations in the queue, those on offer included.
    pub waiting: u32,
    /// Since when the one that waits longest has been waiting for a person.
    pub longest_since: Option<Timestamp>,
    /// Those who wait beyond what the queue promises.
    pub late: u32,
    pub taken: QueueTaken,
    /// When its day began.
    pub midnight: Timestamp,
    /// What was measured in each of [`WINDOWS`].
    pub over: [QueueTally; WINDOWS.len()],
}

/// An agent at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct AgentNow {
    pub agent: AgentId,
    pub presence: desk::Presence,
    /// Since when, if it is known.
    pub since: Option<Timestamp>,
    pub holds: AgentHolds,
    /// When the day began, in the zone of the agent's first queue.
    pub midnight: Timestamp,
    pub over: [AgentTally; WINDOWS.len()],
}

/// A desk at one moment: queues and agents in the order of their names.
#[derive(Clone, PartialEq, Debug)]
pub struct DeskNow {
    pub queues: Vec<QueueNow>,
    pub agents: Vec<AgentNow>,
}

impl Statistics {
    /// See [`Course::policy`].
    pub fn policy(&mut self, partition: u32, policy: &Policy) {
        self.course.policy(partition, policy);
    }

    /// See [`Course::conversation`].
    pub fn conversation(&mut self, partition: u32, at: Timestamp, event: &conversation::Event) {
        let windows = &mut self.windows;
        self.course.conversation(partition, at, event, &mut |at, measure| windows.note(at, &measure));
    }

    /// See [`Course::desk`].
    pub fn desk(&mut self, at: Timestamp, event: &desk::Event) {
        let windows = &mut self.windows;
        self.course.desk(at, event, &mut |at, measure| windows.note(at, &measure));
    }

    /// How much there is of it, for those who weigh writing it.
    pub fn len(&self) -> usize {
        self.course.waits.len() + self.course.people.len() + self.windows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The desks of which anything is known.
    pub fn desks(&self) -> BTreeSet<DeskId> {
        let queues =
            self.course.lines().map(|(queue, _)| &queue.desk).chain(self.windows.queues().map(|q| &q.desk));
        let agents = self.course.people.agents().map(|(agent, _)| &agent.desk);
        let desks: BTreeSet<&DeskId> = queues.chain(agents).collect();
        desks.into_iter().cloned().collect()
    }

    /// One desk as it is now: the queues of the policy and those where anyone waits or was counted lately; the agents who
    /// are there, hold something, or were counted lately.
    pub fn look(&self, desk: &DeskId, policy: Option<&Policy>, now: Timestamp) -> DeskNow {
        let of_policy = policy.into_iter().flat_map(|policy| policy.queues.keys());
        let known = self.course.lines().map(|(queue, _)| queue).chain(self.windows.queues());
        let queues: BTreeSet<&QueueId> = of_policy
            .chain(known)
            .chain(self.course.people.queues())
            .filter(|queue| queue.desk == *desk)
            .collect();
        let days = Days { policy, now, begun: RefCell::default() };
        let queues =
            queues.into_iter().map(|queue| self.queue(queue, days.of(Some(queue)), now)).filter(|found| {
                found.is_of_interest()
                    || policy.is_some_and(|policy| policy.queues.contains_key(&found.queue))
            });
        let known = self.course.people.of_desk(desk).map(|(agent, _)| agent);
        let agents: BTreeSet<&AgentId> = known.chain(self.windows.agents_of(desk)).collect();
        let agents = agents.into_iter().map(|agent| {
            let queue = policy.and_then(|policy| policy.agents.get(agent)?.queues.first());
            self.agent(agent, days.of(queue), now)
        });
        let agents = agents.filter(AgentNow::is_of_interest);
        DeskNow { queues: queues.collect(), agents: agents.collect() }
    }

    fn queue(&self, queue: &QueueId, midnight: Timestamp, now: Timestamp) -> QueueNow {
        let line = self.course.waits.line(queue);
        QueueNow {
            queue: queue.clone(),
            waiting: line.map_or(0, Line::len),
            longest_since: line.and_then(Line::longest_since),
            late: line.map_or(0, |line| line.late(now)),
            taken: self.course.people.taken(queue),
            midnight,
            over: WINDOWS.map(|window| self.windows.of_queue(queue, window.begin(midnight, now))),
        }
    }

    fn agent(&self, agent: &AgentId, midnight: Timestamp, now: Timestamp) -> AgentNow {
        let found = self.course.people.agent(agent);
        // What the agent has been doing since the last event is in no window yet.
        let open = found.and_then(|found| found.open_span(now));
        let over = WINDOWS.map(|window| {
            let begin = window.begin(midnight, now);
            let mut tally = self.windows.of_agent(agent, begin);
            if let Some((from, busy)) = open {
                tally.spend(now - from.max(begin.at()), busy);
            }
            tally
        });
        AgentNow {
            agent: agent.clone(),
            presence: found.map_or(desk::Presence::Offline, people::Agent::presence),
            since: found.map(people::Agent::since),
            holds: found.map(people::Agent::holds).unwrap_or_default(),
            midnight,
            over,
        }
    }
}

/// When the day began that it is now, zone by zone.
struct Days<'a> {
    policy: Option<&'a Policy>,
    now: Timestamp,
    begun: RefCell<BTreeMap<&'a str, Timestamp>>,
}

impl<'a> Days<'a> {
    fn of(&self, queue: Option<&QueueId>) -> Timestamp {
        let zone = self.policy.map_or("UTC", |policy| policy.zone(queue));
        *self.begun.borrow_mut().entry(zone).or_insert_with(|| policy::midnight(zone, self.now))
    }
}

impl QueueNow {
    /// The share of those who were answered in time, of all in the window who were answered, or waited beyond it (those who
    /// still do included). None where the queue promises nothing, or nobody came.
    pub fn service_level(&self, window: usize) -> Option<f64> {
        self.over.get(window)?.service_level(self.late)
    }

    fn is_of_interest(&self) -> bool {
        self.waiting > 0
            || self.taken != QueueTaken::default()
            || self.over.iter().any(|tally| *tally != QueueTally::default())
    }
}

impl AgentNow {
    fn is_of_interest(&self) -> bool {
        self.presence != desk::Presence::Offline
            || self.holds != AgentHolds::default()
            || self.over.iter().any(|tally| *tally != AgentTally::default())
    }
}

#[cfg(test)]
mod tests;
