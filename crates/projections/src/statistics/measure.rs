//! What is over, and so can be counted.

use domain::{AgentId, Millis, QueueId, Timestamp};

/// One thing that was measured; it counts where and when it was over.
#[derive(Clone, PartialEq, Debug)]
pub enum Measure {
    /// A conversation began to wait for a person; how it came there (by a bot, a transfer, an overflow) is all the same.
    Came {
        queue: QueueId,
    },
    /// An agent has it. `waited`: since the customer began to wait for a person.
    Answered {
        queue: QueueId,
        agent: AgentId,
        waited: Millis,
        promise: Promise,
    },
    /// That agent wrote for the first time, so long after the customer had begun to wait.
    Replied {
        queue: QueueId,
        after: Millis,
    },
    /// It ended while it waited.
    Abandoned {
        queue: QueueId,
        waited: Millis,
        promise: Promise,
    },
    /// It went on from here to wait elsewhere, or to a bot.
    WentOn {
        queue: QueueId,
        promise: Promise,
    },
    /// An agent gave it to someone else.
    Transferred {
        queue: QueueId,
        agent: AgentId,
    },
    Declined {
        queue: QueueId,
        agent: AgentId,
    },
    /// The agent let the offer expire.
    Expired {
        queue: QueueId,
        agent: AgentId,
    },
    /// The agent has room again, so long after the conversation had become the agent's: what was left to do included.
    Handled {
        queue: QueueId,
        agent: AgentId,
        took: Millis,
    },
    /// The agent was available, up to the time of the measure; `busy`: holding a conversation, or finishing one.
    Spent {
        agent: AgentId,
        from: Timestamp,
        busy: bool,
    },
}

impl Measure {
    /// The queue it counts for.
    pub fn queue(&self) -> Option<&QueueId> {
        match self {
            Measure::Came { queue }
            | Measure::Answered { queue, .. }
            | Measure::Replied { queue, .. }
            | Measure::Abandoned { queue, .. }
            | Measure::WentOn { queue, .. }
            | Measure::Transferred { queue, .. }
            | Measure::Declined { queue, .. }
            | Measure::Expired { queue, .. }
            | Measure::Handled { queue, .. } => Some(queue),
            Measure::Spent { .. } => None,
        }
    }

    /// The agent it counts for.
    pub fn agent(&self) -> Option<&AgentId> {
        match self {
            Measure::Answered { agent, .. }
            | Measure::Transferred { agent, .. }
            | Measure::Declined { agent, .. }
            | Measure::Expired { agent, .. }
            | Measure::Handled { agent, .. }
            | Measure::Spent { agent, .. } => Some(agent),
            Measure::Came { .. }
            | Measure::Replied { .. }
            | Measure::Abandoned { .. }
            | Measure::WentOn { .. } => None,
        }
    }
}

/// What became of a queue's `answer_within` by the end of a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Promise {
    /// The queue promises nothing.
    None,
    /// The wait ended within the time.
    Kept,
    /// It lasted longer.
    Broken,
}

impl Promise {
    pub(super) fn of(target: Option<Millis>, waited: Millis) -> Promise {
        match target {
            None => Promise::None,
            Some(target) if waited <= target => Promise::Kept,
            Some(_) => Promise::Broken,
        }
    }
}
