//! The edge on a real socket, with an intake that records or refuses.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, Mac as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::messenger::Kind;
use crate::{Fact, Outbound};

const TEXT: &str = include_str!("../messenger/samples/messenger-text.json");
const BATCH: &str = include_str!("../messenger/samples/messenger-batch.json");
const UNKNOWN: &str = include_str!("../messenger/samples/messenger-unknown.json");
const SMS: &str = include_str!("../twilio/samples/text.form");
const CALL: &str = include_str!("../twilio/samples/call.form");
const DELIVERED: &str = include_str!("../twilio/samples/delivered.form");

/// One call of `accept`.
type Taken = (String, Vec<Fact>, Option<Bytes>);

#[derive(Default)]
struct Recorder {
    taken: Mutex<Vec<Taken>>,
    refuse: Mutex<Option<fn() -> Refused>>,
    /// Told when something is on its way in, which then takes a while.
    entered: Option<Arc<Notify>>,
}

#[async_trait]
impl Intake for Recorder {
    async fn accept(&self, inbox: &str, facts: Vec<Fact>, raw: Option<Bytes>) -> Result<(), Refused> {
        if let Some(entered) = &self.entered {
            entered.notify_one();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if let Some(refused) = *self.refuse.lock().unwrap() {
            return Err(refused());
        }
        self.taken.lock().unwrap().push((inbox.to_owned(), facts, raw));
        Ok(())
    }
}

struct Known(HashMap<&'static str, HttpInbox>);

impl Inboxes for Known {
    fn http(&self, inbox: &str) -> Option<HttpInbox> {
        self.0.get(inbox).cloned()
    }
}

struct Running {
    address: SocketAddr,
    intake: Arc<Recorder>,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

async fn start(intake: Recorder, limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let meta = |kind| {
        HttpInbox::Meta(MetaInbox {
            kind,
            app_secrets: vec!["old".to_owned(), "dev".to_owned()].into(),
            verify_token: "dev".into(),
            ids: vec!["104567890123456".to_owned()].into(),
            any: false,
        })
    };
    let twilio = HttpInbox::Twilio {
        auth_tokens: vec!["dev".to_owned()].into(),
        public_url: format!("http://{address}").into(),
        profile: Arc::default(),
    };
    let known = Known(HashMap::from([
        ("messenger", meta(Kind::Messenger)),
        ("whatsapp", meta(Kind::Whatsapp)),
        ("sms", twilio),
        ("generic", HttpInbox::own("dev")),
        (
            "signed",
            described(&[
                ("signature", "hmac-sha256"),
                ("signature_prefix", "sha256="),
                ("allow", "127.0.0.0/8"),
            ]),
        ),
        ("elsewhere", described(&[("signature", "hmac-sha256"), ("allow", "192.0.2.0/24")])),
        ("open", described(&[])),
    ]));
    let (intake, stop) = (Arc::new(intake), CancellationToken::new());
    let router = router(Arc::clone(&intake) as Arc<dyn Intake>, Arc::new(known), limits);
    let served = tokio::spawn(serve(listener, router, stop.clone()));
    Running { address, intake, stop, served }
}

/// An inbox for short messages, whose provider these settings describe. Its secret is `dev`, and it has no token.
fn described(settings: &[(&str, &str)]) -> HttpInbox {
    let settings = [
        ("signature_header", "x-hub-signature-256"),
        ("receive_from", "from"),
        ("receive_text", "text"),
        ("answer", "OK"),
    ]
    .iter()
    .chain(settings)
    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
    .collect();
    HttpInbox::Generic {
        bearer: None,
        provider: Arc::new(crate::generic::Provider::read(&settings, |_| Ok("dev".to_owned())).unwrap()),
        channel: crate::Channel::Sms,
        public_url: "".into(),
        profile: Some(Arc::default()),
    }
}

async fn running() -> Running {
    start(Recorder::default(), Limits::default()).await
}

impl Running {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        // The HTTP engine of the tests is the one senders use, so that no second one is needed.
        let stream = TcpStream::connect(self.address).await.unwrap();
        raw(stream, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
    }

    async fn post(&self, path: &str, header: (&str, &str), body: &str) -> (u16, String) {
        let outbound = Outbound::new(Duration::from_secs(10)).unwrap();
        let request = outbound.post(&self.url(path)).header(header.0, header.1).body(body.to_owned());
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        if status == 503 {
            assert_eq!(response.headers()["retry-after"], "5");
        }
        (status, response.text().await.unwrap())
    }

    async fn meta(&self, inbox: &str, body: &str) -> (u16, String) {
        self.post(&format!("/webhooks/meta/{inbox}"), ("x-hub-signature-256", &meta_signature(body)), body)
            .await
    }

    async fn twilio(&self, path: &str, body: &str) -> (u16, String) {
        let signature = twilio_signature(&self.url(path), body);
        self.post(path, ("x-twilio-signature", &signature), body).await
    }

    fn taken(&self) -> Vec<Taken> {
        self.intake.taken.lock().unwrap().clone()
    }
}

/// Writes bytes and reads the whole answer.
async fn raw(mut stream: TcpStream, request: &[u8]) -> (u16, String) {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn meta_signature(body: &str) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(b"dev").unwrap().chain_update(body);
    format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

fn twilio_signature(url: &str, body: &str) -> String {
    let mut fields: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
    fields.sort();
    let text = fields.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let mac = Hmac::<sha1::Sha1>::new_from_slice(b"dev").unwrap().chain_update(text);
    BASE64.encode(&mac.finalize().into_bytes())
}

#[tokio::test]
async fn meta_verifies_the_endpoint() {
    let edge = running().await;
    let path = "/webhooks/meta/messenger?hub.mode=subscribe&hub.verify_token=dev&hub.challenge=1158201444";
    assert_eq!(edge.get(path).await, (200, "1158201444".to_owned()));
    assert_eq!(edge.get(&path.replace("token=dev", "token=nope")).await.0, 403);
    assert_eq!(edge.get("/webhooks/meta/messenger").await.0, 403);
    assert_eq!(edge.get(&path.replace("messenger", "nobody")).await.0, 404);
    assert_eq!(edge.get(&path.replace("messenger", "sms")).await.0, 404);
}

#[tokio::test]
async fn a_provider_that_settings_describe_is_let_in_by_all_that_they_ask_for() {
    let edge = running().await;
    let body = r#"{"from": "+4915112345678", "text": "STOP"}"#;
    let post = async |inbox: &str, signature: &str| {
        edge.post(&format!("/webhooks/generic/{inbox}"), ("x-hub-signature-256", signature), body).await
    };
    let signature = meta_signature(body);
    assert_eq!(post("signed", &signature).await, (200, "OK".to_owned()));
    assert_eq!(post("signed", &meta_signature("another body")).await.0, 401);
    assert_eq!(post("elsewhere", &signature[7..]).await.0, 401, "from another network");
    assert_eq!(post("open", &signature).await.0, 401, "who asks for nothing lets nobody in");
    let [(_, facts, _)] = &edge.taken()[..] else { panic!("one is taken") };
    assert_eq!((facts[0].kind, facts[0].address.as_str()), (FactKind::OptOut, "+4915112345678"));
}

#[tokio::test]
async fn twilios_json_is_signed_by_its_hash() {
    let edge = running().await;
    let body = r#"{"MessageSid": "SM1", "From": "+15550123", "To": "+15550100", "Body": "hello"}"#;
    let hash = HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(body));
    let path = format!("/webhooks/twilio/sms?bodySHA256={hash}");
    let signature = twilio_signature(&edge.url(&path), "");
    let post = async |body: &str| {
        let outbound = Outbound::new(Duration::from_secs(10)).unwrap();
        let request = outbound.post(&edge.url(&path)).header("content-type", "application/json");
        let request = request.header("x-twilio-signature", &signature).body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(body).await, 200);
    assert_eq!(post(&body.replace("hello", "hullo")).await, 401);
    assert_eq!(edge.taken()[0].1[0].text.as_deref(), Some("hello"));
}

#[tokio::test]
async fn signed_webhooks_are_taken_whole_and_once() {
    let edge = running().await;
    assert_eq!(edge.meta("messenger", BATCH).await, (200, "EVENT_RECEIVED".to_owned()));
    assert_eq!(edge.twilio("/webhooks/twilio/sms", SMS).await, (200, "<Response/>".to_owned()));
    assert_eq!(edge.twilio("/webhooks/twilio/sms/status?x=1", DELIVERED).await.0, 200);
    let posted = r#"{"id": "1", "from": "visitor", "text": "hello"}"#;
    let answer = edge.post("/webhooks/generic/generic", ("authorization", "Bearer dev"), posted).await;
    assert_eq!(answer, (200, "{}".to_owned()));

    let taken = edge.taken();
    let seen: Vec<_> =
        taken.iter().map(|(inbox, facts, raw)| (inbox.as_str(), facts.len(), raw.is_some())).collect();
    assert_eq!(seen, [("messenger", 3, false), ("sms", 1, false), ("sms", 1, false), ("generic", 1, false)]);
    assert!(taken.iter().all(|(inbox, facts, _)| facts.iter().all(|fact| fact.inbox == *inbox)));
}

#[tokio::test]
async fn what_is_unknown_is_kept_with_its_bytes() {
    let edge = running().await;
    assert_eq!(edge.meta("messenger", UNKNOWN).await.0, 200);
    assert_eq!(edge.twilio("/webhooks/twilio/sms", CALL).await.0, 200);
    let taken = edge.taken();
    let (_, facts, body) = &taken[0];
    let item = std::str::from_utf8(facts[0].raw.as_deref().unwrap()).unwrap();
    assert!(item.starts_with('{') && UNKNOWN.contains(item) && item.len() < UNKNOWN.len(), "{item}");
    assert_eq!(*body, None, "an item of a batch is kept alone");
    assert_eq!(taken[1].2.as_deref(), Some(CALL.as_bytes()));
}

#[tokio::test]
async fn what_says_nothing_is_accepted_without_the_intake() {
    let edge = running().await;
    assert_eq!(edge.meta("messenger", r#"{"object": "page", "entry": []}"#).await.0, 200);
    assert!(edge.taken().is_empty());
}

#[tokio::test]
async fn nothing_unsigned_gets_in() {
    let edge = running().await;
    let meta = "/webhooks/meta/messenger";
    assert_eq!(edge.post(meta, ("x-nothing", ""), TEXT).await.0, 401);
    assert_eq!(edge.post(meta, ("x-hub-signature-256", &meta_signature(BATCH)), TEXT).await.0, 401);
    assert_eq!(edge.post(meta, ("x-hub-signature-256", "sha256=00"), "not even json").await.0, 401);
    let sms = "/webhooks/twilio/sms";
    assert_eq!(edge.post(sms, ("x-nothing", ""), SMS).await.0, 401);
    let elsewhere = twilio_signature(&edge.url("/webhooks/twilio/other"), SMS);
    assert_eq!(edge.post(sms, ("x-twilio-signature", &elsewhere), SMS).await.0, 401);
    let generic = "/webhooks/generic/generic";
    assert_eq!(edge.post(generic, ("authorization", "Bearer wrong"), "{}").await.0, 401);
    let right = HEXLOWER.encode(b"dev");
    let (_, answer) = edge.post(meta, ("x-hub-signature-256", "sha256=00"), TEXT).await;
    assert!(!answer.contains(&right) && !answer.contains(&meta_signature(TEXT)[7..]), "{answer}");
    assert!(edge.taken().is_empty());
}

#[tokio::test]
async fn bad_input_is_answered_with_its_reason() {
    let edge = running().await;
    let (status, reason) = edge.meta("messenger", "{\"object\": \"page\",").await;
    assert_eq!(status, 400);
    assert!(reason.contains("malformed Meta webhook: EOF while parsing"), "{reason}");
    assert_eq!(edge.twilio("/webhooks/twilio/sms", "a=1").await.0, 400);
    assert_eq!(edge.post("/webhooks/generic/generic", ("authorization", "Bearer dev"), "{}").await.0, 400);
    assert_eq!(edge.meta("nobody", TEXT).await.0, 404);
    assert_eq!(edge.meta("sms", TEXT).await.0, 404);
    assert_eq!(edge.meta("..%2f", TEXT).await.0, 404);
    assert!(edge.taken().is_empty());
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_gets_its_answer() {
    let edge = start(Recorder::default(), Limits { body: 100_000, ..Limits::default() }).await;
    let fits = format!("{{\"object\":\"page\",\"entry\":[]}}{}", " ".repeat(99_000));
    assert_eq!(edge.meta("messenger", &fits).await.0, 200);
    for length in [100_001, 700_000] {
        assert_eq!(edge.meta("messenger", &" ".repeat(length)).await.0, 413);
    }
    // Without a length announced.
    let mut request = b"POST /webhooks/meta/messenger HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n".to_vec();
    for _ in 0..20 {
        request.extend_from_slice(format!("2710\r\n{}\r\n", "x".repeat(10_000)).as_bytes());
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(raw(TcpStream::connect(edge.address).await.unwrap(), &request).await.0, 413);
}

#[tokio::test]
async fn a_form_field_of_a_megabyte_is_kept_whole_or_refused_whole() {
    let field = "x".repeat(1_000_000);
    let body = format!("MessageSid=SM1&From=%2B15550123&To=%2B15550100&Body={field}");
    let edge = running().await;
    assert_eq!(edge.twilio("/webhooks/twilio/sms", &body).await.0, 200);
    assert_eq!(edge.taken()[0].1[0].text.as_deref(), Some(field.as_str()));
    let unsigned = edge.post("/webhooks/twilio/sms", ("x-twilio-signature", "AAAA"), &body).await;
    assert_eq!(unsigned.0, 401);
    let small = start(Recorder::default(), Limits { body: 900_000, ..Limits::default() }).await;
    assert_eq!(small.twilio("/webhooks/twilio/sms", &body).await.0, 413);
    assert!(small.taken().is_empty());
}

#[tokio::test]
async fn large_bodies_beyond_what_memory_is_for_come_back_later() {
    let edge = start(Recorder::default(), Limits { large: 0, ..Limits::default() }).await;
    let padded = |length| format!("{{\"object\":\"page\",\"entry\":[]}}{}", " ".repeat(length));
    assert_eq!(edge.meta("messenger", &padded(SMALL)).await.0, 503);
    assert_eq!(edge.meta("messenger", &padded(SMALL / 2)).await.0, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let edge =
        start(Recorder::default(), Limits { patience: Duration::from_millis(50), ..Limits::default() }).await;
    let request = b"POST /webhooks/meta/messenger HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\nconnection: close\r\n\r\nabc";
    assert_eq!(raw(TcpStream::connect(edge.address).await.unwrap(), request).await.0, 408);
}

#[tokio::test]
async fn what_is_not_durable_is_never_acknowledged() {
    let edge = running().await;
    *edge.intake.refuse.lock().unwrap() = Some(|| Refused::Unavailable("disk full on /dev/sda".to_owned()));
    let (status, text) = edge.meta("messenger", TEXT).await;
    assert_eq!(status, 503);
    assert!(!text.contains("/dev/sda"));
    assert_eq!(edge.twilio("/webhooks/twilio/sms", SMS).await.0, 503);
    *edge.intake.refuse.lock().unwrap() = Some(|| Refused::UnknownInbox("messenger".to_owned()));
    assert_eq!(edge.meta("messenger", TEXT).await.0, 404);
    *edge.intake.refuse.lock().unwrap() = None;
    assert_eq!(edge.meta("messenger", TEXT).await.0, 200);
}

#[test]
fn the_cause_of_refusals_is_told_once_a_second() {
    let edge = Edge {
        intake: Arc::new(Recorder::default()),
        inboxes: Arc::new(Known(HashMap::new())),
        limits: Limits::default(),
        large: Semaphore::new(1),
        warned: Mutex::default(),
    };
    let start = Instant::now();
    let told: Vec<bool> =
        [0, 1, 999, 1_000, 1_001, 5_000].map(|after| edge.warns(start + Duration::from_millis(after))).into();
    assert_eq!(told, [true, false, false, true, false, true]);
}

#[tokio::test]
async fn strangers_are_told_what_there_is() {
    let edge = running().await;
    let (status, text) = edge.get("/").await;
    assert_eq!(status, 200);
    assert!(text.contains("Tributary") && text.contains("/webhooks/meta/{inbox}"));
    let (status, text) = edge.get("/webhook/messenger").await;
    assert_eq!(status, 404);
    assert!(text.contains("/webhooks/generic/{inbox}"));
    assert_eq!(edge.get("/webhooks/twilio/sms").await.0, 405);
}

#[tokio::test]
async fn stopping_answers_what_is_in_flight() {
    let entered = Arc::new(Notify::new());
    let recorder = Recorder { entered: Some(Arc::clone(&entered)), ..Recorder::default() };
    let edge = start(recorder, Limits::default()).await;
    let idle = TcpStream::connect(edge.address).await.unwrap();
    let stopping = async {
        entered.notified().await;
        edge.stop.cancel();
    };
    let (answer, ()) = tokio::join!(edge.meta("messenger", TEXT), stopping);
    assert_eq!(answer.0, 200);
    assert_eq!(edge.taken().len(), 1);
    edge.served.await.unwrap();
    drop(idle);
}
