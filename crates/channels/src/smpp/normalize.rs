//! A dump of units to facts, without a connection: for `tributary normalize`, and for tests.

use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER_PERMISSIVE;
use sms::{Assembler, Limits};

use super::{
    message::{self, Came, Reading},
    pdu::{self, Frame, Pdu},
};
use crate::{Fact, Malformed};

/// What came in these units: one behind the other as they were on the wire, or in hexadecimal with any white space. The
/// parts of a message are put together; one with parts missing comes at the end. Responses, binds and the like are no
/// facts.
///
/// # Errors
/// [`Malformed`] for what does not begin with a unit.
pub fn normalize(inbox: Option<&str>, raw: &[u8]) -> Result<Vec<Fact>, Malformed> {
    let mut octets = BytesMut::from(&from_hexadecimal(raw).unwrap_or_else(|| raw.to_vec())[..]);
    let mut parts = Assembler::new(Limits::default());
    let (mut facts, mut place) = (Vec::new(), 0);
    loop {
        let malformed =
            |reason: String| Malformed { what: "SMPP dump", reason: format!("unit {place}: {reason}") };
        match pdu::next(&mut octets) {
            Ok(Some(unit)) => {
                read_unit(inbox, &unit, &place.to_string(), &mut parts, &mut facts);
                place += 1;
            }
            Ok(None) if octets.is_empty() && place > 0 => break,
            Ok(None) => return Err(malformed("it ends too early".to_owned())),
            Err(lie) => return Err(malformed(lie.to_string())),
        }
    }
    let unfinished = parts.expire(i64::MAX);
    facts.extend(unfinished.iter().filter_map(|it| message::fact(inbox, it, "end")));
    Ok(facts)
}

fn read_unit(
    inbox: Option<&str>,
    unit: &Bytes,
    salt: &str,
    parts: &mut Assembler<message::Piece>,
    facts: &mut Vec<Fact>,
) {
    let ours = |short: &pdu::Short| match inbox {
        Some(inbox) => inbox.to_owned(),
        None => message::address(&short.destination, None).into_string(),
    };
    let short = match Frame::read(unit) {
        Ok(Frame { pdu: Pdu::DeliverSm(short) | Pdu::DataSm(short), .. }) => short,
        Ok(Frame { pdu: Pdu::Other(id), .. }) => {
            let reason = format!("a command we do not know: {id:#x}");
            facts.push(message::unknown(inbox.unwrap_or("smpp"), "", unit, &reason, salt));
            return;
        }
        Ok(_) => return,
        Err(flaw) => {
            facts.push(message::unknown(inbox.unwrap_or("smpp"), "", unit, &flaw.to_string(), salt));
            return;
        }
    };
    match message::read(&short, &Reading::default()) {
        Came::Whole(piece) => facts.extend(message::fact(inbox, &message::whole(piece), salt)),
        Came::Part(part) => {
            let whole = parts.take(0, part);
            facts.extend(whole.iter().filter_map(|it| message::fact(inbox, it, salt)));
        }
        Came::Receipt(address, receipt) => {
            facts.extend(message::receipt_fact(&ours(&short), &address, receipt.id.clone(), &receipt));
        }
        Came::Unreadable(address, reason) => {
            facts.push(message::unknown(&ours(&short), &address, unit, reason, salt));
        }
    }
}

/// The octets, if there is nothing but hexadecimal digits and white space.
fn from_hexadecimal(raw: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = raw.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    HEXLOWER_PERMISSIVE.decode(&digits).ok()
}
