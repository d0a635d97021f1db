//! A reader's place in one partition: read what is there, then wait for more.

use std::{sync::Arc, time::Duration};

use crate::{Error, Limit, Log, Partition, Record};

/// Before a log that was out of reach is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows one partition from a position onwards, in batches.
pub struct Tail {
    log: Arc<dyn Log>,
    partition: Partition,
    next: u64,
    limit: Limit,
}

impl Tail {
    pub fn new(log: Arc<dyn Log>, partition: Partition, from: u64) -> Self {
        Tail { log, partition, next: from, limit: Limit::default() }
    }

    pub fn with_limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// The position that the next record will have at least.
    pub fn next_position(&self) -> u64 {
        self.next
    }

    /// What is there now, empty when this reader has caught up.
    pub async fn ready(&mut self) -> Result<Vec<Record>, Error> {
        let records = self.log.read(self.partition, self.next, self.limit).await?;
        if let Some(last) = records.last() {
            self.next = last.position + 1;
        }
        Ok(records)
    }

    /// The next batch, waiting for it, and for a log that is out of reach as well. Never empty. Cancel-safe: a dropped call
    /// has consumed nothing.
    pub async fn batch(&mut self) -> Result<Vec<Record>, Error> {
        loop {
            match self.ready().await {
                Ok(records) if !records.is_empty() => return Ok(records),
                Ok(_) => match self.log.wait(self.partition, self.next).await {
                    Err(error @ Error::Unreachable { .. }) => self.pause(&error).await,
                    waited => waited?,
                },
                Err(error @ Error::Unreachable { .. }) => self.pause(&error).await,
                Err(error) => return Err(error),
            }
        }
    }

    async fn pause(&self, error: &Error) {
        tracing::warn!(
            partition = %self.partition,
            error = error as &dyn std::error::Error,
            "reading goes on once the log can be reached"
        );
        tokio::time::sleep(PAUSE).await;
    }
}
