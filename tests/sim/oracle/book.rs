//! One partition's log beside its intake: who ruled, what was read, what was applied, which timers fired.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::{
    Cause, CommandId, ContentHash, Epoch, FactId, Intake, Millis, Origin, Peer, Rejection, Step, Timestamp,
};
use log::{MemoryLog, Record};
use runtime::{intake, log_of};
use wire::{Codec, Decision, Header, Judgement, Point, Reader, Verdict};

use super::{
    Found, Invariant, Relays,
    inputs::{is_input, is_of, named},
    look::{end, read, start},
};
use crate::crew::INTAKE_KEPT;

/// The same fact within this time is the same fact; later it may be a new one.
const FACTS_KEPT: Millis = Millis::hours(14 * 24);
/// The same command within this time gets the same answer.
const ANSWERS_KEPT: Millis = Millis::hours(6);
/// A clock that is further ahead of the log's than this is not decided by: it was measured to be within two seconds,
/// and has not jumped by more than two since.
const CLOCK_AHEAD: i64 = 4_000;
/// Records between the places noted for reading again.
const NOTED_EVERY: usize = 16;

/// What the events of one aggregate mean.
pub(crate) trait Rules<A: Codec>: Default {
    fn step(&mut self, step: &Step<A>, at: Timestamp, found: &mut Found);

    /// All steps of a decision were seen.
    fn decided(&mut self, _at: Timestamp, _found: &mut Found) {}
}

#[derive(Default)]
pub(crate) struct NothingMore;

impl<A: Codec> Rules<A> for NothingMore {
    fn step(&mut self, _: &Step<A>, _: Timestamp, _: &mut Found) {}
}

pub(crate) struct Book<A: Codec, R> {
    peer: Peer,
    reader: Reader<A>,
    pub(crate) rules: R,
    epochs: HashSet<Epoch>,
    intake_through: u64,
    pub(crate) clocks_are_measured: bool,
    decided_at: Timestamp,
    facts: HashMap<FactId, Timestamp>,
    commands: HashMap<CommandId, Asked>,
    applied: BTreeMap<Peer, u64>,
    confirmed: BTreeMap<Peer, u64>,
    fired: HashSet<u64>,
    /// Places to read again from, and how many records counted before each.
    noted: Vec<(Point, usize)>,
    /// The positions that count.
    counted: Vec<u64>,
}

/// A command, and what it was answered.
struct Asked {
    content: ContentHash,
    answer: Option<Result<(), Rejection>>,
    at: Timestamp,
}

/// What the log must say about one intake record.
enum Expected {
    Step,
    Nothing,
    Either,
}

impl<A: Codec, R: Rules<A>> Book<A, R> {
    pub(crate) fn new(number: u32) -> Self {
        Book {
            peer: Peer { kind: A::KIND, partition: number },
            reader: Reader::new(Point::default()),
            rules: R::default(),
            epochs: HashSet::new(),
            intake_through: 0,
            clocks_are_measured: true,
            decided_at: Timestamp::default(),
            facts: HashMap::new(),
            commands: HashMap::new(),
            applied: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            fired: HashSet::new(),
            noted: vec![(Point::default(), 0)],
            counted: Vec::new(),
        }
    }

    pub(crate) fn applied(&self, source: Peer) -> u64 {
        self.applied.get(&source).copied().unwrap_or(0)
    }

    pub(crate) fn confirmed(&self, target: Peer) -> u64 {
        self.confirmed.get(&target).copied().unwrap_or(0)
    }

    pub(crate) fn knows(&self, fact: FactId) -> bool {
        self.facts.contains_key(&fact)
    }

    /// Whether nothing is left in the intake that must come to something. What comes to nothing need not be noted.
    pub(crate) fn has_read_all(&self, log: &MemoryLog) -> bool {
        let left = read(log, intake(self.peer), self.intake_through);
        let comes_to_something = |record: &Record| {
            matches!(self.expected(wire::decode_intake::<A>(&record.bytes).ok().as_ref()), Expected::Step)
        };
        !left.iter().any(comes_to_something)
    }

    pub(crate) fn has_unread_commands(&self, log: &MemoryLog) -> bool {
        let unread = read(log, intake(self.peer), self.intake_through);
        let origins = unread.iter().filter_map(|record| wire::decode_origin(&record.bytes));
        origins.into_iter().any(|origin| matches!(origin, Origin::Command { .. }))
    }

    pub(crate) fn catch_up(&mut self, log: &MemoryLog, relays: &mut Relays, found: &mut Found) {
        loop {
            let records = read(log, log_of(self.peer), self.reader.point().position);
            if records.is_empty() {
                return;
            }
            records.iter().for_each(|record| self.record(record, log, relays, found));
        }
    }

    fn record(&mut self, record: &Record, log: &MemoryLog, relays: &mut Relays, found: &mut Found) {
        let peer = self.peer;
        if let Ok(Header::Decision { epoch, .. }) = wire::decode_header(&record.bytes) {
            found.require(
                self.epochs.contains(&epoch),
                Invariant::StaleEpochsAreInvisible,
                format_args!(
                    "{peer}: a leader decides in epoch {epoch} before its announcement was accepted"
                ),
            );
        }
        match self.reader.read(record.position, &record.bytes) {
            Err(error) => found.add(
                Invariant::StaleEpochsAreInvisible,
                format_args!("{peer}: the record at {} cannot be read: {error}", record.position),
            ),
            Ok(Verdict::Ignored(_)) => found.note("records that count nowhere"),
            Ok(Verdict::Ruling(announce)) => {
                found.note("epochs that ruled");
                self.counted.push(record.position);
                found.require(
                    self.epochs.insert(announce.epoch),
                    Invariant::StaleEpochsAreInvisible,
                    format_args!("{peer}: epoch {} rules a second time", announce.epoch),
                );
            }
            Ok(Verdict::Accepted(decision)) => {
                self.counted.push(record.position);
                let latest = Timestamp(record.appended_at + CLOCK_AHEAD).max(self.decided_at);
                found.require(
                    decision.decided_at <= latest || !self.clocks_are_measured,
                    Invariant::TimersInTime,
                    format_args!("{peer}: decided by a clock that is further ahead than the log's allows"),
                );
                self.decision(&decision, log, relays, found);
            }
        }
        if self.counted.len().is_multiple_of(NOTED_EVERY) {
            self.noted.push((self.reader.point(), self.counted.len()));
        }
    }

    fn decision(&mut self, decision: &Decision<A>, log: &MemoryLog, relays: &mut Relays, found: &mut Found) {
        let peer = self.peer;
        let (before, through) = (self.intake_through, decision.intake_through);
        found.require(
            before <= through && through <= end(log, intake(peer)),
            Invariant::InOrderWithoutGaps,
            format_args!("{peer}: the intake was read through {before}, and now through {through}"),
        );
        found.require(
            decision.decided_at >= self.decided_at,
            Invariant::TimersInTime,
            format_args!("{peer}: a decision is made before the one that precedes it"),
        );
        self.decided_at = decision.decided_at;
        let mut steps = decision.steps.iter().peekable();
        let mut position = before;
        while position < through {
            let Some(record) = read(log, intake(peer), position).into_iter().find(|r| r.position < through)
            else {
                break;
            };
            position = record.position + 1;
            while let Some(step) = steps.next_if(|step| !is_input(&step.cause)) {
                self.step(step, relays, found);
            }
            let taken = wire::decode_intake::<A>(&record.bytes).ok();
            let next = steps.peek().filter(|step| is_of(&step.cause, taken.as_ref()));
            let expected = self.expected(taken.as_ref());
            match (expected, next) {
                (Expected::Step | Expected::Either, Some(_)) => {
                    if let Some(step) = steps.next() {
                        self.step(step, relays, found);
                    }
                }
                (Expected::Step, None) => found.add(
                    Invariant::InOrderWithoutGaps,
                    format_args!("{peer}: the input at {} is read and not applied", record.position),
                ),
                (Expected::Nothing | Expected::Either, _) => {}
            }
        }
        self.intake_through = through;
        for step in steps {
            found.require(
                !is_input(&step.cause),
                match step.cause {
                    Cause::Fact(_) => Invariant::OnceOnly,
                    _ => Invariant::InOrderWithoutGaps,
                },
                format_args!("{peer}: applied again, or never sent: {}", named(&step.cause)),
            );
            self.step(step, relays, found);
        }
        self.rules.decided(self.decided_at, found);
    }

    /// What must come of an intake record, by what was applied so far.
    fn expected<C>(&self, taken: Option<&Intake<C>>) -> Expected {
        let once = |known: bool| if known { Expected::Nothing } else { Expected::Step };
        match taken {
            // Kept for an operator.
            None => Expected::Step,
            Some(Intake::Applied { by, through }) => once(*through <= self.confirmed(*by)),
            Some(Intake::Input { origin, .. }) => match origin {
                Origin::Fact(id) => match self.facts.get(id) {
                    Some(at) if self.decided_at - *at > FACTS_KEPT => Expected::Either,
                    known => once(known.is_some()),
                },
                Origin::Relay { source, number } => once(*number != self.applied(*source) + 1),
                // The state itself knows whether it is news.
                Origin::Report => Expected::Either,
                Origin::Command { id, content } => match self.commands.get(id) {
                    Some(asked) => once(asked.content == *content && asked.answer.is_none()),
                    None => Expected::Step,
                },
            },
        }
    }

    fn step(&mut self, step: &Step<A>, relays: &mut Relays, found: &mut Found) {
        let (peer, at) = (self.peer, self.decided_at);
        match &step.cause {
            Cause::Fact(id) => {
                self.facts.insert(*id, at);
            }
            Cause::Relay { source, number } => {
                self.applied.insert(*source, *number);
                relays.applies(*source, peer, *number, step, found);
            }
            Cause::Applied { by, through } => {
                found.require(
                    *through <= relays.sent(peer, *by),
                    Invariant::InOrderWithoutGaps,
                    format_args!("{peer}: {by} has applied {through} relays, more than were sent"),
                );
                self.confirmed.insert(*by, *through);
            }
            Cause::Timer(timer) => {
                found.note("timers fired");
                found.require(
                    timer.due <= at && self.fired.insert(timer.generation),
                    Invariant::TimersInTime,
                    format_args!("{peer}: timer {:?} fires again, or before its time", timer.id),
                );
            }
            Cause::Command { id, content } => {
                self.commands.entry(*id).or_insert_with(|| Asked { content: *content, answer: None, at });
            }
            _ => {}
        }
        let is_garbage = matches!(step.cause, Cause::Unreadable);
        found.require(
            step.set_aside.is_some() == is_garbage,
            Invariant::InOrderWithoutGaps,
            format_args!("{peer}: set aside without a reason, or not at all: {:?}", step.set_aside),
        );
        for answer in &step.answers {
            self.answer(answer, found);
        }
        relays.leave(peer, step, found);
        self.rules.step(step, at, found);
    }

    fn answer(&mut self, answer: &domain::Answer, found: &mut Found) {
        let (peer, at) = (self.peer, self.decided_at);
        let Some(asked) = self.commands.get_mut(&answer.command) else {
            return found.add(
                Invariant::InOrderWithoutGaps,
                format_args!("{peer}: command {} is answered without having been asked", answer.command),
            );
        };
        if asked.content != answer.content {
            return;
        }
        let same = asked.answer.as_ref().is_none_or(|known| *known == answer.result);
        found.require(
            same || at - asked.at > ANSWERS_KEPT,
            Invariant::InOrderWithoutGaps,
            format_args!("{peer}: command {} gets another answer", answer.command),
        );
        if !same || asked.answer.is_none() {
            asked.at = at;
        }
        asked.answer = Some(answer.result.clone());
    }

    /// Only what was read may go, and only what is old by the log's own time.
    pub(crate) fn trims(
        &self,
        partition: log::Partition,
        before: u64,
        now: Timestamp,
        log: &MemoryLog,
        found: &mut Found,
    ) {
        let (peer, through) = (self.peer, self.intake_through);
        found.note("times an intake is trimmed");
        found.require(
            partition == intake(peer) && before <= through,
            Invariant::NothingTakenIsLost,
            format_args!("{peer}: {partition} is trimmed to {before}; the intake was read through {through}"),
        );
        let gone = read(log, partition, start(log, partition));
        let young = gone
            .iter()
            .find(|record| record.position < before && now - Timestamp(record.appended_at) < INTAKE_KEPT);
        found.require(
            young.is_none(),
            Invariant::NothingTakenIsLost,
            format_args!("{peer}: the input at {:?} is removed too early", young.map(|it| it.position)),
        );
    }

    pub(crate) fn at_rest(&mut self, log: &MemoryLog, found: &mut Found) {
        let peer = self.peer;
        found.require(
            self.has_read_all(log),
            Invariant::NothingTakenIsLost,
            format_args!("{peer}: the intake is read through {}, and goes on", self.intake_through),
        );
        let waiting = self.commands.iter().find(|(_, asked)| asked.answer.is_none());
        found.require(
            waiting.is_none(),
            Invariant::NothingTakenIsLost,
            format_args!("{peer}: command {:?} is never answered", waiting.map(|(id, _)| id)),
        );
    }

    /// A reader that starts at a noted place must count what the one from the beginning counted.
    pub(crate) fn read_again(&self, log: &MemoryLog, found: &mut Found) {
        for (point, before) in self.noted.iter().rev().take(2) {
            let mut reader = Reader::<A>::new(*point);
            let mut counted = Vec::new();
            loop {
                let records = read(log, log_of(self.peer), reader.point().position);
                if records.is_empty() {
                    break;
                }
                for record in records {
                    if let Ok(Judgement::Accepted(_)) = reader.judge(record.position, &record.bytes) {
                        counted.push(record.position);
                    }
                }
            }
            found.require(
                self.counted.get(*before..) == Some(&counted[..]),
                Invariant::StaleEpochsAreInvisible,
                format_args!("{}: a reader from {} counts other records", self.peer, point.position),
            );
        }
    }
}
