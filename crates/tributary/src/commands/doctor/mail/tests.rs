//! Against a name server of the test's own, and a relay of our own making.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use domain::{Channel, Millis};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, UdpSocket},
};

use super::*;
use crate::config::Secret;

const TXT: u16 = 16;
const MX: u16 = 15;

/// Answers with these records and nothing else: name and type, and the data as it stands in a message.
async fn name_server(records: &[(&str, u16, Vec<u8>)]) -> SocketAddr {
    let mut known: HashMap<(String, u16), Vec<Vec<u8>>> = HashMap::new();
    for (name, kind, data) in records {
        known.entry(((*name).to_owned(), *kind)).or_default().push(data.clone());
    }
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut asked = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut asked).await {
            let answer = answer(&asked[..length], &known);
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}

/// RFC 1035 section 4.1: the question again, and the records behind it, which point to its name.
fn answer(asked: &[u8], known: &HashMap<(String, u16), Vec<Vec<u8>>>) -> Vec<u8> {
    let (mut name, mut at) = (Vec::new(), 12);
    while asked[at] != 0 {
        let label = &asked[at + 1..=at + usize::from(asked[at])];
        name.push(String::from_utf8_lossy(label).to_lowercase());
        at += 1 + usize::from(asked[at]);
    }
    let kind = u16::from_be_bytes([asked[at + 1], asked[at + 2]]);
    let found = known.get(&(name.join("."), kind)).cloned().unwrap_or_default();
    let mut answer =
        [&asked[..2], &[0x84, 0x00, 0, 1, 0, found.len() as u8, 0, 0, 0, 0], &asked[12..at + 5]].concat();
    for data in found {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60]);
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    answer
}

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(255).flat_map(|chunk| [&[chunk.len() as u8], chunk].concat()).collect()
}

fn server(preference: u16, name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let labels = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    preference.to_be_bytes().into_iter().chain(labels).chain([0]).collect()
}

/// Takes every connection as a relay does that wants no TLS.
async fn relay_that_answers() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 relay ESMTP\r\n").await.unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                let reply =
                    if line.starts_with("AUTH") { "535 5.7.8 wrong\r\n" } else { "250 AUTH PLAIN\r\n" };
                stream.write_all(reply.as_bytes()).await.unwrap();
                line.clear();
            }
        }
    });
    port
}

const KEY: &str = include_str!("../../../../../channels/src/email/samples/dkim/rsa.pem");

fn inbox(port: u16, more: &[(&str, &str)]) -> Inbox {
    let relay = format!("127.0.0.1:{port}");
    let settings = [("relay", relay.as_str()), ("relay_tls", "none")].into_iter().chain(more.iter().copied());
    Inbox {
        channel: Channel::Email,
        address: "support@mail.acme.test".into(),
        bot: None,
        queue: "acme/support/all".parse().unwrap(),
        reopen_within: Millis::hours(1),
        sandbox: false,
        settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

async fn told(records: &[(&str, u16, Vec<u8>)], inbox: &Inbox) -> String {
    let names = Names::new(Some(name_server(records).await)).unwrap();
    let secrets =
        [("dkim", format!("text:{KEY}")), ("password", "text:x".into()), ("wrong", "text:y".into())];
    let secrets = Secrets::new(secrets.map(|(name, at)| (name.to_owned(), Secret::reference(at))));
    let mut findings = Findings::default();
    examine(&names, &secrets, &"support".parse().unwrap(), inbox, &mut findings).await;
    findings.to_string()
}

fn mark<'a>(told: &'a str, what: &str) -> &'a str {
    let line = told.lines().find(|line| line.contains(&format!("support: {what} "))).unwrap_or(told);
    line.split(' ').next().unwrap()
}

#[tokio::test]
async fn a_mailbox_where_all_is_well() {
    let inbox = inbox(relay_that_answers().await, &[("dkim_selector", "s1"), ("dkim_key", "secret:dkim")]);
    let signer = DkimSigner::new("mail.acme.test", "s1", KEY).unwrap();
    let told = told(
        &[
            ("mail.acme.test", MX, server(20, "mx2.acme.test")),
            ("mail.acme.test", MX, server(10, "mx1.acme.test")),
            ("mail.acme.test", TXT, text("v=spf1 include:relay.test -all")),
            ("mail.acme.test", TXT, text("some-verification=1")),
            // Published with spaces, and in two strings.
            ("s1._domainkey.mail.acme.test", TXT, text(&signer.record().replace("p=", "p= "))),
            ("_dmarc.acme.test", TXT, text("v=DMARC1; p=quarantine")),
        ],
        &inbox,
    )
    .await;
    for what in ["MX", "SPF", "DKIM", "DMARC", "relay"] {
        assert_eq!(mark(&told, what), "ok", "{what} of\n{told}");
    }
    assert!(told.contains("mx1.acme.test, mx2.acme.test"), "{told}");
}

/// A server of IMAP with a folder INBOX, which tells of new mail at once if it `idles`.
async fn mailbox_server(idles: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"* OK ready\r\n").await.unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                let (tag, command) = line.trim_end().split_once(' ').unwrap();
                let can = if idles { "IMAP4rev1 IDLE" } else { "IMAP4rev1" };
                let reply = match command.split(' ').next().unwrap() {
                    "LOGIN" if command.ends_with("\"x\"") => format!("{tag} OK come in\r\n"),
                    "LOGIN" => format!("{tag} NO [AUTHENTICATIONFAILED] wrong\r\n"),
                    "CAPABILITY" => format!("* CAPABILITY {can}\r\n{tag} OK\r\n"),
                    "EXAMINE" if command.contains("INBOX") => format!(
                        "* 0 EXISTS\r\n* OK [UIDVALIDITY 77] x\r\n* OK [UIDNEXT 5] x\r\n{tag} OK [READ-ONLY] done\r\n"
                    ),
                    _ => format!("{tag} NO there is no such thing\r\n"),
                };
                stream.write_all(reply.as_bytes()).await.unwrap();
                line.clear();
            }
        }
    });
    address
}

#[tokio::test]
async fn a_mailbox_that_is_read_is_looked_at_as_far_as_its_first_message() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let (good, slow) = (mailbox_server(true).await, mailbox_server(false).await);
    for (server, password, folder, marked, says) in [
        (&good, "secret:password", "INBOX", "ok", "UIDVALIDITY 77, last UID 4"),
        (&slow, "secret:password", "INBOX", "warn", "no IDLE"),
        (&good, "secret:wrong", "INBOX", "fail", "refuses the login"),
        (&good, "secret:password", "Nowhere", "fail", "imap_folder"),
        (&good, "secret:missing", "INBOX", "skip", "mended first"),
        (&nobody, "secret:password", "INBOX", "fail", "may connect there"),
    ] {
        let settings = [
            ("imap", server.as_str()),
            ("imap_tls", "none"),
            ("imap_user", "support"),
            ("imap_password", password),
            ("imap_folder", folder),
        ];
        let told = told(&[], &inbox(relay_that_answers().await, &settings)).await;
        assert_eq!(mark(&told, "IMAP"), marked, "{server} {password} {folder} of\n{told}");
        assert!(told.contains(says), "{says} in\n{told}");
    }
    let not_read = told(&[], &inbox(relay_that_answers().await, &[])).await;
    assert!(!not_read.contains("IMAP"), "{not_read}");
}

#[tokio::test]
async fn a_mailbox_where_nothing_is_published() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let inbox = inbox(nobody, &[("dkim_selector", "s1"), ("dkim_key", "secret:dkim")]);
    let told = told(&[], &inbox).await;
    for (what, marked) in
        [("MX", "fail"), ("SPF", "warn"), ("DKIM", "fail"), ("DMARC", "warn"), ("relay", "fail")]
    {
        assert_eq!(mark(&told, what), marked, "{what} of\n{told}");
    }
    for record in [
        "publish: mail.acme.test. MX 10 ",
        "publish: mail.acme.test. TXT \"v=spf1 a:127.0.0.1 ~all\"",
        "publish: s1._domainkey.mail.acme.test. TXT \"v=DKIM1; k=rsa; p=MIIBIjANBgkq",
        "publish: _dmarc.mail.acme.test. TXT \"v=DMARC1; p=none;",
    ] {
        assert!(told.contains(record), "{record} in\n{told}");
    }
}

#[tokio::test]
async fn what_is_published_and_wrong() {
    let port = relay_that_answers().await;
    let login = [("relay_user", "u"), ("relay_password", "secret:password")];
    let key = [("dkim_selector", "s1"), ("dkim_key", "secret:dkim")];
    let told = told(
        &[
            ("mail.acme.test", MX, server(0, "")),
            ("mail.acme.test", TXT, text("v=spf1 +all")),
            ("s1._domainkey.mail.acme.test", TXT, text("v=DKIM1; k=rsa; p=MIIB")),
        ],
        &inbox(port, &[&login[..], &key[..]].concat()),
    )
    .await;
    for what in ["MX", "SPF", "DKIM", "relay"] {
        assert_eq!(mark(&told, what), "fail", "{what} of\n{told}");
    }
    assert!(told.contains("takes no mail") && told.contains("another key") && told.contains("535"), "{told}");
}

#[tokio::test]
async fn a_name_server_that_is_silent_is_no_fault_of_the_mailbox() {
    let silent = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let names = Names::new(Some(silent.local_addr().unwrap())).unwrap();
    let mut findings = Findings::default();
    mx(&names, "acme.test", "inbox support: MX".into(), &mut findings).await;
    assert!(!findings.failed());
    assert_eq!(mark(&findings.to_string(), "MX"), "warn");
}
