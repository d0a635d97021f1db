//! What all clients of the cluster have in common: where librdkafka's own log goes, and what its failures are to us.

use std::time::Duration;

use log::Error;
use rdkafka::{
    ClientContext,
    client::Client,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};

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
            | RDKafkaLogLevel::Warning => tracing::warn!(client, facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(client, facility, "{message}"),
            RDKafkaLogLevel::Debug => tracing::debug!(client, facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(client = self.0, %error, "{reason}");
    }
}

impl ConsumerContext for Told {}

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
            true => Error::Unreachable { operation, source: error.into() },
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
