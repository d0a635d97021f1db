//! Owners, messages and turns, by the events of the conversations.

use std::collections::{BTreeMap, HashSet};

use domain::{
    AgentId, ConversationId, DeskId, MessageId, OfferId, Party, Step, Timestamp, TurnId,
    conversation::{Decider, Event, HandOffReason, What},
};

use super::{Found, Invariant, book::Rules};
use crate::town;

#[derive(Default)]
pub(crate) struct Conversations {
    known: BTreeMap<ConversationId, Conversation>,
    received: HashSet<MessageId>,
    written: HashSet<MessageId>,
    turns: Vec<TurnId>,
    retired: HashSet<Party>,
    touched: Vec<ConversationId>,
}

#[derive(Default)]
struct Conversation {
    is_open: bool,
    owner: Option<Owner>,
    epoch: u32,
    turn: Option<TurnId>,
    /// Of whom it waits for, or has, of people.
    desk: Option<DeskId>,
    /// The customer is to be told that the queue is closed.
    unsaid: bool,
    /// Who looks on.
    consulted: Option<AgentId>,
}

#[derive(PartialEq)]
enum Owner {
    Bot,
    Queue,
    Agent(AgentId, OfferId),
    /// Put away by the agent.
    Snoozed(AgentId),
}

impl Conversations {
    pub(crate) fn was_asked(&self, turn: TurnId) -> bool {
        self.turns.iter().rev().any(|asked| *asked == turn)
    }

    pub(crate) fn turns(&self) -> impl Iterator<Item = TurnId> + use<'_> {
        let newest = self.turns.len().saturating_sub(6);
        self.turns[newest..].iter().copied()
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = (ConversationId, u32)> + use<'_> {
        let open = self.known.iter().filter(|(_, conversation)| conversation.is_open);
        open.map(|(id, conversation)| (*id, conversation.epoch))
    }

    pub(crate) fn sleeping(&self) -> impl Iterator<Item = (ConversationId, AgentId)> + use<'_> {
        self.known.iter().filter_map(|(id, conversation)| match &conversation.owner {
            Some(Owner::Snoozed(agent)) => Some((*id, agent.clone())),
            _ => None,
        })
    }

    /// The customers who are to be told that their queue is closed, and the owner epoch of each conversation.
    pub(crate) fn unsaid(&self) -> impl Iterator<Item = (ConversationId, u32)> + use<'_> {
        let unsaid = self.known.iter().filter(|(_, conversation)| conversation.unsaid);
        unsaid.map(|(id, conversation)| (*id, conversation.epoch))
    }

    pub(crate) fn held(&self) -> impl Iterator<Item = (ConversationId, AgentId, OfferId)> + use<'_> {
        self.known.iter().filter_map(|(id, conversation)| match &conversation.owner {
            Some(Owner::Agent(agent, assignment)) => Some((*id, agent.clone(), assignment.clone())),
            _ => None,
        })
    }
}

impl Rules<Decider> for Conversations {
    fn step(&mut self, step: &Step<Decider>, _at: Timestamp, found: &mut Found) {
        step.events.iter().for_each(|recorded| self.event(&recorded.event, found));
    }

    fn decided(&mut self, _at: Timestamp, found: &mut Found) {
        for id in std::mem::take(&mut self.touched) {
            let Some(conversation) = self.known.get(&id) else { continue };
            found.require(
                conversation.is_open == conversation.owner.is_some(),
                Invariant::OneOwner,
                format_args!("conversation {id} is open without an owner, or closed with one"),
            );
        }
    }
}

impl Conversations {
    fn event(&mut self, event: &Event, found: &mut Found) {
        use Invariant::{OldTurnsAreRefused, OnceOnly, OneOwner};
        match &event.what {
            What::Retired { party } => self.retires(*party, found),
            What::Returned { party, .. } => {
                found.note("customers brought back");
                let was_away = self.retired.remove(party);
                found.require(
                    was_away,
                    OneOwner,
                    format_args!("customer {party} comes back, and was not away"),
                );
            }
            _ => {}
        }
        let Some(id) = event.conversation() else { return };
        self.touched.push(id);
        let new = matches!(event.what, What::Opened { .. });
        let known = self.known.contains_key(&id);
        found.require(new != known, OneOwner, format_args!("conversation {id} is opened twice, or never"));
        let conversation = self.known.entry(id).or_default();
        let owner = &conversation.owner;
        match &event.what {
            What::Opened { .. } | What::Reopened { .. } => {
                found.require(
                    !conversation.is_open,
                    OneOwner,
                    format_args!("conversation {id} is opened while it is open"),
                );
                conversation.is_open = true;
            }
            What::Closed { .. } => {
                (conversation.is_open, conversation.owner, conversation.turn) = (false, None, None);
                conversation.unsaid = false;
                conversation.desk = None;
            }
            What::MessageReceived { message, .. } => {
                found.note("messages received");
                let sleeps = matches!(owner, Some(Owner::Snoozed(_)));
                found.require(!sleeps, OneOwner, format_args!("customer of {id} writes, and it stays away"));
                let first = self.received.insert(*message);
                found.require(first, OnceOnly, format_args!("message {message} is received a second time"));
            }
            What::BotEngaged { owner_epoch, .. } => conversation.own(id, Owner::Bot, *owner_epoch, found),
            What::AgentWanted { owner_epoch, queue, reason, agent, .. } => {
                if *reason == HandOffReason::Woke {
                    let back =
                        matches!(owner, Some(Owner::Snoozed(by)) if agent.as_ref().is_none_or(|it| it == by));
                    found.require(
                        back,
                        OneOwner,
                        format_args!("conversation {id} comes back, and was not away"),
                    );
                }
                conversation.own(id, Owner::Queue, *owner_epoch, found);
                conversation.desk = Some(queue.desk.clone());
            }
            What::Reassigned { by, .. } => {
                found.note("conversations reassigned");
                let is_theirs = match (by, &conversation.desk) {
                    (Some(by), Some(desk)) => town::supervises(by, desk),
                    // An administrator may, and of a bot's conversation no desk is known.
                    _ => true,
                };
                found.require(
                    is_theirs,
                    OneOwner,
                    format_args!("{by:?} gives away {id}, which is not theirs"),
                );
            }
            What::Assigned { agent, assignment, owner_epoch, .. } => {
                found.note("conversations assigned");
                let waits = *owner == Some(Owner::Queue);
                found.require(waits, OneOwner, format_args!("conversation {id} is assigned without waiting"));
                conversation.own(id, Owner::Agent(agent.clone(), assignment.clone()), *owner_epoch, found);
            }
            What::Released { assignment, .. } => {
                let held = matches!(owner, Some(Owner::Agent(_, held)) if held == assignment);
                found.require(held, OneOwner, format_args!("conversation {id} is released by a stranger"));
                conversation.owner = None;
            }
            What::Snoozed { agent, assignment, owner_epoch, .. } => {
                found.note("conversations put away");
                let held = *owner == Some(Owner::Agent(agent.clone(), assignment.clone()));
                found.require(held, OneOwner, format_args!("conversation {id} is put away by a stranger"));
                conversation.owner = None;
                conversation.own(id, Owner::Snoozed(agent.clone()), *owner_epoch, found);
            }
            What::Withdrawn { .. } => {
                let waits = *owner == Some(Owner::Queue);
                found.require(
                    waits,
                    OneOwner,
                    format_args!("conversation {id} is withdrawn without waiting"),
                );
                conversation.owner = None;
            }
            What::TurnAsked { turn, .. } => {
                found.require(
                    *owner == Some(Owner::Bot)
                        && conversation.turn.is_none()
                        && turn.owner_epoch == conversation.epoch,
                    OldTurnsAreRefused,
                    format_args!("turn {turn} is asked of a bot that does not own the conversation"),
                );
                conversation.turn = Some(*turn);
                self.turns.push(*turn);
            }
            What::TurnAnswered { turn } => {
                found.note("turns answered");
                found.require(
                    conversation.turn.take() == Some(*turn) && turn.owner_epoch == conversation.epoch,
                    OldTurnsAreRefused,
                    format_args!("turn {turn} is answered, and is not the one asked"),
                );
            }
            What::AwayAsked { owner_epoch, .. } => {
                let waits = *owner == Some(Owner::Queue) && *owner_epoch == conversation.epoch;
                found.require(waits, OneOwner, format_args!("{id} is told of a queue that does not own it"));
                conversation.unsaid = true;
            }
            What::AwaySaid { message, .. } => {
                found.note("customers told that their queue is closed");
                let was_asked = std::mem::take(&mut conversation.unsaid);
                found.require(
                    was_asked && conversation.owner == Some(Owner::Queue),
                    OneOwner,
                    format_args!("{id} is told by {message} of a queue that does not own it, or twice"),
                );
                self.writes(*message, found);
            }
            What::ConsultBegan { by, agent, .. } => {
                let owns = matches!(owner, Some(Owner::Agent(owner, _)) if owner == by);
                found.require(
                    owns && agent != by && conversation.consulted.replace(agent.clone()).is_none(),
                    OneOwner,
                    format_args!("{agent} is asked in to {id} by {by}, who cannot"),
                );
            }
            What::ConsultEnded { agent, .. } => found.require(
                conversation.consulted.take() == *agent,
                OneOwner,
                format_args!("{agent:?} looks on in {id} no more, and did not"),
            ),
            What::BotReplied { message, .. } => {
                let owns = *owner == Some(Owner::Bot);
                found.require(
                    owns,
                    OldTurnsAreRefused,
                    format_args!("a bot writes {message} in another's {id}"),
                );
                self.writes(*message, found);
            }
            What::Replied { agent, message, .. } => {
                let owns = matches!(owner, Some(Owner::Agent(owner, _)) if owner == agent);
                found.require(owns, OneOwner, format_args!("{agent} writes {message} in another's {id}"));
                self.writes(*message, found);
            }
            _ => {}
        }
    }

    fn retires(&mut self, party: Party, found: &mut Found) {
        found.note("customers retired");
        let of_party =
            |(id, conversation): &(&ConversationId, &Conversation)| id.party == party && conversation.is_open;
        found.require(
            self.retired.insert(party) && !self.known.iter().any(|known| of_party(&known)),
            Invariant::OneOwner,
            format_args!("customer {party} is retired twice, or with an open conversation"),
        );
    }

    fn writes(&mut self, message: MessageId, found: &mut Found) {
        found.require(
            self.written.insert(message),
            Invariant::OnceOnly,
            format_args!("our message {message} is written a second time"),
        );
    }
}

impl Conversation {
    fn own(&mut self, id: ConversationId, owner: Owner, epoch: u32, found: &mut Found) {
        found.require(
            self.is_open && !matches!(self.owner, Some(Owner::Agent(..))),
            Invariant::OneOwner,
            format_args!("conversation {id} gets an owner while it is closed, or an agent holds it"),
        );
        found.require(
            epoch > self.epoch,
            Invariant::OldTurnsAreRefused,
            format_args!(
                "conversation {id} changes its owner, and its epoch goes from {} to {epoch}",
                self.epoch
            ),
        );
        found.require(
            self.consulted.is_none(),
            Invariant::OneOwner,
            format_args!("conversation {id} changes its owner, and {:?} looks on", self.consulted),
        );
        (self.owner, self.epoch, self.turn) = (Some(owner), epoch, None);
        self.unsaid = false;
    }
}
