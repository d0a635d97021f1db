//! What is sent without a person: a bot's answers, and that a queue is closed.
//!
//! By mail, a machine may be at the other end, and not every machine says that it is one. So a customer gets one automatic
//! answer a period, and each further one only after twice as long, until a person has written: whoever answers us by
//! itself is answered ever less, and soon practically never (RFC 3834 section 2).

use crate::{Channel, Millis, Timestamp};

use super::{Customer, draft::Found, suppression, window};

const PERIOD: Millis = Millis::hours(1);

/// Whether the customer may be sent a message that no person wrote.
pub(super) fn may_be_sent(found: &Found, now: Timestamp) -> bool {
    is_wanted(found)
        && window::is_open_to_bots(found.customer, now)
        && !(found.customer.endpoint.channel == Channel::Email && is_guarded(found, now))
}

/// Whether the customer may be sent a message at all.
pub(super) fn is_wanted(found: &Found) -> bool {
    !found.customer.opted_out && !found.customer.unanswerable && suppression::refusal(found).is_none()
}

fn is_guarded(found: &Found, now: Timestamp) -> bool {
    found.conversation.people_only || is_too_soon(found.customer, now)
}

fn is_too_soon(customer: &Customer, now: Timestamp) -> bool {
    customer.automatic().is_some_and(|before| {
        let doublings = before.in_a_row.saturating_sub(1).min(32);
        now - before.at < Millis(PERIOD.0 << doublings)
    })
}
