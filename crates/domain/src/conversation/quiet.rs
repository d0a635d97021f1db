//! Quiet hours: what is sent without a person, and is no answer, waits for their end.

use crate::{Context, Millis, Timestamp, policy::Quiet};

use super::draft::Found;

/// Who wrote so long ago or less has a conversation with us, at whatever hour.
const EXCHANGE: Millis = Millis::hours(1);

/// Until when a message that no person wrote has to wait.
pub(super) fn until(context: &Context, found: &Found) -> Option<Timestamp> {
    if context.now - found.conversation.heard_at <= EXCHANGE {
        return None;
    }
    let endpoint = &found.customer.endpoint;
    let inbox = context.policies.of(&endpoint.tenant)?.inboxes.get(&endpoint.inbox)?;
    // Settings that say nothing were refused when they were applied.
    let quiet = Quiet::read(&inbox.settings).ok().flatten()?;
    quiet.until(context.now, found.customer.country)
}
