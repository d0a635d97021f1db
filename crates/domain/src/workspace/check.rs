//! What a policy document must satisfy by itself, before and when it is applied.

mod hours;
mod links;
mod queues;

use std::{fmt, ops::RangeInclusive};

use crate::{
    Channel, Millis, Policy, QueueId,
    policy::{self, Agent, BotKind, Capacity},
};

const ANSWER_WITHIN: RangeInclusive<Millis> = Millis::seconds(1)..=Millis::seconds(10 * 60);

/// Something wrong in a policy document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where, as a path of keys: `inboxes.email.queue`.
    pub at: String,
    /// What, as a sentence's predicate or a sentence.
    pub what: String,
}

impl Problem {
    pub(in crate::workspace) fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Problem { at: at.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Everything that is wrong in the document itself, in the document's order. What only the workspace can know
/// (whether an inbox's name is taken by another tenant) is found when it is applied.
pub fn check(policy: &Policy) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_inboxes(policy, &mut problems);
    check_queues(policy, &mut problems);
    check_agents(policy, &mut problems);
    check_bots(policy, &mut problems);
    links::check(policy, &mut problems);
    for (name, hours) in &policy.hours {
        hours::check(&format!("hours.{name}"), name, hours, policy, &mut problems);
    }
    problems
}

fn check_inboxes(policy: &Policy, problems: &mut Vec<Problem>) {
    for (name, inbox) in &policy.inboxes {
        if !policy.queues.contains_key(&inbox.queue) {
            problems.push(Problem::new(
                format!("inboxes.{name}.queue"),
                format!("there is no queue {}", inbox.queue),
            ));
        }
        if inbox.channel == Channel::Email && policy::is_nobody(&inbox.address) {
            problems.push(Problem::new(
                format!("inboxes.{name}.address"),
                "tells customers that nobody reads there, and they are to answer to it",
            ));
        }
        if let Some(bot) = inbox.bot.as_ref().filter(|bot| !policy.bots.contains_key(*bot)) {
            problems.push(Problem::new(format!("inboxes.{name}.bot"), format!("there is no bot {bot}")));
        }
    }
}

fn check_queues(policy: &Policy, problems: &mut Vec<Problem>) {
    for (name, queue) in &policy.queues {
        let at = format!("queues.{name}");
        if name.desk.tenant != policy.tenant {
            problems.push(Problem::new(&at, format!("this is not a queue of tenant {}", policy.tenant)));
        }
        queues::check(&at, name, queue, policy, problems);
    }
}

fn check_agents(policy: &Policy, problems: &mut Vec<Problem>) {
    let desks = policy.desks();
    for (name, agent) in &policy.agents {
        let at = format!("agents.{name}");
        if name.desk.tenant != policy.tenant {
            problems.push(Problem::new(&at, format!("this is not an agent of tenant {}", policy.tenant)));
        }
        for queue in &agent.queues {
            let what = if !policy.queues.contains_key(queue) {
                format!("there is no queue {queue}")
            } else if queue.desk != name.desk {
                format!("queue {queue} is not at the agent's home desk {}", name.desk)
            } else {
                continue;
            };
            problems.push(Problem::new(format!("{at}.queues"), what));
        }
        for (skill, _) in agent.skills.iter().filter(|(_, level)| **level == 0) {
            let at = format!("{at}.skills.{skill}");
            problems.push(Problem::new(at, "levels begin at 1; who does not have a skill leaves it out"));
        }
        for desk in agent.supervises.iter().filter(|desk| !desks.contains(*desk)) {
            problems.push(Problem::new(format!("{at}.supervises"), format!("there is no desk {desk}")));
        }
        check_capacity(&at, agent, policy, problems);
    }
}

fn check_capacity(at: &str, agent: &Agent, policy: &Policy, problems: &mut Vec<Problem>) {
    let Capacity { total, per_channel: _, weights } = &agent.capacity;
    if *total == 0 {
        problems.push(Problem::new(format!("{at}.capacity.total"), "must be at least 1"));
    }
    for (channel, weight) in weights {
        let at = format!("{at}.weights.{}", channel.as_str());
        if *weight == 0 {
            problems.push(Problem::new(at, "must be at least 1"));
        } else if weight > total {
            problems.push(Problem::new(at, format!("{weight} will never fit in a capacity of {total}")));
        }
    }
    let assigns =
        |queue: &&QueueId| policy.queues.get(*queue).is_some_and(|queue: &policy::Queue| queue.auto_accept);
    if !Channel::ALL.iter().any(|channel| agent.capacity.admits(*channel))
        && let Some(queue) = agent.queues.iter().find(assigns)
    {
        let what = format!("there is no room for anything, yet queue {queue} assigns without asking");
        problems.push(Problem::new(format!("{at}.capacity"), what));
    }
}

fn check_bots(policy: &Policy, problems: &mut Vec<Problem>) {
    for (name, bot) in &policy.bots {
        if !ANSWER_WITHIN.contains(&bot.answer_within) {
            problems.push(Problem::new(
                format!("bots.{name}.answer_within"),
                "must be between 1 second and 10 minutes",
            ));
        }
        if let BotKind::BuiltIn(flow) = &bot.kind
            && let Some(hours) = flow.hours.as_ref().filter(|hours| !policy.hours.contains_key(*hours))
        {
            problems.push(Problem::new(
                format!("bots.{name}.flow.hours"),
                format!("there are no opening hours {hours}"),
            ));
        }
    }
}
