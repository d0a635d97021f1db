//! What one partition tells of another: nothing is applied that was not sent, nothing leaves that was not decided.

use std::collections::{BTreeMap, HashMap};

use domain::{MessageId, Peer};

use super::{fold::Folded, report::Found};

/// `settled` is, of each of the `peers`, the end before which its word counts; see [`super::verify`].
pub(super) fn check(folded: &[Folded], peers: &[Peer], settled: &[u64]) -> Vec<Found> {
    let settled: BTreeMap<_, _> = peers.iter().zip(settled).collect();
    let by_peer: BTreeMap<_, _> = folded.iter().map(|partition| (partition.peer, partition)).collect();
    let mut decided: HashMap<MessageId, u32> = HashMap::new();
    for partition in folded {
        partition
            .kept
            .decided
            .iter()
            .for_each(|(message, times)| *decided.entry(*message).or_default() += times);
    }
    folded
        .iter()
        .map(|partition| {
            let me = partition.peer;
            let until = settled.get(&me).map_or(0, |until| **until);
            let mut found = Found::new(me);
            found.position = until.saturating_sub(1);
            for (source, applied) in &partition.settled_traffic.applied {
                let sent = by_peer.get(source).and_then(|source| source.traffic.sent.get(&me)).copied();
                let sent = sent.unwrap_or(0);
                found.require(
                    *applied <= sent,
                    8,
                    format_args!("{applied} relays of {source} are applied, but it sent {sent}"),
                );
            }
            for (target, confirmed) in &partition.settled_traffic.confirmed {
                let applied = by_peer.get(target).and_then(|target| target.traffic.applied.get(&me)).copied();
                let applied = applied.unwrap_or(0);
                found.require(
                    *confirmed <= applied,
                    8,
                    format_args!(
                        "{target} is said to have applied {confirmed} relays, but applied {applied}"
                    ),
                );
            }
            for (message, position) in partition.kept.queued.iter().filter(|(_, position)| *position < until)
            {
                let times = decided.get(message).copied().unwrap_or(0);
                found.position = *position;
                found.require(
                    times == 1,
                    11,
                    format_args!("message {message} is to leave; a conversation decided it {times} times"),
                );
            }
            found
        })
        .collect()
}
