//! Sending, against our own listener where it goes well and against a scripted relay where it does not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};
use tokio_util::sync::CancellationToken;

use crate::email::smtp::{Config, Mailboxes, Protocol, serve};
use crate::email::{MailboxIdentity, RelayConfig, RelayTls, SmtpSender};
use crate::{Fact, Intake, Outcome, Outgoing, Refused, Sender, Thread};

const REFERENCE: &str = "0123456789abcdefghijklmnopqrstuv";

fn outgoing(to: &str) -> Outgoing {
    Outgoing {
        key: "d-17-4".into(),
        to: to.into(),
        text: "Grüße\n.\nfrom us".into(),
        quick_replies: Vec::new(),
        attachments: Vec::new(),
        at: 1_772_532_900_000,
        by_person: true,
        thread: Some(Thread { subject: "Order".into(), reference: REFERENCE.into(), ..Thread::default() }),
        chat: crate::Chat::default(),
    }
}

fn sender(port: u16, change: impl FnOnce(&mut RelayConfig)) -> SmtpSender {
    let mut relay = RelayConfig::new("127.0.0.1", port, "router.example.test");
    relay.tls = RelayTls::None;
    change(&mut relay);
    let mailbox = MailboxIdentity { name: None, address: "support@example.test".into() };
    SmtpSender::new(relay, mailbox).unwrap()
}

#[derive(Default)]
struct Kept(Mutex<Vec<Fact>>);

#[async_trait]
impl Intake for Kept {
    async fn accept(&self, _: &str, facts: Vec<Fact>, _: Option<Bytes>) -> Result<(), Refused> {
        self.0.lock().unwrap().extend(facts);
        Ok(())
    }
}

struct Customer;

impl Mailboxes for Customer {
    fn inbox(&self, address: &str) -> Option<String> {
        ["ana@customer.test", "jörg@customer.test"].contains(&address).then(|| "customer".into())
    }
}

async fn listener(tls: bool) -> (u16, Arc<Kept>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut config = Config::new(Protocol::Smtp, "mx.customer.test");
    if tls {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("../samples/tls/cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../samples/tls/key.pem")).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        config.tls = Some(Arc::new(server.unwrap()));
    }
    let kept = Arc::new(Kept::default());
    tokio::spawn(serve(socket, config, Arc::new(Customer), kept.clone(), CancellationToken::new()));
    (port, kept)
}

#[tokio::test]
async fn what_is_sent_arrives() {
    let (port, kept) = listener(false).await;
    let sender = sender(port, |_| {});
    for to in ["ana@customer.test", "jörg@customer.test", "ana@customer.test"] {
        let id = format!("d-17-4.{REFERENCE}@example.test");
        assert_eq!(sender.send(&outgoing(to)).await, Outcome::Sent { provider_id: id.clone() }, "{to}");
        let fact = kept.0.lock().unwrap().remove(0);
        assert_eq!((fact.address.as_str(), fact.external_id), ("support@example.test", Some(id)));
        assert_eq!(fact.text.as_deref(), Some("Grüße\n.\nfrom us"));
        assert_eq!(fact.mail.unwrap().envelope.unwrap().recipients, [to]);
    }
    let unknown = sender.send(&outgoing("nobody@customer.test")).await;
    assert!(
        matches!(&unknown, Outcome::Dead { code, reason } if code == "550 5.1.1" && reason.contains("5.1.1")),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn mail_comes_in_over_starttls() {
    use lettre::transport::smtp::client::{Tls, TlsParameters};
    use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

    let (port, kept) = listener(true).await;
    let parameters =
        TlsParameters::builder("localhost".into()).dangerous_accept_invalid_certs(true).build().unwrap();
    let client = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(port)
        .tls(Tls::Required(parameters))
        .build::<Tokio1Executor>();
    let mail = Message::builder().from("bo@x.test".parse().unwrap()).to("ana@customer.test".parse().unwrap());
    client.send(mail.subject("hi").body("a\n..b\n.\nc".to_owned()).unwrap()).await.unwrap();
    assert_eq!(kept.0.lock().unwrap()[0].text.as_deref(), Some("a\n..b\n.\nc"));
    // A certificate that nobody vouches for is not good enough for what we send.
    let outcome =
        sender(port, |relay| relay.tls = RelayTls::Required).send(&outgoing("ana@customer.test")).await;
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
}

/// A relay that gives these replies, one to the connection and one to each line until DATA, then one to the
/// message; after the last one it closes the connection.
async fn scripted(replies: &'static [&'static str]) -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = socket.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut message = false;
        for reply in replies {
            if *reply == "silence" {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            stream.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
            let end = if message { ".\r\n" } else { "\n" };
            let mut line = String::new();
            while stream.read_line(&mut line).await.unwrap() > 0 && !line.ends_with(end) {
                line.clear();
            }
            message = line.starts_with("DATA");
        }
    });
    port
}

const HELLO: [&str; 2] = ["220 relay ESMTP", "250 relay"];

async fn outcome(replies: &'static [&'static str]) -> Outcome {
    let port = scripted(replies).await;
    let short = Duration::from_millis(300);
    sender(port, |relay| (relay.timeout, relay.answer_timeout) = (short, short))
        .send(&outgoing("ana@customer.test"))
        .await
}

#[tokio::test]
async fn before_the_message_has_left_it_can_be_tried_again() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let nobody = sender(closed, |_| {}).send(&outgoing("ana@customer.test")).await;
    assert!(matches!(nobody, Outcome::Retry { .. }), "{nobody:?}");
    for replies in [
        &["554 no service"][..],
        &["silence"],
        &HELLO,
        &[HELLO[0], HELLO[1], "421 4.3.2 shutting down"],
        &[HELLO[0], HELLO[1], "250 ok", "450 4.2.0 greylisted"],
        &[HELLO[0], HELLO[1], "250 ok", "250 ok"],
        &[HELLO[0], HELLO[1], "250 ok", "250 ok", "451 4.3.0 not now"],
    ] {
        let outcome = outcome(replies).await;
        assert!(matches!(outcome, Outcome::Retry { .. }), "{replies:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_no_is_a_no() {
    for replies in [
        &[HELLO[0], HELLO[1], "550 5.7.1 sender refused"][..],
        &[HELLO[0], HELLO[1], "250 ok", "550 5.1.1 unknown"],
        &[HELLO[0], HELLO[1], "250 ok", "250 ok", "354 go", "554 5.7.1 spam"],
    ] {
        let outcome = outcome(replies).await;
        assert!(
            matches!(outcome, Outcome::Refused { .. } | Outcome::Dead { .. }),
            "{replies:?}: {outcome:?}"
        );
    }
    let bad = sender(1, |_| {}).send(&outgoing("not an address")).await;
    assert!(matches!(&bad, Outcome::Refused { code, .. } if code == "compose"), "{bad:?}");
}

#[tokio::test]
async fn once_it_has_left_silence_means_nothing_is_known() {
    for replies in [
        &[HELLO[0], HELLO[1], "250 ok", "250 ok", "354 go"][..],
        &[HELLO[0], HELLO[1], "250 ok", "250 ok", "354 go", "silence"],
        &[HELLO[0], HELLO[1], "250 ok", "250 ok", "354 go", "gibberish"],
    ] {
        let outcome = outcome(replies).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{replies:?}: {outcome:?}");
    }
    let later = outcome(&[HELLO[0], HELLO[1], "250 ok", "250 ok", "354 go", "452 4.3.1 full"]).await;
    assert!(matches!(&later, Outcome::Retry { code, .. } if code == "452 4.3.1"), "{later:?}");
}

#[tokio::test]
async fn a_connection_that_went_stale_costs_nothing() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let (relay, kept) = (CancellationToken::new(), Arc::new(Kept::default()));
    let config = Config::new(Protocol::Smtp, "mx.customer.test");
    let first = tokio::spawn(serve(socket, config.clone(), Arc::new(Customer), kept.clone(), relay.clone()));
    let sender = sender(port, |_| {});
    assert!(matches!(sender.send(&outgoing("ana@customer.test")).await, Outcome::Sent { .. }));
    // The relay restarts while the connection lies idle.
    relay.cancel();
    first.await.unwrap();
    let socket = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(serve(socket, config, Arc::new(Customer), kept.clone(), CancellationToken::new()));
    assert!(matches!(sender.send(&outgoing("ana@customer.test")).await, Outcome::Sent { .. }));
    assert_eq!(kept.0.lock().unwrap().len(), 2);
}
