//! Putting something into an aggregate's intake.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{Intake, Peer, Route, Topology};
use log::{Appending, Log, Topic};
use wire::Codec;

/// Between attempts to tell what the log did not take.
const AGAIN: Duration = Duration::from_millis(500);

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

    /// Appends a worker's own report, again and again while the log has no room for it or leaves open whether it took it:
    /// nobody else would tell, and told twice it is one. An error means that the log never will.
    pub async fn report<A: Codec>(
        &self,
        route: &Route,
        intake: &Intake<A::Command>,
    ) -> Result<(), log::Error> {
        use log::Error::{DiskFull, Full, Storage, Unknown};
        loop {
            match self.send::<A>(route, intake).await {
                Ok(_) => return Ok(()),
                Err(error @ (Full(_) | DiskFull | Unknown { .. } | Storage { .. })) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, to = %route.kind(), "a report was not taken; it will be told again");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends encoded inputs to one peer's intake, as one unit.
    pub fn append(&self, to: Peer, inputs: Vec<Bytes>) -> Appending {
        self.log.append(Topic(to.kind.intake_topic()).partition(to.partition), inputs)
    }
}
