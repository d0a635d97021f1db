//! What the conversations of a party may be told or asked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Correspondent, Entry, Mention, NoteKind, OtherAddress, Pricing, Received, Referral, ReplyBy, Taken,
    Token, Untied,
};
use crate::{
    AgentId, BotId, CommandId, ConversationId, DeskId, InboxId, MessageId, OfferId, Party, QueueId, Sealed,
    Tags, TenantId, Timestamp, TurnId, policy::Special,
};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Command {
    // Facts, from the channels.
    /// The customer wrote, or tapped a button.
    Receive(Box<Received>),
    /// Something else happened at the customer's address. Recorded; it opens no conversation.
    Note {
        from: Correspondent,
        kind: NoteKind,
        message: MessageId,
        content: Option<Sealed>,
        at: Timestamp,
        /// It shows, beyond doubt, that nothing should be sent there any more.
        suppresses: Option<Suppression>,
        /// The customer followed a link.
        entry: Option<Box<Entry>>,
        /// The message it speaks of: reacted to, edited, taken back.
        about: Option<Mention>,
        referral: Option<Box<Referral>>,
    },
    /// The platform says which application answers the customer.
    HoldThread {
        from: Correspondent,
        /// Another one than this.
        elsewhere: bool,
        /// That application, by the platform's id.
        app: Option<Arc<str>>,
        /// What the application that gave it away says of it, sealed under item `MessageId(party.0)`.
        note: Option<Sealed>,
        at: Timestamp,
    },
    /// The customer has another address on this channel.
    KnowAs {
        from: Correspondent,
        to: Correspondent,
        /// And is no longer reached at this one.
        moved: bool,
        at: Timestamp,
    },
    /// Nothing should be sent there any more, and there is nothing else to note.
    Suppress {
        tenant: TenantId,
        party: Party,
        cause: Suppression,
    },
    /// A message of ours arrived, was read, or failed after the provider had taken it.
    Receipt {
        party: Party,
        kind: ReceiptKind,
        /// The provider's id of the message; none when `watermark` covers everything before.
        provider_id: Option<Arc<str>>,
        watermark: Option<Timestamp>,
        at: Timestamp,
        reason: Option<Arc<str>>,
        pricing: Option<Pricing>,
    },
    /// The platform shows a message of ours: it was sent, whatever its sender heard.
    Echoed {
        party: Party,
        message: MessageId,
        provider_id: Arc<str>,
    },
    /// The customer asks who writes, and how to make it end. `body` is the answer, a sealed [`crate::Content`] under item
    /// `answer`.
    Help {
        received: Box<Received>,
        answer: MessageId,
        body: Sealed,
    },
    /// The customer wants no more messages on this inbox: what no person has in hand is closed.
    OptOut {
        from: Correspondent,
    },
    /// The customer wants messages again.
    OptIn {
        from: Correspondent,
    },
    /// A message that could not be understood, kept whole for an operator.
    Unreadable {
        from: Correspondent,
        message: MessageId,
        content: Sealed,
        reason: Arc<str>,
        at: Timestamp,
    },

    // Commands, from bots and people.
    /// A bot answers a turn of its own; the first answer to a turn counts.
    BotAnswer {
        turn: TurnId,
        tenant: TenantId,
        bot: BotId,
        actions: Vec<BotAction>,
    },
    /// An agent writes to the customer.
    Reply {
        conversation: ConversationId,
        agent: AgentId,
        assignment: OfferId,
        message: MessageId,
        body: Sealed,
        /// None: as usual.
        by: Option<ReplyBy>,
    },
    /// An agent gives the conversation to someone else.
    Transfer {
        conversation: ConversationId,
        agent: AgentId,
        assignment: OfferId,
        to: Transfer,
        note: Option<Sealed>,
    },
    /// An agent is done.
    Close {
        conversation: ConversationId,
        agent: AgentId,
        /// None: this agent has put it away, and holds nothing of it.
        assignment: Option<OfferId>,
    },
    /// An agent puts the conversation away until then, or until the customer writes.
    Snooze {
        conversation: ConversationId,
        agent: AgentId,
        assignment: OfferId,
        until: Timestamp,
    },
    /// An agent takes what the customer wrote from this message on, and what was answered, into a conversation of its own.
    Split {
        conversation: ConversationId,
        agent: AgentId,
        assignment: OfferId,
        message: MessageId,
    },
    /// An agent takes another conversation into this one.
    Join {
        conversation: ConversationId,
        agent: AgentId,
        assignment: OfferId,
        other: ConversationId,
        /// It is of another address, and the agent has made sure that both are the same person.
        same_person: bool,
    },
    /// An agent takes a conversation of another address out of this one again.
    Part {
        conversation: ConversationId,
        agent: AgentId,
        assignment: OfferId,
        other: ConversationId,
    },
    /// The agent who put it away wants it back.
    Wake {
        conversation: ConversationId,
        agent: AgentId,
    },
    /// An agent asks another in, or someone of a queue: to look on and to exchange remarks. Answered once that agent is in.
    Consult {
        conversation: ConversationId,
        agent: AgentId,
        assignment: OfferId,
        whom: Transfer,
        note: Option<Sealed>,
    },
    /// The agent who has the conversation, or the one who is consulted, ends that.
    EndConsult {
        conversation: ConversationId,
        agent: AgentId,
    },
    /// One of the two writes to the other, and not to the customer.
    Remark {
        conversation: ConversationId,
        agent: AgentId,
        message: MessageId,
        /// A sealed [`crate::Content`] under item `message`.
        body: Sealed,
    },
    /// A supervisor gives the conversation to someone, whoever has it.
    Reassign {
        conversation: ConversationId,
        by: AgentId,
        /// The owner epoch that the supervisor saw: under another, nothing is done.
        owner_epoch: Option<u32>,
        to: Transfer,
        note: Option<Sealed>,
    },

    /// An administrator does.
    Override {
        conversation: ConversationId,
        tenant: TenantId,
        /// As in [`Command::Reassign`].
        owner_epoch: Option<u32>,
        to: Transfer,
        note: Option<Sealed>,
    },
    /// An operator knows that messages arrive again, or are wanted again.
    LiftSuppression {
        tenant: TenantId,
        party: Party,
        /// Who asks, by the name of a token.
        by: Arc<str>,
    },

    // Relays, from the conversations of another address.
    /// That agent takes it into a conversation of another address.
    TakeIn {
        conversation: ConversationId,
        into: ConversationId,
        /// Of the conversation that it is taken into.
        inbox: InboxId,
        agent: AgentId,
        command: CommandId,
    },
    /// That agent takes it out again.
    TakeOut {
        conversation: ConversationId,
        of: ConversationId,
        /// Of the conversation that it was taken into.
        inbox: InboxId,
        agent: AgentId,
        /// Where it waits for that agent.
        queue: QueueId,
        command: CommandId,
    },
    /// What became of that.
    Taken {
        conversation: ConversationId,
        other: ConversationId,
        command: CommandId,
        outcome: Taken,
    },

    // Relays, from the desk and from delivery.
    /// An agent accepted the offer of this conversation.
    Assign {
        conversation: ConversationId,
        owner_epoch: u32,
        offer: OfferId,
        agent: AgentId,
        command: CommandId,
    },
    /// The agent is gone; the conversation goes back to the head of its queue.
    GiveBack {
        conversation: ConversationId,
        assignment: OfferId,
    },
    /// Nobody took it where it waits: it waits in another queue from here on.
    Overflow {
        conversation: ConversationId,
        owner_epoch: u32,
        to: QueueId,
        /// Since when the customer has been waiting for a person.
        since: Timestamp,
    },
    /// Who is consulted, from where the conversation asked: none, if nobody there can be for now.
    ConsultAnswer {
        conversation: ConversationId,
        consult: CommandId,
        agent: Option<AgentId>,
    },
    /// Who is consulted is gone.
    ConsultGone {
        conversation: ConversationId,
        consult: CommandId,
    },
    /// What became of a message on its way out.
    Progress {
        conversation: ConversationId,
        message: MessageId,
        progress: Progress,
    },
    /// Its queue is closed until then, as far as that is known: the customer is to be told.
    TellAway {
        conversation: ConversationId,
        owner_epoch: u32,
        queue: QueueId,
        until: Option<Timestamp>,
    },
    /// What tags the customer has, as a whole.
    NoteTags {
        tenant: TenantId,
        party: Party,
        tags: Tags,
    },
    /// What the ledger made of a token that was shown here; `refused`: why the customer is not its contact by it.
    NoteTie {
        tenant: TenantId,
        party: Party,
        token: Box<Token>,
        refused: Option<Untied>,
    },
    /// Relay, from the ledger: which other addresses the customer's contact has, as a whole.
    NoteOthers {
        tenant: TenantId,
        party: Party,
        others: Vec<Party>,
    },
    /// Relay, from the conversations of another address of the same contact.
    NoteAddress {
        party: Party,
        of: OtherAddress,
    },
    /// What the customer is told of that; the first answer counts.
    AwayText {
        conversation: ConversationId,
        owner_epoch: u32,
        message: MessageId,
        /// A sealed [`crate::Content`] under item `message`.
        body: Sealed,
    },

    TimerFired(TimerId),
}

impl Command {
    /// Whose conversations must be known to decide this.
    pub(super) fn party(&self) -> Option<Party> {
        match self {
            // It goes on to its own sender's partition.
            Command::Receive(received) if received.is_astray() => None,
            Command::Receive(received) | Command::Help { received, .. } => Some(received.from.party),
            Command::Note { from, .. }
            | Command::HoldThread { from, .. }
            | Command::KnowAs { from, .. }
            | Command::OptOut { from }
            | Command::OptIn { from }
            | Command::Unreadable { from, .. } => Some(from.party),
            Command::Receipt { party, .. }
            | Command::Echoed { party, .. }
            | Command::NoteTags { party, .. }
            | Command::NoteTie { party, .. }
            | Command::NoteOthers { party, .. }
            | Command::NoteAddress { party, .. }
            | Command::Suppress { party, .. }
            | Command::LiftSuppression { party, .. } => Some(*party),
            Command::BotAnswer { turn, .. } => Some(turn.conversation.party),
            Command::Reply { conversation, .. }
            | Command::Transfer { conversation, .. }
            | Command::Close { conversation, .. }
            | Command::Snooze { conversation, .. }
            | Command::Split { conversation, .. }
            | Command::Join { conversation, .. }
            | Command::Part { conversation, .. }
            | Command::TakeIn { conversation, .. }
            | Command::TakeOut { conversation, .. }
            | Command::Taken { conversation, .. }
            | Command::Wake { conversation, .. }
            | Command::Consult { conversation, .. }
            | Command::EndConsult { conversation, .. }
            | Command::Remark { conversation, .. }
            | Command::ConsultAnswer { conversation, .. }
            | Command::ConsultGone { conversation, .. }
            | Command::Reassign { conversation, .. }
            | Command::Override { conversation, .. }
            | Command::Assign { conversation, .. }
            | Command::GiveBack { conversation, .. }
            | Command::Overflow { conversation, .. }
            | Command::Progress { conversation, .. }
            | Command::TellAway { conversation, .. }
            | Command::AwayText { conversation, .. }
            | Command::TimerFired(
                TimerId::BotSilent(conversation)
                | TimerId::Snoozed(conversation)
                | TimerId::AwayUnsaid(conversation),
            ) => Some(conversation.party),
        }
    }
}

/// Why nothing is sent to an address for now.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Suppression {
    /// Mail came back: there is nobody at that address. Ends when the customer writes from it.
    DeadAddress,
    /// The customer called a mail of ours spam. Ends when the customer writes.
    Complaint,
    /// The customer wants answers only.
    Unsubscribed,
}

impl Suppression {
    pub fn as_str(self) -> &'static str {
        match self {
            Suppression::DeadAddress => "dead_address",
            Suppression::Complaint => "complaint",
            Suppression::Unsubscribed => "unsubscribed",
        }
    }
}

/// Why a message that waited to leave is not sent any more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Withheld {
    /// The customer said stop. Starting again releases nothing.
    OptedOut,
    DeadAddress,
    Complaint,
    /// The customer wants answers only, and this was none.
    Unsubscribed,
}

impl Withheld {
    pub fn as_str(self) -> &'static str {
        match self {
            Withheld::OptedOut => "opted_out",
            Withheld::DeadAddress => Suppression::DeadAddress.as_str(),
            Withheld::Complaint => Suppression::Complaint.as_str(),
            Withheld::Unsubscribed => Suppression::Unsubscribed.as_str(),
        }
    }

    /// For the agent who wrote it.
    pub fn reason(self) -> &'static str {
        match self {
            Withheld::OptedOut => "the customer asked for no more messages before it left",
            Withheld::DeadAddress => "mail to this address came back before it left",
            Withheld::Complaint => "the customer called our mail spam before it left",
            Withheld::Unsubscribed => "the customer asked for answers only before it left",
        }
    }
}

impl From<Suppression> for Withheld {
    fn from(cause: Suppression) -> Self {
        match cause {
            Suppression::DeadAddress => Withheld::DeadAddress,
            Suppression::Complaint => Withheld::Complaint,
            Suppression::Unsubscribed => Withheld::Unsubscribed,
        }
    }
}

/// In the order in which they can come true.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum ReceiptKind {
    Failed,
    Delivered,
    Read,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum BotAction {
    /// Write to the customer. `body` is a sealed [`crate::Content`] under item `message`.
    Say { message: MessageId, body: Sealed },
    /// Give the conversation to a person; to the inbox's own queue unless another is named. `special`: what an agent
    /// must know for it, and how urgent it is.
    HandOff { queue: Option<QueueId>, special: Option<Box<Special>> },
    /// Ends the conversation, unless the customer wrote again meanwhile: then the bot is asked about that.
    Close,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Transfer {
    Queue(QueueId),
    Agent(AgentId),
    /// To where the desk's conversations wait.
    Desk(DeskId),
}

impl Transfer {
    /// The desk it is given to.
    pub fn desk(&self) -> &DeskId {
        match self {
            Transfer::Queue(queue) => &queue.desk,
            Transfer::Agent(agent) => &agent.desk,
            Transfer::Desk(desk) => desk,
        }
    }
}

/// How far a message on its way out has come.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Progress {
    Sent {
        provider_id: Arc<str>,
    },
    Failed {
        code: Arc<str>,
        reason: Arc<str>,
        /// The address itself is dead.
        dead: bool,
    },
    /// It may or may not have reached the provider.
    Unknown,
    /// It waits for the end of quiet hours.
    Held {
        until: Timestamp,
    },
    /// It had not left when it was to be sent no more.
    Withheld {
        because: Withheld,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TimerId {
    /// The bot has not answered its turn.
    BotSilent(ConversationId),
    /// The conversation was put away until now.
    Snoozed(ConversationId),
    /// Nobody has put into words yet that the queue is closed.
    AwayUnsaid(ConversationId),
}
