//! Which agent a waiting conversation is offered to, and what was seen of everyone while choosing.

use crate::{Channel, Timestamp, policy::Selection};

use super::{
    Considered, Presence, Why,
    draft::Draft,
    index::{Index, Room, Served, Standing},
    selection::{Candidate, Rank, rank},
    state::{AgentState, Place, Waiting},
};

pub(super) struct Choice {
    /// By its number in the index.
    pub(super) agent: Option<u32>,
    pub(super) why: Why,
}

/// None where there is nothing to choose: the conversation does not wait here, or in a queue of the policy.
pub(super) fn choose(draft: &Draft, index: &Index, place: Place) -> Option<Choice> {
    let waiting = draft.waiting(place.conversation)?;
    let (queue, served) = index.queue(&waiting.queue)?;
    let now = draft.context.now;
    let waited = now - place.since;
    let stage = queue.stage(served.opening.waited(place, now));
    let able = index.able(queue, served, waiting.special.as_deref());
    let (able, selection, channel) = (&able.at[stage], queue.selection, waiting.channel);
    let search = Search { draft, index, served, able, selection, channel, waiting };
    let (agent, considered) = match &waiting.wanted {
        Some(wanted) => search.only(wanted),
        None => (search.best(now), search.considered()),
    };
    let why = Why {
        policy: index.policy().version,
        selection: queue.selection,
        stage: u32::try_from(stage).unwrap_or(u32::MAX),
        waited,
        wanted: waiting.wanted.is_some(),
        considered,
    };
    Some(Choice { agent, why })
}

struct Search<'a> {
    draft: &'a Draft<'a>,
    index: &'a Index,
    served: &'a Served,
    /// See [`super::index::Able::at`].
    able: &'a [(u32, u32)],
    selection: Selection,
    channel: Channel,
    waiting: &'a Waiting,
}

impl Search<'_> {
    /// The one agent wanted, who may serve other queues.
    fn only(&self, wanted: &str) -> (Option<u32>, Considered) {
        let mut considered = Considered::default();
        let Some(number) = self.index.number(wanted) else { return (None, considered) };
        let seen = self.seen(number, self.draft.agent(wanted));
        considered.count(seen);
        (Some(number).filter(|_| seen == Seen::Free), considered)
    }

    /// The first by the queue's selection of those who have not refused; once the conversation has rested, of all.
    fn best(&self, now: Timestamp) -> Option<u32> {
        let fresh =
            self.first(|number| !self.waiting.refused_by(&self.index.agents[number as usize].id.name));
        let rested = || self.waiting.refusals.as_ref().is_some_and(|refusals| now >= refusals.rest_until);
        fresh.or_else(|| rested().then(|| self.first(|_| true))?)
    }

    fn first(&self, may: impl Fn(u32) -> bool) -> Option<u32> {
        let touched: Vec<(u32, &AgentState)> = self.touched().collect();
        let is_touched = |number: u32| touched.iter().any(|(touched, _)| *touched == number);
        let mut best: Option<(Rank, u32)> = None;
        let mut propose = |candidate: Candidate, fit, number| {
            let proposed = (self.rank(Candidate { fit, ..candidate }), number);
            if best.is_none_or(|best| proposed < best) {
                best = Some(proposed);
            }
        };
        // As the index has them: heads of pools.
        for (profile, fit) in self.able {
            let pools = self.index.profiles[*profile as usize].pools.iter();
            for (_, orders) in pools.filter(|(room, _)| room.has(self.channel)) {
                let mut order = orders[self.served.order].iter().map(|(_, number)| *number);
                if let Some(number) = order.find(|number| !is_touched(*number) && may(*number)) {
                    propose(self.index.agents[number as usize].candidate, *fit, number);
                }
            }
        }
        // As this decision leaves them.
        for (number, agent) in &touched {
            if self.seen(*number, agent) == Seen::Free
                && may(*number)
                && let Some(fit) = self.fit(*number)
            {
                propose(self.index.candidate(*number, agent), fit, *number);
            }
        }
        best.map(|(_, number)| number)
    }

    fn rank(&self, candidate: Candidate) -> Rank {
        rank(self.selection, &candidate)
    }

    /// How everyone stands who serves the queue.
    fn considered(&self) -> Considered {
        let mut considered = Considered::default();
        let mut members = 0;
        for (profile, _) in self.able {
            let profile = &self.index.profiles[*profile as usize];
            let pools = profile.pools.iter().filter(|(room, _)| room.has(self.channel));
            let free = pools.map(|(_, orders)| orders[self.served.order].len()).sum::<usize>();
            let free = u32::try_from(free).unwrap_or(u32::MAX);
            members += profile.members;
            considered.free += free;
            considered.full += profile.available.saturating_sub(free);
            considered.away += profile.away;
            considered.offline += profile.members - profile.available - profile.away;
        }
        considered.unable = self.served.members.saturating_sub(members);
        for (number, agent) in self.touched().filter(|(number, _)| self.fit(*number).is_some()) {
            let before = &self.index.agents[number as usize];
            considered.uncount(seen(before.standing, before.has_room(self.channel)));
            considered.count(self.seen(number, agent));
        }
        for name in self.waiting.refusals.iter().flat_map(|refusals| &refusals.by) {
            if let Some(number) = self.index.number(name)
                && self.fit(number).is_some()
                && self.seen(number, self.draft.agent(name)) == Seen::Free
            {
                considered.free = considered.free.saturating_sub(1);
                considered.refused += 1;
            }
        }
        considered
    }

    fn touched(&self) -> impl Iterator<Item = (u32, &AgentState)> {
        self.draft.touched_agents().filter_map(|(name, agent)| Some((self.index.number(name)?, agent)))
    }

    /// How well an agent fits, of those who can take it.
    fn fit(&self, number: u32) -> Option<u32> {
        let profile = self.index.agents[number as usize].profile;
        let place = self.able.binary_search_by_key(&profile, |(able, _)| *able).ok()?;
        Some(self.able[place].1)
    }

    fn seen(&self, number: u32, agent: &AgentState) -> Seen {
        let room = Room::of(&agent.load, &self.index.profile(number).capacity);
        seen(agent.presence.into(), room.has(self.channel))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Free,
    Full,
    Away,
    Offline,
}

fn seen(standing: Standing, has_room: bool) -> Seen {
    match (standing, has_room) {
        (Standing::Available, true) => Seen::Free,
        (Standing::Available, false) => Seen::Full,
        (Standing::Away, _) => Seen::Away,
        (Standing::Offline, _) => Seen::Offline,
    }
}

impl From<Presence> for Standing {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Available => Standing::Available,
            Presence::Away => Standing::Away,
            Presence::Offline => Standing::Offline,
        }
    }
}

impl Considered {
    fn place(&mut self, seen: Seen) -> &mut u32 {
        match seen {
            Seen::Free => &mut self.free,
            Seen::Full => &mut self.full,
            Seen::Away => &mut self.away,
            Seen::Offline => &mut self.offline,
        }
    }

    fn count(&mut self, seen: Seen) {
        *self.place(seen) += 1;
    }

    fn uncount(&mut self, seen: Seen) {
        let place = self.place(seen);
        *place = place.saturating_sub(1);
    }
}
