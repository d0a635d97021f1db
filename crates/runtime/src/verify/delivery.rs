//! Attempts and their outcomes, counted from the events of delivery.

use std::collections::HashMap;

use domain::{
    MessageId, Step,
    delivery::{Decider, Event},
};

use super::{
    fold::{Checks, Kept},
    report::Found,
};

#[derive(Default)]
pub(super) struct Deliveries {
    known: HashMap<MessageId, Delivery>,
    queued: Vec<(MessageId, u64)>,
}

#[derive(Default)]
struct Delivery {
    /// The attempt started last; 0 before the first.
    attempt: u32,
    /// That attempt has no outcome yet.
    is_under_way: bool,
    has_ended: bool,
}

impl Checks<Decider> for Deliveries {
    fn step(&mut self, step: &Step<Decider>, found: &mut Found) {
        for recorded in &step.events {
            self.event(&recorded.event, found);
        }
    }

    fn finish(self) -> Kept {
        Kept { queued: self.queued, ..Kept::default() }
    }
}

impl Deliveries {
    fn event(&mut self, event: &Event, found: &mut Found) {
        match event {
            Event::Queued { message, .. } => {
                let before = self.known.insert(*message, Delivery::default());
                found.require(
                    before.is_none(),
                    11,
                    format_args!("message {message} is queued a second time"),
                );
                self.queued.push((*message, found.position));
            }
            Event::SendStarted { message, attempt } => {
                let delivery = self.get(*message, found);
                let is_next = delivery.attempt.checked_add(1) == Some(*attempt);
                found.require(
                    is_next && !delivery.is_under_way && !delivery.has_ended,
                    11,
                    format_args!(
                        "attempt {attempt} of message {message} starts after attempt {}, or too late",
                        delivery.attempt
                    ),
                );
                (delivery.attempt, delivery.is_under_way) = (*attempt, true);
            }
            Event::OutcomeLost { message, attempt } => {
                let delivery = self.get(*message, found);
                found.require(
                    delivery.is_under_way && delivery.attempt == *attempt,
                    11,
                    format_args!(
                        "the outcome of attempt {attempt} of message {message} is lost, but awaited by nobody"
                    ),
                );
            }
            Event::RetryScheduled { message, attempt, .. } => {
                let delivery = self.get(*message, found);
                found.require(
                    delivery.is_under_way && delivery.attempt == *attempt,
                    11,
                    format_args!(
                        "attempt {attempt} of message {message} is to be repeated, but was not under way"
                    ),
                );
                delivery.is_under_way = false;
            }
            Event::Sent { message, attempt, .. }
            | Event::Failed { message, attempt, .. }
            | Event::OutcomeUnknown { message, attempt, .. } => {
                let delivery = self.get(*message, found);
                found.require(
                    !delivery.has_ended,
                    11,
                    format_args!("message {message} comes to an end a second time"),
                );
                // An earlier attempt may prove to have been the one that succeeded.
                found.require(
                    (1..=delivery.attempt).contains(attempt),
                    11,
                    format_args!("message {message} ends by attempt {attempt}, which was not started"),
                );
                (delivery.is_under_way, delivery.has_ended) = (false, true);
            }
            Event::AddressDead { .. } | Event::MailboxMarked { .. } => {}
        }
    }

    fn get(&mut self, message: MessageId, found: &mut Found) -> &mut Delivery {
        found.require(
            self.known.contains_key(&message),
            11,
            format_args!("message {message} is on its way without having been queued"),
        );
        self.known.entry(message).or_default()
    }
}
