//! Postfix hands mail to our listener.

use std::{collections::BTreeSet, ops::Range};

use channels::{FactKind, email::imap::Limits};

use crate::{
    server::Server,
    world::{World, eventually, listen},
};

/// Hands numbered mails to Postfix, each again until it is taken.
pub(crate) fn send(server: &Server, to: &str, numbers: Range<usize>, subjects: &mut BTreeSet<String>) {
    for number in numbers {
        let subject = format!("number {number}");
        let (header, id) = (format!("Subject: {subject}"), format!("Message-ID: <{number}@customer.test>"));
        let from = format!("ana{}@customer.test", number % 7);
        let mail = ["--header", &header, "--add-header", &id, "--body", "How are you?"];
        assert!((0..20).any(|_| server.swaks(&from, to, &mail)), "Postfix takes no mail");
        subjects.insert(subject);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mail_comes_once_though_postfix_and_we_are_killed() {
    let (listener, port) = listen(0).await;
    let Some(server) = Server::up(port) else { return };
    let world = World::new();
    let (to, mut subjects) = ("support@tributary.test", BTreeSet::new());
    let ours = world.start(Some(listener), Limits::default());
    send(&server, to, 0..10, &mut subjects);
    server.kill("postfix");
    server.again("postfix");
    send(&server, to, 10..20, &mut subjects);
    ours.kill().await;
    send(&server, to, 20..30, &mut subjects);
    assert!(!server.queue().is_empty(), "Postfix keeps what nobody takes");
    let ours = world.start(Some(listen(port).await.0), Limits::default());
    send(&server, to, 30..40, &mut subjects);
    world.each_once("listened", &subjects).await;
    eventually("an empty queue", || server.queue().is_empty().then_some(())).await;
    assert_eq!(world.in_the_log().await, subjects.len());
    ours.end().await;
}

/// Lines of dots, eight bits, names beyond ASCII, a long line and an attachment; over TLS.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_comes_whole() {
    let (listener, port) = listen(0).await;
    let Some(server) = Server::up(port) else { return };
    server.set(&["lmtp_tls_security_level = encrypt", "lmtp_tls_loglevel = 1"]);
    let world = World::new();
    let ours = world.start(Some(listener), Limits::default());
    let text = format!("Grüße,\n.\n..\n.dot\n{}\n", "lang ".repeat(150));
    let head = "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n";
    let part = "--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n";
    let file =
        "--b\nContent-Type: text/csv; name=a.csv\nContent-Transfer-Encoding: base64\n\nYSxiCjEsMgo=\n--b--\n";
    let data =
        format!("From: Jörg <jörg@customer.test>\nTo: support@tributary.test\n{head}\n{part}\n{text}{file}");
    assert!(server.swaks("jörg@customer.test", "support@tributary.test", &["--data", &data]));

    let (fact, raw) = world.fact("the mail", |fact| fact.kind == FactKind::Message).await;
    let mail = fact.mail.unwrap();
    assert_eq!((mail.subject.as_deref(), fact.address.as_str()), (Some("Grüße"), "jörg@customer.test"));
    assert_eq!(fact.text.unwrap().trim(), text.trim());
    assert_eq!(mail.envelope.unwrap().sender, "jörg@customer.test");
    assert_eq!(fact.attachments[0].name.as_deref(), Some("a.csv"));
    let body = |bytes: &str| bytes.split_once("\n\n").unwrap().1.trim_end().to_owned();
    let raw = String::from_utf8(raw.to_vec()).unwrap().replace("\r\n", "\n");
    assert_eq!(body(&raw), body(&data), "what came is what was sent");
    assert!(server.log("postfix").contains("TLS connection established to 127.0.0.1"), "it came over TLS");
    ours.end().await;
}
