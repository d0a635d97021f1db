//! Whose an event is, and whom it is told.

use crate::{
    Code, CommandId, ConversationId, DeskId, Lane, Party, Rejection, Relay, Route, Settles, contact,
    delivery, desk,
};

use super::super::{Command, Correspondent, OtherAddress, Taken};
use super::{ConsultEnd, Event, What};

impl Event {
    /// The conversation this event belongs to, if it belongs to one.
    pub fn conversation(&self) -> Option<ConversationId> {
        self.place().filter(|id| *id != ConversationId::beside(id.party))
    }

    /// The same, or what stands for a party's messages beside its conversations.
    fn place(&self) -> Option<ConversationId> {
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
            | WithholdAsked { .. }
            | HelpAnswered { .. }
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
            | What::WithholdAsked { party, .. }
            | What::HelpAnswered { party, .. }
            | What::SuppressionLifted { party, .. }
            | What::Retired { party }
            | What::Returned { party, .. }
            | What::Redirected { to: party, .. } => *party,
            // Whether there is such a conversation is not said.
            What::NotTaken { conversation, .. } => conversation.party,
            _ => self.place().map(|conversation| conversation.party).unwrap_or_default(),
        }
    }

    pub(in super::super) fn relay(&self) -> Option<(Route, Relay)> {
        let to_desk = |desk: &DeskId, command| Some((Route::Desk(desk.clone()), Relay::Desk(command)));
        let to_party =
            |of: &ConversationId, command| Some((Route::Party(of.party), Relay::Conversation(command)));
        let to_contacts = |command| Some((Route::Contacts(self.tenant.clone()), Relay::Contact(command)));
        let taken = |conversation: &ConversationId, other: &ConversationId, command: &CommandId, outcome| {
            let (conversation, other, command) = (*conversation, *other, *command);
            to_party(&conversation, Command::Taken { conversation, other, command, outcome })
        };
        match &self.what {
            What::JoinAsked { conversation, other, by, command } => {
                let (inbox, agent, command) = (self.inbox.clone(), by.clone(), *command);
                let take =
                    Command::TakeIn { conversation: *other, into: *conversation, inbox, agent, command };
                to_party(other, take)
            }
            What::PartAsked { conversation, other, by, queue, command } => {
                let (inbox, agent, queue, command) =
                    (self.inbox.clone(), by.clone(), queue.clone(), *command);
                let (conversation, of) = (*other, *conversation);
                let take = Command::TakeOut { conversation, of, inbox, agent, queue, command };
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
            What::HelpAnswered { party, message, outgoing } => Some((
                Route::Lane(Lane::of(outgoing.inbox.clone(), *party)),
                Relay::Delivery(delivery::Command::Deliver {
                    conversation: ConversationId::beside(*party),
                    message: *message,
                    outgoing: outgoing.clone(),
                }),
            )),
            What::WithholdAsked { party, because } => Some((
                Route::Lane(Lane::of(self.inbox.clone(), *party)),
                Relay::Delivery(delivery::Command::Withhold { party: *party, because: *because }),
            )),
            What::Redirected { to, received } => {
                Some((Route::Party(*to), Relay::Conversation(Command::Receive(received.clone()))))
            }
            What::AddressTold { to, of } => {
                let command = Command::NoteAddress { party: *to, of: of.clone() };
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

    pub(in super::super) fn settles(&self) -> Option<Settles> {
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
