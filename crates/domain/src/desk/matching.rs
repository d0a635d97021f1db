//! Who gets whom: the rules by which waiting conversations and agents are brought together, and parted again.
//!
//! The order of those who wait: the priority of their queue, higher first; then who was here before; then the
//! longest waiting. Each gets, among the agents who can take it, the one who has been idle longest.
//!
//! An agent who refused a conversation (declined it, or let its offer expire) is passed over for it. If nobody
//! else is suitable, the conversation rests for as long as that agent had been given to answer; then the refusals
//! are forgotten and it is offered again. So nobody waits for ever, and nobody is asked in a tight loop.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use crate::{AgentId, Channel, Millis, policy};

use super::{
    OfferStage, Presence, WithdrawnBecause,
    draft::Draft,
    state::{Line, Offer, Place, Waiting},
};

/// An agent gets at least this long to answer, whatever the policy says: an offer that ends as it begins would
/// be made again and again.
const SHORTEST_OFFER: Millis = Millis::seconds(1);

/// Takes back what agents can or may not hold any more: everything from those who are gone, and open offers
/// beyond what the policy in force allows, the newest first. Acceptances under way are for the conversation to
/// answer; assignments beyond the policy stay.
pub(super) fn take_back(draft: &mut Draft) {
    for (number, offer) in draft.offers_before() {
        let gone = draft.agent(&offer.agent).presence == Presence::Offline;
        let because = match offer.stage {
            OfferStage::Open if gone => Some(WithdrawnBecause::AgentGone),
            OfferStage::Open if !is_allowed(draft, offer) => Some(WithdrawnBecause::PolicyChanged),
            OfferStage::Assigned if gone => None,
            _ => continue,
        };
        if draft.defer_if_full() {
            return;
        }
        match because {
            Some(because) => draft.withdraw(number, offer, because, None),
            None => draft.give_back(number, offer),
        }
    }
}

fn is_allowed(draft: &Draft, offer: &Offer) -> bool {
    let queue = draft.queue_id(&offer.queue);
    let Some(policy) = draft.policy().filter(|policy| policy.queues.contains_key(&queue)) else {
        return false;
    };
    let Some(agent) = policy.agents.get(&draft.agent_id(&offer.agent)) else { return false };
    let wanted = draft.waiting(offer.conversation).and_then(|waiting| waiting.wanted.as_ref());
    let load = &draft.agent(&offer.agent).load;
    (wanted == Some(&offer.agent) || agent.queues.contains(&queue))
        && load.total() <= agent.capacity.total
        && load.of(offer.channel) <= most_of(agent, offer.channel)
}

fn most_of(agent: &policy::Agent, channel: Channel) -> u32 {
    agent.capacity.per_channel.get(&channel).copied().unwrap_or(u32::MAX)
}

/// An agent of this desk who is available.
#[derive(Clone, Copy)]
struct Available<'a> {
    id: &'a AgentId,
    policy: &'a policy::Agent,
}

/// Makes every offer that can be made.
///
/// Agents only lose room on the way, so each conversation is looked at once, and a line that nobody has room for
/// is left as a whole.
pub(super) fn offer_all(draft: &mut Draft) {
    let Some(policy) = draft.policy() else { return };
    let available = available(draft, policy);
    if available.is_empty() {
        return;
    }
    let mut heads: BTreeMap<(Reverse<i32>, Place), (Line, Millis)> = BTreeMap::new();
    for line in draft.lines() {
        // A queue that the policy does not know waits for one that does.
        if let Some(queue) = policy.queues.get(&draft.queue_id(&line.queue))
            && let Some(place) = draft.next_in(&line, None)
        {
            heads.insert((Reverse(queue.priority), place), (line, queue.offer_timeout));
        }
    }
    while let Some(((priority, place), (line, timeout))) = heads.pop_first() {
        let takers = takers(draft, policy, &available, &line);
        if takers.is_empty() {
            continue;
        }
        if let Some(waiting) = draft.waiting(place.conversation)
            && let Some(chosen) = longest_idle(draft, &willing(draft, takers, waiting))
        {
            if draft.defer_if_full() {
                return;
            }
            draft.offer(place, chosen, draft.context.now + timeout.max(SHORTEST_OFFER));
        }
        if let Some(next) = draft.next_in(&line, Some(place)) {
            heads.insert((priority, next), (line, timeout));
        }
    }
}

fn available<'a>(draft: &Draft, policy: &'a policy::Policy) -> Vec<Available<'a>> {
    let desk = draft.desk();
    let first = AgentId { desk: desk.clone(), name: "".into() };
    let here = policy.agents.range(first..).take_while(|(id, _)| id.desk == *desk);
    here.map(|(id, policy)| Available { id, policy })
        .filter(|agent| draft.agent(&agent.id.name).presence == Presence::Available)
        .filter(|agent| draft.agent(&agent.id.name).load.total() < agent.policy.capacity.total)
        .collect()
}

/// The agents who can take conversations of this line.
fn takers<'a>(
    draft: &Draft,
    policy: &policy::Policy,
    available: &[Available<'a>],
    line: &Line,
) -> Vec<Available<'a>> {
    let queue = draft.queue_id(&line.queue);
    let wanted = line.wanted.as_ref().filter(|name| is_here(draft, policy, name));
    let fits = |agent: &&Available| match wanted {
        Some(wanted) => agent.id.name == *wanted,
        None => agent.policy.queues.contains(&queue),
    };
    let has_room = |agent: &&Available| {
        let load = &draft.agent(&agent.id.name).load;
        load.total() < agent.policy.capacity.total
            && load.of(line.channel) < most_of(agent.policy, line.channel)
    };
    available.iter().filter(fits).filter(has_room).copied().collect()
}

fn is_here(draft: &Draft, policy: &policy::Policy, name: &Arc<str>) -> bool {
    draft.agent(name).presence != Presence::Offline && policy.agents.contains_key(&draft.agent_id(name))
}

/// Those of the takers who may be asked: who has not refused; once the conversation has rested, anyone.
fn willing<'a>(draft: &Draft, takers: Vec<Available<'a>>, waiting: &Waiting) -> Vec<Available<'a>> {
    let Some(refusals) = &waiting.refusals else { return takers };
    let fresh: Vec<_> =
        takers.iter().filter(|agent| !refusals.by.contains(&agent.id.name)).copied().collect();
    if fresh.is_empty() && draft.context.now >= refusals.rest_until { takers } else { fresh }
}

fn longest_idle<'a>(draft: &Draft, agents: &[Available<'a>]) -> Option<&'a AgentId> {
    let ids = agents.iter().map(|agent| agent.id);
    ids.min_by_key(|id| (draft.agent(&id.name).idle_since, *id))
}
