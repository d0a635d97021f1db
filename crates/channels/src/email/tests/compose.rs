use proptest::prelude::*;

use crate::email::{Envelope, MailboxIdentity, compose, normalize};
use crate::{Attachment, Fact, FactKind, Outgoing, Thread};

const REFERENCE: &str = "0123456789abcdefghijklmnopqrstuv";

fn identity() -> MailboxIdentity {
    MailboxIdentity { name: Some("Example Support".into()), address: "support@example.test".into() }
}

fn outgoing(text: &str) -> Outgoing {
    Outgoing {
        key: "d-17-4".into(),
        to: "ana@customer.test".into(),
        text: text.into(),
        quick_replies: vec!["yes".into()],
        attachments: Vec::new(),
        at: 1_772_532_900_000,
        by_person: true,
        thread: Some(Thread {
            subject: "¿Dónde está mi pedido?".into(),
            in_reply_to: Some("q1w2e3@customer.test".into()),
            references: vec!["first@customer.test".into()],
            reference: REFERENCE.into(),
        }),
    }
}

fn written(message: &Outgoing) -> String {
    String::from_utf8(compose(message, &identity()).unwrap()).unwrap()
}

fn back(message: &Outgoing) -> Fact {
    normalize(None, written(message).as_bytes(), None).unwrap().remove(0)
}

#[test]
fn an_answer_as_it_leaves() {
    insta::assert_snapshot!(written(&outgoing("Hello Ana,\nit left today.\n")));
}

#[test]
fn what_leaves_can_be_read_back() {
    let message = outgoing("Grüße aus 東京\n\nbis bald");
    let fact = back(&message);
    assert_eq!((fact.kind, fact.address.as_str()), (FactKind::Message, "support@example.test"));
    assert_eq!(
        (fact.text.as_deref(), fact.sent_at),
        (Some("Grüße aus 東京\n\nbis bald"), Some(1_772_532_900_000))
    );
    assert_eq!(fact.external_id.unwrap(), format!("d-17-4.{REFERENCE}@example.test"));
    assert_eq!(fact.reply_to.as_deref(), Some("q1w2e3@customer.test"));
    let mail = fact.mail.unwrap();
    assert_eq!(mail.subject.as_deref(), Some("Re: ¿Dónde está mi pedido?"));
    assert_eq!(
        (mail.to, mail.references),
        (
            vec!["ana@customer.test".to_owned()],
            vec!["first@customer.test".to_owned(), "q1w2e3@customer.test".to_owned()],
        )
    );
    assert_eq!(compose(&message, &identity()).unwrap(), compose(&message, &identity()).unwrap());
}

#[test]
fn a_bots_answer_says_that_it_is_one() {
    let message = Outgoing { by_person: false, ..outgoing("hi") };
    assert!(written(&message).contains("\r\nAuto-Submitted: auto-replied\r\n"));
    assert!(!written(&outgoing("hi")).contains("Auto-Submitted"));
}

#[test]
fn the_subject_says_re_once() {
    let subject = |subject: &str| {
        let thread = Thread { subject: subject.into(), ..Thread::default() };
        back(&Outgoing { thread: Some(thread), ..outgoing("x") }).mail.unwrap().subject.unwrap()
    };
    for given in ["Order", "Re: Order", "RE: AW: Re[2]: Order", "回复：Order", "SV: Order"] {
        assert_eq!(subject(given), "Re: Order", "{given}");
    }
    assert_eq!(subject("Question: why?"), "Re: Question: why?");
    assert_eq!(subject("Re:"), "Re: Re:");
    assert_eq!(subject(""), "A message from Example Support");
}

#[test]
fn attachments_are_named_below_the_text() {
    let attachment = Attachment {
        url: Some("https://x.test/a.pdf".into()),
        name: Some("a.pdf".into()),
        ..Attachment::default()
    };
    let message = Outgoing { attachments: vec![attachment], ..outgoing("See below.") };
    assert_eq!(back(&message).text.as_deref(), Some("See below.\na.pdf: https://x.test/a.pdf"));
}

#[test]
fn an_answer_to_our_answer_finds_its_way() {
    let sent = written(&outgoing("hi"));
    let reply_to = format!("Reply-To: support+{REFERENCE}@example.test\r\n");
    assert!(sent.contains(&reply_to), "{sent}");
    for answer in [
        format!("From: ana@customer.test\r\nTo: support+{REFERENCE}@example.test\r\n\r\nthanks"),
        format!("From: ana@customer.test\r\nIn-Reply-To: <d-17-4.{REFERENCE}@example.test>\r\n\r\nthanks"),
        format!(
            "From: ana@customer.test\r\nReferences: <a@b.test> <d-17-4.{REFERENCE}@example.test>\r\n\r\nthanks"
        ),
    ] {
        let fact = normalize(None, answer.as_bytes(), None).unwrap().remove(0);
        assert_eq!(fact.mail.unwrap().our_references, [REFERENCE], "{answer}");
    }
    let envelope =
        Envelope { recipients: vec![format!("support+{REFERENCE}@example.test")], ..Envelope::default() };
    let fact = normalize(None, b"From: ana@customer.test\r\n\r\nthanks", Some(&envelope)).unwrap().remove(0);
    assert_eq!(fact.mail.unwrap().our_references, [REFERENCE]);
}

#[test]
fn long_lines_are_folded_for_the_way_and_come_back_whole() {
    for text in ["x".repeat(5000), "schön ".repeat(1000), ".\n..\nFrom here".into()] {
        let message = outgoing(&text);
        assert!(written(&message).lines().all(|line| line.len() <= 998));
        assert_eq!(back(&message).text.as_deref(), Some(text.trim_end()));
    }
}

#[test]
fn addresses_that_are_none_are_errors() {
    for to in ["", "nobody", "a@", "a b@x.test", "a@x.test\r\nBcc: all@x.test"] {
        let error = compose(&Outgoing { to: to.into(), ..outgoing("x") }, &identity()).unwrap_err();
        assert!(error.to_string().starts_with("cannot read the address"), "{to}");
        assert!(!error.to_string().contains('\n'));
    }
}

/// The names of all header fields, as a mail server would see them.
fn header_names(mail: &str) -> Vec<&str> {
    let (head, _) = mail.split_once("\r\n\r\n").unwrap();
    let fields = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    fields.map(|line| line.split_once(':').unwrap().0).collect()
}

proptest! {
    #[test]
    fn no_value_breaks_out_of_its_header(
        subject in ".*[\\r\\n]{0,3}Bcc: x@x.test.*", id in "[a-z<>@\\r\\n :]{0,20}", name in "\\PC*[\\r\\n]?.*",
        key in "[a-z\\r\\n@<>]{0,9}", reference in "[0-9a-v]{0,70}", text in "\\PC*", at in any::<i64>(),
    ) {
        let thread = Thread { subject, in_reply_to: Some(id.clone()), references: vec![id], reference };
        let message = Outgoing { key, text, at, thread: Some(thread), ..outgoing("") };
        let mail = compose(&message, &MailboxIdentity { name: Some(name), ..identity() }).unwrap();
        let mail = String::from_utf8(mail).unwrap();
        prop_assert!(mail.is_ascii());
        let known = ["From", "To", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References",
            "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
        for name in header_names(&mail) {
            prop_assert!(known.contains(&name), "{} in {}", name, mail);
        }
        prop_assert!(mail.lines().all(|line| line.len() <= 998));
    }

    #[test]
    fn any_text_comes_back_whole(text in "[ -~äß日\\n]{0,300}") {
        let fact = back(&outgoing(&text));
        let body = fact.mail.unwrap().body.unwrap_or_default();
        prop_assert_eq!(body.trim_end(), text.trim_end());
    }
}
