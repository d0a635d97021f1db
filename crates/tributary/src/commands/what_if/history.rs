//! What happened, as far as no policy decided it: who came when, how long each took, who gave up after how long, who was
//! there and how they answered offers. Taken from the logs of the desks and of the conversations.
//!
//! A *case* is one conversation from when it wanted a person until it ended, a *leg* the part of it between two
//! transfers, or until its agent put it away. Where a conversation waits again because its agent left, or goes on to another queue because nobody took it,
//! the leg goes on: that is the desk's doing, and may be otherwise in a replay.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use domain::{
    AgentId, Channel, ConversationId, InboxId, Millis, OfferId, Party, Policy, QueueId, TenantId, Timestamp,
    conversation::{self, HandOffReason, What},
    desk::{self, Presence},
    policy::Special,
};

use super::patience::{Patience, chance};

#[derive(Default)]
pub struct History {
    /// The versions of the policy, and when each came into force at a desk.
    pub policies: Vec<(Timestamp, Arc<Policy>)>,
    pub cases: Vec<Case>,
    /// What agents said of their presence, each with the lease's end.
    pub presences: Vec<(Timestamp, AgentId, Presence, Timestamp)>,
    pub typical: Typical,
}

pub struct Case {
    pub party: Party,
    pub inbox: InboxId,
    pub channel: Channel,
    /// Where it was to wait.
    pub queue: QueueId,
    /// When it wanted a person.
    pub at: Timestamp,
    pub legs: Vec<Leg>,
    /// What it had beyond others, by the policy of the time and by a bot's word.
    pub special: Option<Arc<Special>>,
}

pub struct Leg {
    /// How long agents had it, in all.
    pub work: Work,
    /// How long it took until the offer was accepted; none where the queue accepted, or nobody did.
    pub accepted_after: Option<Millis>,
    /// The offers that were refused before, in their order: how, and how long after the offer.
    pub refusals: Vec<(Refusal, Millis)>,
    /// How long was taken to finish what was left to do; none where the queue had no wrap-up.
    pub wrap_up: Option<Millis>,
    /// How long it waited until an agent had it first, or until it waited no more.
    waited: Millis,
    /// How long the customer would wait; none: for as long as it takes.
    pub patience: Option<Millis>,
    pub then: Then,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    Took(Millis),
    /// No agent had it.
    Unknown,
    /// An agent still had it at the end.
    GoesOn,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Then {
    /// It ended, or still goes on.
    Over,
    /// It was given away: to a queue, perhaps for one agent.
    Transferred { queue: QueueId, agent: Option<AgentId> },
    /// Its agent put it away, and was wanted again after so long: then, or when the customer wrote.
    PutAway { away: Millis },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    Declined,
    Expired,
}

/// What is taken where nothing is recorded: medians.
#[derive(Default)]
pub struct Typical {
    accepted_after: Millis,
    work: HashMap<QueueId, Millis>,
    any_work: Millis,
    wrap_up: Option<Millis>,
}

impl Typical {
    pub fn accepted_after(&self) -> Millis {
        self.accepted_after
    }

    /// None if nothing was ever left to do.
    pub fn wrap_up(&self) -> Option<Millis> {
        self.wrap_up
    }

    pub fn work(&self, queue: &QueueId) -> Millis {
        self.work.get(queue).copied().unwrap_or(self.any_work)
    }
}

/// Gathers history: first from all that the desks decided, then from all that the conversations did.
pub struct Gathering {
    tenant: TenantId,
    history: History,
    versions: HashSet<u64>,
    offers: HashMap<OfferId, Offered>,
    refusals: HashMap<ConversationId, Vec<Refused>>,
    /// When wrap-ups began, and how long they took.
    wrapping: HashMap<OfferId, Timestamp>,
    wrap_ups: HashMap<OfferId, Millis>,
    accepted: HashMap<OfferId, Millis>,
    open: HashMap<ConversationId, Open>,
    work: HashMap<QueueId, Vec<Millis>>,
    /// How long each leg waited, and whether the customer gave up then.
    waits: Vec<(Millis, bool)>,
}

struct Offered {
    conversation: ConversationId,
    at: Timestamp,
}

struct Refused {
    offered: Timestamp,
    how: Refusal,
    after: Millis,
}

/// A case that is not over.
struct Open {
    case: Case,
    /// Where the leg began to wait last.
    queue: QueueId,
    /// When the leg began.
    began: Timestamp,
    /// How long it waited until an agent had it first.
    waited: Option<Millis>,
    worked: Millis,
    accepted_after: Option<Millis>,
    assignment: Option<OfferId>,
    stage: Stage,
}

enum Stage {
    Waits,
    Held {
        since: Timestamp,
    },
    /// An agent let go of it; what follows stands behind.
    Released,
    /// An agent put it away.
    Away {
        since: Timestamp,
    },
}

impl Gathering {
    pub fn new(tenant: TenantId) -> Gathering {
        Gathering {
            tenant,
            history: History::default(),
            versions: HashSet::new(),
            offers: HashMap::new(),
            refusals: HashMap::new(),
            wrapping: HashMap::new(),
            wrap_ups: HashMap::new(),
            accepted: HashMap::new(),
            open: HashMap::new(),
            work: HashMap::new(),
            waits: Vec::new(),
        }
    }

    /// A policy came into force at a desk.
    pub fn policy(&mut self, at: Timestamp, policy: &Arc<Policy>) {
        if policy.tenant == self.tenant && self.versions.insert(policy.version) {
            self.history.policies.push((at, policy.clone()));
        }
    }

    pub fn desk(&mut self, at: Timestamp, event: &desk::Event) {
        use desk::Event;
        match event {
            Event::PresenceSet { agent, presence, until } if agent.desk.tenant == self.tenant => {
                self.history.presences.push((at, agent.clone(), *presence, *until));
            }
            Event::Offered { offer, conversation, .. } if offer.desk.tenant == self.tenant => {
                self.offers.insert(offer.clone(), Offered { conversation: *conversation, at });
            }
            Event::AcceptRequested { offer, .. } => {
                if let Some(offered) = self.offers.get(offer) {
                    self.accepted.insert(offer.clone(), at - offered.at);
                }
            }
            Event::Accepted { offer, .. } | Event::Withdrawn { offer, .. } => {
                self.offers.remove(offer);
            }
            Event::Declined { offer, .. } => self.refused(at, offer, Refusal::Declined),
            Event::Expired { offer, .. } => self.refused(at, offer, Refusal::Expired),
            Event::WrapUpBegan { assignment, .. } => {
                self.wrapping.insert(assignment.clone(), at);
            }
            Event::AssignmentEnded { assignment, .. } => {
                if let Some(began) = self.wrapping.remove(assignment) {
                    self.wrap_ups.insert(assignment.clone(), at - began);
                }
            }
            _ => {}
        }
    }

    fn refused(&mut self, at: Timestamp, offer: &OfferId, how: Refusal) {
        if let Some(Offered { conversation, at: offered }) = self.offers.remove(offer) {
            let refused = Refused { offered, how, after: at - offered };
            self.refusals.entry(conversation).or_default().push(refused);
        }
    }

    pub fn conversation(&mut self, at: Timestamp, event: &conversation::Event) {
        if event.tenant != self.tenant {
            return;
        }
        match &event.what {
            What::AgentWanted { conversation, channel, queue, reason, agent, special, .. } => {
                let agent = agent.as_ref();
                self.wanted(at, *conversation, &event.inbox, *channel, queue, *reason, agent, special);
            }
            What::Assigned { conversation, assignment, .. } => {
                if let Some(open) = self.open.get_mut(conversation) {
                    open.accepted_after = open.accepted_after.or(self.accepted.get(assignment).copied());
                    open.assignment = Some(assignment.clone());
                    open.waited = open.waited.or(Some(at - open.began));
                    open.stage = Stage::Held { since: at };
                }
            }
            What::Released { conversation, .. } => {
                if let Some(open) = self.open.get_mut(conversation)
                    && let Stage::Held { since } = open.stage
                {
                    open.worked = Millis(open.worked.0 + (at - since).0);
                    open.stage = Stage::Released;
                }
            }
            What::Snoozed { conversation, .. } => {
                if let Some(open) = self.open.get_mut(conversation)
                    && let Stage::Held { since } = open.stage
                {
                    open.worked = Millis(open.worked.0 + (at - since).0);
                    open.stage = Stage::Away { since: at };
                }
            }
            What::BotEngaged { conversation, .. } => self.ends(*conversation, at, false),
            What::Closed { conversation, .. } => self.ends(*conversation, at, true),
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are one event's")]
    fn wanted(
        &mut self,
        at: Timestamp,
        conversation: ConversationId,
        inbox: &InboxId,
        channel: Channel,
        queue: &QueueId,
        reason: HandOffReason,
        agent: Option<&AgentId>,
        special: &Option<Arc<Special>>,
    ) {
        if let Some(open) = self.open.get_mut(&conversation) {
            match reason {
                HandOffReason::AgentGone | HandOffReason::Overflowed => {
                    open.queue = queue.clone();
                    open.stage = Stage::Waits;
                    return;
                }
                HandOffReason::Transferred => {
                    let then = Then::Transferred { queue: queue.clone(), agent: agent.cloned() };
                    self.leg_over(conversation, at, false, then);
                    if let Some(open) = self.open.get_mut(&conversation) {
                        (open.queue, open.began, open.stage) = (queue.clone(), at, Stage::Waits);
                    }
                    return;
                }
                HandOffReason::Woke => {
                    let away = match open.stage {
                        Stage::Away { since } => at - since,
                        _ => Millis(0),
                    };
                    self.leg_over(conversation, at, false, Then::PutAway { away });
                    if let Some(open) = self.open.get_mut(&conversation) {
                        (open.queue, open.began, open.stage) = (queue.clone(), at, Stage::Waits);
                    }
                    return;
                }
                // It wants a person anew, whatever became of it before.
                _ => self.ends(conversation, at, false),
            }
        }
        let case = Case {
            party: conversation.party,
            inbox: inbox.clone(),
            channel,
            queue: queue.clone(),
            at,
            legs: Vec::new(),
            special: special.clone(),
        };
        let open = Open {
            case,
            queue: queue.clone(),
            began: at,
            waited: None,
            worked: Millis(0),
            accepted_after: None,
            assignment: None,
            stage: Stage::Waits,
        };
        self.open.insert(conversation, open);
    }

    /// It ended, or is with a bot again.
    fn ends(&mut self, conversation: ConversationId, at: Timestamp, closed: bool) {
        self.leg_over(conversation, at, closed, Then::Over);
        self.history.cases.extend(self.open.remove(&conversation).map(|open| open.case));
    }

    fn leg_over(&mut self, conversation: ConversationId, at: Timestamp, closed: bool, then: Then) {
        let Some(open) = self.open.get_mut(&conversation) else { return };
        let work = match open.stage {
            Stage::Held { .. } => Work::GoesOn,
            // Nobody finished it: what was done before the agent left is not all there was to do.
            Stage::Waits => Work::Unknown,
            Stage::Released | Stage::Away { .. } => Work::Took(open.worked),
        };
        if let Work::Took(took) = work {
            self.work.entry(open.queue.clone()).or_default().push(took);
        }
        let gave_up = closed && matches!(open.stage, Stage::Waits) && open.waited.is_none();
        let waited = open.waited.take().unwrap_or(at - open.began);
        self.waits.push((waited, gave_up));
        // Drawn once all is known, for who did not give up.
        let patience = Some(waited).filter(|_| gave_up);
        let refused = self.refusals.get(&conversation).map(Vec::as_slice).unwrap_or_default();
        let of_leg = refused.iter().filter(|refused| (open.began..at).contains(&refused.offered));
        let refusals = of_leg.map(|refused| (refused.how, refused.after)).collect();
        let wrap_up = open.assignment.take().and_then(|assignment| self.wrap_ups.get(&assignment).copied());
        let accepted_after = open.accepted_after.take();
        open.case.legs.push(Leg { work, accepted_after, refusals, wrap_up, waited, patience, then });
        open.worked = Millis(0);
    }

    /// Everything up to here was told.
    pub fn finish(mut self, at: Timestamp) -> History {
        let open: Vec<_> = self.open.keys().copied().collect();
        open.into_iter().for_each(|conversation| self.ends(conversation, at, false));
        let Gathering { mut history, accepted, work, wrap_ups, waits, .. } = self;
        // The order in which partitions were read says nothing.
        history.policies.sort_by_key(|(_, policy)| policy.version);
        history.presences.sort_by(|(a, one, ..), (b, other, ..)| a.cmp(b).then_with(|| one.cmp(other)));
        history.cases.sort_by_key(|case| (case.at, case.party));
        let patience = Patience::of(waits);
        for (number, case) in history.cases.iter_mut().enumerate() {
            for (leg_number, leg) in case.legs.iter_mut().enumerate() {
                let drawn = || patience.beyond(leg.waited, chance(number, leg_number));
                leg.patience = leg.patience.or_else(drawn);
            }
        }
        let all = work.values().flatten().copied().collect();
        history.typical = Typical {
            accepted_after: median(accepted.into_values().collect()),
            any_work: median(all),
            wrap_up: (!wrap_ups.is_empty()).then(|| median(wrap_ups.into_values().collect())),
            work: work.into_iter().map(|(queue, took)| (queue, median(took))).collect(),
        };
        history
    }
}

fn median(mut values: Vec<Millis>) -> Millis {
    let middle = values.len() / 2;
    if values.is_empty() { Millis(0) } else { *values.select_nth_unstable(middle).1 }
}
