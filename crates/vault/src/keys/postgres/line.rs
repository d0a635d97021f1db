//! The line to the server: a session, made anew whenever one has failed, after a pause that grows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use super::{
    session::{ANSWER, Connected, Failure, Session, within},
    settings::Postgres,
};
use crate::{Error, random};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(crate) struct Line {
    postgres: Postgres,
    wrapped_root: Vec<u8>,
    session: Option<Session>,
    pause: Option<Pause>,
    /// Of the keeper's thread alone. It moves only while something is asked.
    runtime: Runtime,
}

/// After a failure nothing is asked for a while: who waits is told at once, and a server that comes back is not run
/// over.
struct Pause {
    failures: u32,
    until: Instant,
    why: Arc<Failure>,
}

impl Line {
    pub(super) fn new(postgres: Postgres, wrapped_root: Vec<u8>, session: Session, runtime: Runtime) -> Line {
        Line { postgres, wrapped_root, session: Some(session), pause: None, runtime }
    }

    /// Asks for something that may be asked twice.
    pub(super) fn ask<T>(
        &mut self,
        operation: &'static str,
        work: impl AsyncFn(&Session) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        if let Some(pause) = self.pause.as_ref().filter(|pause| Instant::now() < pause.until) {
            return Err(Error::unavailable(operation)(pause.why.clone()));
        }
        self.answered(&work).map_err(|failure| Error::unavailable(operation)(self.rest(failure)))
    }

    fn answered<T>(
        &mut self,
        work: &impl AsyncFn(&Session) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Failure> {
        if let Some(session) = self.session.take().filter(|session| !session.is_over()) {
            match self.runtime.block_on(within(ANSWER, work(&session))) {
                Ok(done) => return Ok(self.went_well(session, done)),
                Err(failure) if failure.is_slow() => return Err(failure),
                // It may have ended while nobody looked.
                Err(failure) => {
                    tracing::debug!(reason = failure.told(), "a session with the key store failed")
                }
            }
        }
        let (session, done) = self.runtime.block_on(async {
            let connected = Connected::to(&self.postgres).await?;
            let session = Session::begin(connected, &self.wrapped_root).await?;
            let done = within(ANSWER, work(&session)).await?;
            Ok::<_, Failure>((session, done))
        })?;
        Ok(self.went_well(session, done))
    }

    fn went_well<T>(&mut self, session: Session, done: T) -> T {
        self.session = Some(session);
        if self.pause.take().is_some() {
            tracing::info!(at = %self.postgres, "the key store answers again");
        }
        done
    }

    fn rest(&mut self, failure: Failure) -> Arc<Failure> {
        let failures = self.pause.as_ref().map_or(0, |pause| pause.failures) + 1;
        if failures == 1 {
            tracing::warn!(at = %self.postgres, reason = failure.told(), "the key store is away");
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_PAUSE);
        // Processes that lost the same server shall not come back all at once.
        let part = random::bytes().map_or(1.0, |[byte]: [u8; 1]| f64::from(byte) / 255.0);
        let until = Instant::now() + pause.mul_f64(0.5 + 0.5 * part);
        let why = Arc::new(failure);
        self.pause = Some(Pause { failures, until, why: why.clone() });
        why
    }
}
