//! What the business is: inboxes, queues, agents, bots and hours, as one versioned document a tenant.
//!
//! The workspace aggregate keeps the versions; every other partition is told which one is in force and decides
//! by it, so that any decision can be traced to the policy behind it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{AgentId, BotId, Channel, DeskId, HoursId, InboxId, Millis, QueueId, TenantId};

/// One version of one tenant's workspace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Policy {
    pub tenant: TenantId,
    /// Counts the versions of this tenant's workspace, from 1. 0 in a document that was not applied yet.
    pub version: u64,
    pub inboxes: BTreeMap<InboxId, Inbox>,
    pub queues: BTreeMap<QueueId, Queue>,
    pub agents: BTreeMap<AgentId, Agent>,
    pub bots: BTreeMap<BotId, Bot>,
    pub hours: BTreeMap<HoursId, Hours>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Inbox {
    pub channel: Channel,
    /// The endpoint's own name on the channel: a Page id, a mailbox, a number.
    pub address: String,
    /// Who greets here. Without a bot conversations go straight to the queue.
    pub bot: Option<BotId>,
    /// Where conversations wait for a person.
    pub queue: QueueId,
    /// A message within this long after closing reopens the conversation; later it begins a new one.
    pub reopen_within: Millis,
    /// Messages are written to files instead of being sent.
    pub sandbox: bool,
    /// What the channel needs besides (secrets by reference: `env:NAME` or `file:PATH`). Known keys per channel.
    pub settings: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Queue {
    /// Higher goes first; within a priority the longest waiting.
    pub priority: i32,
    /// How long an agent may think about an offer.
    pub offer_timeout: Millis,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Agent {
    /// The queues this agent serves, all at the agent's home desk.
    pub queues: BTreeSet<QueueId>,
    pub capacity: Capacity,
}

/// How many conversations an agent may hold (offers included) at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Capacity {
    pub total: u32,
    /// Channels not named here are limited by `total` alone.
    pub per_channel: BTreeMap<Channel, u32>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bot {
    /// A bot that has not answered a turn after this long loses the conversation to the queue.
    pub answer_within: Millis,
    pub kind: BotKind,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BotKind {
    /// Tributary's own bot, following this flow.
    BuiltIn(Flow),
    /// Someone's bot, connected to the `Bots` stream.
    Stream,
}

/// What the built-in bot says.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Flow {
    /// The answer to the first message of a conversation, unless something more fitting matches.
    pub greeting: Option<String>,
    /// Offered for tapping with the greeting.
    pub quick_replies: Vec<String>,
    pub answers: Vec<KeywordAnswer>,
    /// Phrases (or payloads) by which a customer asks for a person. Matched without regard to case.
    pub person_words: Vec<String>,
    /// Said when the conversation is handed to a person.
    pub hand_off_text: Option<String>,
    /// Within these hours people are there; outside `away_text` is said when someone asks for a person.
    pub hours: Option<HoursId>,
    pub away_text: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeywordAnswer {
    /// Any of these words in the message, without regard to case.
    pub words: Vec<String>,
    pub text: String,
}

/// When people are there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hours {
    /// An IANA time zone name.
    pub time_zone: String,
    pub open: Vec<OpenSpan>,
}

/// An open span on one weekday; `from` < `to`, in minutes since local midnight (at most 1440).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct OpenSpan {
    /// 1 is Monday, 7 is Sunday (ISO 8601).
    pub weekday: u8,
    pub from: u16,
    pub to: u16,
}

impl Policy {
    pub fn desks(&self) -> BTreeSet<DeskId> {
        self.queues.keys().map(|queue| queue.desk.clone()).collect()
    }
}

/// The policies in force at one partition, one a tenant.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Policies {
    by_tenant: BTreeMap<TenantId, Arc<Policy>>,
}

impl Policies {
    pub fn of(&self, tenant: &TenantId) -> Option<&Arc<Policy>> {
        self.by_tenant.get(tenant)
    }

    pub fn version(&self, tenant: &TenantId) -> u64 {
        self.of(tenant).map_or(0, |policy| policy.version)
    }

    pub fn put(&mut self, policy: Arc<Policy>) {
        self.by_tenant.insert(policy.tenant.clone(), policy);
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.by_tenant.values()
    }

    /// The inbox of that name, whichever tenant has it: inbox ids are unique in the installation.
    pub fn inbox(&self, inbox: &InboxId) -> Option<(&Arc<Policy>, &Inbox)> {
        self.all().find_map(|policy| policy.inboxes.get(inbox).map(|found| (policy, found)))
    }
}
