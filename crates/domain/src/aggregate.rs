//! What makes an aggregate: two pure functions, and what can be read off its events.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use crate::{CommandId, Kind, Millis, Party, Policies, Rejection, Relay, Route, Timers, Timestamp};

/// A family of entities that are decided about together, one partition at a time.
///
/// Everything a worker must do besides folding is read off the events (`relay`, `settles`) or the state
/// (`timers`), so it can always be found again after a crash.
pub trait Aggregate: Sized + Clone + Send + Sync + 'static {
    const KIND: Kind;

    type State: Default + Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync;
    type Command: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync;
    type Event: Clone + PartialEq + Debug + Send + Sync;
    type TimerId: Clone + Ord + Debug + Serialize + DeserializeOwned + Send + Sync;

    /// What follows from the command: events, or a refusal that its sender is told. Nothing to do is no events.
    fn decide(
        state: &Self::State,
        context: &Context,
        command: &Self::Command,
    ) -> Result<Vec<Self::Event>, Rejection>;

    /// Folds one event. Total: every event that was ever stored applies. `at` is when it was decided.
    fn evolve(state: &mut Self::State, at: Timestamp, event: &Self::Event);

    fn timers(state: &Self::State) -> &Timers<Self::TimerId>;
    fn timers_mut(state: &mut Self::State) -> &mut Timers<Self::TimerId>;

    /// The command that a fired timer is.
    fn fired(timer: Self::TimerId) -> Self::Command;

    /// Whose business the timer is, as far as the state tells.
    fn tenant_of(_state: &Self::State, _timer: &Self::TimerId) -> Option<crate::TenantId> {
        None
    }

    /// The command that a new version of a tenant's policy is, for an aggregate that must react to it.
    fn policy_changed(_tenant: &crate::TenantId) -> Option<Self::Command> {
        None
    }

    /// The command that a new leader gives itself before it takes its first input: what earlier leaders left under
    /// way is in nobody's hands now.
    fn recovered() -> Option<Self::Command> {
        None
    }

    /// The party that the command is about, if the state knows nothing of it: it may have been retired.
    fn unknown_party(_state: &Self::State, _command: &Self::Command) -> Option<Party> {
        None
    }

    /// What retires the parties for whom nothing has been under way for this long, `most` of them at a time.
    fn retire(_state: &Self::State, _now: Timestamp, _quiet_for: Millis, _most: usize) -> Vec<Self::Event> {
        Vec::new()
    }

    /// If this event, on this state, retires a party: the event that will bring it back as it is now.
    fn tombstone(_state: &Self::State, _event: &Self::Event) -> Option<(Party, Self::Event)> {
        None
    }

    /// Whether a fact that led to this event, first of all, is remembered for ever.
    fn lasts(_policies: &Policies, _event: &Self::Event) -> bool {
        false
    }

    /// The message that this event is for another aggregate, if it is one.
    fn relay(_event: &Self::Event) -> Option<(Route, Relay)> {
        None
    }

    /// What this event means for a command whose answer depends on another aggregate.
    fn settles(_event: &Self::Event) -> Option<Settles> {
        None
    }
}

/// What a decision may know besides state and command.
pub struct Context<'a> {
    /// The time of the decision.
    pub now: Timestamp,
    /// The policies in force here.
    pub policies: &'a Policies,
    /// The id of the command, where the input is one that waits for an answer.
    pub command: Option<CommandId>,
}

/// Commands that span aggregates are answered only once the whole is done.
#[derive(Clone, PartialEq, Debug)]
pub enum Settles {
    /// The command's answer will come with a later event.
    Pending(CommandId),
    /// The answer to a pending command.
    Now(CommandId, Result<(), Rejection>),
}
