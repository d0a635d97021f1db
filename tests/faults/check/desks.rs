//! Offers and the room for them, and who waits although someone is free, by the events of a desk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Violations, inputs::cause, is_overdue, rule::Ruled, shown};
use crate::records::{
    AVAILABLE, Agent, Cause, ConversationId, Desk, Enqueued, Event, OFFLINE, OfferId, Offered, Peer,
};

/// Milliseconds that a waiting conversation and an agent who could take it may stand side by side.
const SIDE_BY_SIDE: i64 = 2_000;

#[derive(Default)]
pub(crate) struct Desks {
    agents: HashMap<String, Agent>,
    queues: BTreeSet<String>,
    /// Presence, and until when it was promised.
    presence: BTreeMap<String, (i32, i64)>,
    waiting: BTreeMap<ConversationId, Waiting>,
    offers: BTreeMap<OfferId, Offer>,
    over: BTreeSet<OfferId>,
    /// Since when a pair has been standing side by side.
    pairs: BTreeMap<(ConversationId, String), i64>,
    pub(crate) enqueued: BTreeMap<(ConversationId, u32), u32>,
    pub(crate) accepted: BTreeMap<OfferId, u32>,
}

struct Waiting {
    line: (String, i32),
    wanted: Option<String>,
    /// Its place in its line: who was here before goes first, then who has waited longest.
    place: (bool, i64, ConversationId),
    refused_by: BTreeSet<String>,
    offer: Option<OfferId>,
}

struct Offer {
    made: Offered,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Stage {
    Open,
    Accepting,
    Held,
    GivingBack,
}

pub(super) fn desks(peer: Peer, ruled: &Ruled, now: i64, violations: &mut Violations) -> Desks {
    let mut desks = Desks::default();
    for decided in &ruled.decided {
        let mut wrong = |number: u8, what: String| {
            violations.push(format!("{number}: {peer}, at {}: {what}", decided.offset))
        };
        let mut is_deferred = false;
        for step in &decided.decision.steps {
            if let Some(Cause::Policy(policy)) = cause(step) {
                desks.agents.retain(|agent, _| !agent.starts_with(&format!("{}/", policy.tenant)));
                desks.agents.extend(policy.agents.clone());
                desks.queues.retain(|queue| !queue.starts_with(&format!("{}/", policy.tenant)));
                desks.queues.extend(policy.queues.keys().cloned());
            }
            for event in step.events.iter().filter_map(super::event) {
                match event {
                    Event::Desk(event) => match &event.kind {
                        Some(Desk::WorkDeferred(_)) => is_deferred = true,
                        Some(event) => desks.event(event, &mut wrong),
                        None => wrong(5, "an unknown event".into()),
                    },
                    other => wrong(5, format!("an event of another aggregate: {other:?}")),
                }
            }
        }
        if !is_deferred {
            desks.pair_up(decided.decision.decided_at, &mut wrong);
        }
    }
    desks.at_rest(peer, now, violations);
    desks
}

/// The rest of a fold, in which nothing else can be told.
impl Desks {
    pub(crate) fn held(&self) -> BTreeMap<OfferId, String> {
        let held =
            self.offers.iter().filter(|(_, offer)| matches!(offer.stage, Stage::Held | Stage::GivingBack));
        held.map(|(id, offer)| (id.clone(), offer.made.agent.clone())).collect()
    }

    fn event(&mut self, event: &Desk, wrong: &mut impl FnMut(u8, String)) {
        match event {
            Desk::Enqueued(enqueued) => self.waits(enqueued),
            Desk::Dequeued(of) => {
                self.waiting.remove(&of.conversation.clone().unwrap_or_default());
            }
            Desk::PreferenceEnded(of) => {
                let waiting = self.waiting.get_mut(&of.conversation.clone().unwrap_or_default());
                waiting.into_iter().for_each(|waiting| waiting.wanted = None);
            }
            // It is offered to nobody here any more.
            Desk::Overflowing(of) => {
                self.waiting.remove(&of.conversation.clone().unwrap_or_default());
            }
            Desk::PresenceSet(set) => {
                self.presence.insert(set.agent.clone(), (set.presence, set.until));
            }
            Desk::LeaseLapsed(of) => {
                self.presence.insert(of.agent.clone(), (OFFLINE, 0));
            }
            Desk::Offered(offered) => self.offered(offered, wrong),
            Desk::AcceptRequested(step) | Desk::AcceptedByRule(step) => {
                self.turns(&step.offer, Stage::Accepting, &[Stage::Open], wrong)
            }
            Desk::Accepted(step) => {
                let offer = step.offer.clone().unwrap_or_default();
                *self.accepted.entry(offer.clone()).or_default() += 1;
                self.turns(&step.offer, Stage::Held, &[Stage::Accepting], wrong);
                self.waiting.retain(|_, waiting| waiting.offer.as_ref() != Some(&offer));
            }
            Desk::GivingBack(step) => self.turns(&step.offer, Stage::GivingBack, &[Stage::Held], wrong),
            Desk::Declined(step) | Desk::Expired(step) => self.ends(&step.offer, &[Stage::Open], true, wrong),
            Desk::Withdrawn(step) => self.ends(&step.offer, &[Stage::Open, Stage::Accepting], false, wrong),
            Desk::AssignmentEnded(step) => {
                self.ends(&step.offer, &[Stage::Held, Stage::GivingBack], false, wrong);
            }
            Desk::WrapUpBegan(step) => self.turns(&step.offer, Stage::Held, &[Stage::Held], wrong),
            Desk::Waits(_) | Desk::Stranded(_) | Desk::LookSet(_) | Desk::WorkDeferred(_) => {}
        }
    }

    fn waits(&mut self, enqueued: &Enqueued) {
        let id = enqueued.conversation.clone().unwrap_or_default();
        *self.enqueued.entry((id.clone(), enqueued.owner_epoch)).or_default() += 1;
        let waiting = Waiting {
            line: (enqueued.queue.clone(), enqueued.channel),
            wanted: enqueued.agent.clone(),
            place: (!enqueued.again, enqueued.since, id.clone()),
            refused_by: BTreeSet::new(),
            offer: None,
        };
        self.waiting.insert(id, waiting);
    }

    fn offered(&mut self, made: &Offered, wrong: &mut impl FnMut(u8, String)) {
        let offer = made.offer.clone().unwrap_or_default();
        let conversation = made.conversation.clone().unwrap_or_default();
        if self.over.contains(&offer) || self.offers.contains_key(&offer) {
            wrong(5, format!("offer {} is made a second time", offer.number));
        }
        if !self.has_room(&made.agent, made.channel) {
            wrong(4, format!("offer {} is made to {}, who has no room for it", offer.number, made.agent));
        }
        if let Some(before) = self.passed_over(&conversation, &made.agent) {
            wrong(
                12,
                format!(
                    "{} is offered to {} before {}, who came first",
                    shown(&conversation),
                    made.agent,
                    shown(&before)
                ),
            );
        }
        match self.waiting.get_mut(&conversation).filter(|waiting| waiting.offer.is_none()) {
            Some(waiting) => {
                waiting.offer = Some(offer.clone());
                if waiting.refused_by.contains(&made.agent) {
                    waiting.refused_by.clear();
                }
            }
            None => wrong(
                5,
                format!("{} is offered, and does not wait or is offered already", shown(&conversation)),
            ),
        }
        self.offers.insert(offer, Offer { made: made.clone(), stage: Stage::Open });
    }

    fn turns(
        &mut self,
        offer: &Option<OfferId>,
        next: Stage,
        from: &[Stage],
        wrong: &mut impl FnMut(u8, String),
    ) {
        let id = offer.clone().unwrap_or_default();
        match self.offers.get_mut(&id).filter(|offer| from.contains(&offer.stage)) {
            Some(offer) => offer.stage = next,
            None => {
                wrong(5, format!("offer {} becomes {next:?}, which it cannot any more, or yet", id.number))
            }
        }
    }

    fn ends(
        &mut self,
        offer: &Option<OfferId>,
        from: &[Stage],
        is_refused: bool,
        wrong: &mut impl FnMut(u8, String),
    ) {
        let id = offer.clone().unwrap_or_default();
        let Some(ended) = self.offers.remove(&id).filter(|offer| from.contains(&offer.stage)) else {
            return wrong(5, format!("offer {} ends a second time, or as it cannot", id.number));
        };
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.offer.as_ref() == Some(&id)) {
            waiting.offer = None;
            if is_refused {
                waiting.refused_by.insert(ended.made.agent.clone());
            }
        }
        self.over.insert(id);
    }

    /// By the policy in force: an agent holds what is offered, and what was accepted.
    fn has_room(&self, agent: &str, channel: i32) -> bool {
        let Some(capacity) = self.agents.get(agent).and_then(|agent| agent.capacity.as_ref()) else {
            return false;
        };
        let held = self.offers.values().filter(|offer| offer.made.agent == agent);
        let of_channel = held.clone().filter(|offer| offer.made.channel == channel).count();
        held.count() < capacity.total as usize
            && capacity.per_channel.get(&channel).is_none_or(|most| of_channel < *most as usize)
    }

    /// Who waits in the same line, goes before this conversation, and could have been offered to the agent.
    fn passed_over(&self, conversation: &ConversationId, agent: &str) -> Option<ConversationId> {
        let offered = self.waiting.get(conversation).filter(|waiting| waiting.wanted.is_none())?;
        let goes_before = |other: &&Waiting| {
            other.offer.is_none()
                && other.wanted.is_none()
                && other.line == offered.line
                && other.place < offered.place
                && !other.refused_by.contains(agent)
        };
        self.waiting.values().find(goes_before).map(|other| other.place.2.clone())
    }

    /// Whoever waits while someone is free who serves the queue, has room and has not refused, waits for nothing.
    fn pair_up(&mut self, now: i64, wrong: &mut impl FnMut(u8, String)) {
        let mut pairs = BTreeMap::new();
        let waiting =
            self.waiting.iter().filter(|(_, waiting)| waiting.offer.is_none() && waiting.wanted.is_none());
        for (id, waiting) in waiting.filter(|(_, waiting)| self.queues.contains(&waiting.line.0)) {
            let available = self.presence.iter().filter(|(_, (presence, _))| *presence == AVAILABLE);
            let free = available.map(|(agent, _)| agent).filter(|agent| {
                self.agents.get(*agent).is_some_and(|known| known.queues.contains(&waiting.line.0))
                    && !waiting.refused_by.contains(*agent)
                    && self.has_room(agent, waiting.line.1)
            });
            for agent in free {
                let pair = (id.clone(), agent.clone());
                let since = self.pairs.get(&pair).copied().unwrap_or(now);
                if now - since > SIDE_BY_SIDE {
                    wrong(
                        12,
                        format!("{} waits while {agent} has been free for {} ms", shown(id), now - since),
                    );
                }
                pairs.insert(pair, since);
            }
        }
        self.pairs = pairs;
    }

    fn at_rest(&mut self, peer: Peer, now: i64, violations: &mut Violations) {
        let mut wrong =
            |number: u8, what: String| violations.push(format!("{number}: {peer}, in the end: {what}"));
        for (id, offer) in &self.offers {
            if offer.stage == Stage::Open && is_overdue(offer.made.expires_at, now) {
                wrong(9, format!("offer {} should have expired", id.number));
            }
            if offer.stage == Stage::Accepting {
                wrong(5, format!("offer {} was accepted, and neither confirmed nor refused", id.number));
            }
        }
        for (agent, (presence, until)) in &self.presence {
            if *presence != OFFLINE && is_overdue(*until, now) {
                wrong(9, format!("the lease of {agent} should have lapsed"));
            }
        }
        self.pair_up(now, &mut wrong);
    }
}
