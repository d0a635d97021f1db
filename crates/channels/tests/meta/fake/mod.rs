//! A Meta on loopback: Graph's Send API, Cloud API and what is asked about tokens and subscriptions, and the webhooks it
//! sends. Written from the platform's public documentation, not from our sender, and checked by npm's
//! `messaging-api-messenger` (`../foreign.rs`).
//!
//! ```text
//! customer (the test) ─▶ Fake::writes ─▶ signed webhooks ─▶ whoever subscribed
//! sender ─▶ POST /{version}/{page}/messages ─▶ rules ─▶ taken, refused with a Graph error, or the connection is cut
//! ```
//!
//! It has a clock of its own, which a test may move: by that clock it knows a customer's window.

#![allow(dead_code, unused_imports, reason = "shared by several tests, each of which needs a part of it")]

mod calls;
mod graph;
mod rules;
mod webhooks;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub(crate) use graph::Refusal;
pub(crate) use webhooks::{Manner, client};

/// Which member of the family it plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plays {
    Messenger,
    Instagram,
    Whatsapp,
}

/// What it is set up as. The defaults are one Page of one app, without limits to its rates.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) plays: Plays,
    pub(crate) app_id: String,
    pub(crate) app_secret: String,
    /// The Page's, account's or phone number's id.
    pub(crate) page: String,
    pub(crate) token: String,
    /// Calls without `appsecret_proof` are refused.
    pub(crate) wants_proof: bool,
    /// Messages a second of the Page.
    pub(crate) page_rate: Option<u32>,
    /// To one customer: so many at once, and then one in so many milliseconds.
    pub(crate) thread_rate: Option<(u32, i64)>,
    /// WhatsApp: approved templates and how many parameters their bodies take.
    pub(crate) templates: BTreeMap<String, usize>,
}

impl Settings {
    pub(crate) fn of(plays: Plays) -> Settings {
        Settings {
            plays,
            app_id: "4242".into(),
            app_secret: "app-secret".into(),
            page: "1234567890".into(),
            token: "page-token".into(),
            wants_proof: true,
            page_rate: None,
            thread_rate: None,
            templates: BTreeMap::from([("parcel_update".into(), 2)]),
        }
    }
}

/// Something that goes wrong with one call to send.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Refused with this Graph error.
    Refused(Refusal),
    /// The connection is cut before the message is taken.
    CutBefore,
    /// The message is taken, and the connection cut before the answer.
    CutAfter,
    /// An answer that a proxy on the way wrote.
    Gateway(u16),
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) id: String,
    pub(crate) to: String,
    /// What the sender put there to know it again.
    pub(crate) metadata: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) body: Value,
    /// By its own clock.
    pub(crate) at: i64,
}

/// What befalls the n-th call to send, from 0.
pub(crate) type Script = Box<dyn FnMut(usize, &Value) -> Option<Fault> + Send>;

#[derive(Default)]
pub(super) struct State {
    pub(super) customers: BTreeMap<String, Customer>,
    pub(super) taken: Vec<Taken>,
    pub(super) calls: Vec<(String, Value)>,
    pub(super) script: Option<Script>,
    pub(super) sends: usize,
    pub(super) numbers: u64,
    /// When the Page's last messages came, for its rate.
    pub(super) recent: VecDeque<i64>,
    pub(super) personas: BTreeMap<String, (String, String)>,
    pub(super) uploads: BTreeMap<String, String>,
    pub(super) revoked: bool,
    pub(super) waiting: Vec<Value>,
    pub(super) subscribed: bool,
    pub(super) fields: Vec<String>,
    pub(super) failures: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Customer {
    /// When the customer last did something that opens the window.
    pub(super) wrote_at: Option<i64>,
    /// An advertisement led here.
    pub(super) ad_at: Option<i64>,
    pub(super) gone: bool,
    /// What is left of a burst, and as of when.
    pub(super) burst: Option<(f64, i64)>,
}

pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) offset: AtomicI64,
    pub(super) state: Mutex<State>,
    pub(super) changed: watch::Sender<u64>,
}

impl Inner {
    pub(super) fn now(&self) -> i64 {
        log::clock::now() + self.offset.load(Ordering::SeqCst)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

pub(crate) struct Fake {
    /// What stands for `https://graph.facebook.com`.
    pub(crate) url: String,
    pub(super) inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Fake {
    pub(crate) async fn start(settings: Settings) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fields = ["messages", "messaging_postbacks", "message_deliveries", "message_reads"];
        let state = State { subscribed: true, fields: fields.map(str::to_owned).into(), ..State::default() };
        let inner = Arc::new(Inner {
            settings,
            offset: AtomicI64::new(0),
            state: Mutex::new(state),
            changed: watch::Sender::default(),
        });
        let serving = tokio::spawn(serve(listener, inner.clone()));
        Fake { url, inner, serving }
    }

    /// Moves its clock forward.
    pub(crate) fn passes(&self, millis: i64) {
        self.inner.offset.fetch_add(millis, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> i64 {
        self.inner.now()
    }

    /// What goes wrong from here on.
    pub(crate) fn script(&self, script: impl FnMut(usize, &Value) -> Option<Fault> + Send + 'static) {
        let mut state = self.inner.state();
        state.sends = 0;
        state.script = Some(Box::new(script));
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.inner.state().taken.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.inner.state().taken.len()
    }

    /// Everything that was asked but `messages`: the path without its version, and the body.
    pub(crate) fn calls(&self) -> Vec<(String, Value)> {
        self.inner.state().calls.clone()
    }

    /// Waits until so many messages are taken.
    pub(crate) async fn has_taken(&self, count: usize) {
        let mut changed = self.inner.changed.subscribe();
        let waited = async {
            while self.count() < count {
                changed.changed().await.unwrap();
            }
        };
        let in_time = tokio::time::timeout(std::time::Duration::from_secs(60), waited).await;
        assert!(in_time.is_ok(), "in vain: {count} messages, {} came", self.count());
    }

    /// A customer whom the Page knows, and who wrote long ago.
    pub(crate) fn knows(&self, customer: &str) {
        self.inner.state().customers.entry(customer.to_owned()).or_default();
    }

    /// The customer blocks the Page, or deactivates the account.
    pub(crate) fn leaves(&self, customer: &str) {
        self.inner.state().customers.entry(customer.to_owned()).or_default().gone = true;
    }

    /// Somebody changed the password: the token is worth nothing from here on, or again.
    pub(crate) fn revokes(&self, revoked: bool) {
        self.inner.state().revoked = revoked;
    }

    /// What a call of the app's carries as `appsecret_proof`.
    pub(crate) fn proof(&self) -> String {
        self.inner.proof()
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        self.inner.state().subscribed
    }

    pub(crate) fn personas(&self) -> Vec<(String, String)> {
        self.inner.state().personas.values().cloned().collect()
    }
}

async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let inner = inner.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(inner.clone(), request));
            // A connection that is cut ends with an error.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// No answer: the connection is cut.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

async fn answer(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let answered = calls::answer(&inner, &head, &body);
    inner.changed.send_modify(|count| *count += 1);
    let Some(graph::Answer { status, body, headers }) = answered else { return Err(Cut) };
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(body.to_string()))).map_err(|_| Cut)
}
