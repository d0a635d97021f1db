use proptest::prelude::*;

use super::{NO_SENDER, SAMPLES};
use crate::compliance::{Connector, assert_connector_compliance};
use crate::email::{Envelope, normalize};
use crate::{Fact, FactKind};

fn read(raw: &[u8]) -> Fact {
    normalize(Some("email"), raw, None).unwrap().remove(0)
}

fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
    let recipients = recipients.iter().map(|of| of.to_string()).collect();
    Envelope { sender: sender.into(), recipients, client: None }
}

#[test]
fn it_complies() {
    let samples = SAMPLES.map(|(_, raw)| raw);
    assert_connector_compliance(&Connector {
        normalize: &|raw| normalize(Some("email"), raw, None),
        samples: &samples,
        unknown: &[NO_SENDER, b"just some words", b"\x00\xff\x00"],
        malformed: &[b"", b"\r\n\r\n"],
        // `Date` may be missing or unreadable.
        tells_time: false,
    });
}

#[test]
fn golden_readings() {
    for (name, raw) in SAMPLES {
        insta::assert_json_snapshot!(name, normalize(None, raw, None).unwrap());
    }
    insta::assert_json_snapshot!("no_sender", normalize(None, NO_SENDER, None).unwrap());
}

#[test]
fn references_of_ours_are_found_best_first() {
    let (_, reply) = SAMPLES[1];
    let in_address = "0123456789abcdefghijklmnopqrstuv0123";
    let in_id = "vutsrqponmlkjihgfedcba9876543210";
    assert_eq!(read(reply).mail.unwrap().our_references, [in_address, in_id]);
    let tagged = envelope("ana@customer.test", &["support+fedcba9876543210@example.test"]);
    let fact = normalize(None, reply, Some(&tagged)).unwrap().remove(0);
    assert_eq!(fact.inbox, "support@example.test", "the tag is not part of the mailbox");
    let mail = fact.mail.unwrap();
    assert_eq!(mail.our_references, ["fedcba9876543210", in_address, in_id]);
    assert_eq!(mail.envelope, Some(tagged));
    let (_, bounce) = SAMPLES[5];
    assert_eq!(read(bounce).mail.unwrap().our_references, [in_id], "a bounce leads to what bounced");
}

#[test]
fn the_envelope_does_not_change_what_a_mail_is() {
    let (_, raw) = SAMPLES[0];
    let with =
        normalize(Some("email"), raw, Some(&envelope("list@x.test", &["support@example.test"]))).unwrap();
    assert_eq!(with[0].identity(), read(raw).identity());
    assert_eq!(with[0].address, "ana@customer.test");
}

#[test]
fn a_mail_without_a_sender_is_its_return_paths() {
    let fact =
        normalize(None, NO_SENDER, Some(&envelope("someone@x.test", &["support@example.test"]))).unwrap();
    assert_eq!((fact[0].kind, fact[0].address.as_str()), (FactKind::Message, "someone@x.test"));
    assert_eq!(fact[0].inbox, "support@example.test");
}

#[test]
fn a_person_is_not_taken_for_a_machine() {
    for header in
        ["Auto-Submitted: no", "Precedence: list", "X-Auto-Response-Suppress: None", "X-Priority: 1"]
    {
        let mail = format!("From: a@x.test\r\n{header}\r\n\r\nhello\r\n");
        assert_eq!(read(mail.as_bytes()).kind, FactKind::Message, "{header}");
    }
    for header in ["Auto-Submitted: auto-generated", "Precedence: auto_reply", "X-Autoreply: yes"] {
        let mail = format!("From: a@x.test\r\n{header}\r\n\r\nhello\r\n");
        assert_eq!(read(mail.as_bytes()).kind, FactKind::AutoReply, "{header}");
    }
    let from_nowhere = normalize(None, b"From: a@x.test\r\n\r\nhello", Some(&envelope("", &[]))).unwrap();
    assert_eq!(from_nowhere[0].kind, FactKind::AutoReply);
    assert_eq!(read(b"From: MAILER-DAEMON@x.test\r\n\r\nUser unknown").kind, FactKind::Bounce);
    // Someone forwards a bounce: it is a message about a bounce.
    let forward = [
        b"From: a@x.test\r\nContent-Type: multipart/mixed; boundary=f\r\n\r\n--f\r\n\r\nWhat is this?\r\n--f\r\n",
        &b"Content-Type: message/rfc822\r\n\r\n"[..],
        SAMPLES[5].1,
        b"\r\n--f--\r\n",
    ]
    .concat();
    assert_eq!(
        (read(&forward).kind, read(&forward).text.as_deref()),
        (FactKind::Message, Some("What is this?"))
    );
}

#[test]
fn of_doubled_headers_the_first_counts() {
    let mail =
        b"From: a@x.test\r\nSubject: one\r\nMessage-ID: <1@x.test>\r\nSubject: two\r\nFrom: b@x.test\r\n\
        To: <@relay.test:c@x.test>\r\nDate: nonsense\r\nMessage-ID: <2@x.test>\r\n\r\nhello";
    let fact = read(mail);
    assert_eq!(
        (fact.address.as_str(), fact.external_id.as_deref(), fact.sent_at),
        ("a@x.test", Some("1@x.test"), None)
    );
    let mail = fact.mail.unwrap();
    assert_eq!((mail.subject.as_deref(), mail.to), (Some("one"), vec!["c@x.test".to_owned()]));
}

#[test]
fn hostile_mail_is_kept_unread() {
    let bomb = [&b"From: a@x.test\r\n"[..], &b"Content-Type: message/rfc822\r\n\r\n".repeat(20_000)].concat();
    let fact = read(&bomb);
    assert_eq!((fact.kind, fact.reason.as_deref()), (FactKind::Unknown, Some("it nests too deeply")));
    assert!(fact.external_id.unwrap().starts_with("sha256:"));
    let html =
        format!("From: a@x.test\r\nContent-Type: text/html\r\n\r\n{}x", "<blockquote><div>".repeat(100_000));
    assert_eq!(read(html.as_bytes()).kind, FactKind::Message);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 1..400)) {
        let _ = normalize(None, &bytes, None);
    }

    /// Pieces that mean something to a parser, in any order.
    #[test]
    fn any_mixture_of_mail_is_read(pieces in proptest::collection::vec(prop::sample::select(vec![
        "From: a@x.test\r\n", "To: b@x.test, \"c", "Date: ", "Mon, 32 Foo 99999 25:61 +9999\r\n", "Message-ID: <a@b>\r\n",
        "Content-Type: multipart/mixed; boundary=\"b\"\r\n", "Content-Type: message/rfc822\r\n",
        "Content-Type: text/html; charset=utf-7\r\n", "Content-Transfer-Encoding: base64\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n", "Content-Type: message/delivery-status\r\n",
        "\r\n", "\n", "--b\r\n", "--b--\r\n", "--b", "=?utf-8?Q?=", "=ZZ", "&#xD800;", "<br", "<blockquote>", "<!--", "é", "\0",
        "On 1 Jan 2026 a@b wrote:\r\n", "> ", "-- \r\n", "-----Original Message-----\r\n", "From: x\r\nSent: y\r\n", " ", ";", "\"",
        "References: <", ">", "\t",
    ]), 0..60)) {
        let mail = pieces.concat();
        if let Ok(facts) = normalize(None, mail.as_bytes(), None) {
            let fact = &facts[0];
            prop_assert_ne!(fact.reason.as_deref(), Some("reading it failed"), "{}", mail.escape_debug());
            let body = fact.mail.as_ref().and_then(|mail| mail.body.as_deref()).unwrap_or_default();
            let text = fact.text.as_deref().unwrap_or_default();
            prop_assert_eq!(body.trim().is_empty(), text.trim().is_empty(), "the new part is lost");
        }
    }
}
