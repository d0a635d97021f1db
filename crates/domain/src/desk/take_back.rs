//! What agents can or may not hold any more, and who no longer waits for them.

use std::sync::Arc;

use super::{
    Event, OfferStage, PreferenceEnded, Presence, WithdrawnBecause, consult,
    draft::Draft,
    state::{Line, Offer},
};

/// Takes back what agents can or may not hold any more: everything from those who are gone, and open offers
/// beyond what the policy in force allows, the newest first. Acceptances under way are for the conversation to
/// answer; assignments beyond the policy stay.
pub(super) fn from_everyone(draft: &mut Draft) {
    let offers = draft.offers_before();
    take_back(draft, offers);
    consult::who_is_gone(draft, |_| true);
    for line in draft.lines_from(&Line::first_wanted()) {
        if line.wanted.as_ref().is_some_and(|agent| !is_here(draft, agent)) {
            end_preference(draft, &line);
        }
    }
}

/// The agent is gone: everything goes back, and nobody waits for this agent any longer.
pub(super) fn from_one(draft: &mut Draft, agent: &Arc<str>) {
    let held = draft.held_before(agent);
    take_back(draft, held);
    consult::who_is_gone(draft, |name| name == agent);
    for line in draft.lines_wanting(agent) {
        end_preference(draft, &line);
    }
}

/// An agent of the policy who is not offline.
pub(super) fn is_here(draft: &Draft, name: &Arc<str>) -> bool {
    let known = draft.policy().is_some_and(|policy| policy.agents.contains_key(&draft.agent_id(name)));
    known && draft.agent(name).presence != Presence::Offline
}

fn take_back<'a>(draft: &mut Draft<'a>, offers: impl Iterator<Item = (u64, &'a Offer)>) {
    for (number, offer) in offers {
        let gone = draft.agent(&offer.agent).presence == Presence::Offline;
        let because = match offer.stage {
            OfferStage::Open if gone => Some(WithdrawnBecause::AgentGone),
            OfferStage::Open if !is_allowed(draft, offer) => Some(WithdrawnBecause::PolicyChanged),
            OfferStage::Assigned | OfferStage::WrapUp if gone => None,
            _ => continue,
        };
        if draft.defer_if_full() {
            return;
        }
        match because {
            Some(because) => draft.withdraw(number, offer, because, None),
            None if offer.stage == OfferStage::WrapUp => draft.end_assignment(number, offer),
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
        && load.weighted(&agent.capacity) <= agent.capacity.total
        && load.of(offer.channel) <= agent.capacity.most_of(offer.channel)
}

fn end_preference(draft: &mut Draft, line: &Line) {
    let Some(agent) = &line.wanted else { return };
    for newcomer in [false, true] {
        while let Some(place) = draft.next_in(line, newcomer, None) {
            if draft.defer_if_full() {
                return;
            }
            draft.push(Event::PreferenceEnded {
                conversation: place.conversation,
                queue: draft.queue_id(&line.queue),
                agent: draft.agent_id(agent),
                because: PreferenceEnded::AgentGone,
            });
        }
    }
}
