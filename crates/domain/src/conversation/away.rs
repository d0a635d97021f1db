//! Queues that are closed: the customer is told once, in words that are found outside, like a bot's.

use crate::{Context, ConversationId, MessageId, Millis, QueueId, Sealed, Timestamp};

use super::{
    Away, Conversations, Owner, What, automatic,
    decide::{Decided, NOTHING},
    draft::Found,
};

/// The words are asked for again after this long, then after twice as long, and so on until the queue opens.
const PATIENCE: Millis = Millis::seconds(30);

/// The desk found its queue closed.
pub(super) fn tell(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    owner_epoch: u32,
    queue: &QueueId,
    until: Option<Timestamp>,
) -> Decided {
    let Some(found) = waiting(state, id).filter(|found| found.conversation.owner_epoch == owner_epoch) else {
        return NOTHING;
    };
    if !automatic::may_be_sent(&found, context.now) {
        return NOTHING;
    }
    Ok(found.draft().and(asked(id, owner_epoch, queue, until, context.now + PATIENCE)).finish())
}

/// The words are there.
pub(super) fn said(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    owner_epoch: u32,
    message: MessageId,
    body: &Sealed,
) -> Decided {
    let Some(found) = waiting(state, id).filter(|found| found.conversation.owner_epoch == owner_epoch) else {
        return NOTHING;
    };
    if found.away().is_none() || !automatic::may_be_sent(&found, context.now) {
        return NOTHING;
    }
    let outgoing = found.outgoing(context, body.clone(), false);
    Ok(found.draft().and(What::AwaySaid { conversation: id, message, outgoing }).finish())
}

/// They did not come.
pub(super) fn unsaid(state: &Conversations, context: &Context, id: ConversationId) -> Decided {
    let Some(found) = waiting(state, id) else { return NOTHING };
    let Some(Away { queue, until, asked_at, again_at }) = found.away() else { return NOTHING };
    let again_at = context.now + Millis((*again_at - *asked_at).0.saturating_mul(2));
    let owner_epoch = found.conversation.owner_epoch;
    Ok(found.draft().and(asked(id, owner_epoch, queue, *until, again_at)).finish())
}

fn asked(
    conversation: ConversationId,
    owner_epoch: u32,
    queue: &QueueId,
    until: Option<Timestamp>,
    again_at: Timestamp,
) -> What {
    What::AwayAsked { conversation, owner_epoch, queue: queue.clone(), until, again_at }
}

/// A conversation that a queue owns.
fn waiting(state: &Conversations, id: ConversationId) -> Option<Found<'_>> {
    Found::find(state, id).filter(|found| matches!(found.conversation.owner(), Some(Owner::Queue { .. })))
}

impl Found<'_> {
    /// What the customer has not been told yet.
    fn away(&self) -> Option<&Away> {
        match self.conversation.owner() {
            Some(Owner::Queue { away, .. }) => away.as_deref(),
            _ => None,
        }
    }
}
