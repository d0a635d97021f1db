//! Attempts and their outcomes, by the events of delivery.

use std::collections::BTreeMap;

use domain::{
    MessageId, Step, Timestamp,
    delivery::{Decider, Event},
};

use super::{Found, Invariant, book::Rules};

#[derive(Default)]
pub(crate) struct Deliveries {
    known: BTreeMap<MessageId, Delivery>,
}

#[derive(Default)]
struct Delivery {
    attempt: u32,
    under_way: bool,
    ended: bool,
}

impl Deliveries {
    pub(crate) fn was_started(&self, message: MessageId, attempt: u32) -> bool {
        self.known.get(&message).is_some_and(|delivery| (1..=delivery.attempt).contains(&attempt))
    }

    pub(crate) fn at_rest(&self, found: &mut Found) {
        let unfinished = self.unfinished();
        found.require(
            unfinished.is_none(),
            Invariant::EffectsAfterTheReadBack,
            format_args!("message {unfinished:?} never comes to an end"),
        );
    }

    pub(crate) fn unfinished(&self) -> Option<MessageId> {
        self.known.iter().find(|(_, delivery)| !delivery.ended).map(|(message, _)| *message)
    }
}

impl Rules<Decider> for Deliveries {
    fn step(&mut self, step: &Step<Decider>, _at: Timestamp, found: &mut Found) {
        for recorded in &step.events {
            let event = &recorded.event;
            match event {
                Event::Sent { .. } => found.note("messages sent"),
                Event::RetryScheduled { .. } => found.note("attempts to be repeated"),
                Event::OutcomeLost { .. } => found.note("outcomes lost with a worker"),
                Event::OutcomeUnknown { .. } => found.note("outcomes unknown"),
                _ => {}
            }
            found.require(
                self.holds(event),
                Invariant::EffectsAfterTheReadBack,
                format_args!("out of order: {event:?}"),
            );
        }
    }
}

impl Deliveries {
    /// Whether the event can follow what was before.
    fn holds(&mut self, event: &Event) -> bool {
        let (message, attempt) = match event {
            Event::Queued { message, .. } => {
                return self.known.insert(*message, Delivery::default()).is_none();
            }
            Event::SendStarted { message, attempt }
            | Event::OutcomeLost { message, attempt }
            | Event::RetryScheduled { message, attempt, .. }
            | Event::Sent { message, attempt, .. }
            | Event::Failed { message, attempt, .. }
            | Event::OutcomeUnknown { message, attempt, .. } => (*message, *attempt),
            Event::AddressDead { .. } | Event::MailboxMarked { .. } => return true,
        };
        let Some(delivery) = self.known.get_mut(&message) else { return false };
        let current = delivery.under_way && delivery.attempt == attempt;
        match event {
            Event::Queued { .. } | Event::AddressDead { .. } | Event::MailboxMarked { .. } => false,
            Event::SendStarted { .. } => {
                let next = !delivery.under_way && !delivery.ended && attempt == delivery.attempt + 1;
                (delivery.attempt, delivery.under_way) = (attempt, true);
                next
            }
            Event::OutcomeLost { .. } => current,
            Event::RetryScheduled { .. } => {
                delivery.under_way = false;
                current
            }
            Event::Sent { .. } | Event::Failed { .. } | Event::OutcomeUnknown { .. } => {
                // An earlier attempt may prove to have been the one that succeeded.
                let fits = !delivery.ended && (1..=delivery.attempt).contains(&attempt);
                (delivery.under_way, delivery.ended) = (false, true);
                fits
            }
        }
    }
}
