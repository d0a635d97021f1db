//! The oracle: reads every log as it grows, with readers and small maps of its own, and says at once when something
//! stands there that must not. It never calls the rules and never asks a worker what it holds.
//!
//! [`book`] looks at what all partitions have in common, record by record, beside the intake that the decisions are
//! about; [`conversations`], [`desks`] and [`deliveries`] at what their events mean; [`relays`] at what one partition
//! tells another. [`inputs`] and [`look`] are what they read with.

mod book;
mod conversations;
mod deliveries;
mod desks;
mod inputs;
pub(crate) mod look;
mod relays;

use std::{collections::BTreeMap, fmt, sync::Arc};

use domain::{
    ConversationId, Kind, MessageId, OfferId, Peer, Policies, Timestamp, TurnId, contact, conversation,
    delivery, desk, workspace,
};
use log::MemoryLog;
use runtime::Clock;

use book::{Book, NothingMore};
pub(crate) use conversations::Conversations;
pub(crate) use deliveries::Deliveries;
pub(crate) use desks::Desks;
pub(crate) use relays::Relays;

use super::town::{PEERS, TOPOLOGY};

/// What must hold, by its number in the design.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Invariant {
    NothingTakenIsLost = 1,
    OnceOnly = 2,
    OneOwner = 3,
    WithinCapacity = 4,
    ReservationsEndOnce = 5,
    StaleEpochsAreInvisible = 6,
    FoldsAgree = 7,
    InOrderWithoutGaps = 8,
    TimersInTime = 9,
    EffectsAfterTheReadBack = 11,
    NobodyWaitsForNothing = 12,
    OldTurnsAreRefused = 15,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {} ({:?}): {}", self.invariant as u8, self.invariant, self.what)
    }
}

/// The first violation; what comes after it may be its consequence. And how much happened, by kind.
#[derive(Default)]
pub(crate) struct Found {
    violation: Option<Violation>,
    happened: BTreeMap<&'static str, u64>,
}

impl Found {
    pub(crate) fn add(&mut self, invariant: Invariant, what: fmt::Arguments) {
        self.violation.get_or_insert_with(|| Violation { invariant, what: what.to_string() });
    }

    pub(crate) fn require(&mut self, holds: bool, invariant: Invariant, what: fmt::Arguments) {
        if !holds {
            self.add(invariant, what);
        }
    }

    pub(crate) fn note(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }
}

pub(crate) struct Oracle {
    log: MemoryLog,
    clock: Clock,
    conversations: Vec<Book<conversation::Decider, Conversations>>,
    desks: Vec<Book<desk::Decider, Desks>>,
    deliveries: Vec<Book<delivery::Decider, Deliveries>>,
    contacts: Vec<Book<contact::Decider, NothingMore>>,
    workspaces: Vec<Book<workspace::Decider, Policies>>,
    relays: Relays,
    found: Found,
}

/// Does the same to the book of a peer, whichever it is.
macro_rules! with_book {
    ($oracle:expr, $peer:expr, |$book:ident| $do:expr) => {{
        let number = $peer.partition as usize;
        match $peer.kind {
            Kind::Conversation => {
                let $book = &mut $oracle.conversations[number];
                $do
            }
            Kind::Desk => {
                let $book = &mut $oracle.desks[number];
                $do
            }
            Kind::Delivery => {
                let $book = &mut $oracle.deliveries[number];
                $do
            }
            Kind::Contact => {
                let $book = &mut $oracle.contacts[number];
                $do
            }
            Kind::Workspace => {
                let $book = &mut $oracle.workspaces[number];
                $do
            }
        }
    }};
}

impl Oracle {
    pub(crate) fn new(log: MemoryLog, clock: Clock) -> Self {
        Oracle {
            log,
            clock,
            conversations: (0..TOPOLOGY.conversation).map(Book::new).collect(),
            desks: (0..TOPOLOGY.desk).map(Book::new).collect(),
            deliveries: (0..TOPOLOGY.delivery).map(Book::new).collect(),
            contacts: (0..TOPOLOGY.contact).map(Book::new).collect(),
            workspaces: (0..TOPOLOGY.workspace).map(Book::new).collect(),
            relays: Relays::default(),
            found: Found::default(),
        }
    }

    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.found.violation.as_ref()
    }

    /// How much happened, by kind.
    pub(crate) fn happened(&self) -> &BTreeMap<&'static str, u64> {
        &self.found.happened
    }

    pub(crate) fn require(&mut self, holds: bool, invariant: Invariant, what: fmt::Arguments) {
        self.found.require(holds, invariant, what);
    }

    /// Reads what is new in the log of one partition.
    pub(crate) fn catch_up(&mut self, peer: Peer) {
        with_book!(self, peer, |book| book.catch_up(&self.log, &mut self.relays, &mut self.found));
    }

    pub(crate) fn catch_up_with_all(&mut self) {
        PEERS.into_iter().for_each(|peer| self.catch_up(peer));
    }

    /// What the oracle itself holds wrong of a worker's doing, as it does it: a relay leaves `source`.
    pub(crate) fn leaves(&mut self, source: Peer, target: Peer, number: u64) {
        let sent = self.relays.sent(source, target);
        self.found.require(
            number <= sent,
            Invariant::EffectsAfterTheReadBack,
            format_args!("{source} sends relay {number} to {target}, but its log has {sent} of them"),
        );
    }

    /// `target` tells `source` that it has applied its relays.
    pub(crate) fn confirms(&mut self, target: Peer, source: Peer, through: u64) {
        let applied = with_book!(self, target, |book| book.applied(source));
        self.found.require(
            through <= applied,
            Invariant::EffectsAfterTheReadBack,
            format_args!("{target} says that it applied {through} relays of {source}; its log has {applied}"),
        );
    }

    /// Who leads `me` is about to remove what stands before `before` in a partition.
    pub(crate) fn trims(&mut self, me: Peer, partition: log::Partition, before: u64) {
        let now = self.clock.now();
        with_book!(self, me, |book| book.trims(partition, before, now, &self.log, &mut self.found));
    }

    /// A turn is put to its bot.
    pub(crate) fn asks(&mut self, turn: TurnId) {
        let stands = self.conversations.iter().any(|book| book.rules.was_asked(turn));
        self.found.require(
            stands,
            Invariant::EffectsAfterTheReadBack,
            format_args!("turn {turn} is put to the bot, but does not stand in the log"),
        );
    }

    /// An attempt is made, or asked about.
    pub(crate) fn attempts(&mut self, message: MessageId, attempt: u32) {
        let stands = self.deliveries.iter().any(|book| book.rules.was_started(message, attempt));
        self.found.require(
            stands,
            Invariant::EffectsAfterTheReadBack,
            format_args!("attempt {attempt} of message {message} is made, but does not stand in the log"),
        );
    }

    /// From now on appends may take so long that a worker cannot tell how its clock is.
    pub(crate) fn cannot_measure_clocks(&mut self) {
        PEERS.into_iter().for_each(|peer| with_book!(self, peer, |book| book.clocks_are_measured = false));
    }

    /// Whether a command stands in an intake that its partition has not read.
    pub(crate) fn has_unread_commands(&mut self) -> bool {
        PEERS.into_iter().any(|peer| with_book!(self, peer, |book| book.has_unread_commands(&self.log)))
    }

    /// The policies in force, as the workspace's log has them.
    pub(crate) fn policies(&self) -> &Policies {
        &self.workspaces[0].rules
    }

    /// Turns that bots were asked, answered or not, newest last.
    pub(crate) fn turns(&self) -> Vec<TurnId> {
        self.conversations.iter().flat_map(|book| book.rules.turns()).collect()
    }

    /// Offers that agents can still answer.
    pub(crate) fn offers(&self) -> Vec<(OfferId, domain::AgentId)> {
        self.desks.iter().flat_map(|book| book.rules.open_offers()).collect()
    }

    /// Who holds which conversation by which assignment.
    pub(crate) fn held(&self) -> Vec<(ConversationId, domain::AgentId, OfferId)> {
        self.conversations.iter().flat_map(|book| book.rules.held()).collect()
    }

    /// Open conversations, and the owner epoch of each.
    pub(crate) fn open(&self) -> Vec<(ConversationId, u32)> {
        self.conversations.iter().flat_map(|book| book.rules.open()).collect()
    }

    /// Customers who are to be told that their queue is closed.
    pub(crate) fn unsaid(&self) -> Vec<(ConversationId, u32)> {
        self.conversations.iter().flat_map(|book| book.rules.unsaid()).collect()
    }

    /// What was put away, and by whom.
    pub(crate) fn sleeping(&self) -> Vec<(ConversationId, domain::AgentId)> {
        self.conversations.iter().flat_map(|book| book.rules.sleeping()).collect()
    }

    /// The town is at rest, nothing is broken any more and everyone had time: nothing may be left undone.
    pub(crate) fn at_rest(&mut self, facts: &[(Peer, domain::FactId)]) {
        for peer in PEERS {
            with_book!(self, peer, |book| book.at_rest(&self.log, &mut self.found));
        }
        for (peer, fact) in facts {
            let known = with_book!(self, *peer, |book| book.knows(*fact));
            self.found.require(
                known,
                Invariant::NothingTakenIsLost,
                format_args!("fact {fact} was taken for {peer} and never applied"),
            );
        }
        for (source, target, sent) in self.relays.all() {
            let applied = with_book!(self, target, |book| book.applied(source));
            self.found.require(
                applied == sent,
                Invariant::InOrderWithoutGaps,
                format_args!("{target} has applied {applied} of {sent} relays of {source}"),
            );
            let confirmed = with_book!(self, source, |book| book.confirmed(target));
            self.found.require(
                confirmed == sent,
                Invariant::InOrderWithoutGaps,
                format_args!("{source} knows of {confirmed} of {sent} relays that {target} applied"),
            );
        }
        for book in &self.deliveries {
            book.rules.at_rest(&mut self.found);
        }
        self.desks.iter_mut().for_each(|book| book.rules.at_rest(&mut self.found));
    }

    /// Reads each log once more, from a place that was noted on the way, and compares what counts.
    pub(crate) fn reads_the_same_from_the_middle(&mut self) {
        for peer in PEERS {
            with_book!(self, peer, |book| book.read_again(&self.log, &mut self.found));
        }
    }

    /// Whether everything written is read and everything to be sent has ended: the town may be at rest.
    pub(crate) fn is_quiet(&mut self) -> bool {
        PEERS.into_iter().all(|peer| with_book!(self, peer, |book| book.has_read_all(&self.log)))
            && self.deliveries.iter().all(|book| book.rules.unfinished().is_none())
            && self
                .relays
                .all()
                .all(|(source, target, sent)| with_book!(self, source, |book| book.confirmed(target)) == sent)
    }
}

impl book::Rules<workspace::Decider> for Policies {
    fn step(&mut self, step: &domain::Step<workspace::Decider>, _: Timestamp, _: &mut Found) {
        for recorded in &step.events {
            let workspace::Event::PolicyApplied(policy) = &recorded.event;
            self.put(Arc::clone(policy));
        }
    }
}
