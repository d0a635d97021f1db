//! What comes in.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use channels::smpp::pdu::{Number, Pdu, Short};
use futures::future::join_all;

use crate::{
    client::{Kept, config, start, until},
    smsc::{Smsc, taking},
};

fn short(from: &str, text: &[u8]) -> Short {
    let number =
        |ton, digits: &str| Number { ton, npi: 1, digits: Bytes::copy_from_slice(digits.as_bytes()) };
    Short {
        source: number(1, from),
        destination: number(1, "15550100"),
        text: Bytes::copy_from_slice(text),
        ..Short::default()
    }
}

fn part(from: &str, reference: u8, total: u8, number: u8, text: &str) -> Short {
    let text = [&[5, 0, 3, reference, total, number], text.as_bytes()].concat();
    Short { esm_class: 0x40, ..short(from, &text) }
}

fn message(from: &str, text: &str) -> (String, String, String) {
    ("message".into(), format!("+{from}"), text.into())
}

const ANN: &str = "4915112345678";

#[tokio::test]
async fn it_is_answered_only_once_it_is_durable() {
    let smsc = Arc::new(Smsc::start(taking()).await);
    let kept: Arc<Kept> = Arc::default();
    let _smpp = start(config(smsc.address, &[]), &kept);
    let closed = kept.gate.lock().await;
    let deliver = |text: &'static [u8]| {
        let smsc = smsc.clone();
        tokio::spawn(async move { smsc.deliver(short(ANN, text)).await })
    };
    let first = deliver(b"hello");
    // A sign of life is answered meanwhile, so the connection is not what waits.
    assert_eq!(smsc.request(Pdu::EnquireLink).await, Some(0));
    assert!(!first.is_finished());
    assert!(kept.facts().is_empty());
    drop(closed);
    assert_eq!(first.await.unwrap(), Some(0));
    assert_eq!(kept.told(), [message(ANN, "hello")]);

    kept.refusing.store(true, Ordering::SeqCst);
    assert_eq!(deliver(b"later").await.unwrap(), Some(0x64), "the message centre keeps it");
    kept.refusing.store(false, Ordering::SeqCst);
    assert_eq!(deliver(b"later").await.unwrap(), Some(0));
    assert_eq!(kept.told(), [message(ANN, "hello"), message(ANN, "later")]);
}

#[tokio::test]
async fn messages_of_all_kinds_become_what_they_are() {
    let smsc = Smsc::start(taking()).await;
    let kept: Arc<Kept> = Arc::default();
    let _smpp = start(config(smsc.address, &[]), &kept);
    let receipt =
        "id:0001A sub:001 dlvrd:001 submit date:2311221027 done date:2311221028 stat:DELIVRD err:000 text:";
    for (short, expected) in [
        (short(ANN, b"STOP"), ("opt_out", "+4915112345678", "STOP")),
        (
            Short { data_coding: 8, ..short(ANN, b"\x04\x1f\x04@\x048\x042\x045\x04B") },
            ("message", "+4915112345678", "Привет"),
        ),
        (Short { esm_class: 4, ..short(ANN, receipt.as_bytes()) }, ("delivery", "+4915112345678", "1a")),
        (Short { data_coding: 4, ..short(ANN, b"\x01") }, ("unknown", "+4915112345678", "it is binary")),
        (
            Short { source: Number { ton: 5, npi: 0, digits: "ACME".into() }, ..short(ANN, b"Sale!") },
            ("message", "ACME", "Sale!"),
        ),
        (
            Short { source: Number { ton: 2, npi: 1, digits: "4158675309".into() }, ..short(ANN, b"yo") },
            ("message", "+14158675309", "yo"),
        ),
        (
            Short { esm_class: 0x40, ..short(ANN, b"\xffshort") },
            ("unknown", "+4915112345678", "its user data header is longer than the message"),
        ),
    ] {
        assert_eq!(smsc.deliver(short).await, Some(0));
        let (kind, address, text) = kept.told().pop().unwrap();
        assert_eq!((kind.as_str(), address.as_str(), text.as_str()), expected);
    }
    assert!(kept.facts()[3].raw.is_some(), "what nobody can read is kept");
}

#[tokio::test]
async fn parts_are_one_message_in_any_order_and_over_any_bind() {
    let smsc = Smsc::start(taking()).await;
    let kept: Arc<Kept> = Arc::default();
    let _smpp = start(config(smsc.address, &[("binds", "2")]), &kept);
    until("both binds", || smsc.binds() == 2).await;
    let parts = [3, 1, 2, 3].map(|number| smsc.deliver(part(ANN, 7, 3, number, &format!("<{number}>"))));
    assert_eq!(join_all(parts).await, [Some(0); 4]);
    assert_eq!(kept.told(), [message(ANN, "<1><2><3>")]);
    assert_eq!(smsc.deliver(part(ANN, 7, 3, 2, "<2>")).await, Some(0), "again, and known");
    assert_eq!(kept.told().len(), 1);
}

/// The parts of a message centre that has only one on its way at a time.
#[tokio::test]
async fn a_part_whose_others_do_not_come_is_left_with_the_message_centre() {
    let smsc = Smsc::start(taking()).await;
    let kept: Arc<Kept> = Arc::default();
    let _smpp = start(config(smsc.address, &[]), &kept);
    assert_eq!(smsc.deliver(part(ANN, 7, 2, 1, "one ")).await, Some(0x64));
    assert_eq!(smsc.deliver(part(ANN, 7, 2, 2, "two")).await, Some(0), "the last one makes it whole");
    assert_eq!(
        smsc.deliver(part(ANN, 7, 2, 1, "one ")).await,
        Some(0),
        "what was kept is not needed any more"
    );
    assert_eq!(kept.told(), [message(ANN, "one two")]);
}

#[tokio::test]
async fn what_is_delivered_again_after_a_cut_is_the_same_fact() {
    let smsc = Smsc::start(taking()).await;
    let kept: Arc<Kept> = Arc::default();
    let _smpp = start(config(smsc.address, &[]), &kept);
    assert_eq!(smsc.deliver(short(ANN, b"yes")).await, Some(0));
    assert_eq!(smsc.deliver(short(ANN, b"yes")).await, Some(0), "said twice");
    smsc.cut();
    assert_eq!(smsc.deliver(short(ANN, b"yes")).await, Some(0), "the answer may have been lost");
    assert_eq!(smsc.deliver(short(ANN, b"yes")).await, Some(0), "and said once more");
    let ids: Vec<_> = kept.facts().into_iter().map(|fact| fact.external_id.unwrap()).collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[1], ids[2]);
    assert_ne!(ids[2], ids[3]);
    tokio::time::sleep(Duration::ZERO).await;
}

#[tokio::test]
async fn data_sm_is_understood_as_well() {
    let smsc = Smsc::start(taking()).await;
    let kept: Arc<Kept> = Arc::default();
    let _smpp = start(config(smsc.address, &[("bind", "apart")]), &kept);
    let payload = channels::smpp::pdu::Tlv { tag: 0x0424, value: Bytes::from_static(b"hello") };
    let short = Short { tlvs: vec![payload], ..short(ANN, b"") };
    assert_eq!(smsc.request(Pdu::DataSm(Box::new(short))).await, Some(0));
    assert_eq!(kept.told(), [message(ANN, "hello")]);
}
