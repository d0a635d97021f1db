//! Leading a partition: read, decide, append, perform.

mod decide;
mod memory;
mod poison;

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use domain::{Cause, Departed, Epoch, Partition, Peer, Policies, Step, TenantId, Timestamp};
use futures::{StreamExt as _, future::OptionFuture, stream::FuturesOrdered};
use log::{Appending, Limit, Record, Tail};
use tokio::{
    sync::watch,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use wire::{Codec, Decision, Header, Ignored, Judgement, Reader};

use crate::{
    Archive, Effects, Error, Setup, Snapshots, Standing,
    clock::Guard,
    metrics,
    off_thread::drop_off_thread,
    readiness::Counted,
    relays::Relays,
    scribe::{Scribe, Turn},
    standing::{intake, log_of},
};

pub(crate) use self::poison::Poison;
use self::{
    decide::{Held, Recovery},
    memory::Retirement,
};

/// Decisions on their way to the log and back.
const MOST_IN_FLIGHT: usize = 4;
/// What one read of the intake takes in: several decisions' worth, since what has left memory is read from the disk.
const READ: Limit = Limit { records: 1_024, bytes: 384 * 1024 };
/// Between words to relay sources, and looks for relays that were lost.
const CHORES: Duration = Duration::from_millis(20);
/// A decision that is read back only after this long may have been followed by another leader's meanwhile.
const LATE: Duration = Duration::from_secs(1);
/// Inputs from which nothing followed are noted as read after this long, if no other decision says so.
const NOTED: Duration = Duration::from_secs(1);

pub(crate) enum End {
    Cancelled,
    Deposed,
}

pub(crate) struct Leader<'a, A: Codec> {
    setup: Arc<Setup<A>>,
    peer: Peer,
    epoch: Epoch,
    /// The state, ahead of what was read back by the decisions in flight.
    partition: Partition<A>,
    /// What had left the state by what was read back.
    archive: Archive,
    intake: Tail,
    intake_through: u64,
    /// What the last accepted decision says of it: inputs that lead to nothing are in none, and read again.
    accepted_through: u64,
    last_append: Instant,
    retirement: Retirement,
    /// Read from the intake and not decided yet.
    held: Option<Held<A>>,
    log: Tail,
    reader: Reader<A>,
    seq: u64,
    in_flight: VecDeque<InFlight<A>>,
    appends: FuturesOrdered<Appending>,
    relays: Relays,
    /// The intake's end when this rule began: what is overdue fires only once everything before was read.
    backlog_to: Option<u64>,
    recovery: Recovery<A>,
    policies: watch::Receiver<Policies>,
    /// Some of the policies may be newer than those decided by.
    adopting: bool,
    /// Versions that edges knew and that did not come in time.
    given_up: BTreeMap<TenantId, u64>,
    guard: Guard,
    clock_off: Option<Counted>,
    poison: &'a mut Poison<A::TimerId>,
    /// Steps decided since the last snapshot was begun, and what left memory by them.
    since_snapshot: usize,
    /// The snapshot begun last was written, or is being written.
    is_left: bool,
    /// A snapshot is due, and begins as soon as nothing is in flight.
    turn: Option<Turn>,
    scribe: Option<Scribe>,
    /// What the effects have for as long as this rule lasts.
    held_by_effects: Option<Box<dyn Any + Send>>,
}

struct InFlight<A: Codec> {
    decision: Decision<A>,
    /// What left the state by it.
    departed: Departed<A>,
    since: Instant,
    /// What our clock showed.
    shown: Timestamp,
}

impl<A: Codec> InFlight<A> {
    /// What folding it costs, about.
    fn size(&self) -> usize {
        self.decision.steps.len() + self.departed.len()
    }
}

impl<'a, A: Codec> Leader<'a, A> {
    pub(crate) fn new(
        setup: Arc<Setup<A>>,
        standing: Standing<A>,
        log: Tail,
        epoch: Epoch,
        guard: Guard,
        poison: &'a mut Poison<A::TimerId>,
    ) -> Self {
        // What was folded is not in a snapshot either: who dies again and again must not fold ever more.
        let (peer, since_snapshot) = (standing.peer, standing.folded);
        let (partition, archive, intake_through, reader) = standing.into_parts();
        let intake = Tail::new(setup.log.clone(), intake(peer), intake_through).with_limit(READ);
        let relays = Relays::new(peer, setup.post(), &partition);
        let policies = setup.policies.clone();
        let mut leader = Leader {
            setup,
            peer,
            epoch,
            partition,
            archive,
            intake,
            intake_through,
            accepted_through: intake_through,
            last_append: Instant::now(),
            retirement: Retirement::default(),
            held: None,
            log,
            reader,
            seq: 0,
            in_flight: VecDeque::new(),
            appends: FuturesOrdered::new(),
            relays,
            backlog_to: None,
            recovery: Recovery::Owed,
            policies,
            adopting: true,
            given_up: BTreeMap::new(),
            guard,
            clock_off: None,
            poison,
            since_snapshot,
            is_left: true,
            turn: None,
            scribe: None,
            held_by_effects: None,
        };
        leader.heed_clock();
        leader
    }

    pub(crate) async fn lead(mut self, cancel: &CancellationToken) -> Result<End, Error> {
        let end = self.setup.log.end(intake(self.peer)).await;
        self.backlog_to = Some(end.map_err(|source| self.failed("find the end of the intake", source))?);
        self.relays.resend(&self.partition, self.partition.decided_at(), true);

        let mut chores = tokio::time::interval(CHORES);
        chores.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let leaving = cancel.is_cancelled();
            let idle = self.in_flight.is_empty();
            if idle && self.has_read_backlog() {
                // What is owed is owed by accepted decisions only. From here on timers fire.
                self.backlog_to = None;
                self.effect(|effects, partition| effects.resume(partition));
                let mut held = None;
                self.effect(|effects, partition| held = effects.hold(self.peer, partition));
                self.held_by_effects = held;
            }
            if idle && leaving {
                return self.leave().await;
            }
            self.see_to_snapshots();
            let moment = Instant::now();
            let trusted = self.guard.trusts(self.setup.clock.now(), moment);
            if idle && !trusted && self.guard.is_to_be_measured(moment) {
                // Of nothing: what the log stamps on it tells how our clock is.
                self.append(Vec::new());
            }
            // While one of these is due, nothing new is begun: what is under way is read back first.
            let pausing = leaving || self.has_read_backlog() || self.turn.is_some();
            let room = trusted && !pausing && self.in_flight.len() < MOST_IN_FLIGHT;
            // Before more is read: policies and timers must not starve behind a full intake.
            if room && self.decide_next()? {
                continue;
            }
            let due = self.due_in();
            let held_until = self.held.as_ref().map(Held::until);
            tokio::select! {
                biased;
                Some(appended) = self.appends.next(), if !self.appends.is_empty() => {
                    // First failure, or an unknown outcome: nothing may follow a lost record in its epoch.
                    appended.map_err(|source| self.failed("append a decision", source))?;
                }
                records = self.log.batch() => {
                    let records = records.map_err(|source| self.failed("read the log", source))?;
                    if !self.heed(&records, cancel).await? {
                        return Ok(End::Deposed);
                    }
                }
                _ = chores.tick() => {
                    self.relays.confirm();
                    self.relays.resend(&self.partition, self.now(), false);
                    if room {
                        self.retirement.may_go_on(self.held.is_some());
                        self.note_what_was_read();
                    }
                }
                records = self.intake.batch(), if room && held_until.is_none() => {
                    let records = records.map_err(|source| self.failed("read the intake", source))?;
                    metrics::inputs(A::KIND, records.len());
                    self.held = Some(Held::new(records));
                }
                () = tokio::time::sleep(due.unwrap_or_default()), if room && due.is_some() => {}
                () = tokio::time::sleep_until(held_until.unwrap_or_else(Instant::now)),
                    if room && held_until.is_some() => {}
                Ok(()) = self.policies.changed(), if room => self.adopting = true,
                Some(written) = OptionFuture::from(self.scribe.as_mut().map(Scribe::written)) => {
                    self.scribe = None;
                    self.is_left = self.take_back(written)?;
                }
                () = cancel.cancelled(), if !leaving => {}
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.setup.clock.now().max(self.partition.decided_at())
    }

    fn failed(&self, operation: &'static str, source: log::Error) -> Error {
        Error::Log { peer: self.peer, operation, source }
    }

    /// How long until a timer is due; none before the backlog is read.
    fn due_in(&self) -> Option<Duration> {
        let due = self.partition.next_due().filter(|_| self.backlog_to.is_none())?;
        Some(Duration::from_millis((due - self.now()).0))
    }

    /// Everything that came before this rule was decided, and nobody has taken note of it yet.
    fn has_read_backlog(&self) -> bool {
        let read = self.backlog_to.is_some_and(|end| self.intake.next_position() >= end);
        read && self.held.is_none() && self.recovery.is_done()
    }

    /// What came again, or led to nothing, is read as well: who asks how far this partition is behind must not be told
    /// that it waits.
    fn note_what_was_read(&mut self) {
        let is_noted = self.intake_through == self.accepted_through;
        if !is_noted && self.in_flight.is_empty() && self.last_append.elapsed() >= NOTED {
            self.append(Vec::new());
        }
    }

    /// Appends one decision. Its effects wait for the read-back.
    fn append(&mut self, steps: Vec<Step<A>>) {
        self.seq += 1;
        let departed = self.partition.take_departed();
        let decision = Decision {
            epoch: self.epoch,
            seq: self.seq,
            intake_through: self.intake_through,
            decided_at: self.partition.decided_at(),
            steps,
        };
        let record = wire::encode_decision(&decision);
        let (since, shown) = (Instant::now(), self.setup.clock.now());
        self.last_append = since;
        self.appends.push_back(self.setup.log.append(log_of(self.peer), vec![record]));
        let in_flight = InFlight { decision, departed, since, shown };
        self.since_snapshot += in_flight.size();
        self.in_flight.push_back(in_flight);
    }

    /// Takes note of what the log accepted, and performs what follows. False once another leader rules: then nothing is
    /// performed, for that one sees to what is owed.
    async fn heed(&mut self, records: &[Record], cancel: &CancellationToken) -> Result<bool, Error> {
        let Some(mut accepted) = self.read_back(records)? else { return Ok(false) };
        if accepted.iter().any(|ours| ours.since.elapsed() >= LATE) {
            // This worker was held up. Whether another rules by now is told by all that stands in the log now.
            let end = self.setup.log.end(log_of(self.peer)).await;
            let end = end.map_err(|source| self.failed("find the end of the log", source))?;
            while self.log.next_position() < end {
                let Some(records) = cancel.run_until_cancelled(self.log.batch()).await else {
                    return Ok(false);
                };
                let records = records.map_err(|source| self.failed("read the log", source))?;
                let Some(more) = self.read_back(&records)? else { return Ok(false) };
                accepted.extend(more);
            }
        }
        accepted.into_iter().for_each(|ours| self.perform(ours));
        self.relays.send();
        Ok(true)
    }

    /// Those of our decisions that the log accepted. None once another leader rules.
    fn read_back(&mut self, records: &[Record]) -> Result<Option<Vec<InFlight<A>>>, Error> {
        let mut accepted = Vec::new();
        for record in records {
            let judged = self.reader.judge(record.position, &record.bytes);
            let judged = judged.map_err(|source| Error::Unreadable {
                peer: self.peer,
                position: record.position,
                source,
            })?;
            match judged {
                // Nothing that is decided in this epoch counts any more.
                Judgement::Ignored(Ignored::OutOfSequence { seq: read, expected: seq })
                    if read > seq && self.reader.point().epoch == Some(self.epoch) =>
                {
                    return Err(Error::Lost { peer: self.peer, seq, read });
                }
                Judgement::Ignored(_) => {}
                Judgement::Accepted(Header::Announce(_)) => return Ok(None),
                Judgement::Accepted(Header::Decision { seq, .. }) => {
                    let ours = self.in_flight.pop_front().filter(|ours| ours.decision.seq == seq);
                    let ours = ours.ok_or(Error::ReadBack { peer: self.peer })?;
                    let read_back = (self.setup.clock.now(), Instant::now());
                    let stamp = Timestamp(record.appended_at);
                    self.guard = Guard::measured((ours.shown, ours.since), stamp, read_back);
                    self.heed_clock();
                    self.accepted_through = ours.decision.intake_through;
                    accepted.push(ours);
                }
            }
        }
        Ok(Some(accepted))
    }

    fn perform(&mut self, accepted: InFlight<A>) {
        let InFlight { decision, departed, since, .. } = accepted;
        // What is about memory takes a party out of it or brings one back.
        let moved = decision.steps.iter().filter(|step| matches!(step.cause, Cause::Memory)).count();
        metrics::moved(A::KIND, departed.parties.len(), moved.saturating_sub(departed.parties.len()));
        self.archive.keep(departed);
        metrics::decided(A::KIND, decision.steps.len(), since.elapsed().as_secs_f64());
        let at = decision.decided_at;
        for step in &decision.steps {
            if let Cause::Relay { source, number } = step.cause {
                self.relays.has_applied(source, number);
            }
            for recorded in &step.events {
                if let (Some((to, number)), Some((_, relay))) = (recorded.relay, A::relay(&recorded.event)) {
                    self.relays.push(to, number, at, &relay);
                }
                self.effect(|effects, partition| effects.perform(partition, at, &recorded.event));
            }
        }
    }

    /// An effect that panics is a mistake of ours and ends nothing: what it owes stays owed in the state, and is tried
    /// once more by every leader that begins.
    fn effect(&self, effect: impl FnOnce(&dyn Effects<A>, &Partition<A>)) {
        let done = catch_unwind(AssertUnwindSafe(|| effect(&*self.setup.effects, &self.partition)));
        if done.is_err() {
            metrics::effect_panicked(A::KIND);
            tracing::error!(peer = %self.peer, "an effect panicked; it is tried again by the next leader");
        }
    }

    /// Tells an operator when our clock is found off, and when it is right again.
    fn heed_clock(&mut self) {
        match (self.guard.off_by(), &self.clock_off) {
            (Some(ahead), None) => {
                let readiness = &self.setup.readiness;
                self.clock_off = Some(Counted::clock_off(readiness, A::KIND));
                tracing::error!(peer = %self.peer, ahead_by_ms = ahead, "our clock is not the log's: nothing is decided");
            }
            (None, Some(_)) => {
                self.clock_off = None;
                tracing::info!(peer = %self.peer, "our clock is right again");
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Has a snapshot written if one is due, as soon as nothing is in flight.
    fn see_to_snapshots(&mut self) {
        if self.turn.is_none() && self.scribe.is_none() {
            let due =
                self.setup.snapshots.as_ref().filter(|snapshots| snapshots.are_due(self.since_snapshot));
            self.turn = due.and_then(Snapshots::turn);
        }
        let Some(turn) = self.turn.take_if(|_| self.in_flight.is_empty()) else { return };
        self.since_snapshot = 0;
        self.is_left = true;
        let lent = Standing::from_parts(
            self.peer,
            self.partition.clone(),
            self.archive.lend(),
            self.accepted_through,
            Reader::new(self.reader.point()),
        );
        self.scribe = Some(Scribe::begin(self.setup.clone(), lent, turn));
    }

    /// From now on what the snapshot has of the archive is read from there. Without one, which is false, it stays in memory
    /// until the next.
    fn take_back(&mut self, written: Result<Option<Archive>, Error>) -> Result<bool, Error> {
        match written {
            Ok(None) => Ok(false),
            Ok(Some(mut settled)) => {
                self.archive.take_back(&mut settled);
                drop_off_thread(settled);
                Ok(true)
            }
            Err(error @ Error::Archive { .. }) => Err(error),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no snapshot; the log has it all");
                Ok(false)
            }
        }
    }

    /// Ends in order: with nothing in flight, what we hold is what the log accepted, and a snapshot is left of it.
    async fn leave(mut self) -> Result<End, Error> {
        let mut is_left = self.is_left && self.since_snapshot == 0;
        if let Some(mut scribe) = self.scribe.take() {
            is_left &= self.take_back(scribe.written().await)?;
        }
        self.relays.confirm();
        let (snapshots, log, peer) = (self.setup.snapshots.clone(), self.setup.log.clone(), self.peer);
        if !is_left {
            let Leader { setup, peer, partition, archive, accepted_through, reader, .. } = self;
            let mut standing = Standing::from_parts(peer, partition, archive, accepted_through, reader);
            standing.leave_snapshot(&setup).await?;
        }
        if let Some((snapshots, mirror)) = snapshots.as_ref().and_then(|it| Some((it, it.mirror()?))) {
            mirror.send_off(snapshots, &*log, peer).await;
        }
        Ok(End::Cancelled)
    }
}
