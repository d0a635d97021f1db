//! Meta's webhooks on a real socket, down to the log: doubled at once, and while the log is away.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use channels::http::{HttpInbox, Inboxes, Limits, MetaInbox, MetaInboxes};
use channels::messenger::Kind as MetaKind;
use data_encoding::HEXLOWER;
use domain::{MessageId, Partition, Taken, Timestamp, conversation::What};
use futures::future::join_all;
use hmac::{Hmac, Mac as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;

const HOME: domain::Topology =
    domain::Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };

/// Page 1 is of an app whose secret is being replaced, Page 2 of another app.
struct Known;

fn inbox(name: &str) -> Option<HttpInbox> {
    let (id, secrets): (_, &[&str]) = match name {
        "page" => ("1", &["dev", "before"]),
        "second" => ("2", &["another"]),
        _ => return None,
    };
    Some(HttpInbox::Meta(MetaInbox {
        kind: MetaKind::Messenger,
        app_secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
        verify_token: format!("verify-{name}").into(),
        ids: vec![id.to_owned()].into(),
        any: false,
    }))
}

impl Inboxes for Known {
    fn http(&self, name: &str) -> Option<HttpInbox> {
        inbox(name)
    }

    fn meta(&self) -> Arc<MetaInboxes> {
        Arc::new(["page", "second"].into_iter().map(|name| (name.to_owned(), inbox(name).unwrap())).collect())
    }
}

struct Edge {
    world: World,
    address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn edge() -> Edge {
    let world = world();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = channels::http::router(Arc::new(world.intake.clone()), Arc::new(Known), Limits::default());
    tokio::spawn(channels::http::serve(listener, router, stop.clone()));
    Edge { world, address, stop }
}

fn message(n: usize) -> String {
    format!(
        r#"{{"sender":{{"id":"c{}"}},"recipient":{{"id":"1"}},"timestamp":{},"message":{{"mid":"m{n}","text":"x"}}}}"#,
        n % 7,
        1_765_432_100_000_i64 + n as i64
    )
}

fn webhook(items: &[String]) -> String {
    format!(r#"{{"object":"page","entry":[{}]}}"#, entry("1", items))
}

fn entry(page: &str, items: &[String]) -> String {
    format!(r#"{{"id":"{page}","time":1,"messaging":[{}]}}"#, items.join(","))
}

fn signed(secret: &str, body: &str) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

impl Edge {
    async fn post(&self, path: &str, body: &str) -> u16 {
        self.post_of("dev", path, body).await.0
    }

    /// Signed by this secret; with the answer's text.
    async fn post_of(&self, secret: &str, path: &str, body: &str) -> (u16, String) {
        let signature = signed(secret, body);
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\nx-hub-signature-256: sha256={signature}\r\n\r\n{body}",
            body.len()
        ))
        .await
    }

    /// On a connection of its own.
    async fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        (answer[9..12].parse().unwrap(), answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// How many messages came by each inbox.
    async fn received(&self) -> [usize; 2] {
        [self.world.received_by("page").await.len(), self.world.received_by("second").await.len()]
    }

    /// The messages of the timeline, in the order in which they were decided.
    async fn messages(&self) -> Vec<MessageId> {
        let mut partition: Partition<Decider> = Partition::new(HOME);
        let step = partition.adopt(Timestamp(0), Arc::new(policy())).unwrap();
        partition.fold(Timestamp(0), &step);
        let mut messages = Vec::new();
        for (_, input) in self.world.inputs().await {
            let Taken::Step(step) = partition.take(Timestamp(1), &input) else { continue };
            messages.extend(step.events.iter().filter_map(|recorded| match recorded.event.what {
                What::MessageReceived { message, .. } => Some(message),
                _ => None,
            }));
            partition.fold(Timestamp(1), &step);
        }
        messages
    }
}

#[tokio::test]
async fn each_id_on_two_connections_at_once_is_one_message() {
    let edge = edge().await;
    let bodies: Vec<String> = (0..100).map(|n| webhook(&[message(n)])).collect();
    let twice =
        bodies.iter().flat_map(|body| ["/webhooks/meta/page", "/webhooks/meta"].map(|path| (path, body)));
    let answers = join_all(twice.map(|(path, body)| edge.post(path, body))).await;
    assert_eq!(answers, [200; 200]);
    let messages = edge.messages().await;
    assert_eq!(messages.len(), 100);
    assert_eq!(messages.into_iter().collect::<BTreeSet<_>>().len(), 100);
}

#[tokio::test]
async fn while_the_log_is_away_every_webhook_is_503_and_none_is_lost() {
    let edge = edge().await;
    let bodies: Vec<String> =
        (0..20).map(|n| webhook(&[message(3 * n), message(3 * n + 1), message(3 * n + 2)])).collect();
    assert_eq!(edge.post("/webhooks/meta/page", &bodies[0]).await, 200);
    edge.world.log.refuse(true);
    let away = join_all(bodies.iter().map(|body| edge.post("/webhooks/meta/page", body))).await;
    assert_eq!(away, [503; 20]);
    edge.world.log.refuse(false);
    // As Meta does.
    let again = join_all(bodies.iter().map(|body| edge.post("/webhooks/meta/page", body))).await;
    assert_eq!(again, [200; 20]);
    assert_eq!(edge.messages().await.len(), 60);
}

#[tokio::test]
async fn on_the_path_that_all_share_each_entry_goes_to_the_inbox_whose_it_is() {
    let edge = edge().await;
    let one = |n: usize| [message(n)];
    let body = |pages: &[(&str, usize)]| {
        let entries: Vec<String> = pages.iter().map(|(page, n)| entry(page, &one(*n))).collect();
        format!(r#"{{"object":"page","entry":[{}]}}"#, entries.join(","))
    };
    let shared = "/webhooks/meta";
    // Of another app's Page, and of one that is nobody's here, nothing is kept.
    assert_eq!(edge.post(shared, &body(&[("1", 1), ("2", 2), ("3", 3)])).await, 200);
    assert_eq!(edge.received().await, [1, 0]);
    assert_eq!(edge.post_of("another", shared, &body(&[("1", 4), ("2", 5)])).await.0, 200);
    assert_eq!(edge.received().await, [1, 1]);
    // A secret that is being replaced still counts.
    assert_eq!(edge.post_of("before", shared, &body(&[("1", 6)])).await.0, 200);
    assert_eq!(edge.received().await, [2, 1]);
    // On its own path an inbox takes its own alone.
    assert_eq!(edge.post("/webhooks/meta/page", &body(&[("1", 7), ("2", 8), ("3", 9)])).await, 200);
    assert_eq!(edge.received().await, [3, 1]);
    // Things that Meta has and nobody has here.
    assert_eq!(edge.post(shared, r#"{"object":"permissions","entry":[{"id":"1","changes":[]}]}"#).await, 200);
    assert_eq!(edge.received().await, [3, 1]);
}

#[tokio::test]
async fn bad_webhooks_have_a_status_and_leave_nothing() {
    let edge = edge().await;
    let good = webhook(&[message(1)]);
    for path in ["/webhooks/meta", "/webhooks/meta/page"] {
        let (status, text) = edge.post_of("nobody's", path, &good).await;
        assert_eq!(status, 401);
        assert!(!text.contains(&signed("dev", &good)[..16]), "{text}");
        let unsigned =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
        assert_eq!(edge.ask(&unsigned).await.0, 401);
        assert_eq!(edge.post(path, "neither JSON nor anything").await, 400);
        assert_eq!(edge.post(path, "[]").await, 400);
        assert_eq!(edge.post(path, &"x".repeat(10 << 20)).await, 413);
    }
    let deep = format!(r#"{{"object":"page","entry":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(edge.post("/webhooks/meta/page", &deep).await, 400);
    assert!(edge.world.inputs().await.is_empty());
}

#[tokio::test]
async fn a_platform_tells_nothing_of_the_future() {
    let edge = edge().await;
    let ahead = log::clock::now() + 400 * 24 * 3_600 * 1_000;
    let item = format!(r#"{{"sender":{{"id":"c"}},"timestamp":{ahead},"message":{{"mid":"m","text":"x"}}}}"#);
    assert_eq!(edge.post("/webhooks/meta/page", &webhook(&[item])).await, 200);
    let received = edge.world.received_by("page").await;
    assert!(received[0].sent_at.0 <= log::clock::now(), "{:?}", received[0].sent_at);
}

#[tokio::test]
async fn whoever_knows_one_of_the_tokens_may_register_the_path_that_all_share() {
    let edge = edge().await;
    let ask = async |path: &str, token: &str| {
        let query = format!("hub.mode=subscribe&hub.challenge=42&hub.verify_token={token}");
        edge.ask(&format!("GET {path}?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    };
    for (path, token, status) in [
        ("/webhooks/meta", "verify-page", 200),
        ("/webhooks/meta", "verify-second", 200),
        ("/webhooks/meta", "dev", 403),
        ("/webhooks/meta", "", 403),
        ("/webhooks/meta/page", "verify-page", 200),
        ("/webhooks/meta/page", "verify-second", 403),
    ] {
        let (answered, text) = ask(path, token).await;
        assert_eq!((answered, text == "42"), (status, status == 200), "{path} {token}");
    }
}
