//! Calls to providers over HTTP, and what their failures mean for the message in hand: the distinction that all
//! senders rest on is whether the request may have left.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;

use crate::Outcome;

/// More of an answer than this is not read: ids and errors stand at its beginning.
const MOST_READ: usize = 64 * 1024;

/// A connection that was idle this long may be closed by the other side just as we write to it, which would
/// leave the outcome unknown.
const IDLE: Duration = Duration::from_secs(15);

/// Makes HTTP calls; cheap to clone, and all senders may share one with its connections.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: reqwest::Client,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("setting up TLS for calls to providers")]
    Tls(#[source] rustls::Error),
    #[error("setting up the client for calls to providers")]
    Client(#[source] reqwest::Error),
}

/// A provider's answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// `Retry-After` in milliseconds, where it was given in seconds (RFC 9110 §10.2.3).
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Bytes,
}

impl Outbound {
    /// `timeout` bounds a call from its beginning to the end of its answer; connecting has at most 5 s of it.
    /// Redirects are not followed: a message must not be sent to a place nobody configured.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(timeout: Duration) -> Result<Self, Error> {
        let roots = rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(timeout.min(Duration::from_secs(5)))
            .timeout(timeout)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::Client)?;
        Ok(Outbound { client })
    }

    pub(crate) fn post(&self, url: &str) -> RequestBuilder {
        self.client.post(url)
    }

    pub(crate) fn request(&self, method: http::Method, url: &str) -> RequestBuilder {
        self.client.request(method, url)
    }
}

/// Makes the call. An error is already the attempt's outcome.
pub(crate) async fn call(request: RequestBuilder) -> Result<Reply, Outcome> {
    let mut response = request.send().await.map_err(|error| no_answer(&error))?;
    let status = response.status();
    let retry_after = response
        .headers()
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok())
        .map(|seconds| seconds.saturating_mul(1000));
    let mut body = Vec::new();
    while body.len() < MOST_READ {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) if status.is_success() => return Err(no_answer(&error)),
            // A refusal is one even if its explanation is lost.
            Err(_) => break,
        }
    }
    Ok(Reply { status, retry_after, body: body.into() })
}

/// Why there is no answer decides whether the message may have been taken.
fn no_answer(error: &reqwest::Error) -> Outcome {
    let reason = chain(error);
    if error.is_builder() {
        Outcome::Refused { code: "configuration".to_owned(), reason }
    } else if error.is_connect() {
        Outcome::Retry { code: "connect".to_owned(), reason, after: None }
    } else {
        Outcome::Unknown { reason }
    }
}

/// The error and its causes in one line, without the URL (it may hold an account's id).
fn chain(error: &reqwest::Error) -> String {
    let mut reason = if error.is_timeout() { "timed out".to_owned() } else { "no answer".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    reason
}

impl Reply {
    /// The body as JSON, if it is that.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// What a status means where the body explains nothing better. A gateway that timed out does not know whether
    /// the provider took the message, and neither do we.
    pub(crate) fn outcome(&self) -> Outcome {
        let code = self.status.as_str().to_owned();
        let reason = self.explanation();
        match self.status.as_u16() {
            200..=299 => Outcome::Unknown { reason: format!("accepted without an id: {reason}") },
            504 => Outcome::Unknown { reason },
            408 | 425 | 429 | 500.. => Outcome::Retry { code, reason, after: self.retry_after },
            _ => Outcome::Refused { code, reason },
        }
    }

    fn explanation(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.chars().filter(|c| !c.is_control()).take(200).collect();
        format!("HTTP {} {body}", self.status.as_u16()).trim_end().to_owned()
    }
}
