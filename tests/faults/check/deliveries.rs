//! What leaves, by the events of delivery: announced before it is tried, ended once, and never tried again without a
//! reason that stands in the log.

use std::collections::BTreeMap;

use super::{Violations, events, is_overdue, rule::Ruled, short};
use crate::records::{Delivery, Event, Id, Peer};

#[derive(Default)]
pub(crate) struct Deliveries {
    pub(crate) known: BTreeMap<Id, Known>,
}

#[derive(Default)]
pub(crate) struct Known {
    /// When each attempt was announced, by the brokers' clock.
    pub(crate) announced: Vec<i64>,
    pub(crate) has_ended: bool,
    is_under_way: bool,
    again_at: Option<i64>,
}

pub(super) fn deliveries(peer: Peer, ruled: &Ruled, now: i64, violations: &mut Violations) -> Deliveries {
    let mut all = Deliveries::default();
    for decided in &ruled.decided {
        for event in events(&decided.decision) {
            let wrong = match event {
                Event::Delivery(event) => match &event.kind {
                    Some(event) => all.event(event, decided.appended_at).err(),
                    None => Some("an unknown event".into()),
                },
                other => Some(format!("an event of another aggregate: {other:?}")),
            };
            violations.extend(wrong.map(|wrong| format!("11: {peer}, at {}: {wrong}", decided.offset)));
        }
    }
    for (message, known) in &all.known {
        let what = match known.again_at {
            Some(due) if is_overdue(due, now) => "9: the next attempt at it is overdue",
            None if known.is_under_way => "11: what became of it is not known, and nobody says so",
            None if !known.has_ended => "8: it is to leave, and nobody tries",
            _ => continue,
        };
        violations.push(format!("{what}: {peer}, message {}", short(message)));
    }
    all
}

impl Deliveries {
    fn event(&mut self, event: &Delivery, at: i64) -> Result<(), String> {
        if let Delivery::Queued(queued) = event {
            let before = self.known.insert(queued.message.clone(), Known::default());
            return before.map_or(Ok(()), |_| {
                Err(format!("message {} is queued a second time", short(&queued.message)))
            });
        }
        let (message, attempt) = match event {
            Delivery::Queued(_) => unreachable!("it was looked at before"),
            Delivery::SendStarted(it) | Delivery::RetryScheduled(it) | Delivery::OutcomeLost(it) => {
                (&it.message, it.attempt)
            }
            Delivery::Sent(it) | Delivery::Failed(it) | Delivery::OutcomeUnknown(it) => {
                (&it.message, it.attempt)
            }
        };
        let known = self
            .known
            .get_mut(message)
            .ok_or_else(|| format!("message {} was never queued", short(message)))?;
        let last = known.announced.len() as u32;
        let wrong =
            |what: &str| Err(format!("attempt {attempt} at message {} {what}, after {last}", short(message)));
        match event {
            Delivery::Queued(_) => {}
            Delivery::SendStarted(_) => {
                if attempt != last + 1 || known.is_under_way || known.has_ended {
                    return wrong("begins out of turn");
                }
                known.announced.push(at);
                (known.is_under_way, known.again_at) = (true, None);
            }
            Delivery::OutcomeLost(_) if attempt == last && known.is_under_way => {}
            Delivery::RetryScheduled(retry) if attempt == last && known.is_under_way => {
                (known.is_under_way, known.again_at) = (false, Some(retry.due));
            }
            Delivery::OutcomeLost(_) | Delivery::RetryScheduled(_) => return wrong("was not under way"),
            // An earlier attempt may prove to be the one that succeeded.
            Delivery::Sent(_) | Delivery::Failed(_) | Delivery::OutcomeUnknown(_) => {
                if known.has_ended || attempt == 0 || attempt > last {
                    return wrong("ends it a second time, or was never begun");
                }
                (known.is_under_way, known.has_ended, known.again_at) = (false, true, None);
            }
        }
        Ok(())
    }
}
