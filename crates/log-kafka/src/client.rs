//! What all clients of the cluster have in common: where librdkafka's own log goes, and what its failures are to us.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use log::Error;
use rdkafka::{
    ClientContext,
    client::Client,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::slot::lock;

/// Passes on what librdkafka says. A broker out of reach is no failure here: it is asked again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told(pub(crate) &'static str);

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let client = self.0;
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                if facility == "FAIL" {
                    heard(message);
                }
                if let Some(like_it) = lately().tells((client, facility), Instant::now()) {
                    tracing::warn!(client, facility, like_it, "{message}");
                }
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(client, facility, "{message}"),
            RDKafkaLogLevel::Debug => tracing::debug!(client, facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        heard(reason);
        let kind = error.to_string();
        if let Some(like_it) = lately().tells((self.0, &kind), Instant::now()) {
            tracing::warn!(client = self.0, %error, like_it, "{reason}");
        }
    }
}

/// How long one warning stands for all of its kind: a broker that is away is tried many times a second, by every client.
const STANDS_FOR: Duration = Duration::from_secs(60);

/// The kinds of warnings told so far: when the last one was, and how many like it were not told since.
#[derive(Default)]
struct Lately(BTreeMap<(&'static str, String), (Instant, u64)>);

impl Lately {
    /// Whether a warning of this kind is told; then, how many like it were not since the last.
    fn tells(&mut self, (client, kind): (&'static str, &str), now: Instant) -> Option<u64> {
        let last = self.0.entry((client, kind.to_owned()));
        let Entry::Occupied(mut last) = last else {
            last.or_insert((now, 0));
            return Some(0);
        };
        let (told, untold) = last.get_mut();
        if now.saturating_duration_since(*told) < STANDS_FOR {
            *untold += 1;
            return None;
        }
        *told = now;
        Some(std::mem::take(untold))
    }
}

fn lately() -> MutexGuard<'static, Lately> {
    static LATELY: Mutex<Lately> = Mutex::new(Lately(BTreeMap::new()));
    lock(&LATELY)
}

impl ConsumerContext for Told {}

/// Why a broker is out of reach, as was said last, by whichever client. What was asked meanwhile fails without a word of
/// that: the password, or the certificate, may be wrong.
static HEARD: Mutex<Option<(Instant, String)>> = Mutex::new(None);

#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
struct Because {
    reason: String,
    #[source]
    error: KafkaError,
}

fn heard(reason: &str) {
    // Before it stands which of its threads says so.
    let reason = reason.split_once("]: ").map_or(reason, |(_, reason)| reason);
    *lock(&HEARD) = Some((Instant::now(), reason.to_owned()));
}

/// What was heard last, if that was when it matters.
fn heard_at(matters: impl Fn(Instant) -> bool) -> Option<String> {
    lock(&HEARD).as_ref().filter(|(at, _)| matters(*at)).map(|(_, reason)| reason.clone())
}

/// Whether the cluster is there and, as was said since then, lets nobody in with what we have to show. To ask again will
/// not help.
pub(crate) fn is_refused_since(began: Instant) -> bool {
    let refuses = |reason: String| reason.contains("uthentication fail") || reason.contains("certificate");
    heard_at(|at| at >= began).is_some_and(refuses)
}

/// The failure, with what was heard of its cause.
fn explained(error: KafkaError) -> Box<dyn std::error::Error + Send + Sync> {
    match heard_at(|at| at.elapsed() < STANDS_FOR) {
        Some(reason) => Because { reason, error }.into(),
        None => error.into(),
    }
}

/// A failure of the cluster, or on the way to it.
pub(crate) fn failed(operation: &'static str) -> impl FnOnce(KafkaError) -> Error {
    use RDKafkaErrorCode::{
        AllBrokersDown, BrokerNotAvailable, BrokerTransportFailure, LeaderNotAvailable,
        NotLeaderForPartition, OffsetNotAvailable, OperationTimedOut, RequestTimedOut, Resolve,
    };
    move |error| {
        let passes = match error.rdkafka_error_code() {
            // Nothing came in time.
            None => matches!(error, KafkaError::NoMessageReceived),
            Some(code) => matches!(
                code,
                AllBrokersDown
                    | BrokerNotAvailable
                    | BrokerTransportFailure
                    | LeaderNotAvailable
                    | NotLeaderForPartition
                    | OffsetNotAvailable
                    | OperationTimedOut
                    | RequestTimedOut
                    | Resolve
            ),
        };
        match passes {
            true => Error::Unreachable { operation, source: explained(error) },
            false => Error::Storage { operation, source: error.into() },
        }
    }
}

/// Where a partition starts and ends, as the cluster has it now. Blocks.
pub(crate) fn watermarks<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    number: i32,
    patience: Duration,
) -> Result<(u64, u64), Error> {
    let marks = client.fetch_watermarks(topic, number, patience).or_else(|error| match error {
        // What it remembers of a topic may lack partitions after a broker failed, for minutes. They are there: what
        // there is was counted when this log was opened. So it looks again.
        KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition) => {
            client.fetch_metadata(Some(topic), patience)?;
            client.fetch_watermarks(topic, number, patience)
        }
        error => Err(error),
    });
    let (low, high) = marks.map_err(failed("ask Kafka how far a partition reaches"))?;
    Ok((u64::try_from(low).unwrap_or(0), u64::try_from(high).unwrap_or(0)))
}

/// A failure of the configuration.
pub(crate) fn unusable(error: crate::Unusable) -> Error {
    Error::Storage { operation: "configure the clients of Kafka", source: error.into() }
}

/// Runs what blocks for as long as the network takes.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    // It fails when the runtime ends.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_one_warning_a_minute_is_told_with_the_number_of_the_others() {
        let (mut lately, began) = (Lately::default(), Instant::now());
        let mut tells = |kind, seconds| lately.tells(kind, began + Duration::from_secs(seconds));
        let (one, other, another) = (("tail", "FAIL"), ("producer", "FAIL"), ("tail", "ERROR"));
        assert_eq!([one, other, another].map(|kind| tells(kind, 0)), [Some(0); 3]);
        assert_eq!([1, 2, 59].map(|seconds| tells(one, seconds)), [None; 3]);
        assert_eq!(tells(one, 60), Some(3));
        assert_eq!(tells(one, 119), None);
        assert_eq!([tells(other, 500), tells(one, 500)], [Some(0), Some(1)]);
    }
}
