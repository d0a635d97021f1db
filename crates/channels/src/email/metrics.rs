//! What the e-mail edge reports. Labels are the protocol and the outcome, never an address.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::smtp::Protocol;
use crate::Outcome;

const RECEIVED: &str = "tributary_mail_received_total";
const ANSWER: &str = "tributary_mail_answer_seconds";
const CONNECTIONS: &str = "tributary_mail_connections";
const TURNED_AWAY: &str = "tributary_mail_connections_turned_away_total";
const RECIPIENTS_REFUSED: &str = "tributary_mail_recipients_refused_total";
const ATTEMPTS: &str = "tributary_mail_attempts_total";

/// What became of a mail that a client began to hand over; the later, the worse for the client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Received {
    Accepted,
    Empty,
    BareLf,
    TooLarge,
    UnknownInbox,
    NoMemory,
    Unavailable,
    Broken,
}

impl Received {
    fn as_str(self) -> &'static str {
        match self {
            Received::Accepted => "accepted",
            Received::Empty => "empty",
            Received::BareLf => "bare_lf",
            Received::TooLarge => "too_large",
            Received::UnknownInbox => "unknown_inbox",
            Received::NoMemory => "no_memory",
            Received::Unavailable => "unavailable",
            Received::Broken => "broken",
        }
    }
}

pub(super) fn describe() {
    describe_counter!(RECEIVED, Unit::Count, "Mails that clients began to hand over, by what became of them");
    describe_histogram!(
        ANSWER,
        Unit::Seconds,
        "Time from the end of a mail to its answer: read and made durable"
    );
    describe_gauge!(CONNECTIONS, Unit::Count, "Open connections of mail clients");
    describe_counter!(TURNED_AWAY, Unit::Count, "Connections closed at once because there were too many");
    describe_counter!(RECIPIENTS_REFUSED, Unit::Count, "Recipients that are no mailbox here");
    describe_counter!(ATTEMPTS, Unit::Count, "Attempts to send a mail through the relay, by outcome");
}

pub(super) fn received(protocol: Protocol, outcome: Received) {
    counter!(RECEIVED, "protocol" => protocol.as_str(), "outcome" => outcome.as_str()).increment(1);
}

pub(super) fn answered(protocol: Protocol, took: Duration) {
    histogram!(ANSWER, "protocol" => protocol.as_str()).record(took.as_secs_f64());
}

pub(super) fn turned_away(protocol: Protocol) {
    counter!(TURNED_AWAY, "protocol" => protocol.as_str()).increment(1);
}

pub(super) fn recipient_refused(protocol: Protocol) {
    counter!(RECIPIENTS_REFUSED, "protocol" => protocol.as_str()).increment(1);
}

pub(super) fn attempted(outcome: &Outcome) {
    let outcome = match outcome {
        Outcome::Sent { .. } => "sent",
        Outcome::Retry { .. } => "retry",
        Outcome::NotYet { .. } => "not_yet",
        Outcome::Refused { .. } => "refused",
        Outcome::Dead { .. } => "dead",
        Outcome::Unknown { .. } => "unknown",
    };
    counter!(ATTEMPTS, "outcome" => outcome).increment(1);
}

/// Counts one open connection while it lives.
pub(super) struct Connection(Protocol);

impl Connection {
    pub(super) fn opened(protocol: Protocol) -> Self {
        gauge!(CONNECTIONS, "protocol" => protocol.as_str()).increment(1);
        Connection(protocol)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        gauge!(CONNECTIONS, "protocol" => self.0.as_str()).decrement(1);
    }
}
