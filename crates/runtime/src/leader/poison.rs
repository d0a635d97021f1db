//! What the rules fail on. A panic in them is a mistake of ours, and must not stop a partition.

use std::fmt;

use bytes::Bytes;
use domain::{Aggregate, Cause, Intake, Origin, Party, SetAside, Step, TenantId, Timer, Timestamp};
use wire::Codec;

/// What a step is about, as far as it is known before anything is decided. `T` is the aggregate's timer id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Matter<T> {
    /// The input at this position of the intake.
    Input(u64),
    Timer(Timer<T>),
    Policy(TenantId, u64),
    /// What earlier leaders left under way.
    Recovery,
    /// The party that leaves memory.
    Party(Party),
    /// The choice of those who leave it.
    Retirement,
}

impl<T: fmt::Debug> fmt::Display for Matter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Matter::Input(position) => write!(f, "the input at {position}"),
            Matter::Timer(Timer { due, id, generation }) => {
                write!(f, "the timer {id:?}, generation {generation}, due at {}", due.0)
            }
            Matter::Policy(tenant, version) => write!(f, "version {version} of the policy of {tenant}"),
            Matter::Recovery => f.write_str("what earlier leaders left under way"),
            Matter::Party(party) => write!(f, "the leave of {party}"),
            Matter::Retirement => f.write_str("the choice of those who leave memory"),
        }
    }
}

/// Whose events could be decided but not folded: that spoils the state, so its leader gave up, and the next one, which
/// is handed this, sets it aside.
pub(crate) struct Poison<T>(Vec<Matter<T>>);

impl<T> Default for Poison<T> {
    fn default() -> Self {
        Poison(Vec::new())
    }
}

impl<T: PartialEq> Poison<T> {
    pub(super) fn put(&mut self, matter: Matter<T>) {
        self.0.push(matter);
    }

    pub(super) fn holds(&self, matter: &Matter<T>) -> bool {
        self.0.contains(matter)
    }

    /// Inputs before this position will not come again. Of the others there are few, and none comes twice.
    pub(crate) fn forget_inputs_before(&mut self, through: u64) {
        self.0.retain(|matter| !matches!(matter, Matter::Input(position) if *position < through));
    }
}

/// The step in place of one that the rules failed to make: its cause is used up, and an operator sees why.
pub(super) fn kept<A: Aggregate>(cause: Cause<A>, bytes: Bytes, reason: String) -> Step<A> {
    let set_aside = Some(SetAside { bytes, reason });
    Step { cause, events: Vec::new(), answers: Vec::new(), set_aside }
}

/// What an operator may hand in later, in place of a timer or a policy whose consequences could not be decided: a record
/// like those of the intake, with the command that these are. Empty where nobody can tell whose it is, or where there is
/// no command.
pub(super) fn to_hand_in<A: Codec>(
    now: Timestamp,
    tenant: Option<TenantId>,
    command: Option<A::Command>,
) -> Bytes {
    let (Some(tenant), Some(command)) = (tenant, command) else { return Bytes::new() };
    let intake = Intake::Input { origin: Origin::Report, at: now, tenant, policy_version: 0, command };
    wire::encode_intake::<A>(&intake)
}
