//! Queues that are closed: the customer is told once, in words that are found outside, like a bot's. Who can be written to
//! by mail may be told that the answer comes there; then it does.

use crate::{
    Context, ConversationId, InboxId, MessageId, Millis, QueueId, Sealed, Timestamp, policy::WhenClosed,
};

use super::{
    Away, Conversations, Other, Owner, What, automatic,
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
    if !automatic::may_be_sent(&found, context) {
        return NOTHING;
    }
    let Some(asked) = asked(&found, context, queue, until, context.now + PATIENCE) else { return NOTHING };
    Ok(found.draft().and(asked).finish())
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
    if found.away().is_none() || !automatic::may_be_sent(&found, context) {
        return NOTHING;
    }
    let outgoing = found.outgoing(body.clone(), false);
    Ok(found.draft().and(What::AwaySaid { conversation: id, message, outgoing }).finish())
}

/// They did not come.
pub(super) fn unsaid(state: &Conversations, context: &Context, id: ConversationId) -> Decided {
    let Some(found) = waiting(state, id) else { return NOTHING };
    let Some(Away { queue, until, asked_at, again_at, callback: _ }) = found.away() else { return NOTHING };
    let again_at = context.now + Millis((*again_at - *asked_at).0.saturating_mul(2));
    let Some(asked) = asked(&found, context, queue, *until, again_at) else { return NOTHING };
    Ok(found.draft().and(asked).finish())
}

/// None where this customer is told nothing.
fn asked(
    found: &Found,
    context: &Context,
    queue: &QueueId,
    until: Option<Timestamp>,
    again_at: Timestamp,
) -> Option<What> {
    let policy = context.policies.of(&found.customer.endpoint.tenant);
    let rule = policy.and_then(|policy| policy.queues.get(queue)?.when_closed.as_ref());
    let callback = rule.and_then(WhenClosed::callback).filter(|inbox| found.reached_by(inbox).is_some());
    // A rule that is not known says what it says when the words are looked for.
    if rule.is_some_and(|rule| rule.words(callback.is_some()).is_none()) {
        return None;
    }
    let (conversation, owner_epoch) = (found.id, found.conversation.owner_epoch);
    let (queue, callback) = (queue.clone(), callback.cloned());
    Some(What::AwayAsked { conversation, owner_epoch, queue, until, again_at, callback })
}

/// A conversation that a queue owns.
fn waiting(state: &Conversations, id: ConversationId) -> Option<Found<'_>> {
    Found::find(state, id).filter(|found| matches!(found.conversation.owner(), Some(Owner::Queue { .. })))
}

impl<'a> Found<'a> {
    /// Where a person's answer goes by mail, if that was promised and the customer can be written to there still.
    pub(super) fn promised_to(&self) -> Option<&'a Other> {
        self.reached_by(&self.conversation.promised.as_ref()?.inbox)
    }

    /// The customer's address in that inbox, if it may be written to.
    fn reached_by(&self, inbox: &InboxId) -> Option<&'a Other> {
        self.customer.others().filter(|other| other.inbox() == inbox).last()
    }

    /// What the customer has not been told yet.
    fn away(&self) -> Option<&Away> {
        match self.conversation.owner() {
            Some(Owner::Queue { away, .. }) => away.as_deref(),
            _ => None,
        }
    }
}
