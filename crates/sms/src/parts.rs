//! Puts the parts of long messages together again: in whatever order they come, however often, and never for ever.
//!
//! Generic over what a part holds, so that whoever keeps parts elsewhere as well can find them there. Time comes in with
//! the call, in milliseconds.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// Which message a part belongs to, as far as a network tells: the sender counts references, and begins anew after 256.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    pub from: String,
    pub to: String,
    pub reference: u16,
    /// References of 8 and of 16 bits are counted apart.
    pub wide: bool,
    pub total: u8,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part<T> {
    pub key: Key,
    /// From 1 to the key's total; anything else is taken for the nearest.
    pub number: u8,
    pub item: T,
}

/// A message as far as its parts came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assembled<T> {
    pub key: Key,
    /// As many as there should be, in order; `None` for those that never came.
    pub parts: Vec<Option<T>>,
}

impl<T> Assembled<T> {
    pub fn is_whole(&self) -> bool {
        self.parts.iter().all(Option::is_some)
    }
}

/// How much is kept, and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Parts kept in all; the oldest messages are given out as they are for newer ones.
    pub parts: usize,
    /// How long a message waits for its parts, from the first on.
    pub patience: i64,
    /// How long a message is remembered that was given out, for parts that come again.
    pub memory: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { parts: 10_000, patience: 24 * 3_600_000, memory: 5 * 60_000 }
    }
}

/// Messages that wait for parts.
#[derive(Debug)]
pub struct Assembler<T> {
    limits: Limits,
    waiting: BTreeMap<Key, Waiting<T>>,
    /// Keys in the order they began to wait. One that waits no more, or anew, is skipped by its number.
    order: VecDeque<(Key, u64)>,
    /// What was given out not long ago, with the parts it had.
    done: HashMap<Key, (i64, BTreeMap<u8, T>)>,
    /// The same, oldest first. What was given out again since is skipped by its time.
    done_order: VecDeque<(i64, Key)>,
    parts: usize,
    begun: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    number: u64,
    since: i64,
    parts: BTreeMap<u8, T>,
}

impl<T: Clone + PartialEq> Assembler<T> {
    pub fn new(limits: Limits) -> Self {
        Assembler {
            limits,
            waiting: BTreeMap::new(),
            order: VecDeque::new(),
            done: HashMap::new(),
            done_order: VecDeque::new(),
            parts: 0,
            begun: 0,
        }
    }

    /// Parts that wait for others.
    pub fn len(&self) -> usize {
        self.parts
    }

    pub fn is_empty(&self) -> bool {
        self.parts == 0
    }

    /// What this part makes whole, and what must be given out for it: messages that waited too long, that are the oldest of
    /// too many, or whose reference means another message by now. A part that came before gives nothing.
    pub fn take(&mut self, now: i64, part: Part<T>) -> Vec<Assembled<T>> {
        let mut out = self.expire(now);
        let Part { key, number, item } = part;
        let number = number.clamp(1, key.total.max(1));
        if self.done.get(&key).is_some_and(|(_, parts)| parts.get(&number) == Some(&item)) {
            return out;
        }
        match self.waiting.get(&key).and_then(|waiting| waiting.parts.get(&number)) {
            Some(known) if *known == item => return out,
            // The same place of the same message, with something else in it: the reference was used again.
            Some(_) => out.extend(self.give_out(now, &key)),
            None => {}
        }
        while self.parts >= self.limits.parts && self.parts > 0 {
            match self.order.pop_front() {
                Some((oldest, number)) if self.is_waiting(&oldest, number) => {
                    out.extend(self.give_out(now, &oldest))
                }
                Some(_) => {}
                None => break,
            }
        }
        if !self.waiting.contains_key(&key) {
            self.begun += 1;
            self.order.push_back((key.clone(), self.begun));
            self.waiting
                .insert(key.clone(), Waiting { number: self.begun, since: now, parts: BTreeMap::new() });
        }
        if let Some(waiting) = self.waiting.get_mut(&key) {
            waiting.parts.insert(number, item);
            self.parts += 1;
            if waiting.parts.len() == usize::from(key.total.max(1)) {
                out.extend(self.give_out(now, &key));
            }
        }
        out
    }

    /// What has waited long enough.
    pub fn expire(&mut self, now: i64) -> Vec<Assembled<T>> {
        let (patience, memory) = (self.limits.patience, self.limits.memory);
        while let Some((at, key)) =
            self.done_order.pop_front_if(|(at, _)| now - *at > memory || self.done.len() > self.limits.parts)
        {
            if self.done.get(&key).is_some_and(|(done, _)| *done == at) {
                self.done.remove(&key);
            }
        }
        let mut out = Vec::new();
        while let Some((key, number)) = self.order.front() {
            let waits = self.is_waiting(key, *number);
            if waits && self.waiting.get(key).is_some_and(|waiting| now - waiting.since <= patience) {
                break;
            }
            let key = key.clone();
            self.order.pop_front();
            if waits {
                out.extend(self.give_out(now, &key));
            }
        }
        out
    }

    /// Parts of it came, and others did not.
    pub fn waits_for(&self, key: &Key) -> bool {
        self.waiting.contains_key(key)
    }

    /// What was given out was lost: its parts are to count again.
    pub fn forget(&mut self, key: &Key) {
        self.done.remove(key);
    }

    fn is_waiting(&self, key: &Key, number: u64) -> bool {
        self.waiting.get(key).is_some_and(|waiting| waiting.number == number)
    }

    fn give_out(&mut self, now: i64, key: &Key) -> Option<Assembled<T>> {
        let waiting = self.waiting.remove(key)?;
        self.parts -= waiting.parts.len();
        let parts = (1..=key.total.max(1)).map(|number| waiting.parts.get(&number).cloned()).collect();
        self.done_order.push_back((now, key.clone()));
        self.done.insert(key.clone(), (now, waiting.parts));
        Some(Assembled { key: key.clone(), parts })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(reference: u16, total: u8) -> Key {
        Key { from: "+4915112345678".into(), to: "+15550100".into(), reference, wide: false, total }
    }

    fn part(reference: u16, total: u8, number: u8) -> Part<String> {
        Part { key: key(reference, total), number, item: format!("{reference}.{number}") }
    }

    fn assembler() -> Assembler<String> {
        Assembler::new(Limits { parts: 8, patience: 1_000, memory: 100 })
    }

    fn told(assembled: &[Assembled<String>]) -> Vec<String> {
        let one = |it: &Assembled<String>| {
            it.parts.iter().map(|it| it.as_deref().unwrap_or("?")).collect::<Vec<_>>().join(" ")
        };
        assembled.iter().map(one).collect()
    }

    #[test]
    fn parts_in_any_order_and_more_than_once_are_one_message() {
        let mut assembler = assembler();
        for number in [3, 1, 3] {
            assert!(assembler.take(0, part(7, 3, number)).is_empty());
        }
        assert_eq!(told(&assembler.take(1, part(7, 3, 2))), ["7.1 7.2 7.3"]);
        assert!(assembler.is_empty());
        assert!(assembler.take(50, part(7, 3, 2)).is_empty(), "it was there before");
        assert!(assembler.is_empty());
        assert!(assembler.take(500, part(7, 3, 2)).is_empty());
        assert_eq!(assembler.len(), 1, "long after it is another message");
    }

    #[test]
    fn what_never_comes_is_not_waited_for() {
        let mut assembler = assembler();
        assembler.take(0, part(1, 255, 9));
        assert!(assembler.expire(1_000).is_empty());
        let [gone] = &assembler.expire(1_001)[..] else { panic!("one message") };
        assert!(!gone.is_whole());
        assert_eq!((gone.parts.len(), gone.parts[8].as_deref()), (255, Some("1.9")));
        assert!(assembler.is_empty());
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let mut assembler = assembler();
        let mut out = 0;
        for reference in 0..100 {
            out += assembler.take(0, part(reference, 255, 1)).len();
            assert!(assembler.len() <= 8);
        }
        assert_eq!(out, 92);
        assert!(assembler.order.len() <= 16);
    }

    #[test]
    fn a_reference_that_is_used_again_is_another_message() {
        let mut assembler = assembler();
        assembler.take(0, part(1, 2, 1));
        let other = Part { item: "other".to_owned(), ..part(1, 2, 1) };
        assert_eq!(told(&assembler.take(1, other)), ["1.1 ?"]);
        assert_eq!(told(&assembler.take(2, part(1, 2, 2))), ["other 1.2"]);
    }

    proptest! {
        #[test]
        fn every_message_comes_out_once_whatever_the_order(
            totals in proptest::collection::vec(1_u8..6, 1..12),
            seed in any::<u64>(),
            doubled in any::<bool>(),
        ) {
            let mut parts: Vec<_> = totals
                .iter()
                .zip(0..)
                .flat_map(|(total, reference)| (1..=*total).map(move |number| part(reference, *total, number)))
                .collect();
            if doubled {
                parts.extend(parts.clone());
            }
            // A shuffle that needs no more than a seed.
            parts.sort_by_key(|part| {
                let mixed = (u64::from(part.key.reference) << 8 | u64::from(part.number)) ^ seed;
                mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
            });
            let mut assembler = Assembler::new(Limits::default());
            let out: Vec<_> = parts.into_iter().flat_map(|part| assembler.take(0, part)).collect();
            prop_assert!(out.iter().all(Assembled::is_whole));
            prop_assert_eq!(out.len(), totals.len());
            prop_assert!(assembler.is_empty());
        }
    }
}
