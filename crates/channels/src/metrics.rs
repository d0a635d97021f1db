//! What the channels report to Prometheus. Labels are bounded: channels and outcomes, never an inbox or a customer.

use std::time::Duration;

use domain::delivery::Outcome;

/// Describes every metric of this crate; called once, after the recorder is installed.
pub fn describe() {
    metrics::describe_counter!("tributary_webhooks_total", "Webhooks answered, by channel and outcome");
    metrics::describe_histogram!(
        "tributary_webhook_seconds",
        metrics::Unit::Seconds,
        "From a webhook's first line to its answer, by channel"
    );
    metrics::describe_counter!("tributary_attempts_total", "Attempts to send, by channel and outcome");
    metrics::describe_gauge!(
        "tributary_inboxes_paused",
        "Inboxes that send nothing because the platform refuses their token, by channel"
    );
}

/// A webhook was answered.
pub(crate) fn webhook(channel: &'static str, outcome: &'static str, took: Duration) {
    metrics::counter!("tributary_webhooks_total", "channel" => channel, "outcome" => outcome).increment(1);
    metrics::histogram!("tributary_webhook_seconds", "channel" => channel).record(took);
}

/// An inbox stops sending because its token is refused, or sends again.
pub(crate) fn paused(channel: &'static str, paused: bool) {
    let gauge = metrics::gauge!("tributary_inboxes_paused", "channel" => channel);
    if paused { gauge.increment(1.0) } else { gauge.decrement(1.0) }
}

/// An attempt to send came to an end.
pub(crate) fn delivered(channel: &'static str, outcome: &Outcome) {
    let outcome = match outcome {
        Outcome::Sent { .. } => "sent",
        Outcome::Retry { .. } => "retry",
        Outcome::Refused { dead: true, .. } => "dead",
        Outcome::Refused { .. } => "refused",
        Outcome::Unknown { .. } => "unknown",
    };
    metrics::counter!("tributary_attempts_total", "channel" => channel, "outcome" => outcome).increment(1);
}
