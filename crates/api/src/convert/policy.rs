//! The workspace's document, both ways.

mod hours;
mod links;
mod routing;

pub(crate) use routing::{levels, names, needs_message, selection_message};

use std::collections::BTreeMap;

use domain::{
    Channel, Millis, Policy, Rejection, TenantId,
    policy::{Bot, BotKind, Flow, Inbox, KeywordAnswer},
};
use wire::api::v1::{
    self as pb,
    policy::{self as doc, bot},
};

use super::{duration, invalid, parse};

/// A policy as the API takes and gives it.
pub fn to_message(policy: &Policy) -> pb::Policy {
    pb::Policy {
        tenant: policy.tenant.to_string(),
        version: policy.version,
        inboxes: each(&policy.inboxes, inbox_message),
        queues: each(&policy.queues, routing::queue_message),
        agents: each(&policy.agents, routing::agent_message),
        bots: each(&policy.bots, |bot| doc::Bot {
            answer_within: duration(bot.answer_within),
            kind: Some(match &bot.kind {
                BotKind::BuiltIn(flow) => bot::Kind::BuiltIn(flow_message(flow)),
                BotKind::Stream => bot::Kind::Stream(doc::Stream {}),
            }),
        }),
        hours: each(&policy.hours, hours::hours_message),
        links: each(&policy.links, links::link_message),
    }
}

/// The document as a tenant sends it; what is in it is checked where it is decided about.
pub(crate) fn from_message(tenant: &TenantId, message: pb::Policy) -> Result<Policy, Rejection> {
    if !message.tenant.is_empty() && message.tenant != tenant.as_str() {
        return Err(invalid(format!("`tenant`: this token belongs to {tenant}")));
    }
    Ok(Policy {
        tenant: tenant.clone(),
        version: 0,
        inboxes: keyed("inboxes", message.inboxes, inbox)?,
        queues: keyed("queues", message.queues, routing::queue)?,
        agents: keyed("agents", message.agents, routing::agent)?,
        bots: keyed("bots", message.bots, |at, bot| {
            Ok(Bot {
                answer_within: millis(&format!("{at}.answer_within"), bot.answer_within)?,
                kind: match bot.kind {
                    Some(bot::Kind::BuiltIn(said)) => BotKind::BuiltIn(flow(at, said)?),
                    Some(bot::Kind::Stream(doc::Stream {})) => BotKind::Stream,
                    None => return Err(invalid(format!("`{at}`: say which kind of bot it is"))),
                },
            })
        })?,
        hours: keyed("hours", message.hours, hours::hours)?,
        links: keyed("links", message.links, links::link)?,
    })
}

fn inbox_message(inbox: &Inbox) -> doc::Inbox {
    doc::Inbox {
        channel: super::channel(inbox.channel).into(),
        address: inbox.address.clone(),
        bot: inbox.bot.as_ref().map(ToString::to_string).unwrap_or_default(),
        queue: inbox.queue.to_string(),
        reopen_within: duration(inbox.reopen_within),
        sandbox: inbox.sandbox,
        settings: inbox.settings.clone(),
    }
}

fn inbox(at: &str, inbox: doc::Inbox) -> Result<Inbox, Rejection> {
    Ok(Inbox {
        channel: Channel::ALL
            .into_iter()
            .find(|channel| super::channel(*channel) as i32 == inbox.channel)
            .ok_or_else(|| invalid(format!("`{at}.channel`: {} is no channel", inbox.channel)))?,
        address: inbox.address,
        bot: optional(&format!("{at}.bot"), &inbox.bot)?,
        queue: parse(&format!("{at}.queue"), &inbox.queue)?,
        reopen_within: millis(&format!("{at}.reopen_within"), inbox.reopen_within)?,
        sandbox: inbox.sandbox,
        settings: inbox.settings,
    })
}

fn flow_message(flow: &Flow) -> doc::Flow {
    let answer = |answer: &KeywordAnswer| doc::KeywordAnswer {
        words: answer.words.clone(),
        text: answer.text.clone(),
    };
    doc::Flow {
        greeting: flow.greeting.clone(),
        quick_replies: flow.quick_replies.clone(),
        answers: flow.answers.iter().map(answer).collect(),
        person_words: flow.person_words.clone(),
        hand_off_text: flow.hand_off_text.clone(),
        hours: flow.hours.as_ref().map(ToString::to_string).unwrap_or_default(),
        away_text: flow.away_text.clone(),
    }
}

fn flow(at: &str, flow: doc::Flow) -> Result<Flow, Rejection> {
    let answer = |answer: doc::KeywordAnswer| KeywordAnswer { words: answer.words, text: answer.text };
    Ok(Flow {
        greeting: flow.greeting,
        quick_replies: flow.quick_replies,
        answers: flow.answers.into_iter().map(answer).collect(),
        person_words: flow.person_words,
        hand_off_text: flow.hand_off_text,
        hours: optional(&format!("{at}.hours"), &flow.hours)?,
        away_text: flow.away_text,
    })
}

fn each<K: ToString, V, M>(map: &BTreeMap<K, V>, message: impl Fn(&V) -> M) -> BTreeMap<String, M> {
    map.iter().map(|(key, value)| (key.to_string(), message(value))).collect()
}

fn keyed<K, M, V>(
    at: &str,
    map: BTreeMap<String, M>,
    value: impl Fn(&str, M) -> Result<V, Rejection>,
) -> Result<BTreeMap<K, V>, Rejection>
where
    K: std::str::FromStr + Ord,
    K::Err: std::fmt::Display,
{
    map.into_iter()
        .map(|(key, message)| {
            let at = format!("{at}.{key}");
            Ok((parse(&at, &key)?, value(&at, message)?))
        })
        .collect()
}

fn optional<T>(at: &str, text: &str) -> Result<Option<T>, Rejection>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    if text.is_empty() { Ok(None) } else { parse(at, text).map(Some) }
}

fn millis(at: &str, span: Option<prost_types::Duration>) -> Result<Millis, Rejection> {
    let span = span.ok_or_else(|| invalid(format!("`{at}` is missing")))?;
    let bad = || invalid(format!("`{at}` must be a length of time that is not negative"));
    let seconds = u64::try_from(span.seconds).map_err(|_| bad())?;
    let millis = u64::try_from(span.nanos).map_err(|_| bad())? / 1_000_000;
    Ok(Millis(seconds.checked_mul(1_000).and_then(|whole| whole.checked_add(millis)).ok_or_else(bad)?))
}

#[cfg(test)]
mod tests {
    use domain::policy::{
        Ageing, Agent, Capacity, Day, Holiday, Hours, Link, Needs, OpenSpan, Overflow, Queue, Relaxation,
        Selection, Sticky, Vip, WhenClosed,
    };

    use super::*;

    fn queue() -> Queue {
        let needs = |level| Needs {
            skills: [("billing".parse().unwrap(), level)].into(),
            languages: ["de".parse().unwrap()].into(),
        };
        Queue {
            priority: -3,
            ageing: Some(Ageing { every: Millis::seconds(60), most: 9 }),
            offer_timeout: Millis::seconds(20),
            needs: needs(4),
            relaxations: vec![Relaxation { after: Millis::seconds(30), needs: needs(1) }],
            selection: Selection::MostSkilled,
            overflow: Some(Overflow {
                to: "acme/night/all".parse().unwrap(),
                after: Some(Millis::seconds(300)),
                refusals: Some(3),
            }),
            sticky: Some(Sticky { within: Millis::hours(24), grace: Millis::seconds(15) }),
            auto_accept: true,
            wrap_up: Some(Millis::seconds(45)),
            answer_within: Some(Millis::seconds(20)),
            default: true,
            hours: Some("office".parse().unwrap()),
            when_closed: Some(WhenClosed::Say("Back at {time}.".into())),
            away_after_expired: Some(2),
            vip: vec![Vip { tag: "gold".into(), priority: 5 }],
        }
    }

    fn agent() -> Agent {
        Agent {
            queues: ["acme/desk/all".parse().unwrap()].into(),
            capacity: Capacity {
                total: 4,
                per_channel: [(Channel::Sms, 2)].into(),
                weights: [(Channel::Messenger, 2)].into(),
            },
            skills: [("billing".parse().unwrap(), 5)].into(),
            languages: ["de".parse().unwrap()].into(),
            supervises: ["acme/desk".parse().unwrap()].into(),
            name: Some("Ann Berg".into()),
        }
    }

    fn office() -> Hours {
        let day = |year, month, day| Day { year, month, day };
        let christmas = Holiday { first: day(None, 12, 24), last: day(None, 12, 26), from: 0, to: 1440 };
        let eve = day(Some(2026), 12, 31);
        Hours {
            time_zone: "Europe/Berlin".into(),
            open: vec![OpenSpan { weekday: 1, from: 540, to: 1020 }],
            holidays: vec![christmas, Holiday { first: eve, last: eve, from: 720, to: 1440 }],
        }
    }

    fn policy() -> Policy {
        let flow = Flow {
            greeting: Some("Hello".into()),
            quick_replies: vec!["A person".into()],
            answers: vec![KeywordAnswer { words: vec!["price".into()], text: "10".into() }],
            person_words: vec!["person".into()],
            hand_off_text: None,
            hours: Some("office".parse().unwrap()),
            away_text: Some("Tomorrow".into()),
        };
        Policy {
            tenant: "acme".parse().unwrap(),
            version: 0,
            inboxes: [(
                "mail".parse().unwrap(),
                Inbox {
                    channel: Channel::Email,
                    address: "support@example.test".into(),
                    bot: Some("helper".parse().unwrap()),
                    queue: "acme/desk/all".parse().unwrap(),
                    reopen_within: Millis(90_500),
                    sandbox: true,
                    settings: [("secret".into(), "env:SECRET".into())].into(),
                },
            )]
            .into(),
            queues: [("acme/desk/all".parse().unwrap(), queue())].into(),
            agents: [("acme/desk/ann".parse().unwrap(), agent())].into(),
            bots: [
                (
                    "helper".parse().unwrap(),
                    Bot { answer_within: Millis::seconds(5), kind: BotKind::BuiltIn(flow) },
                ),
                ("theirs".parse().unwrap(), Bot { answer_within: Millis::seconds(9), kind: BotKind::Stream }),
            ]
            .into(),
            links: [(
                "summer".parse().unwrap(),
                Link {
                    inbox: "mail".parse().unwrap(),
                    reference: Some("s-26".into()),
                    campaign: Some("Summer".into()),
                    queue: Some("acme/desk/all".parse().unwrap()),
                    bot: Some("helper".parse().unwrap()),
                    people_only: true,
                    first_message: Some("The offer".into()),
                    text: Some("Hello".into()),
                    tags: vec!["leaflet".into()],
                },
            )]
            .into(),
            hours: [("office".parse().unwrap(), office())].into(),
        }
    }

    #[test]
    fn a_document_comes_back_as_it_went() {
        let policy = policy();
        assert_eq!(from_message(&policy.tenant, to_message(&policy)), Ok(policy));
    }

    #[test]
    fn a_flaw_is_named_by_its_place() {
        let tenant: TenantId = "acme".parse().unwrap();
        let refused = |change: fn(&mut pb::Policy)| {
            let mut message = to_message(&policy());
            change(&mut message);
            from_message(&tenant, message).unwrap_err().detail
        };
        let broken = |message: &mut pb::Policy| message.inboxes.get_mut("mail").unwrap().queue = "all".into();
        assert!(refused(broken).starts_with("`inboxes.mail.queue`: \"all\" is not a queue"));
        let negative = |message: &mut pb::Policy| {
            message.queues.get_mut("acme/desk/all").unwrap().offer_timeout.as_mut().unwrap().seconds = -1;
        };
        assert!(refused(negative).starts_with("`queues.acme/desk/all.offer_timeout`"));
        assert!(refused(|message| message.tenant = "other".into()).contains("belongs to acme"));
        assert!(
            refused(|message| message.inboxes.get_mut("mail").unwrap().channel = 99).contains("no channel")
        );
    }
}
