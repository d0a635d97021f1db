//! What is sent without a person: a bot's answers, and that a queue is closed.
//!
//! By mail, a machine may be at the other end, and not every machine says that it is one. So a customer gets one automatic
//! answer a period, and each further one only after twice as long, until a person has written: whoever answers us by
//! itself is answered ever less, and soon practically never (RFC 3834 section 2).

use crate::{Channel, Context, Millis, Timestamp};

use super::{Customer, draft::Found, elsewhere, suppression, window};

/// Unless the inbox's setting `automatic_period_minutes` says otherwise.
const PERIOD: Millis = Millis::hours(1);

/// Whether the customer may be sent a message that no person wrote.
pub(super) fn may_be_sent(found: &Found, context: &Context) -> bool {
    let guarded =
        || found.conversation.people_only || is_too_soon(found.customer, period(found, context), context.now);
    is_wanted(found)
        && window::is_open_to_bots(found.customer, context.now)
        && !(found.customer.endpoint.channel == Channel::Email && guarded())
}

/// Whether the customer may be sent a message at all.
pub(super) fn is_wanted(found: &Found) -> bool {
    !found.customer.opted_out && suppression::refusal(found).is_none() && elsewhere::refusal(found).is_none()
}

fn period(found: &Found, context: &Context) -> Millis {
    let endpoint = &found.customer.endpoint;
    let set = || {
        let inbox = context.policies.of(&endpoint.tenant)?.inboxes.get(&endpoint.inbox)?;
        inbox.settings.get("automatic_period_minutes")?.trim().parse().ok()
    };
    set().map_or(PERIOD, |minutes: u16| Millis::seconds(u64::from(minutes.max(1)) * 60))
}

fn is_too_soon(customer: &Customer, period: Millis, now: Timestamp) -> bool {
    customer.automatic().is_some_and(|before| {
        let doublings = before.in_a_row.saturating_sub(1).min(32);
        now - before.at < Millis(period.0 << doublings)
    })
}
