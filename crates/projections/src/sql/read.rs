//! The questions that the rows answer.

use std::str::FromStr;

use bytes::Bytes;
use domain::{
    Channel, ContactId, ConversationId, InboxId, Kind, MessageId, Party, Peer, Sealed, TenantId, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params, types::Type};

use crate::{
    Address, Author, Body, ContactRow, ConversationRow, Delivery, DeliveryStatus, Entry, Kept, SetAside,
    SetAsideId, SetAsideRow, TimelineOf, entry::Unnamed,
};

/// A place in the order of timelines: time, then id.
type Cursor = (i64, i64);

/// None if `after` names no entry of this tenant.
pub(crate) fn timeline(
    db: &Connection,
    tenant: &TenantId,
    of: TimelineOf,
    after: Option<i64>,
    limit: usize,
) -> rusqlite::Result<Option<Vec<Entry>>> {
    let mut after = match after {
        None => (i64::MIN, i64::MIN),
        Some(id) => match cursor(db, tenant, id)? {
            Some(cursor) => cursor,
            None => return Ok(None),
        },
    };
    let (parties, number) = match of {
        TimelineOf::Contact(contact) => (parties(db, tenant, contact)?, None),
        TimelineOf::Party(party) => (vec![party], None),
        TimelineOf::Conversation(ConversationId { party, number }) => {
            // Earlier conversations of the party need not be looked through.
            let sql = "SELECT opened_at FROM conversations WHERE party = ? AND number = ?";
            let opened: Option<i64> = one(db, sql, params![party.0, number], |row| row.get(0))?;
            let Some(opened) = opened else { return Ok(Some(Vec::new())) };
            after = after.max((opened, i64::MIN));
            (vec![party], Some(number))
        }
    };
    let mut entries = Vec::new();
    for party in parties {
        entries.extend(entries_of(db, tenant, party, number, after, limit)?);
    }
    entries.sort_by_key(|entry| (entry.at, entry.id));
    entries.truncate(limit);
    Ok(Some(entries))
}

fn cursor(db: &Connection, tenant: &TenantId, id: i64) -> rusqlite::Result<Option<Cursor>> {
    let sql = "SELECT at FROM entries JOIN parties USING (party) WHERE id = ? AND tenant = ?";
    one(db, sql, params![id, tenant.as_str()], |row| Ok((row.get(0)?, id)))
}

fn parties(db: &Connection, tenant: &TenantId, contact: ContactId) -> rusqlite::Result<Vec<Party>> {
    let sql = "SELECT party FROM party_contact WHERE tenant = ? AND contact = ?";
    all(db, sql, params![tenant.as_str(), contact.0], |row| row.get(0).map(Party))
}

/// What a party's rows have in common.
struct Home {
    inbox: InboxId,
    channel: Option<Channel>,
}

/// None if the party is another tenant's.
fn home(db: &Connection, tenant: &TenantId, party: Party) -> rusqlite::Result<Option<Home>> {
    let sql = "SELECT inbox, channel FROM parties WHERE party = ? AND tenant = ?";
    one(db, sql, params![party.0, tenant.as_str()], |row| {
        Ok(Home { inbox: parsed(row, 0)?, channel: channel(row, 1)? })
    })
}

fn entries_of(
    db: &Connection,
    tenant: &TenantId,
    party: Party,
    number: Option<u32>,
    after: Cursor,
    limit: usize,
) -> rusqlite::Result<Vec<Entry>> {
    let Some(home) = home(db, tenant, party)? else { return Ok(Vec::new()) };
    // An edit goes with the message it changes.
    let sql = "SELECT id, number, at, kind, author, message, detail, delivery, delivery_reason, subject, body, about,
                 kind IN ('message_received', 'noted') AND EXISTS (
                   SELECT 1 FROM entries AS unsent
                   WHERE unsent.party = entries.party AND unsent.detail = 'unsend' AND unsent.about =
                     CASE entries.detail WHEN 'edit' THEN entries.about ELSE entries.message END)
               FROM entries
               WHERE party = ?1 AND (at, id) > (?2, ?3) AND (?4 IS NULL OR number = ?4)
               ORDER BY at, id LIMIT ?5";
    all(db, sql, params![party.0, after.0, after.1, number, rows(limit)], |row| {
        let number: Option<u32> = row.get(1)?;
        let message = row.get::<_, Option<_>>(5)?.map(MessageId);
        let subject = row.get::<_, Option<_>>(9)?.map_or(party, Party);
        let sealed = row.get::<_, Option<Vec<u8>>>(10)?.map(|bytes| Sealed { subject, bytes: bytes.into() });
        let author: Option<String> = row.get(4)?;
        let taken_back: bool = row.get(12)?;
        let sealed = sealed.filter(|_| !taken_back);
        Ok(Entry {
            id: row.get(0)?,
            party,
            inbox: home.inbox.clone(),
            channel: home.channel,
            conversation: number.map(|number| ConversationId { party, number }),
            at: Timestamp(row.get(2)?),
            kind: parsed(row, 3)?,
            author: author.map_or(Ok(Author::System), |text| parse(4, &text))?,
            message,
            body: sealed.map(|sealed| Body { item: message.unwrap_or(MessageId(party.0)), sealed }),
            detail: row.get(6)?,
            delivery: delivery(row, 7)?,
            about: row.get::<_, Option<_>>(11)?.map(MessageId),
            taken_back,
        })
    })
}

/// The rank, and behind it the reason.
fn delivery(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Delivery>> {
    let Some(rank) = row.get::<_, Option<i64>>(column)? else { return Ok(None) };
    let status = DeliveryStatus::ranked(rank);
    let status = status.ok_or(rusqlite::Error::IntegralValueOutOfRange(column, rank))?;
    Ok(Some(Delivery { status, reason: row.get(column + 1)? }))
}

pub(crate) fn conversations(
    db: &Connection,
    tenant: &TenantId,
    party: Party,
) -> rusqlite::Result<Vec<ConversationRow>> {
    let Some(home) = home(db, tenant, party)? else { return Ok(Vec::new()) };
    let sql = "SELECT number, owner, opened_at, updated_at, closed_at FROM conversations
               WHERE party = ? ORDER BY number";
    all(db, sql, [party.0], |row| {
        let owner: Option<String> = row.get(1)?;
        Ok(ConversationRow {
            id: ConversationId { party, number: row.get(0)? },
            inbox: home.inbox.clone(),
            channel: home.channel,
            owner: owner.map(|text| parse(1, &text)).transpose()?,
            opened_at: Timestamp(row.get(2)?),
            updated_at: Timestamp(row.get(3)?),
            closed_at: row.get::<_, Option<_>>(4)?.map(Timestamp),
        })
    })
}

pub(crate) fn contacts(
    db: &Connection,
    tenant: &TenantId,
    after: Option<ContactId>,
    limit: usize,
) -> rusqlite::Result<Vec<ContactRow>> {
    let sql = "SELECT contact, created_at FROM contacts
               WHERE tenant = ? AND contact > ? ORDER BY contact LIMIT ?";
    let after: &[u8] = after.as_ref().map_or(&[], |contact| &contact.0);
    let found: Vec<(ContactId, Timestamp)> =
        all(db, sql, params![tenant.as_str(), after, rows(limit)], |row| {
            Ok((ContactId(row.get(0)?), Timestamp(row.get(1)?)))
        })?;
    found.into_iter().map(|(id, created_at)| whole(db, tenant, id, created_at)).collect()
}

pub(crate) fn contact(
    db: &Connection,
    tenant: &TenantId,
    id: ContactId,
) -> rusqlite::Result<Option<ContactRow>> {
    let sql = "SELECT created_at FROM contacts WHERE tenant = ? AND contact = ?";
    let created_at = one(db, sql, params![tenant.as_str(), id.0], |row| row.get(0).map(Timestamp))?;
    created_at.map(|created_at| whole(db, tenant, id, created_at)).transpose()
}

fn whole(
    db: &Connection,
    tenant: &TenantId,
    id: ContactId,
    created_at: Timestamp,
) -> rusqlite::Result<ContactRow> {
    let tags = "SELECT tag FROM tags WHERE tenant = ? AND contact = ? ORDER BY tag";
    let tags = all(db, tags, params![tenant.as_str(), id.0], |row| row.get(0))?;
    let addresses = "SELECT party, inbox, channel, address, first_seen
                     FROM party_contact JOIN parties USING (tenant, party)
                     WHERE tenant = ? AND contact = ? AND address IS NOT NULL ORDER BY party";
    let addresses = all(db, addresses, params![tenant.as_str(), id.0], |row| {
        let party = Party(row.get(0)?);
        let Some(channel) = channel(row, 2)? else {
            return Err(damaged(2, Unnamed::new("a channel", "")));
        };
        let sealed = Sealed { subject: party, bytes: row.get::<_, Vec<u8>>(3)?.into() };
        Ok(Address { party, inbox: parsed(row, 1)?, channel, sealed, first_seen: Timestamp(row.get(4)?) })
    })?;
    Ok(ContactRow { id, created_at, tags, addresses })
}

pub(crate) fn set_aside(
    db: &Connection,
    tenant: Option<&TenantId>,
    after: Option<SetAsideId>,
    limit: usize,
) -> rusqlite::Result<Vec<SetAsideRow>> {
    let sql = "SELECT aggregate, partition, position, place, tenant, set_aside.at, reason,
                      length(coalesce(bytes, body))
               FROM set_aside LEFT JOIN entries ON entries.id = entry
               WHERE (aggregate, partition, position, place) > (?1, ?2, ?3, ?4)
                 AND (?5 IS NULL OR tenant = ?5)
               ORDER BY aggregate, partition, position, place LIMIT ?6";
    let (aggregate, partition, position, index) = match after {
        Some(SetAsideId { peer, position, index }) => (peer.kind.as_str(), peer.partition, position, index),
        None => ("", 0, 0, 0),
    };
    let tenant = tenant.map(TenantId::as_str);
    all(db, sql, params![aggregate, partition, position, index, tenant, rows(limit)], set_aside_row)
}

pub(crate) fn set_aside_input(
    db: &Connection,
    tenant: Option<&TenantId>,
    id: SetAsideId,
) -> rusqlite::Result<Option<SetAside>> {
    let sql = "SELECT aggregate, partition, position, place, set_aside.tenant, set_aside.at, reason,
                      length(coalesce(bytes, body)), bytes, entries.party, message, subject, body, inbox
               FROM set_aside LEFT JOIN entries ON entries.id = entry
                              LEFT JOIN parties ON parties.party = entries.party
               WHERE aggregate = ?1 AND partition = ?2 AND position = ?3 AND place = ?4
                 AND (?5 IS NULL OR set_aside.tenant = ?5)";
    let SetAsideId { peer, position, index } = id;
    let tenant = tenant.map(TenantId::as_str);
    one(db, sql, params![peer.kind.as_str(), peer.partition, position, index, tenant], |row| {
        let kept = match row.get::<_, Option<Vec<u8>>>(8)? {
            Some(bytes) => Kept::Input(bytes.into()),
            None => {
                let party = Party(row.get(9)?);
                let subject = row.get::<_, Option<_>>(11)?.map_or(party, Party);
                let content = Sealed { subject, bytes: Bytes::from(row.get::<_, Vec<u8>>(12)?) };
                Kept::Message { inbox: parsed(row, 13)?, party, message: MessageId(row.get(10)?), content }
            }
        };
        Ok(SetAside { row: set_aside_row(row)?, kept })
    })
}

fn set_aside_row(row: &Row<'_>) -> rusqlite::Result<SetAsideRow> {
    let tenant: Option<String> = row.get(4)?;
    Ok(SetAsideRow {
        id: SetAsideId { peer: peer(row)?, position: row.get(2)?, index: row.get(3)? },
        tenant: tenant.map(|text| parse(4, &text)).transpose()?,
        at: Timestamp(row.get(5)?),
        reason: row.get(6)?,
        size: row.get(7)?,
    })
}

pub(crate) fn points(db: &Connection) -> rusqlite::Result<Vec<(Peer, Vec<u8>)>> {
    all(db, "SELECT aggregate, partition, point FROM positions", [], |row| Ok((peer(row)?, row.get(2)?)))
}

/// In the first two columns.
fn peer(row: &Row<'_>) -> rusqlite::Result<Peer> {
    let kind: String = row.get(0)?;
    let kind = Kind::named(&kind).ok_or_else(|| damaged(0, Unnamed::new("an aggregate", &kind)))?;
    Ok(Peer { kind, partition: row.get(1)? })
}

fn channel(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Channel>> {
    let Some(name) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    match Channel::named(&name) {
        Some(channel) => Ok(Some(channel)),
        None => Err(damaged(column, Unnamed::new("a channel", &name))),
    }
}

fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    parse(column, &row.get::<_, String>(column)?)
}

fn parse<T>(column: usize, text: &str) -> rusqlite::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error| damaged(column, error))
}

fn damaged(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// A limit of rows as SQLite counts them.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn one<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    db.prepare_cached(sql)?.query_row(params, read).optional()
}

fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare_cached(sql)?.query_map(params, read)?.collect()
}
