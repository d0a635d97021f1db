//! What happened to a conversation.

use std::sync::Arc;

use crate::{
    AgentId, BotId, Channel, Code, CommandId, ContactId, ConversationId, DeskId, InboxId, Lane, LinkId,
    MessageId, OfferId, Party, QueueId, Rejection, Relay, Route, Sealed, Settles, Tags, TenantId, Timestamp,
    TurnId, contact, delivery, desk, policy::Special,
};

use super::{
    Correspondent, HeldReply, Marks, MessageKind, NoteKind, OtherAddress, Pricing, Progress, ReceiptKind,
    Received, Referral, Suppression, Taken, Token, Tombstone, Transfer, Untied, Window,
};

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

/// Everything that delivery needs to carry a message out.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Outgoing {
    pub tenant: TenantId,
    pub inbox: InboxId,
    pub channel: Channel,
    pub to: Sealed,
    pub body: Sealed,
    pub thread: Option<ThreadOf>,
    /// A person wrote it.
    pub by_person: bool,
    /// That person's name, for customers.
    pub signed: Option<Arc<str>>,
    /// Until when it may leave; none where the channel sets no bounds.
    pub window: Option<Window>,
}

/// The customer's message whose thread an answer stands in.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct ThreadOf {
    /// The item the thread is sealed under.
    pub message: MessageId,
    pub thread: Sealed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum HandOffReason {
    /// No bot greets in this inbox.
    NoBot,
    /// The bot handed over: the customer asked for a person, or the bot knew no answer.
    BotHandedOff,
    /// The bot did not answer in time.
    BotSilent,
    /// An agent transferred it.
    Transferred,
    /// The agent who had it is gone.
    AgentGone,
    /// Nobody took it in the queue before this one.
    Overflowed,
    /// It was with an agent not long ago, and goes on with that one if that can be.
    Returned,
    /// A supervisor gave it to someone.
    Reassigned,
    /// It was put away until now, or the customer wrote, or the agent who put it away wants it back.
    Woke,
    /// An agent split it off.
    Split,
    /// The bot may not answer: the customer got an automatic answer not long ago, or only a person may.
    HeldBack,
    /// The customer came by a link that leads there.
    Entered,
}

#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Closer {
    Bot(BotId),
    Agent(AgentId),
    Customer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum CloseReason {
    Done,
    OptedOut,
    /// It was taken into another conversation.
    Joined,
}

/// Why an agent is no longer consulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum ConsultEnd {
    /// One of the two said so.
    Said,
    /// Who was consulted is gone.
    AgentGone,
    /// The conversation left the agent who had it.
    Left,
}

impl Event {
    /// The conversation this event belongs to, if it belongs to one.
    pub fn conversation(&self) -> Option<ConversationId> {
        use What::*;
        match &self.what {
            Noted { conversation, .. }
            | AnsweredElsewhere { conversation, .. }
            | ThreadHeld { conversation, .. } => *conversation,
            CustomerSeen { .. }
            | KnownAs { .. }
            | ReceiptKept { .. }
            | TokenShown { .. }
            | UnreadableKept { .. }
            | OptedOut { .. }
            | OptedIn { .. }
            | TagsNoted { .. }
            | OthersNoted { .. }
            | AddressTold { .. }
            | AddressNoted { .. }
            | Suppressed { .. }
            | SuppressionLifted { .. }
            | Retired { .. }
            | Returned { .. }
            | NotTaken { .. }
            | Redirected { .. } => None,
            Entered { conversation, .. } | Tied { conversation, .. } | NotTied { conversation, .. } => {
                *conversation
            }
            TurnAsked { turn, .. } | TurnAnswered { turn } => Some(turn.conversation),
            Opened { conversation, .. }
            | Reopened { conversation }
            | MessageReceived { conversation, .. }
            | ReceiptNoted { conversation, .. }
            | BotEngaged { conversation, .. }
            | BotReplied { conversation, .. }
            | MarkedSpecial { conversation, .. }
            | AgentWanted { conversation, .. }
            | Assigned { conversation, .. }
            | AssignmentRefused { conversation, .. }
            | Released { conversation, .. }
            | Withdrawn { conversation, .. }
            | Transferred { conversation, .. }
            | ConsultAsked { conversation, .. }
            | ConsultBegan { conversation, .. }
            | ConsultFailed { conversation, .. }
            | ConsultEnded { conversation, .. }
            | Remarked { conversation, .. }
            | Reassigned { conversation, .. }
            | Split { conversation, .. }
            | Joined { conversation, .. }
            | JoinAsked { conversation, .. }
            | PartAsked { conversation, .. }
            | TakenIn { conversation, .. }
            | TakenOut { conversation, .. }
            | AddressJoined { conversation, .. }
            | AddressParted { conversation, .. }
            | JoinRefused { conversation, .. }
            | Snoozed { conversation, .. }
            | Replied { conversation, .. }
            | WindowOpened { conversation, .. }
            | ReplyHeld { conversation, .. }
            | HeldSent { conversation, .. }
            | DeliveryNoted { conversation, .. }
            | AwayAsked { conversation, .. }
            | AwaySaid { conversation, .. }
            | Closed { conversation, .. } => Some(*conversation),
        }
    }

    /// The party this event is about.
    pub fn party(&self) -> Party {
        match &self.what {
            What::CustomerSeen { from, .. } => from.party,
            What::Noted { party, .. }
            | What::AnsweredElsewhere { party, .. }
            | What::ThreadHeld { party, .. }
            | What::KnownAs { party, .. }
            | What::ReceiptKept { party, .. }
            | What::Entered { party, .. }
            | What::TokenShown { party, .. }
            | What::Tied { party, .. }
            | What::NotTied { party, .. }
            | What::UnreadableKept { party, .. }
            | What::OptedOut { party }
            | What::OptedIn { party }
            | What::TagsNoted { party, .. }
            | What::OthersNoted { party, .. }
            | What::AddressTold { of: OtherAddress { from: Correspondent { party, .. }, .. }, .. }
            | What::AddressNoted { party, .. }
            | What::Suppressed { party, .. }
            | What::SuppressionLifted { party, .. }
            | What::Retired { party }
            | What::Returned { party, .. }
            | What::Redirected { to: party, .. } => *party,
            // Whether there is such a conversation is not said.
            What::NotTaken { conversation, .. } => conversation.party,
            _ => self.conversation().map(|conversation| conversation.party).unwrap_or_default(),
        }
    }

    pub(super) fn relay(&self) -> Option<(Route, Relay)> {
        let to_desk = |desk: &DeskId, command| Some((Route::Desk(desk.clone()), Relay::Desk(command)));
        let to_party =
            |of: &ConversationId, command| Some((Route::Party(of.party), Relay::Conversation(command)));
        let to_contacts = |command| Some((Route::Contacts(self.tenant.clone()), Relay::Contact(command)));
        let taken = |conversation: &ConversationId, other: &ConversationId, command: &CommandId, outcome| {
            let (conversation, other, command) = (*conversation, *other, *command);
            to_party(&conversation, super::Command::Taken { conversation, other, command, outcome })
        };
        match &self.what {
            What::JoinAsked { conversation, other, by, command } => {
                let (inbox, agent, command) = (self.inbox.clone(), by.clone(), *command);
                let take = super::Command::TakeIn {
                    conversation: *other,
                    into: *conversation,
                    inbox,
                    agent,
                    command,
                };
                to_party(other, take)
            }
            What::PartAsked { conversation, other, by, queue, command } => {
                let (inbox, agent, queue, command) =
                    (self.inbox.clone(), by.clone(), queue.clone(), *command);
                let (conversation, of) = (*other, *conversation);
                let take = super::Command::TakeOut { conversation, of, inbox, agent, queue, command };
                to_party(other, take)
            }
            What::TakenIn { conversation, into, by, command } => {
                taken(into, conversation, command, Taken::In { by: by.clone() })
            }
            What::TakenOut { conversation, of, by, command } => {
                taken(of, conversation, command, Taken::Out { by: by.clone() })
            }
            What::NotTaken { conversation, asked_by, command, why } => {
                taken(asked_by, conversation, command, Taken::Not { why: why.clone() })
            }
            What::AddressJoined { conversation, other, .. } => {
                let (tenant, party, to) = (self.tenant.clone(), other.party, conversation.party);
                to_contacts(contact::Command::Join { tenant, party, to })
            }
            What::AddressParted { conversation, other, .. } => {
                let (tenant, party, of) = (self.tenant.clone(), other.party, conversation.party);
                to_contacts(contact::Command::Part { tenant, party, of })
            }
            What::CustomerSeen { from, at } => Some((
                Route::Contacts(from.tenant.clone()),
                Relay::Contact(contact::Command::See { from: from.clone(), at: *at }),
            )),
            What::Entered { party, tags, .. } if !tags.is_empty() => {
                let (tenant, party, tags) = (self.tenant.clone(), *party, tags.clone());
                let command = contact::Command::TagAddress { tenant, party, tags };
                Some((Route::Contacts(self.tenant.clone()), Relay::Contact(command)))
            }
            What::TokenShown { party, token } => {
                let (tenant, party, token) = (self.tenant.clone(), *party, token.clone());
                let command = contact::Command::Tie { tenant, party, token };
                Some((Route::Contacts(self.tenant.clone()), Relay::Contact(command)))
            }
            What::KnownAs { party, to, moved, at } => Some((
                Route::Contacts(to.tenant.clone()),
                Relay::Contact(contact::Command::Follow {
                    party: *party,
                    to: to.clone(),
                    moved: *moved,
                    at: *at,
                }),
            )),
            What::BotReplied { conversation, message, outgoing }
            | What::AwaySaid { conversation, message, outgoing }
            | What::HeldSent { conversation, message, outgoing, .. }
            | What::Replied { conversation, message, outgoing, .. } => Some((
                Route::Lane(Lane::of(outgoing.inbox.clone(), conversation.party)),
                Relay::Delivery(delivery::Command::Deliver {
                    conversation: *conversation,
                    message: *message,
                    outgoing: outgoing.clone(),
                }),
            )),
            What::Redirected { to, received } => {
                Some((Route::Party(*to), Relay::Conversation(super::Command::Receive(received.clone()))))
            }
            What::AddressTold { to, of } => {
                let command = super::Command::NoteAddress { party: *to, of: of.clone() };
                Some((Route::Party(*to), Relay::Conversation(command)))
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
            } => to_desk(
                &queue.desk,
                desk::Command::Enqueue {
                    conversation: *conversation,
                    owner_epoch: *owner_epoch,
                    channel: *channel,
                    queue: queue.clone(),
                    since: *since,
                    again: *again,
                    agent: agent.clone(),
                    agent_until: *agent_until,
                    by_request: *by_request,
                    special: special.clone(),
                },
            ),
            What::Assigned { assignment, command, .. } => to_desk(
                &assignment.desk,
                desk::Command::Confirm { offer: assignment.clone(), command: *command },
            ),
            What::AssignmentRefused { offer, command, .. } => {
                to_desk(&offer.desk, desk::Command::Refuse { offer: offer.clone(), command: *command })
            }
            What::Released { assignment, .. } => {
                to_desk(&assignment.desk, desk::Command::Release { assignment: assignment.clone() })
            }
            What::Snoozed { assignment, .. } => {
                to_desk(&assignment.desk, desk::Command::PutAway { assignment: assignment.clone() })
            }
            What::ConsultAsked { conversation, consult, by, whom, .. } => {
                let (conversation, consult, by, whom) = (*conversation, *consult, by.clone(), whom.clone());
                let desk = whom.desk().clone();
                to_desk(&desk, desk::Command::Consult { conversation, consult, by, whom })
            }
            // Whose agent is gone knows it.
            What::ConsultEnded { consult, desk, because: ConsultEnd::Said | ConsultEnd::Left, .. } => {
                to_desk(desk, desk::Command::EndConsult { desk: desk.clone(), consult: *consult })
            }
            What::Withdrawn { conversation, queue, owner_epoch } => to_desk(
                &queue.desk,
                desk::Command::Withdraw { conversation: *conversation, owner_epoch: *owner_epoch },
            ),
            _ => None,
        }
    }

    pub(super) fn settles(&self) -> Option<Settles> {
        let refused = |code, detail: &str| Err(Rejection::new(code, detail));
        match &self.what {
            What::JoinAsked { command, .. } | What::PartAsked { command, .. } => {
                Some(Settles::Pending(*command))
            }
            What::AddressJoined { command, .. } | What::AddressParted { command, .. } => {
                Some(Settles::Now(*command, Ok(())))
            }
            What::JoinRefused { command, why, .. } => Some(Settles::Now(*command, Err(why.clone()))),
            What::ConsultAsked { consult, .. } => Some(Settles::Pending(*consult)),
            What::ConsultBegan { consult, .. } => Some(Settles::Now(*consult, Ok(()))),
            What::ConsultFailed { consult, .. } => Some(Settles::Now(
                *consult,
                refused(Code::NotPresent, "nobody who was asked is available, or has time for one more"),
            )),
            What::ConsultEnded { consult, agent: None, .. } => {
                Some(Settles::Now(*consult, refused(Code::NotOwner, "it was over before anyone was in")))
            }
            _ => None,
        }
    }
}
