//! Relays on their way to one target.
//!
//! A target that works through a backlog says late what it has applied, and all that is sent meanwhile waits here. So relays
//! are kept written down, one behind the other, which takes a third of the memory that the values would; and in parts that
//! copies share, so that a snapshot of many costs little.

use std::{collections::VecDeque, ops::RangeInclusive, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Relay;

/// A part this large is complete; one relay may be larger.
const PART_BYTES: usize = 16 << 10;

/// Numbered densely, kept until the target says it has applied them.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Outbox {
    /// The number given last.
    last: u64,
    /// All through this are applied.
    applied: u64,
    parts: VecDeque<Arc<Part>>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Part {
    /// The number of the first.
    first: u64,
    /// Where each ends in what is written.
    ends: Vec<u32>,
    written: Vec<u8>,
}

impl Outbox {
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The numbers of what the target has not confirmed yet.
    pub fn unapplied(&self) -> RangeInclusive<u64> {
        self.applied + 1..=self.last
    }

    /// Whether word that all through this are applied is news.
    pub(crate) fn awaits(&self, through: u64) -> bool {
        self.applied < through.min(self.last)
    }

    /// What the target has not confirmed yet, in order.
    pub fn relays(&self) -> impl Iterator<Item = (u64, Relay)> {
        let all = self.parts.iter().flat_map(|part| part.relays());
        all.skip_while(|(number, _)| *number <= self.applied).map(|(number, written)| {
            (number, postcard::from_bytes(written).expect("what was written here is what is read here"))
        })
    }

    /// `number` is the one after the last.
    pub(crate) fn push(&mut self, number: u64, relay: &Relay) {
        self.last = number;
        match self.parts.back_mut() {
            Some(part) if part.written.len() < PART_BYTES => Arc::make_mut(part).push(relay),
            _ => {
                let mut part = Part { first: number, ends: Vec::new(), written: Vec::new() };
                part.push(relay);
                self.parts.push_back(Arc::new(part));
            }
        }
    }

    /// The target has applied all through this one.
    pub(crate) fn confirm(&mut self, through: u64) {
        self.applied = self.applied.max(through.min(self.last));
        while self.parts.front().is_some_and(|part| part.last() <= self.applied) {
            self.parts.pop_front();
        }
    }
}

impl Part {
    fn push(&mut self, relay: &Relay) {
        let written = std::mem::take(&mut self.written);
        self.written = postcard::to_extend(relay, written).expect("all of a relay can be written");
        self.ends.push(
            u32::try_from(self.written.len()).expect("a relay is smaller than a record, which is bounded"),
        );
        if self.written.len() >= PART_BYTES {
            self.written.shrink_to_fit();
            self.ends.shrink_to_fit();
        }
    }

    fn last(&self) -> u64 {
        self.first + self.ends.len() as u64 - 1
    }

    fn relays(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut start = 0;
        (self.first..).zip(&self.ends).map(move |(number, end)| {
            let end = *end as usize;
            (number, &self.written[std::mem::replace(&mut start, end)..end])
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{AgentId, DeskId, OfferId, desk};

    /// One that says its number.
    fn relay(number: u64, size: usize) -> Relay {
        let desk: DeskId = "acme/desk".parse().unwrap();
        let agent = AgentId::new(desk.clone(), &"a".repeat(size)).unwrap();
        Relay::Desk(desk::Command::Accept { agent, offer: OfferId { desk, number } })
    }

    #[derive(Clone, Debug)]
    enum Action {
        Push(usize),
        Confirm(u64),
        Copy,
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_and_is_not_confirmed(actions in prop::collection::vec(
            prop_oneof![
                12 => (1..60usize).prop_map(Action::Push),
                3 => (0..40u64).prop_map(Action::Confirm),
                1 => Just(Action::Copy),
            ],
            0..1_500,
        )) {
            let mut outbox = Outbox::default();
            let mut plain: VecDeque<(u64, Relay)> = VecDeque::new();
            let mut copies = Vec::new();
            for action in actions {
                match action {
                    Action::Push(size) => {
                        let number = outbox.last() + 1;
                        outbox.push(number, &relay(number, size));
                        plain.push_back((number, relay(number, size)));
                    }
                    Action::Confirm(ahead) => {
                        let through = outbox.unapplied().start() + ahead;
                        let is_news = plain.front().is_some_and(|(first, _)| *first <= through);
                        prop_assert_eq!(outbox.awaits(through), is_news);
                        outbox.confirm(through);
                        plain.retain(|(number, _)| *number > through);
                    }
                    Action::Copy => copies.push((outbox.clone(), plain.clone())),
                }
                prop_assert!(outbox.unapplied().eq(plain.iter().map(|(number, _)| *number)));
            }
            copies.push((outbox, plain));
            for (outbox, plain) in copies {
                prop_assert!(outbox.relays().eq(plain));
                let read: Outbox = postcard::from_bytes(&postcard::to_allocvec(&outbox).unwrap()).unwrap();
                prop_assert_eq!(read, outbox);
            }
        }
    }
}
