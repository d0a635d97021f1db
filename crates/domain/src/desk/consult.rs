//! Agents asked in to conversations that others have: whoever is available, and looks on in few enough already. They own
//! nothing, so no room is taken.

use std::sync::Arc;

use crate::{
    AgentId, CommandId, Context, ConversationId, DeskId,
    conversation::Transfer,
    policy::{Agent, Queue},
};

use super::{
    Desks, Event, Presence,
    draft::Draft,
    selection::{Candidate, Rank, rank},
    take_back,
};

/// In so many conversations at once an agent looks on.
const MOST: usize = 3;

pub(super) fn ask(
    state: &Desks,
    context: &Context,
    conversation: ConversationId,
    consult: CommandId,
    by: &AgentId,
    whom: &Transfer,
) -> Vec<Event> {
    let desk = whom.desk().clone();
    let mut draft = Draft::new(state, context, desk.clone());
    draft.push(match find(&draft, by, whom) {
        Some(agent) => Event::ConsultBegan { consult, conversation, agent },
        None => Event::ConsultFailed { desk, consult, conversation },
    });
    draft.finish()
}

/// The conversation says that it is over.
pub(super) fn end(state: &Desks, desk: &DeskId, consult: CommandId) -> Vec<Event> {
    let known = state.desk(desk).and_then(|desk| desk.consults.get(&consult));
    let ended = known.map(|known| Event::ConsultEnded {
        consult,
        conversation: known.conversation,
        agent: AgentId { desk: desk.clone(), name: known.agent.clone() },
        gone: false,
    });
    ended.into_iter().collect()
}

/// Of these agents, those who left are asked in nowhere any more.
pub(super) fn who_is_gone(draft: &mut Draft, whom: impl Fn(&Arc<str>) -> bool) {
    for (consult, known) in draft.consults_before().filter(|(_, known)| whom(&known.agent)) {
        if take_back::is_here(draft, &known.agent) {
            continue;
        }
        if draft.defer_if_full() {
            return;
        }
        let (conversation, agent) = (known.conversation, draft.agent_id(&known.agent));
        draft.push(Event::ConsultEnded { consult, conversation, agent, gone: true });
    }
}

/// The agent who was named, or who of the queue looks on least; of those, the first by the queue's selection.
fn find(draft: &Draft, by: &AgentId, whom: &Transfer) -> Option<AgentId> {
    let policy = draft.policy()?;
    let looks_on =
        |name: &Arc<str>| draft.consults_before().filter(|(_, known)| known.agent == *name).count();
    let may = |id: &AgentId| {
        let is_there = draft.agent(&id.name).presence == Presence::Available;
        is_there && id != by && looks_on(&id.name) < MOST
    };
    match whom {
        Transfer::Agent(agent) => policy.agents.contains_key(agent).then(|| agent.clone()).filter(may),
        Transfer::Queue(id) => {
            let queue = policy.queues.get(id)?;
            let serving = policy.agents.iter().filter(|(_, agent)| agent.queues.contains(id));
            let asked = serving.filter(|(agent, _)| may(agent));
            let first = asked.min_by_key(|(id, agent)| (looks_on(&id.name), order(draft, queue, id, agent)));
            first.map(|(id, _)| id.clone())
        }
        // A conversation names the queue that stands for a desk.
        Transfer::Desk(_) => None,
    }
}

fn order(draft: &Draft, queue: &Queue, id: &AgentId, agent: &Agent) -> Rank {
    let state = draft.agent(&id.name);
    let candidate = Candidate {
        idle_since: state.idle_since,
        load: state.load.weighted(&agent.capacity),
        last_offer: state.last_offer,
        fit: queue.needs.fit(agent),
    };
    rank(queue.selection, &candidate)
}
