//! What a conversation has beyond others of its queue: points for its customer's tags, by the queue's rules, and what a
//! bot said about it. Asked anew wherever it comes to wait.

use std::sync::Arc;

use crate::{
    Context, Party, Policy, QueueId, Tags, TenantId,
    policy::{Needs, Special},
};

use super::{Conversations, Customer, Event, What, draft::Draft};

/// A bot names this many points at most; the rest is for the business to give.
const MOST_POINTS: u32 = 1_000_000;
/// Skills and languages together: each makes a line of its own at the desk.
const MOST_NEEDS: usize = 16;

/// The ledger says what tags the customer has.
pub(super) fn note_tags(state: &Conversations, tenant: &TenantId, party: Party, tags: &Tags) -> Vec<Event> {
    let Some(customer) = state.customer(party).filter(|customer| customer.endpoint.tenant == *tenant) else {
        return Vec::new();
    };
    match customer.tags().unwrap_or(&Tags::default()) == tags {
        true => Vec::new(),
        false => Draft::of(customer).and(What::TagsNoted { party, tags: tags.clone() }).finish(),
    }
}

/// What a conversation has in this queue. What nobody who serves it could ever meet is not asked for there: whoever
/// gave the conversation to this queue meant its people.
pub(super) fn in_queue(
    context: &Context,
    customer: Option<&Customer>,
    named: Option<&Special>,
    queue: &QueueId,
) -> Option<Arc<Special>> {
    let tags = customer.and_then(Customer::tags);
    if tags.is_none() && named.is_none() {
        return None;
    }
    let policy = context.policies.of(&queue.desk.tenant);
    let known = policy.and_then(|policy| policy.queues.get(queue));
    let points = tags.zip(known).map_or(0, |(tags, queue)| queue.vip_priority(tags));
    let needs = named.map(|named| &named.needs).filter(|needs| **needs != Needs::default());
    let needs = needs.filter(|needs| policy.is_some_and(|policy| policy.could_serve(queue, needs)));
    let special = Special {
        priority: named.map_or(0, |named| named.priority).saturating_add(points),
        needs: needs.cloned().unwrap_or_default(),
    };
    (special != Special::default()).then(|| Arc::new(special))
}

/// Why a bot may not ask for this, if it may not: it is to ask for what somebody there could give, and is told at once
/// otherwise, rather than its customer by waiting.
pub fn special_problem(policy: &Policy, queue: &QueueId, special: &Special) -> Option<String> {
    let Special { priority, needs } = special;
    if *priority > MOST_POINTS {
        return Some(format!("a bot gives at most {MOST_POINTS} points of priority, not {priority}"));
    }
    if needs.skills.len() + needs.languages.len() > MOST_NEEDS {
        return Some(format!("a bot names at most {MOST_NEEDS} skills and languages"));
    }
    if let Some((skill, _)) = needs.skills.iter().find(|(_, level)| **level == 0) {
        return Some(format!("skill {skill}: levels begin at 1"));
    }
    if *needs == Needs::default() || policy.could_serve(queue, needs) {
        return None;
    }
    let serving = || policy.agents.values().filter(|agent| agent.queues.contains(queue));
    for (skill, level) in &needs.skills {
        match serving().filter_map(|agent| agent.skills.get(skill)).max() {
            None => return Some(format!("unknown skill {skill}: no agent who serves queue {queue} has it")),
            Some(best) if best < level => {
                return Some(format!(
                    "no agent who serves queue {queue} has skill {skill} at level {level} (the best: {best})"
                ));
            }
            Some(_) => {}
        }
    }
    for language in &needs.languages {
        if !serving().any(|agent| agent.languages.contains(language)) {
            return Some(format!("no agent who serves queue {queue} speaks {language}"));
        }
    }
    Some(format!("no agent who serves queue {queue} has all of this together"))
}
