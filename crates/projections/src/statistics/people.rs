//! Agents, as the desks' logs tell of them: who is there, what each one holds, and how the time was spent.

use std::collections::BTreeMap;

use domain::{
    AgentId, DeskId, OfferId, QueueId, Timestamp,
    desk::{Event, Presence},
};
use serde::{Deserialize, Serialize};

use super::measure::Measure;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct People {
    agents: BTreeMap<AgentId, Agent>,
    taken: BTreeMap<QueueId, QueueTaken>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Agent {
    presence: Presence,
    since: Timestamp,
    /// The time up to here is measured.
    settled: Timestamp,
    /// By the number of the offer.
    held: BTreeMap<u64, Held>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Held {
    queue: QueueId,
    stage: Stage,
    /// When the conversation became the agent's; before, when it was offered.
    at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Stage {
    Offer,
    Assignment,
    WrapUp,
}

/// What agents hold of a queue's conversations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct QueueTaken {
    /// Offers open now.
    pub offers: u32,
    pub assignments: u32,
    pub wrap_ups: u32,
}

/// What an agent holds.
pub type AgentHolds = QueueTaken;

impl QueueTaken {
    fn of(&mut self, stage: Stage) -> &mut u32 {
        match stage {
            Stage::Offer => &mut self.offers,
            Stage::Assignment => &mut self.assignments,
            Stage::WrapUp => &mut self.wrap_ups,
        }
    }

    fn add(&mut self, stage: Stage) {
        *self.of(stage) += 1;
    }

    fn remove(&mut self, stage: Stage) {
        let count = self.of(stage);
        *count = count.saturating_sub(1);
    }
}

impl Agent {
    fn new(at: Timestamp) -> Agent {
        Agent { presence: Presence::Offline, since: at, settled: at, held: BTreeMap::new() }
    }

    pub(super) fn presence(&self) -> Presence {
        self.presence
    }

    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    pub(super) fn holds(&self) -> AgentHolds {
        let mut holds = AgentHolds::default();
        self.held.values().for_each(|held| holds.add(held.stage));
        holds
    }

    /// Since when the agent has been available without its being measured, and whether busy.
    pub(super) fn open_span(&self, now: Timestamp) -> Option<(Timestamp, bool)> {
        (self.presence == Presence::Available && self.settled < now).then(|| (self.settled, self.is_busy()))
    }

    fn is_busy(&self) -> bool {
        self.held.values().any(|held| held.stage != Stage::Offer)
    }
}

impl People {
    pub(super) fn len(&self) -> usize {
        self.agents.values().map(|agent| 1 + agent.held.len()).sum()
    }

    pub(super) fn agents(&self) -> impl Iterator<Item = (&AgentId, &Agent)> {
        self.agents.iter()
    }

    pub(super) fn of_desk(&self, desk: &DeskId) -> impl Iterator<Item = (&AgentId, &Agent)> {
        let first = AgentId { desk: desk.clone(), name: "".into() };
        self.agents.range(first..).take_while(move |(agent, _)| agent.desk == *desk)
    }

    pub(super) fn agent(&self, agent: &AgentId) -> Option<&Agent> {
        self.agents.get(agent)
    }

    /// The queues of which agents hold anything.
    pub(super) fn queues(&self) -> impl Iterator<Item = &QueueId> {
        self.taken.keys()
    }

    pub(super) fn taken(&self, queue: &QueueId) -> QueueTaken {
        self.taken.get(queue).copied().unwrap_or_default()
    }

    pub(super) fn settle(&mut self, now: Timestamp, note: &mut impl FnMut(Measure)) {
        for (id, agent) in &mut self.agents {
            spend(id, agent, now, note);
        }
    }

    pub(super) fn fold(&mut self, at: Timestamp, event: &Event, note: &mut impl FnMut(Measure)) {
        match event {
            Event::PresenceSet { agent, presence, .. } => self.is(agent, *presence, at, note),
            Event::LeaseLapsed { agent } => self.is(agent, Presence::Offline, at, note),
            Event::Offered { offer, agent, queue, .. } => {
                let queue = self.taken.get_key_value(queue).map_or(queue, |(known, _)| known).clone();
                self.taken.entry(queue.clone()).or_default().add(Stage::Offer);
                let held = Held { queue, stage: Stage::Offer, at };
                let agent = self.agents.entry(agent.clone()).or_insert_with(|| Agent::new(at));
                agent.held.insert(offer.number, held);
            }
            Event::Accepted { offer, agent, .. } => self.becomes(agent, offer, Stage::Assignment, at, note),
            Event::WrapUpBegan { assignment, agent, .. } => {
                self.becomes(agent, assignment, Stage::WrapUp, at, note);
            }
            Event::Declined { offer, agent, .. } => {
                if let Some(Held { queue, .. }) = self.ends(agent, offer, at, note) {
                    note(Measure::Declined { queue, agent: agent.clone() });
                }
            }
            Event::Expired { offer, agent, .. } => {
                if let Some(Held { queue, .. }) = self.ends(agent, offer, at, note) {
                    note(Measure::Expired { queue, agent: agent.clone() });
                }
            }
            Event::Withdrawn { offer, agent, .. } => {
                self.ends(agent, offer, at, note);
            }
            Event::AssignmentEnded { assignment, agent, .. } => {
                if let Some(held) = self.ends(agent, assignment, at, note)
                    && held.stage != Stage::Offer
                {
                    let took = at - held.at;
                    note(Measure::Handled { queue: held.queue, agent: agent.clone(), took });
                }
            }
            // The rest changes neither who is there nor what anyone holds.
            _ => {}
        }
    }

    fn is(&mut self, id: &AgentId, presence: Presence, at: Timestamp, note: &mut impl FnMut(Measure)) {
        let agent = self.agents.entry(id.clone()).or_insert_with(|| Agent::new(at));
        spend(id, agent, at, note);
        if agent.presence != presence {
            (agent.presence, agent.since) = (presence, at);
        }
    }

    fn becomes(
        &mut self,
        id: &AgentId,
        offer: &OfferId,
        stage: Stage,
        at: Timestamp,
        note: &mut impl FnMut(Measure),
    ) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        spend(id, agent, at, note);
        let Some(held) = agent.held.get_mut(&offer.number) else { return };
        if stage == Stage::Assignment {
            held.at = at;
        }
        let taken = self.taken.entry(held.queue.clone()).or_default();
        taken.remove(std::mem::replace(&mut held.stage, stage));
        taken.add(stage);
    }

    fn ends(
        &mut self,
        id: &AgentId,
        offer: &OfferId,
        at: Timestamp,
        note: &mut impl FnMut(Measure),
    ) -> Option<Held> {
        let agent = self.agents.get_mut(id)?;
        spend(id, agent, at, note);
        let held = agent.held.remove(&offer.number)?;
        if let Some(taken) = self.taken.get_mut(&held.queue) {
            taken.remove(held.stage);
            if *taken == QueueTaken::default() {
                self.taken.remove(&held.queue);
            }
        }
        Some(held)
    }
}

/// Measures the time since it was measured last, as the agent was all that while.
fn spend(id: &AgentId, agent: &mut Agent, at: Timestamp, note: &mut impl FnMut(Measure)) {
    if let Some((from, busy)) = agent.open_span(at) {
        note(Measure::Spent { agent: id.clone(), from, busy });
    }
    agent.settled = agent.settled.max(at);
}
