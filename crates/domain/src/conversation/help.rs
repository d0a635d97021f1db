//! HELP: who asks who writes, and how to make it end, is told by the business itself.
//!
//! Whoever said stop is told too: operators demand it (CTIA Short Code Monitoring Handbook, customer care), and it
//! is the customer who asked. Once a period, so that two machines do not ask each other for ever.

use crate::{Context, MessageId, Millis, Sealed};

use super::{Conversations, NoteKind, Outgoing, Owner, Received, What, decide::Decided, draft::Draft, facts};

const PERIOD: Millis = Millis::hours(1);

pub(super) fn asked(
    state: &Conversations,
    context: &Context,
    received: &Received,
    answer: MessageId,
    body: &Sealed,
) -> Decided {
    let from = &received.from;
    let customer = state.customer(from.party);
    let owner = customer.and_then(|customer| customer.latest.as_ref()?.owner());
    let mut events = match owner {
        // People read what is said to them.
        Some(Owner::Agent { .. } | Owner::Queue { .. } | Owner::Snoozed { .. }) => {
            facts::receive(state, context, received)?
        }
        Some(Owner::Bot { .. }) | None => {
            let noted = What::Noted {
                party: from.party,
                kind: NoteKind::Help,
                message: received.message,
                content: Some(received.content.clone()),
                at: received.sent_at,
                conversation: facts::belongs_to(state, from.party),
                about: None,
                referral: None,
            };
            facts::note(state, context, from, noted)
        }
    };
    let helped_at = customer.and_then(|customer| customer.helped_at());
    let is_too_soon = helped_at.is_some_and(|before| context.now - before < PERIOD);
    if !is_too_soon && !from.unanswerable {
        let outgoing = Outgoing {
            tenant: from.tenant.clone(),
            inbox: from.inbox.clone(),
            channel: from.channel,
            to: from.address.clone(),
            body: body.clone(),
            thread: None,
            not_before: None,
            by_person: false,
            signed: None,
            window: None,
        };
        let answered = What::HelpAnswered { party: from.party, message: answer, outgoing };
        events.extend(Draft::at(from).and(answered).finish());
    }
    Ok(events)
}
