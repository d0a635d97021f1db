//! What becomes of the messages we sent.

use std::sync::Arc;

use crate::{ConversationId, MessageId, Party, Timestamp};

use super::{Conversations, Event, Progress, ReceiptKind, What, draft::Draft, state::Receipt};

pub(super) fn progress(
    state: &Conversations,
    conversation: ConversationId,
    message: MessageId,
    progress: Progress,
) -> Vec<Event> {
    let Some(customer) = state.customer(conversation.party) else { return Vec::new() };
    Draft::of(customer).and(What::DeliveryNoted { conversation, message, progress }).finish()
}

pub(super) fn receipt(
    state: &Conversations,
    party: Party,
    kind: ReceiptKind,
    provider_id: Option<&str>,
    watermark: Option<Timestamp>,
    at: Timestamp,
    reason: &Option<Arc<str>>,
) -> Vec<Event> {
    let Some(customer) = state.customer(party) else { return Vec::new() };
    let mut draft = Draft::of(customer);
    let rank = Receipt::from(kind);
    for sent in &customer.sent {
        let meant = match provider_id {
            Some(id) => *sent.provider_id == *id,
            None => watermark.is_some_and(|watermark| sent.at <= watermark),
        };
        // Receipts come in any order; only what says more than before is news.
        if meant && sent.receipt.is_none_or(|known| known < rank) {
            draft.push(What::ReceiptNoted {
                conversation: ConversationId { party, number: sent.conversation },
                kind,
                message: sent.message,
                at,
                reason: reason.clone(),
            });
        }
    }
    draft.finish()
}
