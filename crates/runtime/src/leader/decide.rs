//! What a leader decides on next, and how the rules are asked.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use domain::{Cause, Intake, Origin, Partition, Recorded, Step, Taken, TenantId, Timestamp};
use log::Record;
use tokio::time::{Duration, Instant};
use wire::Codec;

use super::{
    Leader,
    memory::Recalled,
    poison::{Matter, kept, to_hand_in},
};
use crate::{Error, metrics, relays::Relays};

/// Inputs decided together, and their bytes; with what follows from them, a decision stays below its bound (512 KiB).
const MOST_INPUTS: usize = 256;
const MOST_INPUT_BYTES: usize = 96 * 1024;
/// Timers fired in one decision, their events included: some set themselves again, due at once.
const MOST_FIRED: usize = 256;
/// New policies that one decision takes up; each comes with the whole policy, and what the aggregate makes of it.
const MOST_ADOPTED: usize = 16;
/// Bytes of what comes back with one decision, which is bounded.
const MOST_BROUGHT_BACK: usize = 128 * 1024;
/// Events of one decision about what earlier leaders left under way.
const MOST_RECOVERED: usize = 1_000;
/// How long a policy is waited for that an edge knew before us. A moment is usual; longer is a reader that lags or is
/// gone, and customers must not wait for it.
const POLICY_PATIENCE: Duration = Duration::from_secs(5);

/// Inputs that were read, and how long they wait at most for a policy that they were made under.
pub(super) struct Held<A: Codec> {
    inputs: VecDeque<Input<A>>,
    until: Instant,
}

struct Input<A: Codec> {
    record: Record,
    read: Result<Intake<A::Command>, wire::Error>,
}

/// What earlier leaders left under way. It is decided at once, on the state they left, and taken up in as many decisions
/// as it needs; a leader that does not get to the end leaves the rest to the next.
pub(super) enum Recovery<A: Codec> {
    Owed,
    UnderWay(std::vec::IntoIter<Recorded<A>>),
    Done,
}

impl<A: Codec> Recovery<A> {
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Recovery::Done)
    }
}

impl<A: Codec> Held<A> {
    pub(super) fn new(records: Vec<Record>) -> Self {
        let read = |record: Record| Input { read: wire::decode_intake::<A>(&record.bytes), record };
        Held { inputs: records.into_iter().map(read).collect(), until: Instant::now() + POLICY_PATIENCE }
    }

    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// The versions of policies that the inputs were made under.
    fn made_under(&self) -> impl Iterator<Item = (&TenantId, u64)> {
        self.inputs.iter().filter_map(|input| match &input.read {
            Ok(Intake::Input { tenant, policy_version, .. }) => Some((tenant, *policy_version)),
            _ => None,
        })
    }
}

impl<A: Codec> Leader<'_, A> {
    /// Appends the next decision, if there is anything to decide. Asked only while there is room for one.
    pub(super) fn decide_next(&mut self) -> Result<bool, Error> {
        Ok(self.recover()? || self.adopt()? || self.fire()? || self.retire()? || self.decide_held()?)
    }

    /// Takes up new policies.
    fn adopt(&mut self) -> Result<bool, Error> {
        self.adopting |= self.policies.has_changed().unwrap_or(false);
        if !self.adopting {
            return Ok(false);
        }
        let ours = self.partition.policies();
        let known = self.policies.borrow_and_update();
        let newer = known.all().filter(|policy| policy.version > ours.version(&policy.tenant));
        let newer: Vec<_> = newer.take(MOST_ADOPTED).cloned().collect();
        drop(known);
        self.adopting = !newer.is_empty();
        let now = self.now();
        let mut steps = Vec::with_capacity(newer.len());
        for policy in newer {
            let matter = Matter::Policy(policy.tenant.clone(), policy.version);
            let step = self.step(
                now,
                matter,
                |partition, _| partition.adopt(now, policy.clone()),
                |_, reason| {
                    let command = A::policy_changed(&policy.tenant);
                    let bytes = to_hand_in::<A>(now, Some(policy.tenant.clone()), command);
                    kept(Cause::PolicyInForce(policy.clone()), bytes, reason)
                },
            )?;
            steps.extend(step);
        }
        Ok(self.append_any(steps))
    }

    /// Takes up what earlier leaders left under way, a part at a time, and nothing else in between.
    fn recover(&mut self) -> Result<bool, Error> {
        if self.recovery.is_done() {
            return Ok(false);
        }
        let recovery = std::mem::replace(&mut self.recovery, Recovery::Done);
        let mut rest = Recovery::Done;
        let now = self.now();
        let step = self.step(
            now,
            Matter::Recovery,
            |partition, _| {
                let mut events = match recovery {
                    Recovery::Done => return None,
                    Recovery::Owed => partition.recover(now)?.events.into_iter(),
                    Recovery::UnderWay(events) => events,
                };
                let events_now = events.by_ref().take(MOST_RECOVERED).collect();
                if events.len() > 0 {
                    rest = Recovery::UnderWay(events);
                }
                Some(Step {
                    cause: Cause::Recovered,
                    events: events_now,
                    answers: Vec::new(),
                    set_aside: None,
                })
            },
            |_, reason| kept(Cause::Recovered, Bytes::new(), reason),
        )?;
        self.recovery = rest;
        Ok(self.append_any(step.into_iter().collect()))
    }

    fn fire(&mut self) -> Result<bool, Error> {
        if self.backlog_to.is_some() {
            return Ok(false);
        }
        let now = self.now();
        let mut steps = Vec::new();
        let mut size = 0;
        while size < MOST_FIRED
            && let Some(timer) = A::timers(self.partition.state()).first().filter(|timer| timer.due <= now)
        {
            let step = self.step(
                now,
                Matter::Timer(timer.clone()),
                |partition, _| partition.fire(now),
                |partition, reason| {
                    let tenant = A::tenant_of(partition.state(), &timer.id);
                    let bytes = to_hand_in::<A>(now, tenant, Some(A::fired(timer.id.clone())));
                    kept(Cause::Timer(timer), bytes, reason)
                },
            )?;
            size += 1 + step.as_ref().map_or(0, |step| step.events.len());
            steps.extend(step);
        }
        Ok(self.append_any(steps))
    }

    /// Decides what was read, once the policies it was made under are known here, or were waited for long enough.
    fn decide_held(&mut self) -> Result<bool, Error> {
        let Some(mut held) = self.held.take() else { return Ok(false) };
        let lacking = |(tenant, version): &(&TenantId, u64)| {
            let known = self.partition.policies().version(tenant);
            *version > known.max(self.given_up.get(*tenant).copied().unwrap_or(0))
        };
        let lacking: Vec<_> = held.made_under().filter(lacking).collect();
        if !lacking.is_empty() && Instant::now() < held.until {
            self.held = Some(held);
            return Ok(false);
        }
        for (tenant, version) in lacking {
            let given_up = self.given_up.entry(tenant.clone()).or_default();
            if *given_up < version {
                *given_up = version;
                metrics::policy_missing(A::KIND);
                tracing::warn!(peer = %self.peer, %tenant, version, "decided by an older policy: this one did not come");
            }
        }
        // One time for the whole decision: it is what everyone folds these steps by.
        let now = self.now();
        let mut steps = Vec::with_capacity(held.inputs.len().min(MOST_INPUTS));
        let (mut taken, mut bytes, mut brought_back) = (0, 0, 0);
        // The first is taken however large it is.
        while brought_back < MOST_BROUGHT_BACK
            && taken < MOST_INPUTS
            && let Some(Input { record, read }) = held
                .inputs
                .pop_front_if(|next| taken == 0 || bytes + next.record.bytes.len() <= MOST_INPUT_BYTES)
        {
            taken += 1;
            bytes += record.bytes.len();
            let Recalled { is_known, party } = self.recall(&read, &record)?;
            if let Some((tombstone, size)) = party {
                brought_back += size;
                steps.extend(self.bring_back(now, record.position, tombstone)?);
            }
            let step = match is_known {
                true => None,
                false => self.step(
                    now,
                    Matter::Input(record.position),
                    |partition, relays| take(partition, relays, now, &read, &record),
                    |partition, reason| {
                        partition.set_aside(wire::decode_origin(&record.bytes), record.bytes.clone(), reason)
                    },
                )?,
            };
            self.intake_through = record.position + 1;
            self.retirement.others_were_served();
            steps.extend(step);
        }
        if !held.inputs.is_empty() {
            self.held = Some(held);
        }
        Ok(self.append_any(steps))
    }

    pub(super) fn append_any(&mut self, steps: Vec<Step<A>>) -> bool {
        let any = !steps.is_empty();
        if any {
            self.append(steps);
        }
        any
    }

    /// One step of a decision made at `now`: the rules are asked, and what they say is folded; nothing may follow.
    ///
    /// Should they panic, the step that `keep` makes for an operator takes its place. Asking changes nothing, so that is
    /// done at once; a fold that breaks off spoils our state, so it is done by the next leader.
    fn step(
        &mut self,
        now: Timestamp,
        matter: Matter<A::TimerId>,
        ask: impl FnOnce(&Partition<A>, &mut Relays) -> Option<Step<A>>,
        keep: impl FnOnce(&Partition<A>, String) -> Step<A>,
    ) -> Result<Option<Step<A>>, Error> {
        let (partition, relays) = (&mut self.partition, &mut self.relays);
        let asked = match self.poison.holds(&matter) {
            true => None,
            false => catch_unwind(AssertUnwindSafe(|| ask(partition, relays))).ok(),
        };
        let step = match asked {
            Some(None) => return Ok(None),
            Some(Some(step)) => step,
            None => {
                metrics::set_aside(A::KIND);
                tracing::error!(peer = %self.peer, %matter, "the rules failed; this is set aside");
                keep(partition, format!("the rules failed on {matter}"))
            }
        };
        self.fold(now, matter, step).map(Some)
    }

    /// Folds a step of a decision made at `now`. Should that break off, our state is spoilt, and the next leader is told
    /// by what.
    pub(super) fn fold(
        &mut self,
        now: Timestamp,
        matter: Matter<A::TimerId>,
        step: Step<A>,
    ) -> Result<Step<A>, Error> {
        match catch_unwind(AssertUnwindSafe(|| self.partition.fold(now, &step))) {
            Ok(()) => Ok(step),
            Err(_) => {
                let failed = Error::Poison { peer: self.peer, matter: matter.to_string() };
                self.poison.put(matter);
                Err(failed)
            }
        }
    }
}

/// What follows from one intake record, if anything.
fn take<A: Codec>(
    partition: &Partition<A>,
    relays: &mut Relays,
    now: Timestamp,
    read: &Result<Intake<A::Command>, wire::Error>,
    record: &Record,
) -> Option<Step<A>> {
    let set_aside = |origin, reason| {
        metrics::set_aside(A::KIND);
        Some(partition.set_aside(origin, record.bytes.clone(), reason))
    };
    let intake = match read {
        Ok(intake) => intake,
        // Only in its turn, and not again when it is repeated.
        Err(error) => match wire::decode_origin(&record.bytes) {
            Some(origin) if partition.is_out_of_turn(origin) => return None,
            origin => return set_aside(origin, error.to_string()),
        },
    };
    match partition.take(now, intake) {
        Taken::Step(step) => Some(step),
        // A worker's own report that no longer matters: an answer to a turn that has passed.
        Taken::Refused(rejection) if origin_of(intake) == Some(Origin::Report) => {
            tracing::debug!(peer = %A::KIND, %rejection, "a report came too late");
            None
        }
        Taken::Refused(rejection) => set_aside(origin_of(intake), rejection.to_string()),
        Taken::Pending | Taken::Early => None,
        Taken::Again => {
            // Its source may have missed our word; it is told again.
            if let Intake::Input { origin: Origin::Relay { source, .. }, .. } = intake {
                relays.remind(*source);
            }
            None
        }
    }
}

fn origin_of<C>(intake: &Intake<C>) -> Option<Origin> {
    match intake {
        Intake::Input { origin, .. } => Some(*origin),
        Intake::Applied { .. } => None,
    }
}
