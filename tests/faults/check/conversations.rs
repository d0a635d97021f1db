//! Who owns a conversation, at every place of its log: one owner while it is open, changed by the rules; and who speaks,
//! owns.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Violations, events, rule::Ruled, shown};
use crate::records::{ConversationId, Event, Id, OfferId, Peer, Turn, What};

/// What the conversations of one partition said to others, and are said to have been told.
#[derive(Default)]
pub(crate) struct Conversations {
    known: BTreeMap<ConversationId, Conversation>,
    pub(crate) received: HashMap<Id, u32>,
    /// Messages of bots and people, and how often each was said.
    pub(crate) said: HashMap<Id, u32>,
    /// The same messages, and how often each is noted to have left, or not.
    pub(crate) noted: HashMap<Id, u32>,
    pub(crate) customers: HashMap<Id, u32>,
    /// Who was to wait at a desk, and whose offers were taken or refused.
    pub(crate) wanted: BTreeMap<(ConversationId, u32), u32>,
    pub(crate) assigned: BTreeMap<OfferId, u32>,
    pub(crate) refused: BTreeMap<OfferId, u32>,
    /// Assignments that nobody ended yet.
    pub(crate) held: BTreeMap<OfferId, String>,
}

#[derive(Default)]
struct Conversation {
    is_open: bool,
    owner: Option<Owner>,
    epoch: u32,
    turn: Option<Turn>,
}

#[derive(PartialEq, Debug)]
enum Owner {
    Bot,
    Queue,
    Agent(String, OfferId),
    /// Put away by its agent.
    Snoozed,
}

pub(super) fn conversations(
    peer: Peer,
    ruled: &Ruled,
    now: i64,
    violations: &mut Violations,
) -> Conversations {
    let mut all = Conversations::default();
    for decided in &ruled.decided {
        let mut touched = BTreeSet::new();
        for event in events(&decided.decision) {
            let Event::Conversation(event) = event else {
                violations.push(format!("3: {peer}, at {}: an event of another aggregate", decided.offset));
                continue;
            };
            let Some(what) = event.what.as_ref().and_then(|what| what.kind.as_ref()) else { continue };
            all.count(what);
            let Some(id) = conversation(what) else { continue };
            touched.insert(id.clone());
            if let Err((number, wrong)) = all.known.entry(id.clone()).or_default().goes_on(what) {
                violations.push(format!("{number}: {peer}, at {}: {}: {wrong}", decided.offset, shown(id)));
            }
        }
        for id in touched {
            let one = &all.known[&id];
            if one.is_open != one.owner.is_some() {
                let owner = &one.owner;
                violations.push(format!(
                    "3: {peer}, at {}: {} is open: {}, and owned by {owner:?}",
                    decided.offset,
                    shown(&id),
                    one.is_open
                ));
            }
        }
    }
    for (id, one) in &all.known {
        if let (Some(Owner::Bot), Some(turn)) = (&one.owner, &one.turn)
            && super::is_overdue(turn.answer_by, now)
        {
            violations.push(format!("9: {peer}: the bot of {} is silent, and nobody noticed", shown(id)));
        }
        if let Some(Owner::Agent(agent, offer)) = &one.owner {
            all.held.insert(offer.clone(), agent.clone());
        }
    }
    for (message, times) in all.received.iter().filter(|(_, times)| **times > 1) {
        violations.push(format!("2: {peer}: {} is received {times} times", super::short(message)));
    }
    for (message, times) in all.said.iter().filter(|(_, times)| **times > 1) {
        violations.push(format!("11: {peer}: {} is said {times} times", super::short(message)));
    }
    all
}

impl Conversations {
    fn count(&mut self, what: &What) {
        let once = |counts: &mut HashMap<Id, u32>, id: &Id| *counts.entry(id.clone()).or_default() += 1;
        match what {
            What::CustomerSeen(seen) => {
                if let Some(from) = &seen.from {
                    once(&mut self.customers, &from.party);
                }
            }
            What::MessageReceived(received) => once(&mut self.received, &received.message),
            What::BotReplied(replied) => once(&mut self.said, &replied.message),
            What::Replied(replied) => once(&mut self.said, &replied.message),
            What::DeliveryNoted(noted) => once(&mut self.noted, &noted.message),
            What::AgentWanted(wanted) => {
                let key = (wanted.conversation.clone().unwrap_or_default(), wanted.owner_epoch);
                *self.wanted.entry(key).or_default() += 1;
            }
            What::Assigned(assigned) => {
                *self.assigned.entry(assigned.assignment.clone().unwrap_or_default()).or_default() += 1;
            }
            What::AssignmentRefused(refused) => {
                *self.refused.entry(refused.offer.clone().unwrap_or_default()).or_default() += 1;
            }
            _ => {}
        }
    }
}

impl Conversation {
    fn goes_on(&mut self, what: &What) -> Result<(), (u8, String)> {
        let right = |fits: bool, number: u8, wrong: &str| match fits {
            true => Ok(()),
            false => Err((number, wrong.to_owned())),
        };
        match what {
            What::Opened(_) | What::Reopened(_) => {
                right(!self.is_open, 3, "it begins while it goes on")?;
                self.is_open = true;
            }
            What::Closed(_) => {
                right(self.is_open, 3, "it ends twice")?;
                right(
                    matches!(self.owner, None | Some(Owner::Bot | Owner::Snoozed)),
                    3,
                    "it ends while a queue or an agent holds it",
                )?;
                (self.is_open, self.owner, self.turn) = (false, None, None);
            }
            What::BotEngaged(engaged) => {
                right(self.is_open && self.owner.is_none(), 3, "a bot takes what is someone's")?;
                self.is_owned(Owner::Bot, engaged.owner_epoch)?;
            }
            What::AgentWanted(wanted) => {
                let fits = self.is_open && matches!(self.owner, None | Some(Owner::Bot | Owner::Snoozed));
                right(fits, 3, "a queue takes what a queue or an agent holds")?;
                self.is_owned(Owner::Queue, wanted.owner_epoch)?;
            }
            What::Assigned(assigned) => {
                right(self.owner == Some(Owner::Queue), 3, "an agent takes what does not wait")?;
                let offer = assigned.assignment.clone().unwrap_or_default();
                self.is_owned(Owner::Agent(assigned.agent.clone(), offer), assigned.owner_epoch)?;
            }
            What::Released(released) => {
                let fits = matches!(&self.owner, Some(Owner::Agent(_, held)) if Some(held) == released.offer.as_ref());
                right(fits, 3, "an agent lets go what it does not hold")?;
                self.owner = None;
            }
            What::Snoozed(snoozed) => {
                let fits = matches!(&self.owner, Some(Owner::Agent(_, held)) if Some(held) == snoozed.assignment.as_ref());
                right(fits, 3, "an agent puts away what it does not hold")?;
                self.is_owned(Owner::Snoozed, snoozed.owner_epoch)?;
            }
            What::Withdrawn(_) => {
                right(self.owner == Some(Owner::Queue), 3, "a queue lets go what it does not hold")?;
                self.owner = None;
            }
            What::TurnAsked(turn) => {
                right(self.is_of_the_bot(turn), 15, "a bot is asked that does not own")?;
                self.turn = Some(turn.clone());
            }
            What::TurnAnswered(turn) => {
                right(self.is_of_the_bot(turn), 15, "an answer of another time is taken")?;
                let asked = self.turn.take().and_then(|turn| turn.turn);
                right(asked == turn.turn, 15, "an answer is taken to what was not asked")?;
            }
            What::BotReplied(_) => {
                right(self.owner == Some(Owner::Bot), 15, "a bot speaks that does not own")?
            }
            What::Replied(replied) => {
                let fits = matches!(&self.owner, Some(Owner::Agent(agent, _)) if *agent == replied.agent);
                right(fits, 3, "an agent speaks that does not own")?;
            }
            What::MessageReceived(_) => {
                right(self.is_open && self.owner.is_some(), 3, "a message comes to nobody")?;
            }
            What::CustomerSeen(_) | What::AssignmentRefused(_) | What::DeliveryNoted(_) => {}
        }
        Ok(())
    }

    fn is_owned(&mut self, owner: Owner, epoch: u32) -> Result<(), (u8, String)> {
        let follows = epoch == self.epoch + 1;
        (self.owner, self.epoch, self.turn) = (Some(owner), epoch, None);
        if follows { Ok(()) } else { Err((15, format!("ownership epoch {epoch} does not follow"))) }
    }

    fn is_of_the_bot(&self, turn: &Turn) -> bool {
        self.owner == Some(Owner::Bot)
            && turn.turn.as_ref().is_some_and(|turn| turn.owner_epoch == self.epoch)
    }
}

fn conversation(what: &What) -> Option<&ConversationId> {
    match what {
        What::Opened(of) | What::Reopened(of) | What::Closed(of) | What::Withdrawn(of) => {
            of.conversation.as_ref()
        }
        What::BotEngaged(engaged) => engaged.conversation.as_ref(),
        What::TurnAsked(turn) | What::TurnAnswered(turn) => turn.turn.as_ref()?.conversation.as_ref(),
        What::AgentWanted(wanted) => wanted.conversation.as_ref(),
        What::Assigned(assigned) | What::Snoozed(assigned) => assigned.conversation.as_ref(),
        What::Released(of) | What::AssignmentRefused(of) => of.conversation.as_ref(),
        What::Replied(replied) => replied.conversation.as_ref(),
        What::MessageReceived(of) | What::BotReplied(of) | What::DeliveryNoted(of) => {
            of.conversation.as_ref()
        }
        What::CustomerSeen(_) => None,
    }
}
