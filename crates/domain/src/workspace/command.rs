//! What a workspace may be asked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Policy;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Make this document the policy (its `version` is not looked at). The document in force again is no event.
    Apply(Arc<Policy>),
}

/// Workspaces have no timers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TimerId {}
