//! The desk's rules, command by command. Whatever may bring a pair together ends in [`offer_all`], in the same
//! decision.

use crate::{
    AgentId, Code, CommandId, Context, ConversationId, DeskId, Millis, OfferId, Rejection, Timestamp,
};

use super::{
    Command, Desks, Event, LeftQueue, OfferStage, Presence, TimerId, WithdrawnBecause,
    draft::Draft,
    matching::{offer_all, take_back},
    state::{Offer, Waiting},
};

/// The longest that a lease may run without being renewed.
const LONGEST_LEASE: Millis = Millis::seconds(5 * 60);

type Decided = Result<Vec<Event>, Rejection>;

const NOTHING: Decided = Ok(Vec::new());

pub(super) fn decide(state: &Desks, context: &Context, command: &Command) -> Decided {
    match command {
        Command::Enqueue { conversation, owner_epoch, channel, queue, since, again, agent } => {
            let known = context.policies.of(&queue.desk.tenant).and_then(|policy| policy.queues.get(queue));
            let enqueued = Event::Enqueued {
                conversation: *conversation,
                owner_epoch: *owner_epoch,
                channel: *channel,
                queue: queue.clone(),
                priority: known.map_or(0, |queue| queue.priority),
                since: *since,
                again: *again,
                agent: agent.clone(),
            };
            Ok(enqueue(state, context, *conversation, *owner_epoch, &queue.desk, enqueued))
        }
        Command::Withdraw { conversation, owner_epoch } => {
            withdraw(state, context, *conversation, *owner_epoch)
        }
        Command::Confirm { offer, command } => confirm(state, context, offer, *command),
        Command::Refuse { offer, command } => refuse(state, context, offer, *command),
        Command::Release { assignment } => release(state, context, assignment),
        Command::SetPresence { agent, presence, until } => {
            set_presence(state, context, agent, *presence, *until)
        }
        Command::Accept { agent, offer } => accept(state, context, agent, offer),
        Command::Decline { agent, offer } => decline(state, context, agent, offer),
        Command::PolicyChanged { tenant } => {
            let mut desks = state.of_tenant(tenant);
            let Some(first) = desks.next() else { return NOTHING };
            let mut draft = Draft::new(state, context, first.clone());
            settle(&mut draft);
            for desk in desks {
                draft = draft.turn_to(desk.clone());
                settle(&mut draft);
            }
            Ok(draft.finish())
        }
        Command::TimerFired(TimerId::Deferred(desk)) => {
            let mut draft = Draft::new(state, context, desk.clone());
            settle(&mut draft);
            Ok(draft.finish())
        }
        Command::TimerFired(TimerId::Rested(conversation)) => {
            let Some((desk, _)) = state.waiting(*conversation) else { return NOTHING };
            let mut draft = Draft::new(state, context, desk.clone());
            offer_all(&mut draft);
            Ok(draft.finish())
        }
        Command::TimerFired(TimerId::Lease(agent)) => lease_ended(state, context, agent),
        Command::TimerFired(TimerId::Offer(offer)) => expire(state, context, offer),
    }
}

/// Everything that follows from who is there and what the policy allows.
fn settle(draft: &mut Draft) {
    take_back(draft);
    offer_all(draft);
}

fn enqueue(
    state: &Desks,
    context: &Context,
    conversation: ConversationId,
    owner_epoch: u32,
    desk: &DeskId,
    enqueued: Event,
) -> Vec<Event> {
    let mut draft = Draft::new(state, context, desk.clone());
    if let Some((left, waiting)) = state.waiting(conversation) {
        if waiting.owner_epoch >= owner_epoch {
            return Vec::new();
        }
        // It waits anew, and by that no longer as it did.
        draft = Draft::new(state, context, left.clone());
        leave(&mut draft, state, conversation, waiting);
        if left != desk {
            offer_all(&mut draft);
            draft = draft.turn_to(desk.clone());
        }
    }
    draft.push(enqueued);
    offer_all(&mut draft);
    draft.finish()
}

fn withdraw(state: &Desks, context: &Context, conversation: ConversationId, owner_epoch: u32) -> Decided {
    let Some((desk, waiting)) = state.waiting(conversation) else { return NOTHING };
    if waiting.owner_epoch != owner_epoch {
        return NOTHING;
    }
    let mut draft = Draft::new(state, context, desk.clone());
    leave(&mut draft, state, conversation, waiting);
    offer_all(&mut draft);
    Ok(draft.finish())
}

/// Takes a conversation out of its queue. An acceptance under way is left for the conversation to refuse.
fn leave(draft: &mut Draft, state: &Desks, conversation: ConversationId, waiting: &Waiting) {
    let queue = draft.queue_id(&waiting.queue);
    if let Some(number) = waiting.offer
        && let Some(offer) = state.offer(&OfferId { desk: draft.desk().clone(), number })
        && offer.stage == OfferStage::Open
    {
        draft.withdraw(number, offer, WithdrawnBecause::ConversationGone, None);
    }
    draft.push(Event::Dequeued { conversation, queue, because: LeftQueue::Withdrawn });
}

fn confirm(state: &Desks, context: &Context, id: &OfferId, command: CommandId) -> Decided {
    let Some(offer) = accepting(state, id, command) else { return NOTHING };
    let mut draft = Draft::new(state, context, id.desk.clone());
    let (conversation, agent) = (offer.conversation, draft.agent_id(&offer.agent));
    draft.push(Event::Accepted { offer: id.clone(), conversation, agent, command });
    if draft.agent(&offer.agent).presence == Presence::Offline {
        draft.give_back(id.number, offer);
    }
    Ok(draft.finish())
}

fn refuse(state: &Desks, context: &Context, id: &OfferId, command: CommandId) -> Decided {
    let Some(offer) = accepting(state, id, command) else { return NOTHING };
    let mut draft = Draft::new(state, context, id.desk.clone());
    draft.withdraw(id.number, offer, WithdrawnBecause::ConversationGone, Some(command));
    // It may wait here anew meanwhile; then it stays.
    if let Some((_, waiting)) = state.waiting(offer.conversation)
        && waiting.offer == Some(id.number)
    {
        let queue = draft.queue_id(&waiting.queue);
        draft.push(Event::Dequeued {
            conversation: offer.conversation,
            queue,
            because: LeftQueue::Withdrawn,
        });
    }
    offer_all(&mut draft);
    Ok(draft.finish())
}

fn accepting<'a>(state: &'a Desks, id: &OfferId, command: CommandId) -> Option<&'a Offer> {
    state.offer(id).filter(|offer| offer.stage == OfferStage::Accepting(command))
}

fn release(state: &Desks, context: &Context, assignment: &OfferId) -> Decided {
    let held = |offer: &&Offer| matches!(offer.stage, OfferStage::Assigned | OfferStage::GivingBack);
    let Some(offer) = state.offer(assignment).filter(held) else { return NOTHING };
    let mut draft = Draft::new(state, context, assignment.desk.clone());
    let (conversation, agent) = (offer.conversation, draft.agent_id(&offer.agent));
    draft.push(Event::AssignmentEnded { assignment: assignment.clone(), agent, conversation });
    offer_all(&mut draft);
    Ok(draft.finish())
}

fn set_presence(
    state: &Desks,
    context: &Context,
    agent: &AgentId,
    presence: Presence,
    until: Timestamp,
) -> Decided {
    let policy = context.policies.of(&agent.desk.tenant);
    if !policy.is_some_and(|policy| policy.agents.contains_key(agent)) {
        return Err(Rejection::new(Code::NotFound, format!("there is no agent {agent}")));
    }
    let before = state.agent(agent);
    let until = match presence {
        // Who is gone needs no lease.
        Presence::Offline if before.is_none_or(|agent| agent.presence == Presence::Offline) => {
            return NOTHING;
        }
        Presence::Offline => context.now,
        Presence::Available | Presence::Away if until <= context.now => {
            return Err(Rejection::new(Code::Invalid, "the lease would end before it begins"));
        }
        Presence::Available | Presence::Away => until.min(context.now + LONGEST_LEASE),
    };
    if before.is_some_and(|agent| agent.presence == presence && agent.until == until) {
        return NOTHING;
    }
    let mut draft = Draft::new(state, context, agent.desk.clone());
    draft.push(Event::PresenceSet { agent: agent.clone(), presence, until });
    if presence == Presence::Offline {
        take_back(&mut draft);
    }
    offer_all(&mut draft);
    Ok(draft.finish())
}

fn lease_ended(state: &Desks, context: &Context, agent: &AgentId) -> Decided {
    let here = state.agent(agent).filter(|agent| agent.presence != Presence::Offline);
    if here.is_none_or(|agent| agent.until > context.now) {
        return NOTHING;
    }
    let mut draft = Draft::new(state, context, agent.desk.clone());
    draft.push(Event::LeaseLapsed { agent: agent.clone() });
    settle(&mut draft);
    Ok(draft.finish())
}

fn accept(state: &Desks, context: &Context, agent: &AgentId, id: &OfferId) -> Decided {
    let command = context.command.ok_or_else(|| {
        Rejection::new(Code::Invalid, "an acceptance needs a command id, by which it is answered")
    })?;
    let offer = open_offer(state, agent, id)?;
    Ok(vec![Event::AcceptRequested {
        offer: id.clone(),
        conversation: offer.conversation,
        owner_epoch: offer.owner_epoch,
        agent: agent.clone(),
        command,
    }])
}

fn decline(state: &Desks, context: &Context, agent: &AgentId, id: &OfferId) -> Decided {
    let conversation = open_offer(state, agent, id)?.conversation;
    let mut draft = Draft::new(state, context, id.desk.clone());
    draft.push(Event::Declined { offer: id.clone(), conversation, agent: agent.clone() });
    offer_all(&mut draft);
    Ok(draft.finish())
}

/// The offer, if this agent can still answer it.
fn open_offer<'a>(state: &'a Desks, agent: &AgentId, id: &OfferId) -> Result<&'a Offer, Rejection> {
    let Some(offer) = state.offer(id) else {
        // Offers are numbered densely, so those made once are known without being remembered.
        return Err(if (1..=state.offers_made()).contains(&id.number) {
            Rejection::new(Code::OfferEnded, format!("offer {id} has ended"))
        } else {
            Rejection::new(Code::NotFound, format!("there is no offer {id}"))
        });
    };
    if offer.agent != agent.name || id.desk != agent.desk {
        return Err(Rejection::new(Code::NotOwner, format!("offer {id} was made to another agent")));
    }
    match offer.stage {
        OfferStage::Open => Ok(offer),
        OfferStage::Accepting(_) => Err(Rejection::new(
            Code::Stale,
            format!("offer {id} is accepted already; its answer is on the way"),
        )),
        OfferStage::Assigned | OfferStage::GivingBack => {
            Err(Rejection::new(Code::OfferEnded, format!("offer {id} has become an assignment")))
        }
    }
}

fn expire(state: &Desks, context: &Context, id: &OfferId) -> Decided {
    let Some(offer) = state.offer(id).filter(|offer| offer.stage == OfferStage::Open) else { return NOTHING };
    let mut draft = Draft::new(state, context, id.desk.clone());
    let (conversation, agent) = (offer.conversation, draft.agent_id(&offer.agent));
    draft.push(Event::Expired { offer: id.clone(), conversation, agent });
    offer_all(&mut draft);
    Ok(draft.finish())
}
