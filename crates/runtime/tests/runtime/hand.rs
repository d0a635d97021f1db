//! Logs written by hand: what no worker would ever write can be written here.

use std::collections::BTreeMap;

use domain::{Cause, Epoch, Peer, Recorded, Step, Timestamp, conversation};
use log::Log as _;
use runtime::log_of;
use wire::{Announce, Codec, Decision};

use super::world::*;

/// The log of one partition under one leader. Without changes it is in order.
pub(crate) struct Hand<A: Codec> {
    peer: Peer,
    decisions: Vec<Decision<A>>,
    sent: BTreeMap<Peer, u64>,
}

impl<A: Codec> Hand<A> {
    pub(crate) fn new(number: u32) -> Self {
        Hand { peer: Peer { kind: A::KIND, partition: number }, decisions: Vec::new(), sent: BTreeMap::new() }
    }

    /// A decision of one step.
    pub(crate) fn then(mut self, cause: Cause<A>, events: Vec<A::Event>) -> Self {
        let read = match cause {
            Cause::Timer(_) | Cause::PolicyInForce(_) | Cause::Recovered | Cause::Memory => 0,
            _ => 1,
        };
        let before = self.decisions.last().map_or(0, |decision| decision.intake_through);
        let events = events.into_iter().map(|event| self.recorded(event)).collect();
        self.decisions.push(Decision {
            epoch: Epoch([1; 16]),
            seq: self.decisions.len() as u64 + 1,
            intake_through: before + read,
            decided_at: Timestamp(1_000),
            steps: vec![Step { cause, events, answers: Vec::new(), set_aside: None }],
        });
        self
    }

    /// Changes the decision made last.
    pub(crate) fn but(mut self, change: impl FnOnce(&mut Decision<A>)) -> Self {
        change(self.decisions.last_mut().unwrap());
        self
    }

    /// Behind what stands there; only to be used once a partition.
    pub(crate) async fn write(self, world: &World) {
        let announce = Announce {
            epoch: Epoch([1; 16]),
            follows: None,
            leader: "by hand".into(),
            version: 1,
            at: Timestamp(1_000),
        };
        let decisions = self.decisions.iter().map(wire::encode_decision);
        let records = std::iter::once(wire::encode_announce(&announce)).chain(decisions).collect();
        world.log.append(log_of(self.peer), records).await.unwrap();
    }

    fn recorded(&mut self, event: A::Event) -> Recorded<A> {
        let relay = A::relay(&event).map(|(route, _)| {
            let to = TOPOLOGY.peer(&route);
            let number = self.sent.entry(to).or_default();
            *number += 1;
            (to, *number)
        });
        Recorded { event, relay }
    }
}

pub(crate) fn conversation(what: conversation::What) -> conversation::Event {
    conversation::Event { tenant: tenant(), inbox: "sms".parse().unwrap(), what }
}
