//! What is on its way out of one partition: a line for each party, and the message at its head.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{ConversationId, InboxId, MessageId, Party, Timers, Timestamp, conversation::Outgoing};

use super::{Event, MailboxMark, TimerId};

/// Messages that have not ended. One that was sent, failed, or has an outcome that nobody knows is no longer here.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Deliveries {
    messages: BTreeMap<MessageId, Delivery>,
    /// Each party's messages in the order they came. All but the first are [`Stage::Queued`]; no line is empty.
    lines: BTreeMap<Party, VecDeque<MessageId>>,
    pub(super) timers: Timers<TimerId>,
    /// Of the inboxes whose first lane is here and that fetch their mail.
    marks: BTreeMap<InboxId, MailboxMark>,
}

/// One message on its way out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Delivery {
    pub conversation: ConversationId,
    pub outgoing: Arc<Outgoing>,
    /// The attempt started last, from 1; 0 before the first.
    pub attempt: u32,
    /// When the first attempt was started; before that, when the message came.
    pub begun: Timestamp,
    /// Attempts of these that were announced and not made.
    pub not_made: u32,
    pub stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Stage {
    /// Behind other messages to the same party.
    Queued,
    /// The attempt may be made; its outcome is awaited.
    Started,
    /// The attempt was started under an earlier leader: it is not made again, the sender is asked what became of it.
    Lost,
    /// The next attempt starts at `due`.
    Waiting { due: Timestamp },
}

impl Delivery {
    /// An attempt was started and has no outcome yet.
    pub fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Started | Stage::Lost)
    }
}

impl Deliveries {
    pub fn get(&self, message: MessageId) -> Option<&Delivery> {
        self.messages.get(&message)
    }

    /// The attempts that were started and have no outcome yet, at most one a party.
    pub fn under_way(&self) -> impl Iterator<Item = (MessageId, &Delivery)> {
        self.lines
            .values()
            .filter_map(|line| line.front())
            .filter_map(|message| Some((*message, self.get(*message)?)))
            .filter(|(_, delivery)| delivery.is_under_way())
    }

    /// How far this inbox's mailbox was read.
    pub fn mark(&self, inbox: &InboxId) -> Option<&MailboxMark> {
        self.marks.get(inbox)
    }

    pub fn marks(&self) -> &BTreeMap<InboxId, MailboxMark> {
        &self.marks
    }

    /// Nothing to this party is on its way.
    pub(super) fn is_idle(&self, party: Party) -> bool {
        !self.lines.contains_key(&party)
    }

    /// The message whose turn it is once the first of the party's line has ended.
    pub(super) fn next(&self, party: Party) -> Option<MessageId> {
        self.lines.get(&party)?.get(1).copied()
    }

    pub(super) fn evolve(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Queued { conversation, message, outgoing } => {
                self.queue(*conversation, *message, outgoing, at)
            }
            Event::SendStarted { message, attempt } => {
                self.set(*message, *attempt, Stage::Started);
                if let Some(delivery) =
                    self.messages.get_mut(message).filter(|of| *attempt == of.not_made + 1)
                {
                    delivery.begun = at;
                }
                self.timers.cancel(&TimerId::Retry(*message));
            }
            Event::OutcomeLost { message, attempt } => self.set(*message, *attempt, Stage::Lost),
            Event::RetryScheduled { message, attempt, due, not_made, .. } => {
                if let Some(delivery) = self.messages.get_mut(message) {
                    delivery.not_made += u32::from(*not_made);
                    self.set(*message, *attempt, Stage::Waiting { due: *due });
                    self.timers.set(TimerId::Retry(*message), *due);
                }
            }
            Event::Sent { message, .. }
            | Event::Failed { message, .. }
            | Event::OutcomeUnknown { message, .. } => self.remove(*message),
            Event::AddressDead { .. } => {}
            Event::MailboxMarked { inbox, mark } => {
                self.marks.insert(inbox.clone(), mark.clone());
            }
        }
    }

    fn queue(
        &mut self,
        conversation: ConversationId,
        message: MessageId,
        outgoing: &Outgoing,
        at: Timestamp,
    ) {
        if self.messages.contains_key(&message) {
            return;
        }
        let outgoing = Arc::new(outgoing.clone());
        let delivery =
            Delivery { conversation, outgoing, attempt: 0, begun: at, not_made: 0, stage: Stage::Queued };
        self.messages.insert(message, delivery);
        self.lines.entry(conversation.party).or_default().push_back(message);
    }

    fn set(&mut self, message: MessageId, attempt: u32, stage: Stage) {
        if let Some(delivery) = self.messages.get_mut(&message) {
            delivery.attempt = attempt;
            delivery.stage = stage;
        }
    }

    fn remove(&mut self, message: MessageId) {
        self.timers.cancel(&TimerId::Retry(message));
        let Some(delivery) = self.messages.remove(&message) else { return };
        let party = delivery.conversation.party;
        if let Some(line) = self.lines.get_mut(&party) {
            line.retain(|queued| *queued != message);
            if line.is_empty() {
                self.lines.remove(&party);
            }
        }
    }
}
