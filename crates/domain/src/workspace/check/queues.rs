//! Whether a queue can work: times that make sense, needs that somebody meets, an overflow that leads somewhere.

use std::{collections::BTreeSet, ops::RangeInclusive};

use crate::{
    Channel, Millis, Policy, QueueId, contact,
    policy::{Needs, Queue, WhenClosed},
};

use super::Problem;

const OFFER_TIMEOUT: RangeInclusive<Millis> = Millis::seconds(1)..=Millis::hours(1);
const WAITING: RangeInclusive<Millis> = Millis::seconds(1)..=Millis::hours(30 * 24);
/// What an away message may speak of.
const PLACEHOLDERS: [&str; 2] = ["date", "time"];
const SHORT: RangeInclusive<Millis> = Millis::seconds(1)..=Millis::hours(1);

pub(super) fn check(at: &str, name: &QueueId, queue: &Queue, policy: &Policy, problems: &mut Vec<Problem>) {
    let mut wrong = |key: &str, what: String| problems.push(Problem::new(format!("{at}.{key}"), what));
    if !OFFER_TIMEOUT.contains(&queue.offer_timeout) {
        wrong("offer_timeout", "must be between 1 second and 1 hour".into());
    }
    if queue.wrap_up.is_some_and(|limit| !SHORT.contains(&limit)) {
        wrong("wrap_up", "must be between 1 second and 1 hour".into());
    }
    if queue.answer_within.is_some_and(|target| !WAITING.contains(&target)) {
        wrong("answer_within", "must be between 1 second and 30 days".into());
    }
    let before = || policy.queues_at(&name.desk).take_while(move |(other, _)| *other < name);
    if queue.default
        && let Some((other, _)) = before().find(|(_, other)| other.default)
    {
        wrong("default", format!("queue {other} is the default of desk {} already", name.desk));
    }
    if let Some(ageing) = queue.ageing
        && (ageing.most == 0 || !WAITING.contains(&ageing.every))
    {
        wrong("ageing", "`every` must be between 1 second and 30 days, and `most` at least 1".into());
    }
    if let Some(sticky) = queue.sticky
        && (!SHORT.contains(&sticky.grace) || !WAITING.contains(&sticky.within))
    {
        wrong(
            "sticky",
            "`grace` must be between 1 second and 1 hour, `within` between 1 second and 30 days".into(),
        );
    }
    if queue.away_after_expired == Some(0) {
        wrong("away_after_expired", "must be at least 1".into());
    }
    for (key, what) in vip(queue) {
        wrong(&key, what);
    }
    for (key, what) in needs(name, queue, policy) {
        wrong(&key, what);
    }
    for (key, what) in overflow(queue).into_iter().chain(leads(name, queue, policy)) {
        wrong(key, what);
    }
    for (key, what) in opening(queue, policy) {
        wrong(key, what);
    }
    if queue.overflow.is_none()
        && let Some(what) = nobody(name, queue, policy)
    {
        problems.push(Problem::new(at, what));
    }
}

/// What is wrong with who goes before others: a tag that no contact can have would never count.
fn vip(queue: &Queue) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for (place, vip) in queue.vip.iter().enumerate() {
        if let Some(what) = contact::tag_problem(&vip.tag) {
            wrong.push((format!("vip[{place}].tag"), what));
        }
        if vip.priority == 0 {
            wrong.push((format!("vip[{place}].priority"), "gives no points: must be at least 1".into()));
        }
        if queue.vip[..place].iter().any(|other| other.tag == vip.tag) {
            wrong.push((format!("vip[{place}].tag"), format!("the tag {:?} is named twice", vip.tag)));
        }
    }
    wrong
}

/// What is wrong with what the queue needs, now and after some waiting.
fn needs(name: &QueueId, queue: &Queue, policy: &Policy) -> Vec<(String, String)> {
    let mut wrong = unknown("needs", &queue.needs, name, policy);
    let (mut before, mut since) = (&queue.needs, Millis(0));
    for (place, relaxation) in queue.relaxations.iter().enumerate() {
        let at = format!("relaxations[{place}]");
        if relaxation.after <= since || !WAITING.contains(&relaxation.after) {
            wrong
                .push((format!("{at}.after"), "each comes later than the one before, within 30 days".into()));
        }
        if !relaxation.needs.is_no_stricter_than(before) {
            wrong.push((format!("{at}.needs"), "needs more than before it: waiting must not narrow".into()));
        }
        wrong.extend(unknown(&format!("{at}.needs"), &relaxation.needs, name, policy));
        (before, since) = (&relaxation.needs, relaxation.after);
    }
    wrong
}

/// Skills and languages that no agent of the desk has are misspelt, or nobody's yet.
fn unknown(at: &str, needs: &Needs, name: &QueueId, policy: &Policy) -> Vec<(String, String)> {
    let here = || policy.agents.iter().filter(|(agent, _)| agent.desk == name.desk).map(|(_, agent)| agent);
    let mut wrong = Vec::new();
    for (skill, level) in &needs.skills {
        let best = here().filter_map(|agent| agent.skills.get(skill)).max();
        match best {
            _ if *level == 0 => wrong.push((format!("{at}.skills.{skill}"), "levels begin at 1".into())),
            None => {
                let what = format!("unknown skill: no agent of desk {} has it", name.desk);
                wrong.push((format!("{at}.skills.{skill}"), what));
            }
            Some(best) if best < level => {
                let what =
                    format!("no agent of desk {} has it at level {level} (the best: {best})", name.desk);
                wrong.push((format!("{at}.skills.{skill}"), what));
            }
            Some(_) => {}
        }
    }
    for language in &needs.languages {
        if !here().any(|agent| agent.languages.contains(language)) {
            let what = format!("no agent of desk {} speaks {language}", name.desk);
            wrong.push((format!("{at}.languages"), what));
        }
    }
    wrong
}

fn overflow(queue: &Queue) -> Vec<(&'static str, String)> {
    let Some(overflow) = &queue.overflow else { return Vec::new() };
    let mut wrong = Vec::new();
    if overflow.after.is_none() && overflow.refusals.is_none() {
        wrong.push(("overflow", "say `after` how long, or after how many `refusals`".into()));
    }
    if overflow.after.is_some_and(|after| !WAITING.contains(&after)) {
        wrong.push(("overflow.after", "must be between 1 second and 30 days".into()));
    }
    if overflow.refusals == Some(0) {
        wrong.push(("overflow.refusals", "must be at least 1".into()));
    }
    wrong
}

/// Where conversations go on to, and under which key that stands.
fn onward(queue: &Queue) -> impl Iterator<Item = (&'static str, &QueueId)> {
    let overflow = queue.overflow.iter().map(|overflow| ("overflow.to", &overflow.to));
    let closed = queue.when_closed.iter().filter_map(|when_closed| match when_closed {
        WhenClosed::Overflow(to) => Some(("when_closed.overflow", to)),
        WhenClosed::Say(_) | WhenClosed::Callback(_) => None,
    });
    overflow.chain(closed)
}

/// What is wrong with where conversations go on to: a conversation may take any of the ways there are.
fn leads(name: &QueueId, queue: &Queue, policy: &Policy) -> Vec<(&'static str, String)> {
    let wrong = onward(queue).filter_map(|(key, to)| {
        if !policy.queues.contains_key(to) {
            return Some((key, format!("there is no queue {to}")));
        }
        let mut reached = BTreeSet::from([to]);
        let mut open = vec![to];
        while let Some(queue) = open.pop().and_then(|next| policy.queues.get(next)) {
            open.extend(onward(queue).map(|(_, to)| to).filter(|to| reached.insert(*to)));
        }
        let back = "leads back here: whoever waits would go round for ever".to_owned();
        reached.contains(name).then_some((key, back))
    });
    wrong.collect()
}

/// What is wrong with when it is open, and with what happens when it is not.
fn opening(queue: &Queue, policy: &Policy) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    match &queue.hours {
        None if queue.when_closed.is_some() => {
            wrong.push(("when_closed", "without `hours` this queue never closes".into()));
        }
        None => {}
        Some(hours) => match policy.hours.get(hours) {
            None => wrong.push(("hours", format!("there are no hours {hours}"))),
            Some(known) if known.open.is_empty() => {
                wrong.push((
                    "hours",
                    format!("hours {hours} are never open: whoever waits would wait for ever"),
                ));
            }
            Some(_) => {}
        },
    }
    match &queue.when_closed {
        Some(WhenClosed::Say(text)) => wrong.extend(words("when_closed.say", text)),
        Some(WhenClosed::Callback(callback)) => {
            let at = "when_closed.callback";
            match policy.inboxes.get(&callback.inbox).map(|inbox| inbox.channel) {
                Some(Channel::Email) => {}
                Some(other) => {
                    let (inbox, other) = (&callback.inbox, other.as_str());
                    wrong.push((at, format!("inbox {inbox} is no e-mail inbox to answer from, but {other}")));
                }
                None => wrong.push((at, format!("there is no inbox {} to answer from", callback.inbox))),
            }
            wrong.extend(words("when_closed.promise", &callback.promise));
            wrong.extend(callback.say.iter().flat_map(|text| words("when_closed.say", text)));
        }
        Some(WhenClosed::Overflow(_)) | None => {}
    }
    wrong
}

/// What is wrong with what customers are told.
fn words(key: &'static str, text: &str) -> impl Iterator<Item = (&'static str, String)> {
    let empty = text.trim().is_empty().then(|| "says nothing".to_owned());
    let unknown = placeholders(text).filter(|name| !PLACEHOLDERS.contains(name)).map(|unknown| {
        format!("{{{unknown}}} stands for nothing; there are {{date}} and {{time}}, of when it opens")
    });
    empty.into_iter().chain(unknown).map(move |what| (key, what))
}

/// The names in braces.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// Why nobody could ever take from this queue, if that is so.
fn nobody(name: &QueueId, queue: &Queue, policy: &Policy) -> Option<String> {
    let serving: Vec<_> = policy.agents.values().filter(|agent| agent.queues.contains(name)).collect();
    if serving.is_empty() {
        return Some("no agent serves this queue: whoever waits here would wait for ever".into());
    }
    let last = queue.needs_at(queue.relaxations.len());
    let able: Vec<_> = serving.into_iter().filter(|agent| last.met_by(agent)).collect();
    if able.is_empty() {
        return Some("no agent who serves this queue has what it needs, however long one waits".into());
    }
    let fed = policy.inboxes.values().filter(|inbox| inbox.queue == *name).map(|inbox| inbox.channel);
    let closed = fed.into_iter().find(|channel: &Channel| {
        able.iter().all(|agent| agent.capacity.total > 0 && !agent.capacity.admits(*channel))
    });
    closed.map(|channel| {
        format!("no agent who could take from this queue has room for {}, which comes here", channel.as_str())
    })
}
