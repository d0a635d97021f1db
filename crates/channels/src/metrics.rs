//! What the channels report to Prometheus. Labels are bounded: channels and outcomes, inboxes where it is about one, never a
//! customer.

use std::time::Duration;

use domain::delivery::Outcome;

use crate::messenger::health::{Health, Trouble};

/// Describes every metric of this crate; called once, after the recorder is installed.
pub fn describe() {
    metrics::describe_counter!("tributary_webhooks_total", "Webhooks answered, by channel and outcome");
    metrics::describe_histogram!(
        "tributary_webhook_seconds",
        metrics::Unit::Seconds,
        "From a webhook's first line to its answer, by channel"
    );
    metrics::describe_counter!(
        "tributary_facts_total",
        "What Meta's webhooks said, by channel and kind; `nobodys`: of a Page that is no inbox here, `ahead`: from the future"
    );
    metrics::describe_counter!("tributary_attempts_total", "Attempts to send, by channel and outcome");
    metrics::describe_gauge!(
        "tributary_inboxes_paused",
        "Inboxes that send nothing because the platform refuses their token, by channel"
    );
    metrics::describe_gauge!(
        "tributary_inbox_trouble",
        "1 where a platform has something against an inbox, by inbox and what it is about"
    );
    metrics::describe_gauge!(
        "tributary_inbox_token_seconds",
        metrics::Unit::Seconds,
        "For how long an inbox's access token is good, by inbox; none for one that does not end"
    );
}

/// What a platform says of an inbox. There are as many as the business has set up.
pub(crate) fn health(inbox: &str, health: &Health, now: i64) {
    for about in Trouble::ABOUT {
        let is = health.troubles.iter().any(|trouble| trouble.about() == about);
        let gauge = metrics::gauge!("tributary_inbox_trouble", "inbox" => inbox.to_owned(), "about" => about);
        gauge.set(if is { 1.0 } else { 0.0 });
    }
    if let Some(at) = health.expires_at {
        let seconds = (at - now).max(0) as f64 / 1_000.0;
        metrics::gauge!("tributary_inbox_token_seconds", "inbox" => inbox.to_owned()).set(seconds);
    }
}

/// A webhook was answered.
pub(crate) fn webhook(channel: &'static str, outcome: &'static str, took: Duration) {
    metrics::counter!("tributary_webhooks_total", "channel" => channel, "outcome" => outcome).increment(1);
    metrics::histogram!("tributary_webhook_seconds", "channel" => channel).record(took);
}

/// A webhook said something.
pub(crate) fn fact(channel: &'static str, kind: &'static str) {
    metrics::counter!("tributary_facts_total", "channel" => channel, "kind" => kind).increment(1);
}

/// A webhook spoke of so much that is no inbox's here.
pub(crate) fn nobodys(channel: &'static str, count: usize) {
    if count > 0 {
        metrics::counter!("tributary_facts_total", "channel" => channel, "kind" => "nobodys")
            .increment(count as u64);
    }
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
        Outcome::NotYet { .. } => "not_yet",
        Outcome::Refused { dead: true, .. } => "dead",
        Outcome::Refused { .. } => "refused",
        Outcome::Unknown { .. } => "unknown",
    };
    metrics::counter!("tributary_attempts_total", "channel" => channel, "outcome" => outcome).increment(1);
}
