//! What leaves.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use channels::{Outcome, Sender as _, smpp::pdu::Short};
use futures::{StreamExt as _, stream};
use sms::{Alphabet, Body, Coding, Header};

use crate::{
    client::{Kept, config, outgoing, start},
    smsc::{Reply, Smsc, taking},
};

/// What a handset shows of these.
fn shown(shorts: &[Short]) -> String {
    let mut octets = Vec::new();
    let mut alphabet = Alphabet::default();
    for short in shorts {
        let (header, text) = match short.esm_class & 0x40 {
            0 => (Header::default(), &short.octets()[..]),
            _ => Header::read(short.octets()).unwrap(),
        };
        alphabet = Alphabet { locking: header.locking, single: header.single };
        octets.extend_from_slice(text);
    }
    match Coding::of(shorts[0].data_coding, Coding::Gsm7).read(&octets, alphabet) {
        Body::Text(text) => text,
        Body::Binary(_) => panic!("it is no text"),
    }
}

#[tokio::test]
async fn a_text_arrives_as_it_was_written_however_long() {
    let link = "https://shop.example.test/parcels/8f14e45fceea167a5a36dedd4bea2543";
    let long = format!("{} {link} {} 👨‍👩‍👧‍👦", "Grüße aus Köln. ".repeat(12), "Ваша посылка в пути. ".repeat(5));
    for (settings, parts) in
        [(&[][..], 6), (&[("long", "sar")], 6), (&[("long", "payload")], 1), (&[("alphabet", "latin1")], 6)]
    {
        let smsc = Smsc::start(taking()).await;
        let smpp = start(config(smsc.address, settings), &Arc::default());
        let outcome = smpp.send(&outgoing("k1", "+4915112345678", &long)).await;
        assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
        let taken = smsc.taken();
        assert_eq!(taken.len(), parts, "{settings:?}");
        assert_eq!(shown(&taken), long, "{settings:?}");
        assert_eq!(taken.iter().filter(|it| it.registered_delivery == 1).count(), 1, "one receipt");
        let to = &taken[0].destination;
        assert_eq!((to.ton, to.npi, &to.digits[..]), (1, 1, &b"4915112345678"[..]));
        let references: Vec<_> = taken.iter().map(|it| it.tlv(0x020c).cloned()).collect();
        assert!(references.iter().all(|it| *it == references[0]));
        assert_eq!(references[0].is_some(), settings == [("long", "sar")]);
    }
}

#[tokio::test]
async fn the_id_is_the_message_centres_as_its_receipts_write_it() {
    let script = Arc::new(|number, _: &Short| if number == 0 { Reply::Status(0x08) } else { Reply::Taken });
    let smsc = Smsc::start(script).await;
    let smpp = start(config(smsc.address, &[("receipt_ids", "decimal")]), &Arc::default());
    let outcome = smpp.send(&outgoing("k0", "+15550123", "hello")).await;
    assert!(matches!(&outcome, Outcome::Retry { code, .. } if code == "RSYSERR"), "{outcome:?}");
    for number in 1..12 {
        let outcome = smpp.send(&outgoing("k", "+15550123", "hello")).await;
        assert_eq!(outcome, Outcome::Sent { provider_id: number.to_string() });
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_leaves() {
    let smsc = Smsc::start(taking()).await;
    let smpp = start(config(smsc.address, &[]), &Arc::default());
    for (to, text, expected) in
        [("ACME", "hi", "unanswerable"), ("+15550123", &*"a".repeat(40_000), "too_long")]
    {
        let outcome = smpp.send(&outgoing("k", to, text)).await;
        assert!(matches!(&outcome, Outcome::Refused { code, .. } if code == expected), "{outcome:?}");
    }
    assert_eq!(smsc.submitted(), 0);
}

#[tokio::test]
async fn a_refusal_is_told_by_its_kind() {
    for (status, expected) in
        [(0x0b, "refused bad_address"), (0x0a, "refused RINVSRCADR"), (0x45, "retry RSUBMITFAIL")]
    {
        let smsc = Smsc::start(Arc::new(move |_, _: &Short| Reply::Status(status))).await;
        let smpp = start(config(smsc.address, &[]), &Arc::default());
        let told = match smpp.send(&outgoing("k", "+15550123", "hi")).await {
            Outcome::Refused { code, .. } => format!("refused {code}"),
            Outcome::Retry { code, .. } => format!("retry {code}"),
            other => format!("{other:?}"),
        };
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn a_message_centre_that_throttles_gets_all_in_the_end() {
    // It takes 40 in any tenth of a second.
    let taken = Mutex::new((Instant::now(), 0));
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = refused.clone();
    let script = Arc::new(move |_, _: &Short| {
        let (since, count) = &mut *taken.lock().unwrap();
        if since.elapsed() > Duration::from_millis(100) {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
        if *count <= 40 {
            return Reply::Taken;
        }
        let status = if counted.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { 0x58 } else { 0x14 };
        Reply::Status(status)
    });
    let smsc = Smsc::start(script).await;
    let smpp = start(config(smsc.address, &[]), &Arc::default());
    let smpp = &smpp;
    let sent = stream::iter(0..300).map(|number| async move {
        smpp.send(&outgoing(&number.to_string(), "+15550123", &format!("number {number}"))).await
    });
    let outcomes: Vec<_> = sent.buffer_unordered(100).collect().await;
    assert!(outcomes.iter().all(|it| matches!(it, Outcome::Sent { .. })));
    assert_eq!(smsc.taken().len(), 300, "each once");
    assert!(refused.load(Ordering::SeqCst) > 0, "it did throttle");
}

/// DESIGN invariant 11, for a window full of messages.
#[tokio::test]
async fn a_line_cut_in_the_middle_loses_nothing_and_doubles_only_what_is_unknown() {
    const COUNT: usize = 10_000;
    // Every 997th is the last its connection hears, each a little later than the one before.
    let script =
        Arc::new(|number: usize, _: &Short| if number % 997 == 996 { Reply::Cut } else { Reply::Taken });
    let smsc = Smsc::start(script).await;
    let smpp = start(config(smsc.address, &[("binds", "2")]), &Arc::default());
    let smpp = &smpp;
    let send = |number: usize| async move {
        let message = outgoing(&number.to_string(), "+15550123", &number.to_string());
        // What was not taken is tried again, as the log would have it; what nobody knows is not.
        for _ in 0..20 {
            match smpp.send(&message).await {
                Outcome::Retry { .. } => {}
                outcome => return (number, outcome),
            }
        }
        panic!("{number} was tried too often");
    };
    let outcomes: HashMap<usize, Outcome> =
        stream::iter(0..COUNT).map(send).buffer_unordered(200).collect().await;
    let mut arrived: HashMap<usize, usize> = HashMap::new();
    for short in smsc.taken() {
        *arrived.entry(shown(&[short]).parse().unwrap()).or_default() += 1;
    }
    let mut unknown = 0;
    for number in 0..COUNT {
        let times = arrived.get(&number).copied().unwrap_or_default();
        match &outcomes[&number] {
            Outcome::Sent { .. } => assert_eq!(times, 1, "{number} was told to be sent"),
            Outcome::Unknown { .. } => {
                unknown += 1;
                assert!(times <= 1, "{number} is unknown, and was not sent again");
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    assert!(unknown >= 10, "each cut leaves at least the message it cut off: {unknown}");
    assert!(unknown <= 10 * 128 + 128, "and at most its windows: {unknown}");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unknown() {
    let smsc = Smsc::start(Arc::new(|_, _: &Short| Reply::Silence)).await;
    let smpp =
        start(config(smsc.address, &[("response_timeout", "1"), ("unknown", "resend")]), &Arc::default());
    let outcome = smpp.send(&outgoing("k", "+15550123", "hi")).await;
    assert_eq!(outcome, Outcome::Unknown { reason: "no answer in time".into() });
    assert!(smpp.deduplicates(), "as its inbox wants it");
}

#[tokio::test]
async fn parts_that_stay_behind_leave_the_whole_unknown() {
    let smsc = Smsc::start(Arc::new(
        |number, _: &Short| if number == 1 { Reply::Status(0x08) } else { Reply::Taken },
    ))
    .await;
    let smpp = start(config(smsc.address, &[]), &Arc::default());
    let outcome = smpp.send(&outgoing("k", "+15550123", &"a".repeat(400))).await;
    let Outcome::Unknown { reason } = outcome else { panic!("{outcome:?}") };
    assert!(reason.starts_with("after 1 of 3 parts"), "{reason}");
    assert_eq!(
        smsc.taken()[0].text[..6],
        Bytes::from_static(&[5, 0, 3])[..]
            .iter()
            .copied()
            .chain([smsc.taken()[0].text[3], 3, 1])
            .collect::<Vec<_>>()[..]
    );
}

#[tokio::test]
async fn without_a_message_centre_it_is_tried_again_later() {
    let kept: Arc<Kept> = Arc::default();
    let smpp = start(config(([127, 0, 0, 1], 1).into(), &[]), &kept);
    let outcome = smpp.send(&outgoing("k", "+15550123", "hi")).await;
    assert!(matches!(&outcome, Outcome::Retry { code, .. } if code == "not_bound"), "{outcome:?}");
}
