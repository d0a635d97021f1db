//! Which records count, by the rule of the design: an announcement that follows the epoch which rules where it stands, and
//! the next decision of the epoch that rules. Everything else stands in the log and is nothing.

use std::collections::HashSet;

use prost::Message as _;

use super::Violations;
use crate::{
    records::{Decision, Id, Peer, Record, Written},
    topics::Stored,
};

/// A decision that counts, and where it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decided {
    pub(crate) offset: u64,
    pub(crate) appended_at: i64,
    pub(crate) decision: Decision,
}

/// What counts of one partition's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ruled {
    pub(crate) decided: Vec<Decided>,
    /// How often the rule changed hands, and who has it now, as it calls itself.
    pub(crate) reigns: usize,
    pub(crate) leader: String,
    /// Where records stand that do not count.
    pub(crate) ignored: Vec<u64>,
}

pub(super) fn ruled(peer: Peer, log: &[Stored], violations: &mut Violations) -> Ruled {
    let mut ruled = Ruled::default();
    let mut epochs: HashSet<Id> = HashSet::new();
    let (mut ruling, mut seq): (Option<Id>, u64) = (None, 0);
    for stored in log {
        let at = stored.offset;
        let record = match Record::decode(stored.bytes.as_slice()) {
            Ok(Record { kind: Some(record) }) => record,
            other => {
                violations.push(format!("6: {peer}: the record at {at} is none: {other:?}"));
                continue;
            }
        };
        let counts = match &record {
            Written::Announce(announce) => {
                announce.follows == ruling && Some(&announce.epoch) != ruling.as_ref()
            }
            Written::Decision(decision) => {
                Some(&decision.epoch) == ruling.as_ref() && decision.seq == seq + 1
            }
        };
        match record {
            _ if !counts => ruled.ignored.push(at),
            Written::Announce(announce) => {
                if !epochs.insert(announce.epoch.clone()) {
                    violations.push(format!("6: {peer}: an epoch rules a second time from {at} on"));
                }
                ruled.reigns += 1;
                ruled.leader = announce.leader;
                (ruling, seq) = (Some(announce.epoch), 0);
            }
            Written::Decision(decision) => {
                seq = decision.seq;
                ruled.decided.push(Decided { offset: at, appended_at: stored.appended_at, decision });
            }
        }
    }
    ruled
}
