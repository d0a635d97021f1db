//! What must hold in every partition, whatever its aggregate: who ruled, inputs applied once and in order, relays
//! without gaps, timers in time.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::{Aggregate, Cause, CommandId, Epoch, FactId, Millis, Peer, Step, Timestamp, Topology};
use wire::{Codec, Decision};

use super::report::Found;

/// The same fact within this time is the same fact; see DESIGN §3.
const FACTS_KEPT: Millis = Millis::hours(14 * 24);
/// The same command within this time is the same command.
const ANSWERS_KEPT: Millis = Millis::hours(6);

pub(super) struct Common {
    topology: Topology,
    epochs: HashSet<Epoch>,
    intake_through: u64,
    decided_at: Timestamp,
    /// When each fact was applied, and each command from which something followed.
    facts: HashMap<FactId, Timestamp>,
    commands: HashMap<CommandId, Timestamp>,
    /// Generations of timers that fired: one partition gives each only once.
    fired: HashSet<u64>,
    pub(super) traffic: Traffic,
}

/// The last numbers of the relays between this partition and others.
#[derive(Clone, Default)]
pub(super) struct Traffic {
    pub(super) sent: BTreeMap<Peer, u64>,
    pub(super) applied: BTreeMap<Peer, u64>,
    /// What targets are said to have applied of ours.
    pub(super) confirmed: BTreeMap<Peer, u64>,
}

impl Common {
    pub(super) fn new(topology: Topology) -> Self {
        Common {
            topology,
            epochs: HashSet::new(),
            intake_through: 0,
            decided_at: Timestamp::default(),
            facts: HashMap::new(),
            commands: HashMap::new(),
            fired: HashSet::new(),
            traffic: Traffic::default(),
        }
    }

    pub(super) fn rules(&mut self, epoch: Epoch, found: &mut Found) {
        found.require(self.epochs.insert(epoch), 6, format_args!("epoch {epoch} rules a second time"));
    }

    pub(super) fn begin<A: Codec>(&mut self, decision: &Decision<A>, found: &mut Found) {
        let (before, through) = (self.intake_through, decision.intake_through);
        found.require(
            through >= before,
            8,
            format_args!("the intake was read through {before} before, now through {through}"),
        );
        let inputs = decision.steps.iter().filter(|step| is_input(&step.cause)).count() as u64;
        found.require(
            inputs <= through.saturating_sub(before),
            8,
            format_args!("{inputs} inputs are applied, but the intake was read from {before} to {through}"),
        );
        self.intake_through = through.max(before);

        let (before, at) = (self.decided_at, decision.decided_at);
        found.require(
            at >= before,
            9,
            format_args!("decided at {}, before the decision at {} that precedes it", at.0, before.0),
        );
        self.decided_at = at.max(before);
    }

    pub(super) fn step<A: Aggregate>(&mut self, at: Timestamp, step: &Step<A>, found: &mut Found) {
        match &step.cause {
            Cause::Fact(id) => {
                let again = self.facts.insert(*id, at).is_some_and(|before| at - before <= FACTS_KEPT);
                found.require(!again, 2, format_args!("fact {id} is applied a second time"));
            }
            Cause::Command { id, .. } if !step.events.is_empty() => {
                let again = self.commands.insert(*id, at).is_some_and(|before| at - before <= ANSWERS_KEPT);
                found.require(!again, 8, format_args!("command {id} is applied a second time"));
            }
            Cause::Relay { source, number } => {
                let last = self.traffic.applied.insert(*source, *number).unwrap_or(0);
                found.require(
                    *number == last.saturating_add(1),
                    8,
                    format_args!("relay {number} of {source} is applied after {last}"),
                );
            }
            Cause::Applied { by, through } => {
                let sent = self.traffic.sent.get(by).copied().unwrap_or(0);
                found.require(
                    *through <= sent,
                    8,
                    format_args!("{by} has applied relays through {through}, but {sent} were sent"),
                );
                let confirmed = self.traffic.confirmed.entry(*by).or_default();
                *confirmed = (*confirmed).max(*through);
            }
            Cause::Timer(timer) => {
                found.require(
                    timer.due <= at,
                    9,
                    format_args!("timer {:?} fires at {}, due at {}", timer.id, at.0, timer.due.0),
                );
                let first = self.fired.insert(timer.generation);
                let generation = timer.generation;
                found.require(
                    first,
                    9,
                    format_args!("generation {generation} of timer {:?} fires a second time", timer.id),
                );
            }
            Cause::Command { .. }
            | Cause::Report
            | Cause::PolicyInForce(_)
            | Cause::Recovered
            | Cause::Memory
            | Cause::Unreadable => {}
        }
        self.relays(step, found);
    }

    fn relays<A: Aggregate>(&mut self, step: &Step<A>, found: &mut Found) {
        for recorded in &step.events {
            let meant_for = A::relay(&recorded.event).map(|(route, _)| self.topology.peer(&route));
            found.require(
                meant_for == recorded.relay.map(|(to, _)| to),
                8,
                format_args!("a relay is recorded for another peer than its event is for"),
            );
            if let Some((to, number)) = recorded.relay {
                let last = self.traffic.sent.insert(to, number).unwrap_or(0);
                found.require(
                    number == last.saturating_add(1),
                    8,
                    format_args!("relay {number} to {to} is recorded after {last}"),
                );
            }
        }
    }
}

/// Whether the cause is a record of the intake.
fn is_input<A: Aggregate>(cause: &Cause<A>) -> bool {
    match cause {
        Cause::Fact(_)
        | Cause::Command { .. }
        | Cause::Relay { .. }
        | Cause::Report
        | Cause::Applied { .. }
        | Cause::Unreadable => true,
        Cause::Timer(_) | Cause::PolicyInForce(_) | Cause::Recovered | Cause::Memory => false,
    }
}
