//! What is checked after every step, from its events and by the book.

use std::collections::BTreeMap;

use super::{super::*, Entry, Owned, TOPOLOGY, World, elsewhere};
use crate::{
    Cause, Lane, Partition, Peer, Policy, Recorded, Relay, Route, Step, Tags, contact,
    conversation::{Command, ConsultEnd, Decider, Event, HandOffReason, Owner, TimerId, What, Window},
    delivery, desk,
    policy::{Needs, Special},
};

impl World {
    pub(super) fn absorb(&mut self, step: Step<Decider>) {
        if let Cause::Timer(timer) = &step.cause {
            assert!(timer.due <= self.now, "a timer fires before its time");
            assert!(self.generations_fired.insert(timer.generation), "a timer fires twice in a generation");
            // The policy may have changed, and there is nothing to say any more.
            let is_moot = matches!(timer.id, TimerId::AwayUnsaid(_));
            assert!(is_moot || !step.events.is_empty(), "a timer that fires guards something");
        }
        self.receipts.keep_up(step.events.iter().map(|recorded| &recorded.event));
        for Recorded { event, relay } in &step.events {
            self.book_keeps_up(event);
            self.the_window_is_kept(event);
            self.relays_what_it_should(event, relay.map(|(peer, _)| peer));
        }
        for answer in &step.answers {
            if self.pending.remove(&answer.command) {
                assert!(self.answered.insert(answer.command), "a command is answered once");
            }
        }
        self.partition.fold(self.now, &step);
        assert_eq!(self.partition.pending(), self.pending, "who waits for an answer");
        self.archive.extend(self.partition.take_departed().parties);
        self.steps.push((self.now, step));
        self.state_is_what_the_book_says();
        self.timers_guard_what_is_open();
        self.what_sleeps_does_not_sleep_on();
        self.outboxes_hold_what_is_on_its_way();
    }

    /// Nothing leaves after its time, only a person's words leave in a person's time, and what is held leaves once, in order.
    fn the_window_is_kept(&mut self, event: &Event) {
        let window = self.windows.get(&event.party()).copied();
        let is_within = |by_person: bool, message: &MessageId| {
            let until = window.map(|window| if by_person { window.person_until } else { window.until });
            assert!(until.is_none_or(|until| self.now <= until), "{message} comes too late: {event:?}");
        };
        match &event.what {
            What::WindowOpened { window: later, .. } => {
                let grows = |before: &Window| {
                    before.until <= later.until && before.person_until <= later.person_until
                };
                assert!(window.as_ref().is_none_or(grows), "it shrinks: {event:?}");
                self.windows.insert(event.party(), *later);
            }
            What::BotReplied { message, outgoing, .. } | What::AwaySaid { message, outgoing, .. } => {
                assert!(!outgoing.by_person && outgoing.window == window, "{event:?}");
                is_within(false, message);
            }
            // Another address is in no window of this one.
            What::Replied { outgoing, .. } if outgoing.to.subject != event.party() => {
                assert_eq!(outgoing.window, None, "{event:?}");
            }
            What::Replied { message, outgoing, .. } => {
                assert!(outgoing.by_person && outgoing.window == window, "{event:?}");
                is_within(true, message);
            }
            What::HeldSent { message, outgoing, .. } => {
                assert!(outgoing.by_person && outgoing.window == window, "{event:?}");
                is_within(true, message);
                let held = self.held.entry(event.party()).or_default();
                assert!(
                    !held.is_empty() && held.remove(0) == *message,
                    "not the next of {held:?}: {event:?}"
                );
            }
            What::ReplyHeld { reply, .. } => {
                let is_late = window.is_some_and(|window| window.person_until < self.now);
                assert!(is_late, "nothing to wait for: {event:?}");
                self.held.entry(event.party()).or_default().push(reply.message);
            }
            What::OptedOut { party } => drop(self.held.remove(party)),
            What::Returned { party, tombstone } => {
                let held: Vec<_> = tombstone.held.iter().map(|held| held.message).collect();
                assert_eq!(held, self.held.get(party).cloned().unwrap_or_default(), "{event:?}");
                assert_eq!(tombstone.window, window, "{event:?}");
            }
            _ => {}
        }
    }

    /// Invariants 3 and 15, from the events alone.
    fn book_keeps_up(&mut self, event: &Event) {
        assert_eq!((&event.tenant, &event.inbox), (&tenant(), &inbox()));
        if let What::Retired { party } = event.what {
            let is_open = |(id, entry): (&ConversationId, &Entry)| id.party == party && entry.is_open;
            assert!(!self.book.iter().any(is_open), "{party} is retired with an open conversation");
        }
        let Some(id) = event.conversation() else { return };
        self.answers_go_where_they_should(id, event);
        if let What::Opened { .. } = event.what {
            let before = ConversationId { number: id.number - 1, ..id };
            let is_over = self.book.get(&before).is_some_and(|before| !before.is_open);
            assert!(is_over || id.number == 1, "{id} is opened while another one is open, or out of turn");
            let entry = Entry { is_open: true, ..Entry::default() };
            assert_eq!(self.book.insert(id, entry), None, "{id} is opened twice");
            return;
        }
        let entry = self.book.get_mut(&id).expect("only what was opened goes on");
        if let What::AgentWanted { reason: HandOffReason::Woke, agent, .. } = &event.what {
            let Some(Owned::Snoozed(by, _)) = &entry.owner else { panic!("it was not put away: {event:?}") };
            assert!(agent.as_ref().is_none_or(|agent| agent == by), "it comes back to another: {event:?}");
        }
        if let (What::AgentWanted { .. }, Some(Owned::Queue(queue))) = (&event.what, &entry.owner) {
            panic!("{queue} is not told that it waits there no more: {event:?}");
        }
        if let What::AgentWanted { queue, special, .. } = &event.what {
            let tags = self.tags.get(&id.party);
            let expected = special_by_the_rules(&self.policy, tags, entry.special.as_ref(), queue);
            assert_eq!(special.as_deref(), expected.as_ref(), "{event:?}");
        }
        let mut own = |owner: Owned, owner_epoch: u32| {
            assert!(entry.is_open, "{event:?}");
            assert!(owner_epoch > entry.owner_epoch, "the epoch grows with every owner: {event:?}");
            assert!(!matches!(entry.owner, Some(Owned::Agent(..))), "an agent is released first: {event:?}");
            assert_eq!(entry.consult, None, "who was asked in goes with the agent: {event:?}");
            (entry.owner, entry.owner_epoch, entry.turn) = (Some(owner), owner_epoch, None);
            (entry.away, entry.promise) = (false, None);
        };
        // Whoever has the thread answers, and nobody else: but another address is another thread.
        if let What::BotReplied { outgoing, .. }
        | What::AwaySaid { outgoing, .. }
        | What::Replied { outgoing, .. } = &event.what
        {
            let customer = self.partition.state().customer(id.party).expect("who is answered is known");
            let elsewhere = customer.thread().is_some_and(|thread| thread.elsewhere);
            assert!(!elsewhere || outgoing.inbox != customer.endpoint.inbox, "{event:?}");
        }
        match &event.what {
            What::AnsweredElsewhere { .. } => entry.away = false,
            What::Reopened { .. } => {
                assert!(!entry.is_open, "{event:?}");
                entry.is_open = true;
            }
            What::BotEngaged { bot, owner_epoch, .. } => own(Owned::Bot(bot.clone()), *owner_epoch),
            What::AgentWanted { queue, owner_epoch, .. } => own(Owned::Queue(queue.clone()), *owner_epoch),
            What::Assigned { agent, assignment, owner_epoch, .. } => {
                own(Owned::Agent(agent.clone(), assignment.clone()), *owner_epoch);
            }
            What::ConsultAsked { by, consult, .. } => {
                assert!(matches!(&entry.owner, Some(Owned::Agent(agent, _)) if agent == by), "{event:?}");
                assert_eq!(entry.consult.replace((*consult, None)), None, "one at a time: {event:?}");
            }
            What::ConsultBegan { by, consult, agent, .. } => {
                assert!(matches!(&entry.owner, Some(Owned::Agent(owner, _)) if owner == by), "{event:?}");
                assert_eq!(entry.consult, Some((*consult, None)), "{event:?}");
                entry.consult = Some((*consult, Some(agent.clone())));
            }
            What::ConsultFailed { consult, .. } => {
                assert_eq!(entry.consult.take(), Some((*consult, None)), "{event:?}");
            }
            What::ConsultEnded { consult, agent, .. } => {
                assert_eq!(entry.consult.take(), Some((*consult, agent.clone())), "{event:?}");
            }
            What::Remarked { by, .. } => {
                let Some((_, Some(consulted))) = &entry.consult else { panic!("nobody is in: {event:?}") };
                let owns = matches!(&entry.owner, Some(Owned::Agent(owner, _)) if owner == by);
                assert!(owns || consulted == by, "{event:?}");
            }
            What::MarkedSpecial { special, .. } => entry.special = Some((**special).clone()),
            What::Released { assignment, .. } => {
                assert_eq!(entry.consult, None, "who was asked in goes with the agent: {event:?}");
                let Some(Owned::Agent(_, held)) = entry.owner.take() else { panic!("{event:?}") };
                assert_eq!(held, *assignment);
            }
            What::Snoozed { agent, assignment, owner_epoch, until, .. } => {
                assert_eq!(entry.consult, None, "who was asked in goes with the agent: {event:?}");
                let held = entry.owner.take();
                assert_eq!(held, Some(Owned::Agent(agent.clone(), assignment.clone())), "{event:?}");
                assert!(*until > self.now && *owner_epoch > entry.owner_epoch, "{event:?}");
                entry.owner_epoch = *owner_epoch;
                entry.owner = Some(Owned::Snoozed(agent.clone(), *until));
            }
            What::Withdrawn { queue, owner_epoch, .. } => {
                assert_eq!(entry.owner.take(), Some(Owned::Queue(queue.clone())));
                assert_eq!(entry.owner_epoch, *owner_epoch);
            }
            What::Closed { .. } => {
                assert!(entry.is_open && !matches!(entry.owner, Some(Owned::Queue(_) | Owned::Agent(..))));
                (entry.is_open, entry.owner, entry.turn, entry.away) = (false, None, None, false);
                (entry.promise, entry.promised) = (None, None);
                entry.special = None;
            }
            What::TurnAsked { turn, bot, .. } => {
                assert_eq!(entry.owner, Some(Owned::Bot(bot.clone())), "{event:?}");
                assert_eq!((entry.turn, turn.owner_epoch), (None, entry.owner_epoch), "{event:?}");
                assert_eq!(turn.number, entry.turns + 1, "turns are numbered densely");
                (entry.turn, entry.turns) = (Some(*turn), turn.number);
                self.turns.push((*turn, bot.clone()));
            }
            What::TurnAnswered { turn } => assert_eq!(entry.turn.take(), Some(*turn)),
            What::BotReplied { .. } => assert!(matches!(entry.owner, Some(Owned::Bot(_))), "{event:?}"),
            What::Replied { agent, .. } => {
                assert!(matches!(&entry.owner, Some(Owned::Agent(owner, _)) if owner == agent), "{event:?}");
            }
            What::AwayAsked { owner_epoch, until, callback, .. } => {
                entry.promise = callback.is_some().then_some(*until);
                assert!(matches!(entry.owner, Some(Owned::Queue(_))), "{event:?}");
                assert_eq!(entry.owner_epoch, *owner_epoch);
                entry.away = true;
            }
            What::AwaySaid { .. } => {
                assert!(matches!(entry.owner, Some(Owned::Queue(_))), "{event:?}");
                assert!(std::mem::take(&mut entry.away), "the customer is told once: {event:?}");
                entry.promised = entry.promise.take();
                let customer = self.partition.state().customer(id.party);
                assert!(
                    customer.is_some_and(|customer| !customer.opted_out),
                    "who wants no messages: {event:?}"
                );
            }
            What::MessageReceived { .. } => {
                assert!(entry.is_open, "{event:?}");
                entry.promised = entry.promised.filter(|until| until.is_none_or(|until| self.now < until));
            }
            _ => {}
        }
    }

    /// By mail if that was promised and the customer can be written to there, or else where the customer wrote; and nothing
    /// is promised that could not be done.
    fn answers_go_where_they_should(&self, id: ConversationId, event: &Event) {
        let by_rule = elsewhere(0).inbox;
        match &event.what {
            What::AwayAsked { callback, queue, .. } => {
                let rule = self.policy.queues.get(queue).and_then(|queue| queue.when_closed.as_ref());
                let can = rule.is_some() && self.reached_by(id.party, &by_rule).next().is_some();
                assert_eq!(callback.as_ref(), can.then_some(&by_rule), "{event:?}");
            }
            What::Replied { outgoing, .. } => {
                let promised = self.book.get(&id).is_some_and(|entry| entry.promised.is_some());
                let mut by_mail = self.reached_by(id.party, &by_rule).filter(|_| promised).peekable();
                let to = outgoing.to.subject;
                match by_mail.peek() {
                    None => assert_eq!((&outgoing.inbox, to), (&inbox(), id.party), "{event:?}"),
                    Some(_) => {
                        assert!(outgoing.inbox == by_rule && by_mail.any(|other| other == to), "{event:?}")
                    }
                }
            }
            What::BotReplied { outgoing, .. } | What::AwaySaid { outgoing, .. } => {
                assert_eq!((&outgoing.inbox, outgoing.to.subject), (&inbox(), id.party), "{event:?}");
            }
            _ => {}
        }
    }

    /// What others must hear, they hear; and nothing else.
    fn relays_what_it_should(&mut self, event: &Event, relayed_to: Option<Peer>) {
        let to_desk = |desk: &DeskId, command| Some((Route::Desk(desk.clone()), Relay::Desk(command)));
        let expected = match event.what.clone() {
            What::CustomerSeen { from, at } => {
                let see = contact::Command::See { from, at };
                Some((Route::Contacts(tenant()), Relay::Contact(see)))
            }
            What::AgentWanted {
                conversation,
                channel,
                queue,
                owner_epoch,
                since,
                again,
                agent,
                agent_until,
                by_request,
                special,
                reason: _,
            } => {
                let desk = queue.desk.clone();
                let enqueue = desk::Command::Enqueue {
                    conversation,
                    owner_epoch,
                    channel,
                    queue,
                    since,
                    again,
                    agent,
                    agent_until,
                    by_request,
                    special,
                };
                to_desk(&desk, enqueue)
            }
            What::ConsultAsked { conversation, consult, by, whom, .. } => {
                let desk = whom.desk().clone();
                to_desk(&desk, desk::Command::Consult { conversation, consult, by, whom })
            }
            What::ConsultEnded { because: ConsultEnd::AgentGone, .. } => None,
            What::ConsultEnded { consult, desk, .. } => {
                to_desk(&desk.clone(), desk::Command::EndConsult { desk, consult })
            }
            What::Withdrawn { conversation, queue, owner_epoch } => {
                to_desk(&queue.desk, desk::Command::Withdraw { conversation, owner_epoch })
            }
            What::Assigned { assignment: offer, command, .. } => {
                to_desk(&offer.desk.clone(), desk::Command::Confirm { offer, command })
            }
            What::AssignmentRefused { offer, command, .. } => {
                to_desk(&offer.desk.clone(), desk::Command::Refuse { offer, command })
            }
            What::Snoozed { assignment, .. } => {
                to_desk(&assignment.desk.clone(), desk::Command::PutAway { assignment })
            }
            What::Released { assignment, .. } => {
                to_desk(&assignment.desk.clone(), desk::Command::Release { assignment })
            }
            What::BotReplied { conversation, message, outgoing }
            | What::AwaySaid { conversation, message, outgoing }
            | What::HeldSent { conversation, message, outgoing, .. }
            | What::Replied { conversation, message, outgoing, .. } => {
                self.written.push((conversation.party, message));
                let lane = Lane::of(outgoing.inbox.clone(), conversation.party);
                let deliver = delivery::Command::Deliver { conversation, message, outgoing };
                Some((Route::Lane(lane), Relay::Delivery(deliver)))
            }
            What::AddressTold { to, of } => {
                let note = Command::NoteAddress { party: to, of };
                Some((Route::Party(to), Relay::Conversation(note)))
            }
            What::HelpAnswered { party, message, outgoing } => {
                let lane = Lane::of(inbox(), party);
                let conversation = ConversationId::beside(party);
                let deliver = delivery::Command::Deliver { conversation, message, outgoing };
                Some((Route::Lane(lane), Relay::Delivery(deliver)))
            }
            What::WithholdAsked { party, because } => {
                let withhold = delivery::Command::Withhold { party, because };
                Some((Route::Lane(Lane::of(inbox(), party)), Relay::Delivery(withhold)))
            }
            What::Redirected { to, received } => {
                Some((Route::Party(to), Relay::Conversation(Command::Receive(received))))
            }
            _ => None,
        };
        let expected = expected.map(|(route, relay)| (TOPOLOGY.peer(&route), relay));
        assert_eq!(relayed_to, expected.as_ref().map(|(peer, _)| *peer), "{event:?}");
        if let Some((peer, relay)) = expected {
            self.on_their_way.entry(peer).or_default().push_back(relay);
        }
    }

    pub(super) fn outbox(&self, peer: Peer) -> Vec<(u64, Relay)> {
        let found = self.partition.outboxes().find(|(target, _)| *target == peer);
        found.into_iter().flat_map(|(_, outbox)| outbox.relays()).collect()
    }

    fn outboxes_hold_what_is_on_its_way(&self) {
        for (peer, expected) in &self.on_their_way {
            let kept = self.outbox(*peer);
            assert!(kept.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "numbered densely");
            assert!(kept.iter().map(|(_, relay)| relay).eq(expected), "to {peer}");
        }
    }

    /// At every moment each open conversation has exactly one owner, and the state knows it.
    fn state_is_what_the_book_says(&self) {
        for (id, entry) in &self.book {
            assert_eq!(
                entry.is_open,
                entry.owner.is_some(),
                "an open conversation has an owner: {id} {entry:?}"
            );
            let Some((_, found)) = self.state().conversation(*id) else {
                assert!(!entry.is_open, "{id} is open and forgotten");
                continue;
            };
            let owner = found.owner().map(|owner| match owner {
                Owner::Bot { bot, .. } => Owned::Bot(bot.clone()),
                Owner::Queue { queue, .. } => Owned::Queue((**queue).clone()),
                Owner::Agent { agent, assignment, .. } => {
                    Owned::Agent((**agent).clone(), (**assignment).clone())
                }
                Owner::Snoozed { agent, .. } => {
                    let until = self.state().timers.due(&TimerId::Snoozed(*id));
                    Owned::Snoozed((**agent).clone(), until.expect("what is put away has its time"))
                }
            });
            assert_eq!(
                (owner, found.owner_epoch, found.turns),
                (entry.owner.clone(), entry.owner_epoch, entry.turns)
            );
        }
    }

    fn timers_guard_what_is_open(&self) {
        let open: Vec<_> = self.state().open_turns().map(|(turn, ..)| turn).collect();
        let expected: Vec<_> = self.book.values().filter_map(|entry| entry.turn).collect();
        assert_eq!(open, expected);
        let sleeping = self.book.values().filter(|entry| matches!(entry.owner, Some(Owned::Snoozed(..))));
        let unsaid: Vec<_> = self.state().open_aways().map(|(id, ..)| id).collect();
        assert!(unsaid.iter().all(|id| self.book[id].away), "{unsaid:?}");
        assert_eq!(self.state().timers.len(), open.len() + sleeping.count() + unsaid.len());
    }

    /// What is put away is back once the customer writes, and wanted from whoever put it away, if from anyone.
    fn what_sleeps_does_not_sleep_on(&self) {
        let Some((_, step)) = self.steps.last() else { return };
        for Recorded { event, .. } in &step.events {
            let written = matches!(event.what, What::MessageReceived { .. });
            let Some(entry) = event.conversation().filter(|_| written).and_then(|id| self.book.get(&id))
            else {
                continue;
            };
            assert!(!matches!(entry.owner, Some(Owned::Snoozed(..))), "the customer wrote: {event:?}");
        }
    }

    pub(super) fn replay_equals_live(&self) {
        let mut replayed = Partition::new(TOPOLOGY);
        let mut archive = BTreeMap::new();
        for (at, step) in &self.steps {
            replayed.fold(*at, step);
            archive.extend(replayed.take_departed().parties);
        }
        assert_eq!(replayed, self.partition);
        assert_eq!(archive, self.archive);
    }
}

/// Points for the tags, and what a bot said: of its needs, none that nobody there has.
fn special_by_the_rules(
    policy: &Policy,
    tags: Option<&Tags>,
    named: Option<&Special>,
    queue: &QueueId,
) -> Option<Special> {
    let vips = policy.queues.get(queue).map(|queue| &queue.vip[..]).unwrap_or_default();
    let points =
        vips.iter().filter(|vip| tags.is_some_and(|tags| tags.has(&vip.tag))).map(|vip| vip.priority);
    let priority = named.map_or(0, |named| named.priority) + points.max().unwrap_or(0);
    let needs = named.map(|named| named.needs.clone()).unwrap_or_default();
    let mut serving = policy.agents.values().filter(|agent| agent.queues.contains(queue));
    let is_there = policy.queues.contains_key(queue) && serving.any(|agent| needs.met_by(agent));
    let needs = if is_there { needs } else { Needs::default() };
    let special = Special { priority, needs };
    (special != Special::default()).then_some(special)
}
