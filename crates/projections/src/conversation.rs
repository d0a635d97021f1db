//! Conversations as they stand.

use std::{fmt, str::FromStr};

use domain::{AgentId, BotId, Channel, ConversationId, InboxId, QueueId, Timestamp};

use crate::entry::Unnamed;

#[derive(Clone, PartialEq, Debug)]
pub struct ConversationRow {
    pub id: ConversationId,
    pub inbox: InboxId,
    pub channel: Option<Channel>,
    /// None once it is closed.
    pub owner: Option<Owner>,
    /// Not after the first of what stands in it, wherever that stood before.
    pub opened_at: Timestamp,
    /// The last message or change of owner.
    pub updated_at: Timestamp,
    /// None while it is open.
    pub closed_at: Option<Timestamp>,
}

/// Who has to do the next thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Owner {
    Bot(BotId),
    Queue(QueueId),
    Agent(AgentId),
    /// This agent put it away: nobody, until it comes back.
    Snoozed(AgentId),
}

/// `bot:NAME`, `queue:TENANT/DESK/NAME`, `agent:TENANT/DESK/NAME`, `snoozed:TENANT/DESK/NAME`. Bots and agents are written as
/// [`crate::Author`]s are.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Bot(bot) => write!(f, "bot:{bot}"),
            Owner::Queue(queue) => write!(f, "queue:{queue}"),
            Owner::Agent(agent) => write!(f, "agent:{agent}"),
            Owner::Snoozed(agent) => write!(f, "snoozed:{agent}"),
        }
    }
}

impl FromStr for Owner {
    type Err = Unnamed;

    fn from_str(text: &str) -> Result<Self, Unnamed> {
        let owner = match text.split_once(':') {
            Some(("bot", name)) => name.parse().ok().map(Owner::Bot),
            Some(("queue", name)) => name.parse().ok().map(Owner::Queue),
            Some(("agent", name)) => name.parse().ok().map(Owner::Agent),
            Some(("snoozed", name)) => name.parse().ok().map(Owner::Snoozed),
            _ => None,
        };
        owner.ok_or_else(|| Unnamed::new("an owner", text))
    }
}
