//! What becomes of those who wait on: told why, sent on to another queue, or looked at again when waiting alone has
//! changed something.
//!
//! A queue's relaxations, and its overflow after some waiting, need no timer for each conversation: in a line the
//! longest waiting stand first, so the desk keeps one time a queue, the next at which anyone there passes a mark.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    ConversationId, Millis, Party, QueueId, Timestamp,
    policy::{Queue, WhenClosed},
};

use super::{
    Event, OverflowBecause, StrandedBecause, choice,
    draft::Draft,
    index::{Index, Served},
    state::{Line, Place, Waiting},
};

/// So many lines are told of at most: a decision is bounded, and who reads of so many knows.
const MOST_TOLD: usize = 100;

/// Sees to everyone whom this decision leaves waiting.
pub(super) fn settle_touched(draft: &mut Draft) {
    let Some(index) = draft.index() else { return };
    let now = draft.context.now;
    for (place, line) in draft.touched_waiting() {
        let queue_id = draft.queue_id(&line.queue);
        let (conversation, Some(waiting)) = (place.conversation, draft.waiting(place.conversation)) else {
            continue;
        };
        let known = index.queue(&line.queue);
        let stranded = strands(&index, &line);
        let overflow =
            known.and_then(|known| overflows(known, &line, place, waiting, stranded.is_some(), now));
        // What a decision cannot hold, a later one does.
        if draft.defer_if_full() {
            return;
        }
        if let Some((to, because)) = overflow {
            overflow_to(draft, place, &line, to, because);
            continue;
        }
        if let Some(because) = stranded {
            draft.push(Event::Stranded { conversation, queue: queue_id.clone(), because });
        }
        let Some((queue, served)) = known else { continue };
        if !served.opening.is_open_to(&line, now) {
            find_closed(draft, queue, served, place, &line);
        } else if stranded.is_none()
            && let Some(choice) = choice::choose(draft, &index, place)
        {
            draft.push(Event::Waits { conversation, queue: queue_id, why: choice.why });
        }
        if stranded.is_none() {
            let marks = served.opening.counts_from(place, now).and_then(|from| {
                let after = queue.next_change(now - from)?;
                Some(from + after)
            });
            let next = marks.into_iter().chain(served.opening.next_change(now)).min();
            look_at(draft, &line.queue, next, false);
        }
    }
}

/// Sees to everyone in a queue whose waiting may have passed a mark, or that is closed. `fired`: this is the look that
/// was set.
pub(super) fn look_over(draft: &mut Draft, name: &Arc<str>, fired: bool) {
    let Some(index) = draft.index() else { return };
    let Some((queue, served)) = index.queue(name) else { return };
    let now = draft.context.now;
    let mut next = None;
    for line in &draft.lines_in(name).collect::<Vec<_>>() {
        let is_closed = !served.opening.is_open_to(line, now);
        for newcomer in [false, true] {
            let mut seen = None;
            while let Some(place) = draft.next_in(line, newcomer, seen)
                && let Some(waiting) = draft.waiting(place.conversation)
            {
                let overflow = overflows((queue, served), line, place, waiting, false, now);
                if overflow.is_none() && !is_closed {
                    break;
                }
                if draft.defer_if_full() {
                    return;
                }
                match overflow {
                    Some((to, because)) => overflow_to(draft, place, line, to, because),
                    None => {
                        find_closed(draft, queue, served, place, line);
                        seen = Some(place);
                    }
                }
            }
            next = next.into_iter().chain(next_mark(draft, queue, served, line, newcomer)).min();
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
    let hopeless = line.wanted.is_none() && !index.could_ever(line);
    hopeless.then_some(StrandedBecause::NoAgent)
}

/// Where a conversation goes on to, and why, if it does. `hopeless`: nobody here could ever take it.
fn overflows(
    (queue, served): (&Queue, &Served),
    line: &Line,
    place: Place,
    waiting: &Waiting,
    hopeless: bool,
    now: Timestamp,
) -> Option<(QueueId, OverflowBecause)> {
    if let Some(WhenClosed::Overflow(to)) = &queue.when_closed
        && !served.opening.is_open_to(line, now)
    {
        return Some((to.clone(), OverflowBecause::Closed));
    }
    let overflow = queue.overflow.as_ref()?;
    let because = if hopeless {
        OverflowBecause::NoAgent
    } else if overflow.after.is_some_and(|after| served.opening.waited(place, now) >= after) {
        OverflowBecause::Waited
    } else if overflow.refusals.is_some_and(|most| waiting.refusals() >= most) {
        OverflowBecause::Refused
    } else {
        return None;
    };
    Some((overflow.to.clone(), because))
}

/// Once until it opens, it is said of a conversation that its queue is closed.
fn find_closed(draft: &mut Draft, queue: &Queue, served: &Served, place: Place, line: &Line) {
    let Some(waiting) = draft.waiting(place.conversation) else { return };
    if waiting.found_closed.is_some_and(|then| served.opening.has_been_closed_since(then, draft.context.now))
    {
        return;
    }
    let (conversation, owner_epoch) = (place.conversation, waiting.owner_epoch);
    let until = served.opening.next_change(draft.context.now);
    let say = matches!(queue.when_closed, Some(WhenClosed::Say(_) | WhenClosed::Callback(_)));
    let queue = draft.queue_id(&line.queue);
    draft.push(Event::QueueClosed { conversation, owner_epoch, queue, until, say });
}

fn overflow_to(draft: &mut Draft, place: Place, line: &Line, to: QueueId, because: OverflowBecause) {
    let Some(waiting) = draft.waiting(place.conversation) else { return };
    let (owner_epoch, since) = (waiting.owner_epoch, waiting.since);
    let (conversation, queue) = (place.conversation, draft.queue_id(&line.queue));
    draft.push(Event::Overflowing { conversation, owner_epoch, queue, to, since, because });
}

/// When something changes for one in line: the next passes a mark of the queue by waiting, or it opens or closes.
fn next_mark(
    draft: &Draft,
    queue: &Queue,
    served: &Served,
    line: &Line,
    newcomer: bool,
) -> Option<Timestamp> {
    let now = draft.context.now;
    let head = draft.next_in(line, newcomer, None)?;
    let marks = queue.relaxations.iter().map(|relaxation| relaxation.after);
    let marks = marks.chain(queue.overflow.as_ref().and_then(|overflow| overflow.after));
    let passes = marks.filter_map(|mark: Millis| {
        if served.opening.waited(head, now) < mark {
            return Some(served.opening.counts_from(head, now)? + mark);
        }
        // Behind everyone who has waited that long.
        let since = Timestamp(now.0.saturating_sub_unsigned(mark.0));
        let last = ConversationId { party: Party([u8::MAX; 16]), number: u32::MAX };
        let behind = Place { newcomer, since, conversation: last };
        Some(draft.next_in(line, newcomer, Some(behind))?.since + mark)
    });
    passes.chain(served.opening.next_change(now)).min()
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
