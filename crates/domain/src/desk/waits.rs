//! What becomes of those who wait on: told why, sent on to another queue, or looked at again when waiting alone has
//! changed something.
//!
//! A queue's relaxations, and its overflow after some waiting, need no timer for each conversation: in a line the
//! longest waiting stand first, so the desk keeps one time a queue, the next at which anyone there passes a mark.

use std::{collections::BTreeSet, sync::Arc};

use crate::{ConversationId, Millis, Party, QueueId, Timestamp, policy::Queue};

use super::{
    Event, OverflowBecause, StrandedBecause, choice,
    draft::Draft,
    index::Index,
    state::{Line, Place, Waiting},
};

/// So many lines are told of at most: a decision is bounded, and who reads of so many knows.
const MOST_TOLD: usize = 100;

/// Sees to everyone whom this decision leaves waiting.
pub(super) fn settle_touched(draft: &mut Draft) {
    let Some(index) = draft.index() else { return };
    for (place, line) in draft.touched_waiting() {
        let queue_id = draft.queue_id(&line.queue);
        let (conversation, Some(waiting)) = (place.conversation, draft.waiting(place.conversation)) else {
            continue;
        };
        let queue = index.queue(&line.queue).map(|(queue, _)| queue);
        let stranded = strands(&index, &line);
        let overflow = queue.and_then(|queue| {
            let hopeless = stranded.map(|_| OverflowBecause::NoAgent);
            let because = hopeless.or_else(|| overflows(queue, waiting, draft.context.now))?;
            Some((queue.overflow.as_ref()?.to.clone(), because))
        });
        // What a decision cannot hold, a later one does.
        if draft.defer_if_full() {
            return;
        }
        match (overflow, stranded) {
            (Some((to, because)), _) => overflow_to(draft, place, &line, to, because),
            (None, Some(because)) => draft.push(Event::Stranded { conversation, queue: queue_id, because }),
            (None, None) => {
                if let Some(choice) = choice::choose(draft, &index, place) {
                    draft.push(Event::Waits { conversation, queue: queue_id, why: choice.why });
                }
                if let Some(queue) = queue {
                    let waited = draft.context.now - place.since;
                    let next = queue.next_change(waited).map(|after| place.since + after);
                    look_at(draft, &line.queue, next, false);
                }
            }
        }
    }
}

/// Sees to everyone in a queue whose waiting may have passed a mark. `fired`: this is the look that was set.
pub(super) fn look_over(draft: &mut Draft, name: &Arc<str>, fired: bool) {
    let Some(index) = draft.index() else { return };
    let Some((queue, _)) = index.queue(name) else { return };
    let mut next = None;
    for line in &draft.lines_in(name).collect::<Vec<_>>() {
        for newcomer in [false, true] {
            while let Some(place) = draft.next_in(line, newcomer, None)
                && let Some(waiting) = draft.waiting(place.conversation)
                && let Some(because) = overflows(queue, waiting, draft.context.now)
                && let Some(overflow) = &queue.overflow
            {
                if draft.defer_if_full() {
                    return;
                }
                overflow_to(draft, place, line, overflow.to.clone(), because);
            }
            next = next.into_iter().chain(next_mark(draft, queue, line, newcomer)).min();
        }
    }
    look_at(draft, name, next, fired);
}

/// Under other rules than before, everyone in every queue is seen to.
pub(super) fn look_over_all(draft: &mut Draft) {
    let names: BTreeSet<_> = draft.lines().into_iter().map(|line| line.queue).collect();
    for name in names {
        if draft.defer_if_full() {
            return;
        }
        look_over(draft, &name, false);
    }
}

/// Says under a new policy which lines wait in vain; the head of each stands for it.
pub(super) fn tell_stranded(draft: &mut Draft) {
    let Some(index) = draft.index() else { return };
    let lines = draft.lines().into_iter();
    let stranded = lines.filter_map(|line| Some((strands(&index, &line)?, line)));
    for (because, line) in stranded.take(MOST_TOLD).collect::<Vec<_>>() {
        let mut heads = [false, true].into_iter().filter_map(|newcomer| draft.next_in(&line, newcomer, None));
        if let Some(place) = heads.next() {
            let (conversation, queue) = (place.conversation, draft.queue_id(&line.queue));
            let told = Event::Stranded { conversation, queue, because };
            if !draft.has(&told) {
                draft.push(told);
            }
        }
    }
}

fn strands(index: &Index, line: &Line) -> Option<StrandedBecause> {
    if index.queue(&line.queue).is_none() {
        return Some(StrandedBecause::NoQueue);
    }
    let hopeless = line.wanted.is_none() && !index.could_ever(&line.queue, line.channel);
    hopeless.then_some(StrandedBecause::NoAgent)
}

fn overflows(queue: &Queue, waiting: &Waiting, now: Timestamp) -> Option<OverflowBecause> {
    let overflow = queue.overflow.as_ref()?;
    if overflow.after.is_some_and(|after| now - waiting.since >= after) {
        Some(OverflowBecause::Waited)
    } else if overflow.refusals.is_some_and(|most| waiting.refusals() >= most) {
        Some(OverflowBecause::Refused)
    } else {
        None
    }
}

fn overflow_to(draft: &mut Draft, place: Place, line: &Line, to: QueueId, because: OverflowBecause) {
    let Some(waiting) = draft.waiting(place.conversation) else { return };
    let (owner_epoch, since) = (waiting.owner_epoch, waiting.since);
    let (conversation, queue) = (place.conversation, draft.queue_id(&line.queue));
    draft.push(Event::Overflowing { conversation, owner_epoch, queue, to, since, because });
}

/// When the next in line passes a mark of its queue by waiting.
fn next_mark(draft: &Draft, queue: &Queue, line: &Line, newcomer: bool) -> Option<Timestamp> {
    let marks = queue.relaxations.iter().map(|relaxation| relaxation.after);
    let marks = marks.chain(queue.overflow.as_ref().and_then(|overflow| overflow.after));
    let passes = marks.filter_map(|mark: Millis| {
        // Behind everyone who has waited that long.
        let since = Timestamp(draft.context.now.0.saturating_sub_unsigned(mark.0));
        let last = ConversationId { party: Party([u8::MAX; 16]), number: u32::MAX };
        let behind = Place { newcomer, since, conversation: last };
        Some(draft.next_in(line, newcomer, Some(behind))?.since + mark)
    });
    passes.min()
}

/// Has the desk look at a queue at a time, unless it does so before anyway.
fn look_at(draft: &mut Draft, name: &Arc<str>, at: Option<Timestamp>, fired: bool) {
    let Some(at) = at else { return };
    let queue = draft.queue_id(name);
    let set = draft.looks_at(&queue).filter(|set| !fired || *set > draft.context.now);
    if set.is_none_or(|set| set > at) {
        draft.push(Event::LookSet { queue, at });
    }
}
