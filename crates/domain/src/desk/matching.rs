//! Who gets whom: the rules by which waiting conversations and agents are brought together.
//!
//! The order of those who wait: the effective priority of their queue and their own points, higher first; then who was here
//! before; then the longest waiting. Each gets, among the agents who can take it, the one that the queue's selection ranks first.
//!
//! Before a decision no one who waits has an agent who is free for it. So only what the decision changed can make a
//! pair: an agent who has room now looks at the head of each line that is open to such agents, and a conversation
//! that waits now looks at the head of each pool that can take it. That costs by the number of classes. Within a line
//! whoever is further behind has waited less and needs no less, so a head that nobody can take stands for its line.
//! A line of a queue that is closed has no head.
//!
//! An agent who refused a conversation (declined it, or let its offer expire) is passed over for it. If nobody
//! else is suitable, the conversation rests for as long as that agent had been given to answer; then the refusals
//! are forgotten and it is offered again. So nobody waits for ever, and nobody is asked in a tight loop.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{Millis, Timestamp, policy::Queue};

use super::{
    Event, Presence,
    choice::{Choice, choose},
    draft::Draft,
    index::{Index, Room, Served},
    state::{Line, Place},
};

/// An agent gets at least this long to answer, whatever the policy says: an offer that ends as it begins would
/// be made again and again.
const SHORTEST_OFFER: Millis = Millis::seconds(1);

/// Between whom new pairs may have come up.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    /// What this decision has changed.
    Touched,
    /// Besides, everyone in this queue and in others that are due for a look: time alone changed something.
    Due(&'a Arc<str>),
    /// Anyone: the rules are other ones than before.
    Everyone,
}

/// Makes every offer that can be made. Agents only lose room on the way, so each conversation is looked at once.
pub(super) fn offer_all(draft: &mut Draft, scope: Scope) {
    let Some(index) = draft.index() else { return };
    let mut seekers = Seekers::of(draft, &index);
    let mut heads = Heads::of(draft, &index, scope, &seekers);
    while let Some((place, head)) = heads.pop() {
        // Who leads a line is looked at for those who seek; who has changed, for everyone.
        let leads = head.leads
            && (!matches!(scope, Scope::Touched)
                || seekers.could_take(&index, draft.context.now, &head.line, place));
        if !leads && !head.changed {
            continue;
        }
        let Some(Choice { agent, why }) = choose(draft, &index, place) else { continue };
        match agent {
            Some(agent) => {
                if draft.defer_if_full() {
                    return;
                }
                let Some((queue, _)) = index.queue(&head.line.queue) else { continue };
                let expires_at = draft.context.now + queue.offer_timeout.max(SHORTEST_OFFER);
                let agent = &index.agents[agent as usize].id;
                if let Some(offer) = draft.offer(place, agent, expires_at, why)
                    && let Some(waiting) = draft.waiting(place.conversation)
                    && (queue.auto_accept || waiting.is_asked_for_by(&agent.name))
                {
                    let (conversation, owner_epoch) = (place.conversation, waiting.owner_epoch);
                    let agent = agent.clone();
                    draft.push(Event::AcceptedByRule { offer, conversation, owner_epoch, agent });
                }
                seekers = Seekers::of(draft, &index);
            }
            // Nobody for this one is nobody for those behind it, unless it is its own refusals that stand against it.
            None if why.considered.refused == 0 => continue,
            None => {}
        }
        if leads {
            heads.follow(draft, &index, head.line, place);
        }
    }
}

/// The conversations to look at next, in the order in which they are served.
#[derive(Default)]
struct Heads(BTreeMap<(Reverse<i64>, Place), Head>);

struct Head {
    line: Line,
    /// This decision has changed it.
    changed: bool,
    /// It stands for its line: the next one follows.
    leads: bool,
}

impl Heads {
    fn of(draft: &Draft, index: &Index, scope: Scope, seekers: &Seekers) -> Heads {
        let mut heads = Heads::default();
        for (place, line) in draft.touched_waiting() {
            heads.put(draft, index, &line, place, |head| head.changed = true);
        }
        let mut lines: BTreeSet<Line> = BTreeSet::new();
        match scope {
            Scope::Touched => {}
            Scope::Due(queue) => lines.extend(draft.lines_due(queue)),
            Scope::Everyone => lines.extend(draft.lines()),
        }
        for seeker in &seekers.0 {
            lines.extend(draft.lines_wanting(&seeker.name));
            for (queue, _) in &index.profile(seeker.number).serves {
                for (line, place) in draft.heads_of(queue) {
                    if seeker.room.has(line.channel) {
                        heads.put(draft, index, line, place, |head| head.leads = true);
                    }
                }
            }
        }
        for line in lines {
            for place in [false, true].into_iter().filter_map(|newcomer| draft.next_in(&line, newcomer, None))
            {
                heads.put(draft, index, &line, place, |head| head.leads = true);
            }
        }
        heads
    }

    /// Who stands behind a place of a line.
    fn follow(&mut self, draft: &Draft, index: &Index, line: Line, behind: Place) {
        if let Some(place) = draft.next_in(&line, behind.newcomer, Some(behind)) {
            self.put(draft, index, &line, place, |head| head.leads = true);
        }
    }

    /// A queue that the policy does not know waits for one that does.
    fn put(&mut self, draft: &Draft, index: &Index, line: &Line, place: Place, note: impl FnOnce(&mut Head)) {
        let now = draft.context.now;
        if let Some((queue, served)) = index.queue(&line.queue)
            && served.opening.is_open_to(line, now)
        {
            let waited = served.opening.waited(place, now);
            let priority = queue.priority_after(waited, !place.newcomer) + line.points();
            let head = self.0.entry((Reverse(priority), place));
            note(head.or_insert_with(|| Head { line: line.clone(), changed: false, leads: false }));
        }
    }

    fn pop(&mut self) -> Option<(Place, Head)> {
        self.0.pop_first().map(|((_, place), head)| (place, head))
    }
}

/// The agents that this decision has changed and who have room after it.
struct Seekers(Vec<Seeker>);

struct Seeker {
    name: Arc<str>,
    number: u32,
    room: Room,
}

impl Seekers {
    fn of(draft: &Draft, index: &Index) -> Seekers {
        let available = draft.touched_agents().filter(|(_, agent)| agent.presence == Presence::Available);
        let seekers = available.filter_map(|(name, agent)| {
            let number = index.number(name)?;
            let room = Room::of(&agent.load, &index.profile(number).capacity);
            (room != Room::default()).then(|| Seeker { name: name.clone(), number, room })
        });
        Seekers(seekers.collect())
    }

    /// Whether one of them can take this head of a line, refused or not.
    fn could_take(&self, index: &Index, now: Timestamp, line: &Line, place: Place) -> bool {
        let stage = |(queue, served): (&Queue, &Served)| queue.stage(served.opening.waited(place, now));
        let stage = index.queue(&line.queue).map_or(0, stage);
        let able = |seeker: &Seeker| match &line.wanted {
            Some(wanted) => seeker.name == *wanted,
            None => index.is_able(seeker.number, line, stage),
        };
        let has_room = |seeker: &&Seeker| seeker.room.has(line.channel);
        self.0.iter().filter(has_room).any(able)
    }
}
