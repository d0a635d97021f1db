//! What is known of each customer address, as a fold of its events.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, BotId, Channel, ConversationId, InboxId, MessageId, OfferId, Party, QueueId, Sealed, TenantId,
    Timers, Timestamp, TurnId,
};

use super::{Event, Progress, ReceiptKind, ThreadOf, TimerId, What};

/// Messages of ours whose receipts can still be told apart, per customer.
const SENT_KEPT: usize = 16;

/// Receipts that wait for the message they speak of, per customer.
const EARLY_KEPT: usize = 8;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Conversations {
    customers: BTreeMap<Party, Customer>,
    pub(super) timers: Timers<TimerId>,
}

/// One address in one inbox.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Customer {
    pub tenant: TenantId,
    pub inbox: InboxId,
    pub channel: Channel,
    pub address: Sealed,
    pub opted_out: bool,
    /// The latest conversation; every earlier one is closed for good.
    pub latest: Option<Conversation>,
    /// Messages that a provider took, newest last.
    pub(super) sent: VecDeque<Sent>,
    /// Receipts of messages that are not known to have been sent, newest last; of one message each says more than
    /// the one before.
    pub(super) early: VecDeque<Early>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Sent {
    pub provider_id: Arc<str>,
    pub conversation: u32,
    pub message: MessageId,
    pub at: Timestamp,
    /// The furthest receipt so far.
    pub receipt: Option<Receipt>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Early {
    pub provider_id: Arc<str>,
    pub kind: ReceiptKind,
    pub at: Timestamp,
    pub reason: Option<Arc<str>>,
}

/// Receipts in the order in which they can come true.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) enum Receipt {
    Failed,
    Delivered,
    Read,
}

impl From<ReceiptKind> for Receipt {
    fn from(kind: ReceiptKind) -> Self {
        match kind {
            ReceiptKind::Failed => Receipt::Failed,
            ReceiptKind::Delivered => Receipt::Delivered,
            ReceiptKind::Read => Receipt::Read,
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Conversation {
    pub number: u32,
    /// Grows with every change of owner.
    pub owner_epoch: u32,
    /// Turns asked so far.
    pub turns: u32,
    pub stage: Stage,
    /// E-mail: the thread an answer stands in.
    pub thread: Option<Box<ThreadOf>>,
}

/// An open conversation has exactly one owner; a closed one has none.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Stage {
    Open(Owner),
    Closed { at: Timestamp },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Owner {
    Bot {
        bot: BotId,
        /// Where the conversation goes from the bot if the inbox is gone by then.
        queue: QueueId,
        turn: Option<Box<Turn>>,
    },
    Queue {
        queue: QueueId,
    },
    Agent {
        agent: AgentId,
        assignment: OfferId,
        /// Where the conversation goes if the agent vanishes.
        queue: QueueId,
    },
}

/// The turn that the bot has not answered yet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Turn {
    pub number: u32,
    pub message: MessageId,
    pub content: Sealed,
    /// The newest message that came while the bot was thinking: the next turn.
    pub next: Option<(MessageId, Sealed)>,
}

impl Customer {
    /// The receipts that wait for this message, each saying more than the one before.
    pub(super) fn early(&self, provider_id: &str) -> impl Iterator<Item = &Early> {
        self.early.iter().filter(move |early| *early.provider_id == *provider_id)
    }
}

impl Conversation {
    pub fn owner(&self) -> Option<&Owner> {
        match &self.stage {
            Stage::Open(owner) => Some(owner),
            Stage::Closed { .. } => None,
        }
    }

    fn turn_mut(&mut self) -> Option<&mut Option<Box<Turn>>> {
        match &mut self.stage {
            Stage::Open(Owner::Bot { turn, .. }) => Some(turn),
            _ => None,
        }
    }
}

impl Conversations {
    pub fn customer(&self, party: Party) -> Option<&Customer> {
        self.customers.get(&party)
    }

    pub fn customers(&self) -> impl Iterator<Item = (Party, &Customer)> {
        self.customers.iter().map(|(party, customer)| (*party, customer))
    }

    /// The conversation, if it is its customer's latest.
    pub fn conversation(&self, id: ConversationId) -> Option<(&Customer, &Conversation)> {
        let customer = self.customers.get(&id.party)?;
        let conversation = customer.latest.as_ref().filter(|latest| latest.number == id.number)?;
        Some((customer, conversation))
    }

    /// The turns that bots have not answered yet.
    pub fn open_turns(&self) -> impl Iterator<Item = (TurnId, &Customer, &BotId, &Turn)> {
        // Every unanswered turn has its timer, and only those have.
        self.timers.ids().filter_map(|TimerId::BotSilent(id)| {
            let (customer, conversation) = self.conversation(*id)?;
            let Some(Owner::Bot { bot, turn: Some(turn), .. }) = conversation.owner() else { return None };
            let turn_id =
                TurnId { conversation: *id, owner_epoch: conversation.owner_epoch, number: turn.number };
            Some((turn_id, customer, bot, turn.as_ref()))
        })
    }

    pub(super) fn evolve(&mut self, at: Timestamp, event: &Event) {
        match &event.what {
            What::CustomerSeen { from, .. } => {
                self.customers.entry(from.party).or_insert_with(|| Customer {
                    tenant: from.tenant.clone(),
                    inbox: from.inbox.clone(),
                    channel: from.channel,
                    address: from.address.clone(),
                    opted_out: false,
                    latest: None,
                    sent: VecDeque::new(),
                    early: VecDeque::new(),
                });
            }
            What::OptedOut { party } => {
                self.customers.get_mut(party).into_iter().for_each(|c| c.opted_out = true)
            }
            What::OptedIn { party } => {
                self.customers.get_mut(party).into_iter().for_each(|c| c.opted_out = false)
            }
            What::Opened { conversation, .. } => {
                if let Some(customer) = self.customers.get_mut(&conversation.party) {
                    // Its first owner stands in the next event of the same decision.
                    customer.latest = Some(Conversation {
                        number: conversation.number,
                        owner_epoch: 0,
                        turns: 0,
                        stage: Stage::Closed { at },
                        thread: None,
                    });
                }
            }
            What::MessageReceived { conversation, message, content, thread, .. } => {
                let Some(found) = self.get_mut(*conversation) else { return };
                if let Some(thread) = thread {
                    found.thread = Some(Box::new(ThreadOf { message: *message, thread: thread.clone() }));
                }
                if let Some(Some(turn)) = found.turn_mut() {
                    turn.next = Some((*message, content.clone()));
                }
            }
            What::BotEngaged { conversation, bot, owner_epoch, queue } => {
                let owner = Owner::Bot { bot: bot.clone(), queue: queue.clone(), turn: None };
                self.own(*conversation, *owner_epoch, owner);
            }
            What::TurnAsked { turn, content, message, answer_by, .. } => {
                let Some(found) = self.get_mut(turn.conversation) else { return };
                found.turns = turn.number;
                if let Some(pending) = found.turn_mut() {
                    *pending = Some(Box::new(Turn {
                        number: turn.number,
                        message: *message,
                        content: content.clone(),
                        next: None,
                    }));
                    self.timers.set(TimerId::BotSilent(turn.conversation), *answer_by);
                }
            }
            What::TurnAnswered { turn } => {
                if let Some(pending) = self.get_mut(turn.conversation).and_then(Conversation::turn_mut) {
                    *pending = None;
                }
                self.timers.cancel(&TimerId::BotSilent(turn.conversation));
            }
            What::AgentWanted { conversation, queue, owner_epoch, .. } => {
                self.own(*conversation, *owner_epoch, Owner::Queue { queue: queue.clone() });
            }
            What::Assigned { conversation, agent, assignment, owner_epoch, .. } => {
                // Only a waiting conversation is ever assigned.
                let waiting = self.get_mut(*conversation).and_then(|found| match &found.stage {
                    Stage::Open(Owner::Queue { queue }) => Some(queue.clone()),
                    _ => None,
                });
                if let Some(queue) = waiting {
                    let owner = Owner::Agent { agent: agent.clone(), assignment: assignment.clone(), queue };
                    self.own(*conversation, *owner_epoch, owner);
                }
            }
            What::Closed { conversation, .. } => {
                if let Some(found) = self.get_mut(*conversation) {
                    found.stage = Stage::Closed { at };
                }
                self.timers.cancel(&TimerId::BotSilent(*conversation));
            }
            What::DeliveryNoted { conversation, message, progress: Progress::Sent { provider_id } } => {
                let Some(customer) = self.customers.get_mut(&conversation.party) else { return };
                // They are noted behind this, in the same decision.
                customer.early.retain(|early| early.provider_id != *provider_id);
                if customer.sent.len() == SENT_KEPT {
                    customer.sent.pop_front();
                }
                customer.sent.push_back(Sent {
                    provider_id: provider_id.clone(),
                    conversation: conversation.number,
                    message: *message,
                    at,
                    receipt: None,
                });
            }
            What::ReceiptNoted { conversation, kind, message, .. } => {
                let customer = self.customers.get_mut(&conversation.party);
                let sent = customer.into_iter().flat_map(|customer| customer.sent.iter_mut());
                sent.filter(|sent| sent.message == *message).for_each(|sent| {
                    sent.receipt = sent.receipt.max(Some(Receipt::from(*kind)));
                });
            }
            What::ReceiptKept { party, provider_id, kind, at, reason } => {
                let Some(customer) = self.customers.get_mut(party) else { return };
                if customer.early.len() == EARLY_KEPT {
                    customer.early.pop_front();
                }
                customer.early.push_back(Early {
                    provider_id: provider_id.clone(),
                    kind: *kind,
                    at: *at,
                    reason: reason.clone(),
                });
            }
            What::Reopened { .. }
            | What::Noted { .. }
            | What::Redirected { .. }
            | What::UnreadableKept { .. }
            | What::BotReplied { .. }
            | What::AssignmentRefused { .. }
            | What::Released { .. }
            | What::Withdrawn { .. }
            | What::Transferred { .. }
            | What::Replied { .. }
            | What::DeliveryNoted { .. } => {}
        }
    }

    fn get_mut(&mut self, id: ConversationId) -> Option<&mut Conversation> {
        let latest = self.customers.get_mut(&id.party)?.latest.as_mut()?;
        (latest.number == id.number).then_some(latest)
    }

    fn own(&mut self, id: ConversationId, owner_epoch: u32, owner: Owner) {
        if let Some(conversation) = self.get_mut(id) {
            conversation.stage = Stage::Open(owner);
            conversation.owner_epoch = owner_epoch;
        }
        self.timers.cancel(&TimerId::BotSilent(id));
    }
}
