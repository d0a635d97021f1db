//! An inbox whose token is refused sends nothing for a while: its messages wait instead of failing, and whoever keeps watch
//! is told.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::{Channel, metrics};

/// The first pause; each is twice as long as the one before.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(60 * 60);

pub(super) struct Pause {
    channel: Channel,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    until: Option<Instant>,
    times: u32,
}

impl Pause {
    pub(super) fn new(channel: Channel) -> Self {
        Pause { channel, state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long nothing is tried.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.state().until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The token was refused.
    pub(super) fn begins(&self, code: &str, reason: &str) -> Duration {
        let state = &mut *self.state();
        let now = Instant::now();
        // What was under way as it was refused says it again.
        if let Some(left) =
            state.until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
        {
            return left;
        }
        if state.until.is_none() {
            metrics::paused(self.channel.as_str(), true);
        }
        let pause = (FIRST * (1 << state.times.min(8))).min(LONGEST);
        *state = State { until: Some(now + pause), times: state.times.saturating_add(1) };
        let (channel, pause_s) = (self.channel.as_str(), pause.as_secs());
        tracing::error!(
            channel,
            code,
            reason,
            pause_s,
            "the platform refuses the token: the inbox pauses, and its messages wait; `tributary doctor` says more"
        );
        pause
    }

    /// A message was taken.
    pub(super) fn ends(&self) {
        let state = &mut *self.state();
        if std::mem::take(state).until.is_some() {
            metrics::paused(self.channel.as_str(), false);
            tracing::info!(channel = self.channel.as_str(), "the inbox sends again");
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.ends();
    }
}
