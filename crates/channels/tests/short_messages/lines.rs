//! Connections that fail, and message centres that lie.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use channels::{
    Outcome, Sender as _,
    smpp::pdu::{self, Frame, Mode, Pdu},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    client::{Kept, config, outgoing, start, until},
    smsc::{Smsc, taking},
};

#[tokio::test]
async fn a_line_that_is_dead_is_found_out_and_made_again() {
    let smsc = Smsc::start(taking()).await;
    let smpp =
        start(config(smsc.address, &[("enquire_link", "1"), ("response_timeout", "1")]), &Arc::default());
    until("a sign of life", || smsc.enquired() > 0).await;
    assert_eq!(smsc.binds(), 1, "one that is answered keeps the line");
    smsc.be_deaf(true);
    until("nothing is bound", || smpp.binds() == 0).await;
    smsc.be_deaf(false);
    until("it is bound again", || smpp.binds() == 1).await;
    let outcome = smpp.send(&outgoing("k", "+15550123", "hi")).await;
    assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn an_end_is_said_by_unbinding() {
    let smsc = Smsc::start(taking()).await;
    let smpp = start(config(smsc.address, &[]), &Arc::default());
    until("it is bound", || smpp.binds() == 1).await;
    drop(smpp);
    // The message centre's side of the connection ends.
    until("it is gone", || smsc.connected() == 0).await;
    assert_eq!(smsc.unbound(), 1);
}

#[tokio::test]
async fn who_is_refused_does_not_hammer() {
    let smsc = Smsc::start(taking()).await;
    let mut config = config(smsc.address, &[]);
    config.password = "wrong".into();
    let smpp = start(config, &Arc::default());
    until("the first attempt", || smsc.binds() == 1).await;
    let outcome = smpp.send(&outgoing("k", "+15550123", "hi")).await;
    assert!(matches!(&outcome, Outcome::Retry { code, .. } if code == "not_bound"), "{outcome:?}");
    assert_eq!(smsc.binds(), 1, "nothing gets better within seconds");
}

/// A message centre by hand: accepts, reads the bind, and answers it.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().await.unwrap();
    let bind = read(&mut socket).await.unwrap();
    assert!(matches!(bind.pdu, Pdu::Bind(..)));
    write(&mut socket, &Frame::new(bind.sequence, Pdu::BindResp(Mode::Transceiver, Bytes::new()))).await;
    socket
}

async fn read(socket: &mut TcpStream) -> Option<Frame> {
    let mut octets = BytesMut::new();
    loop {
        if let Some(unit) = pdu::next(&mut octets).unwrap() {
            return Some(Frame::read(&unit).unwrap());
        }
        if socket.read_buf(&mut octets).await.ok()? == 0 {
            return None;
        }
    }
}

async fn write(socket: &mut TcpStream, frame: &Frame) {
    let mut octets = BytesMut::new();
    frame.write(&mut octets);
    socket.write_all(&octets).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_is_answered_and_harms_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let kept: Arc<Kept> = Arc::default();
    let _smpp = start(config(listener.local_addr().unwrap(), &[]), &kept);
    let mut socket = accept(&listener).await;

    // A command that does not exist.
    write(&mut socket, &Frame::new(7, Pdu::Other(0x77))).await;
    let nack = read(&mut socket).await.unwrap();
    assert_eq!((nack.pdu, nack.status, nack.sequence), (Pdu::GenericNack, 3, 7));

    // A message that ends in its middle is kept as it is.
    socket.write_all(b"\0\0\0\x14\0\0\0\x05\0\0\0\0\0\0\0\x08abcd").await.unwrap();
    let answer = read(&mut socket).await.unwrap();
    assert_eq!((answer.pdu, answer.status, answer.sequence), (Pdu::DeliverSmResp, 0, 8));
    let told = kept.told();
    assert_eq!(told.len(), 1);
    assert!(told[0].0 == "unknown" && told[0].2.contains("cut short at its service_type"), "{told:?}");

    // Answers to what was never asked, and a receipt of a message nobody knows.
    write(&mut socket, &Frame::new(999, Pdu::SubmitSmResp(Bytes::from_static(b"x")))).await;
    write(&mut socket, &Frame::new(998, Pdu::GenericNack)).await;
    let receipt = pdu::Short {
        esm_class: 4,
        text: Bytes::from_static(b"id:nobody stat:UNDELIV err:001"),
        ..pdu::Short::default()
    };
    write(&mut socket, &Frame::new(9, Pdu::DeliverSm(Box::new(receipt)))).await;
    let answer = read(&mut socket).await.unwrap();
    assert_eq!((answer.pdu, answer.status, answer.sequence), (Pdu::DeliverSmResp, 0, 9));

    // A length that lies: nothing after it can be found, so the connection ends, and another is made.
    socket.write_all(b"\xff\xff\xff\xff\0\0\0\x05").await.unwrap();
    let _nack = read(&mut socket).await;
    assert!(tokio::time::timeout(Duration::from_secs(30), read(&mut socket)).await.unwrap().is_none());
    let mut again = accept(&listener).await;
    write(&mut again, &Frame::new(1, Pdu::EnquireLink)).await;
    assert_eq!(read(&mut again).await.unwrap().pdu, Pdu::EnquireLinkResp);
    // The message centre wants to stop.
    write(&mut again, &Frame::new(2, Pdu::Unbind)).await;
    assert_eq!(read(&mut again).await.unwrap().pdu, Pdu::UnbindResp);
    assert!(read(&mut again).await.is_none());
    accept(&listener).await;
}
