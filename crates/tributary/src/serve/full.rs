//! A partition that is full, and a store of blobs that is away: whoever posts is asked to come back, and everything else
//! goes on.

use std::{collections::HashMap, net::SocketAddr, path::Path, sync::Arc};

use channels::{
    LogIntake,
    http::{HttpInbox, Inboxes, Limits},
};
use domain::{Kind, Policies, Topology};
use log::{Limit, Log as _, MemoryLog, Topic};
use objects::Store;
use runtime::Post;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::CancellationToken;
use vault::{MasterKey, Vault};

const TOPOLOGY: Topology = Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };

struct Known(HashMap<&'static str, HttpInbox>);

impl Inboxes for Known {
    fn http(&self, inbox: &str) -> Option<HttpInbox> {
        self.0.get(inbox).cloned()
    }
}

async fn says(edge: SocketAddr, id: usize, text: &str) -> String {
    let body = format!(r#"{{"id":"{id}","from":"visitor","text":"{text}"}}"#);
    let mut stream = TcpStream::connect(edge).await.unwrap();
    let head = "POST /webhooks/generic/generic HTTP/1.1\r\nhost: x\r\nauthorization: Bearer dev\r\nconnection: close";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn intake() -> log::Partition {
    Topic(Kind::Conversation.intake_topic()).partition(0)
}

/// An edge that appends to this log. It ends with the test's runtime.
async fn edge(log: &MemoryLog, vault: vault::Config) -> SocketAddr {
    let sample = crate::config::read_workspace(Path::new("dev.toml"), include_str!("../dev.toml")).unwrap();
    let mut policies = Policies::default();
    policies.put(Arc::new(sample));
    let (_known, policies) = watch::channel(policies);
    let post = Post { log: Arc::new(log.clone()), topology: TOPOLOGY };
    let vault = Vault::open(vault).unwrap();
    let inboxes = Known(HashMap::from([("generic", HttpInbox::own("dev"))]));
    let router = channels::http::router(
        Arc::new(LogIntake { post, vault, policies, verifier: channels::email::Verifier::offline() }),
        Arc::new(inboxes),
        Limits::default(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let edge = listener.local_addr().unwrap();
    tokio::spawn(channels::http::serve(listener, router, CancellationToken::new()));
    edge
}

#[tokio::test]
async fn a_full_partition_is_a_503_that_says_when_to_come_back_and_takes_more_once_there_is_room() {
    const ROOM: usize = 3;
    let dir = tempfile::tempdir().unwrap();
    let log = MemoryLog::new(&[(intake().topic, 1)]).with_capacity(ROOM);
    let edge = edge(&log, vault::Config::new(dir.path(), MasterKey::from_bytes([7; 32]))).await;

    // The disk stalls: what is not durable is not answered, and what finds no room is answered at once.
    log.hold();
    let mut customers = tokio::task::JoinSet::new();
    for id in 0..ROOM + 4 {
        customers.spawn(says(edge, id, "hello"));
    }
    for _ in 0..4 {
        let answer = customers.join_next().await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nretry-after: 5\r\n"), "{answer}");
    }
    log.release();
    for answer in customers.join_all().await {
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(says(edge, 100, "hello").await.starts_with("HTTP/1.1 200"), "there is room again");
    let written = log.read(intake(), 0, Limit::default()).await.unwrap();
    assert_eq!(written.len(), ROOM + 1, "what was answered 200, and nothing else");
}

#[tokio::test]
async fn while_the_store_of_blobs_is_away_what_is_long_is_a_503_and_what_is_short_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (root, away) = (dir.path().join("mount"), dir.path().join("away"));
    std::fs::create_dir(&root).unwrap();
    let log = MemoryLog::new(&[(intake().topic, 1)]);
    let vault = vault::Config::new(dir.path().join("keys"), MasterKey::from_bytes([7; 32]));
    let edge = edge(&log, vault::Config { blobs: Some(Store::folder(&root)), ..vault }).await;
    let long = "a long story ".repeat(10_000);

    std::fs::rename(&root, &away).unwrap();
    let answer = says(edge, 1, &long).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.to_lowercase().contains("retry-after"), "{answer}");
    assert!(says(edge, 2, "short").await.starts_with("HTTP/1.1 200"));
    assert_eq!(log.read(intake(), 0, Limit::default()).await.unwrap().len(), 1);

    std::fs::rename(&away, &root).unwrap();
    assert!(says(edge, 1, &long).await.starts_with("HTTP/1.1 200"), "it comes again");
    let written = log.read(intake(), 0, Limit::default()).await.unwrap();
    let named: Vec<_> = Vault::blobs_in(&written[1].bytes).collect();
    let there = Store::folder(&root).list("").await.unwrap();
    assert!(there.len() == 1 && named.iter().any(|blob| there[0].name.ends_with(&blob.to_string())));
}
