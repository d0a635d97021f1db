//! A cursor: how far a subscriber has come in every partition it reads, as text the subscriber cannot alter.
//!
//! Laid out as a version byte, one entry a partition, and a keyed hash over both and the tenant, in base64url.
//! An entry is the reader's point and how many events of the next decision were sent already: a decision may hold
//! thousands.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use domain::{Epoch, Kind, Peer, TenantId};
use prost::encoding::{decode_varint, encode_varint};
use subtle::ConstantTimeEq;
use tonic::Status;
use vault::Vault;
use wire::Point;

const VERSION: u8 = 1;
const SEAL: usize = 16;
/// Far more than any number of partitions needs.
const LONGEST: usize = 64 << 10;

/// How far a subscriber has come. Partitions that are not in it were not begun.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Cursor(BTreeMap<Peer, Place>);

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Place {
    pub(crate) point: Point,
    /// Events of the decision behind the point that were passed already.
    pub(crate) passed: u32,
}

impl Cursor {
    pub(crate) fn place(&self, peer: Peer) -> Option<Place> {
        self.0.get(&peer).copied()
    }

    pub(crate) fn set(&mut self, peer: Peer, place: Place) {
        self.0.insert(peer, place);
    }

    /// Moves on within the decision behind the peer's point.
    pub(crate) fn pass(&mut self, peer: Peer, passed: u32) {
        self.0.entry(peer).or_insert(Place { point: Point::default(), passed }).passed = passed;
    }

    pub(crate) fn write(&self, vault: &Vault, tenant: &TenantId) -> String {
        let mut bytes = Vec::with_capacity(2 + self.0.len() * 32 + SEAL);
        bytes.push(VERSION);
        for (peer, place) in &self.0 {
            bytes.push(kind_number(peer.kind));
            encode_varint(peer.partition.into(), &mut bytes);
            encode_varint(place.point.position, &mut bytes);
            encode_varint(place.point.seq, &mut bytes);
            encode_varint(place.passed.into(), &mut bytes);
            bytes.push(place.point.epoch.is_some().into());
            bytes.extend(place.point.epoch.iter().flat_map(|epoch| epoch.0));
        }
        let seal = seal(vault, tenant, &bytes);
        bytes.extend(seal);
        BASE64URL_NOPAD.encode(&bytes)
    }

    pub(crate) fn read(text: &str, vault: &Vault, tenant: &TenantId) -> Result<Cursor, Status> {
        Cursor::open(text, vault, tenant).ok_or_else(|| {
            Status::invalid_argument(
                "this cursor is damaged or was given to another tenant: \
                 send a cursor as it was received, or none to begin at `start_at`",
            )
        })
    }

    fn open(text: &str, vault: &Vault, tenant: &TenantId) -> Option<Cursor> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (body, given) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
        if !bool::from(seal(vault, tenant, body).ct_eq(given)) {
            return None;
        }
        let (version, mut rest) = body.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut cursor = Cursor::default();
        while let Some((kind, entry)) = rest.split_first() {
            rest = entry;
            let mut number = || decode_varint(&mut rest).ok();
            let partition = u32::try_from(number()?).ok()?;
            let (position, seq, passed) = (number()?, number()?, u32::try_from(number()?).ok()?);
            let (ruled, after) = rest.split_first()?;
            rest = after;
            let epoch = match ruled {
                0 => None,
                _ => {
                    let (epoch, after) = rest.split_first_chunk()?;
                    rest = after;
                    Some(Epoch(*epoch))
                }
            };
            let peer = Peer { kind: kind_named(*kind)?, partition };
            cursor.set(peer, Place { point: Point { position, epoch, seq }, passed });
        }
        Some(cursor)
    }
}

/// Keyed by the vault, so that it is the same in every process of the installation and stays so.
fn seal(vault: &Vault, tenant: &TenantId, body: &[u8]) -> [u8; SEAL] {
    vault.content(&[b"a subscriber's cursor of ", tenant.as_str().as_bytes(), b"/", body].concat())
}

fn kind_number(kind: Kind) -> u8 {
    match kind {
        Kind::Conversation => 1,
        Kind::Desk => 2,
        Kind::Delivery => 3,
        Kind::Contact => 4,
        Kind::Workspace => 5,
    }
}

fn kind_named(number: u8) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind_number(*kind) == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> (tempfile::TempDir, Vault) {
        let folder = tempfile::tempdir().unwrap();
        let key = vault::MasterKey::from_bytes([7; 32]);
        let vault = Vault::open(vault::Config::new(folder.path(), key)).unwrap();
        (folder, vault)
    }

    fn cursor() -> Cursor {
        let mut cursor = Cursor::default();
        for (kind, partition, epoch, passed) in [
            (Kind::Conversation, 0, Some(Epoch([9; 16])), 0),
            (Kind::Conversation, 300, Some(Epoch([8; 16])), 4_000),
            (Kind::Desk, 1, None, 0),
        ] {
            let point = Point { position: 1 << 40, epoch, seq: 77 };
            cursor.set(Peer { kind, partition }, Place { point, passed });
        }
        cursor
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_written() {
        let (_folder, vault) = vault();
        let acme: TenantId = "acme".parse().unwrap();
        for cursor in [Cursor::default(), cursor()] {
            let text = cursor.write(&vault, &acme);
            assert_eq!(Cursor::read(&text, &vault, &acme).unwrap(), cursor);
        }
    }

    #[test]
    fn nothing_else_is_a_cursor() {
        let (_folder, vault) = vault();
        let (acme, other): (TenantId, TenantId) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let text = cursor().write(&vault, &acme);
        assert!(Cursor::read(&text, &vault, &other).is_err(), "another tenant's");
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(Cursor::read(&changed, &vault, &acme).is_err(), "changed at {at}");
            assert!(Cursor::read(&text[..at], &vault, &acme).is_err(), "cut at {at}");
        }
        for garbage in ["", "AAAA", "not a cursor", &"A".repeat(LONGEST + 1)] {
            let refused = Cursor::read(garbage, &vault, &acme).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        }
    }
}
