//! What happened: the events that decisions are made of.

use prost::{Message, Oneof};

use super::{ConversationId, Correspondent, Id, Nothing, OfferId, TurnId};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct EventOf {
    #[prost(oneof = "Event", tags = "1, 2, 3, 4")]
    pub(crate) kind: Option<Event>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Event {
    #[prost(message, tag = "1")]
    Conversation(ConversationEvent),
    #[prost(message, tag = "2")]
    Desk(DeskEvent),
    #[prost(message, tag = "3")]
    Delivery(DeliveryEvent),
    #[prost(message, tag = "4")]
    Contact(ContactEvent),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConversationEvent {
    #[prost(message, optional, tag = "3")]
    pub(crate) what: Option<WhatOf>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WhatOf {
    #[prost(oneof = "What", tags = "1, 2, 20, 21, 22, 40, 41, 42, 43, 60, 61, 62, 63, 64, 66, 68, 80")]
    pub(crate) kind: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum What {
    #[prost(message, tag = "1")]
    CustomerSeen(CustomerOf),
    #[prost(message, tag = "2")]
    MessageReceived(MessageOf),
    #[prost(message, tag = "20")]
    Opened(Of),
    #[prost(message, tag = "21")]
    Reopened(Of),
    #[prost(message, tag = "22")]
    Closed(Of),
    #[prost(message, tag = "40")]
    BotEngaged(BotEngaged),
    #[prost(message, tag = "41")]
    TurnAsked(Turn),
    #[prost(message, tag = "42")]
    TurnAnswered(Turn),
    #[prost(message, tag = "43")]
    BotReplied(MessageOf),
    #[prost(message, tag = "60")]
    AgentWanted(AgentWanted),
    #[prost(message, tag = "61")]
    Assigned(Assigned),
    #[prost(message, tag = "62")]
    AssignmentRefused(OfOffer),
    #[prost(message, tag = "63")]
    Released(OfOffer),
    #[prost(message, tag = "64")]
    Withdrawn(Of),
    #[prost(message, tag = "66")]
    Replied(Replied),
    #[prost(message, tag = "68")]
    Snoozed(Assigned),
    #[prost(message, tag = "80")]
    DeliveryNoted(MessageOf),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CustomerOf {
    #[prost(message, optional, tag = "1")]
    pub(crate) from: Option<Correspondent>,
}

/// A conversation, of any event that names no more.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Of {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
}

/// A conversation and a message of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MessageOf {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) message: Id,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BotEngaged {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(uint32, tag = "3")]
    pub(crate) owner_epoch: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Turn {
    #[prost(message, optional, tag = "1")]
    pub(crate) turn: Option<TurnId>,
    #[prost(int64, tag = "5")]
    pub(crate) answer_by: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AgentWanted {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(uint32, tag = "4")]
    pub(crate) owner_epoch: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Assigned {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(string, tag = "2")]
    pub(crate) agent: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) assignment: Option<OfferId>,
    #[prost(uint32, tag = "4")]
    pub(crate) owner_epoch: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OfOffer {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(message, optional, tag = "2")]
    pub(crate) offer: Option<OfferId>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Replied {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(string, tag = "2")]
    pub(crate) agent: String,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) message: Id,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeskEvent {
    #[prost(
        oneof = "Desk",
        tags = "1, 2, 3, 4, 5, 6, 7, 20, 21, 40, 41, 42, 43, 44, 45, 46, 60, 61, 62, 80"
    )]
    pub(crate) kind: Option<Desk>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Desk {
    #[prost(message, tag = "1")]
    Enqueued(Enqueued),
    #[prost(message, tag = "2")]
    Dequeued(Of),
    #[prost(message, tag = "3")]
    Waits(Nothing),
    #[prost(message, tag = "4")]
    Stranded(Nothing),
    #[prost(message, tag = "5")]
    PreferenceEnded(Of),
    #[prost(message, tag = "6")]
    Overflowing(Of),
    #[prost(message, tag = "7")]
    LookSet(Nothing),
    #[prost(message, tag = "20")]
    PresenceSet(PresenceSet),
    #[prost(message, tag = "21")]
    LeaseLapsed(OfAgent),
    #[prost(message, tag = "40")]
    Offered(Offered),
    #[prost(message, tag = "41")]
    AcceptRequested(OfferStep),
    #[prost(message, tag = "42")]
    Accepted(OfferStep),
    #[prost(message, tag = "43")]
    Declined(OfferStep),
    #[prost(message, tag = "44")]
    Expired(OfferStep),
    #[prost(message, tag = "45")]
    Withdrawn(OfferStep),
    #[prost(message, tag = "46")]
    AcceptedByRule(OfferStep),
    #[prost(message, tag = "60")]
    AssignmentEnded(OfferStep),
    #[prost(message, tag = "61")]
    GivingBack(OfferStep),
    #[prost(message, tag = "62")]
    WrapUpBegan(OfferStep),
    #[prost(message, tag = "80")]
    WorkDeferred(Nothing),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Enqueued {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(uint32, tag = "2")]
    pub(crate) owner_epoch: u32,
    #[prost(int32, tag = "3")]
    pub(crate) channel: i32,
    #[prost(string, tag = "4")]
    pub(crate) queue: String,
    #[prost(int64, tag = "6")]
    pub(crate) since: i64,
    #[prost(bool, tag = "7")]
    pub(crate) again: bool,
    #[prost(string, optional, tag = "8")]
    pub(crate) agent: Option<String>,
}

/// Available, away, offline.
pub(crate) const AVAILABLE: i32 = 1;
pub(crate) const OFFLINE: i32 = 3;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct PresenceSet {
    #[prost(string, tag = "1")]
    pub(crate) agent: String,
    #[prost(int32, tag = "2")]
    pub(crate) presence: i32,
    #[prost(int64, tag = "3")]
    pub(crate) until: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OfAgent {
    #[prost(string, tag = "1")]
    pub(crate) agent: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Offered {
    #[prost(message, optional, tag = "1")]
    pub(crate) offer: Option<OfferId>,
    #[prost(message, optional, tag = "2")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(string, tag = "4")]
    pub(crate) agent: String,
    #[prost(int32, tag = "6")]
    pub(crate) channel: i32,
    #[prost(int64, tag = "7")]
    pub(crate) expires_at: i64,
}

/// What becomes of an offer, or of the assignment it led to.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OfferStep {
    #[prost(message, optional, tag = "1")]
    pub(crate) offer: Option<OfferId>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeliveryEvent {
    #[prost(oneof = "Delivery", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(crate) kind: Option<Delivery>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Delivery {
    #[prost(message, tag = "1")]
    Queued(MessageOf),
    #[prost(message, tag = "2")]
    SendStarted(Attempt),
    #[prost(message, tag = "3")]
    Sent(Ending),
    #[prost(message, tag = "4")]
    RetryScheduled(Attempt),
    #[prost(message, tag = "5")]
    Failed(Ending),
    #[prost(message, tag = "6")]
    OutcomeLost(Attempt),
    #[prost(message, tag = "7")]
    OutcomeUnknown(Ending),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attempt {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) message: Id,
    #[prost(uint32, tag = "2")]
    pub(crate) attempt: u32,
    /// Of a retry.
    #[prost(int64, tag = "3")]
    pub(crate) due: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Ending {
    #[prost(message, optional, tag = "1")]
    pub(crate) conversation: Option<ConversationId>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) message: Id,
    #[prost(uint32, tag = "3")]
    pub(crate) attempt: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ContactEvent {
    #[prost(oneof = "Contact", tags = "1")]
    pub(crate) kind: Option<Contact>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Contact {
    #[prost(message, tag = "1")]
    Created(Created),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Created {
    #[prost(message, optional, tag = "2")]
    pub(crate) from: Option<Correspondent>,
}
