//! Conversations on their way to a person, as their own log tells it: who waits where, and what became of each wait.

use std::collections::BTreeMap;

use domain::{
    AgentId, ConversationId, Millis, Policy, QueueId, Timestamp,
    conversation::{Event, What},
};
use serde::{Deserialize, Serialize};

use super::measure::{Measure, Promise};

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Waits {
    /// What each queue promises, at each partition: as with all that is decided there, the policy that is in force there
    /// counts.
    promises: BTreeMap<(u32, QueueId), Millis>,
    cases: BTreeMap<ConversationId, Case>,
    lines: BTreeMap<QueueId, Line>,
}

/// A conversation that is, or was last, a person's business.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum Case {
    Waits {
        queue: QueueId,
        since: Timestamp,
    },
    /// An agent has it, who took it from the queue. Stays until someone else has it, or it ends.
    Held {
        queue: QueueId,
        since: Timestamp,
        replied: bool,
    },
}

/// Those who wait in a queue, the longest waiting first, each with what was promised.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Line(BTreeMap<(Timestamp, ConversationId), Option<Millis>>);

impl Line {
    pub fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Since when the one who waits longest has been waiting for a person.
    pub fn longest_since(&self) -> Option<Timestamp> {
        self.0.first_key_value().map(|((since, _), _)| *since)
    }

    /// How many wait beyond what they were promised.
    pub fn late(&self, now: Timestamp) -> u32 {
        // The promise is the queue's, so who came later is not late before who came earlier.
        let is_late = |((since, _), promised): &(&(Timestamp, ConversationId), &Option<Millis>)| {
            Promise::of(**promised, now - *since) == Promise::Broken
        };
        u32::try_from(self.0.iter().take_while(is_late).count()).unwrap_or(u32::MAX)
    }
}

impl Waits {
    pub(super) fn len(&self) -> usize {
        self.cases.len() + self.promises.len()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (&QueueId, &Line)> {
        self.lines.iter()
    }

    pub(super) fn line(&self, queue: &QueueId) -> Option<&Line> {
        self.lines.get(queue)
    }

    pub(super) fn policy(&mut self, partition: u32, policy: &Policy) {
        self.promises.retain(|(at, queue), _| *at != partition || queue.desk.tenant != policy.tenant);
        for (queue, found) in &policy.queues {
            if let Some(promise) = found.answer_within {
                self.promises.insert((partition, queue.clone()), promise);
            }
        }
    }

    pub(super) fn fold(
        &mut self,
        partition: u32,
        at: Timestamp,
        event: &Event,
        note: &mut impl FnMut(Measure),
    ) {
        match &event.what {
            What::AgentWanted { conversation, queue, since, .. } => {
                self.leaves(*conversation, at, note);
                let queue = self.known(queue);
                let promise = self.promises.get(&(partition, queue.clone())).copied();
                self.lines.entry(queue.clone()).or_default().0.insert((*since, *conversation), promise);
                self.cases.insert(*conversation, Case::Waits { queue: queue.clone(), since: *since });
                note(Measure::Came { queue });
            }
            What::Assigned { conversation, agent, .. } => self.assigned(*conversation, agent, at, note),
            What::Replied { conversation, .. } => {
                if let Some(Case::Held { queue, since, replied }) = self.cases.get_mut(conversation)
                    && !std::mem::replace(replied, true)
                {
                    note(Measure::Replied { queue: queue.clone(), after: at - *since });
                }
            }
            What::Transferred { conversation, by, .. } => {
                if let Some(Case::Held { queue, .. }) = self.cases.get(conversation) {
                    note(Measure::Transferred { queue: queue.clone(), agent: by.clone() });
                }
            }
            What::BotEngaged { conversation, .. } => self.leaves(*conversation, at, note),
            What::Closed { conversation, .. } => {
                if let Some((queue, waited, promise)) = self.ends_waiting(*conversation, at) {
                    note(Measure::Abandoned { queue, waited, promise });
                }
                self.cases.remove(conversation);
            }
            // Who has it next stands behind these; the rest concerns nobody who waits.
            _ => {}
        }
    }

    fn assigned(
        &mut self,
        conversation: ConversationId,
        agent: &AgentId,
        at: Timestamp,
        note: &mut impl FnMut(Measure),
    ) {
        let Some(Case::Waits { queue, since }) = self.cases.get(&conversation) else { return };
        let held = Case::Held { queue: queue.clone(), since: *since, replied: false };
        if let Some((queue, waited, promise)) = self.ends_waiting(conversation, at) {
            note(Measure::Answered { queue, agent: agent.clone(), waited, promise });
        }
        self.cases.insert(conversation, held);
    }

    /// It waits here no more, if it did, and is someone else's business now.
    fn leaves(&mut self, conversation: ConversationId, at: Timestamp, note: &mut impl FnMut(Measure)) {
        if let Some((queue, _, promise)) = self.ends_waiting(conversation, at) {
            note(Measure::WentOn { queue, promise });
        }
        self.cases.remove(&conversation);
    }

    fn ends_waiting(
        &mut self,
        conversation: ConversationId,
        at: Timestamp,
    ) -> Option<(QueueId, Millis, Promise)> {
        let Case::Waits { queue, since } = self.cases.get(&conversation)? else { return None };
        let line = self.lines.get_mut(queue)?;
        let promised = line.0.remove(&(*since, conversation))?;
        let waited = at - *since;
        let ended = (queue.clone(), waited, Promise::of(promised, waited));
        if line.is_empty() {
            self.lines.remove(queue);
        }
        Some(ended)
    }

    /// The queue's id as it is kept already, so that thousands who wait share one.
    fn known(&self, queue: &QueueId) -> QueueId {
        self.lines.get_key_value(queue).map_or(queue, |(known, _)| known).clone()
    }
}
