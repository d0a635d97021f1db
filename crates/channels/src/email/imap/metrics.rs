//! What the reading of mailboxes reports. No label names an inbox or a customer.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const MESSAGES: &str = "tributary_imap_messages_total";
const CONNECTED: &str = "tributary_imap_connected";
const BEHIND: &str = "tributary_imap_behind";
const FAILURES: &str = "tributary_imap_failures_total";

pub(super) fn describe() {
    describe_counter!(MESSAGES, Unit::Count, "Messages of mailboxes, by what became of them");
    describe_gauge!(CONNECTED, Unit::Count, "Mailboxes that are open");
    describe_gauge!(
        BEHIND,
        Unit::Count,
        "UIDs that are left to read in all mailboxes; not each need be a message"
    );
    describe_counter!(
        FAILURES,
        Unit::Count,
        "Connections to mailboxes that failed, by whether a login was refused"
    );
}

#[derive(Clone, Copy)]
pub(super) enum Became {
    Kept,
    /// Its header was.
    TooLarge,
    /// The server would not give it; that it is there was kept.
    Withheld,
    /// It was removed before it was read.
    Gone,
    Empty,
}

pub(super) fn message(became: Became) {
    let outcome = match became {
        Became::Kept => "kept",
        Became::TooLarge => "too_large",
        Became::Withheld => "withheld",
        Became::Gone => "gone",
        Became::Empty => "empty",
    };
    counter!(MESSAGES, "outcome" => outcome).increment(1);
}

pub(super) fn failed(login: bool) {
    counter!(FAILURES, "login" => if login { "refused" } else { "other" }).increment(1);
}

/// Counts an open mailbox while it lives, and what is left to read in it.
pub(super) struct Open {
    behind: u32,
}

impl Open {
    pub(super) fn new() -> Self {
        gauge!(CONNECTED).increment(1);
        Open { behind: 0 }
    }

    pub(super) fn behind(&mut self, uids: u32) {
        gauge!(BEHIND).increment(f64::from(uids) - f64::from(self.behind));
        self.behind = uids;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(CONNECTED).decrement(1);
        gauge!(BEHIND).decrement(f64::from(self.behind));
    }
}
