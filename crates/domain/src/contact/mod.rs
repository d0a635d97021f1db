//! The owned ledger: people, the addresses they use, and what the business knows of them.
//!
//! Rows in the readers belong to parties; who a party belongs to is decided here, so linking two addresses moves
//! no history.

mod command;
mod decide;
mod event;
mod state;
#[cfg(test)]
mod tests;
mod tie;

pub use command::{Command, TimerId};
pub use decide::tag_problem;
pub use event::Event;
pub use state::{Contact, Contacts};

use crate::{Aggregate, Context, Kind, Rejection, Relay, Route, Timers, Timestamp};

/// The aggregate itself: a name for the pair of functions, `decide` and `evolve`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decider {}

impl Aggregate for Decider {
    const KIND: Kind = Kind::Contact;

    type State = Contacts;
    type Command = Command;
    type Event = Event;
    type TimerId = TimerId;

    fn decide(state: &Contacts, context: &Context, command: &Command) -> Result<Vec<Event>, Rejection> {
        decide::decide(state, context, command)
    }

    fn evolve(state: &mut Contacts, at: Timestamp, event: &Event) {
        state.evolve(at, event);
    }

    fn timers(state: &Contacts) -> &Timers<TimerId> {
        &state.timers
    }

    fn timers_mut(state: &mut Contacts) -> &mut Timers<TimerId> {
        &mut state.timers
    }

    fn fired(timer: TimerId) -> Command {
        match timer {}
    }

    fn relay(event: &Event) -> Option<(Route, Relay)> {
        event.relay()
    }
}
