//! Mail from machines and what is told from it: who did not get our mail, whether for ever, and why.

use crate::email::{Cause, Envelope, normalize};
use crate::{Fact, FactKind};

fn read(raw: &str) -> Fact {
    normalize(Some("email"), raw.as_bytes(), None).unwrap().remove(0)
}

/// Address, status, reply code and whether it is hard, of each recipient.
fn bounced(raw: &str) -> Vec<(String, String, Option<u16>, bool)> {
    let fact = read(raw);
    assert_eq!(fact.kind, FactKind::Bounce, "{raw}");
    let all = fact.mail.unwrap().bounced;
    all.into_iter().map(|one| (one.address, one.status, one.code, one.hard)).collect()
}

fn one(address: &str, status: &str, code: u16, hard: bool) -> (String, String, Option<u16>, bool) {
    (address.into(), status.into(), Some(code).filter(|code| *code > 0), hard)
}

fn report(status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.test\r\nTo: support@example.test\r\nSubject: Undelivered Mail Returned to Sender\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nIt could not be delivered.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n{status}\r\n--b\r\n\
         Content-Type: message/rfc822\r\n\r\nFrom: support@example.test\r\nTo: a@x.test\r\nMessage-ID: <1@example.test>\r\n\r\nx\r\n--b--\r\n"
    )
}

#[test]
fn a_report_tells_of_each_recipient() {
    let mail = report(
        "Final-Recipient: rfc822; A@x.test\r\nAction: failed\r\nStatus: 5.0.0\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 <a@x.test>: User unknown\r\n\r\n\
         Final-Recipient: rfc822; b@x.test\r\nAction: failed\r\nStatus: 5.2.2\r\nDiagnostic-Code: smtp; 552 mailbox full\r\n\r\n\
         Final-Recipient: rfc822; c@x.test\r\nAction: delivered\r\nStatus: 2.0.0\r\n",
    );
    assert_eq!(bounced(&mail), [one("a@x.test", "5.1.1", 550, true), one("b@x.test", "5.2.2", 552, false)]);
    let fact = read(&mail);
    assert_eq!((fact.address.as_str(), fact.reply_to.as_deref()), ("a@x.test", Some("1@example.test")));
}

#[test]
fn what_is_late_is_not_lost() {
    let late = report(
        "Final-Recipient: rfc822; a@x.test\r\nAction: delayed\r\nStatus: 4.4.1\r\n\
        Diagnostic-Code: smtp; connect to x.test: Connection refused\r\n",
    );
    let fact = read(&late);
    let found = &fact.mail.unwrap().bounced[0];
    assert!(found.delayed && !found.hard && found.cause == Cause::Network);
    let passed_on = report("Final-Recipient: rfc822; a@x.test\r\nAction: relayed\r\nStatus: 2.0.0\r\n");
    assert_eq!(read(&passed_on).kind, FactKind::AutoReply, "nothing bounced");
}

#[test]
fn servers_report_in_their_own_words() {
    let qmail = "From: MAILER-DAEMON@mx.test\r\nTo: support@example.test\r\nSubject: failure notice\r\n\r\n\
        Hi. This is the program at mx.test.\r\nI wasn't able to deliver your message to the following addresses.\r\n\r\n\
        <a@x.test>:\r\n192.0.2.1 does not like recipient.\r\nRemote host said: 550 5.1.1 no such user\r\n\r\n\
        <b@y.test>:\r\nSorry, I couldn't find any host named y.test. (#5.1.2)\r\n\r\n\
        --- Below this line is a copy of the message.\r\n\r\nReturn-Path: <support@example.test>\r\n\
        Message-ID: <7@example.test>\r\nTo: a@x.test\r\n\r\nx\r\n";
    assert_eq!(bounced(qmail), [one("a@x.test", "5.1.1", 550, true), one("b@y.test", "5.1.2", 0, true)]);
    assert_eq!(read(qmail).reply_to.as_deref(), Some("7@example.test"));

    let exim = "From: Mail Delivery System <Mailer-Daemon@mx.test>\r\nTo: support@example.test\r\n\
        X-Failed-Recipients: a@x.test\r\nAuto-Submitted: auto-replied\r\nSubject: Mail delivery failed\r\n\r\n\
        A message that you sent could not be delivered.\r\n\r\n  a@x.test\r\n    host mx.x.test [192.0.2.1]\r\n\
        SMTP error after RCPT TO:<a@x.test>:\r\n    550 5.7.1 Message rejected due to SPF\r\n";
    assert_eq!(bounced(exim), [one("a@x.test", "5.7.1", 550, false)]);

    let no_code = "From: Postmaster <postmaster@mx.test>\r\nTo: support@example.test\r\nSubject: Delivery failure\r\n\r\n\
        Your message to a@x.test could not be delivered: the recipient's mailbox is full.\r\n";
    assert_eq!(bounced(no_code), [one("a@x.test", "5.2.2", 0, false)]);
}

#[test]
fn people_who_speak_of_bounces_are_people() {
    for mail in [
        "From: ana@x.test\r\nSubject: Undelivered mail\r\n\r\nMy order was not delivered, mailbox full?\r\n",
        "From: ana@x.test\r\nSubject: Re: Delivery Status Notification (Failure)\r\n\r\nWhat is this?\r\n",
        "From: ana@x.test\r\nSubject: Fwd: Mail delivery failed\r\n\r\n> 550 5.1.1 user unknown\r\n",
        "From: ana@x.test\r\nSubject: My automatic reply\r\nList-Id: <all.x.test>\r\nPrecedence: list\r\n\r\nHello\r\n",
        "From: postmaster@x.test\r\nSubject: Question\r\n\r\nWho is in charge of mail at your side?\r\n",
    ] {
        assert_eq!(read(mail).kind, FactKind::Message, "{mail}");
    }
}

#[test]
fn automatic_mail_is_told_by_header_or_subject() {
    for header in [
        "Subject: Automatic reply: Order 7",
        "Subject: =?utf-8?Q?R=C3=A9ponse_automatique_:_x?=",
        "Subject: Abwesenheitsnotiz: x",
        "Subject: x\r\nX-Apple-Action: VACATION",
        "Subject: x\r\nPrecedence: bulk",
        "Subject: x\r\nReturn-Path: <>",
        "Subject: Read: x\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b",
    ] {
        let fact =
            read(&format!("From: ana@x.test\r\nTo: support@example.test\r\n{header}\r\n\r\nI am away.\r\n"));
        assert_eq!(fact.kind, FactKind::AutoReply, "{header}");
        assert!(fact.reason.is_some(), "{header}");
    }
}

#[test]
fn our_own_mail_is_an_echo() {
    let mail = |from: &str, id: &str| {
        let raw =
            format!("From: {from}\r\nTo: ana@x.test\r\nMessage-ID: <{id}@example.test>\r\n\r\nHello\r\n");
        let envelope = Envelope {
            sender: "list@y.test".into(),
            recipients: vec!["support@example.test".into()],
            client: None,
        };
        normalize(None, raw.as_bytes(), Some(&envelope)).unwrap()[0].kind
    };
    let ours = "d-1-2.0123456789abcdefghijklmnopqrstuv";
    assert_eq!(mail("support@example.test", ours), FactKind::Echo);
    assert_eq!(mail("support@example.test", "1234"), FactKind::Message, "someone at the same mailbox");
    assert_eq!(mail("ana@x.test", ours), FactKind::Message, "an id that only looks like ours");
}
