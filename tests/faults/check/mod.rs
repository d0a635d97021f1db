//! The independent count: what stands in the topics, judged by nothing of the router's. The numbers are those of the
//! design's invariants.
//!
//! ```text
//! topics ─▶ rule (what counts) ─▶ inputs, conversations, desks, deliveries (each partition alone) ─▶ across (what one
//!                                                                                   says of another, and the world of all)
//! ```
//!
//! It judges what has come to rest: what is still on its way would look like what is lost. That folding from a snapshot
//! gives the same state (7) no topic can tell; `tributary verify` compares digests.

mod across;
mod conversations;
mod deliveries;
mod desks;
mod inputs;
mod outside;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::{
    across::Contacts, conversations::Conversations, deliveries::Deliveries, desks::Desks, inputs::Inputs,
    rule::Ruled,
};
use crate::{
    records::{ConversationId, Decision, Event, KINDS, Peer, Recorded},
    topics::{self, Topics},
};

pub(crate) type Violations = Vec<String>;

/// Milliseconds after which what is due and did not happen is overdue.
const OVERDUE: i64 = 10_000;

/// All that was found in the topics.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) violations: Violations,
    ruled: BTreeMap<Peer, Ruled>,
    inputs: BTreeMap<Peer, Inputs>,
    conversations: BTreeMap<Peer, Conversations>,
    desks: BTreeMap<Peer, Desks>,
    deliveries: BTreeMap<Peer, Deliveries>,
    contacts: BTreeMap<Peer, Contacts>,
}

/// Judges the topics as they stand at `now`, in milliseconds since the epoch.
pub(crate) fn judge(topics: &Topics, now: i64) -> Judged {
    let mut judged = Judged::default();
    let violations = &mut judged.violations;
    for (&peer, written) in topics {
        let ruled = rule::ruled(peer, &written.log, violations);
        judged.inputs.insert(peer, inputs::inputs(peer, &written.intake, &ruled, violations));
        match KINDS.iter().find(|(kind, _)| *kind == peer.kind).map_or("", |(_, name)| name) {
            "conversation" => {
                let found = conversations::conversations(peer, &ruled, now, violations);
                judged.conversations.insert(peer, found);
            }
            "desk" => {
                judged.desks.insert(peer, desks::desks(peer, &ruled, now, violations));
            }
            "delivery" => {
                judged.deliveries.insert(peer, deliveries::deliveries(peer, &ruled, now, violations));
            }
            "contact" => {
                judged.contacts.insert(peer, across::contacts(&ruled));
            }
            _ => {}
        }
        judged.ruled.insert(peer, ruled);
    }
    judged.across();
    judged
}

/// Who leads each partition, as it calls itself: by the last announcement that counts.
pub(crate) fn leaders(topics: &Topics) -> BTreeMap<Peer, String> {
    let leader = |(peer, written): (&Peer, &topics::Written)| {
        (*peer, rule::ruled(*peer, &written.log, &mut Violations::new()).leader)
    };
    topics.iter().map(leader).filter(|(_, leader)| !leader.is_empty()).collect()
}

impl Judged {
    /// Messages of customers.
    pub(crate) fn received(&self) -> usize {
        self.conversations.values().map(|conversations| conversations.received.len()).sum()
    }

    /// How often the rule of a partition changed hands.
    pub(crate) fn reigns(&self) -> usize {
        self.ruled.values().map(|ruled| ruled.reigns).sum()
    }

    /// Records that stand in the log and count nowhere.
    pub(crate) fn ignored(&self) -> usize {
        self.ruled.values().map(|ruled| ruled.ignored.len()).sum()
    }

    pub(crate) fn decisions(&self) -> usize {
        self.ruled.values().map(|ruled| ruled.decided.len()).sum()
    }

    /// The longest time, in milliseconds, between two decisions about one partition's conversations, from the last one
    /// before `from` to the first one after `to`. Nothing where no partition decided on both sides.
    pub(crate) fn longest_gap(&self, from: i64, to: i64) -> Option<i64> {
        let of_partition = |ruled: &Ruled| {
            let times: Vec<i64> = ruled.decided.iter().map(|decided| decided.appended_at).collect();
            let gaps = times.windows(2).filter(|pair| pair[1] >= from && pair[0] <= to);
            gaps.map(|pair| pair[1] - pair[0]).max()
        };
        let conversations = self.ruled.iter().filter(|(peer, _)| peer.kind == KINDS[0].0);
        conversations.filter_map(|(_, ruled)| of_partition(ruled)).max()
    }
}

fn event(recorded: &Recorded) -> Option<&Event> {
    recorded.event.as_ref()?.kind.as_ref()
}

fn events(decision: &Decision) -> impl Iterator<Item = &Event> {
    decision.steps.iter().flat_map(|step| &step.events).filter_map(event)
}

fn is_overdue(due: i64, now: i64) -> bool {
    due + OVERDUE < now
}

/// An id as it is written everywhere.
fn short(id: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(id)
}

fn shown(id: &ConversationId) -> String {
    format!("{}-{}", short(&id.party), id.number)
}
