//! What the customer does, and what else happens at the customer's address.

use std::sync::Arc;

use crate::{Channel, Context, ConversationId, MessageId, Party, Sealed, Timestamp, TurnId};

use super::{
    CloseReason, Closer, Conversations, Correspondent, Customer, Event, HandOffReason, Mention, Owner,
    Received, Stage, What, bots,
    decide::Decided,
    draft::{Draft, Found, Wish, inbox, policy, queue_of_inbox, wanted},
    entry::{self, Way},
    snooze, special, suppression, threads, window,
};

pub(super) fn receive(state: &Conversations, context: &Context, received: &Received) -> Decided {
    let from = &received.from;
    if received.is_astray() {
        // It is known here now, should it come again, and goes on to where its sender's conversations are. What a
        // reference names there counts there.
        let placed = received.placed.filter(|placed| placed.party == from.party);
        let to_own = Received { placed, home: None, ..received.clone() };
        let redirected = What::Redirected { to: from.party, received: Box::new(to_own) };
        return Ok(Draft::at(from).and(redirected).finish());
    }
    let policy = policy(context, &from.tenant)?;
    let inbox = inbox(policy, &from.tenant, &from.inbox)?;
    let customer = state.customer(from.party);
    let latest = customer.and_then(|customer| customer.latest.as_ref());
    let found = customer.and_then(|customer| threads::belongs_to(customer, received, inbox, context.now));
    let (found, however_old) = found.map_or((None, false), |(found, named)| (Some(found), named));
    let mut draft = Draft::seen(state, context, from);

    let way = Way::of_message(context, policy, &from.inbox, customer, received.entry.as_deref());
    let to_speak_to = way.and_then(|way| way.to_speak_to());

    // Where the message belongs: an open conversation, a closed one that goes on, or a new one.
    let mut id = ConversationId { party: from.party, number: found.map_or(1, |found| found.number) };
    let mut owner_epoch = found.map_or(0, |found| found.owner_epoch);
    let mut turns = found.map_or(0, |found| found.turns);
    // Who writes takes mail, and wants an answer.
    for cause in
        customer.filter(|_| received.authenticated).into_iter().flat_map(suppression::ended_by_writing)
    {
        draft.push(What::SuppressionLifted { party: from.party, cause, by: None });
    }
    // A link leads on what is open already.
    let mut led = None;
    if let (Some(way), Some(customer), Some(conversation)) = (way, customer, found)
        && let Stage::Open(owner) = &conversation.stage
    {
        draft.push(way.entered(from.party, Some(id)));
        if matches!(owner, Owner::Bot { .. } | Owner::Queue { .. }) {
            led = Some(way.take_over(context, &Found { id, customer, conversation }, &mut draft));
        }
    }
    let bot_to_ask = match found.map(|found| &found.stage) {
        Some(Stage::Open(_)) if led.is_some() => led.flatten().map(|(bot, since)| {
            owner_epoch = since;
            bot
        }),
        Some(Stage::Open(Owner::Bot { turn: None, queue, .. })) if received.people_only => {
            let queue = customer.map_or(&inbox.queue, |customer| queue_of_inbox(context, customer, queue));
            let reason = HandOffReason::HeldBack;
            let named = found.and_then(|found| found.special.as_deref());
            let wish = Wish::anyone().specially(special::in_queue(context, customer, named, queue));
            draft.push(wanted(id, from.channel, owner_epoch + 1, queue, reason, wish, context.now));
            None
        }
        Some(Stage::Open(Owner::Bot { bot, turn: None, .. })) => Some(bot),
        // What was put away comes back.
        Some(Stage::Open(owner @ Owner::Snoozed { agent, .. })) => {
            if let Some(customer) = customer {
                let (queue, wish) = snooze::back_to(context, customer, owner.queue(), agent);
                let reason = HandOffReason::Woke;
                let named = found.and_then(|found| found.special.as_deref());
                let wish = wish.specially(special::in_queue(context, Some(customer), named, queue));
                draft.push(wanted(id, from.channel, owner_epoch + 1, queue, reason, wish, context.now));
            }
            None
        }
        // A bot that is thinking is asked about this when it has answered.
        Some(Stage::Open(_)) => None,
        closed_or_none => {
            let goes_on = match closed_or_none {
                Some(Stage::Closed { at }) => however_old || context.now - *at <= inbox.reopen_within,
                _ => false,
            };
            if goes_on {
                draft.push(What::Reopened { conversation: id });
            } else {
                id.number = latest.map_or(1, |latest| latest.number + 1);
                (owner_epoch, turns) = (0, 0);
                draft.push(What::Opened { conversation: id, policy_version: policy.version });
            }
            draft.extend(way.map(|way| way.entered(from.party, Some(id))));
            owner_epoch += 1;
            // What goes on goes on with the person who had it, past the bot.
            let led_to = way.and_then(|way| way.link.queue.as_ref());
            let (queue, wish) = match customer {
                _ if led_to.is_some() => {
                    let queue = led_to.unwrap_or(&inbox.queue);
                    let familiar = customer.map(|customer| Wish::familiar(context, customer, queue));
                    (queue, familiar.unwrap_or_default())
                }
                Some(customer) if goes_on => Wish::goes_on(context, customer, &inbox.queue),
                Some(customer) => (&inbox.queue, Wish::familiar(context, customer, &inbox.queue)),
                None => (&inbox.queue, Wish::anyone()),
            };
            let usual = inbox.bot.as_ref();
            let greeter = way.map_or(usual, |way| way.greeter(usual));
            let past_bots = greeter.is_none() && way.is_some_and(|way| way.link.people_only);
            let greeter = greeter.filter(|_| !(goes_on && wish.is_for_someone()));
            let held_back = greeter.is_some() && received.people_only;
            let greeter = greeter.filter(|_| !held_back);
            draft.push(match greeter {
                Some(bot) => {
                    What::BotEngaged { conversation: id, bot: bot.clone(), owner_epoch, queue: queue.clone() }
                }
                None => {
                    let reason = match inbox.bot {
                        _ if held_back => HandOffReason::HeldBack,
                        _ if past_bots => HandOffReason::Entered,
                        Some(_) => HandOffReason::Returned,
                        None => HandOffReason::NoBot,
                    };
                    let wish = wish.specially(special::in_queue(context, customer, None, queue));
                    wanted(id, from.channel, owner_epoch, queue, reason, wish, context.now)
                }
            });
            greeter
        }
    };
    draft.push(What::MessageReceived {
        conversation: id,
        message: received.message,
        kind: received.kind,
        content: received.content.clone(),
        thread: received.thread.clone(),
        sent_at: received.sent_at,
        authenticated: received.authenticated,
        marks: received.marks,
        people_only: received.people_only,
        reply_to: received.reply_to.map(|mention| mentioned(state, from.party, mention)),
        referral: received.referral.clone(),
    });
    window::opens(&mut draft, customer, id, received.window);
    if let Some(bot) = bot_to_ask {
        let turn = TurnId { conversation: id, owner_epoch, number: turns + 1 };
        let content = Some(received.content.clone());
        draft.push(bots::ask(context, &from.tenant, bot, turn, received.message, content, to_speak_to));
    }
    entry::show(&mut draft, from.party, customer, received.entry.as_deref());
    Ok(draft.finish())
}

pub(super) fn note(
    state: &Conversations,
    context: &Context,
    from: &Correspondent,
    noted: What,
) -> Vec<Event> {
    // Only what the customer did is a sign of life; a bounce's sender is nobody's contact.
    let by_customer = matches!(&noted, What::Noted { kind, .. } if kind.by_customer());
    let draft = if by_customer { Draft::seen(state, context, from) } else { Draft::at(from) };
    draft.and(noted).finish()
}

/// The conversation that what happens at a customer's address stands in, besides messages. By mail, which of them is anyone's
/// guess.
pub(super) fn belongs_to(state: &Conversations, party: Party) -> Option<ConversationId> {
    let customer = state.customer(party).filter(|customer| customer.endpoint.channel != Channel::Email)?;
    let open = customer.conversations().rfind(|conversation| conversation.owner().is_some());
    let found = open.or(customer.latest.as_ref())?;
    Some(ConversationId { party, number: found.number })
}

/// The message that a platform speaks of.
pub(super) fn mentioned(state: &Conversations, party: Party, mention: Mention) -> MessageId {
    let sent = state.customer(party).into_iter().flat_map(Customer::sent);
    let ours = sent.filter(|sent| sent.provider == mention.provider).last();
    ours.map_or(mention.message, |sent| sent.message)
}

pub(super) fn keep_unreadable(
    from: &Correspondent,
    message: MessageId,
    content: Sealed,
    reason: Arc<str>,
    at: Timestamp,
) -> Vec<Event> {
    Draft::at(from).and(What::UnreadableKept { party: from.party, message, content, reason, at }).finish()
}

pub(super) fn opt_in(state: &Conversations, context: &Context, from: &Correspondent) -> Vec<Event> {
    let mut draft = Draft::seen(state, context, from);
    if state.customer(from.party).is_some_and(|customer| customer.opted_out) {
        draft.push(What::OptedIn { party: from.party });
    }
    draft.finish()
}

pub(super) fn opt_out(state: &Conversations, context: &Context, from: &Correspondent) -> Vec<Event> {
    stop(Draft::seen(state, context, from), state.customer(from.party), from.party)
}

/// The customer wants no more messages, whoever says so: behind what the draft holds already.
pub(super) fn stop(mut draft: Draft, customer: Option<&Customer>, party: Party) -> Vec<Event> {
    if customer.is_some_and(|customer| customer.opted_out) {
        return draft.finish();
    }
    draft.push(What::OptedOut { party });
    // Nobody may answer any more: the customer waits for nobody, and a bot has nothing to say. A person who has a
    // conversation closes it.
    for found in customer.into_iter().flat_map(Customer::conversations) {
        let conversation = ConversationId { party, number: found.number };
        match found.owner() {
            None | Some(Owner::Agent { .. }) => continue,
            Some(Owner::Bot { .. } | Owner::Snoozed { .. }) => {}
            Some(Owner::Queue { queue, .. }) => {
                let (queue, owner_epoch) = ((**queue).clone(), found.owner_epoch);
                draft.push(What::Withdrawn { conversation, queue, owner_epoch });
            }
        }
        draft.push(What::Closed { conversation, by: Closer::Customer, reason: CloseReason::OptedOut });
    }
    draft.finish()
}
