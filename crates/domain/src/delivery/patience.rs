//! How often a message is tried, and how long to wait in between.

use std::fmt;

use crate::{Channel, MessageId, Millis};

/// The wait after the first attempt; it doubles with each.
const FIRST_WAIT: Millis = Millis::seconds(1);
/// A provider that wants us to wait longer is asked again after this: its wish must not hold a party up for ever.
pub(super) const LONGEST_WISH: Millis = Millis::hours(24);

/// When to give up.
pub(super) enum Patience {
    /// After so many attempts, minutes later: who writes in a chat does not wait for hours.
    Chat,
    /// After so many days (RFC 5321 section 4.5.4.1): a mail server may be down over a week-end.
    Mail,
}

impl Patience {
    const ATTEMPTS: u32 = 10;
    const DAYS: u64 = 5;

    pub(super) fn of(channel: Channel) -> Self {
        if channel == Channel::Email { Patience::Mail } else { Patience::Chat }
    }

    /// Whether this attempt, made so long after the first, was the last.
    pub(super) fn is_over(&self, attempt: u32, tried_for: Millis) -> bool {
        match self {
            Patience::Chat => attempt >= Patience::ATTEMPTS,
            Patience::Mail => tried_for >= Millis::hours(Patience::DAYS * 24),
        }
    }

    fn longest_wait(&self) -> Millis {
        match self {
            Patience::Chat => Millis::seconds(5 * 60),
            Patience::Mail => Millis::hours(4),
        }
    }

    /// How long to wait after this attempt: doubling, longer by up to a quarter that differs from message to message
    /// (so that what failed together is not tried again together), and no shorter than the provider wants.
    pub(super) fn wait(&self, message: MessageId, attempt: u32, wish: Option<Millis>) -> Millis {
        let doubled = FIRST_WAIT.0 << attempt.saturating_sub(1).min(20);
        let share = u64::from(u16::from_be_bytes([message.0[14], message.0[15]]));
        let spread = doubled + doubled * share / (4 << 16);
        Millis(spread).min(self.longest_wait()).max(wish.unwrap_or_default().min(LONGEST_WISH))
    }
}

impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Patience::Chat => write!(f, "{} attempts", Patience::ATTEMPTS),
            Patience::Mail => write!(f, "{} days", Patience::DAYS),
        }
    }
}
