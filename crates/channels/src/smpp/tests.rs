//! Units there and back, and what dumps of them become.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{
    normalize,
    pdu::{self, Bind, Frame, Lie, Mode, Number, Pdu, Short, Tlv},
};
use crate::compliance::{Connector, assert_connector_compliance};

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("samples/", $name, ".hex")).as_slice())),*]
    };
}

const SAMPLES: [(&str, &[u8]); 7] =
    samples!["text", "unicode", "parts", "sar", "part_missing", "receipt", "receipt_tlv"];
const UNKNOWN: [(&str, &[u8]); 3] = samples!["binary", "cut_short", "strange_command"];

#[test]
fn every_dump_becomes_what_its_golden_file_says() {
    for (name, dump) in SAMPLES.into_iter().chain(UNKNOWN) {
        insta::assert_json_snapshot!(name, normalize(None, dump).unwrap());
    }
}

#[test]
fn it_keeps_a_connectors_promises() {
    assert_connector_compliance(&Connector {
        normalize: &|dump| normalize(Some("sms"), dump),
        samples: &SAMPLES.map(|(_, dump)| dump),
        unknown: &UNKNOWN.map(|(_, dump)| dump),
        malformed: &[
            b"",
            b"\0\0\0\x0f",
            b"\0\0\0\x10\0\0",
            b"\xff\xff\xff\xff",
            b"GET / HTTP/1.1",
            b"00000010",
        ],
        tells_time: false,
    });
}

#[test]
fn octets_and_hexadecimal_are_the_same_dump() {
    let (_, hexadecimal) = SAMPLES[0];
    let digits: Vec<u8> = hexadecimal.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let octets = data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).unwrap();
    assert_eq!(normalize(None, &octets), normalize(None, hexadecimal));
}

fn octets(most: usize) -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(1_u8.., 0..most).prop_map(Bytes::from)
}

fn number() -> impl Strategy<Value = Number> {
    (any::<u8>(), any::<u8>(), octets(21)).prop_map(|(ton, npi, digits)| Number { ton, npi, digits })
}

fn short() -> impl Strategy<Value = Short> {
    let tlv = (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..300))
        .prop_map(|(tag, value)| Tlv { tag, value: value.into() });
    let strings = (octets(6), octets(17), octets(17));
    let flags = any::<[u8; 7]>();
    let text = proptest::collection::vec(any::<u8>(), 0..=254);
    (strings, number(), number(), flags, text, proptest::collection::vec(tlv, 0..4)).prop_map(
        |((service_type, schedule, validity), source, destination, flags, text, tlvs)| Short {
            service_type,
            source,
            destination,
            esm_class: flags[0],
            protocol_id: flags[1],
            priority: flags[2],
            schedule,
            validity,
            registered_delivery: flags[3],
            replace: flags[4],
            data_coding: flags[5],
            default_message: flags[6],
            text: text.into(),
            tlvs,
        },
    )
}

fn frame() -> impl Strategy<Value = Frame> {
    let mode = prop_oneof![Just(Mode::Receiver), Just(Mode::Transmitter), Just(Mode::Transceiver)];
    let bind = (octets(16), octets(9), octets(13), any::<[u8; 2]>(), octets(41)).prop_map(
        |(system_id, password, system_type, [addr_ton, addr_npi], address_range)| Bind {
            system_id,
            password,
            system_type,
            addr_ton,
            addr_npi,
            address_range,
        },
    );
    let pdu = prop_oneof![
        (mode.clone(), bind).prop_map(|(mode, bind)| Pdu::Bind(mode, bind)),
        (mode, octets(16)).prop_map(|(mode, id)| Pdu::BindResp(mode, id)),
        short().prop_map(|short| Pdu::SubmitSm(Box::new(short))),
        short().prop_map(|short| Pdu::DeliverSm(Box::new(short))),
        octets(65).prop_map(Pdu::SubmitSmResp),
        octets(65).prop_map(Pdu::DataSmResp),
        Just(Pdu::DeliverSmResp),
        Just(Pdu::EnquireLink),
        Just(Pdu::EnquireLinkResp),
        Just(Pdu::Unbind),
        Just(Pdu::UnbindResp),
        Just(Pdu::GenericNack),
    ];
    (any::<u32>(), any::<u32>(), pdu).prop_map(|(status, sequence, pdu)| Frame { status, sequence, pdu })
}

proptest! {
    #[test]
    fn what_is_written_is_read_however_it_arrives(
        frames in proptest::collection::vec(frame(), 1..5),
        at_once in 1_usize..400,
    ) {
        let mut wire = BytesMut::new();
        frames.iter().for_each(|frame| frame.write(&mut wire));
        let (mut received, mut read) = (BytesMut::new(), Vec::new());
        for chunk in wire.chunks(at_once) {
            received.extend_from_slice(chunk);
            while let Some(unit) = pdu::next(&mut received).unwrap() {
                read.push(Frame::read(&unit).unwrap());
            }
        }
        prop_assert_eq!(read, frames);
        prop_assert!(received.is_empty());
    }

    #[test]
    fn nothing_that_arrives_harms(
        frame in frame(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut wire = BytesMut::new();
        frame.write(&mut wire);
        for (at, octet) in flips {
            let at = at.index(wire.len());
            wire[at] = octet;
        }
        wire.truncate(cut.index(wire.len() + 1));
        // A dump of it is read or refused, and so is the unit itself.
        let _ = normalize(None, &wire);
        if let Ok(Some(unit)) = pdu::next(&mut wire) {
            let _ = Frame::read(&unit);
        }
    }
}

#[test]
fn a_length_that_lies_is_found_out_before_anything_is_kept() {
    for told in [0, 4, 15, 128 * 1024 + 1, u32::MAX] {
        let mut received = BytesMut::from(&told.to_be_bytes()[..]);
        assert_eq!(pdu::next(&mut received), Err(Lie(told)));
    }
    let mut received = BytesMut::from(&b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0"[..]);
    assert_eq!(pdu::next(&mut received), Ok(None), "it is not all there");
}

#[test]
fn a_response_may_end_after_its_header() {
    let read = |unit: &'static [u8]| Frame::read(&Bytes::from_static(unit)).unwrap().pdu;
    assert_eq!(read(b"\0\0\0\x10\x80\0\0\x04\0\0\0\x58\0\0\0\x01"), Pdu::SubmitSmResp(Bytes::new()));
    assert_eq!(
        read(b"\0\0\0\x12\x80\0\0\x04\0\0\0\0\0\0\0\x01id"),
        Pdu::SubmitSmResp(Bytes::from_static(b"id"))
    );
    assert_eq!(
        read(b"\0\0\0\x10\x80\0\0\x09\0\0\0\x0e\0\0\0\x01"),
        Pdu::BindResp(Mode::Transceiver, Bytes::new())
    );
}
