//! The policies in force.

use serde::{Deserialize, Serialize};

use crate::{Policies, Timers};

use super::{Event, TimerId};

/// The policy in force of each tenant in one partition. Earlier versions stand in the log.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Workspaces {
    in_force: Policies,
    pub(super) timers: Timers<TimerId>,
}

impl Workspaces {
    pub fn in_force(&self) -> &Policies {
        &self.in_force
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::PolicyApplied(policy) => self.in_force.put(policy.clone()),
        }
    }
}
