//! The channels' HTTP edge: providers post here, and are answered 2xx only once what they said is durable.
//!
//! ```text
//! socket ─▶ body ─▶ inbox ─▶ signature ─▶ normalize ─▶ Intake::accept ─▶ 200
//! ```
//!
//! Whatever goes wrong on that way has one status: 404 no such inbox, 413 too large, 408 too slow, 401 not signed, 400
//! malformed, 503 not durable now. The whole body is always read before the answer, since a connection that is
//! closed on unread bytes takes the answer with it.

mod door;
mod meta;
mod serve;
mod unsubscribe;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

pub use door::{HttpInbox, Inboxes};
pub use meta::{MetaInbox, MetaInboxes};
pub use serve::serve;
pub use unsubscribe::unsubscribe;

use crate::messenger::edge::challenge;
use crate::{Channel, Fact, FactKind, Intake, Malformed, Refused, metrics};

const ROUTES: &str = "\
GET  /webhooks/meta/{inbox}            Meta's verification of this endpoint
POST /webhooks/meta/{inbox}            Messenger, Instagram and WhatsApp
GET|POST /webhooks/meta                the same, of all inboxes of an app
POST /webhooks/twilio/{inbox}          SMS by Twilio
POST /webhooks/twilio/{inbox}/status   its status callbacks
POST /webhooks/generic/{inbox}         JSON of your own
GET|POST /unsubscribe/{reference}      where customers want no more mail (RFC 8058)
";

/// What a provider may ask of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest body in bytes; Meta's batches of 1,000 events come near 1 MiB.
    pub body: usize,
    /// How long a body may take to arrive.
    pub patience: Duration,
    /// Bodies longer than [`SMALL`] in memory at one time; more are asked to come back.
    pub large: usize,
}

/// Octets of a body that every connection may send.
pub const SMALL: usize = 64 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Limits { body: 4 << 20, patience: Duration::from_secs(30), large: 64 }
    }
}

/// Between two warnings that nothing can be stored: every webhook has the same cause then, and the metrics count them.
const WARN_EVERY: Duration = Duration::from_secs(1);

struct Edge {
    intake: Arc<dyn Intake>,
    inboxes: Arc<dyn Inboxes>,
    limits: Limits,
    large: Semaphore,
    warned: Mutex<Option<Instant>>,
}

impl Edge {
    /// Whether to warn now; no more often than [`WARN_EVERY`].
    fn warns(&self, now: Instant) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let due = warned.is_none_or(|before| now.saturating_duration_since(before) >= WARN_EVERY);
        if due {
            *warned = Some(now);
        }
        due
    }
}

/// The edge's routes.
pub fn router(intake: Arc<dyn Intake>, inboxes: Arc<dyn Inboxes>, limits: Limits) -> Router {
    let receive = |route: Route| {
        move |State(edge): State<Arc<Edge>>, Path(inbox): Path<String>, request: Request| {
            answer(edge, route, inbox, request)
        }
    };
    Router::new()
        .route("/", get(|| async { format!("Tributary: the HTTP edge of its channels.\n\n{ROUTES}") }))
        .route("/webhooks/meta", get(subscribe_all).post(receive_all))
        .route("/webhooks/meta/{inbox}", get(subscribe).post(receive(Route::Meta)))
        .route("/webhooks/twilio/{inbox}", post(receive(Route::Twilio)))
        .route("/webhooks/twilio/{inbox}/status", post(receive(Route::Twilio)))
        .route("/webhooks/generic/{inbox}", post(receive(Route::Generic)))
        .fallback(|| async { (StatusCode::NOT_FOUND, format!("Nothing here. There is:\n\n{ROUTES}")) })
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, format!("Not by this method. There is:\n\n{ROUTES}"))
        })
        .with_state(Arc::new(Edge {
            intake,
            inboxes,
            limits,
            large: Semaphore::new(limits.large),
            warned: Mutex::default(),
        }))
}

/// The kind of inbox a path is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route {
    Meta,
    Twilio,
    Generic,
}

impl Route {
    /// What its provider wants to read when all is well.
    fn accepted(self) -> Response {
        match self {
            Route::Meta => "EVENT_RECEIVED".into_response(),
            Route::Twilio => ([(header::CONTENT_TYPE, "text/xml")], "<Response/>").into_response(),
            // Its inbox says what.
            Route::Generic => StatusCode::OK.into_response(),
        }
    }
}

async fn subscribe(
    State(edge): State<Arc<Edge>>,
    Path(inbox): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(HttpInbox::Meta(inbox)) = edge.inboxes.http(&inbox) else {
        return Failure::UnknownInbox.into_response();
    };
    challenged(challenge(query.as_deref().unwrap_or(""), &inbox.verify_token))
}

async fn subscribe_all(State(edge): State<Arc<Edge>>, RawQuery(query): RawQuery) -> Response {
    challenged(edge.inboxes.meta().challenge(query.as_deref().unwrap_or("")))
}

fn challenged(challenge: Option<String>) -> Response {
    match challenge {
        // Plain text that no browser takes for a page: the challenge comes from whoever asks.
        Some(challenge) => ([(header::X_CONTENT_TYPE_OPTIONS, "nosniff")], challenge).into_response(),
        None => (StatusCode::FORBIDDEN, "this is not the verify token\n").into_response(),
    }
}

async fn answer(edge: Arc<Edge>, route: Route, inbox: String, request: Request) -> Response {
    let started = Instant::now();
    let door = edge.inboxes.http(&inbox).filter(|door| door.route() == route);
    let channel = door.as_ref().map_or("none", |door| door.channel().as_str());
    let own = door.as_ref().and_then(HttpInbox::answer);
    let received = receive(&edge, &inbox, door, request).await;
    let accepted = || match own {
        Some((text, kind)) => ([(header::CONTENT_TYPE, kind.to_string())], text.to_string()).into_response(),
        None => route.accepted(),
    };
    answered(&edge, &inbox, channel, started, received, accepted)
}

async fn receive_all(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let started = Instant::now();
    let mut channel = "none";
    let received = take_all(&edge, request, &mut channel).await;
    answered(&edge, "", channel, started, received, || Route::Meta.accepted())
}

fn answered(
    edge: &Edge,
    inbox: &str,
    channel: &'static str,
    started: Instant,
    received: Result<(), Failure>,
    accepted: impl FnOnce() -> Response,
) -> Response {
    let outcome = received.as_ref().err().map_or("accepted", Failure::name);
    metrics::webhook(channel, outcome, started.elapsed());
    match received {
        Ok(()) => accepted(),
        Err(failure) => {
            // Its cause is ours: nothing of the request stands in it.
            if let Failure::Unavailable(cause) = &failure
                && edge.warns(Instant::now())
            {
                tracing::warn!(channel, cause, "webhooks are asked to come again: they cannot be stored now");
            }
            tracing::debug!(inbox, channel, outcome, %failure, "webhook not accepted");
            failure.into_response()
        }
    }
}

async fn receive(edge: &Edge, inbox: &str, door: Option<HttpInbox>, request: Request) -> Result<(), Failure> {
    let (head, body) = request.into_parts();
    let (body, _place) = edge.body(body).await?;
    let facts = door.ok_or(Failure::UnknownInbox)?.facts(inbox, &head, &body)?;
    edge.accept(inbox, facts, body).await
}

/// All that is durable of a body is durable for good: what is delivered again because of the rest is known then.
async fn take_all(edge: &Edge, request: Request, channel: &mut &'static str) -> Result<(), Failure> {
    let (head, body) = request.into_parts();
    let (body, _place) = edge.body(body).await?;
    let sorted = edge.inboxes.meta().facts(&head, &body)?;
    *channel = sorted.channel.map_or("none", Channel::as_str);
    let inboxes = sorted.facts.into_iter().map(|(inbox, facts)| {
        let body = body.clone();
        async move { edge.accept(&inbox, facts, body).await }
    });
    futures::future::try_join_all(inboxes).await.map(drop)
}

impl Edge {
    /// Whole, and in time.
    async fn body(&self, body: Body) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Failure> {
        let body = tokio::time::timeout(self.limits.patience, read(body, self.limits.body, &self.large));
        body.await.map_err(|_| Failure::TooSlow)?
    }

    async fn accept(&self, inbox: &str, facts: Vec<Fact>, body: Bytes) -> Result<(), Failure> {
        if facts.is_empty() {
            return Ok(());
        }
        let whole = |fact: &Fact| fact.kind == FactKind::Unknown && fact.raw.is_none();
        let raw = facts.iter().any(whole).then_some(body);
        self.intake.accept(inbox, facts, raw).await.map_err(|refused| match refused {
            Refused::UnknownInbox(_) => Failure::UnknownInbox,
            Refused::Unavailable(reason) => Failure::Unavailable(reason),
        })
    }
}

/// The body, if it keeps within the limit and, where it is a large one, there is a place for it; the place is its own
/// for as long as it is held. One that is not taken is read on and thrown away, within reason, so that its sender gets
/// to read the answer.
async fn read(
    mut body: Body,
    limit: usize,
    large: &Semaphore,
) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Failure> {
    let (mut whole, mut place) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::Cut)?;
        let Some(data) = frame.data_ref() else { continue };
        let length = whole.len() + data.len();
        if length > SMALL && place.is_none() {
            place = large.try_acquire().ok();
        }
        let failure = match place {
            _ if length > limit => Failure::TooLarge(limit),
            None if length > SMALL => Failure::Unavailable("too many large bodies at once".to_owned()),
            _ => {
                whole.extend_from_slice(data);
                continue;
            }
        };
        drop((whole, place));
        throw_away(body, limit).await;
        return Err(failure);
    }
    Ok((whole.into(), place))
}

async fn throw_away(mut body: Body, limit: usize) {
    let mut thrown_away = 0;
    while let Some(Ok(frame)) = body.frame().await {
        thrown_away += frame.data_ref().map_or(0, Bytes::len);
        if thrown_away > limit.saturating_mul(8) {
            break;
        }
    }
}

/// Why a webhook was not accepted.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("there is no such inbox here")]
    UnknownInbox,
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    #[error("the body took too long to arrive")]
    TooSlow,
    #[error("the body ended early")]
    Cut,
    #[error("the request is not signed as this inbox requires")]
    Unsigned(Route),
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("it cannot be stored now: {0}")]
    Unavailable(String),
}

impl Failure {
    /// Its label in the metrics.
    fn name(&self) -> &'static str {
        match self {
            Failure::UnknownInbox => "unknown_inbox",
            Failure::TooLarge(_) => "too_large",
            Failure::TooSlow => "too_slow",
            Failure::Cut => "cut",
            Failure::Unsigned(_) => "unsigned",
            Failure::Malformed(_) => "malformed",
            Failure::Unavailable(_) => "unavailable",
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self {
            Failure::UnknownInbox => StatusCode::NOT_FOUND,
            Failure::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Failure::Unsigned(_) => StatusCode::UNAUTHORIZED,
            Failure::Cut | Failure::Malformed(_) => StatusCode::BAD_REQUEST,
            Failure::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        // What is wrong inside is for the log, not for whoever posts.
        let text = match &self {
            Failure::Unavailable(_) => "it cannot be stored now: please deliver it again\n".to_owned(),
            other => format!("{other}\n"),
        };
        match self {
            Failure::Unavailable(_) => (status, [(header::RETRY_AFTER, "5")], text).into_response(),
            Failure::Unsigned(Route::Generic) => {
                (status, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response()
            }
            _ => (status, text).into_response(),
        }
    }
}
