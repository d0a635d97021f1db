//! The listener as clients meet it: scripts over real sockets, byte for byte.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::{Fact, Intake, Refused};

/// Keeps what it is given, or says why not.
#[derive(Default)]
struct Kept {
    mails: Mutex<Vec<(String, Fact, Bytes)>>,
    unavailable: AtomicBool,
    slow: AtomicBool,
}

#[async_trait]
impl Intake for Kept {
    async fn accept(&self, inbox: &str, facts: Vec<Fact>, raw: Option<Bytes>) -> Result<(), Refused> {
        if self.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        match inbox {
            "retired" => return Err(Refused::UnknownInbox(inbox.into())),
            "broken" => return Err(Refused::Unavailable("the disk is full".into())),
            _ if self.unavailable.load(Ordering::SeqCst) => {
                return Err(Refused::Unavailable("no log".into()));
            }
            _ => {}
        }
        let mails = facts.into_iter().map(|fact| (inbox.to_owned(), fact, raw.clone().unwrap()));
        self.mails.lock().unwrap().extend(mails);
        Ok(())
    }
}

struct Desk;

impl Mailboxes for Desk {
    fn inbox(&self, address: &str) -> Option<String> {
        let (local, _) = address.split_once("@example.test")?;
        ["support", "sales", "retired", "broken"].contains(&local).then(|| local.to_owned())
    }
}

struct Server {
    address: std::net::SocketAddr,
    kept: Arc<Kept>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

async fn start(protocol: Protocol, change: impl FnOnce(&mut Config)) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut config =
        Config { drain_timeout: Duration::from_secs(5), ..Config::new(protocol, "mx.example.test") };
    change(&mut config);
    let (kept, stop) = (Arc::new(Kept::default()), CancellationToken::new());
    let running = tokio::spawn(serve(listener, config, Arc::new(Desk), kept.clone(), stop.clone()));
    Server { address, kept, stop, running }
}

impl Server {
    async fn client(&self) -> Client {
        let mut client = Client(BufReader::new(TcpStream::connect(self.address).await.unwrap()));
        client.expect("220 mx.example.test ").await;
        client
    }

    fn raws(&self) -> Vec<Bytes> {
        self.kept.mails.lock().unwrap().iter().map(|(_, _, raw)| raw.clone()).collect()
    }

    fn inboxes(&self) -> Vec<String> {
        self.kept.mails.lock().unwrap().iter().map(|(inbox, _, _)| inbox.clone()).collect()
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// One whole reply, its lines joined.
    async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(Duration::from_secs(60), self.0.read_line(&mut line));
            if read.await.expect("a reply in time").unwrap() == 0 {
                return reply;
            }
            assert!(line.ends_with("\r\n"), "{line:?}");
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply.push_str(&line);
            if last {
                return reply;
            }
        }
    }

    async fn expect(&mut self, start: &str) -> String {
        let reply = self.reply().await;
        assert!(reply.starts_with(start), "expected {start:?}, got {reply:?}");
        reply
    }

    async fn ask(&mut self, command: &str, start: &str) -> String {
        self.send(format!("{command}\r\n")).await;
        self.expect(start).await
    }

    async fn expect_end(&mut self) {
        assert_eq!(self.reply().await, "", "the connection stays open");
    }

    /// A whole mail up to the reply to its end.
    async fn mail(&mut self, to: &str, data: impl AsRef<[u8]>, start: &str) {
        self.ask("MAIL FROM:<ana@customer.test>", "250 2.1.0").await;
        self.ask(&format!("RCPT TO:<{to}>"), "250 2.1.5").await;
        self.ask("DATA", "354").await;
        self.send(data).await;
        self.expect(start).await;
    }
}

const MAIL: &str = "From: ana@customer.test\r\nMessage-ID: <1@customer.test>\r\nSubject: hi\r\n\r\nhello\r\n";
const WHOLE: &str =
    "From: ana@customer.test\r\nMessage-ID: <1@customer.test>\r\nSubject: hi\r\n\r\nhello\r\n.\r\n";

#[tokio::test]
async fn a_mail_is_taken_and_kept_as_it_came() {
    let server = start(Protocol::Smtp, |_| {}).await;
    let mut client = server.client().await;
    let extensions = client.ask("EHLO client.test", "250-mx.example.test").await;
    for extension in ["PIPELINING", "SIZE 26214400", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"] {
        assert!(extensions.contains(&format!("{extension}\r\n")), "{extensions}");
    }
    assert!(!extensions.contains("STARTTLS"));
    client.ask("VRFY support", "252").await;
    client.ask("HELP", "214").await;
    client.ask("NOOP", "250").await;
    client.mail("support@example.test", WHOLE, "250 2.0.0").await;
    client.ask("QUIT", "221").await;
    client.expect_end().await;
    assert_eq!(server.raws(), [MAIL]);
    let (inbox, fact, _) = server.kept.mails.lock().unwrap().remove(0);
    assert_eq!(
        (inbox.as_str(), fact.inbox.as_str(), fact.text.as_deref()),
        ("support", "support", Some("hello"))
    );
    let envelope = fact.mail.unwrap().envelope.unwrap();
    assert_eq!(
        (envelope.sender.as_str(), envelope.recipients),
        ("ana@customer.test", vec!["support@example.test".to_owned()],)
    );
}

#[tokio::test]
async fn a_pipelined_script_gets_its_replies_in_order() {
    let server = start(Protocol::Smtp, |_| {}).await;
    let mut client = server.client().await;
    let first = "EHLO c\r\nMAIL FROM:<ana@customer.test> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<Support@Example.test>\r\n\
        RCPT TO:<nobody@example.test>\r\nDATA\r\n";
    client.send(first).await;
    for start in ["250-", "250 2.1.0", "250 2.1.5", "550 5.1.1", "354"] {
        client.expect(start).await;
    }
    // The end of one mail and all of the next in one go, dots stuffed.
    let second =
        "From: a@x.test\r\n\r\n..dot\r\n..\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<sales@example.test>\r\nDATA\r\n";
    client.send(second).await;
    for start in ["250 2.0.0", "250 2.1.0", "250 2.1.5", "354"] {
        client.expect(start).await;
    }
    client.send("From: a@x.test\r\n\r\nsecond\r\n.\r\nQUIT\r\n").await;
    client.expect("250 2.0.0").await;
    client.expect("221").await;
    client.expect_end().await;
    assert_eq!(server.raws(), ["From: a@x.test\r\n\r\n.dot\r\n.\r\n", "From: a@x.test\r\n\r\nsecond\r\n"]);
    assert_eq!(server.inboxes(), ["support", "sales"]);
}

#[tokio::test]
async fn only_known_mailboxes_are_taken_with_any_tag() {
    let server = start(Protocol::Smtp, |_| {}).await;
    let mut client = server.client().await;
    client.ask("HELO c", "250 mx.example.test").await;
    client.ask("MAIL FROM:<ana@customer.test>", "250").await;
    for unknown in ["ana@elsewhere.test", "nobody@example.test", "nobody+support@example.test", "support"] {
        client.ask(&format!("RCPT TO:<{unknown}>"), "550 5.1.1").await;
    }
    client.ask("DATA", "503 5.5.1").await;
    client.ask("RCPT TO:<support+0123456789abcdefghij@example.test>", "250").await;
    client.ask("RSET", "250").await;
    client.mail("support+0123456789abcdefghij@example.test", WHOLE, "250").await;
    let (_, fact, _) = server.kept.mails.lock().unwrap().remove(0);
    assert_eq!(fact.mail.unwrap().our_references, ["0123456789abcdefghij"]);
}

#[tokio::test]
async fn commands_out_of_order_are_refused() {
    let server = start(Protocol::Smtp, |config| config.max_errors = 7).await;
    let mut client = server.client().await;
    client.ask("MAIL FROM:<a@x.test>", "503 5.5.1").await;
    client.ask("LHLO c", "500 5.5.1").await;
    client.ask("EHLO c", "250-").await;
    client.ask("RCPT TO:<support@example.test>", "503 5.5.1").await;
    client.ask("DATA", "503 5.5.1").await;
    client.ask("MAIL FROM:<a@x.test>", "250").await;
    client.ask("MAIL FROM:<b@x.test>", "503 5.5.1").await;
    client.ask("STARTTLS", "502 5.5.1").await;
    client.ask(&format!("NOOP {}", "x".repeat(5000)), "500 5.5.2").await;
    client.ask("NOOP", "250").await;
    client.send(b"NOOP \xff\r\n").await;
    client.expect("421 4.7.0").await;
    client.expect_end().await;
}

#[tokio::test]
async fn an_oversize_mail_is_refused_whenever_it_shows() {
    let server = start(Protocol::Smtp, |config| config.max_message = 1000).await;
    let mut client = server.client().await;
    client.ask("EHLO c", "250-").await;
    client.ask("MAIL FROM:<a@x.test> SIZE=1001", "552 5.3.4").await;
    client.mail("support@example.test", format!("{MAIL}{}\r\n.\r\n", "x".repeat(100_000)), "552 5.3.4").await;
    // The connection is in step, and the limit is exact.
    let exact = format!("{MAIL}{}\r\n", "x".repeat(1000 - MAIL.len() - 2));
    client.mail("support@example.test", format!("{exact}.\r\n"), "250").await;
    client.mail("support@example.test", format!("{exact}x\r\n.\r\n"), "552 5.3.4").await;
    assert_eq!(server.raws(), [exact]);
}

#[tokio::test]
async fn memory_is_bounded_over_all_connections() {
    let server = start(Protocol::Smtp, |config| {
        (config.max_message, config.max_memory) = (2 * BLOCK, 7 * BLOCK);
        config.memory_timeout = Duration::from_millis(200);
    })
    .await;
    let large = format!("{MAIL}{}\r\n.\r\n", "x".repeat(BLOCK));
    let mut holder = server.client().await;
    holder.ask("EHLO c", "250-").await;
    holder.ask("MAIL FROM:<a@x.test>", "250").await;
    holder.ask("RCPT TO:<support@example.test>", "250").await;
    holder.ask("DATA", "354").await;
    holder.send(format!("{MAIL}{}\r\n", "x".repeat(BLOCK))).await;
    let mut other = server.client().await;
    other.ask("EHLO c", "250-").await;
    // Until the first has arrived it may be the other that is taken.
    tokio::time::sleep(Duration::from_millis(200)).await;
    other.mail("support@example.test", &large, "452 4.3.1").await;
    // One that says how long it is hears it before it sends anything.
    other.ask(&format!("MAIL FROM:<ana@customer.test> SIZE={}", 2 * BLOCK), "250").await;
    other.ask("RCPT TO:<support@example.test>", "250").await;
    other.ask("DATA", "452 4.3.1").await;
    other.mail("support@example.test", WHOLE, "250").await;
    // Or waits until there is room.
    other.ask(&format!("MAIL FROM:<ana@customer.test> SIZE={}", 2 * BLOCK), "250").await;
    other.ask("RCPT TO:<support@example.test>", "250").await;
    other.send("DATA\r\n").await;
    holder.send(".\r\n").await;
    holder.expect("250").await;
    other.expect("354").await;
    other.send(&large).await;
    other.expect("250").await;
}

#[tokio::test]
async fn a_bare_line_feed_smuggles_nothing() {
    let server = start(Protocol::Smtp, |_| {}).await;
    let mut client = server.client().await;
    client.ask("EHLO c", "250-").await;
    for smuggled in ["\n.\r\n", "\n.\n", "\r\n.\n", "\r.\n"] {
        let data =
            format!("{MAIL}x{smuggled}MAIL FROM:<evil@x.test>\r\nRCPT TO:<sales@example.test>\r\n.\r\n");
        client.mail("support@example.test", data, "550 5.5.2").await;
    }
    client.mail("support@example.test", format!("{MAIL}x\r.\r\ny\r\n.\r\n"), "250").await;
    client.send("NOOP\nNOOP\r\n").await;
    client.expect("521 5.5.2").await;
    client.expect_end().await;
    assert_eq!(server.inboxes(), ["support"]);
}

#[tokio::test]
async fn a_mail_is_not_acknowledged_unless_it_is_kept() {
    let server = start(Protocol::Smtp, |config| config.intake_timeout = Duration::from_millis(100)).await;
    let mut client = server.client().await;
    client.ask("EHLO c", "250-").await;
    server.kept.unavailable.store(true, Ordering::SeqCst);
    client.mail("support@example.test", WHOLE, "451 4.3.0").await;
    server.kept.unavailable.store(false, Ordering::SeqCst);
    server.kept.slow.store(true, Ordering::SeqCst);
    client.mail("support@example.test", WHOLE, "451 4.3.0").await;
    server.kept.slow.store(false, Ordering::SeqCst);
    client.mail("retired@example.test", WHOLE, "550 5.1.1").await;
    client.mail("support@example.test", ".\r\n", "554 5.6.0").await;
    // One of two inboxes cannot take it: the client comes back, and the other one knows it again.
    client.ask("MAIL FROM:<a@x.test>", "250").await;
    client.ask("RCPT TO:<support@example.test>", "250").await;
    client.ask("RCPT TO:<broken@example.test>", "250").await;
    client.ask("DATA", "354").await;
    client.send(WHOLE).await;
    client.expect("451 4.3.0").await;
    client.mail("support@example.test", WHOLE, "250").await;
    let identities: Vec<_> =
        server.kept.mails.lock().unwrap().iter().map(|(_, fact, _)| fact.identity()).collect();
    assert_eq!(identities.len(), 2);
    assert_eq!(identities[0], identities[1]);
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient() {
    let server = start(Protocol::Lmtp, |config| config.max_recipients = 5).await;
    let mut client = server.client().await;
    client.ask("EHLO c", "500 5.5.1").await;
    client.ask("LHLO c", "250-").await;
    client.ask("MAIL FROM:<a@x.test>", "250").await;
    client.ask("DATA", "503").await;
    for (to, reply) in [
        ("support", "250"),
        ("broken", "250"),
        ("nobody", "550"),
        ("retired", "250"),
        ("support+x", "250"),
        ("sales", "250"),
        ("sales+y", "452 4.5.3"),
    ] {
        client.ask(&format!("RCPT TO:<{to}@example.test>"), reply).await;
    }
    client.ask("DATA", "354").await;
    client.send(WHOLE).await;
    for start in ["250 2.0.0", "451 4.3.0", "550 5.1.1", "250 2.0.0", "250 2.0.0"] {
        client.expect(start).await;
    }
    assert_eq!(server.inboxes(), ["support", "sales"], "each inbox once");
    let (_, fact, _) = server.kept.mails.lock().unwrap().remove(0);
    assert_eq!(
        fact.mail.unwrap().envelope.unwrap().recipients,
        ["support@example.test", "support+x@example.test"]
    );
    client.ask("NOOP", "250").await;
}

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let server = start(Protocol::Smtp, |config| {
        config.command_timeout = Duration::from_millis(150);
        config.message_timeout = Duration::from_millis(150);
    })
    .await;
    let mut silent = server.client().await;
    silent.expect("421 4.4.2").await;
    silent.expect_end().await;
    let mut slow = server.client().await;
    slow.ask("EHLO c", "250-").await;
    slow.ask("MAIL FROM:<a@x.test>", "250").await;
    slow.ask("RCPT TO:<support@example.test>", "250").await;
    slow.ask("DATA", "354").await;
    slow.send("From: a@x.test\r\n").await;
    slow.expect("421 4.4.2").await;
    slow.expect_end().await;
    assert!(server.raws().is_empty());
}

#[tokio::test]
async fn a_client_that_breaks_off_leaves_nothing() {
    let server = start(Protocol::Smtp, |_| {}).await;
    let mut client = server.client().await;
    client.ask("EHLO c", "250-").await;
    client.ask("MAIL FROM:<a@x.test>", "250").await;
    client.ask("RCPT TO:<support@example.test>", "250").await;
    client.ask("DATA", "354").await;
    client.send(MAIL).await;
    drop(client);
    server.stop.cancel();
    server.running.await.unwrap();
    assert!(server.kept.mails.lock().unwrap().is_empty());
}

#[tokio::test]
async fn connections_are_limited_for_each_client_and_for_all() {
    for change in [
        |config: &mut Config| config.max_connections = 2,
        |config: &mut Config| {
            config.max_connections_per_peer = 2;
        },
    ] {
        let server = start(Protocol::Smtp, change).await;
        let (first, mut second) = (server.client().await, server.client().await);
        let mut third = Client(BufReader::new(TcpStream::connect(server.address).await.unwrap()));
        third.expect("421 4.7.0").await;
        second.ask("NOOP", "250").await;
        drop(first);
        for attempt in 0.. {
            let mut next = Client(BufReader::new(TcpStream::connect(server.address).await.unwrap()));
            if next.reply().await.starts_with("220") {
                break;
            }
            assert!(attempt < 100, "the place of the first is never free again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn one_connection_may_bring_so_many_mails() {
    let server = start(Protocol::Smtp, |config| config.max_messages = 1).await;
    let mut client = server.client().await;
    client.ask("EHLO c", "250-").await;
    client.mail("support@example.test", WHOLE, "250").await;
    client.ask("MAIL FROM:<a@x.test>", "421 4.7.0").await;
    client.expect_end().await;
}

#[tokio::test]
async fn stopping_finishes_what_runs_and_sends_the_idle_away() {
    let server = start(Protocol::Smtp, |_| {}).await;
    server.kept.slow.store(true, Ordering::SeqCst);
    let (mut idle, mut busy) = (server.client().await, server.client().await);
    busy.ask("EHLO c", "250-").await;
    busy.ask("MAIL FROM:<a@x.test>", "250").await;
    busy.ask("RCPT TO:<support@example.test>", "250").await;
    busy.ask("DATA", "354").await;
    busy.send(MAIL).await;
    server.stop.cancel();
    idle.expect("421 4.3.2").await;
    idle.expect_end().await;
    busy.send(".\r\n").await;
    busy.expect("250 2.0.0").await;
    busy.expect("421 4.3.2").await;
    server.running.await.unwrap();
    assert_eq!(server.kept.mails.lock().unwrap().len(), 1);
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn who_does_not_finish_is_cut_off() {
    let server = start(Protocol::Smtp, |config| config.drain_timeout = Duration::from_millis(100)).await;
    let mut client = server.client().await;
    client.ask("EHLO c", "250-").await;
    client.ask("MAIL FROM:<a@x.test>", "250").await;
    client.ask("RCPT TO:<support@example.test>", "250").await;
    client.ask("DATA", "354").await;
    server.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), server.running).await.expect("it stops").unwrap();
    assert_eq!(client.0.read(&mut [0; 8]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_large_mail_comes_through_whole() {
    let server = start(Protocol::Smtp, |_| {}).await;
    let mut client = server.client().await;
    client.ask("EHLO c", "250-").await;
    let mail = format!("{MAIL}{}", "A line of a long letter, and then another.\r\n".repeat(100_000));
    client.mail("support@example.test", format!("{mail}.\r\n"), "250").await;
    assert_eq!(server.raws(), [mail]);
}
