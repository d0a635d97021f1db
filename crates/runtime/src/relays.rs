//! The traffic between aggregates: relays on their way out, and the word back that ours were applied.
//!
//! Sending is not waited for. What is lost on the way is still in the outbox, and is sent again, in order, from
//! the first that was not applied; the target drops what it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{Aggregate, Intake, Outbox, Partition, Peer, Relay, Timestamp};
use futures::FutureExt as _;

use crate::{Post, metrics};

/// A target that has confirmed nothing for this long is sent everything again.
const PATIENCE: Duration = Duration::from_secs(2);
/// Relays sent again to one target at a time.
const RESENT_AT_ONCE: usize = 500;

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
    /// Of each target with unapplied relays: the first of them, and since when it has been the first.
    waiting: BTreeMap<Peer, (u64, Instant)>,
}

impl Relays {
    /// `accepted` is what the log has accepted so far.
    pub(crate) fn new<A: Aggregate>(me: Peer, post: Post, accepted: &Partition<A>) -> Self {
        let last = |(to, outbox): (Peer, &Outbox)| Some((to, outbox.unapplied().last()?.0));
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

    /// Sends again what has waited too long, or everything when `at_once`.
    pub(crate) fn resend<A: Aggregate>(&mut self, partition: &Partition<A>, at: Timestamp, at_once: bool) {
        let now = Instant::now();
        let mut waiting = BTreeMap::new();
        for (to, outbox) in partition.outboxes() {
            let sendable = self.sendable.get(&to).copied().unwrap_or(0);
            let unapplied = || outbox.unapplied().take_while(|(number, _)| *number <= sendable);
            let Some((first, _)) = unapplied().next() else { continue };
            let since = match self.waiting.get(&to) {
                Some((known, since)) if known == first => *since,
                _ => now,
            };
            if !at_once && now - since < PATIENCE {
                waiting.insert(to, (*first, since));
                continue;
            }
            waiting.insert(to, (*first, now));
            let again = unapplied().take(RESENT_AT_ONCE);
            let again: Vec<_> =
                again.map(|(number, relay)| wire::encode_relay(self.me, *number, at, relay)).collect();
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
