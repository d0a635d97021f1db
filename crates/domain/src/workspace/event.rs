//! What happened to a workspace.

use std::sync::Arc;

use crate::Policy;

#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// This version is in force.
    PolicyApplied(Arc<Policy>),
}
