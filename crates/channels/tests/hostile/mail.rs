//! Mail that means harm, or was harmed: each is read safely, in little time and memory, or kept with the reason.

use channels::{
    Fact, FactKind,
    email::{PartKind, normalize, parts},
};

use crate::harness::{Target, alike};

fn read(raw: &[u8]) -> Fact {
    normalize(Some("email"), raw, None).expect("it holds something").remove(0)
}

/// What holds of every reading, whatever was read.
fn assert_sound(fact: &Fact, raw: &[u8]) {
    let show = || raw.escape_ascii().take(4_000).map(char::from).collect::<String>();
    assert_ne!(fact.reason.as_deref(), Some("reading it failed"), "{}", show());
    let mail = fact.mail.as_ref().expect("it is of a mail");
    let one_line = |text: &Option<String>| text.as_ref().is_none_or(|text| !text.contains(char::is_control));
    assert!(one_line(&mail.subject) && one_line(&mail.from) && one_line(&mail.message_id), "{}", show());
    assert!(mail.to.len() <= 1000 && mail.cc.len() <= 1000 && mail.references.len() <= 1000, "{}", show());
    assert!(fact.attachments.len() <= 256, "{}", show());
    for name in fact.attachments.iter().filter_map(|attachment| attachment.name.as_deref()) {
        assert!(!name.contains(['/', '\\', '\0']) && name != "..", "{name:?} in {}", show());
    }
    let body = mail.body.as_deref().unwrap_or_default();
    assert!(!body.contains(['\0', '\r', '\u{1b}']), "{}", show());
    let whole: String = parts(body).iter().map(|part| part.text).collect();
    assert_eq!(whole, body, "{}", show());
    let text = fact.text.as_deref().unwrap_or_default();
    assert_eq!(body.trim().is_empty(), text.trim().is_empty(), "the new part is lost: {}", show());
}

#[test]
fn bombs_are_read_or_kept() {
    let head = "From: a@x.test\r\nTo: b@x.test\r\n";
    let part = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n";
    let mixed = "Content-Type: multipart/mixed; boundary=b\r\n";
    let nested: String = (0..2_000)
        .map(|at| format!("Content-Type: multipart/mixed; boundary=b{at}\r\n\r\n--b{at}\r\n"))
        .collect();
    for (name, mail, kind) in [
        ("many parts", format!("{head}{mixed}\r\n{}--b--", part.repeat(5_000)), FactKind::Message),
        (
            "many attachments",
            format!(
                "{head}{mixed}\r\n{}--b--",
                "--b\r\nContent-Type: image/png; name=a\r\n\r\nx\r\n".repeat(5_000)
            ),
            FactKind::Message,
        ),
        ("nested parts", format!("{head}{nested}"), FactKind::Unknown),
        ("many headers", format!("{}{head}\r\nx", "X-A: b\r\n".repeat(12_000)), FactKind::Message),
        ("a long header", format!("{head}Subject: {}\r\n\r\nx", "a ".repeat(150_000)), FactKind::Message),
        (
            "endless words",
            format!("{head}Subject: {}\r\n\r\nx", "=?utf-8?Q?".repeat(25_000)),
            FactKind::Message,
        ),
        (
            "many words",
            format!("{head}Subject: {}\r\n\r\nx", "=?utf-8?Q?a?= ".repeat(5_000)),
            FactKind::Message,
        ),
        (
            "many recipients",
            format!("{head}Cc: {}c@x.test\r\n\r\nx", "c@x.test,".repeat(25_000)),
            FactKind::Message,
        ),
        ("many ids", format!("{head}References: {}\r\n\r\nx", "<a@b> ".repeat(25_000)), FactKind::Message),
        ("a header without an end", format!("{head}X-A: {}", "a\r\n ".repeat(12_000)), FactKind::Message),
        ("blank lines", format!("{head}\r\n{}x", "\r\n".repeat(150_000)), FactKind::Message),
        ("quotes", format!("{head}\r\nx\r\n{}", "> ".repeat(150_000)), FactKind::Message),
        ("quoted lines", format!("{head}\r\nx\r\n{}", "> a\r\nb\r\n".repeat(25_000)), FactKind::Message),
        (
            "attributions",
            format!("{head}\r\nx\r\n{}", "On 1 Jan 2026, a@x.test wrote:\r\n".repeat(5_000)),
            FactKind::Message,
        ),
        (
            "attributions without an end",
            format!("{head}\r\nx\r\n{}", "On 1 Jan 2026 <\r\n".repeat(12_000)),
            FactKind::Message,
        ),
        (
            "headers in the text",
            format!("{head}\r\nx\r\n{}", "From: a@x.test\r\nSubject: b\r\n".repeat(5_000)),
            FactKind::Message,
        ),
        ("rules", format!("{head}\r\nx\r\n{}", "--\r\n-----\r\n".repeat(12_000)), FactKind::Message),
        ("dashes", format!("{head}\r\n{}", "a--- ".repeat(25_000)), FactKind::Message),
        (
            "blank lines between rules",
            format!("{head}\r\nx\r\n{}", "-----\r\n\r\n\r\n\r\n".repeat(12_000)),
            FactKind::Message,
        ),
        (
            "open elements",
            format!(
                "{head}Content-Type: text/html\r\n\r\nx{}",
                "<div class=gmail_attr><a b=\"".repeat(12_000)
            ),
            FactKind::Message,
        ),
        (
            "base64 of nothing",
            format!("{head}Content-Transfer-Encoding: base64\r\n\r\n{}", "=".repeat(150_000)),
            FactKind::Message,
        ),
        (
            "addresses in a report",
            format!("From: mailer-daemon@x.test\r\n\r\n{}", "<a@x.test>: 550 5.1.1 no\r\n".repeat(5_000)),
            FactKind::Bounce,
        ),
        (
            "recipients of a report",
            format!(
                "From: mailer-daemon@x.test\r\n\r\n{}",
                (0..5_000).map(|at| format!("<a{at}@x.test>: no\r\n")).collect::<String>()
            ),
            FactKind::Bounce,
        ),
    ] {
        let fact = read(mail.as_bytes());
        assert_eq!(fact.kind, kind, "{name}: {:?}", fact.reason);
        assert_sound(&fact, mail.as_bytes());
    }
}

#[test]
fn names_never_lead_out_of_a_folder() {
    for name in [
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "/etc/passwd",
        "=?utf-8?Q?..=2F..=2Fetc=2Fpasswd?=",
        "a\u{0}/../b",
    ] {
        let mail = format!(
            "From: a@x.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\n\
             Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\ny\r\n--b--\r\n"
        );
        let fact = read(mail.as_bytes());
        assert_eq!(fact.attachments.len(), 1);
        assert_sound(&fact, mail.as_bytes());
    }
}

#[test]
fn eight_bit_garbage_is_text_of_some_kind() {
    let garbage: Vec<u8> = (0..=255).cycle().take(4_096).collect();
    let mail = [&b"From: a@x.test\r\nSubject: "[..], &garbage[0x80..0xff], b"\r\n\r\n", &garbage].concat();
    let fact = read(&mail);
    assert_eq!(fact.kind, FactKind::Message);
    assert_sound(&fact, &mail);
}

/// Real mail, damaged in the ways that mail is damaged on purpose and by accident.
#[test]
fn damaged_mail_is_read_soundly() {
    Target {
        name: "mail",
        corpus: &["src/email/samples", "../../../shared/corpora/email/files", "tests/hostile/corpus/mail"],
        pieces: &PIECES,
        read: |raw| {
            let Ok(facts) = normalize(Some("email"), raw, None) else { return 0 };
            let fact = &facts[0];
            assert_sound(fact, raw);
            let body = fact.mail.as_ref().and_then(|mail| mail.body.as_deref()).unwrap_or_default();
            let parts: Vec<PartKind> = parts(body).iter().map(|part| part.kind).take(8).collect();
            let bounced = fact.mail.iter().flat_map(|mail| &mail.bounced).count();
            alike(&(fact.kind, &fact.reason, parts, fact.attachments.len().min(8), bounced.min(8)))
        },
    }
    .run();
}

/// Pieces that mean something to a reader of mail.
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\r\n\r\n",
    b"--",
    b"--b\r\n",
    b"=",
    b"=?utf-8?Q?",
    b"?=",
    b"\xff\xfe",
    b"\x1b$B",
    b"> ",
    b"-- \r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"charset=utf-7",
    b"charset=iso-2022-kr",
    b"On 1 Jan 2026, a@x.test wrote:\r\n",
    b"<div class=\"gmail_attr\">",
    b"<!--",
    b"filename=\"../x\"",
    b"From: a@x.test\r\nSent: b\r\n",
];
