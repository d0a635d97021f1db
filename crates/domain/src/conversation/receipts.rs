//! What becomes of the messages we sent.

use std::sync::Arc;

use crate::{ConversationId, MessageId, Party, Timestamp};

use super::{
    Conversations, Early, Event, Pricing, Progress, ReceiptKind, Sent, Suppression, What, draft::Draft,
    facts, suppression,
};

/// The code of a failure that says that the customer wants no more messages.
const OPTED_OUT: &str = "opted_out";

pub(super) fn progress(
    state: &Conversations,
    conversation: ConversationId,
    message: MessageId,
    progress: &Progress,
) -> Vec<Event> {
    let Some(customer) = state.customer(conversation.party) else { return Vec::new() };
    let mut draft = Draft::of(customer);
    draft.push(What::DeliveryNoted { conversation, message, progress: progress.clone() });
    if let Progress::Sent { provider_id } = progress {
        for Early { kind, at, reason, .. } in customer.early(provider_id) {
            let (kind, at, reason, pricing) = (*kind, *at, reason.clone(), None);
            draft.push(What::ReceiptNoted { conversation, kind, message, at, reason, pricing });
        }
    }
    match progress {
        // The customer told the provider, and not us.
        Progress::Failed { code, .. } if **code == *OPTED_OUT => {
            facts::stop(draft, Some(customer), conversation.party)
        }
        Progress::Failed { dead: true, .. } => {
            let mut events = draft.finish();
            events.extend(suppression::suppress(state, conversation.party, Suppression::DeadAddress));
            events
        }
        _ => draft.finish(),
    }
}

/// It is news only where nobody has heard that the message was sent.
pub(super) fn echoed(
    state: &Conversations,
    party: Party,
    message: MessageId,
    provider_id: &Arc<str>,
) -> Vec<Event> {
    let Some(conversation) = facts::belongs_to(state, party) else { return Vec::new() };
    let known =
        state.customer(party).is_some_and(|customer| customer.sent().any(|sent| sent.message == message));
    if known {
        return Vec::new();
    }
    progress(state, conversation, message, &Progress::Sent { provider_id: provider_id.clone() })
}

#[expect(clippy::too_many_arguments, reason = "as the command has it")]
pub(super) fn receipt(
    state: &Conversations,
    party: Party,
    kind: ReceiptKind,
    provider_id: Option<&Arc<str>>,
    watermark: Option<Timestamp>,
    at: Timestamp,
    reason: &Option<Arc<str>>,
    pricing: &Option<Pricing>,
) -> Vec<Event> {
    let Some(customer) = state.customer(party) else { return Vec::new() };
    let mut draft = Draft::of(customer);
    // Receipts come in any order; only what says more than before is news.
    let mut is_early = true;
    let provider = provider_id.map(|id| Sent::hash(id));
    for sent in customer.sent() {
        let named = provider == Some(sent.provider);
        // Whoever has one message has those before it.
        let meant = named || watermark.is_some_and(|watermark| sent.at <= watermark);
        is_early &= !named;
        if meant && sent.receipt.is_none_or(|known| known < kind) {
            draft.push(What::ReceiptNoted {
                conversation: ConversationId { party, number: sent.conversation },
                kind,
                message: sent.message,
                at,
                reason: reason.clone(),
                pricing: pricing.clone(),
            });
        }
    }
    if let Some(id) = provider_id
        && is_early
        && customer.early(id).all(|known| known.kind < kind)
    {
        draft.push(What::ReceiptKept { party, provider_id: id.clone(), kind, at, reason: reason.clone() });
    }
    draft.finish()
}
