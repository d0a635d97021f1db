//! What the tests of several channels stand in for the world: providers on a free port of this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::response::Response;
use tokio::net::TcpListener;

use crate::{Outbound, Outgoing};

/// A provider that records what it is sent and always answers the same.
pub(crate) struct FakeProvider {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Received>>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

#[derive(Clone)]
struct Answer {
    status: u16,
    body: &'static str,
    after: Duration,
    requests: Arc<Mutex<Vec<Received>>>,
}

impl FakeProvider {
    pub(crate) async fn answering(status: u16, body: &'static str) -> Self {
        FakeProvider::answering_after(Duration::ZERO, status, body).await
    }

    pub(crate) async fn answering_after(after: Duration, status: u16, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::default();
        let answer = Answer { status, body, after, requests: Arc::clone(&requests) };
        let router = Router::new().fallback(receive).with_state(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        FakeProvider { url, requests }
    }

    /// The requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }
}

async fn receive(State(answer): State<Answer>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let path = head.uri.to_string();
    answer.requests.lock().unwrap().push(Received { path, headers: head.headers, body });
    tokio::time::sleep(answer.after).await;
    let status = StatusCode::from_u16(answer.status).unwrap();
    let retry = if status.is_success() { "" } else { "7" };
    (status, [("retry-after", retry)], answer.body).into_response()
}

/// A provider that nobody answers for: a port that is privileged and long out of use.
pub(crate) const NOBODY: &str = "http://127.0.0.1:1";

/// A provider that takes the request and hangs up.
pub(crate) async fn hanging_up() -> String {
    use tokio::io::AsyncReadExt as _;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _read = stream.read(&mut [0; 1024]).await;
        }
    });
    url
}

pub(crate) fn outbound() -> Outbound {
    Outbound::new(Duration::from_secs(20)).unwrap()
}

/// For providers that are too slow.
pub(crate) fn impatient() -> Outbound {
    Outbound::new(Duration::from_millis(200)).unwrap()
}

pub(crate) fn outgoing() -> Outgoing {
    Outgoing {
        key: "0f3a-1".to_owned(),
        to: "customer".to_owned(),
        text: "Hello & welcome".to_owned(),
        quick_replies: Vec::new(),
        attachments: Vec::new(),
        at: 1_765_432_100_123,
        by_person: false,
        thread: None,
        chat: crate::Chat::default(),
    }
}
