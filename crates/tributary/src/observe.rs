//! What a running process tells about itself: traces on standard error, metrics and health over HTTP.

use std::{sync::OnceLock, time::Duration};

use anyhow::Context as _;
use axum::{Router, http::StatusCode, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// How traces are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for whatever collects them.
    Json,
}

/// Half a millisecond to ten seconds: a group commit up to a provider that hardly answers.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// What is done together, in records or changes.
const BATCHES: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 10_000.0];

/// Histograms keep their samples until this is done.
const UPKEEP: Duration = Duration::from_secs(1);

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Writes traces to standard error. `RUST_LOG` says which; otherwise a process that runs long tells what it does,
/// and any other command only what is wrong.
pub fn trace(format: LogFormat, runs_long: bool) {
    let default =
        || Targets::new().with_default(if runs_long { LevelFilter::INFO } else { LevelFilter::WARN });
    let asked = std::env::var("RUST_LOG").ok().filter(|asked| !asked.is_empty());
    let (targets, refused) = match asked.map(|asked| asked.parse()) {
        Some(Ok(targets)) => (targets, None),
        Some(Err(error)) => (default(), Some(error)),
        None => (default(), None),
    };
    // The complaint about a standard error that was closed would go there too, and panic.
    let lines = fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
    if let Some(error) = refused {
        tracing::warn!(%error, "RUST_LOG is not understood, so it is left aside: `info,runtime=debug` is an example");
    }
}

/// Installs the recorder of metrics. Before anything is opened: what is opened describes and registers its own.
pub fn record() -> anyhow::Result<()> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_records".into()), &BATCHES))
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_changes".into()), &BATCHES))
        .and_then(PrometheusBuilder::install_recorder)
        .context("could not install the recorder of metrics")?;
    // The recorder is installed once, so the cell is empty.
    let _ = METRICS.set(handle);
    // The others describe their metrics when they are opened.
    runtime::describe_metrics();
    channels::describe_metrics();
    bots::describe_metrics();
    metrics::describe_gauge!("tributary_build_info", "1, with the version that runs");
    metrics::gauge!("tributary_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(())
}

/// Serves `/metrics`, `/live` and `/ready` until `stop`. `ready` says whether this process does its work, or why not
/// yet; it is asked for every call, so it must answer at once.
pub async fn serve(
    listener: TcpListener,
    ready: impl Fn() -> Result<(), String> + Clone + Send + Sync + 'static,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let is_ready = move || {
        let answer = match ready() {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
        };
        std::future::ready(answer)
    };
    let router = Router::new()
        .route("/metrics", get(async || METRICS.get().map(PrometheusHandle::render).unwrap_or_default()))
        .route("/live", get(async || "live\n"))
        .route("/ready", get(is_ready));
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    let upkeep = async {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            METRICS.get().into_iter().for_each(PrometheusHandle::run_upkeep);
        }
    };
    tokio::select! {
        served = serving => served.context("could not serve metrics and health"),
        () = upkeep => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    async fn get(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn metrics_and_health_are_served() {
        record().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (leading, stop) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        let led = leading.clone();
        let ready =
            move || if led.load(Ordering::Relaxed) { Ok(()) } else { Err("nothing is led".to_owned()) };
        let serving = tokio::spawn(serve(listener, ready, stop.clone()));

        assert!(get(address, "/live").await.starts_with("HTTP/1.1 200"));
        let answer = get(address, "/ready").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("nothing is led"), "{answer}");
        leading.store(true, Ordering::Relaxed);
        assert!(get(address, "/ready").await.starts_with("HTTP/1.1 200"));

        metrics::histogram!("tributary_test_seconds").record(0.003);
        let answer = get(address, "/metrics").await;
        assert!(answer.contains("tributary_build_info{version="), "{answer}");
        assert!(answer.contains("tributary_test_seconds_bucket{le=\"0.005\"} 1"), "{answer}");
        assert!(answer.contains("# HELP tributary_build_info"), "{answer}");
        stop.cancel();
        serving.await.unwrap().unwrap();
    }
}
