//! Queues and agents, both ways.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Channel, Millis, Rejection,
    policy::{
        Ageing, Agent, Callback, Capacity, Needs, Overflow, Queue, Relaxation, Selection, Sticky, Vip,
        WhenClosed,
    },
};
use wire::api::v1::policy::{self as doc, when_closed};

use super::{
    super::{duration, invalid, parse},
    millis,
};

pub(super) fn queue_message(queue: &Queue) -> doc::Queue {
    let relaxation = |relaxation: &Relaxation| doc::Relaxation {
        after: duration(relaxation.after),
        needs: Some(needs_message(&relaxation.needs)),
    };
    doc::Queue {
        priority: queue.priority,
        offer_timeout: duration(queue.offer_timeout),
        ageing: queue.ageing.map(|it| doc::Ageing { every: duration(it.every), most: it.most }),
        needs: (queue.needs != Needs::default()).then(|| needs_message(&queue.needs)),
        relaxations: queue.relaxations.iter().map(relaxation).collect(),
        selection: selection_message(queue.selection).into(),
        overflow: queue.overflow.as_ref().map(|overflow| doc::Overflow {
            to: overflow.to.to_string(),
            after: overflow.after.and_then(duration),
            refusals: overflow.refusals.unwrap_or_default(),
        }),
        sticky: queue
            .sticky
            .map(|sticky| doc::Sticky { within: duration(sticky.within), grace: duration(sticky.grace) }),
        auto_accept: queue.auto_accept,
        wrap_up: queue.wrap_up.and_then(duration),
        answer_within: queue.answer_within.and_then(duration),
        default: queue.default,
        hours: queue.hours.as_ref().map(ToString::to_string).unwrap_or_default(),
        when_closed: queue.when_closed.as_ref().map(|when_closed| doc::WhenClosed {
            kind: Some(match when_closed {
                WhenClosed::Say(text) => when_closed::Kind::Say(text.clone()),
                WhenClosed::Overflow(to) => when_closed::Kind::Overflow(to.to_string()),
                WhenClosed::Callback(callback) => when_closed::Kind::Callback(doc::Callback {
                    inbox: callback.inbox.to_string(),
                    promise: callback.promise.clone(),
                    say: callback.say.clone().unwrap_or_default(),
                }),
            }),
        }),
        away_after_expired: queue.away_after_expired.unwrap_or_default(),
        vip: queue
            .vip
            .iter()
            .map(|vip| doc::Vip { tag: vip.tag.to_string(), priority: vip.priority })
            .collect(),
    }
}

pub(super) fn queue(at: &str, queue: doc::Queue) -> Result<Queue, Rejection> {
    let of = |key: &str| format!("{at}.{key}");
    let relaxations = queue.relaxations.into_iter().enumerate().map(|(place, relaxation)| {
        let at = format!("{at}.relaxations[{place}]");
        Ok(Relaxation {
            after: millis(&format!("{at}.after"), relaxation.after)?,
            needs: needs(&format!("{at}.needs"), relaxation.needs)?,
        })
    });
    let overflow = queue.overflow.map(|overflow| {
        Ok(Overflow {
            to: parse(&of("overflow.to"), &overflow.to)?,
            after: optional(&of("overflow.after"), overflow.after)?,
            refusals: Some(overflow.refusals).filter(|refusals| *refusals > 0),
        })
    });
    let closed = queue.when_closed.map(|when_closed| match when_closed.kind {
        Some(when_closed::Kind::Say(text)) => Ok(WhenClosed::Say(text)),
        Some(when_closed::Kind::Overflow(to)) => {
            Ok(WhenClosed::Overflow(parse(&of("when_closed.overflow"), &to)?))
        }
        Some(when_closed::Kind::Callback(callback)) => Ok(WhenClosed::Callback(Callback {
            inbox: parse(&of("when_closed.callback.inbox"), &callback.inbox)?,
            promise: callback.promise,
            say: Some(callback.say).filter(|text| !text.is_empty()),
        })),
        None => Err(invalid(format!("`{at}.when_closed`: say something, or where conversations go"))),
    });
    let ageing = queue
        .ageing
        .map(|ageing| Ok(Ageing { every: millis(&of("ageing.every"), ageing.every)?, most: ageing.most }));
    let sticky = queue.sticky.map(|sticky| {
        Ok(Sticky {
            within: millis(&of("sticky.within"), sticky.within)?,
            grace: millis(&of("sticky.grace"), sticky.grace)?,
        })
    });
    Ok(Queue {
        priority: queue.priority,
        ageing: ageing.transpose()?,
        offer_timeout: millis(&of("offer_timeout"), queue.offer_timeout)?,
        needs: needs(&of("needs"), queue.needs)?,
        relaxations: relaxations.collect::<Result<_, _>>()?,
        selection: selection(&of("selection"), queue.selection)?,
        overflow: overflow.transpose()?,
        sticky: sticky.transpose()?,
        auto_accept: queue.auto_accept,
        wrap_up: optional(&of("wrap_up"), queue.wrap_up)?,
        answer_within: optional(&of("answer_within"), queue.answer_within)?,
        default: queue.default,
        hours: super::optional(&of("hours"), &queue.hours)?,
        when_closed: closed.transpose()?,
        away_after_expired: Some(queue.away_after_expired).filter(|most| *most > 0),
        vip: queue.vip.into_iter().map(|vip| Vip { tag: vip.tag.into(), priority: vip.priority }).collect(),
    })
}

pub(super) fn agent_message(agent: &Agent) -> doc::Agent {
    doc::Agent {
        queues: agent.queues.iter().map(ToString::to_string).collect(),
        total: agent.capacity.total,
        per_channel: by_channel(&agent.capacity.per_channel),
        weights: by_channel(&agent.capacity.weights),
        skills: agent.skills.iter().map(|(skill, level)| (skill.to_string(), (*level).into())).collect(),
        languages: agent.languages.iter().map(ToString::to_string).collect(),
        supervises: agent.supervises.iter().map(ToString::to_string).collect(),
        name: agent.name.as_deref().unwrap_or_default().to_owned(),
    }
}

pub(super) fn agent(at: &str, agent: doc::Agent) -> Result<Agent, Rejection> {
    let queues = agent.queues.iter().map(|queue| parse(&format!("{at}.queues"), queue));
    Ok(Agent {
        queues: queues.collect::<Result<_, _>>()?,
        capacity: Capacity {
            total: agent.total,
            per_channel: of_channels(&format!("{at}.per_channel"), agent.per_channel)?,
            weights: of_channels(&format!("{at}.weights"), agent.weights)?,
        },
        skills: levels(&format!("{at}.skills"), agent.skills)?,
        languages: names(&format!("{at}.languages"), &agent.languages)?,
        supervises: names(&format!("{at}.supervises"), &agent.supervises)?,
        name: (!agent.name.is_empty()).then(|| agent.name.as_str().into()),
    })
}

pub(crate) fn needs_message(needs: &Needs) -> doc::Needs {
    doc::Needs {
        skills: needs.skills.iter().map(|(skill, level)| (skill.to_string(), (*level).into())).collect(),
        languages: needs.languages.iter().map(ToString::to_string).collect(),
    }
}

fn needs(at: &str, needs: Option<doc::Needs>) -> Result<Needs, Rejection> {
    let needs = needs.unwrap_or_default();
    Ok(Needs {
        skills: levels(&format!("{at}.skills"), needs.skills)?,
        languages: names(&format!("{at}.languages"), &needs.languages)?,
    })
}

pub(crate) fn selection_message(selection: Selection) -> doc::Selection {
    match selection {
        Selection::LongestIdle => doc::Selection::LongestIdle,
        Selection::LeastLoaded => doc::Selection::LeastLoaded,
        Selection::MostSkilled => doc::Selection::MostSkilled,
        Selection::RoundRobin => doc::Selection::RoundRobin,
    }
}

fn selection(at: &str, number: i32) -> Result<Selection, Rejection> {
    match doc::Selection::try_from(number) {
        Ok(doc::Selection::Unspecified) => Ok(Selection::default()),
        Ok(doc::Selection::LongestIdle) => Ok(Selection::LongestIdle),
        Ok(doc::Selection::LeastLoaded) => Ok(Selection::LeastLoaded),
        Ok(doc::Selection::MostSkilled) => Ok(Selection::MostSkilled),
        Ok(doc::Selection::RoundRobin) => Ok(Selection::RoundRobin),
        Err(_) => Err(invalid(format!("`{at}`: {number} is no selection"))),
    }
}

fn by_channel(numbers: &BTreeMap<Channel, u32>) -> BTreeMap<String, u32> {
    numbers.iter().map(|(channel, number)| (channel.as_str().to_owned(), *number)).collect()
}

fn of_channels(at: &str, numbers: BTreeMap<String, u32>) -> Result<BTreeMap<Channel, u32>, Rejection> {
    let entry = |(name, number): (String, u32)| match Channel::named(&name) {
        Some(channel) => Ok((channel, number)),
        None => Err(invalid(format!("`{at}`: {name:?} is no channel"))),
    };
    numbers.into_iter().map(entry).collect()
}

pub(crate) fn levels<K>(at: &str, levels: BTreeMap<String, u32>) -> Result<BTreeMap<K, u8>, Rejection>
where
    K: std::str::FromStr + Ord,
    K::Err: std::fmt::Display,
{
    let entry = |(name, level): (String, u32)| {
        let level =
            level.try_into().map_err(|_| invalid(format!("`{at}.{name}`: levels go from 1 to 255")))?;
        Ok((parse(at, &name)?, level))
    };
    levels.into_iter().map(entry).collect()
}

pub(crate) fn names<T>(at: &str, names: &[String]) -> Result<BTreeSet<T>, Rejection>
where
    T: std::str::FromStr + Ord,
    T::Err: std::fmt::Display,
{
    names.iter().map(|name| parse(at, name)).collect()
}

fn optional(at: &str, span: Option<prost_types::Duration>) -> Result<Option<Millis>, Rejection> {
    span.map(|span| millis(at, Some(span))).transpose()
}
