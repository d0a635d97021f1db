//! What was looked at, and what was found.

use std::{collections::BTreeMap, fmt};

use domain::{Kind, Peer};

use super::fold::Folded;

/// Violations that are named; more are counted.
const NAMED: usize = 100;

/// Something in the log that must not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Its number in DESIGN §8.
    pub invariant: u8,
    pub peer: Peer,
    /// Of the record in the peer's log at which it shows.
    pub position: u64,
    pub what: String,
}

/// How far the fold has come, in records of all logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub records_done: u64,
    pub records_total: u64,
}

/// What was folded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub partitions: u64,
    pub records: u64,
    /// Announcements and decisions that count.
    pub accepted: u64,
    /// Records that every reader passes over: of deposed leaders, late, or doubled.
    pub ignored: u64,
    pub steps: u64,
    pub events: u64,
    /// Inputs kept for an operator.
    pub set_aside: u64,
}

/// What [`super::verify`] found. Shown as a table and a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    pub by_kind: BTreeMap<Kind, Counts>,
    pub open_conversations: u64,
    pub snapshots_compared: u64,
    /// Snapshots that could not be compared, and why: damaged, or of another version.
    pub snapshots_skipped: Vec<String>,
    /// The first ones found.
    pub violations: Vec<Violation>,
    /// All that were found, named or not.
    pub violations_found: u64,
}

/// The violations of one partition, as they are found.
pub(super) struct Found {
    peer: Peer,
    /// Of the record looked at.
    pub(super) position: u64,
    named: Vec<Violation>,
    count: u64,
}

impl Found {
    pub(super) fn new(peer: Peer) -> Self {
        Found { peer, position: 0, named: Vec::new(), count: 0 }
    }

    pub(super) fn add(&mut self, invariant: u8, what: fmt::Arguments) {
        self.count += 1;
        if self.named.len() < NAMED {
            let (peer, position) = (self.peer, self.position);
            self.named.push(Violation { invariant, peer, position, what: what.to_string() });
        }
    }

    pub(super) fn require(&mut self, holds: bool, invariant: u8, what: fmt::Arguments) {
        if !holds {
            self.add(invariant, what);
        }
    }
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.partitions += other.partitions;
        self.records += other.records;
        self.accepted += other.accepted;
        self.ignored += other.ignored;
        self.steps += other.steps;
        self.events += other.events;
        self.set_aside += other.set_aside;
    }
}

impl Report {
    pub(super) fn of(folded: Vec<Folded>, across: Vec<Found>) -> Self {
        let mut report = Report::default();
        let mut all_found = Vec::new();
        for partition in folded {
            report.by_kind.entry(partition.peer.kind).or_default().add(partition.counts);
            report.open_conversations += partition.kept.open_conversations;
            report.snapshots_compared += partition.snapshots_compared;
            report.snapshots_skipped.extend(partition.snapshots_skipped);
            all_found.push(partition.found);
        }
        for found in all_found.into_iter().chain(across) {
            report.violations_found += found.count;
            let room = NAMED - report.violations.len();
            report.violations.extend(found.named.into_iter().take(room));
        }
        report
    }

    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.by_kind.values().for_each(|counts| total.add(*counts));
        total
    }

    /// Every invariant that was checked holds.
    pub fn is_clean(&self) -> bool {
        self.violations_found == 0
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { invariant, peer, position, what } = self;
        write!(f, "invariant {invariant}, {peer} at {position}: {what}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "", ["partitions", "records", "accepted", "ignored", "steps", "events", "set aside"])?;
        let counted = self.by_kind.iter().map(|(kind, counts)| (kind.as_str(), *counts));
        for (name, counts) in counted.chain([("total", self.total())]) {
            let Counts { partitions, records, accepted, ignored, steps, events, set_aside } = counts;
            row(f, name, [partitions, records, accepted, ignored, steps, events, set_aside])?;
        }
        writeln!(f)?;
        writeln!(f, "open conversations: {}", self.open_conversations)?;
        writeln!(f, "snapshots compared: {}", self.snapshots_compared)?;
        for skipped in &self.snapshots_skipped {
            writeln!(f, "snapshot not compared: {skipped}")?;
        }
        if self.is_clean() {
            return writeln!(f, "no violations");
        }
        writeln!(f, "violations: {}", self.violations_found)?;
        for violation in &self.violations {
            writeln!(f, "  {violation}")?;
        }
        let unnamed = self.violations_found - self.violations.len() as u64;
        if unnamed > 0 {
            writeln!(f, "  and {unnamed} more")?;
        }
        Ok(())
    }
}

fn row<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, cells: [T; 7]) -> fmt::Result {
    write!(f, "{name:<12}")?;
    for cell in cells {
        write!(f, " {cell:>10}")?;
    }
    writeln!(f)
}
