//! Leading a partition: read, decide, append, perform.

use std::{
    collections::{BTreeSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{Cause, Epoch, Intake, Origin, Partition, Peer, Policies, Step, Taken, Timestamp};
use futures::{StreamExt as _, stream::FuturesOrdered};
use log::{Appending, Limit, Record, Tail, clock};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::{Codec, Decision, Header, Judgement, Reader};

use crate::{
    Error, Setup, Standing, metrics,
    relays::Relays,
    standing::{intake, log_of},
};

/// Decisions on their way to the log and back.
const MOST_IN_FLIGHT: usize = 4;
/// What one read of the intake takes in; with what follows from it, a decision stays below its bound (512 KiB).
const BATCH: Limit = Limit { records: 256, bytes: 96 * 1024 };
/// Timers fired in one decision, their events included: some set themselves again, due at once.
const MOST_FIRED: usize = 256;
/// Between words to relay sources, and looks for relays that were lost.
const CHORES: Duration = Duration::from_millis(20);
/// Steps between snapshots.
const SNAPSHOT_EVERY: usize = 200_000;

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
    intake: Tail,
    intake_through: u64,
    log: Tail,
    reader: Reader<A>,
    seq: u64,
    in_flight: VecDeque<InFlight<A>>,
    appends: FuturesOrdered<Appending>,
    relays: Relays,
    /// The intake's end when this rule began: what is overdue fires only once everything before was read.
    backlog_to: Option<u64>,
    poison: &'a mut BTreeSet<u64>,
    since_snapshot: usize,
}

struct InFlight<A: Codec> {
    decision: Decision<A>,
    since: Instant,
}

impl<'a, A: Codec> Leader<'a, A> {
    pub(crate) fn new(
        setup: Arc<Setup<A>>,
        standing: Standing<A>,
        log: Tail,
        epoch: Epoch,
        poison: &'a mut BTreeSet<u64>,
    ) -> Self {
        let peer = standing.peer;
        let (partition, intake_through, reader) = standing.into_parts();
        let intake = Tail::new(setup.log.clone(), intake(peer), intake_through).with_limit(BATCH);
        let relays = Relays::new(peer, setup.post(), &partition);
        Leader {
            setup,
            peer,
            epoch,
            partition,
            intake,
            intake_through,
            log,
            reader,
            seq: 0,
            in_flight: VecDeque::new(),
            appends: FuturesOrdered::new(),
            relays,
            backlog_to: None,
            poison,
            since_snapshot: 0,
        }
    }

    pub(crate) async fn lead(mut self, cancel: &CancellationToken) -> Result<End, Error> {
        let end = self.setup.log.end(intake(self.peer)).await;
        self.backlog_to = Some(end.map_err(|source| self.failed("find the end of the intake", source))?);
        self.relays.resend(&self.partition, self.partition.decided_at(), true);
        let mut policies = self.setup.policies.clone();
        self.adopt_policies(&mut policies);
        self.recover();

        let mut chores = tokio::time::interval(CHORES);
        chores.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let leaving = cancel.is_cancelled();
            if self.in_flight.is_empty() && self.has_read_backlog() {
                // What is owed is owed by accepted decisions only. From here on timers fire.
                self.backlog_to = None;
                self.setup.effects.resume(&self.partition);
            }
            if self.in_flight.is_empty() && (leaving || self.snapshot_is_due()) {
                self.snapshot().await;
                if leaving {
                    self.relays.confirm();
                    return Ok(End::Cancelled);
                }
            }
            // While one of these is due, nothing new is begun: what is under way is read back first.
            let pausing = leaving || self.snapshot_is_due() || self.has_read_backlog();
            let room = self.in_flight.len() < MOST_IN_FLIGHT && !pausing;
            let due = self.due_in();
            if room && due == Some(Duration::ZERO) {
                // Before more is read: timers must not starve behind a full intake.
                self.fire();
                continue;
            }
            tokio::select! {
                biased;
                Some(appended) = self.appends.next(), if !self.appends.is_empty() => {
                    // First failure, or an unknown outcome: nothing may follow a lost record in its epoch.
                    appended.map_err(|source| self.failed("append a decision", source))?;
                }
                records = self.log.batch() => {
                    let records = records.map_err(|source| self.failed("read the log", source))?;
                    if !self.read_back(&records)? {
                        return Ok(End::Deposed);
                    }
                }
                records = self.intake.batch(), if room => {
                    let records = records.map_err(|source| self.failed("read the intake", source))?;
                    self.decide(&records, &mut policies).await?;
                }
                () = tokio::time::sleep(due.unwrap_or_default()), if room && due.is_some() => self.fire(),
                Ok(()) = policies.changed(), if room => self.adopt_policies(&mut policies),
                _ = chores.tick() => {
                    self.relays.confirm();
                    self.relays.resend(&self.partition, self.now(), false);
                }
                () = cancel.cancelled(), if !leaving => {}
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(clock::now()).max(self.partition.decided_at())
    }

    fn failed(&self, operation: &'static str, source: log::Error) -> Error {
        Error::Log { peer: self.peer, operation, source }
    }

    /// How long until a timer is due; none before the backlog is read.
    fn due_in(&self) -> Option<Duration> {
        let due = self.partition.next_due().filter(|_| self.backlog_to.is_none())?;
        Some(Duration::from_millis((due - self.now()).0))
    }

    /// Decides a batch of inputs and appends what follows from it.
    async fn decide(
        &mut self,
        records: &[Record],
        policies: &mut watch::Receiver<Policies>,
    ) -> Result<(), Error> {
        metrics::inputs(A::KIND, records.len());
        let mut steps = Vec::with_capacity(records.len());
        // One time for the whole decision: it is what everyone folds these steps by.
        let now = self.now();
        for record in records {
            let read = wire::decode_intake::<A>(&record.bytes);
            if let Ok(Intake::Input { tenant, policy_version, .. }) = &read
                && *policy_version > self.partition.policies().version(tenant)
            {
                // The edge knew a newer policy than we: learn it before deciding by an older one.
                let known = policies.wait_for(|known| known.version(tenant) >= *policy_version).await.is_ok();
                if known {
                    self.adopt(now, policies, &mut steps);
                }
            }
            let step = if self.poison.contains(&record.position) {
                metrics::set_aside(A::KIND);
                let reason = "the rules failed on this input".to_owned();
                let origin = wire::decode_origin(&record.bytes);
                let step = self.partition.set_aside(origin, record.bytes.clone(), reason);
                self.partition.fold(now, &step);
                Some(step)
            } else {
                // `take` and `fold` are pure: should one of them panic, only this leader's state is in doubt,
                // and that is thrown away.
                let partition = &mut self.partition;
                let relays = &mut self.relays;
                let taken = catch_unwind(AssertUnwindSafe(|| {
                    let step = take(partition, relays, now, &read, record);
                    if let Some(step) = &step {
                        partition.fold(now, step);
                    }
                    step
                }));
                taken.map_err(|_| Error::Poison { peer: self.peer, position: record.position })?
            };
            self.intake_through = record.position + 1;
            steps.extend(step);
        }
        self.append(steps);
        Ok(())
    }

    /// What a new leader owes before anything else.
    fn recover(&mut self) {
        let now = self.now();
        let step = self.partition.recover(now);
        if let Some(step) = &step {
            self.partition.fold(now, step);
        }
        self.append(step.into_iter().collect());
    }

    /// Everything that came before this rule was read, and nobody has taken note of it yet.
    fn has_read_backlog(&self) -> bool {
        self.backlog_to.is_some_and(|end| self.intake.next_position() >= end)
    }

    fn snapshot_is_due(&self) -> bool {
        self.since_snapshot >= SNAPSHOT_EVERY
    }

    fn fire(&mut self) {
        let now = self.now();
        let mut steps = Vec::new();
        let mut size = 0;
        while size < MOST_FIRED
            && let Some(step) = self.partition.fire(now)
        {
            self.partition.fold(now, &step);
            size += 1 + step.events.len();
            steps.push(step);
        }
        self.append(steps);
    }

    fn adopt_policies(&mut self, policies: &mut watch::Receiver<Policies>) {
        let mut steps = Vec::new();
        let now = self.now();
        self.adopt(now, policies, &mut steps);
        self.append(steps);
    }

    fn adopt(&mut self, now: Timestamp, policies: &mut watch::Receiver<Policies>, steps: &mut Vec<Step<A>>) {
        let newest: Vec<_> = policies.borrow_and_update().all().cloned().collect();
        for policy in newest {
            if let Some(step) = self.partition.adopt(now, policy) {
                self.partition.fold(now, &step);
                steps.push(step);
            }
        }
    }

    /// Appends one decision. Its effects wait for the read-back.
    fn append(&mut self, steps: Vec<Step<A>>) {
        if steps.is_empty() {
            return;
        }
        self.seq += 1;
        self.since_snapshot += steps.len();
        let decision = Decision {
            epoch: self.epoch,
            seq: self.seq,
            intake_through: self.intake_through,
            decided_at: self.partition.decided_at(),
            steps,
        };
        let record = wire::encode_decision(&decision);
        self.appends.push_back(self.setup.log.append(log_of(self.peer), vec![record]));
        self.in_flight.push_back(InFlight { decision, since: Instant::now() });
    }

    /// Takes note of what the log accepted, and performs what follows. False once another leader rules.
    fn read_back(&mut self, records: &[Record]) -> Result<bool, Error> {
        for record in records {
            let judged = self.reader.judge(record.position, &record.bytes);
            let judged = judged.map_err(|source| Error::Unreadable {
                peer: self.peer,
                position: record.position,
                source,
            })?;
            match judged {
                Judgement::Ignored(_) => {}
                Judgement::Accepted(Header::Announce(_)) => return Ok(false),
                Judgement::Accepted(Header::Decision { seq, .. }) => {
                    let ours = self.in_flight.pop_front().filter(|ours| ours.decision.seq == seq);
                    let ours = ours.ok_or(Error::ReadBack { peer: self.peer })?;
                    self.perform(ours);
                }
            }
        }
        self.relays.send();
        Ok(true)
    }

    fn perform(&mut self, accepted: InFlight<A>) {
        let InFlight { decision, since } = accepted;
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
                self.setup.effects.perform(&self.partition, at, &recorded.event);
            }
        }
    }

    /// Leaves a snapshot behind. Only called with nothing in flight: what we hold is what the log accepted.
    async fn snapshot(&mut self) {
        let Some(snapshots) = self.setup.snapshots.clone().filter(|_| self.since_snapshot > 0) else {
            self.since_snapshot = 0;
            return;
        };
        self.since_snapshot = 0;
        let state = wire::encode_state(&self.partition);
        let (peer, point, through) = (self.peer, self.reader.point(), self.intake_through);
        let written =
            tokio::task::spawn_blocking(move || snapshots.write(peer, &state, &point, through)).await;
        match written {
            Ok(Ok(_)) => tracing::debug!(peer = %self.peer, "snapshot written"),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no snapshot; the log has it all");
            }
            Err(error) => tracing::warn!(%error, "no snapshot; the log has it all"),
        }
    }
}

/// What follows from one intake record, if anything.
fn take<A: Codec>(
    partition: &Partition<A>,
    relays: &mut Relays,
    now: Timestamp,
    read: &Result<Intake<A::Command>, wire::Error>,
    record: &Record,
) -> Option<Step<A>> {
    let set_aside = |origin, reason| {
        metrics::set_aside(A::KIND);
        Some(partition.set_aside(origin, record.bytes.clone(), reason))
    };
    let intake = match read {
        Ok(intake) => intake,
        // Only in its turn, and not again when it is repeated.
        Err(error) => match wire::decode_origin(&record.bytes) {
            Some(origin) if partition.is_out_of_turn(origin) => return None,
            origin => return set_aside(origin, error.to_string()),
        },
    };
    match partition.take(now, intake) {
        Taken::Step(step) => Some(step),
        // A worker's own report that no longer matters: an answer to a turn that has passed.
        Taken::Refused(rejection) if origin_of(intake) == Some(Origin::Report) => {
            tracing::debug!(peer = %A::KIND, %rejection, "a report came too late");
            None
        }
        Taken::Refused(rejection) => set_aside(origin_of(intake), rejection.to_string()),
        Taken::Pending | Taken::Early => None,
        Taken::Again => {
            // Its source may have missed our word; it is told again.
            if let Intake::Input { origin: Origin::Relay { source, .. }, .. } = intake {
                relays.remind(*source);
            }
            None
        }
    }
}

fn origin_of<C>(intake: &Intake<C>) -> Option<Origin> {
    match intake {
        Intake::Input { origin, .. } => Some(*origin),
        Intake::Applied { .. } => None,
    }
}
