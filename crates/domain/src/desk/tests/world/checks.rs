//! What is checked after every step, and at every event, by the policy and the book alone.

use super::{super::*, Asked, Entry, Owner, Stage, World};
use crate::{
    Aggregate, Cause, Partition, Recorded, Step, Topology,
    desk::{
        Consult, Decider, Desks, Event, Offer, Presence, TimerId, Waiting, Why, acceptance_by_rule,
        index::Index,
        selection::{Candidate, Rank, rank},
    },
};

impl World {
    /// Folds a step, event by event beside the partition, and checks the invariants on the way.
    pub(super) fn absorb(&mut self, step: Step<Decider>) {
        assert!(step.events.len() <= 201, "a decision is bounded");
        if let Cause::Timer(timer) = &step.cause {
            assert!(timer.due <= self.now, "a timer fires before its time");
            assert!(self.generations_fired.insert(timer.generation), "a timer fires twice in a generation");
        }
        let mut desks = self.desks().clone();
        for Recorded { event, .. } in &step.events {
            self.book_keeps_up(&desks, event);
            Decider::evolve(&mut desks, self.now, event);
        }
        self.who_does_not_answer_is_away(&step);
        for answer in &step.answers {
            assert!(self.answered.insert(answer.command), "a command is answered twice");
        }
        self.partition.fold(self.now, &step);
        self.steps.push((self.now, step));
        self.loads_are_what_is_reserved();
        self.no_offer_exceeds_the_policy();
        self.no_compatible_pair_persists();
        self.nobody_waits_unseen();
        self.nobody_is_forgotten();
        self.who_asked_is_not_asked();
        self.who_looks_on_is_there();
        self.index_is_what_the_state_says();
    }

    /// Every reservation begins once, within the capacity, and ends once.
    fn book_keeps_up(&mut self, desks: &Desks, event: &Event) {
        let move_on = |book: &mut BTreeMap<u64, Entry>, offer: &OfferId, from: Stage, to: Stage| {
            let entry = book.get_mut(&offer.number).expect("only what was offered goes on");
            assert_eq!(entry.stage, from, "{event:?}");
            entry.stage = to;
        };
        match event {
            Event::Offered { offer, conversation, agent, channel, why, .. } => {
                self.offers_seen += 1;
                assert_eq!(offer.number, self.offers_seen, "offers are numbered densely");
                self.offer_follows_the_order(desks, *conversation, agent);
                self.reason_is_true(desks, *conversation, why.expect("an offer has its reason"));
                let entry = Entry { agent: agent.clone(), channel: *channel, stage: Stage::Open };
                assert!(self.book.insert(offer.number, entry).is_none());
                self.capacity_is_kept(agent, *channel);
            }
            Event::AcceptRequested { offer, conversation, owner_epoch, command, .. } => {
                move_on(&mut self.book, offer, Stage::Open, Stage::Accepting);
                let (conversation, owner_epoch, offer) = (*conversation, *owner_epoch, offer.clone());
                let command = *command;
                self.to_conversations.push_back(Asked::Assign { conversation, owner_epoch, offer, command });
            }
            Event::Accepted { offer, .. } => {
                move_on(&mut self.book, offer, Stage::Accepting, Stage::Assigned)
            }
            Event::Declined { offer, .. } | Event::Expired { offer, .. } => self.ends(offer, Stage::Open),
            Event::Withdrawn { offer, command: None, .. } => self.ends(offer, Stage::Open),
            Event::Withdrawn { offer, command: Some(_), .. } => self.ends(offer, Stage::Accepting),
            Event::WrapUpBegan { assignment, .. } => {
                move_on(&mut self.book, assignment, Stage::Assigned, Stage::WrapUp);
            }
            Event::AssignmentEnded { assignment, .. } => {
                let entry = self.book.remove(&assignment.number).expect("a reservation ends once");
                assert!(matches!(entry.stage, Stage::Assigned | Stage::WrapUp), "{assignment}");
            }
            Event::AcceptedByRule { offer, conversation, owner_epoch, .. } => {
                move_on(&mut self.book, offer, Stage::Open, Stage::Accepting);
                let (conversation, owner_epoch, offer) = (*conversation, *owner_epoch, offer.clone());
                let command = acceptance_by_rule(&offer);
                self.to_conversations.push_back(Asked::Assign { conversation, owner_epoch, offer, command });
            }
            Event::Overflowing { conversation, owner_epoch, to, since, .. } => {
                let (conversation, owner_epoch, to) = (*conversation, *owner_epoch, to.clone());
                self.to_conversations.push_back(Asked::Overflow {
                    conversation,
                    owner_epoch,
                    to,
                    since: *since,
                });
            }
            Event::Waits { conversation, why, .. } => self.reason_is_true(desks, *conversation, *why),
            Event::QueueClosed { conversation, queue, until, say, .. } => {
                self.closing_is_true(desks, *conversation, queue, *until, *say);
            }
            Event::Stranded { conversation, queue, .. } => {
                let (_, waiting) = desks.waiting(*conversation).expect("only who waits is stranded");
                assert_eq!(*queue.name, *waiting.queue);
                self.stranded.insert((queue.clone(), waiting.channel, waiting.special.clone()));
            }
            Event::GivingBack { assignment, conversation, .. } => {
                move_on(&mut self.book, assignment, Stage::Assigned, Stage::Assigned);
                let (conversation, assignment) = (*conversation, assignment.clone());
                self.to_conversations.push_back(Asked::GiveBack { conversation, assignment });
            }
            Event::ConsultBegan { consult, agent, .. } => {
                let is_there = desks.agent(agent).is_some_and(|a| a.presence == Presence::Available);
                assert!(
                    is_there && self.policy.agents.contains_key(agent),
                    "{agent} is asked in, and is not there"
                );
                assert_eq!(self.looking_on.insert(*consult, agent.clone()), None, "asked in once");
                let of_agent = self.looking_on.values().filter(|other| *other == agent).count();
                assert!(of_agent <= 3, "{agent} looks on in {of_agent}");
                let agent = Some(agent.clone());
                self.to_conversations.push_back(Asked::Consulted { consult: *consult, agent });
            }
            Event::ConsultFailed { consult, .. } => {
                self.to_conversations.push_back(Asked::Consulted { consult: *consult, agent: None });
            }
            Event::ConsultEnded { consult, agent, gone, .. } => {
                assert_eq!(self.looking_on.remove(consult), Some(agent.clone()), "it ends once");
                if *gone {
                    self.to_conversations.push_back(Asked::ConsultGone { consult: *consult });
                }
            }
            Event::Enqueued { .. }
            | Event::Dequeued { .. }
            | Event::PresenceSet { .. }
            | Event::SentAway { .. }
            | Event::LeaseLapsed { .. }
            | Event::PreferenceEnded { .. }
            | Event::LookSet { .. }
            | Event::WorkDeferred { .. } => {}
        }
    }

    /// An agent who lets as many offers in a row expire as the last one's queue allows is away in the same decision.
    fn who_does_not_answer_is_away(&mut self, step: &Step<Decider>) {
        let mut due: Option<(AgentId, u32)> = None;
        for Recorded { event, .. } in &step.events {
            match event {
                Event::Expired { offer, agent, .. } => {
                    let expired = self.expired.entry(agent.clone()).or_default();
                    *expired += 1;
                    let (desks, policy) = (self.partition.state(), &self.policy);
                    let queue = |held: &Offer| QueueId { desk: offer.desk.clone(), name: held.queue.clone() };
                    let queue = desks.offer(offer).map(queue).expect("it ends now");
                    let most = policy.queues.get(&queue).and_then(|queue| queue.away_after_expired);
                    let is_there = desks.agent(agent).is_some_and(|a| a.presence == Presence::Available);
                    if is_there && most.is_some_and(|most| *expired >= most) {
                        due = Some((agent.clone(), *expired));
                    }
                }
                Event::AcceptRequested { agent, .. } | Event::Declined { agent, .. } => {
                    self.expired.remove(agent);
                }
                Event::SentAway { agent, expired } => {
                    assert_eq!(
                        due.take(),
                        Some((agent.clone(), *expired)),
                        "nobody is sent away for nothing"
                    );
                    self.sent_away.insert(agent.clone());
                }
                Event::PresenceSet { agent, presence, .. } => {
                    let before = self.partition.state().agent(agent).map(|agent| agent.presence);
                    if *presence == Presence::Available && before != Some(Presence::Available) {
                        self.expired.remove(agent);
                    }
                    if *presence != Presence::Away {
                        self.sent_away.remove(agent);
                    }
                }
                Event::LeaseLapsed { agent } => {
                    self.sent_away.remove(agent);
                }
                _ => {}
            }
        }
        assert_eq!(due, None, "who does not answer is away");
    }

    fn ends(&mut self, offer: &OfferId, from: Stage) {
        let entry = self.book.remove(&offer.number).expect("a reservation ends once");
        assert_eq!(entry.stage, from, "{offer}");
    }

    fn held(&self, agent: &AgentId) -> impl Iterator<Item = &Entry> {
        self.book.values().filter(move |entry| entry.agent == *agent)
    }

    fn held_of(&self, agent: &AgentId, channel: Channel) -> usize {
        self.held(agent).filter(|entry| entry.channel == channel).count()
    }

    /// What the agent holds, in the weights of the policy in force.
    fn weight_held(&self, agent: &AgentId) -> u32 {
        let Some(allowed) = self.policy.agents.get(agent) else { return 0 };
        self.held(agent).map(|entry| allowed.capacity.weight(entry.channel)).sum()
    }

    fn has_room(&self, agent: &AgentId, channel: Channel) -> bool {
        let Some(Agent { capacity, .. }) = self.policy.agents.get(agent) else { return false };
        self.weight_held(agent) + capacity.weight(channel) <= capacity.total
            && self.held_of(agent, channel) < capacity.most_of(channel) as usize
    }

    fn capacity_is_kept(&self, agent: &AgentId, channel: Channel) {
        let capacity = self.policy.agents.get(agent).map(|agent| agent.capacity.clone()).unwrap_or_default();
        assert!(self.weight_held(agent) <= capacity.total, "{agent} holds too much");
        let most = capacity.most_of(channel) as usize;
        assert!(self.held_of(agent, channel) <= most, "{agent} holds too much of {channel:?}");
    }

    fn no_offer_exceeds_the_policy(&self) {
        for entry in self.book.values().filter(|entry| entry.stage == Stage::Open) {
            self.capacity_is_kept(&entry.agent, entry.channel);
        }
    }

    fn loads_are_what_is_reserved(&self) {
        for (id, desk) in self.desks().all() {
            for (name, state) in desk.agents() {
                let agent = AgentId { desk: id.clone(), name: name.clone() };
                assert_eq!(state.load.total() as usize, self.held(&agent).count(), "{agent}");
                for channel in Channel::ALL {
                    assert_eq!(state.load.of(channel) as usize, self.held_of(&agent, channel), "{agent}");
                }
            }
        }
    }

    /// The agents who may be asked to take a waiting conversation, by the rules and nothing else, and with how good a
    /// rank. `waited`: as if it had waited for so long.
    fn suitable(
        &self,
        desks: &Desks,
        desk: &DeskId,
        waiting: &Waiting,
        waited: Millis,
        after_rest: bool,
    ) -> BTreeMap<AgentId, Rank> {
        let able = self.able(desks, desk, waiting, waited);
        let fresh: BTreeMap<_, _> = able
            .iter()
            .filter(|(agent, _)| !waiting.refused_by(&agent.name))
            .map(|(a, r)| (a.clone(), *r))
            .collect();
        let rested = waiting.refusals.as_ref().is_some_and(|refusals| refusals.rest_until <= self.now);
        if fresh.is_empty() && rested && after_rest { able } else { fresh }
    }

    fn able(
        &self,
        desks: &Desks,
        desk: &DeskId,
        waiting: &Waiting,
        waited: Millis,
    ) -> BTreeMap<AgentId, Rank> {
        let id = QueueId { desk: desk.clone(), name: waiting.queue.clone() };
        let Some(queue) =
            self.policy.queues.get(&id).filter(|_| waiting.offer.is_none() && !waiting.overflowing)
        else {
            return BTreeMap::new();
        };
        if waiting.wanted.is_none() && !self.hours.is_open(queue, self.now) {
            return BTreeMap::new();
        }
        let needs = queue.needs_at(queue.stage(waited));
        let able = |(agent, allowed): &(&AgentId, &Agent)| {
            let state = desks.agent(agent);
            agent.desk == *desk
                && state.is_some_and(|state| state.presence == Presence::Available)
                && match &waiting.wanted {
                    Some(wanted) => *wanted == agent.name,
                    None => {
                        allowed.queues.contains(&id)
                            && needs.met_by(allowed)
                            && has_what_is_special(waiting, allowed)
                    }
                }
                && self.has_room(agent, waiting.channel)
        };
        let ranked = |(agent, allowed): (&AgentId, &Agent)| {
            let state = desks.agent(agent).cloned().unwrap_or_default();
            let candidate = Candidate {
                idle_since: state.idle_since,
                load: self.weight_held(agent),
                last_offer: state.last_offer,
                fit: fit(queue, waiting, allowed),
            };
            (agent.clone(), rank(queue.selection, &candidate))
        };
        self.policy.agents.iter().filter(able).map(ranked).collect()
    }

    fn offer_follows_the_order(&self, desks: &Desks, conversation: ConversationId, agent: &AgentId) {
        let (desk, chosen) = desks.waiting(conversation).expect("only who waits is offered");
        let order = |id: ConversationId, waiting: &Waiting| {
            let queue = QueueId { desk: desk.clone(), name: waiting.queue.clone() };
            let waited = self.counted(desk, waiting);
            let priority =
                self.policy.queues.get(&queue).map(|queue| queue.priority_after(waited, waiting.again));
            let points = waiting.special.as_ref().map_or(0, |special| i64::from(special.priority));
            let priority = priority.map(|priority| priority + points);
            (std::cmp::Reverse(priority), !waiting.again, waiting.since, id)
        };
        let before = order(conversation, chosen);
        for (id, waiting) in desks.desk(desk).expect("it waits there").waiting() {
            // Who has waited so long that a timer is overdue for it is seen to when that fires.
            if order(id, waiting) < before {
                let suitable = self.surely_suitable(desks, desk, waiting);
                assert_eq!(
                    suitable,
                    [].into(),
                    "{conversation} is offered before {id}, which could have been"
                );
            }
        }
        let suitable = self.suitable(desks, desk, chosen, self.counted(desk, chosen), true);
        let best = suitable.iter().min_by_key(|(agent, rank)| (**rank, *agent));
        assert_eq!(
            best.map(|(agent, _)| agent),
            Some(agent),
            "the first by the selection is asked: {suitable:?}"
        );
    }

    /// A reason tells what anyone can count.
    fn reason_is_true(&self, desks: &Desks, conversation: ConversationId, why: Why) {
        let (desk, waiting) = desks.waiting(conversation).expect("only who waits is considered");
        let waited = self.now - waiting.since;
        assert_eq!((why.policy, why.waited), (self.policy.version, waited));
        assert_eq!(why.wanted, waiting.wanted.is_some());
        let able = self.able(desks, desk, waiting, self.counted(desk, waiting));
        let refused = able.keys().filter(|agent| waiting.refused_by(&agent.name)).count();
        let counted = why.considered;
        assert_eq!(
            (counted.free as usize, counted.refused as usize),
            (able.len() - refused, refused),
            "{why:?}"
        );
        let id = QueueId { desk: desk.clone(), name: waiting.queue.clone() };
        let queue = &self.policy.queues[&id];
        let members = || self.policy.agents.iter().filter(|(_, agent)| agent.queues.contains(&id));
        if waiting.wanted.is_none() {
            let needs = queue.needs_at(why.stage as usize);
            let meets = |agent: &Agent| needs.met_by(agent) && has_what_is_special(waiting, agent);
            let unable = members().filter(|(_, agent)| !meets(agent)).count();
            assert_eq!(counted.unable as usize, unable);
            let all = counted.free
                + counted.refused
                + counted.full
                + counted.away
                + counted.offline
                + counted.unable;
            assert_eq!(all as usize, members().count(), "{why:?}");
            let presence = |(id, agent): &(&AgentId, &Agent)| {
                let state = desks.agent(id).map_or(Presence::Offline, |state| state.presence);
                meets(agent) && state == Presence::Away
            };
            assert_eq!(counted.away as usize, members().filter(presence).count(), "{why:?}");
        }
    }

    /// An overdue timer may be what brings people together, or sends them on.
    pub(super) fn is_overdue(&self) -> bool {
        self.partition.next_due().is_some_and(|due| due <= self.now)
    }

    fn no_compatible_pair_persists(&self) {
        for (id, desk) in self.desks().all() {
            for (conversation, waiting) in desk.waiting() {
                let suitable = self.surely_suitable(self.desks(), id, waiting);
                assert_eq!(suitable, [].into(), "{conversation} waits while these are free");
            }
        }
        assert!(!self.is_deferred(), "this world is too small for that");
    }

    /// Who waits in vain is sent on or told of; who waits for somebody, waits for one who is there; and the desk looks
    /// again before anything changes by waiting.
    fn nobody_waits_unseen(&self) {
        for (id, desk) in self.desks().all() {
            let in_line =
                desk.waiting().filter(|(_, waiting)| waiting.offer.is_none() && !waiting.overflowing);
            for (conversation, waiting) in in_line {
                let queue_id = QueueId { desk: id.clone(), name: waiting.queue.clone() };
                let queue = self.policy.queues.get(&queue_id);
                let told =
                    self.stranded.contains(&(queue_id.clone(), waiting.channel, waiting.special.clone()));
                if let Some(wanted) = &waiting.wanted {
                    let agent = AgentId { desk: id.clone(), name: wanted.clone() };
                    let state = self.desks().agent(&agent).map(|state| state.presence);
                    let here = self.policy.agents.contains_key(&agent) && state != Some(Presence::Offline);
                    assert!(here && state.is_some(), "{conversation} waits for {agent}, who is not there");
                } else {
                    let last = |queue: &Queue| queue.needs_at(queue.relaxations.len()).clone();
                    let could = |(_, agent): (&AgentId, &Agent)| {
                        let needs = queue.map(last).unwrap_or_default();
                        let admits = agent.capacity.admits(waiting.channel);
                        let able = needs.met_by(agent) && has_what_is_special(waiting, agent);
                        agent.queues.contains(&queue_id) && able && admits
                    };
                    let hopeless = queue.is_none() || !self.policy.agents.iter().any(could);
                    assert!(!hopeless || told, "{conversation} waits in vain, and nobody is told");
                }
                let Some(queue) = queue else { continue };
                self.hours_are_kept(queue, &queue_id, conversation, waiting, told);
                let waited = self.counted(id, waiting);
                let overflow = queue.overflow.as_ref().and_then(|overflow| overflow.after);
                let too_long = overflow.is_some_and(|after| waited >= after);
                assert!(
                    self.is_overdue() || !too_long,
                    "{conversation} should have gone on to another queue"
                );
                let is_open = self.hours.is_open(queue, self.now);
                if let Some(mark) = queue.next_change(waited).filter(|_| !told && is_open) {
                    let looks = self.desks().timers.due(&TimerId::Look(queue_id));
                    let left = Millis(mark.0 - waited.0);
                    assert!(looks.is_some_and(|at| at <= self.now + left), "nobody looks at {conversation}");
                }
            }
        }
    }

    fn who_asked_is_not_asked(&self) {
        for (id, desk) in self.desks().all() {
            for (conversation, waiting) in desk.waiting().filter(|(_, waiting)| waiting.by_request) {
                let offer = waiting.offer.and_then(|number| self.book.get(&number));
                let is_asked = offer.is_some_and(|offer| {
                    offer.stage == Stage::Open && waiting.is_asked_for_by(&offer.agent.name)
                });
                assert!(!is_asked, "an agent of {id} is asked about {conversation}, and had asked for it");
            }
        }
    }

    /// The agents who may be asked, whichever timer is overdue: who has waited so long that one is is seen to when that
    /// fires, as is who waits in a queue that has opened.
    fn surely_suitable(&self, desks: &Desks, desk: &DeskId, waiting: &Waiting) -> BTreeMap<AgentId, Rank> {
        let id = QueueId { desk: desk.clone(), name: waiting.queue.clone() };
        let has_hours = self.policy.queues.get(&id).is_some_and(|queue| queue.hours.is_some());
        match self.is_overdue() {
            true if has_hours && waiting.wanted.is_none() => BTreeMap::new(),
            true => self.suitable(desks, desk, waiting, Millis(0), false),
            false => self.suitable(desks, desk, waiting, self.counted(desk, waiting), true),
        }
    }

    /// At the end, the desk waits only for queues to open or close, or to have done so once.
    pub(super) fn only_hours_are_waited_for(&self) {
        let others = self.desks().timers.ids().filter(|timer| !matches!(timer, TimerId::Look(_)));
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&TimerId>::new(), "timers that guard nothing");
    }

    /// What is kept up is what would be made anew.
    fn index_is_what_the_state_says(&self) {
        for (id, desk) in self.desks().all() {
            let made = Index::of(&self.policy, id, Some(desk));
            let kept = desk.index.under(&self.policy, || Index::of(&self.policy, id, Some(desk)));
            assert_eq!(*kept, made);
        }
    }

    /// Nobody is asked in who has left, and the desks know of exactly those who were.
    fn who_looks_on_is_there(&self) {
        let known = self.desks().all().flat_map(|(desk, state)| {
            let name = |known: &Consult| AgentId { desk: desk.clone(), name: known.agent.clone() };
            state.consults().map(move |(consult, known)| (consult, name(known))).collect::<Vec<_>>()
        });
        assert_eq!(known.collect::<BTreeMap<_, _>>(), self.looking_on);
        for agent in self.looking_on.values() {
            let state = self.desks().agent(agent).map(|state| state.presence);
            let is_there = self.policy.agents.contains_key(agent) && state != Some(Presence::Offline);
            assert!(is_there, "{agent} looks on, and has left");
        }
    }

    fn is_deferred(&self) -> bool {
        self.desks().timers.first().is_some_and(|timer| matches!(timer.id, TimerId::Deferred(_)))
    }

    /// Once the desk has heard everything, those who wait for it are those who wait at it.
    fn nobody_is_forgotten(&self) {
        if !self.to_desk.is_empty() {
            return;
        }
        let meant = self.conversations.iter().filter_map(|(id, known)| match &known.owner {
            Owner::Desk(queue) => Some((*id, known.owner_epoch, queue.clone())),
            _ => None,
        });
        let mut waiting = Vec::new();
        for (id, desk) in self.desks().all() {
            let queue = |waiting: &Waiting| QueueId { desk: id.clone(), name: waiting.queue.clone() };
            waiting.extend(desk.waiting().map(|(id, waiting)| (id, waiting.owner_epoch, queue(waiting))));
        }
        waiting.sort();
        assert_eq!(meant.collect::<Vec<_>>(), waiting);
    }

    pub(super) fn replay_equals_live(&self) {
        let topology = Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };
        let mut replayed = Partition::new(topology);
        for (at, step) in &self.steps {
            replayed.fold(*at, step);
        }
        assert_eq!(replayed, self.partition);
    }

    /// Whatever the order, folding does not fail.
    pub(super) fn evolve_is_total(&self) {
        let mut desks = Desks::default();
        for (at, step) in self.steps.iter().rev() {
            for Recorded { event, .. } in step.events.iter().rev().chain(&step.events) {
                Decider::evolve(&mut desks, *at, event);
            }
        }
    }
}

fn has_what_is_special(waiting: &Waiting, agent: &Agent) -> bool {
    waiting.special.as_ref().is_none_or(|special| special.needs.met_by(agent))
}

/// The levels of all that the queue or the conversation needs, each skill once.
fn fit(queue: &Queue, waiting: &Waiting, agent: &Agent) -> u32 {
    let of_queue = queue.needs.skills.keys();
    let besides = waiting.special.iter().flat_map(|special| special.needs.skills.keys());
    let skills: BTreeSet<_> = of_queue.chain(besides).collect();
    skills.into_iter().filter_map(|skill| agent.skills.get(skill)).map(|level| u32::from(*level)).sum()
}
