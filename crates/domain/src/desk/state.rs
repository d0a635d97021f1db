//! What a desk partition remembers: who is there, who waits, and what is reserved for whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, Channel, CommandId, ConversationId, DeskId, Millis, OfferId, Party, QueueId, TenantId, Timers,
    Timestamp,
    policy::{Capacity, Special},
};

use super::{Presence, TimerId, index::Derived};

/// The desks of one partition.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Desks {
    pub(super) desks: BTreeMap<DeskId, Desk>,
    /// The number of the offer made last, whichever desk made it.
    pub(super) offers_made: u64,
    pub(super) timers: Timers<TimerId>,
}

/// One team. Names stand for whole ids: everything here is at the same desk.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Desk {
    pub(super) agents: BTreeMap<Arc<str>, AgentState>,
    pub(super) waiting: BTreeMap<ConversationId, Waiting>,
    /// Those of `waiting` that no offer is under way for, in their order.
    pub(super) lines: BTreeMap<Line, BTreeSet<Place>>,
    pub(super) offers: BTreeMap<u64, Offer>,
    /// Agents who were asked in elsewhere.
    pub(super) consults: BTreeMap<CommandId, Consult>,
    #[serde(skip)]
    pub(super) index: Derived,
}

/// Waiting conversations that the same agents can take: a line is served or skipped as a whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) struct Line {
    /// The only agent wanted.
    pub(super) wanted: Option<Arc<str>>,
    pub(super) queue: Arc<str>,
    pub(super) channel: Channel,
    /// What they have beyond others of the queue.
    pub(super) special: Option<Arc<Special>>,
}

impl Line {
    /// Before all lines; those for whom anyone will do come first.
    pub(super) fn first() -> Line {
        Line::open("".into())
    }

    /// Before the lines of this queue for which anyone will do.
    pub(super) fn open(queue: Arc<str>) -> Line {
        Line { wanted: None, queue, channel: Channel::ALL[0], special: None }
    }

    /// Points of priority beyond those of the queue.
    pub(super) fn points(&self) -> i64 {
        self.special.as_ref().map_or(0, |special| special.priority.into())
    }

    /// Before the lines in which one agent is wanted.
    pub(super) fn first_wanted() -> Line {
        Line::first_wanting(&"".into())
    }

    pub(super) fn first_wanting(agent: &Arc<str>) -> Line {
        Line { wanted: Some(agent.clone()), ..Line::first() }
    }
}

/// A place in the waiting order, among conversations of equal priority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    /// False for who was here before: they go first.
    pub(super) newcomer: bool,
    pub(super) since: Timestamp,
    pub(super) conversation: ConversationId,
}

impl Place {
    /// Before all newcomers, or before all who were here before.
    pub(super) fn first(newcomer: bool) -> Place {
        let conversation = ConversationId { party: Party([0; 16]), number: 0 };
        Place { newcomer, since: Timestamp(i64::MIN), conversation }
    }
}

/// A conversation that waits for a person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Waiting {
    pub owner_epoch: u32,
    pub channel: Channel,
    /// The queue's name at this desk.
    pub queue: Arc<str>,
    /// The only agent wanted, until that agent is gone, has refused, or has been waited for long enough.
    pub wanted: Option<Arc<str>>,
    /// The agent wanted asked for it, and is not asked again.
    pub by_request: bool,
    /// What it has beyond others of the queue.
    pub special: Option<Arc<Special>>,
    pub since: Timestamp,
    /// It was with this desk before.
    pub again: bool,
    /// The number of the offer under way for it.
    pub offer: Option<u64>,
    /// The conversation is asked to go on to another queue; it is offered to nobody here meanwhile.
    pub overflowing: bool,
    /// When it was found last that its queue is closed.
    pub found_closed: Option<Timestamp>,
    /// Rare, so kept apart.
    pub(super) refusals: Option<Box<Refusals>>,
}

/// Who declined a conversation or let its offer expire.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Refusals {
    pub(super) by: BTreeSet<Arc<str>>,
    /// From here on, if nobody else is suitable, those who refused are asked again.
    pub(super) rest_until: Timestamp,
}

/// What a desk knows of an agent; what the agent may do is policy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AgentState {
    pub presence: Presence,
    /// When the lease ends.
    pub until: Timestamp,
    /// When the agent last became available, was offered a conversation, or finished one.
    pub idle_since: Timestamp,
    pub load: Load,
    /// The number of the last offer made to the agent; 0 before any.
    pub last_offer: u64,
    /// The offers and assignments that have not ended, by number.
    pub(super) held: Vec<u64>,
    /// Offers that expired since the agent answered one, or came.
    pub expired: u32,
    /// Away for having let offers expire, and not by the agent's own word.
    pub sent_away: bool,
}

impl AgentState {
    pub(super) const OFFLINE: AgentState = AgentState {
        presence: Presence::Offline,
        until: Timestamp(0),
        idle_since: Timestamp(0),
        load: Load([0; Channel::ALL.len()]),
        last_offer: 0,
        held: Vec::new(),
        expired: 0,
        sent_away: false,
    };
}

impl Default for AgentState {
    fn default() -> Self {
        AgentState::OFFLINE
    }
}

/// An agent looks on in a conversation that another one has.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Consult {
    pub conversation: ConversationId,
    /// The agent's name at this desk.
    pub agent: Arc<str>,
}

/// How many conversations an agent holds: offers, acceptances under way and assignments alike.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Load([u32; Channel::ALL.len()]);

impl Load {
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// What it takes of a capacity, by its weights.
    pub fn weighted(&self, capacity: &Capacity) -> u32 {
        let held = Channel::ALL.into_iter().filter(|channel| self.of(*channel) > 0);
        let each = held.map(|channel| self.of(channel).saturating_mul(capacity.weight(channel)));
        each.fold(0, u32::saturating_add)
    }

    pub fn of(&self, channel: Channel) -> u32 {
        self.0[channel as usize]
    }

    pub(super) fn add(&mut self, channel: Channel) {
        self.0[channel as usize] += 1;
    }

    pub(super) fn remove(&mut self, channel: Channel) {
        let count = &mut self.0[channel as usize];
        *count = count.saturating_sub(1);
    }
}

/// A conversation reserved for an agent, from the offer until the assignment's end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Offer {
    pub conversation: ConversationId,
    pub owner_epoch: u32,
    pub channel: Channel,
    /// The agent's name at this desk.
    pub agent: Arc<str>,
    /// The queue's name at this desk.
    pub queue: Arc<str>,
    pub offered_at: Timestamp,
    pub expires_at: Timestamp,
    pub stage: OfferStage,
}

impl Offer {
    /// How long the agent was given to answer.
    pub(super) fn patience(&self) -> Millis {
        self.expires_at - self.offered_at
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OfferStage {
    /// The agent has not answered.
    Open,
    /// The agent said yes by this command; the conversation has not answered.
    Accepting(CommandId),
    /// The conversation is the agent's.
    Assigned,
    /// The agent is gone; the conversation is asked to take itself back.
    GivingBack,
    /// The conversation is over for the agent, who still has something to finish about it.
    WrapUp,
}

impl Desks {
    pub fn all(&self) -> impl Iterator<Item = (&DeskId, &Desk)> {
        self.desks.iter()
    }

    pub fn desk(&self, desk: &DeskId) -> Option<&Desk> {
        self.desks.get(desk)
    }

    pub(super) fn of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &DeskId> {
        let first = DeskId { tenant: tenant.clone(), name: "".into() };
        self.desks.range(first..).map(|(desk, _)| desk).take_while(move |desk| desk.tenant == *tenant)
    }

    /// The number of the offer made last in this partition; offers count from 1.
    pub fn offers_made(&self) -> u64 {
        self.offers_made
    }

    /// The offer or assignment, as long as it has not ended.
    pub fn offer(&self, offer: &OfferId) -> Option<&Offer> {
        self.desk(&offer.desk)?.offers.get(&offer.number)
    }

    pub fn agent(&self, agent: &AgentId) -> Option<&AgentState> {
        self.desk(&agent.desk)?.agents.get(&agent.name)
    }

    /// Where and how the conversation waits; it waits at one desk at most.
    pub fn waiting(&self, conversation: ConversationId) -> Option<(&DeskId, &Waiting)> {
        self.desks.iter().find_map(|(id, desk)| Some((id, desk.waiting.get(&conversation)?)))
    }

    /// The conversations that wait in a queue, those under offer included, in their order.
    pub fn waiting_in(&self, queue: &QueueId) -> Vec<(ConversationId, &Waiting)> {
        let Some(desk) = self.desk(&queue.desk) else { return Vec::new() };
        let mut found: Vec<_> = desk.waiting().filter(|(_, waiting)| waiting.queue == queue.name).collect();
        found.sort_by_key(|(conversation, waiting)| waiting.place(*conversation));
        found
    }
}

impl Desk {
    /// The agents who were ever here, by name.
    pub fn agents(&self) -> impl Iterator<Item = (&Arc<str>, &AgentState)> {
        self.agents.iter()
    }

    /// Everyone who waits, those under offer included, in no order of theirs.
    pub fn waiting(&self) -> impl Iterator<Item = (ConversationId, &Waiting)> {
        self.waiting.iter().map(|(conversation, waiting)| (*conversation, waiting))
    }

    /// Who is consulted, by the command that asked.
    pub fn consults(&self) -> impl Iterator<Item = (CommandId, &Consult)> {
        self.consults.iter().map(|(id, consult)| (*id, consult))
    }

    /// Offers and assignments that have not ended, by number.
    pub fn offers(&self) -> impl Iterator<Item = (u64, &Offer)> {
        self.offers.iter().map(|(number, offer)| (*number, offer))
    }
}

impl Waiting {
    pub(super) fn line(&self) -> Line {
        let (wanted, queue) = (self.wanted.clone(), self.queue.clone());
        Line { wanted, queue, channel: self.channel, special: self.special.clone() }
    }

    pub(super) fn place(&self, conversation: ConversationId) -> Place {
        Place { newcomer: !self.again, since: self.since, conversation }
    }

    /// Whether this agent asked for it, as long as that agent is wanted.
    pub(super) fn is_asked_for_by(&self, agent: &str) -> bool {
        self.by_request && self.wanted.as_deref() == Some(agent)
    }

    /// Whether this agent declined the conversation, or let its offer expire, and it was not forgotten since.
    pub fn refused_by(&self, agent: &str) -> bool {
        self.refusals.as_ref().is_some_and(|refusals| refusals.by.contains(agent))
    }

    /// How many agents refused it, as far as that is remembered.
    pub(super) fn refusals(&self) -> u32 {
        self.refusals.as_ref().map_or(0, |refusals| u32::try_from(refusals.by.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn refused(&mut self, agent: &Arc<str>, rest_until: Timestamp) {
        if self.wanted.as_ref() == Some(agent) {
            self.wanted = None;
        }
        let refusals =
            self.refusals.get_or_insert_with(|| Box::new(Refusals { by: BTreeSet::new(), rest_until }));
        refusals.by.insert(agent.clone());
        refusals.rest_until = refusals.rest_until.max(rest_until);
    }
}
