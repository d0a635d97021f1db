//! The conversations of one customer address in one inbox: who owns them and what was said.
//!
//! At every moment an open conversation has exactly one owner: a bot, a queue, or an agent. The owner epoch grows
//! with every change of owner, so that whatever a former owner still sends can be told and refused.

mod across;
mod agents;
mod automatic;
mod away;
mod bots;
mod command;
mod consult;
mod customer;
mod customers;
mod decide;
mod draft;
mod elsewhere;
mod entry;
mod event;
mod facts;
mod help;
mod mails;
mod names;
mod others;
mod quiet;
mod receipts;
mod received;
mod snooze;
mod special;
mod state;
mod supervisors;
mod suppression;
#[cfg(test)]
mod tests;
mod threads;
mod window;

pub use across::Taken;
pub use command::{BotAction, Command, Progress, ReceiptKind, Suppression, TimerId, Transfer, Withheld};
pub use customer::{
    Automatic, Away, ClosedConversation, Consult, Conversation, Customer, Early, Endpoint, Entered, KnownBy,
    Next, Owner, Promised, Sent, Stage, Tombstone, Turn,
};
pub use elsewhere::Thread;
pub use event::{CloseReason, Closer, ConsultEnd, Event, HandOffReason, Outgoing, ThreadOf, What};
pub use mails::{KnownMail, Mails};
pub use others::{Other, OtherAddress};
pub use received::{
    Answers, Correspondent, Entry, Marks, Mention, MessageKind, NoteKind, Pricing, Received, Referral,
    ShownToken, Token, Untied,
};
pub use snooze::SNOOZE_GRACE;
pub use special::special_problem;
pub use state::Conversations;
pub use window::{AFTER_WINDOW, AfterWindow, HeldReply, ReplyBy, Window};

use crate::{
    Aggregate, Channel, Context, Kind, Millis, Party, Policies, Rejection, Relay, Route, Settles, TenantId,
    Timers, Timestamp,
};

/// The aggregate itself: a name for the pair of functions, `decide` and `evolve`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decider {}

impl Aggregate for Decider {
    const KIND: Kind = Kind::Conversation;

    type State = Conversations;
    type Command = Command;
    type Event = Event;
    type TimerId = TimerId;

    fn decide(state: &Conversations, context: &Context, command: &Command) -> Result<Vec<Event>, Rejection> {
        decide::decide(state, context, command)
    }

    fn evolve(state: &mut Conversations, at: Timestamp, event: &Event) {
        state.evolve(at, event);
    }

    fn timers(state: &Conversations) -> &Timers<TimerId> {
        &state.timers
    }

    fn timers_mut(state: &mut Conversations) -> &mut Timers<TimerId> {
        &mut state.timers
    }

    fn fired(timer: TimerId) -> Command {
        Command::TimerFired(timer)
    }

    fn tenant_of(state: &Conversations, timer: &TimerId) -> Option<TenantId> {
        let (TimerId::BotSilent(id) | TimerId::Snoozed(id) | TimerId::AwayUnsaid(id)) = timer;
        state.customer(id.party).map(|customer| customer.endpoint.tenant.clone())
    }

    fn unknown_party(state: &Conversations, command: &Command) -> Option<Party> {
        command.party().filter(|party| state.customer(*party).is_none())
    }

    fn retire(state: &Conversations, now: Timestamp, quiet_for: Millis, most: usize) -> Vec<Event> {
        let retired = |(party, customer): (Party, &Customer)| Event {
            tenant: customer.endpoint.tenant.clone(),
            inbox: customer.endpoint.inbox.clone(),
            what: What::Retired { party },
        };
        state.quiet(now, quiet_for).take(most).map(retired).collect()
    }

    fn tombstone(state: &Conversations, event: &Event) -> Option<(Party, Event)> {
        let What::Retired { party } = event.what else { return None };
        let customer = state.customer(party)?;
        let what = What::Returned { party, tombstone: Box::new(customer.tombstone()?) };
        Some((
            party,
            Event { tenant: customer.endpoint.tenant.clone(), inbox: customer.endpoint.inbox.clone(), what },
        ))
    }

    /// A mailbox may be read again from its beginning, years later.
    fn lasts(policies: &Policies, event: &Event) -> bool {
        let inbox = policies.of(&event.tenant).and_then(|policy| policy.inboxes.get(&event.inbox));
        inbox.is_some_and(|inbox| inbox.channel == Channel::Email)
    }

    fn relay(event: &Event) -> Option<(Route, Relay)> {
        event.relay()
    }

    fn settles(event: &Event) -> Option<Settles> {
        event.settles()
    }
}
