//! SMPP 3.4's protocol data units, as far as a client needs them: from octets and back.
//!
//! Reading is tolerant where message centres are known to be careless: a string may hold any octets and be longer than the
//! specification has it, a response may end after its header, and TLVs we do not know are kept or skipped. What cannot be
//! read is a [`Flaw`] of that one unit; only a length that lies ends a connection, since nothing after it can be found.
//!
//! Source: *Short Message Peer to Peer Protocol Specification v3.4*, issue 1.2, sections 4 and 5.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Octets before every unit's body.
pub const HEADER: usize = 16;
/// No unit is longer: a `message_payload` has at most 65,535 octets, and a TLV of a vendor's rarely comes with it.
pub const LONGEST: usize = 128 * 1024;

/// Bit of a command's id that makes it a response.
const RESPONSE: u32 = 0x8000_0000;

macro_rules! commands {
    ($($name:ident = $id:literal),* $(,)?) => {
        /// `command_id`s (§5.1.2.1).
        pub mod command {
            $(pub const $name: u32 = $id;)*
        }
    };
}

commands! {
    BIND_RECEIVER = 0x1,
    BIND_TRANSMITTER = 0x2,
    SUBMIT_SM = 0x4,
    DELIVER_SM = 0x5,
    UNBIND = 0x6,
    BIND_TRANSCEIVER = 0x9,
    ENQUIRE_LINK = 0x15,
    ALERT_NOTIFICATION = 0x102,
    DATA_SM = 0x103,
    GENERIC_NACK = 0x8000_0000,
    SUBMIT_SM_RESP = 0x8000_0004,
    DELIVER_SM_RESP = 0x8000_0005,
    UNBIND_RESP = 0x8000_0006,
    ENQUIRE_LINK_RESP = 0x8000_0015,
    DATA_SM_RESP = 0x8000_0103,
}

/// Tags of TLVs (§5.3.2).
pub mod tag {
    pub const NETWORK_ERROR_CODE: u16 = 0x0423;
    pub const MESSAGE_PAYLOAD: u16 = 0x0424;
    pub const MESSAGE_STATE: u16 = 0x0427;
    pub const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
    pub const DESTINATION_PORT: u16 = 0x020b;
    pub const SAR_MSG_REF_NUM: u16 = 0x020c;
    pub const SAR_TOTAL_SEGMENTS: u16 = 0x020e;
    pub const SAR_SEGMENT_SEQNUM: u16 = 0x020f;
}

/// How a bind may be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Receiver,
    Transmitter,
    Transceiver,
}

impl Mode {
    fn command(self) -> u32 {
        match self {
            Mode::Receiver => command::BIND_RECEIVER,
            Mode::Transmitter => command::BIND_TRANSMITTER,
            Mode::Transceiver => command::BIND_TRANSCEIVER,
        }
    }

    pub fn sends(self) -> bool {
        self != Mode::Receiver
    }

    pub fn receives(self) -> bool {
        self != Mode::Transmitter
    }
}

/// A unit with its header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub status: u32,
    pub sequence: u32,
    pub pdu: Pdu,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pdu {
    Bind(Mode, Bind),
    /// Who answers, where it says so.
    BindResp(Mode, Bytes),
    SubmitSm(Box<Short>),
    /// The message's id at the message centre; empty with an error.
    SubmitSmResp(Bytes),
    DeliverSm(Box<Short>),
    DeliverSmResp,
    /// Like `deliver_sm` from a message centre; its text is a TLV.
    DataSm(Box<Short>),
    DataSmResp(Bytes),
    EnquireLink,
    EnquireLinkResp,
    Unbind,
    UnbindResp,
    GenericNack,
    /// Nothing is answered to it.
    AlertNotification,
    /// A command we do not know, or do not expect of a message centre.
    Other(u32),
}

#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Bind {
    pub system_id: Bytes,
    pub password: Bytes,
    pub system_type: Bytes,
    pub addr_ton: u8,
    pub addr_npi: u8,
    pub address_range: Bytes,
}

/// An address with the type of its number and the plan it is of (§5.2.5, §5.2.6).
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Number {
    pub ton: u8,
    pub npi: u8,
    pub digits: Bytes,
}

/// A short message, either way.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Short {
    pub service_type: Bytes,
    pub source: Number,
    pub destination: Number,
    pub esm_class: u8,
    pub protocol_id: u8,
    pub priority: u8,
    pub schedule: Bytes,
    pub validity: Bytes,
    pub registered_delivery: u8,
    pub replace: u8,
    pub data_coding: u8,
    pub default_message: u8,
    /// At most 254 octets.
    pub text: Bytes,
    pub tlvs: Vec<Tlv>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tlv {
    pub tag: u16,
    pub value: Bytes,
}

impl Short {
    /// The value of the first TLV of this kind.
    pub fn tlv(&self, tag: u16) -> Option<&Bytes> {
        self.tlvs.iter().find(|tlv| tlv.tag == tag).map(|tlv| &tlv.value)
    }

    /// The message's octets, wherever they stand.
    pub fn octets(&self) -> &Bytes {
        self.tlv(tag::MESSAGE_PAYLOAD).filter(|_| self.text.is_empty()).unwrap_or(&self.text)
    }
}

/// A unit whose body is not what its command says. Its header was read, so it can be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("command {command:#x} is cut short at its {field}")]
pub struct Flaw {
    pub command: u32,
    pub sequence: u32,
    pub field: &'static str,
}

/// A `command_length` that no unit has: what follows cannot be found any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a unit of {0} octets")]
pub struct Lie(pub u32);

/// Takes the next whole unit off what has been received; `None` until it is there.
///
/// # Errors
/// A length below 16 or above [`LONGEST`].
pub fn next(received: &mut BytesMut) -> Result<Option<Bytes>, Lie> {
    let Some(length) = received.first_chunk::<4>() else { return Ok(None) };
    let told = u32::from_be_bytes(*length);
    let length = told as usize;
    if !(HEADER..=LONGEST).contains(&length) {
        return Err(Lie(told));
    }
    Ok((received.len() >= length).then(|| received.split_to(length).freeze()))
}

impl Frame {
    pub fn new(sequence: u32, pdu: Pdu) -> Frame {
        Frame { status: 0, sequence, pdu }
    }

    /// Reads a whole unit, as [`next`] gives it.
    ///
    /// # Errors
    /// A body that ends too early.
    pub fn read(unit: &Bytes) -> Result<Frame, Flaw> {
        let mut body = unit.clone();
        if body.len() < HEADER {
            return Err(Flaw { command: 0, sequence: 0, field: "header" });
        }
        body.advance(4);
        let (id, status, sequence) = (body.get_u32(), body.get_u32(), body.get_u32());
        let pdu = read_body(id, body).map_err(|field| Flaw { command: id, sequence, field })?;
        Ok(Frame { status, sequence, pdu })
    }

    pub fn write(&self, to: &mut BytesMut) {
        let begin = to.len();
        to.put_u32(0);
        to.put_u32(self.pdu.command());
        to.put_u32(self.status);
        to.put_u32(self.sequence);
        match &self.pdu {
            Pdu::Bind(_, bind) => {
                bind.strings(to);
                to.put_slice(&[0x34, bind.addr_ton, bind.addr_npi]);
                string(to, &bind.address_range);
            }
            Pdu::BindResp(_, id) | Pdu::SubmitSmResp(id) | Pdu::DataSmResp(id) => string(to, id),
            // A message id that is not used.
            Pdu::DeliverSmResp => to.put_u8(0),
            Pdu::SubmitSm(short) | Pdu::DeliverSm(short) => short.write(to),
            Pdu::DataSm(short) => short.write_data(to),
            _ => {}
        }
        let length = (to.len() - begin) as u32;
        to[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
    }
}

impl Pdu {
    pub fn command(&self) -> u32 {
        match self {
            Pdu::Bind(mode, _) => mode.command(),
            Pdu::BindResp(mode, _) => mode.command() | RESPONSE,
            Pdu::SubmitSm(_) => command::SUBMIT_SM,
            Pdu::SubmitSmResp(_) => command::SUBMIT_SM_RESP,
            Pdu::DeliverSm(_) => command::DELIVER_SM,
            Pdu::DeliverSmResp => command::DELIVER_SM_RESP,
            Pdu::DataSm(_) => command::DATA_SM,
            Pdu::DataSmResp(_) => command::DATA_SM_RESP,
            Pdu::EnquireLink => command::ENQUIRE_LINK,
            Pdu::EnquireLinkResp => command::ENQUIRE_LINK_RESP,
            Pdu::Unbind => command::UNBIND,
            Pdu::UnbindResp => command::UNBIND_RESP,
            Pdu::GenericNack => command::GENERIC_NACK,
            Pdu::AlertNotification => command::ALERT_NOTIFICATION,
            Pdu::Other(id) => *id,
        }
    }

    pub fn is_response(&self) -> bool {
        self.command() & RESPONSE != 0
    }
}

impl Bind {
    fn strings(&self, to: &mut BytesMut) {
        string(to, &self.system_id);
        string(to, &self.password);
        string(to, &self.system_type);
    }
}

impl Number {
    fn write(&self, to: &mut BytesMut) {
        to.put_slice(&[self.ton, self.npi]);
        string(to, &self.digits);
    }
}

impl Short {
    fn write(&self, to: &mut BytesMut) {
        string(to, &self.service_type);
        self.source.write(to);
        self.destination.write(to);
        to.put_slice(&[self.esm_class, self.protocol_id, self.priority]);
        string(to, &self.schedule);
        string(to, &self.validity);
        let text = &self.text[..self.text.len().min(254)];
        to.put_slice(&[self.registered_delivery, self.replace, self.data_coding, self.default_message]);
        to.put_u8(text.len() as u8);
        to.put_slice(text);
        self.write_tlvs(to);
    }

    fn write_data(&self, to: &mut BytesMut) {
        string(to, &self.service_type);
        self.source.write(to);
        self.destination.write(to);
        to.put_slice(&[self.esm_class, self.registered_delivery, self.data_coding]);
        self.write_tlvs(to);
    }

    fn write_tlvs(&self, to: &mut BytesMut) {
        for Tlv { tag, value } in &self.tlvs {
            to.put_u16(*tag);
            to.put_u16(value.len() as u16);
            to.put_slice(value);
        }
    }
}

/// Ended by a zero, so none can stand within it.
fn string(to: &mut BytesMut, octets: &[u8]) {
    let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
    to.put_slice(&octets[..end]);
    to.put_u8(0);
}

/// The error is the field that is not there.
fn read_body(id: u32, body: Bytes) -> Result<Pdu, &'static str> {
    let mut body = Reader(body);
    let modes = [Mode::Receiver, Mode::Transmitter, Mode::Transceiver];
    if let Some(mode) = modes.into_iter().find(|mode| mode.command() == id & !RESPONSE) {
        return Ok(match id & RESPONSE {
            0 => Pdu::Bind(mode, body.bind()?),
            _ => Pdu::BindResp(mode, body.rest_of_string()),
        });
    }
    Ok(match id {
        command::SUBMIT_SM => Pdu::SubmitSm(Box::new(body.short()?)),
        command::DELIVER_SM => Pdu::DeliverSm(Box::new(body.short()?)),
        command::DATA_SM => Pdu::DataSm(Box::new(body.data()?)),
        command::SUBMIT_SM_RESP => Pdu::SubmitSmResp(body.rest_of_string()),
        command::DELIVER_SM_RESP => Pdu::DeliverSmResp,
        command::DATA_SM_RESP => Pdu::DataSmResp(body.rest_of_string()),
        command::ENQUIRE_LINK => Pdu::EnquireLink,
        command::ENQUIRE_LINK_RESP => Pdu::EnquireLinkResp,
        command::UNBIND => Pdu::Unbind,
        command::UNBIND_RESP => Pdu::UnbindResp,
        command::GENERIC_NACK => Pdu::GenericNack,
        command::ALERT_NOTIFICATION => Pdu::AlertNotification,
        other => Pdu::Other(other),
    })
}

struct Reader(Bytes);

impl Reader {
    fn octet(&mut self, field: &'static str) -> Result<u8, &'static str> {
        self.0.try_get_u8().map_err(|_| field)
    }

    fn string(&mut self, field: &'static str) -> Result<Bytes, &'static str> {
        let end = self.0.iter().position(|octet| *octet == 0).ok_or(field)?;
        let string = self.0.split_to(end);
        self.0.advance(1);
        Ok(string)
    }

    /// The only string of a response: it may be missing, with its zero or without.
    fn rest_of_string(&mut self) -> Bytes {
        self.string("").unwrap_or_else(|_| self.0.split_off(0))
    }

    fn number(&mut self, field: &'static str) -> Result<Number, &'static str> {
        Ok(Number { ton: self.octet(field)?, npi: self.octet(field)?, digits: self.string(field)? })
    }

    fn bind(&mut self) -> Result<Bind, &'static str> {
        let (system_id, password) = (self.string("system_id")?, self.string("password")?);
        let system_type = self.string("system_type")?;
        self.octet("interface_version")?;
        let (addr_ton, addr_npi) = (self.octet("addr_ton")?, self.octet("addr_npi")?);
        let address_range = self.string("address_range")?;
        Ok(Bind { system_id, password, system_type, addr_ton, addr_npi, address_range })
    }

    fn short(&mut self) -> Result<Short, &'static str> {
        let mut short = Short {
            service_type: self.string("service_type")?,
            source: self.number("source_addr")?,
            destination: self.number("destination_addr")?,
            esm_class: self.octet("esm_class")?,
            protocol_id: self.octet("protocol_id")?,
            priority: self.octet("priority_flag")?,
            schedule: self.string("schedule_delivery_time")?,
            validity: self.string("validity_period")?,
            registered_delivery: self.octet("registered_delivery")?,
            replace: self.octet("replace_if_present_flag")?,
            data_coding: self.octet("data_coding")?,
            default_message: self.octet("sm_default_msg_id")?,
            ..Short::default()
        };
        let length = usize::from(self.octet("sm_length")?);
        if self.0.len() < length {
            return Err("short_message");
        }
        short.text = self.0.split_to(length);
        short.tlvs = self.tlvs();
        Ok(short)
    }

    fn data(&mut self) -> Result<Short, &'static str> {
        Ok(Short {
            service_type: self.string("service_type")?,
            source: self.number("source_addr")?,
            destination: self.number("destination_addr")?,
            esm_class: self.octet("esm_class")?,
            registered_delivery: self.octet("registered_delivery")?,
            data_coding: self.octet("data_coding")?,
            tlvs: self.tlvs(),
            ..Short::default()
        })
    }

    /// Up to the end, or to one that is cut short.
    fn tlvs(&mut self) -> Vec<Tlv> {
        let mut tlvs = Vec::new();
        while self.0.len() >= 4 {
            let (tag, length) = (self.0.get_u16(), usize::from(self.0.get_u16()));
            if self.0.len() < length {
                break;
            }
            tlvs.push(Tlv { tag, value: self.0.split_to(length) });
        }
        tlvs
    }
}
