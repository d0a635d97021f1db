//! What every agent holds, and the sessions that are told when it changes.
//!
//! Offers are a fold of the desks' logs, assignments of the conversations' logs: each from where it is decided.

use std::collections::HashMap;

use domain::{
    AgentId, ConversationId, OfferId, Sealed, Timestamp,
    conversation::{self, What},
    desk,
};
use tokio::sync::mpsc;

use super::held::{Assignment, Consult, Ending, Holdings, Left, Offer, Snooze, Update, WrapUp};

/// Updates that may wait for one session. A session that lets more come is dropped.
const WAITING: usize = 1_024;

#[derive(Default)]
pub(super) struct Agents {
    agents: HashMap<AgentId, Agent>,
    /// Who holds a conversation.
    holders: HashMap<ConversationId, (AgentId, OfferId)>,
    /// Who has put a conversation away.
    sleepers: HashMap<ConversationId, AgentId>,
    /// Who looks on in a conversation that another one has.
    consults: HashMap<ConversationId, Consult>,
    /// Left with a conversation for its next agent.
    notes: HashMap<ConversationId, Sealed>,
    /// Who asked for a conversation, from when it comes to a desk until that has decided: within one decision.
    asking: HashMap<ConversationId, AgentId>,
}

#[derive(Default)]
struct Agent {
    holdings: Holdings,
    sessions: Vec<mpsc::Sender<Update>>,
}

impl Agents {
    /// What the agent holds, and everything that changes from there on.
    pub(super) fn join(&mut self, agent: &AgentId) -> (Holdings, mpsc::Receiver<Update>) {
        let (session, updates) = mpsc::channel(WAITING);
        let agent = self.agents.entry(agent.clone()).or_default();
        agent.sessions.retain(|session| !session.is_closed());
        agent.sessions.push(session);
        (agent.holdings.clone(), updates)
    }

    /// What agents hold, of those who hold anything.
    pub(super) fn holdings(&self) -> impl Iterator<Item = (AgentId, Holdings)> {
        let holding = self.agents.iter().filter(|(_, agent)| !agent.holdings.is_empty());
        holding.map(|(id, agent)| (id.clone(), agent.holdings.clone()))
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = (ConversationId, Sealed)> {
        self.notes.iter().map(|(conversation, note)| (*conversation, note.clone()))
    }

    /// Begins with what was held before. Sessions that have joined stay, and are told of what comes from here on.
    pub(super) fn restore(
        &mut self,
        holdings: Vec<(AgentId, Holdings)>,
        notes: Vec<(ConversationId, Sealed)>,
    ) {
        self.notes = notes.into_iter().collect();
        for (id, holdings) in holdings {
            for held in holdings.assignments.values() {
                self.holders.insert(held.conversation, (id.clone(), held.assignment.clone()));
            }
            self.consults.extend(holdings.consults.iter().map(|(id, consult)| (*id, consult.clone())));
            self.sleepers.extend(holdings.snoozed.keys().map(|conversation| (*conversation, id.clone())));
            self.agents.entry(id).or_default().holdings = holdings;
        }
    }

    pub(super) fn fold_desk(&mut self, event: &desk::Event) {
        use desk::Event;
        match event {
            Event::Offered { offer, conversation, agent, queue, channel, expires_at, .. } => {
                let offered = Offer {
                    offer: offer.clone(),
                    conversation: *conversation,
                    queue: queue.clone(),
                    channel: *channel,
                    expires_at: *expires_at,
                };
                self.asking.remove(conversation);
                self.change(agent, |agent| {
                    agent.holdings.offers.insert(offer.clone(), offered.clone());
                    Some(Update::Offered(offered))
                });
            }
            Event::Enqueued { conversation, agent: Some(agent), by_request: true, .. } => {
                self.asking.insert(*conversation, agent.clone());
            }
            Event::Waits { conversation, why, .. } => {
                if let Some(agent) = self.asking.remove(conversation)
                    && why.wanted
                    && let Some(agent) = self.agents.get_mut(&agent)
                {
                    agent
                        .tell(&Update::NotYet { conversation: *conversation, away: why.considered.away > 0 });
                }
            }
            Event::Dequeued { conversation, .. }
            | Event::PreferenceEnded { conversation, .. }
            | Event::Stranded { conversation, .. } => {
                self.asking.remove(conversation);
            }
            Event::PresenceSet { agent, presence, .. } => {
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.tell(&Update::Present(*presence));
                }
            }
            Event::SentAway { agent, expired } => {
                if let Some(agent) = self.agents.get_mut(agent) {
                    agent.tell(&Update::SentAway { expired: *expired });
                }
            }
            Event::WrapUpBegan { assignment, agent, conversation, until } => {
                let (assignment, conversation) = (assignment.clone(), *conversation);
                let left = WrapUp { assignment: assignment.clone(), conversation, until: *until };
                self.change(agent, |agent| {
                    agent.holdings.wrap_ups.insert(assignment, left.clone());
                    Some(Update::WrapUp(left))
                });
            }
            Event::AssignmentEnded { assignment, agent, .. } => self.change(agent, |agent| {
                agent.holdings.wrap_ups.remove(assignment).map(|left| Update::WrapUpEnded(left.assignment))
            }),
            Event::Accepted { offer, agent, .. } => self.end(agent, offer, Ending::Accepted),
            Event::Declined { offer, agent, .. } => self.end(agent, offer, Ending::Declined),
            Event::Expired { offer, agent, .. } => self.end(agent, offer, Ending::Expired),
            Event::Withdrawn { offer, agent, .. } => self.end(agent, offer, Ending::Withdrawn),
            _ => {}
        }
    }

    pub(super) fn fold_conversation(&mut self, at: Timestamp, event: &conversation::Event) {
        match &event.what {
            What::Assigned { conversation, agent, assignment, .. } => {
                self.holders.insert(*conversation, (agent.clone(), assignment.clone()));
                let assigned = Assignment {
                    assignment: assignment.clone(),
                    conversation: *conversation,
                    inbox: event.inbox.clone(),
                    note: self.notes.remove(conversation),
                    answer_until: None,
                };
                self.change(agent, |agent| {
                    agent.holdings.assignments.insert(assignment.clone(), assigned.clone());
                    Some(Update::Assigned(assigned))
                });
            }
            What::ConsultBegan { conversation, by, agent, note, .. } => {
                let consult = Consult {
                    conversation: *conversation,
                    inbox: event.inbox.clone(),
                    by: by.clone(),
                    agent: agent.clone(),
                    note: note.clone(),
                };
                self.consults.insert(*conversation, consult.clone());
                for id in [by, agent] {
                    self.change(id, |agent| {
                        agent.holdings.consults.insert(*conversation, consult.clone());
                        Some(Update::Consult(consult.clone()))
                    });
                }
            }
            What::ConsultEnded { conversation, because, .. } => {
                let Some(consult) = self.consults.remove(conversation) else { return };
                for id in [&consult.by, &consult.agent] {
                    self.change(id, |agent| {
                        agent.holdings.consults.remove(conversation)?;
                        Some(Update::ConsultEnded(consult.clone(), *because))
                    });
                }
            }
            What::Remarked { conversation, by, message, body } => {
                let remarked = || Update::Remarked {
                    conversation: *conversation,
                    message: *message,
                    by: by.clone(),
                    body: body.clone(),
                    at,
                };
                self.tell_holder(*conversation, remarked);
                self.tell_consulted(*conversation, remarked);
            }
            // Why an agent was released stands behind it, in the same step.
            What::Transferred { conversation, note, .. } => {
                self.release(*conversation, Left::Transferred);
                self.leave(*conversation, note.as_ref());
            }
            What::Reassigned { conversation, by, note } => {
                self.release(*conversation, Left::Reassigned(by.clone()));
                self.leave(*conversation, note.as_ref());
            }
            What::Snoozed { conversation, agent, until, .. } => {
                self.release(*conversation, Left::Snoozed);
                let snooze = Snooze { conversation: *conversation, until: *until };
                self.sleepers.insert(*conversation, agent.clone());
                self.change(agent, |agent| {
                    agent.holdings.snoozed.insert(snooze.conversation, snooze.clone());
                    Some(Update::Snoozed(snooze))
                });
            }
            What::AgentWanted { conversation, .. } => {
                self.release(*conversation, Left::AgentGone);
                self.wake(*conversation);
            }
            What::Closed { conversation, .. } => {
                self.release(*conversation, Left::Closed);
                self.wake(*conversation);
                self.notes.remove(conversation);
            }
            What::MessageReceived { conversation, message, content, sent_at, .. } => {
                let said = || Update::Said {
                    conversation: *conversation,
                    message: *message,
                    by_agent: false,
                    body: content.clone(),
                    at: *sent_at,
                };
                self.tell_holder(*conversation, said);
                self.tell_consulted(*conversation, said);
            }
            What::WindowOpened { conversation, window } => {
                let (conversation, until) = (*conversation, window.person_until);
                let Some((agent, assignment)) = self.holders.get(&conversation).cloned() else { return };
                self.change(&agent, |agent| {
                    agent.holdings.assignments.get_mut(&assignment)?.answer_until = Some(until);
                    Some(Update::AnswerUntil { conversation, until })
                });
            }
            What::Replied { conversation, message, outgoing, .. }
            | What::HeldSent { conversation, message, outgoing, .. } => {
                let said = || Update::Said {
                    conversation: *conversation,
                    message: *message,
                    by_agent: true,
                    body: outgoing.body.clone(),
                    at,
                };
                self.tell_holder(*conversation, said);
                self.tell_consulted(*conversation, said);
            }
            What::DeliveryNoted { conversation, message, progress } => {
                self.tell_holder(*conversation, || Update::Progress {
                    conversation: *conversation,
                    message: *message,
                    progress: progress.clone(),
                });
            }
            What::ReceiptNoted { conversation, kind, message, reason, .. } => {
                self.tell_holder(*conversation, || Update::Receipt {
                    conversation: *conversation,
                    message: *message,
                    kind: *kind,
                    reason: reason.as_deref().unwrap_or_default().to_owned(),
                });
            }
            _ => {}
        }
    }

    fn end(&mut self, agent: &AgentId, offer: &OfferId, how: Ending) {
        self.change(agent, |agent| {
            agent.holdings.offers.remove(offer)?;
            Some(Update::OfferEnded { offer: offer.clone(), how })
        });
    }

    fn release(&mut self, conversation: ConversationId, why: Left) {
        let Some((agent, assignment)) = self.holders.remove(&conversation) else { return };
        self.change(&agent, |agent| {
            Some(Update::Released(agent.holdings.assignments.remove(&assignment)?, why))
        });
    }

    fn wake(&mut self, conversation: ConversationId) {
        let Some(agent) = self.sleepers.remove(&conversation) else { return };
        self.change(&agent, |agent| {
            agent.holdings.snoozed.remove(&conversation)?;
            Some(Update::SnoozeEnded(conversation))
        });
    }

    /// Who takes it next finds the latest note.
    fn leave(&mut self, conversation: ConversationId, note: Option<&Sealed>) {
        if let Some(note) = note {
            self.notes.insert(conversation, note.clone());
        }
    }

    fn tell_holder(&mut self, conversation: ConversationId, update: impl FnOnce() -> Update) {
        if let Some((agent, _)) = self.holders.get(&conversation)
            && let Some(agent) = self.agents.get_mut(agent)
        {
            agent.tell_if_here(update);
        }
    }

    fn tell_consulted(&mut self, conversation: ConversationId, update: impl FnOnce() -> Update) {
        if let Some(consult) = self.consults.get(&conversation)
            && let Some(agent) = self.agents.get_mut(&consult.agent)
        {
            agent.tell_if_here(update);
        }
    }

    /// Changes what an agent holds and tells the sessions; who holds nothing and is not here is forgotten.
    fn change(&mut self, id: &AgentId, change: impl FnOnce(&mut Agent) -> Option<Update>) {
        let agent = self.agents.entry(id.clone()).or_default();
        if let Some(update) = change(agent) {
            agent.tell(&update);
        }
        if agent.sessions.is_empty() && agent.holdings.is_empty() {
            self.agents.remove(id);
        }
    }
}

impl Agent {
    fn tell_if_here(&mut self, update: impl FnOnce() -> Update) {
        if !self.sessions.is_empty() {
            self.tell(&update());
        }
    }

    /// A session that has ended, or lets its updates pile up, is let go; it sees its channel closed.
    fn tell(&mut self, update: &Update) {
        self.sessions.retain(|session| session.try_send(update.clone()).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use domain::{Channel, desk::Presence};

    use super::*;

    fn offer(number: u64) -> OfferId {
        OfferId { desk: "acme/desk".parse().unwrap(), number }
    }

    fn conversation() -> ConversationId {
        ConversationId { party: domain::Party([1; 16]), number: 1 }
    }

    fn ann() -> AgentId {
        "acme/desk/ann".parse().unwrap()
    }

    fn happened(agents: &mut Agents, what: What) {
        let (tenant, inbox) = ("acme".parse().unwrap(), "chat".parse().unwrap());
        agents.fold_conversation(Timestamp(5), &conversation::Event { tenant, inbox, what });
    }

    fn assigned(assignment: OfferId) -> What {
        let (conversation, agent, command) = (conversation(), ann(), domain::CommandId([3; 16]));
        What::Assigned { conversation, agent, assignment, owner_epoch: 2, command }
    }

    fn closed() -> What {
        let by = conversation::Closer::Agent(ann());
        What::Closed { conversation: conversation(), by, reason: conversation::CloseReason::Done }
    }

    fn wanted(reason: conversation::HandOffReason) -> What {
        What::AgentWanted {
            conversation: conversation(),
            channel: Channel::Sms,
            queue: "acme/desk/all".parse().unwrap(),
            owner_epoch: 3,
            reason,
            since: Timestamp(5),
            again: false,
            agent: None,
            agent_until: None,
            by_request: false,
            special: None,
        }
    }

    fn told(updates: &mut mpsc::Receiver<Update>) -> Vec<Update> {
        std::iter::from_fn(|| updates.try_recv().ok()).collect()
    }

    #[test]
    fn a_session_begins_with_what_is_held_and_hears_what_changes() {
        let mut agents = Agents::default();
        happened(&mut agents, assigned(offer(1)));
        let (holdings, mut updates) = agents.join(&ann());
        assert_eq!(holdings.assignments.keys().collect::<Vec<_>>(), [&offer(1)]);
        let (nothing, _) = agents.join(&"acme/desk/bob".parse().unwrap());
        assert_eq!(nothing, Holdings::default());
        assert_eq!(agents.holdings().collect::<Vec<_>>(), [(ann(), holdings)]);

        let presence = Presence::Away;
        agents.fold_desk(&desk::Event::PresenceSet { agent: ann(), presence, until: Timestamp(9) });
        happened(&mut agents, closed());
        // The end of an offer nobody here knows is nothing to tell.
        let (agent, command) = (ann(), domain::CommandId([3; 16]));
        agents.fold_desk(&desk::Event::Accepted {
            offer: offer(1),
            conversation: conversation(),
            agent,
            command,
        });
        agents.fold_desk(&desk::Event::SentAway { agent: ann(), expired: 2 });
        let told = told(&mut updates);
        let [
            Update::Present(Presence::Away),
            Update::Released(_, Left::Closed),
            Update::SentAway { expired: 2 },
        ] = &told[..]
        else {
            panic!("{told:?}");
        };
    }

    #[test]
    fn who_loses_a_conversation_hears_why_and_who_gets_it_finds_the_note() {
        use conversation::HandOffReason::{AgentGone, Reassigned, Transferred};
        let note = Sealed { subject: conversation().party, bytes: vec![1].into() };
        let (conversation, by, note) = (conversation(), "acme/desk/sue".parse().unwrap(), Some(note));
        let reassigned = What::Reassigned { conversation, by: Some(by), note: note.clone() };
        let transferred = What::Transferred { conversation, by: ann(), note: None };
        let away = vec![wanted(AgentGone)];
        for (number, (events, why)) in [
            (vec![reassigned, wanted(Reassigned)], Left::Reassigned(Some("acme/desk/sue".parse().unwrap()))),
            (vec![transferred, wanted(Transferred)], Left::Transferred),
            (away, Left::AgentGone),
            (vec![closed()], Left::Closed),
        ]
        .into_iter()
        .enumerate()
        {
            let mut agents = Agents::default();
            happened(&mut agents, assigned(offer(1)));
            let (_, mut updates) = agents.join(&ann());
            happened(&mut agents, What::Released { conversation, assignment: offer(1) });
            events.into_iter().for_each(|what| happened(&mut agents, what));
            let [Update::Released(left, how)] = &told(&mut updates)[..] else { panic!("{why:?}") };
            assert_eq!((&left.assignment, how), (&offer(1), &why));
            // A hub that starts again in between has not forgotten it.
            let mut later = Agents::default();
            later.restore(agents.holdings().collect(), agents.notes().collect());
            happened(&mut later, assigned(offer(2)));
            let (holdings, _) = later.join(&ann());
            let found = holdings.assignments[&offer(2)].note.clone();
            assert_eq!(found, note.clone().filter(|_| number == 0));
        }
    }

    #[test]
    fn what_is_put_away_is_known_until_it_comes_back() {
        let conversation = conversation();
        let snoozed = |until| {
            let (agent, assignment) = (ann(), offer(1));
            What::Snoozed { conversation, agent, assignment, owner_epoch: 3, until }
        };
        for comes_back in [wanted(conversation::HandOffReason::Woke), closed()] {
            let mut agents = Agents::default();
            happened(&mut agents, assigned(offer(1)));
            let (_, mut updates) = agents.join(&ann());
            happened(&mut agents, snoozed(Timestamp(90)));
            let snooze = Snooze { conversation, until: Timestamp(90) };
            let [Update::Released(_, Left::Snoozed), Update::Snoozed(told_of)] = &told(&mut updates)[..]
            else {
                panic!("it is held no more, and put away");
            };
            assert_eq!(*told_of, snooze);
            let mut later = Agents::default();
            later.restore(agents.holdings().collect(), agents.notes().collect());
            let (holdings, mut updates) = later.join(&ann());
            assert_eq!(holdings.snoozed.into_values().collect::<Vec<_>>(), [snooze]);
            happened(&mut later, comes_back);
            assert_eq!(told(&mut updates), [Update::SnoozeEnded(conversation)]);
            assert_eq!(later.holdings().count(), 0);
        }
    }

    #[test]
    fn what_is_left_to_do_is_held_until_it_is_done() {
        let mut agents = Agents::default();
        let (assignment, until) = (offer(1), Timestamp(9));
        let (agent, conversation) = (ann(), conversation());
        let began = desk::Event::WrapUpBegan { assignment: assignment.clone(), agent, conversation, until };
        agents.fold_desk(&began);
        let (holdings, mut updates) = agents.join(&ann());
        let left = WrapUp { assignment: assignment.clone(), conversation, until };
        assert_eq!(holdings.wrap_ups.into_values().collect::<Vec<_>>(), [left]);
        let agent = ann();
        agents.fold_desk(&desk::Event::AssignmentEnded {
            assignment: assignment.clone(),
            agent,
            conversation,
        });
        assert_eq!(told(&mut updates), [Update::WrapUpEnded(assignment)]);
        assert_eq!(agents.holdings().count(), 0);
    }

    #[test]
    fn a_session_that_lets_its_updates_pile_up_is_closed() {
        let mut agents = Agents::default();
        let (_, mut updates) = agents.join(&ann());
        for number in 0..=WAITING as u64 {
            happened(&mut agents, assigned(offer(number)));
        }
        assert_eq!(told(&mut updates).len(), WAITING);
        assert_eq!(updates.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }

    #[test]
    fn who_holds_nothing_and_is_not_here_is_forgotten() {
        let mut agents = Agents::default();
        drop(agents.join(&ann()));
        happened(&mut agents, assigned(offer(1)));
        happened(&mut agents, closed());
        assert!(agents.agents.is_empty() && agents.holders.is_empty());
    }
}
