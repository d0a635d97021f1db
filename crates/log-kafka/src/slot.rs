//! A partition as this process knows it: how far it is known to reach, and its latest records in memory.
//!
//! Two bring news. The tail brings every record in order; the producer brings what this process appended itself, which
//! is taken at once where nothing is missing before it, and otherwise only says how far the partition reaches: a reader
//! who asks for that waits until the tail has brought it. So whoever appended reads his own.

use std::{
    collections::VecDeque,
    ops::Deref,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use log::{Error, Limit, Partition, Record};
use tokio::sync::watch;

/// What one record costs in memory beside its bytes, about.
const OVERHEAD: usize = 64;

pub(crate) struct Slot {
    pub(crate) partition: Partition,
    /// Where it stands among all slots.
    index: usize,
    /// Bytes of its appends that are not acknowledged yet.
    pub(crate) queued: AtomicUsize,
    /// Who reads it now, or waits for what comes.
    readers: AtomicUsize,
    /// Somebody has, since that was last asked.
    was_read: AtomicBool,
    window: Mutex<Window>,
    reach: watch::Sender<Reach>,
}

struct Window {
    /// None is kept below, as far as we know.
    start: u64,
    /// Everything below is durable; there may be more.
    end: u64,
    /// With a tail: what it has brought.
    tail: Option<Tail>,
}

/// `records` are all from `from` to `next`; only the tail knows what stands at `next`.
struct Tail {
    from: u64,
    next: u64,
    records: VecDeque<Record>,
}

/// What waiting readers watch.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Reach {
    end: u64,
    next: u64,
    open: bool,
}

pub(crate) enum Found {
    Here(Vec<Record>),
    /// It has left memory; the cluster has it. All before `end` is there.
    Older {
        end: u64,
    },
    /// It is there, and the tail is about to bring it.
    Coming,
}

impl Slot {
    pub(crate) fn new(partition: Partition, index: usize) -> Self {
        Slot {
            partition,
            index,
            queued: AtomicUsize::new(0),
            readers: AtomicUsize::new(0),
            was_read: AtomicBool::new(false),
            window: Mutex::new(Window { start: 0, end: 0, tail: None }),
            reach: watch::Sender::new(Reach { end: 0, next: 0, open: true }),
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        lock(&self.window)
    }

    /// Said before it is followed, and kept for as long as it is read.
    pub(crate) fn reading(&self) -> Reading<'_> {
        self.readers.fetch_add(1, Relaxed);
        Reading(self)
    }

    /// Nobody reads it, and nobody has since this was last asked.
    pub(crate) fn is_idle(&self) -> bool {
        let was_read = self.was_read.swap(false, Relaxed);
        self.readers.load(Relaxed) == 0 && !was_read
    }

    pub(crate) fn recent(&self, from: u64, limit: Limit) -> Result<Found, Error> {
        let window = self.window();
        if from < window.start {
            return Err(Error::Trimmed { partition: self.partition, from, start: window.start });
        }
        if from >= window.end {
            return Ok(Found::Here(Vec::new()));
        }
        match &window.tail {
            Some(tail) if from >= tail.next => Ok(Found::Coming),
            Some(tail) if from >= tail.from => {
                let skipped = tail.records.partition_point(|record| record.position < from);
                let wanted = || tail.records.range(skipped..);
                Ok(Found::Here(wanted().take(limit.fitting(wanted())).cloned().collect()))
            }
            Some(tail) => Ok(Found::Older { end: tail.from }),
            None => Ok(Found::Older { end: window.end }),
        }
    }

    /// Yields once the partition is known to reach beyond `from`.
    pub(crate) async fn reaches(&self, from: u64) -> Result<(), Error> {
        self.watch(|reach| reach.end > from).await
    }

    /// Yields once the tail has brought what stands at `from`.
    pub(crate) async fn brings(&self, from: u64) -> Result<(), Error> {
        self.watch(|reach| reach.next > from).await
    }

    async fn watch(&self, mut reached: impl FnMut(&Reach) -> bool) -> Result<(), Error> {
        let mut reach = self.reach.subscribe();
        match reach.wait_for(|reach| reached(reach) || !reach.open).await {
            Ok(reach) if reach.open || reached(&reach) => Ok(()),
            _ => Err(Error::Closed),
        }
    }

    /// From now on a tail brings what stands at `next` and after. What it had brought before, if it is there anew, has
    /// left memory.
    pub(crate) fn followed_from(&self, start: u64, next: u64) {
        {
            let mut window = self.window();
            window.start = window.start.max(start);
            window.end = window.end.max(next);
            window.tail = Some(Tail { from: next, next, records: VecDeque::new() });
        }
        self.announce();
    }

    /// Nothing brings what stands there any more.
    pub(crate) fn followed_no_more(&self) {
        self.window().tail = None;
    }

    /// One past the last durable record that we know of.
    pub(crate) fn end(&self) -> u64 {
        self.window().end
    }

    /// How far the partition reached when the cluster was asked.
    pub(crate) fn learnt(&self, start: u64, end: u64) {
        {
            let mut window = self.window();
            window.start = window.start.max(start);
            window.end = window.end.max(end);
        }
        self.announce();
    }

    /// The tail's next records, in order.
    pub(crate) fn brought(&self, records: impl IntoIterator<Item = Record>, memory: &Memory) {
        let mut bytes = 0;
        let next = {
            let mut window = self.window();
            let Some(tail) = &mut window.tail else { return };
            for record in records {
                match record.position {
                    known if known < tail.next => continue,
                    position if position > tail.next => {
                        // Something is missing before it. Who asks for that finds out from the cluster what it is.
                        tail.records.clear();
                        tail.from = position;
                    }
                    _ => {}
                }
                bytes += record.bytes.len() + OVERHEAD;
                tail.next = record.position + 1;
                tail.records.push_back(record);
            }
            let next = tail.next;
            window.end = window.end.max(next);
            next
        };
        self.announce();
        if bytes > 0 {
            memory.holds(self.index, next, bytes);
        }
    }

    /// What this process appended stands in the log.
    pub(crate) fn appended(&self, record: Record, memory: &Memory) {
        let position = record.position;
        let joins = {
            let mut window = self.window();
            window.end = window.end.max(position + 1);
            window.tail.as_ref().is_some_and(|tail| tail.next == position)
        };
        // Between the two looks the tail may have brought it; then it is there already.
        match joins {
            true => self.brought([record], memory),
            false => self.announce(),
        }
    }

    /// What the tail brings next, where there is one.
    pub(crate) fn awaits(&self) -> Option<u64> {
        self.window().tail.as_ref().map(|tail| tail.next)
    }

    /// Whether what stands at this offset was brought already.
    pub(crate) fn has(&self, offset: i64) -> bool {
        u64::try_from(offset).is_ok_and(|position| position < self.reach.borrow().next)
    }

    /// The tail does not know what it should bring: what has not arrived is asked for anew by who wants it.
    pub(crate) fn doubt(&self) {
        {
            let mut window = self.window();
            let end = window.end;
            if let Some(tail) = &mut window.tail {
                *tail = Tail { from: end.max(tail.next), next: end.max(tail.next), records: VecDeque::new() };
            }
        }
        self.announce();
    }

    /// Lets go of the records in memory below `before`.
    fn forget(&self, before: u64) {
        if let Some(tail) = &mut self.window().tail {
            while tail.records.front().is_some_and(|record| record.position < before) {
                tail.records.pop_front();
            }
            tail.from = tail.from.max(before.min(tail.next));
        }
    }

    /// There will be no more: those who wait are told.
    pub(crate) fn shut(&self) {
        self.reach.send_modify(|reach| reach.open = false);
    }

    fn announce(&self) {
        let (end, next) = {
            let window = self.window();
            (window.end, window.tail.as_ref().map_or(0, |tail| tail.next))
        };
        self.reach.send_if_modified(|reach| {
            let before = *reach;
            // Two may announce at a time; the later word may come first.
            (reach.end, reach.next) = (reach.end.max(end), reach.next.max(next));
            *reach != before
        });
    }

    /// Takes room for an append; an append larger than the bound is taken when nothing else queues.
    pub(crate) fn queue(&self, bytes: usize, bound: usize) -> Result<(), Error> {
        reserve(&self.queued, bytes, bound).then_some(()).ok_or(Error::Full(self.partition))
    }
}

/// Somebody reads; see [`Slot::reading`].
pub(crate) struct Reading<'a>(&'a Slot);

impl Deref for Reading<'_> {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        self.0
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.was_read.store(true, Relaxed);
        self.0.readers.fetch_sub(1, Relaxed);
    }
}

/// Takes `bytes` of what `bound` allows in all. What is larger than that is taken alone.
pub(crate) fn reserve(taken: &AtomicUsize, bytes: usize, bound: usize) -> bool {
    let more = |taken| (taken == 0 || taken + bytes <= bound).then_some(taken + bytes);
    taken.fetch_update(Relaxed, Relaxed, more).is_ok()
}

/// What all slots together hold in memory, oldest first, within a bound.
pub(crate) struct Memory {
    bound: usize,
    held: Mutex<Held>,
    slots: Vec<Slot>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    /// Slot, position after, bytes.
    pieces: VecDeque<(usize, u64, usize)>,
}

impl Memory {
    pub(crate) fn new(slots: Vec<Slot>, bound: usize) -> Self {
        Memory { bound, held: Mutex::default(), slots }
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Nothing of this slot is held any more.
    pub(crate) fn let_go(&self, index: usize) {
        let mut held = lock(&self.held);
        let Held { bytes, pieces } = &mut *held;
        pieces.retain(|(of, _, size)| {
            *bytes -= if *of == index { *size } else { 0 };
            *of != index
        });
    }

    fn holds(&self, index: usize, before: u64, bytes: usize) {
        let mut leaving = Vec::new();
        {
            let mut held = lock(&self.held);
            held.bytes += bytes;
            held.pieces.push_back((index, before, bytes));
            while held.bytes > self.bound {
                let Some((index, before, bytes)) = held.pieces.pop_front() else { break };
                held.bytes -= bytes;
                leaving.push((index, before));
            }
        }
        for (index, before) in leaving {
            self.slots[index].forget(before);
        }
    }
}

/// Every section under these locks leaves its data whole, so a panic elsewhere does not spoil them.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
