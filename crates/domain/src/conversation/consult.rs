//! Another agent is asked in: looks on, exchanges remarks with the one who has the conversation, and owns nothing of it.
//!
//! ```text
//! Consult ──▶ ConsultAsked ──relay──▶ desk: who is there, and has time ──relay──▶ ConsultBegan, or ConsultFailed
//! ```
//!
//! It is over when either says so, when who is consulted is gone, and with the assignment it began in. One at a time.

use crate::{AgentId, Code, CommandId, Context, ConversationId, MessageId, OfferId, Rejection, Sealed};

use super::{
    Consult, ConsultEnd, Conversations, Owner, Transfer, What,
    agents::{destination, held},
    decide::{Decided, NOTHING},
    draft::{Draft, Found, is_closed, policy},
};

pub(super) fn ask(
    state: &Conversations,
    context: &Context,
    id: ConversationId,
    agent: &AgentId,
    assignment: &OfferId,
    whom: &Transfer,
    note: Option<Sealed>,
) -> Decided {
    let (found, own) = held(state, id, agent, assignment)?;
    let invalid = |what: String| Err(Rejection::new(Code::Invalid, what));
    let Some(consult) = context.command else {
        return invalid("a consultation needs a command id, by which it is answered".into());
    };
    match found.consult() {
        Some(Consult { agent: Some(other), .. }) => {
            return invalid(format!("agent {other} is consulted already: end that first"));
        }
        Some(Consult { agent: None, .. }) => return invalid("someone is being asked in already".into()),
        None => {}
    }
    let policy = policy(context, &found.customer.endpoint.tenant)?;
    let (queue, wanted) = destination(policy, whom, own)?;
    if wanted.as_ref() == Some(agent) {
        return invalid("nobody consults themselves".into());
    }
    let whom = wanted.map_or_else(|| Transfer::Queue(queue.clone()), Transfer::Agent);
    let by = agent.clone();
    Ok(found.draft().and(What::ConsultAsked { conversation: id, consult, by, whom, note }).finish())
}

/// The desk has someone, or nobody.
pub(super) fn answered(
    state: &Conversations,
    id: ConversationId,
    consult: CommandId,
    agent: Option<&AgentId>,
) -> Decided {
    // Whoever was asked in for what is over by now hears so.
    let Some((found, asked, by)) = asked(state, id, consult) else { return NOTHING };
    Ok(found.draft().and(began(id, asked, by, agent)).finish())
}

fn began(conversation: ConversationId, asked: &Consult, by: &AgentId, agent: Option<&AgentId>) -> What {
    let consult = asked.id;
    match agent.cloned() {
        Some(agent) => {
            let note = asked.note.as_ref().map(crate::Kept::sealed);
            What::ConsultBegan { conversation, consult, by: by.clone(), agent, note }
        }
        None => What::ConsultFailed { conversation, consult },
    }
}

/// Who is consulted is gone.
pub(super) fn gone(state: &Conversations, id: ConversationId, consult: CommandId) -> Decided {
    match asked(state, id, consult) {
        Some((found, asked, _)) => Ok(found.draft().and(ended(id, asked, ConsultEnd::AgentGone)).finish()),
        None => NOTHING,
    }
}

/// One of the two has had enough.
pub(super) fn end(state: &Conversations, id: ConversationId, agent: &AgentId) -> Decided {
    let (found, asked) = taking_part(state, id, agent)?;
    Ok(found.draft().and(ended(id, asked, ConsultEnd::Said)).finish())
}

pub(super) fn remark(
    state: &Conversations,
    id: ConversationId,
    agent: &AgentId,
    message: MessageId,
    body: Sealed,
) -> Decided {
    let (found, asked) = taking_part(state, id, agent)?;
    if asked.agent.is_none() {
        return Err(Rejection::new(Code::NotPresent, "nobody is in yet"));
    }
    let by = agent.clone();
    Ok(found.draft().and(What::Remarked { conversation: id, by, message, body }).finish())
}

fn ended(conversation: ConversationId, asked: &Consult, because: ConsultEnd) -> What {
    let Consult { id: consult, desk, agent, note: _ } = asked.clone();
    What::ConsultEnded { conversation, consult, desk, agent, because }
}

/// The consultation of this name, if it goes on, and who asked for it.
fn asked(
    state: &Conversations,
    id: ConversationId,
    consult: CommandId,
) -> Option<(Found<'_>, &Consult, &AgentId)> {
    let found = Found::find(state, id)?;
    match found.conversation.owner() {
        Some(Owner::Agent { agent, consult: Some(asked), .. }) if asked.id == consult => {
            Some((found, asked, agent))
        }
        _ => None,
    }
}

/// The consultation that this agent takes part in.
fn taking_part<'a>(
    state: &'a Conversations,
    id: ConversationId,
    agent: &AgentId,
) -> Result<(Found<'a>, &'a Consult), Rejection> {
    let found = Found::of_tenant(state, id, &agent.desk.tenant)?;
    let stranger = || Rejection::new(Code::NotOwner, "this agent takes no part in the conversation");
    match found.conversation.owner().ok_or_else(is_closed)? {
        Owner::Agent { agent: owner, consult: Some(asked), .. }
            if **owner == *agent || asked.agent.as_ref() == Some(agent) =>
        {
            Ok((found, asked))
        }
        Owner::Agent { agent: owner, consult: None, .. } if **owner == *agent => {
            Err(Rejection::new(Code::Invalid, "nobody is consulted"))
        }
        _ => Err(stranger()),
    }
}

impl<'a> Found<'a> {
    fn consult(&self) -> Option<&'a Consult> {
        match self.conversation.owner() {
            Some(Owner::Agent { consult, .. }) => consult.as_deref(),
            _ => None,
        }
    }

    /// What follows takes the conversation from its agent, if one has it: who was asked in goes, too.
    pub(super) fn leaves_its_agent(&self) -> Draft {
        let draft = self.draft();
        match self.consult() {
            Some(asked) => draft.and(ended(self.id, asked, ConsultEnd::Left)),
            None => draft,
        }
    }
}
