//! Owners, messages and turns, counted from the events of the conversations.

use std::collections::{BTreeSet, HashMap, HashSet, hash_map::Entry};

use domain::{
    AgentId, BotId, CommandId, ConversationId, MessageId, OfferId, Party, Step, TurnId,
    conversation::{Decider, Event, What},
};

use super::{
    fold::{Checks, Kept},
    report::Found,
};

#[derive(Default)]
pub(super) struct Conversations {
    known: HashMap<ConversationId, Conversation>,
    received: HashSet<MessageId>,
    decided: HashMap<MessageId, u32>,
    /// Answers that wait until their customer writes.
    held: std::collections::HashSet<MessageId>,
    /// How many open conversations each party has, and parties that left memory and are not back.
    open: HashMap<Party, u32>,
    retired: HashSet<Party>,
    /// Who was asked in to what another agent has: none yet, while a desk has not answered.
    consults: HashMap<ConversationId, (CommandId, Option<AgentId>)>,
    /// By the decision looked at.
    touched: BTreeSet<ConversationId>,
}

/// Closed until it is opened.
#[derive(Default)]
struct Conversation {
    is_open: bool,
    owner: Option<Owner>,
    owner_epoch: u32,
    /// Asked and not answered.
    turn: Option<TurnId>,
}

enum Owner {
    Bot(BotId),
    Queue,
    Agent(AgentId, OfferId),
    /// An agent who put it away.
    Snoozed,
}

impl Checks<Decider> for Conversations {
    fn step(&mut self, step: &Step<Decider>, found: &mut Found) {
        for recorded in &step.events {
            self.event(&recorded.event, found);
        }
    }

    fn decided(&mut self, found: &mut Found) {
        for id in std::mem::take(&mut self.touched) {
            let Some(conversation) = self.known.get(&id) else { continue };
            match (conversation.is_open, &conversation.owner) {
                _ if self.consults.contains_key(&id)
                    && !matches!(conversation.owner, Some(Owner::Agent(..))) =>
                {
                    found.add(3, format_args!("someone looks on at {id}, which no agent holds"));
                }
                (true, None) => found.add(3, format_args!("conversation {id} is open and has no owner")),
                (false, Some(_)) => {
                    found.add(3, format_args!("conversation {id} is closed and has an owner"))
                }
                _ => {}
            }
        }
    }

    fn finish(self) -> Kept {
        let open = self.known.values().filter(|conversation| conversation.is_open).count();
        Kept { open_conversations: open as u64, decided: self.decided, ..Kept::default() }
    }
}

impl Conversations {
    /// Who is retired has nothing open, and nothing happens to them before they are back.
    fn memory(&mut self, event: &Event, found: &mut Found) {
        let party = event.party();
        let in_order = match &event.what {
            What::Retired { .. } => !self.open.contains_key(&party) && self.retired.insert(party),
            What::Returned { .. } => self.retired.remove(&party),
            // It tells where a mail goes, and happens to nobody here.
            What::Redirected { .. } => true,
            _ => !self.retired.contains(&party),
        };
        found.require(in_order, 3, format_args!("party {party} is not in memory, or not to be retired"));
    }

    fn event(&mut self, event: &Event, found: &mut Found) {
        self.memory(event, found);
        let Some(id) = event.conversation() else { return };
        self.touched.insert(id);
        let begins = matches!(event.what, What::Opened { .. });
        found.require(
            begins != self.known.contains_key(&id),
            3,
            format_args!("conversation {id} is opened twice, or goes on without having been opened"),
        );
        let conversation = self.known.entry(id).or_default();
        match &event.what {
            What::Opened { .. } | What::Reopened { .. } => {
                found.require(!conversation.is_open, 3, format_args!("conversation {id} was open already"));
                conversation.is_open = true;
                *self.open.entry(id.party).or_default() += 1;
            }
            What::Closed { .. } => {
                // A bot's ownership ends by itself; an agent and a queue must be told.
                let is_held = matches!(conversation.owner, Some(Owner::Agent(..) | Owner::Queue));
                found.require(
                    conversation.is_open && !is_held,
                    3,
                    format_args!("conversation {id} is closed while it is held, or a second time"),
                );
                (conversation.is_open, conversation.owner, conversation.turn) = (false, None, None);
                if let Entry::Occupied(mut open) = self.open.entry(id.party) {
                    *open.get_mut() = open.get().saturating_sub(1);
                    if *open.get() == 0 {
                        open.remove();
                    }
                }
            }
            What::BotEngaged { bot, owner_epoch, .. } => {
                conversation.own(id, Owner::Bot(bot.clone()), *owner_epoch, found);
            }
            What::AgentWanted { owner_epoch, .. } => {
                found.require(
                    !matches!(conversation.owner, Some(Owner::Queue)),
                    3,
                    format_args!("conversation {id} comes to wait while it waits elsewhere"),
                );
                conversation.own(id, Owner::Queue, *owner_epoch, found);
            }
            What::Assigned { agent, assignment, owner_epoch, .. } => {
                found.require(
                    matches!(conversation.owner, Some(Owner::Queue)),
                    3,
                    format_args!("conversation {id} is assigned to {agent} without waiting"),
                );
                conversation.own(id, Owner::Agent(agent.clone(), assignment.clone()), *owner_epoch, found);
            }
            What::ConsultAsked { consult, by, .. } => {
                let holds = matches!(&conversation.owner, Some(Owner::Agent(owner, _)) if owner == by);
                let is_first = self.consults.insert(id, (*consult, None)).is_none();
                found.require(
                    holds && is_first,
                    3,
                    format_args!("{by} asks someone in to {id} without holding it, or a second one"),
                );
            }
            What::ConsultBegan { consult, agent, .. } => {
                let before = self.consults.insert(id, (*consult, Some(agent.clone())));
                let was_asked = before == Some((*consult, None));
                found.require(was_asked, 3, format_args!("{agent} is in at {id}, and was not asked"));
            }
            What::ConsultFailed { consult, .. } => {
                let was_asked = self.consults.remove(&id) == Some((*consult, None));
                found.require(was_asked, 3, format_args!("nobody is in at {id}, and nobody was asked"));
            }
            What::ConsultEnded { consult, agent, .. } => {
                let was_in = self.consults.remove(&id) == Some((*consult, agent.clone()));
                found.require(was_in, 3, format_args!("who looks on at {id} goes, and was not in"));
            }
            What::Remarked { by, .. } => {
                let holds = matches!(&conversation.owner, Some(Owner::Agent(owner, _)) if owner == by);
                let looks_on = self.consults.get(&id).is_some_and(|(_, agent)| agent.as_ref() == Some(by));
                found.require(
                    holds || looks_on,
                    3,
                    format_args!("{by} remarks on {id}, and has no part in it"),
                );
            }
            What::Released { assignment, .. } => {
                let held = matches!(&conversation.owner, Some(Owner::Agent(_, held)) if held == assignment);
                found.require(
                    held,
                    3,
                    format_args!("conversation {id} is released from {assignment}, which does not hold it"),
                );
                conversation.owner = None;
            }
            What::Snoozed { agent, assignment, owner_epoch, .. } => {
                let holds = matches!(&conversation.owner, Some(Owner::Agent(owner, held)) if owner == agent && held == assignment);
                found.require(
                    holds,
                    3,
                    format_args!("conversation {id} is put away by {agent}, who does not hold it"),
                );
                conversation.owner = None;
                conversation.own(id, Owner::Snoozed, *owner_epoch, found);
            }
            What::Withdrawn { .. } => {
                let waits = matches!(conversation.owner, Some(Owner::Queue));
                found.require(waits, 3, format_args!("conversation {id} is withdrawn without waiting"));
                conversation.owner = None;
            }
            What::MessageReceived { message, .. } => {
                found.require(
                    self.received.insert(*message),
                    2,
                    format_args!("message {message} is received a second time"),
                );
                found.require(
                    conversation.is_open,
                    3,
                    format_args!("message {message} is received in conversation {id}, which is closed"),
                );
            }
            What::TurnAsked { turn, bot, .. } => {
                let owns = matches!(&conversation.owner, Some(Owner::Bot(owner)) if owner == bot);
                found.require(
                    owns && turn.owner_epoch == conversation.owner_epoch && conversation.turn.is_none(),
                    15,
                    format_args!("turn {turn} is asked of {bot}, which does not own it or is being asked"),
                );
                conversation.turn = Some(*turn);
            }
            What::TurnAnswered { turn } => {
                let asked = conversation.turn.take() == Some(*turn);
                found.require(
                    asked && turn.owner_epoch == conversation.owner_epoch,
                    15,
                    format_args!("turn {turn} is answered, but is not the one asked"),
                );
            }
            What::BotReplied { message, .. } => {
                found.require(
                    matches!(conversation.owner, Some(Owner::Bot(_))),
                    15,
                    format_args!("a bot writes message {message} in conversation {id}, which no bot owns"),
                );
                *self.decided.entry(*message).or_default() += 1;
            }
            What::AwayAsked { owner_epoch, .. } => {
                let waits = matches!(conversation.owner, Some(Owner::Queue));
                found.require(
                    waits && *owner_epoch == conversation.owner_epoch,
                    3,
                    format_args!("conversation {id} is to be told of a queue that does not own it"),
                );
            }
            What::AwaySaid { message, .. } => {
                found.require(
                    matches!(conversation.owner, Some(Owner::Queue)),
                    3,
                    format_args!("message {message} tells of a queue that does not own conversation {id}"),
                );
                *self.decided.entry(*message).or_default() += 1;
            }
            What::Replied { agent, message, .. } => {
                found.require(
                    matches!(&conversation.owner, Some(Owner::Agent(owner, _)) if owner == agent),
                    3,
                    format_args!("{agent} writes message {message} in conversation {id} without owning it"),
                );
                *self.decided.entry(*message).or_default() += 1;
            }
            What::ReplyHeld { reply, .. } => {
                let (agent, message) = (&reply.agent, reply.message);
                found.require(
                    matches!(&conversation.owner, Some(Owner::Agent(owner, _)) if owner == agent),
                    3,
                    format_args!("{agent} writes message {message} in conversation {id} without owning it"),
                );
                self.held.insert(message);
            }
            What::HeldSent { message, .. } => {
                found.require(
                    self.held.remove(message),
                    11,
                    format_args!("message {message} leaves conversation {id} and was not held"),
                );
                *self.decided.entry(*message).or_default() += 1;
            }
            What::Split { into, .. } => {
                let fits = conversation.is_open && into.party == id.party && *into != id;
                found.require(fits, 3, format_args!("conversation {id} is split into {into} and cannot be"));
            }
            What::Joined { other, .. } => {
                let fits = conversation.is_open && other.party == id.party && *other != id;
                let other_is_over = self.known.get(other).is_some_and(|other| !other.is_open);
                found.require(
                    fits && other_is_over,
                    3,
                    format_args!("conversation {other} is taken into {id} and cannot be"),
                );
            }
            What::TakenIn { into, .. } => {
                let fits = !conversation.is_open && into.party != id.party;
                found.require(fits, 3, format_args!("conversation {id} is taken into {into} and cannot be"));
            }
            What::CustomerSeen { .. }
            | What::JoinAsked { .. }
            | What::PartAsked { .. }
            | What::TakenOut { .. }
            | What::NotTaken { .. }
            | What::AddressJoined { .. }
            | What::AddressParted { .. }
            | What::JoinRefused { .. }
            | What::ReceiptNoted { .. }
            | What::ReceiptKept { .. }
            | What::Noted { .. }
            | What::AnsweredElsewhere { .. }
            | What::ThreadHeld { .. }
            | What::KnownAs { .. }
            | What::Redirected { .. }
            | What::UnreadableKept { .. }
            | What::OptedOut { .. }
            | What::OptedIn { .. }
            | What::TagsNoted { .. }
            | What::WindowOpened { .. }
            | What::OthersNoted { .. }
            | What::AddressTold { .. }
            | What::AddressNoted { .. }
            | What::MarkedSpecial { .. }
            | What::Entered { .. }
            | What::TokenShown { .. }
            | What::Tied { .. }
            | What::NotTied { .. }
            | What::Suppressed { .. }
            | What::SuppressionLifted { .. }
            | What::Retired { .. }
            | What::Returned { .. }
            | What::AssignmentRefused { .. }
            | What::Transferred { .. }
            | What::Reassigned { .. }
            | What::DeliveryNoted { .. } => {}
        }
    }
}

impl Conversation {
    /// Another owner. A bot's ownership ends by this, and a queue's by an assignment; an agent must have been released
    /// before.
    fn own(&mut self, id: ConversationId, owner: Owner, owner_epoch: u32, found: &mut Found) {
        if let Some(Owner::Agent(agent, assignment)) = &self.owner {
            found.add(
                3,
                format_args!("conversation {id} gets an owner while {agent} holds it by {assignment}"),
            );
        }
        found.require(self.is_open, 3, format_args!("conversation {id} is closed and gets an owner"));
        let before = self.owner_epoch;
        found.require(
            owner_epoch > before,
            15,
            format_args!("conversation {id} changes its owner in epoch {owner_epoch}, after {before}"),
        );
        (self.owner, self.owner_epoch, self.turn) = (Some(owner), owner_epoch, None);
    }
}
