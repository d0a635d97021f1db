//! The rules of the workspace: a document without problems becomes the next version.

use std::sync::Arc;

use crate::{Code, Context, Policies, Policy, Rejection};

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

/// Inboxes that another tenant has. Which one is none of this tenant's business.
fn taken(policies: &Policies, policy: &Policy) -> Vec<Problem> {
    let others = || policies.all().filter(|other| other.tenant != policy.tenant);
    policy
        .inboxes
        .keys()
        .filter(|inbox| others().any(|other| other.inboxes.contains_key(*inbox)))
        .map(|inbox| Problem::new(format!("inboxes.{inbox}"), "this name is taken by another tenant"))
        .collect()
}

fn listed(problems: &[Problem]) -> String {
    let mut named: Vec<String> = problems.iter().take(NAMED).map(Problem::to_string).collect();
    if problems.len() > NAMED {
        named.push(format!("and {} more", problems.len() - NAMED));
    }
    named.join("; ")
}
