//! The traffic between aggregates: relays on their way out, and the word back that ours were applied.
//!
//! Sending is not waited for. What is lost on the way is still in the outbox, and is sent again, in order, from
//! the first that was not applied; the target drops what it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use domain::{Aggregate, Intake, Outbox, Partition, Peer, Relay, Timestamp};
use futures::FutureExt as _;
use tokio::time::Instant;

use crate::{Post, metrics};

/// A target that has confirmed nothing for this long is sent everything again.
const PATIENCE: Duration = Duration::from_secs(2);
/// Relays sent again to one target at a time, and their bytes: no more than its intake's queue takes.
const RESENT_AT_ONCE: usize = 500;
const RESENT_BYTES: usize = 1 << 20;

pub(crate) struct Relays {
    me: Peer,
    post: Post,
    /// Relays of decisions that were read back, to be sent now.
    out: BTreeMap<Peer, Vec<Bytes>>,
    /// The last number read back, of each target: the outbox is ahead of it by the decisions in flight.
    sendable: BTreeMap<Peer, u64>,
    /// How far our own log, read back, has each source's relays applied.
    applied: BTreeMap<Peer, u64>,
    /// Sources to be told so: in one word now and then, not one by one.
    owed: BTreeSet<Peer>,
    /// The targets with unapplied relays.
    waiting: BTreeMap<Peer, Waiting>,
}

struct Waiting {
    /// The first relay that was not applied, and since when it has been the first.
    first: u64,
    since: Instant,
    /// Where what was sent again ended, if more stood behind it: of that nothing can be applied before.
    more_behind: Option<u64>,
}

impl Relays {
    /// `accepted` is what the log has accepted so far.
    pub(crate) fn new<A: Aggregate>(me: Peer, post: Post, accepted: &Partition<A>) -> Self {
        let last = |(to, outbox): (Peer, &Outbox)| Some((to, outbox.unapplied().next_back()?));
        Relays {
            me,
            post,
            out: BTreeMap::new(),
            sendable: accepted.outboxes().filter_map(last).collect(),
            applied: accepted.sources().collect(),
            owed: BTreeSet::new(),
            waiting: BTreeMap::new(),
        }
    }

    pub(crate) fn push(&mut self, to: Peer, number: u64, at: Timestamp, relay: &Relay) {
        self.sendable.insert(to, number);
        self.out.entry(to).or_default().push(wire::encode_relay(self.me, number, at, relay));
    }

    /// Sends what was pushed.
    pub(crate) fn send(&mut self) {
        for (to, relays) in std::mem::take(&mut self.out) {
            self.append(to, relays);
        }
    }

    /// Our own log, read back, has this source's relays applied through `number`.
    pub(crate) fn has_applied(&mut self, source: Peer, number: u64) {
        self.applied.insert(source, number);
        self.owed.insert(source);
    }

    /// The source sent again what was applied: it may have missed our word.
    pub(crate) fn remind(&mut self, source: Peer) {
        self.owed.insert(source);
    }

    /// Tells the sources how far we are.
    pub(crate) fn confirm(&mut self) {
        for source in std::mem::take(&mut self.owed) {
            if let Some(through) = self.applied.get(&source) {
                self.append(source, vec![applied(self.me, *through)]);
            }
        }
    }

    /// Sends again what has waited too long, or everything when `at_once`: a part at a time, the next once the target
    /// has applied the one before. What is pushed meanwhile comes too early there, and is a part of it, too.
    pub(crate) fn resend<A: Aggregate>(&mut self, partition: &Partition<A>, at: Timestamp, at_once: bool) {
        let now = Instant::now();
        let mut waiting = BTreeMap::new();
        for (to, outbox) in partition.outboxes() {
            let sendable = self.sendable.get(&to).copied().unwrap_or(0);
            let first = *outbox.unapplied().start();
            if outbox.unapplied().is_empty() || first > sendable {
                continue;
            }
            let known = self.waiting.get(&to);
            let same = known.filter(|known| known.first == first);
            let since = same.map_or(now, |known| known.since);
            let goes_on = known.and_then(|known| known.more_behind).is_some_and(|through| first > through);
            if !at_once && !goes_on && now - since < PATIENCE {
                let more_behind = known.and_then(|known| known.more_behind);
                waiting.insert(to, Waiting { first, since, more_behind });
                continue;
            }
            let mut bytes = 0;
            let again = outbox.relays().take_while(|(number, _)| *number <= sendable).take(RESENT_AT_ONCE);
            let again = again.map(|(number, relay)| wire::encode_relay(self.me, number, at, &relay));
            let again: Vec<_> = again
                .take_while(|relay| {
                    let fits = bytes == 0 || bytes + relay.len() <= RESENT_BYTES;
                    bytes += relay.len();
                    fits
                })
                .collect();
            let through = first + again.len().saturating_sub(1) as u64;
            let more_behind = (through < sendable).then_some(through);
            waiting.insert(to, Waiting { first, since: now, more_behind });
            metrics::resent(self.me.kind, again.len());
            self.append(to, again);
        }
        self.waiting = waiting;
    }

    fn append(&self, to: Peer, records: Vec<Bytes>) {
        let me = self.me;
        // The place in the order is taken by the call; the task only says what went wrong.
        let appending = self.post.append(to, records);
        tokio::spawn(appending.map(move |result| {
            if let Err(error) = result {
                tracing::debug!(from = %me, %to, %error, "a relay was not taken; it will be sent again");
            }
        }));
    }
}

/// The word that relays are applied; every aggregate reads it the same way.
fn applied(by: Peer, through: u64) -> Bytes {
    wire::encode_intake::<domain::workspace::Decider>(&Intake::Applied { by, through })
}
