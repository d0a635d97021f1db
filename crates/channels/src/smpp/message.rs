//! Between short messages and facts: who wrote, what the octets say, which part it is, or what became of a message of
//! ours.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use sms::{Address, Alphabet, Assembled, Body, Coding, Header, Key, Part, Region};

use super::{
    pdu::{Number, Short, tag},
    receipt::{self, HEADER_FIRST, Receipt, State},
};
use crate::{Channel, Fact, FactKind, fact::derived};

/// Types of number (§5.2.5) that say what an address is.
const INTERNATIONAL: u8 = 1;
const ALPHANUMERIC: u8 = 5;
/// The numbering plan of telephones.
const ISDN: u8 = 1;

/// What an inbox knows of its message centre, for reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reading {
    /// Numbers without a country's code are from there.
    pub(super) region: Option<Region>,
    /// What `data_coding` 0 means.
    pub(super) default: Coding,
}

impl Default for Reading {
    fn default() -> Self {
        Reading { region: None, default: Coding::Gsm7 }
    }
}

/// What came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Came {
    Whole(Piece),
    Part(Part<Piece>),
    /// Of the message that this customer was sent.
    Receipt(String, Receipt),
    /// Kept as it is; why.
    Unreadable(String, &'static str),
}

/// A message, or a part of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) from: String,
    pub(super) to: String,
    coding: Coding,
    alphabet: Alphabet,
    octets: Bytes,
}

pub(super) fn read(short: &Short, reading: &Reading) -> Came {
    let from = address(&short.source, reading.region).into_string();
    if let Some(receipt) = receipt::read(short) {
        return Came::Receipt(from, receipt);
    }
    let octets = short.octets();
    let (header, text) = match short.esm_class & HEADER_FIRST {
        0 => (Header::default(), &octets[..]),
        _ => match Header::read(octets) {
            Ok(read) => read,
            Err(_) => return Came::Unreadable(from, "its user data header is longer than the message"),
        },
    };
    if header.port.is_some() || short.tlv(tag::DESTINATION_PORT).is_some() {
        return Came::Unreadable(from, "it is addressed to an application, not to a person");
    }
    let piece = Piece {
        from,
        to: address(&short.destination, reading.region).into_string(),
        coding: Coding::of(short.data_coding, reading.default),
        alphabet: Alphabet { locking: header.locking, single: header.single },
        octets: octets.slice_ref(text),
    };
    if piece.coding == Coding::Binary {
        return Came::Unreadable(piece.from, "it is binary");
    }
    match header.concatenation.or_else(|| segment(short)).filter(|part| part.total > 1) {
        None => Came::Whole(piece),
        Some(part) => {
            let key = Key {
                from: piece.from.clone(),
                to: piece.to.clone(),
                reference: part.reference,
                wide: part.wide,
                total: part.total,
            };
            Came::Part(Part { key, number: part.number, item: piece })
        }
    }
}

/// The part that the SAR TLVs name (§5.3.2.22–24).
fn segment(short: &Short) -> Option<sms::Concatenation> {
    let octet = |tag| short.tlv(tag).and_then(|value| value.last().copied());
    let reference = short.tlv(tag::SAR_MSG_REF_NUM)?;
    let reference = u16::from_be_bytes([*reference.first()?, *reference.get(1)?]);
    sms::Concatenation::new(reference, true, octet(tag::SAR_TOTAL_SEGMENTS)?, octet(tag::SAR_SEGMENT_SEQNUM)?)
}

/// Who it is, as a party is named.
pub(super) fn address(number: &Number, region: Option<Region>) -> Address {
    let text: String = number.digits.iter().copied().map(char::from).collect();
    let text = text.trim();
    let digits = text.trim_start_matches('+');
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return match number.ton {
            ALPHANUMERIC => Address::Name(text.to_owned()),
            _ => Address::read(text, region),
        };
    }
    let international = || Address::read(&format!("+{}", digits.trim_start_matches("00")), region);
    match number.ton {
        INTERNATIONAL => international(),
        ALPHANUMERIC => Address::Name(text.to_owned()),
        // National, or nobody says.
        _ => Address::read(text, region),
    }
}

/// How an address is written in a unit.
pub(super) fn number(address: &str) -> Number {
    let (ton, npi, digits) = match Address::read(address, None) {
        Address::Number(text) => (INTERNATIONAL, ISDN, text.trim_start_matches('+').to_owned()),
        Address::Code(text) => (0, ISDN, text),
        Address::Name(text) => (ALPHANUMERIC, 0, text),
    };
    Number { ton, npi, digits: digits.into() }
}

/// The message that the pieces are, with a note where one is missing. `salt` makes two alike two.
pub(super) fn fact(inbox: Option<&str>, assembled: &Assembled<Piece>, salt: &str) -> Option<Fact> {
    let first = assembled.parts.iter().flatten().next()?;
    let octets = |piece: &Piece| HEXLOWER.encode(&piece.octets);
    let content: Vec<String> =
        assembled.parts.iter().map(|part| part.as_ref().map(octets).unwrap_or_default()).collect();
    let id = derived("sms", &[&first.from, &first.to, &content.join("."), salt]);
    let fact = Fact::new(FactKind::Message, Channel::Sms, inbox.unwrap_or(&first.to), first.from.as_str());
    Some(Fact { external_id: Some(id), text: Some(text(assembled)).filter(|text| !text.is_empty()), ..fact })
}

fn text(assembled: &Assembled<Piece>) -> String {
    let (mut text, mut octets) = (String::new(), Vec::new());
    let mut read: Option<(Coding, Alphabet)> = None;
    let finish = |text: &mut String, read: Option<(Coding, Alphabet)>, octets: &mut Vec<u8>| {
        if let Some((coding, alphabet)) = read
            && let Body::Text(more) = coding.read(octets, alphabet)
        {
            text.push_str(&more);
        }
        octets.clear();
    };
    for (part, number) in assembled.parts.iter().zip(1..) {
        // Parts in one encoding are read as one: a sender may have cut within a character.
        let coding = part.as_ref().map(|piece| (piece.coding, piece.alphabet));
        if coding != read {
            finish(&mut text, read, &mut octets);
            read = coding;
        }
        match part {
            Some(piece) => octets.extend_from_slice(&piece.octets),
            None => text.push_str(&format!("[part {number} of {} is missing]", assembled.parts.len())),
        }
    }
    finish(&mut text, read, &mut octets);
    text
}

/// A message that came in one piece, as if it had come in parts.
pub(super) fn whole(piece: Piece) -> Assembled<Piece> {
    let key = Key { from: piece.from.clone(), to: piece.to.clone(), reference: 0, wide: false, total: 1 };
    Assembled { key, parts: vec![Some(piece)] }
}

/// None for what a receipt says that its message's sending has said already.
pub(super) fn receipt_fact(inbox: &str, address: &str, id: String, receipt: &Receipt) -> Option<Fact> {
    let kind = match receipt.state {
        State::OnItsWay => return None,
        State::Delivered => FactKind::Delivery,
        State::Read => FactKind::Read,
        State::Failed => FactKind::Failed,
    };
    let reason = (kind == FactKind::Failed).then(|| receipt.reason.clone());
    Some(Fact { external_id: Some(id), reason, ..Fact::new(kind, Channel::Sms, inbox, address) })
}

/// What is kept although nobody can read it.
pub(super) fn unknown(inbox: &str, address: &str, unit: &Bytes, reason: &str, salt: &str) -> Fact {
    let id = derived("item", &[&HEXLOWER.encode(unit), salt]);
    Fact {
        external_id: Some(id),
        reason: Some(reason.to_owned()),
        raw: Some(unit.clone()),
        ..Fact::new(FactKind::Unknown, Channel::Sms, inbox, address)
    }
}
