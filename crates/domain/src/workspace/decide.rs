//! The rules of the workspace: a document without problems becomes the next version.

use std::sync::Arc;

use crate::{Channel, Code, Context, Policies, Policy, Rejection, policy::Inbox};

use super::{Command, Event, Problem, Workspaces, check};

/// A refusal names this many problems: an answer must stay short enough for every transport.
const NAMED: usize = 20;

pub(super) fn decide(
    state: &Workspaces,
    _context: &Context,
    command: &Command,
) -> Result<Vec<Event>, Rejection> {
    let Command::Apply(document) = command;
    let in_force = state.in_force().of(&document.tenant);
    let version = in_force.map_or(0, |policy| policy.version);
    let mut policy = Policy { version, ..Policy::clone(document) };
    if in_force.is_some_and(|in_force| **in_force == policy) {
        return Ok(Vec::new());
    }
    let mut problems = check(&policy);
    problems.extend(taken(state.in_force(), &policy));
    if !problems.is_empty() {
        return Err(Rejection::new(Code::Invalid, listed(&problems)));
    }
    policy.version += 1;
    Ok(vec![Event::PolicyApplied(Arc::new(policy))])
}

/// Inboxes and mailboxes that another tenant has. Which one is none of this tenant's business.
fn taken(policies: &Policies, policy: &Policy) -> Vec<Problem> {
    let others = || policies.all().filter(|other| other.tenant != policy.tenant);
    let mut problems = Vec::new();
    for (name, inbox) in &policy.inboxes {
        if others().any(|other| other.inboxes.contains_key(name)) {
            problems.push(Problem::new(format!("inboxes.{name}"), "this name is taken by another tenant"));
        }
        // Mail is for whoever has its address; webhooks name their inbox.
        if let Some(mailbox) = mailbox(inbox)
            && others()
                .flat_map(|other| other.inboxes.values().filter_map(self::mailbox))
                .any(|of| of == mailbox)
        {
            let at = format!("inboxes.{name}.address");
            problems.push(Problem::new(at, "this address is taken by another tenant"));
        }
    }
    problems
}

fn mailbox(inbox: &Inbox) -> Option<String> {
    (inbox.channel == Channel::Email).then(|| inbox.address.to_lowercase())
}

fn listed(problems: &[Problem]) -> String {
    let mut named: Vec<String> = problems.iter().take(NAMED).map(Problem::to_string).collect();
    if problems.len() > NAMED {
        named.push(format!("and {} more", problems.len() - NAMED));
    }
    named.join("; ")
}
