//! Everything that leaves: attempts, retries, and outcomes that nobody knows.
//!
//! One message of a party is under way at a time, so the order within a conversation is kept. An attempt is
//! announced (`SendStarted`) and only made once that was read back; if no outcome follows, it is *unknown*.
//!
//! What may not leave yet is *held* beside the line, so that an answer passes it. What waits when the customer says stop, or
//! the address turns out to be dead, is *withheld*.

mod command;
mod decide;
mod event;
mod mailbox;
mod patience;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Command, Outcome, TimerId};
pub use event::Event;
pub use mailbox::MailboxMark;
pub use state::{Deliveries, Delivery, Stage};

use crate::{Aggregate, Context, Kind, Rejection, Relay, Route, TenantId, Timers, Timestamp};

/// The aggregate itself: a name for the pair of functions, `decide` and `evolve`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decider {}

impl Aggregate for Decider {
    const KIND: Kind = Kind::Delivery;

    type State = Deliveries;
    type Command = Command;
    type Event = Event;
    type TimerId = TimerId;

    fn decide(state: &Deliveries, context: &Context, command: &Command) -> Result<Vec<Event>, Rejection> {
        decide::decide(state, context, command)
    }

    fn evolve(state: &mut Deliveries, at: Timestamp, event: &Event) {
        state.evolve(at, event);
    }

    fn timers(state: &Deliveries) -> &Timers<TimerId> {
        &state.timers
    }

    fn timers_mut(state: &mut Deliveries) -> &mut Timers<TimerId> {
        &mut state.timers
    }

    fn fired(timer: TimerId) -> Command {
        Command::TimerFired(timer)
    }

    fn tenant_of(state: &Deliveries, timer: &TimerId) -> Option<TenantId> {
        let delivery = match timer {
            TimerId::Retry(message) => state.get(*message),
            TimerId::Held(party) => state.held(*party).next().map(|(_, delivery)| delivery),
        };
        delivery.map(|delivery| delivery.outgoing.tenant.clone())
    }

    fn recovered() -> Option<Command> {
        Some(Command::Recover)
    }

    fn relay(event: &Event) -> Option<(Route, Relay)> {
        event.relay()
    }
}
