//! Hours as anyone can count them who looks at the clock every minute: in Greenwich, and from a Thursday, 1970-01-01, on.

use super::{super::*, World};
use crate::{
    HoursId,
    desk::{Desks, TimerId, Waiting},
    policy::{self, WhenClosed},
};

#[derive(Default)]
pub(super) struct Hours {
    /// The minutes of the first day at which they are open.
    open: BTreeMap<HoursId, BTreeSet<i64>>,
}

const MINUTE: i64 = 60_000;
const THURSDAY: u8 = 4;

impl Hours {
    /// So far ahead is looked: on other days the hours here are closed, so that what comes after that is not told.
    pub(super) const AHEAD: Millis = Millis::hours(12);

    pub(super) fn of(policy: &Policy) -> Hours {
        let minutes = |hours: &policy::Hours| {
            let on = |span: &policy::OpenSpan| span.weekday == THURSDAY;
            let spans = hours.open.iter().filter(|span| on(span)).flat_map(|span| span.from..span.to);
            let holidays = hours.holidays.iter().flat_map(|holiday| holiday.from..holiday.to);
            let holidays: BTreeSet<_> = holidays.collect();
            spans.filter(|minute| !holidays.contains(minute)).map(i64::from).collect()
        };
        Hours { open: policy.hours.iter().map(|(id, hours)| (id.clone(), minutes(hours))).collect() }
    }

    pub(super) fn is_open(&self, queue: &Queue, at: Timestamp) -> bool {
        let hours = queue.hours.as_ref().map(|hours| &self.open[hours]);
        hours.is_none_or(|open| open.contains(&at.0.div_euclid(MINUTE)))
    }

    /// Since when it has been open; none if it is not.
    pub(super) fn opened(&self, queue: &Queue, at: Timestamp) -> Option<Timestamp> {
        let Some(open) = queue.hours.as_ref().map(|hours| &self.open[hours]) else { return Some(seconds(0)) };
        let minute = at.0.div_euclid(MINUTE);
        let first = (0..=minute).rev().take_while(|minute| open.contains(minute)).last()?;
        Some(Timestamp(first * MINUTE))
    }

    /// Since when it has been closed, if it is.
    pub(super) fn closed(&self, queue: &Queue, at: Timestamp) -> Timestamp {
        let Some(open) = queue.hours.as_ref().map(|hours| &self.open[hours]) else { return at };
        let last = open.range(..at.0.div_euclid(MINUTE)).next_back();
        last.map_or(seconds(0), |minute| Timestamp((minute + 1) * MINUTE))
    }

    /// When it opens or closes next, if that is not far ahead.
    pub(super) fn next_change(&self, queue: &Queue, at: Timestamp) -> Option<Timestamp> {
        let open = queue.hours.as_ref().map(|hours| &self.open[hours])?;
        let minute = at.0.div_euclid(MINUTE);
        // Only at its ends anything changes.
        let ends = open.iter().flat_map(|minute| [*minute, minute + 1]).filter(|end| *end > minute);
        let changes = ends.filter(|end| open.contains(end) != open.contains(&minute)).min();
        let ahead = i64::try_from(Hours::AHEAD.0).expect("hours") / MINUTE;
        changes.filter(|end| *end - minute <= ahead).map(|end| Timestamp(end * MINUTE))
    }
}

impl World {
    /// For how long it has waited, as far as that counts: while its queue was open, and not before it opened.
    pub(super) fn counted(&self, desk: &DeskId, waiting: &Waiting) -> Millis {
        let id = QueueId { desk: desk.clone(), name: waiting.queue.clone() };
        let Some(queue) = self.policy.queues.get(&id) else { return self.now - waiting.since };
        self.hours.opened(queue, self.now).map_or(Millis(0), |opened| self.now - opened.max(waiting.since))
    }

    /// A queue is said to be closed when it is, until it opens, and once until then.
    pub(super) fn closing_is_true(
        &self,
        desks: &Desks,
        conversation: ConversationId,
        id: &QueueId,
        until: Option<Timestamp>,
        say: bool,
    ) {
        let (_, waiting) = desks.waiting(conversation).expect("only who waits is told");
        assert_eq!((&waiting.queue, &waiting.wanted), (&id.name, &None));
        let queue = &self.policy.queues[id];
        assert!(!self.hours.is_open(queue, self.now), "{id} is open");
        assert!(!self.knows_that_it_is_closed(queue, waiting), "{conversation} knows that");
        assert_eq!(say, matches!(queue.when_closed, Some(WhenClosed::Say(_) | WhenClosed::Callback(_))));
        match self.hours.next_change(queue, self.now) {
            Some(opens) => assert_eq!(until, Some(opens)),
            None => assert!(until.is_none_or(|until| until > self.now + Hours::AHEAD), "{until:?}"),
        }
    }

    fn knows_that_it_is_closed(&self, queue: &Queue, waiting: &Waiting) -> bool {
        let closed = self.hours.closed(queue, self.now);
        waiting.found_closed.is_some_and(|then| closed <= then)
    }

    /// Who waits in a closed queue was told, or has gone on; and the desk looks when it opens or closes.
    pub(super) fn hours_are_kept(
        &self,
        queue: &Queue,
        id: &QueueId,
        conversation: ConversationId,
        waiting: &Waiting,
        stranded: bool,
    ) {
        if self.is_overdue() {
            return;
        }
        if waiting.wanted.is_none() && !self.hours.is_open(queue, self.now) {
            let told = self.knows_that_it_is_closed(queue, waiting);
            let goes_on = matches!(queue.when_closed, Some(WhenClosed::Overflow(_)));
            assert!(
                stranded || told && !goes_on,
                "{conversation} waits in {id}, which is closed, and does not know it"
            );
        }
        if let Some(change) = self.hours.next_change(queue, self.now).filter(|_| !stranded) {
            let looks = self.desks().timers.due(&TimerId::Look(id.clone()));
            assert!(looks.is_some_and(|at| at <= change), "nobody looks when {id} opens or closes");
        }
    }
}
