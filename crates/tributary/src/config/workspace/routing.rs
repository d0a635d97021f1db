//! Queues and agents, as `workspace.toml` writes them.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Channel, Millis, TenantId, policy};
use serde::Deserialize;

use super::{super::span::Span, Wrong, desk_id, queue_id};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Queue {
    #[serde(default)]
    priority: i32,
    ageing: Option<Ageing>,
    offer_timeout: Option<Span>,
    #[serde(default)]
    needs: Needs,
    #[serde(default)]
    relaxations: Vec<Relaxation>,
    #[serde(default)]
    selection: Selection,
    overflow: Option<Overflow>,
    sticky: Option<Sticky>,
    #[serde(default)]
    auto_accept: bool,
    wrap_up: Option<Span>,
    answer_within: Option<Span>,
    #[serde(default)]
    default: bool,
    hours: Option<String>,
    when_closed: Option<WhenClosed>,
    away_after_expired: Option<u32>,
    #[serde(default)]
    vip: Vec<Vip>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vip {
    tag: String,
    priority: u32,
}

/// `say`, `overflow`, or `callback` with its `promise` and what others are told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhenClosed {
    say: Option<String>,
    overflow: Option<String>,
    callback: Option<String>,
    promise: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ageing {
    every: Span,
    most: u32,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Needs {
    #[serde(default)]
    skills: BTreeMap<String, u8>,
    #[serde(default)]
    languages: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Relaxation {
    after: Span,
    #[serde(default)]
    needs: Needs,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum Selection {
    #[default]
    LongestIdle,
    LeastLoaded,
    MostSkilled,
    RoundRobin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Overflow {
    to: String,
    after: Option<Span>,
    refusals: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sticky {
    within: Span,
    grace: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agent {
    queues: Vec<String>,
    capacity: u32,
    #[serde(default)]
    per_channel: BTreeMap<Channel, u32>,
    #[serde(default)]
    weights: BTreeMap<Channel, u32>,
    #[serde(default)]
    skills: BTreeMap<String, u8>,
    #[serde(default)]
    languages: BTreeSet<String>,
    #[serde(default)]
    supervises: Vec<String>,
    /// As customers read it below a mail.
    name: Option<String>,
}

impl Queue {
    pub(super) fn policy(self, tenant: &TenantId) -> Result<policy::Queue, Wrong> {
        let relaxations = self.relaxations.into_iter().map(|relaxation| {
            Ok(policy::Relaxation { after: relaxation.after.0, needs: relaxation.needs.policy()? })
        });
        let overflow = self.overflow.map(|overflow| {
            let (after, refusals) = (overflow.after.map(|span| span.0), overflow.refusals);
            Ok::<_, Wrong>(policy::Overflow { to: queue_id(tenant, &overflow.to)?, after, refusals })
        });
        Ok(policy::Queue {
            priority: self.priority,
            ageing: self.ageing.map(|it| policy::Ageing { every: it.every.0, most: it.most }),
            offer_timeout: self.offer_timeout.map_or(Millis::seconds(30), |span| span.0),
            needs: self.needs.policy()?,
            relaxations: relaxations.collect::<Result<_, Wrong>>()?,
            selection: match self.selection {
                Selection::LongestIdle => policy::Selection::LongestIdle,
                Selection::LeastLoaded => policy::Selection::LeastLoaded,
                Selection::MostSkilled => policy::Selection::MostSkilled,
                Selection::RoundRobin => policy::Selection::RoundRobin,
            },
            overflow: overflow.transpose()?,
            sticky: self.sticky.map(|it| policy::Sticky { within: it.within.0, grace: it.grace.0 }),
            auto_accept: self.auto_accept,
            wrap_up: self.wrap_up.map(|span| span.0),
            answer_within: self.answer_within.map(|span| span.0),
            default: self.default,
            hours: self.hours.map(|hours| hours.parse()).transpose()?,
            when_closed: self.when_closed.map(|when| when.policy(tenant)).transpose()?,
            away_after_expired: self.away_after_expired,
            vip: self
                .vip
                .into_iter()
                .map(|vip| policy::Vip { tag: vip.tag.into(), priority: vip.priority })
                .collect(),
        })
    }
}

impl WhenClosed {
    fn policy(self, tenant: &TenantId) -> Result<policy::WhenClosed, Wrong> {
        let wrong = |what: &str| Err(Wrong::at("when_closed", what.into()));
        match (self.callback, self.promise, self.say, self.overflow) {
            (Some(inbox), Some(promise), say, None) => {
                let inbox = inbox.parse()?;
                Ok(policy::WhenClosed::Callback(policy::Callback { inbox, promise, say }))
            }
            (Some(_), None, _, None) => {
                wrong("`callback` needs a `promise`: what customers are told who are answered by mail")
            }
            (None, None, Some(text), None) => Ok(policy::WhenClosed::Say(text)),
            (None, None, None, Some(to)) => Ok(policy::WhenClosed::Overflow(queue_id(tenant, &to)?)),
            (None, Some(_), _, _) => {
                wrong("a `promise` is made where `callback` names the inbox that answers")
            }
            _ => wrong(
                "either `say` something, or `overflow` to another queue, or `callback` by an e-mail inbox",
            ),
        }
    }
}

impl Needs {
    fn policy(self) -> Result<policy::Needs, Wrong> {
        Ok(policy::Needs { skills: levels(self.skills)?, languages: names(self.languages)? })
    }
}

impl Agent {
    pub(super) fn policy(self, tenant: &TenantId) -> Result<policy::Agent, Wrong> {
        let queues: Result<_, _> = self.queues.iter().map(|queue| queue_id(tenant, queue)).collect();
        let supervises: Result<_, _> = self.supervises.iter().map(|desk| desk_id(tenant, desk)).collect();
        Ok(policy::Agent {
            queues: queues?,
            capacity: policy::Capacity {
                total: self.capacity,
                per_channel: self.per_channel,
                weights: self.weights,
            },
            skills: levels(self.skills)?,
            languages: names(self.languages)?,
            supervises: supervises?,
            name: self.name.map(Into::into),
        })
    }
}

fn levels(levels: BTreeMap<String, u8>) -> Result<BTreeMap<domain::SkillId, u8>, Wrong> {
    levels.into_iter().map(|(skill, level)| Ok((skill.parse()?, level))).collect()
}

fn names(names: BTreeSet<String>) -> Result<BTreeSet<domain::LanguageId>, Wrong> {
    names.into_iter().map(|name| Ok(name.parse()?)).collect()
}
