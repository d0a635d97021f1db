//! What the business is: inboxes, queues, agents, bots and hours, as one versioned document a tenant.
//!
//! The workspace aggregate keeps the versions; every other partition is told which one is in force and decides
//! by it, so that any decision can be traced to the policy behind it.

mod agent;
mod bot;
mod calendar;
mod hours;
mod link;
mod queue;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, BotId, Channel, DeskId, HoursId, InboxId, LinkId, Millis, QueueId, TenantId, Timestamp,
};

pub use self::{
    agent::{Agent, Capacity},
    bot::{Bot, BotKind, Flow, KeywordAnswer},
    calendar::{Calendar, Period, UnknownZone},
    hours::{Day, Holiday, Hours, OpenSpan},
    link::{LONGEST_REFERENCE, Link, TOKEN_MARK},
    queue::{Ageing, Needs, Overflow, Queue, Relaxation, Selection, Special, Sticky, Vip, WhenClosed},
};

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
    pub links: BTreeMap<LinkId, Link>,
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

/// Whether a mail address says by its name that nobody reads there, or only a machine.
pub fn is_nobody(address: &str) -> bool {
    const NOBODY: [&str; 9] = [
        "noreply",
        "donotreply",
        "noresponse",
        "neverreply",
        "nepasrepondre",
        "nichtantworten",
        "noresponder",
        "mailerdaemon",
        "nobody",
    ];
    let local = address.split_once('@').map_or(address, |(local, _)| local);
    let letters: String = local.chars().filter(|c| c.is_ascii_alphabetic()).collect();
    let letters = letters.to_ascii_lowercase();
    NOBODY.iter().any(|nobody| letters.starts_with(nobody))
}

impl Policy {
    /// Whether a queue is open, as far as hours of a zone that is known tell.
    pub fn is_open(&self, queue: &QueueId, at: Timestamp) -> bool {
        let hours = self.queues.get(queue).and_then(|queue| self.hours.get(queue.hours.as_ref()?));
        hours.and_then(|hours| Calendar::of(hours).ok()).is_none_or(|calendar| calendar.is_open(at))
    }

    /// Whether any agent serves this queue who has, after however much waiting, what it needs and these besides.
    pub fn could_serve(&self, queue: &QueueId, besides: &Needs) -> bool {
        let Some(needs) = self.queues.get(queue).map(Queue::least_needs) else { return false };
        let mut serving = self.agents.values().filter(|agent| agent.queues.contains(queue));
        serving.any(|agent| needs.met_by(agent) && besides.met_by(agent))
    }

    /// The link of an inbox that has this reference.
    pub fn link_by_reference(&self, inbox: &InboxId, reference: &str) -> Option<&LinkId> {
        self.links_of(inbox).find(|(_, link)| link.reference.as_deref() == Some(reference)).map(|(id, _)| id)
    }

    /// The link of an inbox that lets customers begin with this text.
    pub fn link_by_text(&self, inbox: &InboxId, text: &str) -> Option<&LinkId> {
        let says = |link: &Link| link.text.as_deref().is_some_and(|says| says.trim() == text.trim());
        self.links_of(inbox).find(|(_, link)| says(link)).map(|(id, _)| id)
    }

    fn links_of(&self, inbox: &InboxId) -> impl Iterator<Item = (&LinkId, &Link)> {
        self.links.iter().filter(move |(_, link)| link.inbox == *inbox)
    }

    pub fn desks(&self) -> BTreeSet<DeskId> {
        self.queues.keys().map(|queue| queue.desk.clone()).collect()
    }

    pub fn queues_at<'a>(&'a self, desk: &DeskId) -> impl Iterator<Item = (&'a QueueId, &'a Queue)> {
        let first = QueueId { desk: desk.clone(), name: "".into() };
        self.queues.range(first..).take_while(move |(queue, _)| queue.desk == *desk)
    }

    /// Where what goes to a desk as such waits: in its default queue, or in its only one.
    pub fn default_queue<'a>(&'a self, desk: &DeskId) -> Option<&'a QueueId> {
        let mut queues = self.queues_at(desk);
        let only = queues.next().filter(|_| queues.next().is_none());
        let default = self.queues_at(desk).find(|(_, queue)| queue.default);
        default.or(only).map(|(queue, _)| queue)
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
