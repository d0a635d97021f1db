//! A small team to tell stories about and to let things happen to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    AgentId, Channel, CommandId, ConversationId, DeskId, Millis, OfferId, Party, Policy, QueueId, TenantId,
    Timestamp,
    policy::{Agent, Capacity, Queue},
};

mod properties;
mod stories;
mod story;
mod world;

fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

fn desk(name: &str) -> DeskId {
    DeskId::new(tenant(), name).unwrap()
}

fn queue(name: &str) -> QueueId {
    QueueId::new(desk("team"), name).unwrap()
}

fn agent(name: &str) -> AgentId {
    AgentId::new(desk("team"), name).unwrap()
}

fn offer(number: u64) -> OfferId {
    OfferId { desk: desk("team"), number }
}

fn conversation(n: u8) -> ConversationId {
    ConversationId { party: Party([n; 16]), number: 1 }
}

fn command_id(n: u128) -> CommandId {
    CommandId(n.to_be_bytes())
}

fn seconds(n: i64) -> Timestamp {
    Timestamp(n * 1_000)
}

/// An agent's share of a policy.
fn serving(queues: &[QueueId], total: u32, per_channel: &[(Channel, u32)]) -> Agent {
    Agent {
        queues: queues.iter().cloned().collect::<BTreeSet<_>>(),
        capacity: Capacity {
            total,
            per_channel: per_channel.iter().copied().collect(),
            ..Capacity::default()
        },
        ..Agent::default()
    }
}

/// A policy of queues (with their priorities) and agents; offers run for 30 s.
fn policy(version: u64, queues: &[(QueueId, i32)], agents: &[(AgentId, Agent)]) -> Arc<Policy> {
    let queue = |priority| Queue { priority, offer_timeout: Millis::seconds(30), ..Queue::default() };
    Arc::new(Policy {
        tenant: tenant(),
        version,
        inboxes: BTreeMap::new(),
        queues: queues.iter().map(|(id, priority)| (id.clone(), queue(*priority))).collect(),
        agents: agents.iter().cloned().collect(),
        bots: BTreeMap::new(),
        hours: BTreeMap::new(),
        links: Default::default(),
    })
}
