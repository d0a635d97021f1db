//! Other applications of the business, which the platform lets answer the same customers: its own inbox, another vendor's.
//!
//! While another application has a customer's thread, nobody here answers; what is said there is recorded all the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Code, Context, ConversationId, MessageId, Rejection, Sealed, Timestamp, TurnId};

use super::{
    Conversations, Correspondent, Customer, Event, Owner, What,
    draft::{Draft, Found},
    facts,
};

/// Who answers a customer, as far as the platform has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Thread {
    /// Another application does.
    pub elsewhere: bool,
    /// When that began, or was last seen, by the platform's clock.
    pub at: Timestamp,
}

impl Thread {
    /// What comes late says nothing of now.
    pub(super) fn shown(self, elsewhere: bool, at: Timestamp) -> Thread {
        if (at, elsewhere) > (self.at, self.elsewhere) { Thread { elsewhere, at } } else { self }
    }
}

pub(super) fn held(
    state: &Conversations,
    context: &Context,
    from: &Correspondent,
    elsewhere: bool,
    app: Option<Arc<str>>,
    note: Option<Sealed>,
    at: Timestamp,
) -> Vec<Event> {
    let (party, conversation) = (from.party, facts::belongs_to(state, from.party));
    let mut draft = Draft::seen(state, context, from);
    draft.push(What::ThreadHeld { party, conversation, elsewhere, app, note, at });
    let thread = state.customer(party).and_then(Customer::thread);
    // A bot that is thinking has nothing to say any more.
    if thread.unwrap_or(Thread { elsewhere, at }).shown(elsewhere, at).elsewhere {
        draft = without_turn(state, conversation, draft);
    }
    draft.finish()
}

/// The customer has an answer: a bot gives no second one.
pub(super) fn answered(
    state: &Conversations,
    from: &Correspondent,
    message: MessageId,
    content: Option<Sealed>,
    at: Timestamp,
) -> Vec<Event> {
    let (party, conversation) = (from.party, facts::belongs_to(state, from.party));
    let draft = Draft::at(from).and(What::AnsweredElsewhere { party, conversation, message, content, at });
    without_turn(state, conversation, draft).finish()
}

fn without_turn(state: &Conversations, conversation: Option<ConversationId>, mut draft: Draft) -> Draft {
    let found = conversation.and_then(|id| Found::find(state, id));
    if let Some(Found { id, conversation, .. }) = found
        && let Some(Owner::Bot { turn: Some(turn), .. }) = conversation.owner()
    {
        let turn = TurnId { conversation: id, owner_epoch: conversation.owner_epoch, number: turn.number };
        draft.push(What::TurnAnswered { turn });
    }
    draft
}

pub(super) fn known_as(
    state: &Conversations,
    context: &Context,
    from: &Correspondent,
    to: &Correspondent,
    moved: bool,
    at: Timestamp,
) -> Vec<Event> {
    // One who is at two addresses is nobody else for it; one address is no news.
    if from.party == to.party {
        return Vec::new();
    }
    let draft = Draft::seen(state, context, from);
    draft.and(What::KnownAs { party: from.party, to: to.clone(), moved, at }).finish()
}

/// Why nothing may be sent here, for the agent who wants to.
pub(super) fn refusal(found: &Found) -> Option<Rejection> {
    let elsewhere = found.customer.thread().is_some_and(|thread| thread.elsewhere);
    let why = "another application has this conversation on the platform: it can be answered here once that gives it \
               back, or the customer writes to this one again";
    elsewhere.then(|| Rejection::new(Code::NotOwner, why))
}
