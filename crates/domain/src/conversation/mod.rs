//! The conversations of one customer address in one inbox: who owns them and what was said.
//!
//! At every moment an open conversation has exactly one owner: a bot, a queue, or an agent. The owner epoch grows
//! with every change of owner, so that whatever a former owner still sends can be told and refused.

mod agents;
mod bots;
mod command;
mod decide;
mod draft;
mod event;
mod facts;
mod receipts;
mod state;
#[cfg(test)]
mod tests;

pub use command::{
    BotAction, Command, Correspondent, MessageKind, NoteKind, Progress, ReceiptKind, Received, TimerId,
    Transfer,
};
pub use event::{CloseReason, Closer, Event, HandOffReason, Outgoing, ThreadOf, What};
pub use state::{Conversation, Conversations, Customer, Owner, Stage, Turn};

use crate::{Aggregate, Context, Kind, Rejection, Relay, Route, Timers, Timestamp};

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

    fn relay(event: &Event) -> Option<(Route, Relay)> {
        event.relay()
    }
}
