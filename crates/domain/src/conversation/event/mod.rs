//! What happened to a conversation.

mod outgoing;
mod reach;

use std::sync::Arc;

use crate::{
    AgentId, BotId, Channel, CommandId, ContactId, ConversationId, DeskId, InboxId, LinkId, MessageId,
    OfferId, Party, QueueId, Rejection, Sealed, Tags, TenantId, Timestamp, TurnId, policy::Special,
};

use super::{
    Correspondent, HeldReply, Marks, MessageKind, NoteKind, OtherAddress, Pricing, Progress, ReceiptKind,
    Received, Referral, Suppression, Token, Tombstone, Transfer, Untied, Window, Withheld,
};

pub use self::outgoing::{CloseReason, Closer, ConsultEnd, HandOffReason, Outgoing, ThreadOf};

/// Something that happened to one customer's conversations. Names its tenant and inbox, so that a reader who starts
/// in the middle knows whose it is.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    pub tenant: TenantId,
    pub inbox: InboxId,
    pub what: What,
}

#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// A customer's first sign of life in this inbox.
    CustomerSeen {
        from: Correspondent,
        at: Timestamp,
    },
    /// A conversation began, at its first owner's.
    Opened {
        conversation: ConversationId,
        policy_version: u64,
    },
    /// A closed conversation goes on.
    Reopened {
        conversation: ConversationId,
    },
    MessageReceived {
        conversation: ConversationId,
        message: MessageId,
        kind: MessageKind,
        content: Sealed,
        thread: Option<Sealed>,
        sent_at: Timestamp,
        authenticated: bool,
        /// E-mail: what later mails are told to belong to this one by.
        marks: Option<Marks>,
        /// Only a person may answer it.
        people_only: bool,
        /// The message it answers, ours or the customer's.
        reply_to: Option<MessageId>,
        referral: Option<Box<Referral>>,
    },
    Noted {
        party: Party,
        kind: NoteKind,
        message: MessageId,
        content: Option<Sealed>,
        at: Timestamp,
        /// Where it belongs: what was open then, or closed last.
        conversation: Option<ConversationId>,
        /// The message it speaks of, ours or the customer's.
        about: Option<MessageId>,
        referral: Option<Box<Referral>>,
    },
    /// The business answered the customer, but not from here.
    AnsweredElsewhere {
        party: Party,
        conversation: Option<ConversationId>,
        message: MessageId,
        content: Option<Sealed>,
        at: Timestamp,
    },
    /// Another application answers the customer from here on, or this one does again. Of what the platform says and shows,
    /// the latest counts.
    ThreadHeld {
        party: Party,
        conversation: Option<ConversationId>,
        elsewhere: bool,
        app: Option<Arc<str>>,
        note: Option<Sealed>,
        at: Timestamp,
    },
    /// The customer has another address on this channel. Relayed to the ledger, which makes it the same contact's.
    KnownAs {
        party: Party,
        to: Correspondent,
        moved: bool,
        at: Timestamp,
    },
    ReceiptNoted {
        conversation: ConversationId,
        kind: ReceiptKind,
        message: MessageId,
        at: Timestamp,
        reason: Option<Arc<str>>,
        pricing: Option<Pricing>,
    },
    /// A receipt came for a message that is not known to have been sent: providers may report before they have
    /// answered us. It is noted as soon as the message is.
    ReceiptKept {
        party: Party,
        provider_id: Arc<str>,
        kind: ReceiptKind,
        at: Timestamp,
        reason: Option<Arc<str>>,
    },
    /// A mail carried a reference to a conversation that its sender has no part in: it goes to its own sender's.
    Redirected {
        to: Party,
        received: Box<Received>,
    },
    /// The customer came by a link of the workspace. `conversation`: the one it bears on; none where that is still to come.
    Entered {
        party: Party,
        conversation: Option<ConversationId>,
        link: LinkId,
        /// What the customer's contact gets by it. The ledger is told.
        tags: Vec<Arc<str>>,
    },
    /// The link had a token of ours in it. The ledger says what that means.
    TokenShown {
        party: Party,
        token: Box<Token>,
    },
    /// The address is this contact's from here on, by a token that was shown there.
    Tied {
        party: Party,
        conversation: Option<ConversationId>,
        contact: ContactId,
        /// The item that `about` is sealed under.
        message: MessageId,
        /// What the customer comes about.
        about: Option<Sealed>,
    },
    /// A token was shown there, and the address is whose it was.
    NotTied {
        party: Party,
        conversation: Option<ConversationId>,
        because: Untied,
    },
    UnreadableKept {
        party: Party,
        message: MessageId,
        content: Sealed,
        reason: Arc<str>,
        at: Timestamp,
    },
    OptedOut {
        party: Party,
    },
    OptedIn {
        party: Party,
    },
    /// Whoever asks who writes, and how to make it end, is told: beside all conversations, and even after a stop.
    HelpAnswered {
        party: Party,
        message: MessageId,
        outgoing: Outgoing,
    },
    /// The customer has these tags, and no others.
    TagsNoted {
        party: Party,
        tags: Tags,
    },
    /// The customer's contact has these other addresses, and no others.
    OthersNoted {
        party: Party,
        others: Vec<Party>,
    },
    /// The conversations of another address of the same contact learn what this one is, and whether it may be written to.
    AddressTold {
        to: Party,
        of: OtherAddress,
    },
    /// What another address of the same contact is, and whether it may be written to, by its own word.
    AddressNoted {
        party: Party,
        of: OtherAddress,
    },
    /// Nothing is sent to the customer's address from here on.
    Suppressed {
        party: Party,
        cause: Suppression,
    },
    /// What waits to be sent to the customer's address is to be sent no more.
    WithholdAsked {
        party: Party,
        because: Withheld,
    },
    /// That cause is none any more.
    SuppressionLifted {
        party: Party,
        cause: Suppression,
        /// The operator who lifted it, by the name of a token; none where the customer wrote.
        by: Option<Arc<str>>,
    },
    /// Nothing has been under way for the customer for some time: it leaves memory, and is kept beside it.
    Retired {
        party: Party,
    },
    /// A retired customer is needed again, and is as it was.
    Returned {
        party: Party,
        tombstone: Box<Tombstone>,
    },

    /// A bot owns the conversation. `queue` is where it goes from the bot if the inbox is gone by then.
    BotEngaged {
        conversation: ConversationId,
        bot: BotId,
        owner_epoch: u32,
        queue: QueueId,
    },
    /// The bot is asked to answer a message that was received here, in this decision or an earlier one.
    TurnAsked {
        turn: TurnId,
        bot: BotId,
        /// What the message says, once more, for a bot that answers beside the leader. Other bots read the log.
        content: Option<Sealed>,
        message: MessageId,
        answer_by: Timestamp,
        /// The customer came by this link, and nobody has spoken to that yet.
        link: Option<LinkId>,
    },
    /// The bot answered (perhaps with nothing); `BotReplied`s and changes of owner stand behind it.
    TurnAnswered {
        turn: TurnId,
    },
    BotReplied {
        conversation: ConversationId,
        message: MessageId,
        outgoing: Outgoing,
    },

    /// The bot said what is special about the conversation, for whoever it waits for until it is closed.
    MarkedSpecial {
        conversation: ConversationId,
        special: Box<Special>,
    },

    /// The conversation waits for a person: a queue owns it.
    AgentWanted {
        conversation: ConversationId,
        channel: Channel,
        queue: QueueId,
        owner_epoch: u32,
        reason: HandOffReason,
        /// Since when the customer has been waiting for a person.
        since: Timestamp,
        /// Wanted at the head of the queue: it was there before.
        again: bool,
        /// Wanted from this very agent.
        agent: Option<AgentId>,
        /// That agent is waited for until then.
        agent_until: Option<Timestamp>,
        /// That agent asked for it, and is not asked again.
        by_request: bool,
        /// What it has beyond others of the queue: by its customer's tags, and by what a bot said.
        special: Option<Arc<Special>>,
    },
    /// An agent owns the conversation.
    Assigned {
        conversation: ConversationId,
        agent: AgentId,
        assignment: OfferId,
        owner_epoch: u32,
        command: CommandId,
    },
    /// An acceptance came too late: the conversation no longer waits for it.
    AssignmentRefused {
        conversation: ConversationId,
        offer: OfferId,
        command: CommandId,
    },
    /// The agent no longer holds the conversation; who owns it next stands behind this.
    Released {
        conversation: ConversationId,
        assignment: OfferId,
    },
    /// The queue no longer holds the conversation, which never got to an agent.
    Withdrawn {
        conversation: ConversationId,
        queue: QueueId,
        owner_epoch: u32,
    },
    Transferred {
        conversation: ConversationId,
        by: AgentId,
        note: Option<Sealed>,
    },
    /// The agent put the conversation away, and holds it no more. It is the agent's to come back to: then, or when the
    /// customer writes before.
    Snoozed {
        conversation: ConversationId,
        agent: AgentId,
        assignment: OfferId,
        owner_epoch: u32,
        until: Timestamp,
    },
    /// An agent took what the customer wrote from this message on, and what was answered since, into a conversation that
    /// was opened for it. Who owns that stands behind this.
    Split {
        conversation: ConversationId,
        into: ConversationId,
        message: MessageId,
        by: AgentId,
    },
    /// An agent took another conversation of the same address into this one: everything in it stands here now, and what
    /// comes for it comes here.
    Joined {
        conversation: ConversationId,
        other: ConversationId,
        by: AgentId,
    },
    /// An agent who has this conversation wants one of another address taken into it, and is answered when it is.
    JoinAsked {
        conversation: ConversationId,
        other: ConversationId,
        by: AgentId,
        command: CommandId,
    },
    /// The same, for taking it out again. `queue` is where it waits for that agent.
    PartAsked {
        conversation: ConversationId,
        other: ConversationId,
        by: AgentId,
        queue: QueueId,
        command: CommandId,
    },
    /// An agent took this conversation into one of another address. It is closed, until the customer writes.
    TakenIn {
        conversation: ConversationId,
        into: ConversationId,
        by: AgentId,
        command: CommandId,
    },
    /// An agent took it out again.
    TakenOut {
        conversation: ConversationId,
        of: ConversationId,
        by: AgentId,
        command: CommandId,
    },
    /// It was to be taken in or out, and could not be.
    NotTaken {
        conversation: ConversationId,
        asked_by: ConversationId,
        command: CommandId,
        why: Rejection,
    },
    /// An agent made sure that both addresses are the same person, and took the other's conversation into this one: the two
    /// addresses are one contact's.
    AddressJoined {
        conversation: ConversationId,
        other: ConversationId,
        by: AgentId,
        command: CommandId,
    },
    /// That was wrong: they are two contacts' again.
    AddressParted {
        conversation: ConversationId,
        other: ConversationId,
        by: AgentId,
        command: CommandId,
    },
    JoinRefused {
        conversation: ConversationId,
        other: ConversationId,
        command: CommandId,
        why: Rejection,
    },
    /// The agent who has the conversation asks another in.
    ConsultAsked {
        conversation: ConversationId,
        /// The command that asked, which names the consultation.
        consult: CommandId,
        by: AgentId,
        /// An agent, or a queue.
        whom: Transfer,
        note: Option<Sealed>,
    },
    /// This agent is in.
    ConsultBegan {
        conversation: ConversationId,
        consult: CommandId,
        by: AgentId,
        agent: AgentId,
        note: Option<Sealed>,
    },
    /// Nobody could be asked in.
    ConsultFailed {
        conversation: ConversationId,
        consult: CommandId,
    },
    ConsultEnded {
        conversation: ConversationId,
        consult: CommandId,
        /// Where someone was asked in.
        desk: DeskId,
        /// None: nobody was in yet.
        agent: Option<AgentId>,
        because: ConsultEnd,
    },
    /// Said between the agent who has the conversation and the one who is consulted. The customer does not see it.
    Remarked {
        conversation: ConversationId,
        by: AgentId,
        message: MessageId,
        body: Sealed,
    },
    /// A supervisor gave it to someone; to whom stands behind this.
    Reassigned {
        conversation: ConversationId,
        /// None: an administrator.
        by: Option<AgentId>,
        note: Option<Sealed>,
    },
    Replied {
        conversation: ConversationId,
        agent: AgentId,
        message: MessageId,
        outgoing: Outgoing,
    },
    /// The customer may be answered until then, unless a later time is known already.
    WindowOpened {
        conversation: ConversationId,
        window: Window,
    },
    /// An agent answered when nobody might any more: it leaves once the customer has written.
    ReplyHeld {
        conversation: ConversationId,
        reply: HeldReply,
    },
    /// What was held leaves, in the conversation in which the customer has written.
    HeldSent {
        conversation: ConversationId,
        agent: AgentId,
        message: MessageId,
        outgoing: Outgoing,
    },
    /// What became of a message of ours.
    DeliveryNoted {
        conversation: ConversationId,
        message: MessageId,
        progress: Progress,
    },
    /// The customer is to be told that the queue is closed. Asked again at `again_at` if nobody has by then, and the queue is
    /// closed still.
    AwayAsked {
        conversation: ConversationId,
        owner_epoch: u32,
        queue: QueueId,
        /// When it opens, as far as that is known.
        until: Option<Timestamp>,
        again_at: Timestamp,
        /// And that the answer comes by mail, from this inbox.
        callback: Option<InboxId>,
    },
    /// The customer is told that.
    AwaySaid {
        conversation: ConversationId,
        message: MessageId,
        outgoing: Outgoing,
    },
    Closed {
        conversation: ConversationId,
        by: Closer,
        reason: CloseReason,
    },
}
