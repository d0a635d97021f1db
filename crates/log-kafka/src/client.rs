//! What all clients of the cluster have in common: where librdkafka's own log goes, and what its failures are to us.

use log::Error;
use rdkafka::{
    ClientContext,
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

/// The same for what is wrong with the configuration.
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
