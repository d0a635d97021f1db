//! A book of receipts, kept from the events alone: whatever comes first, the receipt or the word that the message was
//! sent, the message's receipt is noted.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::*;
use crate::conversation::{Event, Progress, ReceiptKind, What};

/// So many of a customer's messages can be told apart, and so many receipts wait for theirs.
const SENT_KEPT: usize = 16;
const EARLY_KEPT: usize = 8;

type ProviderId = Arc<str>;

#[derive(Default)]
pub(super) struct Receipts {
    /// Newest first.
    sent: BTreeMap<Party, VecDeque<(ProviderId, MessageId)>>,
    /// Newest first.
    early: BTreeMap<Party, VecDeque<(ProviderId, ReceiptKind)>>,
    /// By what is true of each message so far.
    noted: BTreeMap<MessageId, ReceiptKind>,
}

impl Receipts {
    /// The events of one step.
    pub(super) fn keep_up<'a>(&mut self, events: impl Iterator<Item = &'a Event>) {
        // What waited for the message that this step says was sent, and must now be noted.
        let mut owed = Vec::new();
        for event in events {
            let party = event.party();
            match &event.what {
                What::DeliveryNoted { message, progress: Progress::Sent { provider_id }, .. } => {
                    let early = self.early.entry(party).or_default();
                    let (theirs, others) = early.drain(..).partition(|(id, _)| id == provider_id);
                    *early = others;
                    let theirs: VecDeque<(ProviderId, ReceiptKind)> = theirs;
                    owed.extend(theirs.into_iter().rev().map(|(_, kind)| (*message, kind)));
                    let sent = self.sent.entry(party).or_default();
                    sent.push_front((provider_id.clone(), *message));
                    sent.truncate(SENT_KEPT);
                }
                What::ReceiptNoted { message, kind, .. } => {
                    assert!(self.is_sent(party, |(_, sent)| sent == message), "{event:?}");
                    assert!(says_more(self.noted.insert(*message, *kind), *kind), "{event:?}");
                    if !owed.is_empty() {
                        assert_eq!(owed.remove(0), (*message, *kind), "noted in another order");
                    }
                }
                What::ReceiptKept { provider_id, kind, .. } => {
                    assert!(!self.is_sent(party, |(id, _)| id == provider_id), "{event:?}");
                    assert!(says_more(self.waiting(party, provider_id), *kind), "{event:?}");
                    let early = self.early.entry(party).or_default();
                    early.push_front((provider_id.clone(), *kind));
                    early.truncate(EARLY_KEPT);
                }
                _ => {}
            }
        }
        assert!(owed.is_empty(), "receipts are forgotten when their message is sent: {owed:?}");
    }

    /// A receipt of a known customer's message was reported: it stands in the story or waits, unless more does.
    pub(super) fn has_heard(&self, party: Party, provider_id: &ProviderId, kind: ReceiptKind) {
        let mut sent = self.sent.get(&party).into_iter().flatten();
        let known = match sent.find(|(id, _)| id == provider_id) {
            Some((_, message)) => self.noted.get(message).copied(),
            None => self.waiting(party, provider_id),
        };
        assert!(!says_more(known, kind), "{kind:?} of {provider_id} is lost: {known:?}");
    }

    fn is_sent(&self, party: Party, is_meant: impl FnMut(&(ProviderId, MessageId)) -> bool) -> bool {
        self.sent.get(&party).into_iter().flatten().any(is_meant)
    }

    fn waiting(&self, party: Party, provider_id: &ProviderId) -> Option<ReceiptKind> {
        let mut early = self.early.get(&party).into_iter().flatten();
        early.find(|(id, _)| id == provider_id).map(|(_, kind)| *kind)
    }
}

fn says_more(known: Option<ReceiptKind>, kind: ReceiptKind) -> bool {
    let rank = |kind| match kind {
        ReceiptKind::Failed => 1,
        ReceiptKind::Delivered => 2,
        ReceiptKind::Read => 3,
    };
    known.map_or(0, rank) < rank(kind)
}
