//! A relay that does not always take what it is given.

use std::sync::Arc;

use channels::email::{
    Letterhead, MailboxIdentity, Manners, Relay as Lines, RelayConfig, RelayTls, SmtpSender,
};
use channels::{Outcome, Outgoing, Sender as _, Thread};

use crate::peers::Relay;

fn outgoing(to: &str) -> Outgoing {
    Outgoing {
        key: "d-17-4".into(),
        to: to.into(),
        text: "Grüße\n.\nfrom us".into(),
        quick_replies: Vec::new(),
        attachments: Vec::new(),
        at: 1_772_532_900_000,
        by_person: true,
        thread: Some(Thread { subject: "Order".into(), ..Thread::default() }),
        chat: channels::Chat::default(),
    }
}

fn lines(relay: &Relay) -> Arc<Lines> {
    let mut config = RelayConfig::new("127.0.0.1", relay.port, "router.example.test");
    config.tls = RelayTls::None;
    Arc::new(Lines::new(config))
}

fn sender(lines: &Arc<Lines>, manners: Manners) -> SmtpSender {
    let mailbox = MailboxIdentity { name: None, address: "support@example.test".into() };
    SmtpSender::over(lines.clone(), mailbox, Letterhead::default(), manners).unwrap()
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Sent { .. } => "sent".into(),
        Outcome::Retry { code, after, .. } => {
            format!("retry {code} {}", after.map_or(-1, |after| after as i64 / 1000))
        }
        Outcome::NotYet { code, .. } => format!("not yet {code}"),
        Outcome::Refused { code, .. } => format!("refused {code}"),
        Outcome::Dead { code, .. } => format!("dead {code}"),
        Outcome::Unknown { .. } => "unknown".into(),
    }
}

#[tokio::test]
async fn each_answer_has_its_meaning_and_the_line_is_kept() {
    let Some(relay) = Relay::up() else { return };
    let sender = sender(&lines(&relay), Manners::default());
    for (to, meant) in [
        ("ana@customer.test", "sent"),
        ("dead@customer.test", "dead 550 5.1.1"),
        ("full@customer.test", "retry 452 4.2.2 1800"),
        ("spam@customer.test", "refused 554 5.7.1"),
        ("grey-1@customer.test", "retry 450 4.2.0 120"),
        ("grey-1@customer.test", "sent"),
        ("ana@customer.test", "sent"),
    ] {
        let outcome = sender.send(&outgoing(to)).await;
        assert_eq!(told(&outcome), meant, "{to}: {outcome:?}");
    }
    let taken = relay.taken();
    assert_eq!(taken.len(), 3);
    assert_eq!(taken[2]["connections"], 1, "one line for all of it");
    assert_eq!(taken[0]["from"], "support@example.test");
    assert!(taken[0]["mail"].as_str().unwrap().contains("\r\nMessage-ID: <d-17-4@example.test>\r\n"));
}

#[tokio::test]
async fn a_domain_that_asks_for_patience_is_left_alone_and_no_other() {
    let Some(relay) = Relay::up() else { return };
    let sender = sender(&lines(&relay), Manners::default());
    let busy = sender.send(&outgoing("busy@one.test")).await;
    assert_eq!(told(&busy), "retry 421 4.7.0 60");
    let waits = sender.send(&outgoing("ana@one.test")).await;
    assert!(matches!(&waits, Outcome::NotYet { code, after, .. } if code == "paced" && *after > 20_000));
    assert_eq!(told(&sender.send(&outgoing("ana@two.test")).await), "sent");
    assert_eq!(relay.taken().len(), 1);
}

/// The relay took it, and died before it said so: nobody can tell, and nobody sends it twice unless the inbox wants that.
#[tokio::test]
async fn a_relay_that_dies_in_the_middle_makes_no_double() {
    let Some(relay) = Relay::up() else { return };
    let lines = lines(&relay);
    let sender = sender(&lines, Manners::default());
    assert_eq!(told(&sender.send(&outgoing("drop@customer.test")).await), "unknown");
    assert!(!sender.deduplicates());
    assert_eq!(
        told(&sender.send(&outgoing("ana@customer.test")).await),
        "sent",
        "the next has a line of its own"
    );
    let taken = relay.taken();
    assert_eq!(taken.len(), 2);
    let eager = self::sender(&lines, Manners { resends_unknown: true, ..Manners::default() });
    assert!(eager.deduplicates());
    assert_eq!(told(&eager.send(&outgoing("drop@customer.test")).await), "unknown");
    // Whoever reads both sees that they are one.
    let again = relay.taken();
    assert_eq!(again[2]["mail"], taken[0]["mail"], "the same octets, and so the same Message-ID");
}

#[tokio::test]
async fn what_no_person_wrote_has_nowhere_to_be_answered_to() {
    let Some(relay) = Relay::up() else { return };
    let lines = lines(&relay);
    let by_bot = |to: &str| Outgoing { by_person: false, ..outgoing(to) };
    let sender = sender(&lines, Manners::default());
    assert_eq!(told(&sender.send(&by_bot("ana@customer.test")).await), "sent");
    // A relay that wants to know who sends is told.
    assert_eq!(told(&sender.send(&by_bot("nonull@customer.test")).await), "sent");
    assert_eq!(told(&sender.send(&by_bot("ana@customer.test")).await), "sent");
    let eager = self::sender(&lines, Manners { returns_automatic: true, ..Manners::default() });
    assert_eq!(told(&eager.send(&by_bot("ana@customer.test")).await), "sent");
    let taken = relay.taken();
    let from: Vec<&str> = taken.iter().map(|taken| taken["from"].as_str().unwrap_or("")).collect();
    assert_eq!(from, ["<>", "<>", "support@example.test", "support@example.test"]);
    assert!(taken[0]["mail"].as_str().unwrap().contains("\r\nAuto-Submitted: auto-generated\r\n"));
}

#[tokio::test]
async fn a_hundred_at_once_share_few_lines() {
    let Some(relay) = Relay::up() else { return };
    let sender = Arc::new(sender(&lines(&relay), Manners::default()));
    let sends: Vec<_> = (0..100)
        .map(|n| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(&outgoing(&format!("c{n}@customer.test"))).await })
        })
        .collect();
    for send in sends {
        assert_eq!(told(&send.await.unwrap()), "sent");
    }
    let taken = relay.taken();
    assert_eq!(taken.len(), 100);
    // Few are kept, so some are made anew; a hundred would be one each.
    let most = taken.iter().map(|taken| taken["connections"].as_u64().unwrap()).max().unwrap();
    assert!(most < 60, "{most} connections");
}
