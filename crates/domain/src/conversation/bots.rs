//! Bots: asked turn by turn, answering once each, and relieved by people.

use crate::{
    BotId, Code, Context, ConversationId, Kept, LinkId, MessageId, Millis, Rejection, Sealed, TenantId,
    TurnId, policy::BotKind,
};

use super::{
    BotAction, CloseReason, Closer, Conversations, HandOffReason, Owner, What, automatic,
    decide::{Decided, NOTHING},
    draft::{Found, Wish, is_closed, policy},
    special,
};

/// A bot's answer may do this much; more is a mistake in the bot.
const MOST_ACTIONS: usize = 20;
/// The messages of one answer may be this long together: they stand in one decision, which is bounded.
const MOST_BYTES: usize = 256 * 1024;

/// The turn that asks a bot to answer a message. `content` is what is at hand of it.
pub(super) fn ask(
    context: &Context,
    tenant: &TenantId,
    bot: &BotId,
    turn: TurnId,
    message: MessageId,
    content: Option<Sealed>,
    link: Option<LinkId>,
) -> What {
    let known = context.policies.of(tenant).and_then(|policy| policy.bots.get(bot));
    // A bot that the policy in force no longer knows has no time left: the queue takes over at once.
    let within = known.map_or(Millis(0), |bot| bot.answer_within);
    let content = content.filter(|_| known.is_some_and(|bot| matches!(bot.kind, BotKind::BuiltIn(_))));
    What::TurnAsked { turn, bot: bot.clone(), content, message, answer_by: context.now + within, link }
}

pub(super) fn answer(
    state: &Conversations,
    context: &Context,
    turn: TurnId,
    tenant: &TenantId,
    bot: &BotId,
    actions: &[BotAction],
) -> Decided {
    let id = turn.conversation;
    let found = Found::of_tenant(state, id, tenant)?;
    let owner = found.conversation.owner();
    if matches!(owner, Some(Owner::Bot { bot: asked, .. }) if asked != bot) {
        return Err(Rejection::new(Code::NotOwner, "the conversation is another bot's"));
    }
    let Some(owner) = owner else {
        return Err(is_closed());
    };
    let (Owner::Bot { queue: kept, turn: Some(open), .. }, true) =
        (owner, turn.owner_epoch == found.conversation.owner_epoch)
    else {
        return Err(Rejection::new(
            Code::Stale,
            "the conversation is no longer this bot's, or nothing was asked",
        ));
    };
    if open.number != turn.number {
        return Err(Rejection::new(Code::Stale, "this is not the turn that waits for an answer"));
    }
    check(actions)?;

    let mut draft = found.draft().and(What::TurnAnswered { turn });
    let mut is_over = false;
    let speaks = automatic::may_be_sent(&found, context);
    let says = actions.iter().any(|action| matches!(action, BotAction::Say { .. }));
    // What the customer wrote is not lost on a bot that may not answer.
    let held_back = says && !speaks && automatic::is_wanted(&found);
    for action in actions {
        match action {
            BotAction::Say { message, body } => {
                // A customer who wants no messages gets none, whatever the bot says.
                if speaks {
                    let outgoing = found.outgoing(body.clone(), false);
                    draft.push(What::BotReplied { conversation: id, message: *message, outgoing });
                }
            }
            BotAction::HandOff { queue, special } => {
                let queue = match queue {
                    Some(named)
                        if policy(context, &found.customer.endpoint.tenant)?.queues.contains_key(named) =>
                    {
                        named
                    }
                    Some(named) => {
                        return Err(Rejection::new(Code::Invalid, format!("there is no queue {named}")));
                    }
                    None => found.queue_after_bot(context, kept),
                };
                if let Some(special) = special {
                    let policy = policy(context, &found.customer.endpoint.tenant)?;
                    if let Some(what) = special::special_problem(policy, queue, special) {
                        return Err(Rejection::new(Code::Invalid, what));
                    }
                    let special = special.clone();
                    draft.push(What::MarkedSpecial { conversation: id, special });
                }
                let (wish, reason) =
                    (Wish::familiar(context, found.customer, queue), HandOffReason::BotHandedOff);
                let special = special.as_deref();
                draft.push(found.wanted_specially(context, queue, reason, wish, context.now, special));
                is_over = true;
            }
            // The bot did not know of a message that came meanwhile: it is asked about that one instead.
            BotAction::Close if open.next.is_some() || held_back => {}
            BotAction::Close => {
                let (by, reason) = (Closer::Bot(bot.clone()), CloseReason::Done);
                draft.push(What::Closed { conversation: id, by, reason });
                is_over = true;
            }
        }
    }
    if held_back && !is_over {
        let queue = found.queue_after_bot(context, kept);
        let wish = Wish::familiar(context, found.customer, queue);
        draft.push(found.wanted(context, queue, HandOffReason::HeldBack, wish, context.now));
    } else if let Some(next) = open.next.as_deref()
        && !is_over
    {
        let turn = TurnId { number: turn.number + 1, ..turn };
        let content = next.content.as_ref().map(Kept::sealed);
        draft.push(ask(context, &found.customer.endpoint.tenant, bot, turn, next.message, content, None));
    }
    Ok(draft.finish())
}

fn check(actions: &[BotAction]) -> Result<(), Rejection> {
    if actions.len() > MOST_ACTIONS {
        let detail = format!("an answer has {} actions; {MOST_ACTIONS} are the most", actions.len());
        return Err(Rejection::new(Code::Invalid, detail));
    }
    let length = |action: &BotAction| match action {
        BotAction::Say { body, .. } => body.bytes.len(),
        BotAction::HandOff { .. } | BotAction::Close => 0,
    };
    let bytes: usize = actions.iter().map(length).sum();
    if bytes > MOST_BYTES {
        let detail =
            format!("the messages of an answer have {bytes} bytes together; {MOST_BYTES} are the most");
        return Err(Rejection::new(Code::Invalid, detail));
    }
    let ends = |action: &BotAction| !matches!(action, BotAction::Say { .. });
    if actions.iter().rev().skip(1).any(ends) {
        return Err(Rejection::new(Code::Invalid, "nothing can follow a hand-off or a close"));
    }
    Ok(())
}

/// The bot let its turn's time pass.
pub(super) fn silent(state: &Conversations, context: &Context, id: ConversationId) -> Decided {
    let Some(found) = Found::find(state, id) else { return NOTHING };
    let Some(Owner::Bot { queue: kept, turn: Some(_), .. }) = found.conversation.owner() else {
        return NOTHING;
    };
    let queue = found.queue_after_bot(context, kept);
    let wish = Wish::familiar(context, found.customer, queue);
    Ok(found.draft().and(found.wanted(context, queue, HandOffReason::BotSilent, wish, context.now)).finish())
}
