//! What the built-in bot counts.

use metrics::{counter, describe_counter};

pub fn describe() {
    describe_counter!("tributary_bot_turns_total", "Turns put to the built-in bot, by what came of them");
    describe_counter!(
        "tributary_bot_away_messages_total",
        "Customers to be told of a closed queue, by what came of it"
    );
}

/// `outcome` is one of a few fixed words.
pub(crate) fn away(outcome: &'static str) {
    counter!("tributary_bot_away_messages_total", "outcome" => outcome).increment(1);
}

/// `outcome` is one of a few fixed words.
pub(crate) fn turn(outcome: &'static str) {
    counter!("tributary_bot_turns_total", "outcome" => outcome).increment(1);
}
