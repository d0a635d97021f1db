//! The desk's rules, command by command. Whatever may bring a pair together ends in [`conclude`], in the same
//! decision.

use crate::{
    AgentId, Code, CommandId, Context, ConversationId, DeskId, Millis, OfferId, Rejection, Timestamp,
};

use super::{
    Command, Desks, Event, LeftQueue, OfferStage, PreferenceEnded, Presence, TimerId, WithdrawnBecause,
    consult,
    draft::Draft,
    matching::{Scope, offer_all},
    state::{AgentState, Offer, Waiting},
    take_back, waits,
};

/// The longest that a lease may run without being renewed.
const LONGEST_LEASE: Millis = Millis::seconds(5 * 60);

type Decided = Result<Vec<Event>, Rejection>;

const NOTHING: Decided = Ok(Vec::new());

pub(super) fn decide(state: &Desks, context: &Context, command: &Command) -> Decided {
    match command {
        Command::Enqueue {
            conversation,
            owner_epoch,
            channel,
            queue,
            since,
            again,
            agent,
            agent_until,
            by_request,
            special,
        } => {
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
                agent_until: *agent_until,
                by_request: *by_request,
                special: special.clone(),
            };
            Ok(enqueue(state, context, *conversation, *owner_epoch, &queue.desk, enqueued))
        }
        Command::Withdraw { conversation, owner_epoch } => {
            withdraw(state, context, *conversation, *owner_epoch)
        }
        Command::Confirm { offer, command } => confirm(state, context, offer, *command),
        Command::Refuse { offer, command } => refuse(state, context, offer, *command),
        Command::Release { assignment } => release(state, context, assignment, true),
        Command::PutAway { assignment } => release(state, context, assignment, false),
        Command::Consult { conversation, consult, by, whom } => {
            Ok(consult::ask(state, context, *conversation, *consult, by, whom))
        }
        Command::EndConsult { desk, consult } => Ok(consult::end(state, desk, *consult)),
        Command::SetPresence { agent, presence, until } => {
            set_presence(state, context, agent, *presence, *until)
        }
        Command::Accept { agent, offer } => accept(state, context, agent, offer),
        Command::Decline { agent, offer } => decline(state, context, agent, offer),
        Command::FinishWrapUp { agent, assignment } => finish_wrap_up(state, context, agent, assignment),
        Command::PolicyChanged { tenant } => {
            let settle = |draft: &mut Draft| {
                settle(draft);
                waits::tell_stranded(draft);
            };
            Ok(at_each(state, context, state.of_tenant(tenant), settle))
        }
        Command::Recover => Ok(at_each(state, context, state.desks.keys(), settle)),
        Command::TimerFired(TimerId::Deferred(desk)) => Ok(at_each(state, context, [desk], settle)),
        Command::TimerFired(TimerId::Rested(conversation)) => {
            let Some((desk, _)) = state.waiting(*conversation) else { return NOTHING };
            let mut draft = Draft::new(state, context, desk.clone());
            draft.touch(*conversation);
            Ok(conclude(draft))
        }
        Command::TimerFired(TimerId::Grace(conversation)) => Ok(grace_over(state, context, *conversation)),
        Command::TimerFired(TimerId::Look(queue)) => {
            let mut draft = Draft::new(state, context, queue.desk.clone());
            offer_all(&mut draft, Scope::Due(&queue.name));
            waits::look_over(&mut draft, &queue.name, true);
            Ok(draft.finish())
        }
        Command::TimerFired(TimerId::Lease(agent)) => lease_ended(state, context, agent),
        Command::TimerFired(TimerId::Offer(offer)) => expire(state, context, offer),
        Command::TimerFired(TimerId::WrapUp(assignment)) => {
            let Some(offer) = state.offer(assignment).filter(|offer| offer.stage == OfferStage::WrapUp)
            else {
                return NOTHING;
            };
            let mut draft = Draft::new(state, context, assignment.desk.clone());
            draft.end_assignment(assignment.number, offer);
            Ok(conclude(draft))
        }
    }
}

/// Brings together whom these events bring together, and sees to who waits on.
fn conclude(mut draft: Draft) -> Vec<Event> {
    conclude_desk(&mut draft);
    draft.finish()
}

fn conclude_desk(draft: &mut Draft) {
    offer_all(draft, Scope::Touched);
    waits::settle_touched(draft);
}

/// One decision about several desks.
fn at_each<'a>(
    state: &Desks,
    context: &Context,
    desks: impl IntoIterator<Item = &'a DeskId>,
    decide: impl Fn(&mut Draft),
) -> Vec<Event> {
    let mut desks = desks.into_iter();
    let Some(first) = desks.next() else { return Vec::new() };
    let mut draft = Draft::new(state, context, first.clone());
    decide(&mut draft);
    for desk in desks {
        draft = draft.turn_to(desk.clone());
        decide(&mut draft);
    }
    draft.finish()
}

/// Everything that follows from who is there and what the policy allows.
fn settle(draft: &mut Draft) {
    take_back::from_everyone(draft);
    offer_all(draft, Scope::Everyone);
    waits::settle_touched(draft);
    waits::look_over_all(draft);
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
            conclude_desk(&mut draft);
            draft = draft.turn_to(desk.clone());
        }
    }
    let wanted = match &enqueued {
        Event::Enqueued { queue, agent: Some(agent), .. } if agent.desk == *desk => {
            Some((queue.clone(), agent.clone()))
        }
        _ => None,
    };
    draft.push(enqueued);
    if let Some((queue, agent)) = wanted
        && !take_back::is_here(&draft, &agent.name)
    {
        draft.push(Event::PreferenceEnded {
            conversation,
            queue,
            agent,
            because: PreferenceEnded::AgentGone,
        });
    }
    conclude(draft)
}

/// The agent was waited for long enough: anyone will do. An offer under way to that agent runs on.
fn grace_over(state: &Desks, context: &Context, conversation: ConversationId) -> Vec<Event> {
    let Some((desk, waiting)) = state.waiting(conversation) else { return Vec::new() };
    let Some(agent) = &waiting.wanted else { return Vec::new() };
    let mut draft = Draft::new(state, context, desk.clone());
    let (queue, agent) = (draft.queue_id(&waiting.queue), draft.agent_id(agent));
    draft.push(Event::PreferenceEnded { conversation, queue, agent, because: PreferenceEnded::GraceOver });
    conclude(draft)
}

fn withdraw(state: &Desks, context: &Context, conversation: ConversationId, owner_epoch: u32) -> Decided {
    let Some((desk, waiting)) = state.waiting(conversation) else { return NOTHING };
    if waiting.owner_epoch != owner_epoch {
        return NOTHING;
    }
    let mut draft = Draft::new(state, context, desk.clone());
    leave(&mut draft, state, conversation, waiting);
    Ok(conclude(draft))
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
    Ok(conclude(draft))
}

fn accepting<'a>(state: &'a Desks, id: &OfferId, command: CommandId) -> Option<&'a Offer> {
    state.offer(id).filter(|offer| offer.stage == OfferStage::Accepting(command))
}

fn release(state: &Desks, context: &Context, assignment: &OfferId, is_over: bool) -> Decided {
    let held = |offer: &&Offer| matches!(offer.stage, OfferStage::Assigned | OfferStage::GivingBack);
    let Some(offer) = state.offer(assignment).filter(held) else { return NOTHING };
    let mut draft = Draft::new(state, context, assignment.desk.clone());
    let queue = draft.queue_id(&offer.queue);
    let limit = draft.policy().and_then(|policy| policy.queues.get(&queue)?.wrap_up);
    match limit {
        Some(limit) if is_over && draft.agent(&offer.agent).presence != Presence::Offline => {
            draft.push(Event::WrapUpBegan {
                assignment: assignment.clone(),
                agent: draft.agent_id(&offer.agent),
                conversation: offer.conversation,
                until: context.now + limit,
            });
        }
        _ => draft.end_assignment(assignment.number, offer),
    }
    Ok(conclude(draft))
}

fn finish_wrap_up(state: &Desks, context: &Context, agent: &AgentId, id: &OfferId) -> Decided {
    let offer = known_offer(state, agent, id)?;
    if offer.stage != OfferStage::WrapUp {
        return Err(Rejection::new(
            Code::Invalid,
            format!("nothing is left to finish about assignment {id} yet"),
        ));
    }
    let mut draft = Draft::new(state, context, id.desk.clone());
    draft.end_assignment(id.number, offer);
    Ok(conclude(draft))
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
    // A lease that is renewed without a word from the agent does not bring back who was sent away.
    let unasked = context.command.is_none() && before.is_some_and(|agent| agent.sent_away);
    let presence = if unasked && presence == Presence::Available { Presence::Away } else { presence };
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
        take_back::from_one(&mut draft, &agent.name);
    }
    Ok(conclude(draft))
}

fn lease_ended(state: &Desks, context: &Context, agent: &AgentId) -> Decided {
    let here = state.agent(agent).filter(|agent| agent.presence != Presence::Offline);
    if here.is_none_or(|agent| agent.until > context.now) {
        return NOTHING;
    }
    let mut draft = Draft::new(state, context, agent.desk.clone());
    draft.push(Event::LeaseLapsed { agent: agent.clone() });
    take_back::from_one(&mut draft, &agent.name);
    Ok(conclude(draft))
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
    Ok(conclude(draft))
}

/// The offer, if this agent can still answer it.
fn open_offer<'a>(state: &'a Desks, agent: &AgentId, id: &OfferId) -> Result<&'a Offer, Rejection> {
    let offer = known_offer(state, agent, id)?;
    match offer.stage {
        OfferStage::Open => Ok(offer),
        OfferStage::Accepting(_) => Err(Rejection::new(
            Code::Stale,
            format!("offer {id} is accepted already; its answer is on the way"),
        )),
        OfferStage::Assigned | OfferStage::GivingBack | OfferStage::WrapUp => {
            Err(Rejection::new(Code::OfferEnded, format!("offer {id} has become an assignment")))
        }
    }
}

/// The offer or assignment, if it is this agent's.
fn known_offer<'a>(state: &'a Desks, agent: &AgentId, id: &OfferId) -> Result<&'a Offer, Rejection> {
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
    Ok(offer)
}

fn expire(state: &Desks, context: &Context, id: &OfferId) -> Decided {
    let Some(offer) = state.offer(id).filter(|offer| offer.stage == OfferStage::Open) else { return NOTHING };
    let mut draft = Draft::new(state, context, id.desk.clone());
    let (conversation, agent) = (offer.conversation, draft.agent_id(&offer.agent));
    draft.push(Event::Expired { offer: id.clone(), conversation, agent: agent.clone() });
    // Before anyone is asked again: this agent might be the next.
    let queue = draft.queue_id(&offer.queue);
    let most = draft.policy().and_then(|policy| policy.queues.get(&queue)?.away_after_expired);
    let AgentState { presence, expired, .. } = *draft.agent(&offer.agent);
    if presence == Presence::Available && most.is_some_and(|most| expired >= most) {
        draft.push(Event::SentAway { agent, expired });
    }
    Ok(conclude(draft))
}
