//! The rules of delivery: whose turn it is, when to try again, and when to stop.

use crate::{Context, ConversationId, MessageId, Millis, Rejection, Timestamp, conversation::Outgoing};

use super::{
    Command, Deliveries, Delivery, Event, Outcome, Stage, TimerId,
    patience::{LONGEST_WISH, Patience},
};

pub(super) fn decide(
    state: &Deliveries,
    context: &Context,
    command: &Command,
) -> Result<Vec<Event>, Rejection> {
    Ok(match command {
        Command::Deliver { conversation, message, outgoing } => {
            deliver(state, *conversation, *message, outgoing)
        }
        Command::Report { message, attempt, outcome } => match state.get(*message) {
            Some(delivery) if counts(delivery, *attempt, outcome) => {
                report(state, context.now, *message, delivery, *attempt, outcome)
            }
            _ => Vec::new(),
        },
        Command::MarkMailbox { inbox, mark } => match state.mark(inbox) {
            Some(known) if !mark.follows(known) => Vec::new(),
            _ => vec![Event::MailboxMarked { inbox: inbox.clone(), mark: mark.clone() }],
        },
        Command::Recover => state
            .under_way()
            .map(|(message, delivery)| Event::OutcomeLost { message, attempt: delivery.attempt })
            .collect(),
        Command::TimerFired(TimerId::Retry(message)) => match state.get(*message) {
            Some(Delivery { stage: Stage::Waiting { .. }, attempt, .. }) => {
                vec![Event::SendStarted { message: *message, attempt: attempt + 1 }]
            }
            _ => Vec::new(),
        },
    })
}

fn deliver(
    state: &Deliveries,
    conversation: ConversationId,
    message: MessageId,
    outgoing: &Outgoing,
) -> Vec<Event> {
    if state.get(message).is_some() {
        return Vec::new();
    }
    let mut events = vec![Event::Queued { conversation, message, outgoing: outgoing.clone() }];
    if state.is_idle(conversation.party) {
        events.push(Event::SendStarted { message, attempt: 1 });
    }
    events
}

/// Whether this outcome of this attempt still says something new. What was sent was sent, even if the word of it
/// comes from a deposed sender while we wait to try again.
fn counts(delivery: &Delivery, attempt: u32, outcome: &Outcome) -> bool {
    match delivery.stage {
        Stage::Queued => false,
        Stage::Started | Stage::Lost => attempt == delivery.attempt,
        Stage::Waiting { .. } => {
            (1..=delivery.attempt).contains(&attempt) && matches!(outcome, Outcome::Sent { .. })
        }
    }
}

fn report(
    state: &Deliveries,
    now: Timestamp,
    message: MessageId,
    delivery: &Delivery,
    attempt: u32,
    outcome: &Outcome,
) -> Vec<Event> {
    let conversation = delivery.conversation;
    // Another address of the same contact is told by itself.
    let elsewhere = Some(delivery.outgoing.to.subject).filter(|to| *to != conversation.party);
    let patience = Patience::of(delivery.outgoing.channel);
    let made = attempt.saturating_sub(delivery.not_made);
    let is_last = patience.is_over(made, now - delivery.begun);
    let end = match outcome {
        Outcome::Sent { provider_id } => {
            Event::Sent { conversation, message, attempt, provider_id: provider_id.clone() }
        }
        Outcome::Refused { code, reason, dead } => {
            // What is said of an address is said of the one it went to.
            let own = elsewhere.is_none();
            let code = if own { code.clone() } else { format!("elsewhere: {code}").into() };
            let (reason, dead) = (reason.clone(), *dead && own);
            Event::Failed { conversation, message, attempt, code, reason, dead }
        }
        Outcome::Retry { code, reason, .. } if is_last => {
            let reason = format!("no success in {patience}; the last attempt: {code}: {reason}").into();
            Event::Failed { conversation, message, attempt, code: "gave_up".into(), reason, dead: false }
        }
        // Having tried often enough does not make it certain that nothing arrived.
        Outcome::Unknown { reason, resend } if is_last || !resend => {
            Event::OutcomeUnknown { conversation, message, attempt, reason: reason.clone() }
        }
        Outcome::Retry { code, reason, after } => {
            // The sender looked a lost attempt up and found that it was never made: nothing to wait for.
            let at_once = delivery.stage == Stage::Lost && *after == Some(Millis(0));
            let due = if at_once { now } else { now + patience.wait(message, made, *after) };
            let (code, reason) = (code.clone(), reason.clone());
            let mut events =
                vec![Event::RetryScheduled { message, attempt, due, code, reason, not_made: false }];
            if at_once {
                events.push(Event::SendStarted { message, attempt: attempt + 1 });
            }
            return events;
        }
        Outcome::Unknown { reason, .. } => {
            let due = now + patience.wait(message, made, None);
            let (code, reason) = ("unknown".into(), reason.clone());
            return vec![Event::RetryScheduled { message, attempt, due, code, reason, not_made: false }];
        }
        Outcome::NotYet { code, reason, after } => {
            let due = now + (*after).min(LONGEST_WISH);
            let (code, reason) = (code.clone(), reason.clone());
            return vec![Event::RetryScheduled { message, attempt, due, code, reason, not_made: true }];
        }
    };
    let dead = matches!(outcome, Outcome::Refused { dead: true, .. });
    let of_another = elsewhere.filter(|_| dead).map(|party| {
        let tenant = delivery.outgoing.tenant.clone();
        Event::AddressDead { tenant, party }
    });
    let next = state.next(conversation.party);
    std::iter::once(end)
        .chain(of_another)
        .chain(next.map(|message| Event::SendStarted { message, attempt: 1 }))
        .collect()
}
