use bytes::Bytes;
use proptest::prelude::*;

use crate::email::{Envelope, Letterhead, MailboxIdentity, SignWith, compose, normalize};
use crate::{Attachment, Fact, FactKind, Outgoing, Thread};

const REFERENCE: &str = "0123456789abcdefghijklmnopqrstuv";

fn identity() -> MailboxIdentity {
    MailboxIdentity { name: Some("Example Support".into()), address: "support@example.test".into() }
}

fn letterhead() -> Letterhead {
    let quote_intro = Some("On {date}, {address} wrote:".into());
    Letterhead { quote_intro, public_url: Some("https://hooks.example.test".into()), ..Letterhead::default() }
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
            quote: "Where is it?\n\nAna".into(),
            written_at: Some(1_772_529_000_000),
            signed: Some("Ann Berg".into()),
            unsubscribe: None,
        }),
        chat: crate::Chat::default(),
    }
}

fn written(message: &Outgoing) -> String {
    String::from_utf8(compose(message, &identity(), &letterhead()).unwrap()).unwrap()
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
    assert_eq!(written(&message), written(&message));
}

#[test]
fn a_bots_answer_says_that_it_is_one() {
    let message = Outgoing { by_person: false, ..outgoing("hi") };
    assert!(written(&message).contains("\r\nAuto-Submitted: auto-replied\r\n"));
    assert!(written(&message).contains("\r\nX-Auto-Response-Suppress: All\r\n"));
    assert!(!written(&outgoing("hi")).contains("Auto-"));
    let unasked = Outgoing { thread: None, ..message };
    assert!(written(&unasked).contains("\r\nAuto-Submitted: auto-generated\r\n"));
}

#[test]
fn an_agent_signs_as_the_business_wants() {
    let signed = |sign_with| {
        let head = Letterhead { sign_with, ..letterhead() };
        let mail = compose(&outgoing("hi"), &identity(), &head).unwrap();
        normalize(None, &mail, None).unwrap().remove(0).mail.unwrap().body.unwrap()
    };
    let begins = |body: &str, lines: &str| assert!(body.starts_with(lines), "{body}");
    begins(&signed(SignWith::Name), "hi\n\n-- \nAnn Berg\nExample Support\n\nOn 2026-03-03 ");
    begins(&signed(SignWith::Initials), "hi\n\n-- \nA. B.\nExample Support\n");
    begins(&signed(SignWith::Nothing), "hi\n\n-- \nExample Support\n");
}

#[test]
fn what_is_answered_is_quoted_and_folded() {
    let fact = back(&outgoing("It left today."));
    assert_eq!(fact.text.as_deref(), Some("It left today."));
    let body = fact.mail.unwrap().body.unwrap();
    let quote = "On 2026-03-03 09:10 UTC, ana@customer.test wrote:\n> Where is it?\n>\n> Ana";
    assert!(body.contains(quote), "{body}");
    let bare = Letterhead { quote_intro: None, ..letterhead() };
    let bare = String::from_utf8(compose(&outgoing("hi"), &identity(), &bare).unwrap()).unwrap();
    assert!(!bare.contains("Where is it?"));
}

#[test]
fn files_are_brought_along() {
    let file = |name: &str, kind: &str, data: &'static [u8]| Attachment {
        kind: "file".into(),
        content_type: Some(kind.into()),
        name: Some(name.into()),
        data: Some(Bytes::from_static(data)),
        ..Attachment::default()
    };
    let attachments = vec![
        file("Rechnung März.pdf", "application/pdf", b"%PDF-1.7\n\x00\xff"),
        file("mail.eml", "message/rfc822", b"From: x@x.test\r\n\r\nhello"),
        file("a\r\nX-Evil: 1", "no type", b"x"),
    ];
    let message = Outgoing { attachments, ..outgoing("See the files.") };
    let mail = written(&message);
    assert!(!mail.contains("\r\nX-Evil"), "{mail}");
    let fact = back(&message);
    assert_eq!(fact.text.as_deref(), Some("See the files."));
    let names: Vec<_> = fact.attachments.iter().filter_map(|file| file.name.as_deref()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(names[0], "Rechnung März.pdf");
    assert_eq!(fact.attachments[0].content_type.as_deref(), Some("application/pdf"));
}

#[test]
fn what_is_no_answer_can_be_unsubscribed_from() {
    let thread =
        Thread { unsubscribe: Some("abc123".into()), reference: REFERENCE.into(), ..Thread::default() };
    let mail = written(&Outgoing { thread: Some(thread), ..outgoing("News.") });
    for field in [
        "List-Unsubscribe: <https://hooks.example.test/unsubscribe/abc123>\r\n",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
    ] {
        assert!(mail.contains(field), "{mail}");
    }
    assert!(!written(&outgoing("An answer.")).contains("List-Unsubscribe"));
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
        let error =
            compose(&Outgoing { to: to.into(), ..outgoing("x") }, &identity(), &letterhead()).unwrap_err();
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
        let unsubscribe = Some(id.clone());
        let thread = Thread {
            subject, in_reply_to: Some(id.clone()), references: vec![id], reference, unsubscribe, ..Thread::default()
        };
        let message = Outgoing { key, text, at, thread: Some(thread), ..outgoing("") };
        let mail = compose(&message, &MailboxIdentity { name: Some(name), ..identity() }, &letterhead()).unwrap();
        let mail = String::from_utf8(mail).unwrap();
        prop_assert!(mail.is_ascii());
        let known = ["From", "To", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To", "References",
            "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "List-Unsubscribe", "List-Unsubscribe-Post"];
        for name in header_names(&mail) {
            prop_assert!(known.contains(&name), "{} in {}", name, mail);
        }
        prop_assert!(mail.lines().all(|line| line.len() <= 998));
    }

    #[test]
    fn any_text_comes_back_whole(text in "[ -~äß日\\n]{0,300}") {
        let fact = back(&outgoing(&text));
        let body = fact.mail.unwrap().body.unwrap_or_default();
        prop_assert!(body.starts_with(text.trim_end()), "{body:?}");
    }
}
