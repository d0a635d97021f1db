//! A person who answers: what they can, and how much at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{Channel, DeskId, LanguageId, QueueId, SkillId};

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Agent {
    /// The queues this agent serves, all at the agent's home desk.
    pub queues: BTreeSet<QueueId>,
    pub capacity: Capacity,
    /// How well the agent knows what: levels from 1.
    pub skills: BTreeMap<SkillId, u8>,
    pub languages: BTreeSet<LanguageId>,
    /// The desks whose conversations this agent may give to anyone, whoever has them.
    pub supervises: BTreeSet<DeskId>,
    /// As customers read it below a mail. Without it a mail bears the business's name alone.
    pub name: Option<Arc<str>>,
}

/// How much an agent may hold (offers included) at once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Capacity {
    pub total: u32,
    /// How many conversations of a channel. Channels not named here are limited by `total` alone.
    pub per_channel: BTreeMap<Channel, u32>,
    /// How much of `total` a conversation of the channel takes. Channels not named here take 1.
    pub weights: BTreeMap<Channel, u32>,
}

impl Capacity {
    pub fn weight(&self, channel: Channel) -> u32 {
        self.weights.get(&channel).copied().unwrap_or(1)
    }

    /// The most conversations of a channel at once, as far as the channel itself is limited.
    pub fn most_of(&self, channel: Channel) -> u32 {
        self.per_channel.get(&channel).copied().unwrap_or(u32::MAX)
    }

    /// Whether an agent who holds nothing else could take a conversation of the channel.
    pub fn admits(&self, channel: Channel) -> bool {
        self.weight(channel) <= self.total && self.most_of(channel) > 0
    }
}
