//! The workspace: what the business is, as versions of one policy document a tenant.

mod check;
mod command;
mod decide;
mod event;
mod state;
#[cfg(test)]
mod tests;

pub use check::{Problem, check};
pub use command::{Command, TimerId};
pub use event::Event;
pub use state::Workspaces;

use crate::{Aggregate, Context, Kind, Rejection, Timers, Timestamp};

/// The aggregate itself: a name for the pair of functions, `decide` and `evolve`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decider {}

impl Aggregate for Decider {
    const KIND: Kind = Kind::Workspace;

    type State = Workspaces;
    type Command = Command;
    type Event = Event;
    type TimerId = TimerId;

    fn decide(state: &Workspaces, context: &Context, command: &Command) -> Result<Vec<Event>, Rejection> {
        decide::decide(state, context, command)
    }

    fn evolve(state: &mut Workspaces, _at: Timestamp, event: &Event) {
        state.evolve(event);
    }

    fn timers(state: &Workspaces) -> &Timers<TimerId> {
        &state.timers
    }

    fn timers_mut(state: &mut Workspaces) -> &mut Timers<TimerId> {
        &mut state.timers
    }

    fn fired(timer: TimerId) -> Command {
        match timer {}
    }
}
