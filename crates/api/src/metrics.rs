//! What the API tells about itself.

use std::time::Duration;

use ::metrics::{Unit, counter, gauge, histogram};

pub const UNAUTHENTICATED: &str = "tributary_api_unauthenticated_total";
pub const STREAMS: &str = "tributary_api_streams";
pub const DROPPED: &str = "tributary_api_streams_dropped_total";
pub const EVENTS: &str = "tributary_api_events_sent_total";
pub const COMMANDS: &str = "tributary_api_commands_total";
pub const ANSWER: &str = "tributary_api_answer_seconds";
pub const UNREADABLE: &str = "tributary_api_unreadable_bodies_total";

/// Describes the metrics; a recorder must be installed before.
pub(crate) fn describe() {
    ::metrics::describe_counter!(UNAUTHENTICATED, Unit::Count, "Calls without a known token");
    ::metrics::describe_gauge!(STREAMS, Unit::Count, "Streams open now, by service");
    ::metrics::describe_counter!(
        DROPPED,
        Unit::Count,
        "Streams dropped because nobody read them, by service"
    );
    ::metrics::describe_counter!(EVENTS, Unit::Count, "Events sent to subscribers");
    ::metrics::describe_counter!(COMMANDS, Unit::Count, "Commands, by aggregate and outcome");
    ::metrics::describe_histogram!(ANSWER, Unit::Seconds, "Time from a command's append to its answer");
    ::metrics::describe_counter!(
        UNREADABLE,
        Unit::Count,
        "Sealed bodies that could not be opened or understood"
    );
}

pub(crate) fn unauthenticated() {
    counter!(UNAUTHENTICATED).increment(1);
}

/// Counts a stream for as long as it is held.
pub(crate) struct Open(&'static str);

impl Open {
    pub(crate) fn stream(service: &'static str) -> Open {
        gauge!(STREAMS, "service" => service).increment(1.0);
        Open(service)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(STREAMS, "service" => self.0).decrement(1.0);
    }
}

pub(crate) fn dropped(service: &'static str) {
    counter!(DROPPED, "service" => service).increment(1);
}

pub(crate) fn event_sent() {
    counter!(EVENTS).increment(1);
}

/// `outcome` is `accepted`, `rejected`, `unanswered` or `unavailable`.
pub(crate) fn command(kind: domain::Kind, outcome: &'static str) {
    counter!(COMMANDS, "aggregate" => kind.as_str(), "outcome" => outcome).increment(1);
}

pub(crate) fn answered_after(took: Duration) {
    histogram!(ANSWER).record(took);
}

pub(crate) fn unreadable() {
    counter!(UNREADABLE).increment(1);
}
