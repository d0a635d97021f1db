//! Putting something into an aggregate's intake.

use std::sync::Arc;

use bytes::Bytes;
use domain::{Intake, Peer, Route, Topology};
use log::{Appending, Log, Topic};
use wire::Codec;

/// Knows which partition an input belongs to.
#[derive(Clone)]
pub struct Post {
    pub log: Arc<dyn Log>,
    pub topology: Topology,
}

impl Post {
    /// Appends the input where `route` leads. Durable when the future yields.
    pub fn send<A: Codec>(&self, route: &Route, intake: &Intake<A::Command>) -> Appending {
        debug_assert_eq!(route.kind(), A::KIND);
        self.append(self.topology.peer(route), vec![wire::encode_intake::<A>(intake)])
    }

    /// Appends encoded inputs to one peer's intake, as one unit.
    pub fn append(&self, to: Peer, inputs: Vec<Bytes>) -> Appending {
        self.log.append(Topic(to.kind.intake_topic()).partition(to.partition), inputs)
    }
}
