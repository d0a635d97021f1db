//! What leaves memory when it has gone quiet, and how it comes back.
//!
//! Every fold of a step yields the same departures, so whoever folds can keep them beside the state: the leader, a
//! standby, a replay. Folding never asks for them. Only a leader does, before it decides about an input
//! ([`crate::Partition::question`]); what it finds comes back by an event that carries all of it.

use crate::{Aggregate, FactId, Party, facts::Batch};

/// What has left memory since it was last taken from the partition ([`crate::Partition::take_departed`]).
#[derive(Clone, PartialEq, Debug)]
pub struct Departed<A: Aggregate> {
    /// Facts of which a redelivery is recognized for [`crate::FACTS_KEPT`].
    pub facts: Vec<Batch>,
    /// Facts of which it is recognized for ever.
    pub lasting_facts: Vec<Batch>,
    /// Parties, and the event that brings each one back as it was.
    pub parties: Vec<(Party, A::Event)>,
}

impl<A: Aggregate> Default for Departed<A> {
    fn default() -> Self {
        Departed { facts: Vec::new(), lasting_facts: Vec::new(), parties: Vec::new() }
    }
}

impl<A: Aggregate> Departed<A> {
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.lasting_facts.is_empty() && self.parties.is_empty()
    }

    /// How many facts and parties these are.
    pub fn len(&self) -> usize {
        let facts = self.facts.iter().chain(&self.lasting_facts);
        facts.map(|batch| batch.ids.len()).sum::<usize>() + self.parties.len()
    }

    pub fn has_fact(&self, id: &FactId) -> bool {
        self.facts.iter().chain(&self.lasting_facts).any(|batch| batch.contains(id))
    }

    /// The event that brings the party back, if it is among these.
    pub fn party(&self, party: Party) -> Option<&A::Event> {
        // It may have left twice; the last time counts.
        self.parties.iter().rev().find(|(departed, _)| *departed == party).map(|(_, event)| event)
    }
}

/// What memory alone cannot tell about an input, and what has departed may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Question {
    /// Was this fact taken before?
    pub fact: Option<FactId>,
    /// Was this party retired?
    pub party: Option<Party>,
}
