//! The desk by classes: agents who can do the same, and the queues they can serve.
//!
//! ```text
//!  queue, stage ──▶ profiles that meet its needs ──▶ pools by room ──▶ agents in the order of a selection
//! ```
//!
//! An assignment costs by the number of classes, not of agents: agents with the same queues, skills, languages and
//! capacity share a *profile*; within it, those with room for the same channels share a *pool*. All of it follows
//! from the policy and the agents' states. It is made when it is first needed under a policy, kept up by `evolve`,
//! and no part of the state: neither of snapshots nor of digests.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    AgentId, Channel, DeskId, Policy, QueueId,
    policy::{Agent, Capacity, Needs, Queue, Selection, Special},
};

use super::{
    opening::Opening,
    selection::{Candidate, Rank, rank},
    state::{AgentState, Desk, Line, Load},
};

/// What is derived from a state and stands beside it: equal whatever it is, and made again where it is missing.
#[derive(Debug, Default)]
pub(super) struct Derived(Mutex<Option<Arc<Index>>>);

impl Clone for Derived {
    fn clone(&self) -> Self {
        Derived::default()
    }
}

impl PartialEq for Derived {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Derived {
    /// The index under this very policy.
    pub(super) fn under(&self, policy: &Arc<Policy>, make: impl FnOnce() -> Index) -> Arc<Index> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(index) = kept.filter(|index| Arc::ptr_eq(&index.policy, policy)) {
            return index;
        }
        let made = Arc::new(make());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
        made
    }

    /// An agent has changed.
    pub(super) fn update(&mut self, name: &str, state: &AgentState) {
        let kept = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        match kept.as_mut().map(Arc::get_mut) {
            Some(Some(index)) => index.update(name, state),
            // Someone still reads it: it is made again.
            Some(None) => *kept = None,
            None => {}
        }
    }
}

/// The channels that an agent has room for, as bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Room(u8);

impl Room {
    pub(super) fn of(load: &Load, capacity: &Capacity) -> Room {
        let held = load.weighted(capacity);
        let fits = |channel: &Channel| {
            held.saturating_add(capacity.weight(*channel)) <= capacity.total
                && load.of(*channel) < capacity.most_of(*channel)
        };
        Room::default().and(Channel::ALL.into_iter().filter(fits))
    }

    /// And those that someone of this capacity could take without other work.
    fn and_all_of(self, capacity: &Capacity) -> Room {
        self.and(Channel::ALL.into_iter().filter(|channel| capacity.admits(*channel)))
    }

    fn and(self, channels: impl Iterator<Item = Channel>) -> Room {
        Room(channels.fold(self.0, |bits, channel| bits | 1 << channel as u8))
    }

    pub(super) fn has(self, channel: Channel) -> bool {
        self.0 & 1 << channel as u8 != 0
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Index {
    policy: Arc<Policy>,
    numbers: HashMap<Arc<str>, u32>,
    /// In the order of their names.
    pub(super) agents: Vec<Listed>,
    pub(super) profiles: Vec<Profile>,
    queues: HashMap<Arc<str>, Served>,
    /// Those in use here.
    selections: Vec<Selection>,
}

/// An agent of the policy.
#[derive(Debug, PartialEq)]
pub(super) struct Listed {
    pub(super) id: AgentId,
    pub(super) profile: u32,
    pub(super) standing: Standing,
    room: Room,
    pub(super) candidate: Candidate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    Available,
    Away,
    Offline,
}

/// Agents who can do the same.
#[derive(Debug, PartialEq)]
pub(super) struct Profile {
    /// One of them, by its number.
    example: u32,
    pub(super) capacity: Capacity,
    /// The queues served, and the stage from which on their needs are met.
    pub(super) serves: Vec<(Arc<str>, usize)>,
    pub(super) members: u32,
    pub(super) available: u32,
    pub(super) away: u32,
    /// Those who are available and have room, in the order of each selection.
    pub(super) pools: BTreeMap<Room, Vec<BTreeSet<(Rank, u32)>>>,
}

/// A queue, and the profiles that serve it.
#[derive(Debug, PartialEq)]
pub(super) struct Served {
    pub(super) queue: Queue,
    /// For conversations that have nothing special.
    able: Arc<Able>,
    special: Specials,
    /// All agents who serve it, able or not.
    pub(super) members: u32,
    /// The place of its selection in the pools.
    pub(super) order: usize,
    pub(super) opening: Opening,
}

/// Who can take certain conversations of a queue.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Able {
    /// By stage: profiles that meet what is needed then, and how well they fit, in the order of their numbers.
    pub(super) at: Vec<Vec<(u32, u32)>>,
    /// Channels that one of them without other work could take, at any stage.
    ever: Room,
}

/// Who can take conversations that need something besides, as far as it was asked for: found as it is, whenever it is.
#[derive(Debug, Default)]
struct Specials(Mutex<BTreeMap<Needs, Arc<Able>>>);

impl PartialEq for Specials {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// So many are kept of a queue; whoever asks for ever others asks for each anew.
const MOST_SPECIALS: usize = 256;

const NOBODY: Candidate = Candidate { idle_since: crate::Timestamp(0), load: 0, last_offer: 0, fit: 0 };

impl Index {
    pub(super) fn of(policy: &Arc<Policy>, id: &DeskId, desk: Option<&Desk>) -> Index {
        let first = AgentId { desk: id.clone(), name: "".into() };
        let here: Vec<_> = policy.agents.range(first..).take_while(|(agent, _)| agent.desk == *id).collect();
        let mut by_skill: BTreeMap<&Agent, u32> = BTreeMap::new();
        let mut profiles: Vec<Profile> = Vec::new();
        let mut agents = Vec::with_capacity(here.len());
        let mut examples: Vec<&Agent> = Vec::new();
        for (id, agent) in here {
            let profile = *by_skill.entry(agent).or_insert_with(|| {
                examples.push(agent);
                profiles.push(Profile::of(to_u32(agents.len()), agent, policy));
                to_u32(profiles.len() - 1)
            });
            profiles[profile as usize].members += 1;
            let (standing, room) = (Standing::Offline, Room::default());
            agents.push(Listed { id: id.clone(), profile, standing, room, candidate: NOBODY });
        }
        let first = QueueId { desk: id.clone(), name: "".into() };
        let lines: Vec<_> = policy.queues.range(first..).take_while(|(queue, _)| queue.desk == *id).collect();
        let selections: BTreeSet<Selection> = lines.iter().map(|(_, queue)| queue.selection).collect();
        let selections: Vec<_> = selections.into_iter().collect();
        let served = |(id, queue): (&QueueId, &Queue)| {
            let order = selections.iter().position(|known| *known == queue.selection).unwrap_or_default();
            let opening = Opening::of(queue, policy);
            (id.name.clone(), Served::of(id, queue, &examples, &profiles, order, opening))
        };
        let queues = lines.into_iter().map(served).collect();
        let numbers = (0..).zip(&agents).map(|(number, agent)| (agent.id.name.clone(), number)).collect();
        let mut index = Index { policy: policy.clone(), numbers, agents, profiles, queues, selections };
        for (name, state) in desk.into_iter().flat_map(|desk| desk.agents()) {
            index.update(name, state);
        }
        index
    }

    pub(super) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(super) fn profile(&self, number: u32) -> &Profile {
        &self.profiles[self.agents[number as usize].profile as usize]
    }

    /// The queue, and the agents for it; none if the policy has no such queue.
    pub(super) fn queue(&self, name: &str) -> Option<(&Queue, &Served)> {
        self.queues.get(name).map(|served| (&served.queue, served))
    }

    /// Whether any agent of the policy could ever take a conversation of this line.
    pub(super) fn could_ever(&self, line: &Line) -> bool {
        let able =
            self.queue(&line.queue).map(|(queue, served)| self.able(queue, served, line.special.as_deref()));
        able.is_some_and(|able| able.ever.has(line.channel))
    }

    /// Who can take a queue's conversations that have this special about them.
    pub(super) fn able(&self, queue: &Queue, served: &Served, special: Option<&Special>) -> Arc<Able> {
        let needs = match special {
            Some(special) if special.needs != Needs::default() => &special.needs,
            _ => return served.able.clone(),
        };
        let mut known = served.special.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(able) = known.get(needs) {
            return able.clone();
        }
        if known.len() >= MOST_SPECIALS {
            known.clear();
        }
        let able = Arc::new(self.able_besides(queue, &served.able, needs));
        known.insert(needs.clone(), able.clone());
        able
    }

    /// Those of them who have these needs, too.
    fn able_besides(&self, queue: &Queue, able: &Able, needs: &Needs) -> Able {
        let mut besides = Able::default();
        for stage in &able.at {
            let fits = stage.iter().filter_map(|(number, fit)| {
                let agent = self.example(*number).filter(|agent| needs.met_by(agent))?;
                Some((*number, fit + needs.fit_besides(&queue.needs, agent)))
            });
            besides.at.push(fits.collect());
        }
        // Waiting never narrows: whoever is able at some time is at last.
        for (number, _) in besides.at.last().into_iter().flatten() {
            besides.ever = besides.ever.and_all_of(&self.profiles[*number as usize].capacity);
        }
        besides
    }

    /// An agent of this profile, as the policy has it.
    fn example(&self, profile: u32) -> Option<&Agent> {
        let example = self.profiles[profile as usize].example;
        self.policy.agents.get(&self.agents[example as usize].id)
    }

    /// Whether an agent can take what waits in this line, at this stage of its queue.
    pub(super) fn is_able(&self, agent: u32, line: &Line, stage: usize) -> bool {
        let serves = |(queue, first): &(Arc<str>, usize)| *queue == line.queue && *first <= stage;
        if !self.profile(agent).serves.iter().any(serves) {
            return false;
        }
        let Some(special) = &line.special else { return true };
        let Some((queue, served)) = self.queue(&line.queue) else { return false };
        let able = self.able(queue, served, Some(special));
        let profile = self.agents[agent as usize].profile;
        able.at[stage].binary_search_by_key(&profile, |(able, _)| *able).is_ok()
    }

    /// What the index keeps of an agent in this state.
    pub(super) fn candidate(&self, number: u32, state: &AgentState) -> Candidate {
        Candidate {
            idle_since: state.idle_since,
            load: state.load.weighted(&self.profile(number).capacity),
            last_offer: state.last_offer,
            fit: 0,
        }
    }

    fn update(&mut self, name: &str, state: &AgentState) {
        let Some(number) = self.number(name) else { return };
        let candidate = self.candidate(number, state);
        let listed = &mut self.agents[number as usize];
        let profile = &mut self.profiles[listed.profile as usize];
        profile.leave(number, listed, &self.selections);
        listed.candidate = candidate;
        listed.standing = Standing::from(state.presence);
        listed.room = Room::of(&state.load, &profile.capacity);
        profile.join(number, listed, &self.selections);
    }
}

impl Listed {
    pub(super) fn has_room(&self, channel: Channel) -> bool {
        self.room.has(channel)
    }
}

impl Profile {
    fn of(example: u32, agent: &Agent, policy: &Policy) -> Profile {
        let serves = agent.queues.iter().filter_map(|id| {
            let queue = policy.queues.get(id)?;
            Some((id.name.clone(), first_stage(queue, agent)?))
        });
        Profile {
            example,
            capacity: agent.capacity.clone(),
            serves: serves.collect(),
            members: 0,
            available: 0,
            away: 0,
            pools: BTreeMap::new(),
        }
    }

    fn leave(&mut self, number: u32, listed: &Listed, selections: &[Selection]) {
        match listed.standing {
            Standing::Offline => {}
            Standing::Away => self.away -= 1,
            Standing::Available => {
                self.available -= 1;
                let Some(orders) = self.pools.get_mut(&listed.room) else { return };
                for (order, selection) in orders.iter_mut().zip(selections) {
                    order.remove(&(rank(*selection, &listed.candidate), number));
                }
                if orders.iter().all(BTreeSet::is_empty) {
                    self.pools.remove(&listed.room);
                }
            }
        }
    }

    fn join(&mut self, number: u32, listed: &Listed, selections: &[Selection]) {
        match listed.standing {
            Standing::Offline => {}
            Standing::Away => self.away += 1,
            Standing::Available => {
                self.available += 1;
                // A desk without queues has no order to stand in.
                if listed.room == Room::default() || selections.is_empty() {
                    return;
                }
                let empty = || vec![BTreeSet::new(); selections.len()];
                let orders = self.pools.entry(listed.room).or_insert_with(empty);
                for (order, selection) in orders.iter_mut().zip(selections) {
                    order.insert((rank(*selection, &listed.candidate), number));
                }
            }
        }
    }
}

impl Served {
    fn of(
        id: &QueueId,
        queue: &Queue,
        examples: &[&Agent],
        profiles: &[Profile],
        order: usize,
        opening: Opening,
    ) -> Served {
        let mut served = Served {
            queue: queue.clone(),
            able: Arc::default(),
            special: Specials::default(),
            members: 0,
            order,
            opening,
        };
        let mut able = Able { at: vec![Vec::new(); queue.relaxations.len() + 1], ever: Room::default() };
        for ((number, agent), profile) in (0..).zip(examples).zip(profiles) {
            if !agent.queues.contains(id) {
                continue;
            }
            served.members += profile.members;
            let Some(first) = first_stage(queue, agent) else { continue };
            let fit = queue.needs.fit(agent);
            able.at[first..].iter_mut().for_each(|able| able.push((number, fit)));
            able.ever = able.ever.and_all_of(&agent.capacity);
        }
        served.able = Arc::new(able);
        served
    }
}

/// The stage from which on the agent has what the queue needs.
fn first_stage(queue: &Queue, agent: &Agent) -> Option<usize> {
    let unmet = (0..=queue.relaxations.len()).rev().find(|stage| !queue.needs_at(*stage).met_by(agent));
    let first = unmet.map_or(0, |stage| stage + 1);
    (first <= queue.relaxations.len()).then_some(first)
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
