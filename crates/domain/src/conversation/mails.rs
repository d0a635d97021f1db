//! E-mail: several conversations of one customer beside each other, what mails are told to belong to each by, and how what
//! stands in one comes to stand in another.

use serde::{Deserialize, Serialize};

use crate::{Channel, ConversationId, MessageId, Timestamp};

use super::{Conversation, Customer, customer::keep_newest};

/// What mails are told to belong to a conversation by.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Mails {
    /// The customer's, newest last.
    pub received: Vec<KnownMail>,
    /// Of the newest one, see [`super::Marks`].
    pub topic: u64,
    /// It was taken into that conversation of the same customer.
    pub goes_on_in: Option<u32>,
    /// An agent took it into that conversation of another address.
    pub taken_into: Option<ConversationId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownMail {
    pub message: MessageId,
    /// Of its Message-ID, see [`super::Marks`].
    pub id: Option<u64>,
    /// When it came.
    pub at: Timestamp,
}

/// Of one conversation.
const MAILS_KEPT: usize = 16;

/// Of one customer, and closed.
const EARLIER_KEPT: usize = 16;

/// Oldest first.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Earlier(pub(super) Vec<Conversation>);

impl Customer {
    /// Another conversation begins. Mails tell which one they belong to, so those before it may go on.
    pub(super) fn begins(&mut self, conversation: Conversation) {
        let before = self.latest.replace(conversation);
        let Some(before) = before.filter(|_| self.endpoint.channel == Channel::Email) else { return };
        let earlier = &mut self.earlier.get_or_insert_default().0;
        earlier.reserve_exact(1);
        earlier.push(before);
        let closed = earlier.iter().filter(|one| one.owner().is_none()).count();
        let mut surplus = closed.saturating_sub(EARLIER_KEPT);
        earlier.retain(|one| {
            let goes = surplus > 0 && one.owner().is_none();
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// From this mail on, what stood in one conversation stands in another, and so does what we wrote since.
    pub(super) fn splits(&mut self, from: u32, into: u32, message: MessageId) {
        let Some((thread, people_only, topic, moved)) = self.conversation_mut(from).and_then(|found| {
            let mails = found.mails.as_mut()?;
            let place = mails.received.iter().position(|mail| mail.message == message)?;
            let moved = mails.received.split_off(place);
            mails.received.shrink_to_fit();
            Some((found.thread.clone(), found.people_only, mails.topic, moved))
        }) else {
            return;
        };
        let since = moved.first().map(|mail| mail.at);
        if let Some(found) = self.conversation_mut(into) {
            found.thread = thread;
            found.people_only = people_only;
            found.mails = Some(Box::new(Mails { received: moved, topic, ..Mails::default() }));
        }
        let sent = self.letters.iter_mut().flat_map(|letters| &mut letters.sent);
        sent.filter(|sent| sent.conversation == from && since.is_some_and(|since| sent.at >= since))
            .for_each(|sent| sent.conversation = into);
    }

    /// Into a conversation of another address, or out of it.
    pub(super) fn is_taken(&mut self, number: u32, into: Option<ConversationId>) {
        if let Some(found) = self.conversation_mut(number) {
            found.mails.get_or_insert_default().taken_into = into;
        }
    }

    /// All that stands in one conversation stands in another from here on.
    pub(super) fn joins(&mut self, other: u32, into: u32) {
        let Some(found) = self.conversation_mut(other) else { return };
        let (thread, people_only) = (found.thread.take(), found.people_only);
        let gone = Mails { goes_on_in: Some(into), ..Mails::default() };
        let mails = found.mails.replace(Box::new(gone));
        if let Some(found) = self.conversation_mut(into) {
            let own = found.mails.get_or_insert_default();
            let newest = |mails: &Mails| mails.received.last().map(|mail| mail.at);
            if let Some(mails) = mails {
                if newest(&mails) > newest(own) {
                    own.topic = mails.topic;
                    found.people_only = people_only;
                    found.thread = thread.or(found.thread.take());
                }
                own.received.extend(mails.received);
                own.received.sort_by_key(|mail| mail.at);
                let surplus = own.received.len().saturating_sub(MAILS_KEPT);
                own.received.drain(..surplus);
                own.received.shrink_to_fit();
            } else if found.thread.is_none() {
                found.thread = thread;
            }
        }
        let sent = self.letters.iter_mut().flat_map(|letters| &mut letters.sent);
        sent.filter(|sent| sent.conversation == other).for_each(|sent| sent.conversation = into);
    }
}

impl Conversation {
    /// A mail of the customer's came.
    pub(super) fn has_mail(&mut self, mail: KnownMail, topic: u64) {
        let mails = self.mails.get_or_insert_default();
        mails.topic = topic;
        keep_newest(&mut mails.received, mail, MAILS_KEPT);
    }
}
