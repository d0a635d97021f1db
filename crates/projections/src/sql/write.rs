//! Batches into rows: the ledger's events, what was set aside, and how far the log is written.

use domain::{ContactId, Party, Peer, TenantId, Timestamp, contact};
use rusqlite::{Connection, OptionalExtension, Params, params};
use wire::Point;

use super::story::conversation;
use crate::{
    Error,
    change::{Batch, Change, Place, What},
};

/// Writes a batch and the point behind it, within the caller's transaction.
pub(crate) fn apply(db: &Connection, batch: &Batch) -> Result<(), Error> {
    const OPERATION: &str = "write to";
    let stored = stored(db, batch.peer)?;
    if stored != batch.from {
        return Err(Error::OutOfStep { peer: batch.peer, stored, read: batch.from });
    }
    for change in &batch.changes {
        let Change { place, at, what } = change;
        let written = match what {
            What::Conversation(event) => conversation(db, *place, place.entry()?, *at, event),
            What::Contact(event) => contact(db, *at, event),
            What::SetAside { tenant, input } => {
                set_aside(db, *place, tenant.as_ref(), *at, &input.reason, Kept::Bytes(&input.bytes))
            }
        };
        written.map_err(Error::sql(OPERATION))?;
    }
    put_point(db, batch.peer, batch.point).map_err(Error::sql(OPERATION))
}

fn stored(db: &Connection, peer: Peer) -> Result<u64, Error> {
    let point: Option<Vec<u8>> = db
        .prepare_cached("SELECT point FROM positions WHERE aggregate = ? AND partition = ?")
        .and_then(|mut found| {
            found.query_row(params![peer.kind.as_str(), peer.partition], |row| row.get(0)).optional()
        })
        .map_err(Error::sql("read the positions of"))?;
    match point.map(|bytes| Point::decode(&bytes)).transpose() {
        Ok(point) => Ok(point.unwrap_or_default().position),
        Err(source) => Err(Error::Point { peer, source }),
    }
}

fn put_point(db: &Connection, peer: Peer, point: Point) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO positions (aggregate, partition, point) VALUES (?, ?, ?)";
    execute(db, sql, params![peer.kind.as_str(), peer.partition, point.encode()])?;
    Ok(())
}

pub(super) fn execute(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    db.prepare_cached(sql)?.execute(params)
}

fn contact(db: &Connection, at: Timestamp, event: &contact::Event) -> rusqlite::Result<()> {
    match event {
        contact::Event::Created { contact, from, at } => {
            let sql =
                "INSERT INTO contacts (tenant, contact, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
            execute(db, sql, params![from.tenant.as_str(), contact.0, at.0])?;
            link(db, &from.tenant, *contact, from.party)
        }
        contact::Event::Linked { tenant, contact, party, was } => {
            link(db, tenant, *contact, *party)?;
            left(db, tenant, *was)
        }
        contact::Event::Joined { tenant, contact, party, was } => {
            link(db, tenant, *contact, *party)?;
            was.map_or(Ok(()), |was| left(db, tenant, was))
        }
        contact::Event::Parted { tenant, contact, party, was } => {
            let sql =
                "INSERT INTO contacts (tenant, contact, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
            execute(db, sql, params![tenant.as_str(), contact.0, at.0])?;
            link(db, tenant, *contact, *party)?;
            left(db, tenant, *was)
        }
        contact::Event::Tagged { tenant, contact, tag } => {
            let sql = "INSERT INTO tags (tenant, contact, tag) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
            execute(db, sql, params![tenant.as_str(), contact.0, &**tag])?;
            Ok(())
        }
        contact::Event::Untagged { tenant, contact, tag } => {
            let sql = "DELETE FROM tags WHERE tenant = ? AND contact = ? AND tag = ?";
            execute(db, sql, params![tenant.as_str(), contact.0, &**tag])?;
            Ok(())
        }
        contact::Event::TagsTold { .. }
        | contact::Event::OthersTold { .. }
        | contact::Event::TokenTaken { .. } => Ok(()),
    }
}

fn link(db: &Connection, tenant: &TenantId, contact: ContactId, party: Party) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO party_contact (tenant, party, contact) VALUES (?, ?, ?)";
    execute(db, sql, params![tenant.as_str(), party.0, contact.0])?;
    Ok(())
}

/// A contact that its last address has left is gone.
fn left(db: &Connection, tenant: &TenantId, was: ContactId) -> rusqlite::Result<()> {
    let sql = "DELETE FROM contacts WHERE tenant = ?1 AND contact = ?2
               AND NOT EXISTS (SELECT 1 FROM party_contact WHERE tenant = ?1 AND contact = ?2)";
    if execute(db, sql, params![tenant.as_str(), was.0])? > 0 {
        let sql = "DELETE FROM tags WHERE tenant = ? AND contact = ?";
        execute(db, sql, params![tenant.as_str(), was.0])?;
    }
    Ok(())
}

/// What of an input set aside is kept, and where.
pub(super) enum Kept<'a> {
    Bytes(&'a [u8]),
    Entry(i64),
}

pub(super) fn set_aside(
    db: &Connection,
    place: Place,
    tenant: Option<&TenantId>,
    at: Timestamp,
    reason: &str,
    kept: Kept<'_>,
) -> rusqlite::Result<()> {
    let (entry, bytes) = match kept {
        Kept::Bytes(bytes) => (None, Some(bytes)),
        Kept::Entry(entry) => (Some(entry), None),
    };
    let Place { peer, position, index } = place;
    let sql =
        "INSERT INTO set_aside (aggregate, partition, position, place, tenant, at, reason, entry, bytes)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let (aggregate, tenant) = (peer.kind.as_str(), tenant.map(TenantId::as_str));
    execute(
        db,
        sql,
        params![aggregate, peer.partition, position, index, tenant, at.0, reason, entry, bytes],
    )?;
    Ok(())
}
