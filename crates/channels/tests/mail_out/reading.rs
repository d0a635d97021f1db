//! What we build, others read as it was meant, and so do we; and the signatures hold.

use bytes::Bytes;
use channels::email::{DkimSigner, Letterhead, MailboxIdentity, compose, normalize};
use channels::{Attachment, Outgoing, Thread};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::peers::read;

const REFERENCE: &str = "0123456789abcdefghijklmnopqrstuv";
const RSA: &str = include_str!("../../src/email/samples/dkim/rsa.pem");
const RSA_PKCS1: &str = include_str!("../../src/email/samples/dkim/rsa_pkcs1.pem");
const ED25519: &str = include_str!("../../src/email/samples/dkim/ed25519.pem");

fn identity() -> MailboxIdentity {
    MailboxIdentity { name: Some("Exämple, \"Support\"".into()), address: "support@example.test".into() }
}

fn letterhead() -> Letterhead {
    Letterhead { quote_intro: Some("On {date}, {address} wrote:".into()), ..Letterhead::default() }
}

fn outgoing(text: &str) -> Outgoing {
    Outgoing {
        key: "d-17-4".into(),
        to: "ana@customer.test".into(),
        text: text.into(),
        quick_replies: Vec::new(),
        attachments: Vec::new(),
        at: 1_772_532_900_000,
        by_person: true,
        thread: Some(Thread {
            subject: "¿Dónde está mi pedido?".into(),
            in_reply_to: Some("q1w2e3@customer.test".into()),
            references: vec!["first@customer.test".into()],
            reference: REFERENCE.into(),
            quote: "Where is it?".into(),
            written_at: Some(1_772_529_000_000),
            signed: Some("Ann Berg".into()),
            unsubscribe: None,
        }),
        chat: channels::Chat::default(),
    }
}

/// Some mails of all kinds, the same in each run.
fn some(count: usize) -> Vec<Outgoing> {
    let lines = proptest::collection::vec("[ -~]{0,90}|\\PC{0,40}|>? ?From [a-z]{1,9}|\\.{0,3}|--? ?", 1..9);
    let subject = "[ -~]{1,120}|\\PC{1,60}";
    let file = ("\\PC{0,30}", proptest::collection::vec(proptest::num::u8::ANY, 0..300));
    let files = proptest::collection::vec(file, 0..3);
    let quote = "[ -~\\n]{0,80}|\\PC{0,40}";
    let mail = (lines, subject, files, quote).prop_map(|(lines, subject, files, quote)| {
        let mut message = outgoing(&format!("Hello,\n{}", lines.join("\n")));
        let thread = message.thread.get_or_insert_default();
        (thread.subject, thread.quote) = (subject, quote);
        let file = |(name, data)| Attachment {
            kind: "file".into(),
            name: Some(name),
            content_type: Some("application/octet-stream".into()),
            data: Some(Bytes::from(data)),
            ..Attachment::default()
        };
        message.attachments = files.into_iter().map(file).collect();
        message
    });
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| mail.new_tree(&mut runner).unwrap().current()).collect()
}

/// White space at the ends of lines and of the whole is nobody's meaning; neither is what no program can show.
fn meant(text: &str) -> String {
    let lines = text.replace("\r\n", "\n");
    let lines: Vec<&str> = lines.split('\n').map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

fn words(text: &str) -> Vec<String> {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn what_we_build_python_reads_and_so_do_we() {
    let messages = some(200);
    let mails: Vec<Vec<u8>> =
        messages.iter().map(|message| compose(message, &identity(), &letterhead()).unwrap()).collect();
    let Some(read) = read(&mails, &json!({})) else { return };
    for ((message, mail), read) in messages.iter().zip(&mails).zip(&read) {
        let mail = String::from_utf8_lossy(mail);
        assert_eq!(read["defects"], json!([]), "{mail}");
        let thread = message.thread.as_ref().unwrap();
        let plain = read["plain"].as_str().unwrap().replace("\r\n", "\n");
        assert!(meant(&plain).starts_with(&meant(&message.text)), "{:?}\n{plain:?}", message.text);
        assert!(plain.contains("-- \nAnn Berg\n"), "{plain:?}");
        for line in thread.quote.lines().filter(|line| !line.trim().is_empty()) {
            assert!(plain.contains(&format!("> {line}")), "{line:?} in {plain:?}");
        }
        let subject = words(read["subject"].as_str().unwrap());
        let given = words(&thread.subject);
        assert!(subject.ends_with(&given[given.len().min(1)..]), "{given:?} {subject:?}");
        assert_eq!(read["from"], json!(["support@example.test"]));
        assert_eq!(read["name"], json!("Exämple, \"Support\""));
        assert_eq!(read["to"], json!(["ana@customer.test"]));
        assert_eq!(read["message_id"], json!(format!("<d-17-4.{REFERENCE}@example.test>")));
        assert_eq!(read["in_reply_to"], json!("<q1w2e3@customer.test>"));
        assert_eq!(read["references"], json!(["<first@customer.test>", "<q1w2e3@customer.test>"]));
        let files: Vec<Value> = read["files"].as_array().unwrap().clone();
        let sums = message.attachments.iter().map(|file| hex(&Sha256::digest(file.data.as_ref().unwrap())));
        assert_eq!(
            files.iter().map(|file| file[2].as_str().unwrap()).collect::<Vec<_>>(),
            sums.collect::<Vec<_>>()
        );
        assert!(read["html"].as_str().unwrap().contains("Ann Berg"));
    }
    // And back again: what our own reader makes of it is what was written.
    for (message, mail) in messages.iter().zip(&mails) {
        let fact = normalize(None, mail, None).unwrap().remove(0);
        let body = fact.mail.unwrap().body.unwrap();
        assert!(meant(&body).starts_with(&meant(&message.text)), "{:?}\n{body:?}", message.text);
        assert_eq!(fact.attachments.len(), message.attachments.len());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn our_signatures_hold_and_break_with_the_mail() {
    let signer = |selector: &str, key: &str| DkimSigner::new("Example.test", selector, key).unwrap();
    let keys = [signer("rsa", RSA), signer("old", RSA_PKCS1), signer("ed", ED25519)];
    let records: serde_json::Map<String, Value> =
        keys.iter().map(|key| (key.record_name(), json!(key.record()))).collect();
    let signed = |message: &Outgoing, dkim: &[DkimSigner]| {
        compose(message, &identity(), &Letterhead { dkim: dkim.to_vec(), ..letterhead() }).unwrap()
    };
    let mut mails: Vec<Vec<u8>> = some(40).iter().map(|message| signed(message, &keys)).collect();
    let whole = mails.len();
    let plain = String::from_utf8(signed(&outgoing("It costs 10."), &keys[..1])).unwrap();
    assert_eq!(plain.as_bytes(), signed(&outgoing("It costs 10."), &keys[..1]), "the same octets each time");
    for (from, to) in [
        ("It costs 10.", "It costs 99."),
        ("From: ", "From: eve@example.test\r\nFrom: "),
        ("ana@customer.test", "bob@customer.test"),
        ("\r\nSubject: ", "\r\nSubject: sale\r\nSubject: "),
    ] {
        assert!(plain.contains(from));
        mails.push(plain.replacen(from, to, 1).into_bytes());
    }
    let Some(read) = read(&mails, &Value::Object(records)) else { return };
    for (mail, read) in mails.iter().zip(&read[..whole]) {
        assert_eq!(read["dkim"], json!([true, true, true]), "{}", String::from_utf8_lossy(mail));
    }
    for (mail, read) in mails[whole..].iter().zip(&read[whole..]) {
        assert_eq!(read["dkim"], json!([false]), "{}", String::from_utf8_lossy(mail));
    }
}

#[test]
fn what_is_no_key_is_none() {
    let error = |selector, pem| DkimSigner::new("example.test", selector, pem).unwrap_err().to_string();
    assert!(error("s", "nonsense").contains("PEM"));
    assert!(error("a b", RSA).contains("selector"));
    assert!(!error("s", &RSA.replace("MII", "MIX")).is_empty());
}
