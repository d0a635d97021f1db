//! Which conversation a mail belongs to, and how agents mend that.
//!
//! A wrong join shows one matter in another, a wrong split is a click: so a mail joins only what it names, or, if it is
//! certain who wrote it, what that sender wrote of the same matter not long ago. All of it is looked for among the
//! conversations of the mail's own party: whose mail it is was settled before.

use crate::{
    AgentId, Channel, Code, Context, ConversationId, MessageId, Millis, OfferId, Rejection, Timestamp, policy,
};

use super::{
    CloseReason, Closer, Conversation, Conversations, Customer, HandOffReason, Owner, Received, What, across,
    agents::held,
    decide::Decided,
    draft::{Draft, Found, Wish, policy, wanted},
    special,
};

/// Mails of the same subject belong together if the last one is no older, unless the inbox says otherwise.
const SAME_TOPIC_WITHIN: Millis = Millis::hours(14 * 24);

/// Conversations that one party may have open; further mails join the latest. Nobody has so many, but whoever floods.
const MOST_OPEN: usize = 64;

/// Whoever splits a conversation is waited for this long to take what was split off.
pub(super) const TAKEN_WITHIN: Millis = Millis::seconds(30);

/// The conversation that goes on with this message, and whether the message names it: then it goes on however long ago it
/// was closed.
pub(super) fn belongs_to<'a>(
    customer: &'a Customer,
    received: &Received,
    inbox: &policy::Inbox,
    now: Timestamp,
) -> Option<(&'a Conversation, bool)> {
    let Some(marks) = received.marks.filter(|_| customer.endpoint.channel == Channel::Email) else {
        return Some((customer.latest.as_ref()?, false));
    };
    if let Some(named) = named(customer, received) {
        return Some((named, true));
    }
    let newest_first = || customer.conversations().rev();
    if newest_first().filter(|one| one.owner().is_some()).count() >= MOST_OPEN {
        return Some((customer.latest.as_ref()?, false));
    }
    if !received.authenticated {
        return None;
    }
    let within = topic_window(inbox).unwrap_or(SAME_TOPIC_WITHIN);
    let same = |one: &&Conversation| {
        one.mails.as_ref().is_some_and(|mails| {
            let last = mails.received.last();
            mails.topic == marks.topic && last.is_some_and(|last| now - last.at <= within)
        })
    };
    newest_first().find(same).map(|found| (found, false))
}

/// What it answers says more than the reference, since messages may have been moved since.
fn named<'a>(customer: &'a Customer, received: &Received) -> Option<&'a Conversation> {
    let answered = received.answers.ours.iter().find_map(|message| {
        let sent = customer.sent().find(|sent| sent.message == *message)?;
        goes_on(customer, sent.conversation)
    });
    let placed = || goes_on(customer, received.placed?.number);
    let replied_to = || {
        received.answers.mails.iter().find_map(|id| {
            customer.conversations().rev().find(|one| {
                let known = one.mails.iter().flat_map(|mails| &mails.received);
                known.filter_map(|mail| mail.id).any(|known| known == *id)
            })
        })
    };
    answered.or_else(placed).or_else(replied_to)
}

/// The conversation of that number, or the one that it was taken into.
fn goes_on(customer: &Customer, number: u32) -> Option<&Conversation> {
    let mut found = customer.conversation(number)?;
    for _ in customer.conversations() {
        match found.mails.as_ref().and_then(|mails| mails.goes_on_in) {
            Some(next) => found = customer.conversation(next)?,
            None => return Some(found),
        }
    }
    None
}

/// The inbox's setting `same_subject_days`.
fn topic_window(inbox: &policy::Inbox) -> Option<Millis> {
    let days: u64 = inbox.settings.get("same_subject_days")?.trim().parse().ok()?;
    Some(Millis::hours(days.min(3_650) * 24))
}

/// From a mail of the customer's on, into a conversation of its own, which its agent is offered first.
pub(super) fn split(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
    message: MessageId,
) -> Decided {
    let (found, queue) = held(state, id, agent, assignment)?;
    let policy = policy(context, &found.customer.endpoint.tenant)?;
    let mails = found.conversation.mails.iter().flat_map(|mails| &mails.received);
    match mails.into_iter().position(|mail| mail.message == message) {
        Some(0) => {
            let what = "nothing is known before that message: split from a later one";
            return Err(Rejection::new(Code::Invalid, what));
        }
        Some(_) => {}
        None => {
            let what = format!("message {message} is none of the customer's last mails in this conversation");
            return Err(Rejection::new(Code::NotFound, what));
        }
    }
    let latest = found.customer.latest.as_ref().map_or(id.number, |latest| latest.number);
    let into = ConversationId { party: id.party, number: latest + 1 };
    let special = special::in_queue(context, Some(found.customer), None, queue);
    let wish = Wish::of(agent, context.now + TAKEN_WITHIN).by_request().again().specially(special);
    let channel = found.customer.endpoint.channel;
    Ok(found
        .draft()
        .and(What::Opened { conversation: into, policy_version: policy.version })
        .and(What::Split { conversation: id, into, message, by: agent.clone() })
        .and(wanted(into, channel, 1, queue, HandOffReason::Split, wish, context.now))
        .finish())
}

/// Another conversation, which nobody else has in hand, into the one that the agent has. One of another address only if the
/// agent says that both are the same person.
pub(super) fn join(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
    other: ConversationId,
    same_person: bool,
) -> Decided {
    let invalid = |what: &str| Err(Rejection::new(Code::Invalid, what));
    if other.party != id.party {
        if same_person {
            return across::join(state, context, id, agent, assignment, other);
        }
        return invalid(
            "it is of another address: make sure that both are the same person, and say so (`same_person`)",
        );
    }
    let (found, _) = held(state, id, agent, assignment)?;
    if other == id {
        return invalid("a conversation cannot be joined with itself");
    }
    let joined = Found::of_tenant(state, other, &agent.desk.tenant)?;
    if joined.conversation.mails.as_ref().is_some_and(|mails| mails.goes_on_in.is_some()) {
        return invalid("that conversation was joined with another before");
    }
    if found.customer.endpoint.channel != Channel::Email {
        return invalid(across::ONLY_MAIL);
    }
    let mut draft = taken_from_its_owner(&joined, agent)?;
    if joined.conversation.owner().is_some() {
        let (by, reason) = (Closer::Agent(agent.clone()), CloseReason::Joined);
        draft.push(What::Closed { conversation: other, by, reason });
    }
    Ok(draft.and(What::Joined { conversation: id, other, by: agent.clone() }).finish())
}

/// Out of the hands of whoever has it, unless that is another agent.
pub(super) fn taken_from_its_owner(joined: &Found, agent: &AgentId) -> Result<Draft, Rejection> {
    let conversation = joined.id;
    let not_owner =
        || Rejection::new(Code::NotOwner, "another agent has the conversation that is to be joined");
    Ok(match joined.conversation.owner() {
        Some(Owner::Agent { agent: owner, assignment, .. }) if **owner == *agent => {
            let assignment = (**assignment).clone();
            joined.leaves_its_agent().and(What::Released { conversation, assignment })
        }
        Some(Owner::Snoozed { agent: owner, .. }) if **owner == *agent => joined.draft(),
        Some(Owner::Agent { .. } | Owner::Snoozed { .. }) => return Err(not_owner()),
        Some(Owner::Queue { queue, .. }) => {
            let (queue, owner_epoch) = ((**queue).clone(), joined.conversation.owner_epoch);
            joined.draft().and(What::Withdrawn { conversation, queue, owner_epoch })
        }
        Some(Owner::Bot { .. }) | None => joined.draft(),
    })
}
