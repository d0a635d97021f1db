//! The desk's rules in virtual time, for whoever knows what happens next: simulations, and recorded history replayed
//! under another policy. No log, no relays; what conversations would answer, the caller does.

use std::sync::Arc;

use crate::{Aggregate, CommandId, Context, Policies, Policy, Rejection, Timestamp};

use super::{Command, Decider, Desks, Event};

/// Desks that are asked command by command; time is what the caller says, and never goes back.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    desks: Desks,
    policies: Policies,
    now: Timestamp,
    commands: u128,
}

impl Rehearsal {
    pub fn desks(&self) -> &Desks {
        &self.desks
    }

    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// When the desks do something by themselves next.
    pub fn next_due(&self) -> Option<Timestamp> {
        Decider::timers(&self.desks).first().map(|timer| timer.due)
    }

    /// What follows from the timer that is due first, at the time it is due for.
    pub fn fire(&mut self) -> Vec<Event> {
        let Some(timer) = Decider::timers(&self.desks).first() else { return Vec::new() };
        Decider::timers_mut(&mut self.desks).take(&timer);
        // A timer has nobody to be refused to.
        self.tell(timer.due, &Decider::fired(timer.id)).unwrap_or_default()
    }

    /// Puts a policy in force, in place of its tenant's last.
    pub fn adopt(&mut self, at: Timestamp, policy: Arc<Policy>) -> Vec<Event> {
        let tenant = policy.tenant.clone();
        self.policies.put(policy);
        self.tell(at, &Command::PolicyChanged { tenant }).unwrap_or_default()
    }

    /// What follows from a command, in force already.
    pub fn tell(&mut self, at: Timestamp, command: &Command) -> Result<Vec<Event>, Rejection> {
        self.now = self.now.max(at);
        self.commands += 1;
        let id = CommandId(self.commands.to_be_bytes());
        let context = Context { now: self.now, policies: &self.policies, command: Some(id) };
        let events = Decider::decide(&self.desks, &context, command)?;
        for event in &events {
            Decider::evolve(&mut self.desks, self.now, event);
        }
        Ok(events)
    }
}
