//! One copy of each name, however many conversations it stands in.

use std::{collections::BTreeSet, sync::Arc};

use crate::{AgentId, BotId, DeskId, OfferId, QueueId};

use super::{Customer, Endpoint, Owner, Stage};

/// The names that stand in a state. As many as the business ever had, and no part of what the state says.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    endpoints: BTreeSet<Arc<Endpoint>>,
    bots: BTreeSet<BotId>,
    desks: BTreeSet<DeskId>,
    queues: BTreeSet<Arc<QueueId>>,
    agents: BTreeSet<Arc<AgentId>>,
}

impl PartialEq for Names {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

fn known<T: Ord + Clone>(names: &mut BTreeSet<T>, name: &T) -> T {
    if let Some(known) = names.get(name) {
        return known.clone();
    }
    names.insert(name.clone());
    name.clone()
}

fn known_shared<T: Ord + Clone>(names: &mut BTreeSet<Arc<T>>, name: &T) -> Arc<T> {
    // Comparing needs no `Arc`; a new one is made only for a new name.
    if let Some(known) = names.get(name) {
        return known.clone();
    }
    let name = Arc::new(name.clone());
    names.insert(name.clone());
    name
}

impl Names {
    pub(super) fn endpoint(&mut self, endpoint: &Endpoint) -> Arc<Endpoint> {
        known_shared(&mut self.endpoints, endpoint)
    }

    pub(super) fn bot(&mut self, name: &BotId) -> BotId {
        known(&mut self.bots, name)
    }

    pub(super) fn queue(&mut self, name: &QueueId) -> Arc<QueueId> {
        known_shared(&mut self.queues, name)
    }

    pub(super) fn agent(&mut self, name: &AgentId) -> Arc<AgentId> {
        known_shared(&mut self.agents, name)
    }

    pub(super) fn offer(&mut self, offer: &OfferId) -> OfferId {
        OfferId { desk: known(&mut self.desks, &offer.desk), number: offer.number }
    }

    /// A customer read from elsewhere, with our copies of the names.
    pub(super) fn adopt(&mut self, customer: &mut Customer) {
        customer.endpoint = self.endpoint(&customer.endpoint);
        if let Some(known_by) = &mut customer.known_by {
            known_by.agent = self.agent(&known_by.agent);
            known_by.queue = known_by.queue.as_ref().map(|queue| self.queue(queue));
        }
        for other in customer.others.iter_mut().flat_map(|others| others.addresses_mut()) {
            other.endpoint = self.endpoint(&other.endpoint);
        }
        for conversation in customer.conversations_mut() {
            if let Stage::Open(owner) = &mut conversation.stage {
                self.adopt_owner(owner);
            }
        }
    }

    fn adopt_owner(&mut self, owner: &mut Owner) {
        match owner {
            Owner::Bot { bot, queue, .. } => {
                *bot = self.bot(bot);
                *queue = self.queue(queue);
            }
            Owner::Queue { queue, .. } => *queue = self.queue(queue),
            Owner::Agent { agent, assignment, queue, consult: _ } => {
                *agent = self.agent(agent);
                **assignment = self.offer(assignment);
                *queue = self.queue(queue);
            }
            Owner::Snoozed { agent, queue } => {
                *agent = self.agent(agent);
                *queue = self.queue(queue);
            }
        }
    }
}
