//! The delivery lane's commands and events.

use crate::message::{choice, message, timers};

message! {
    domain::delivery::MailboxMark => MailboxMark { mailbox, validity, through, since, sifted_through }
}

choice! { domain::delivery::Command => DeliveryCommand, delivery_command {
    Deliver { conversation, message, outgoing },
    Report { message, attempt, outcome },
    Recover {},
    TimerFired(timer),
    MarkMailbox { inbox, mark },
}}

choice! { domain::delivery::Outcome => Outcome, outcome {
    Sent { provider_id },
    Retry { code, reason, after },
    NotYet { code, reason, after },
    Refused { code, reason, dead },
    Unknown { reason, resend },
}}

choice! { domain::delivery::Event => DeliveryEvent, delivery_event {
    Queued { conversation, message, outgoing },
    SendStarted { message, attempt },
    Sent { conversation, message, attempt, provider_id },
    RetryScheduled { message, attempt, due, code, reason, not_made },
    Failed { conversation, message, attempt, code, reason, dead },
    OutcomeLost { message, attempt },
    OutcomeUnknown { conversation, message, attempt, reason },
    AddressDead { tenant, party },
    MailboxMarked { inbox, mark },
}}

timers! { domain::delivery::TimerId => Delivery { Retry } }
