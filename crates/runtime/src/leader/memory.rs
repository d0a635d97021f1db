//! What of a partition is in memory: who has been quiet is retired, who is needed again is brought back.
//!
//! The state runs ahead of what was read back, and so does what left it. What departed is asked for where it is: in the
//! decisions in flight, then in the archive, which holds only what the log accepted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::{
    Cause, Departed, FactId, Intake, MOST_RETIRED, Origin, Party, Question, Recorded, Step, Timestamp,
};
use log::Record;
use tokio::time::{Duration, Instant};
use wire::Codec;

use super::{Leader, poison::Matter};
use crate::{Error, archive};

/// What was found about an input before it is decided.
pub(super) struct Recalled<A: Codec> {
    /// It is a fact that was taken before.
    pub(super) is_known: bool,
    /// The event that brings its party back, and its size.
    pub(super) party: Option<(A::Event, usize)>,
}

/// Between retirements, unless there are enough for a full one.
const RETIRE_EVERY: Duration = Duration::from_secs(1);

/// When parties may be retired: now and then, and between two times whoever waits to be served is.
#[derive(Default)]
pub(super) struct Retirement {
    is_due: bool,
    /// No input was decided since.
    was_last: bool,
    last: Option<Instant>,
}

impl Retirement {
    /// It is looked for those who are quiet once more, but not if others come first.
    pub(super) fn may_go_on(&mut self, others_wait: bool) {
        self.is_due |= !(self.was_last && others_wait);
    }

    pub(super) fn others_were_served(&mut self) {
        self.was_last = false;
    }
}

impl<A: Codec> Leader<'_, A> {
    /// Retires some of those who have been quiet for long; none while there may be word of them in what is not read yet.
    pub(super) fn retire(&mut self) -> Result<bool, Error> {
        if self.backlog_to.is_some() || !self.retirement.is_due || self.poison.holds(&Matter::Retirement) {
            return Ok(false);
        }
        self.retirement.is_due = false;
        let now = self.now();
        let Some(leaving) = self.quiet(now) else { return Ok(false) };
        let is_early = self.retirement.last.is_some_and(|last| last.elapsed() < RETIRE_EVERY);
        if is_early && leaving.len() < MOST_RETIRED {
            return Ok(false);
        }
        self.retirement = Retirement { is_due: false, was_last: true, last: Some(Instant::now()) };
        let mut steps = Vec::with_capacity(leaving.len());
        for (party, event) in leaving {
            let matter = Matter::Party(party);
            // One that cannot be folded stays; one step for each tells which.
            if !self.poison.holds(&matter) {
                let (events, answers) = (vec![event], Vec::new());
                let step = Step { cause: Cause::Memory, events, answers, set_aside: None };
                steps.push(self.fold(now, matter, step)?);
            }
        }
        Ok(self.append_any(steps))
    }

    /// Those who may be retired now, and the events that do it; none if there is nobody. Should the rules panic, nobody is
    /// retired from now on: there is nothing else that could be set aside.
    fn quiet(&mut self, now: Timestamp) -> Option<Vec<(Party, Recorded<A>)>> {
        let (partition, span) = (&self.partition, self.setup.retire_after);
        let asked = catch_unwind(AssertUnwindSafe(|| {
            let events = partition.retire(now, span)?.events.into_iter();
            let known = |it: Recorded<A>| Some((A::tombstone(partition.state(), &it.event)?.0, it));
            Some(events.filter_map(known).collect())
        }));
        asked.unwrap_or_else(|_| {
            tracing::error!(peer = %self.peer, "the rules failed on who leaves memory; nobody does from now on");
            self.poison.put(Matter::Retirement);
            None
        })
    }

    pub(super) fn recall(
        &self,
        read: &Result<Intake<A::Command>, wire::Error>,
        record: &Record,
    ) -> Result<Recalled<A>, Error> {
        let question = match read {
            Ok(intake) => self.partition.question(intake),
            Err(_) => match wire::decode_origin(&record.bytes) {
                Some(Origin::Fact(id)) => Question { fact: Some(id), party: None },
                _ => Question::default(),
            },
        };
        self.answer(question).map_err(|source| self.distrust(source))
    }

    /// What a segment that cannot be read comes to. The snapshots that name it go, else the next leader would begin with
    /// it again.
    pub(super) fn distrust(&self, source: archive::Error) -> Error {
        if let Some(snapshots) = &self.setup.snapshots {
            snapshots.distrust(self.peer, &source.segment);
        }
        Error::Archive { peer: self.peer, source }
    }

    fn answer(&self, question: Question) -> Result<Recalled<A>, archive::Error> {
        let is_known = question.fact.map_or(Ok(false), |fact| self.has_departed_fact(fact))?;
        let party = match question.party {
            Some(party) if !is_known => self.departed_party(party)?,
            _ => None,
        };
        Ok(Recalled { is_known, party })
    }

    fn has_departed_fact(&self, id: FactId) -> Result<bool, archive::Error> {
        Ok(self.departed().any(|departed| departed.has_fact(&id)) || self.archive.has_fact(id)?)
    }

    fn departed_party(&self, party: Party) -> Result<Option<(A::Event, usize)>, archive::Error> {
        if let Some(event) = self.departed().find_map(|departed| departed.party(party)) {
            return Ok(Some((event.clone(), wire::encode_event::<A>(event).len())));
        }
        self.archive.party::<A>(party)
    }

    /// What departed by the decisions in flight, the latest first.
    fn departed(&self) -> impl Iterator<Item = &Departed<A>> {
        self.in_flight.iter().rev().map(|in_flight| &in_flight.departed)
    }

    /// The step of bringing a party back is made and folded; nothing is decided by it. None if that failed before: then
    /// the input that needs the party is set aside.
    pub(super) fn bring_back(
        &mut self,
        now: Timestamp,
        input: u64,
        tombstone: A::Event,
    ) -> Result<Option<Step<A>>, Error> {
        let matter = Matter::Input(input);
        if self.poison.holds(&matter) {
            return Ok(None);
        }
        let step = self.partition.bring_back(tombstone);
        self.fold(now, matter, step).map(Some)
    }
}
