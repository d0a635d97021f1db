//! Delivery receipts: what became of a message, as TLVs and as the text that message centres write (appendix B), each in
//! its own way.

use super::pdu::{Short, tag};

/// What a receipt says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Receipt {
    /// The message's id as it stands there.
    pub(super) id: String,
    pub(super) state: State,
    /// In words, for what failed.
    pub(super) reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    OnItsWay,
    Delivered,
    Read,
    Failed,
}

/// The kinds of `esm_class` (§5.2.12) that tell of a message of ours.
const RECEIPT: u8 = 0x04;
const INTERMEDIATE: u8 = 0x20;
const KIND: u8 = 0x3c;

/// Bits of the same field that say that a user data header comes first.
pub(super) const HEADER_FIRST: u8 = 0x40;

/// The receipt that a message is, if it is one. One without an id and without a state is none.
pub(super) fn read(short: &Short) -> Option<Receipt> {
    let kind = short.esm_class & KIND;
    if kind & (RECEIPT | INTERMEDIATE) == 0 && short.tlv(tag::RECEIPTED_MESSAGE_ID).is_none() {
        return None;
    }
    let text: String = short.octets().iter().copied().map(char::from).collect();
    let fields = Fields(&text);
    let id = match short.tlv(tag::RECEIPTED_MESSAGE_ID) {
        Some(id) => string(id),
        None => fields.value(&["id"])?.to_owned(),
    };
    let told = fields.value(&["stat", "status"]).unwrap_or_default();
    let numbered = short.tlv(tag::MESSAGE_STATE).and_then(|value| value.first().copied());
    let state = numbered.and_then(by_number).or_else(|| by_name(told))?;
    let error = fields.value(&["err", "error"]).filter(|code| code.bytes().any(|octet| octet != b'0'));
    let network = short.tlv(tag::NETWORK_ERROR_CODE).filter(|value| value.len() == 3);
    let mut words = vec![if told.is_empty() { numbered.map_or("", number_name) } else { told }.to_owned()];
    words.extend(error.map(|code| format!("error {code}")));
    words.extend(
        network.map(|code| format!("network error {}.{}", code[0], u16::from_be_bytes([code[1], code[2]]))),
    );
    Some(Receipt { id, state, reason: words.join(", ") })
}

fn string(octets: &[u8]) -> String {
    let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
    octets[..end].iter().copied().map(char::from).collect::<String>().trim().to_owned()
}

/// §5.2.28.
fn by_number(state: u8) -> Option<State> {
    Some(match state {
        0 | 1 | 6 => State::OnItsWay,
        2 => State::Delivered,
        3 | 4 | 5 | 8 => State::Failed,
        _ => return None,
    })
}

fn number_name(state: u8) -> &'static str {
    match state {
        3 => "EXPIRED",
        4 => "DELETED",
        5 => "UNDELIV",
        8 => "REJECTD",
        _ => "",
    }
}

/// The seven letters of appendix B, and what others make of them.
fn by_name(name: &str) -> Option<State> {
    let name = name.to_ascii_uppercase();
    Some(match name.as_str() {
        "ENROUTE" | "ACCEPTD" | "ACCEPTED" | "SCHEDULED" | "BUFFERED" | "BUFFERD" | "SENT" => State::OnItsWay,
        "SEEN" | "READ" => State::Read,
        name if name.starts_with("DELIV") => State::Delivered,
        name if ["EXPIR", "DELET", "UNDEL", "REJEC", "FAIL", "NOTDEL"]
            .iter()
            .any(|it| name.starts_with(it)) =>
        {
            State::Failed
        }
        _ => return None,
    })
}

/// `id:X sub:001 dlvrd:001 submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DELIVRD err:000 text:…`
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    /// The value of the first field with one of these names, in any case, up to a space. The message's own text comes
    /// last and is not looked into.
    fn value(&self, names: &[&str]) -> Option<&'a str> {
        let mut rest = self.0;
        loop {
            let (name, after) = rest.split_once(':')?;
            let name = name.trim().rsplit([' ', ',', ';']).next().unwrap_or_default();
            if name.eq_ignore_ascii_case("text") {
                return None;
            }
            // Between a name and its value some put a space.
            let value = after.trim_start_matches(' ');
            let value = value.split([' ', ',', ';', '\n', '\0']).next().unwrap_or_default();
            if names.iter().any(|it| name.eq_ignore_ascii_case(it)) {
                // There is none where the next field begins.
                let is_missing = value.is_empty() || after.starts_with(' ') && value.contains(':');
                return Some(value).filter(|_| !is_missing);
            }
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::smpp::pdu::Tlv;

    fn receipt(text: &'static str, tlvs: &[(u16, &'static [u8])]) -> Option<Receipt> {
        let tlvs =
            tlvs.iter().map(|(tag, value)| Tlv { tag: *tag, value: Bytes::from_static(value) }).collect();
        read(&Short {
            esm_class: RECEIPT,
            text: Bytes::from_static(text.as_bytes()),
            tlvs,
            ..Short::default()
        })
    }

    fn told(text: &'static str) -> Option<(String, State, String)> {
        receipt(text, &[]).map(|it| (it.id, it.state, it.reason))
    }

    #[test]
    fn every_message_centres_own_way_is_understood() {
        let delivered = |id: &str, reason: &str| Some((id.to_owned(), State::Delivered, reason.to_owned()));
        for text in [
            "id:7A0F sub:001 dlvrd:001 submit date:2311221027 done date:2311221028 stat:DELIVRD err:000 text:Hello id:9",
            "id:7A0F sub:001 dlvrd:001 submit date:231122102759 done date:231122102801 stat:DELIVRD err:0 Text:",
            "ID:7A0F DONE DATE:20231122102801 STAT:DELIVRD",
            "id: 7A0F stat: DELIVRD err: 000",
            "id:7A0F,sub:001,stat:DELIVRD,err:000",
        ] {
            assert_eq!(told(text), delivered("7A0F", "DELIVRD"), "{text}");
        }
        assert_eq!(told("id:1 status:Delivered"), delivered("1", "Delivered"));
        let failed = told("id:1 stat:UNDELIV err:027 text:x").unwrap();
        assert_eq!((failed.1, failed.2.as_str()), (State::Failed, "UNDELIV, error 027"));
        assert_eq!(told("id:1 stat:ENROUTE").unwrap().1, State::OnItsWay);
        assert_eq!(told("id:1 stat:SEEN").unwrap().1, State::Read);
    }

    #[test]
    fn tlvs_count_before_the_text_and_without_it() {
        let id: (u16, &[u8]) = (tag::RECEIPTED_MESSAGE_ID, b"a1\0");
        let only =
            receipt("", &[id, (tag::MESSAGE_STATE, &[8]), (tag::NETWORK_ERROR_CODE, &[3, 0, 27])]).unwrap();
        assert_eq!((only.id.as_str(), only.state), ("a1", State::Failed));
        assert_eq!(only.reason, "REJECTD, network error 3.27");
        let both = receipt("id:a2 stat:UNDELIV", &[id, (tag::MESSAGE_STATE, &[2])]).unwrap();
        assert_eq!((both.id.as_str(), both.state), ("a1", State::Delivered));
    }

    #[test]
    fn what_says_nothing_is_no_receipt() {
        for text in [
            "",
            "Hello",
            "id: stat:DELIVRD",
            "stat:DELIVRD",
            "id:1",
            "id:1 stat:UNKNOWN",
            "text:id:1 stat:DELIVRD",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
        let by_customer = Short { text: Bytes::from_static(b"id:1 stat:DELIVRD"), ..Short::default() };
        assert_eq!(read(&by_customer), None, "a customer may write anything");
    }
}
