//! A workspace as the API takes it.

use std::collections::BTreeMap;

use domain::{
    Channel, Millis, Policy,
    policy::{Bot, BotKind, Flow, Inbox},
};
use wire::api::v1::{
    self as pb,
    policy::{self as doc, bot},
};

pub fn policy_message(policy: &Policy) -> pb::Policy {
    pb::Policy {
        tenant: policy.tenant.to_string(),
        version: policy.version,
        inboxes: each(&policy.inboxes, inbox),
        queues: each(&policy.queues, |queue| doc::Queue {
            priority: queue.priority,
            offer_timeout: duration(queue.offer_timeout),
        }),
        agents: each(&policy.agents, |agent| doc::Agent {
            queues: agent.queues.iter().map(ToString::to_string).collect(),
            total: agent.capacity.total,
            per_channel: agent
                .capacity
                .per_channel
                .iter()
                .map(|(channel, most)| (channel.as_str().to_owned(), *most))
                .collect(),
        }),
        bots: each(&policy.bots, bot),
        hours: each(&policy.hours, |hours| doc::Hours {
            time_zone: hours.time_zone.clone(),
            open: hours
                .open
                .iter()
                .map(|span| doc::OpenSpan {
                    weekday: span.weekday.into(),
                    from: span.from.into(),
                    to: span.to.into(),
                })
                .collect(),
        }),
    }
}

fn inbox(inbox: &Inbox) -> doc::Inbox {
    let channel = match inbox.channel {
        Channel::Messenger => pb::Channel::Messenger,
        Channel::Instagram => pb::Channel::Instagram,
        Channel::Whatsapp => pb::Channel::Whatsapp,
        Channel::Email => pb::Channel::Email,
        Channel::Sms => pb::Channel::Sms,
        Channel::Generic => pb::Channel::Generic,
    };
    doc::Inbox {
        channel: channel.into(),
        address: inbox.address.clone(),
        bot: inbox.bot.as_ref().map(ToString::to_string).unwrap_or_default(),
        queue: inbox.queue.to_string(),
        reopen_within: duration(inbox.reopen_within),
        sandbox: inbox.sandbox,
        settings: inbox.settings.clone(),
    }
}

fn bot(bot: &Bot) -> doc::Bot {
    doc::Bot {
        answer_within: duration(bot.answer_within),
        kind: Some(match &bot.kind {
            BotKind::BuiltIn(said) => bot::Kind::BuiltIn(flow(said)),
            BotKind::Stream => bot::Kind::Stream(doc::Stream {}),
        }),
    }
}

fn flow(flow: &Flow) -> doc::Flow {
    doc::Flow {
        greeting: flow.greeting.clone(),
        quick_replies: flow.quick_replies.clone(),
        answers: flow
            .answers
            .iter()
            .map(|answer| doc::KeywordAnswer { words: answer.words.clone(), text: answer.text.clone() })
            .collect(),
        person_words: flow.person_words.clone(),
        hand_off_text: flow.hand_off_text.clone(),
        hours: flow.hours.as_ref().map(ToString::to_string).unwrap_or_default(),
        away_text: flow.away_text.clone(),
    }
}

fn each<K: ToString, V, M>(map: &BTreeMap<K, V>, message: impl Fn(&V) -> M) -> BTreeMap<String, M> {
    map.iter().map(|(key, value)| (key.to_string(), message(value))).collect()
}

fn duration(span: Millis) -> Option<prost_types::Duration> {
    Some(prost_types::Duration {
        seconds: i64::try_from(span.0 / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.0 % 1_000 * 1_000_000).unwrap_or_default(),
    })
}
