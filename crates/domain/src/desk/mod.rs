//! The desk: a tenant's team of agents, and the one place that decides who gets which conversation.
//!
//! Every agent is decided about by one desk partition, so capacity can be promised: an offer is a reservation
//! that counts from the moment it is made, and ends exactly once.

mod choice;
mod command;
mod consult;
mod decide;
mod draft;
mod event;
mod evolve;
mod index;
mod matching;
mod opening;
mod rehearsal;
mod selection;
mod state;
mod take_back;
#[cfg(test)]
mod tests;
mod waits;
mod why;

pub use command::{Command, Presence, TimerId};
pub use event::{
    Event, LeftQueue, OverflowBecause, PreferenceEnded, StrandedBecause, WithdrawnBecause, acceptance_by_rule,
};
pub use rehearsal::Rehearsal;
pub use state::{AgentState, Consult, Desk, Desks, Load, Offer, OfferStage, Waiting};
pub use why::{Considered, Why};

use crate::{Aggregate, Context, Kind, Rejection, Relay, Route, Settles, TenantId, Timers, Timestamp};

/// The aggregate itself: a name for the pair of functions, `decide` and `evolve`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decider {}

impl Aggregate for Decider {
    const KIND: Kind = Kind::Desk;

    type State = Desks;
    type Command = Command;
    type Event = Event;
    type TimerId = TimerId;

    fn decide(state: &Desks, context: &Context, command: &Command) -> Result<Vec<Event>, Rejection> {
        decide::decide(state, context, command)
    }

    fn evolve(state: &mut Desks, at: Timestamp, event: &Event) {
        state.evolve(at, event);
    }

    fn timers(state: &Desks) -> &Timers<TimerId> {
        &state.timers
    }

    fn timers_mut(state: &mut Desks) -> &mut Timers<TimerId> {
        &mut state.timers
    }

    fn fired(timer: TimerId) -> Command {
        Command::TimerFired(timer)
    }

    fn tenant_of(state: &Desks, timer: &TimerId) -> Option<TenantId> {
        let desk = match timer {
            TimerId::Lease(agent) => &agent.desk,
            TimerId::Offer(offer) => &offer.desk,
            TimerId::Deferred(desk) => desk,
            TimerId::Look(queue) => &queue.desk,
            TimerId::WrapUp(assignment) => &assignment.desk,
            TimerId::Rested(conversation) | TimerId::Grace(conversation) => {
                let mut desks = state.desks.iter();
                desks.find(|(_, desk)| desk.waiting.contains_key(conversation))?.0
            }
        };
        Some(desk.tenant.clone())
    }

    fn recovered() -> Option<Command> {
        Some(Command::Recover)
    }

    fn policy_changed(tenant: &TenantId) -> Option<Command> {
        Some(Command::PolicyChanged { tenant: tenant.clone() })
    }

    fn relay(event: &Event) -> Option<(Route, Relay)> {
        event.relay()
    }

    fn settles(event: &Event) -> Option<Settles> {
        event.settles()
    }
}
