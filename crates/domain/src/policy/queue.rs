//! A line of waiting conversations: who can take them, in which order, and what happens to who waits too long.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{HoursId, InboxId, LanguageId, Millis, QueueId, SkillId, Tags};

use super::Agent;

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Queue {
    /// Higher goes first; within a priority the longest waiting.
    pub priority: i32,
    /// How waiting adds to the priority.
    pub ageing: Option<Ageing>,
    /// How long an agent may think about an offer.
    pub offer_timeout: Millis,
    /// What an agent must know, besides serving the queue.
    pub needs: Needs,
    /// What is needed instead after some waiting; each later and no stricter than the one before.
    pub relaxations: Vec<Relaxation>,
    pub selection: Selection,
    /// Where conversations go that get nobody here.
    pub overflow: Option<Overflow>,
    /// Whoever knows the customer from before is waited for.
    pub sticky: Option<Sticky>,
    /// An offer is an assignment: the agent is not asked.
    pub auto_accept: bool,
    /// How long an agent may be busy with a conversation that is over; its capacity is taken meanwhile.
    pub wrap_up: Option<Millis>,
    /// The service level: people are to answer within this time.
    pub answer_within: Option<Millis>,
    /// Conversations that go to the desk as such wait here.
    pub default: bool,
    /// Outside of these hours conversations wait and are offered to nobody; none: it is always open.
    pub hours: Option<HoursId>,
    /// What becomes of conversations outside of the hours, besides waiting.
    pub when_closed: Option<WhenClosed>,
    /// An agent who lets so many offers in a row expire, the last of them from here, is away.
    pub away_after_expired: Option<u32>,
    /// Customers who go before others. Of those that a customer is, the one that gives the most counts.
    pub vip: Vec<Vip>,
}

/// Customers whose contact has this tag.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vip {
    pub tag: Arc<str>,
    /// Points more than the queue's priority.
    pub priority: u32,
}

/// What one conversation has beyond the others of its queue.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Special {
    /// Points more than the queue's priority.
    pub priority: u32,
    /// What an agent must know besides what the queue needs, however long the customer waits.
    pub needs: Needs,
}

/// What becomes of a conversation that finds its queue closed, or that waits as it closes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum WhenClosed {
    /// The customer is told this, once until it opens, and waits on. `{date}` and `{time}` stand for when it opens.
    Say(String),
    /// It goes on to another queue at once.
    Overflow(QueueId),
    /// The answer comes by mail, to customers who can be written to there; they wait on.
    Callback(Callback),
}

/// Who writes while the queue is closed is answered by mail, if the customer's contact has an address in that inbox that
/// may be written to. Both texts are as in [`WhenClosed::Say`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Callback {
    /// The inbox of the business's that answers, an e-mail inbox.
    pub inbox: InboxId,
    /// What such customers are told.
    pub promise: String,
    /// What all others are told, if anything.
    pub say: Option<String>,
}

impl WhenClosed {
    /// The inbox that answers customers who can be written to there.
    pub fn callback(&self) -> Option<&InboxId> {
        match self {
            WhenClosed::Callback(callback) => Some(&callback.inbox),
            WhenClosed::Say(_) | WhenClosed::Overflow(_) => None,
        }
    }

    /// What the customer is told, if anything; `promised`: the answer comes by mail.
    pub fn words(&self, promised: bool) -> Option<&str> {
        match self {
            WhenClosed::Say(text) => Some(text),
            WhenClosed::Callback(Callback { promise, .. }) if promised => Some(promise),
            WhenClosed::Callback(Callback { say, .. }) => say.as_deref(),
            WhenClosed::Overflow(_) => None,
        }
    }
}

/// Linear ageing: for every so much waiting one more point of priority, up to a most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ageing {
    pub every: Millis,
    pub most: u32,
}

/// What an agent must know.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Needs {
    /// Each at this level, or better.
    pub skills: BTreeMap<SkillId, u8>,
    /// Each of them.
    pub languages: BTreeSet<LanguageId>,
}

/// What is needed from some time of waiting on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Relaxation {
    pub after: Millis,
    pub needs: Needs,
}

/// Whom of those who can the desk asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub enum Selection {
    #[default]
    LongestIdle,
    LeastLoaded,
    /// The highest levels in what the queue needs before any relaxation, added up.
    MostSkilled,
    /// Who was asked the longest ago.
    RoundRobin,
}

/// To another queue, of this desk or of another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Overflow {
    pub to: QueueId,
    /// Who has waited this long, counted from when the customer began to wait for a person.
    pub after: Option<Millis>,
    /// Who was refused (declined, or let expire) by this many agents.
    pub refusals: Option<u32>,
}

/// The agent who had the customer last is wanted again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sticky {
    /// For so long after that agent's conversation with the customer ended.
    pub within: Millis,
    /// How long that agent is waited for before anyone else is asked.
    pub grace: Millis,
}

/// For people: `5 points more, tax at level 3, language de`.
impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Needs { skills, languages } = &self.needs;
        let points = (self.priority > 0).then(|| format!("{} points more", self.priority));
        let skills = skills.iter().map(|(skill, level)| format!("{skill} at level {level}"));
        let languages = languages.iter().map(|language| format!("language {language}"));
        f.write_str(&points.into_iter().chain(skills).chain(languages).collect::<Vec<_>>().join(", "))
    }
}

impl Queue {
    /// The effective priority of who has waited this long; `again`, who was here before, counts as having waited for
    /// as long as counts.
    pub fn priority_after(&self, waited: Millis, again: bool) -> i64 {
        let points = self.ageing.map_or(0, |Ageing { every, most }| {
            if again { u64::from(most) } else { u64::from(most).min(waited.0 / every.0.max(1)) }
        });
        i64::from(self.priority) + i64::try_from(points).unwrap_or(i64::MAX / 2)
    }

    /// How many points customers with these tags have more than others here.
    pub fn vip_priority(&self, tags: &Tags) -> u32 {
        let matching = self.vip.iter().filter(|vip| tags.has(&vip.tag));
        matching.map(|vip| vip.priority).max().unwrap_or_default()
    }

    /// How many relaxations are past after so much waiting.
    pub fn stage(&self, waited: Millis) -> usize {
        self.relaxations.partition_point(|relaxation| relaxation.after <= waited)
    }

    /// What is needed at a stage: 0 is before any relaxation.
    pub fn needs_at(&self, stage: usize) -> &Needs {
        match stage.checked_sub(1).and_then(|past| self.relaxations.get(past)) {
            Some(relaxation) => &relaxation.needs,
            None => &self.needs,
        }
    }

    /// What is still needed of whoever has waited for as long as counts.
    pub fn least_needs(&self) -> &Needs {
        self.needs_at(self.relaxations.len())
    }

    /// The first time of waiting after this one at which something changes by waiting alone.
    pub fn next_change(&self, waited: Millis) -> Option<Millis> {
        let relaxes = self.relaxations.iter().map(|relaxation| relaxation.after);
        let overflows = self.overflow.as_ref().and_then(|overflow| overflow.after);
        relaxes.chain(overflows).filter(|after| *after > waited).min()
    }
}

impl Needs {
    pub fn met_by(&self, agent: &Agent) -> bool {
        let knows =
            |(skill, level): (&SkillId, &u8)| agent.skills.get(skill).is_some_and(|known| known >= level);
        self.skills.iter().all(knows) && self.languages.is_subset(&agent.languages)
    }

    /// Whoever meets `other` meets these.
    pub fn is_no_stricter_than(&self, other: &Needs) -> bool {
        let implied = |(skill, level): (&SkillId, &u8)| {
            *level == 0 || other.skills.get(skill).is_some_and(|stricter| stricter >= level)
        };
        self.skills.iter().all(implied) && self.languages.is_subset(&other.languages)
    }

    /// How well an agent knows what is needed: the levels added up.
    pub fn fit(&self, agent: &Agent) -> u32 {
        self.fit_besides(&Needs::default(), agent)
    }

    /// The same, of the skills that `other` does not name.
    pub fn fit_besides(&self, other: &Needs, agent: &Agent) -> u32 {
        let named = self.skills.keys().filter(|skill| !other.skills.contains_key(*skill));
        named.filter_map(|skill| agent.skills.get(skill)).map(|level| u32::from(*level)).sum()
    }
}
