//! The tables, and connections to them.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::Error;

/// Grows with every change of the tables or of what stands in them; older rows are projected again.
const FORMAT: u32 = 3;

/// Only a checkpoint of another process, or its writing, makes one wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// In pages of 4 KiB. New rows land on random pages of the indexes, so a longer write-ahead log saves writing the
/// same page again.
const CHECKPOINT_PAGES: u32 = 4_000;

/// In KiB, for the writer; the indexes' inner pages should fit.
const CACHE: i64 = 16 * 1024;

/// `at` and the like are milliseconds since the Unix epoch; ids are their 16 bytes; authors and owners are text as
/// [`crate::Author`] and [`crate::Owner`] write it. Bodies and addresses are sealed.
const TABLES: &str = "
    DROP TABLE IF EXISTS parties;
    DROP TABLE IF EXISTS conversations;
    DROP TABLE IF EXISTS entries;
    DROP TABLE IF EXISTS contacts;
    DROP TABLE IF EXISTS party_contact;
    DROP TABLE IF EXISTS tags;
    DROP TABLE IF EXISTS set_aside;
    DROP TABLE IF EXISTS positions;

    -- Everyone who appears in a timeline. Without address: someone who never gave a sign of life here.
    CREATE TABLE parties (
        party BLOB PRIMARY KEY,
        tenant TEXT NOT NULL,
        inbox TEXT NOT NULL,
        channel TEXT,
        address BLOB,
        first_seen INTEGER
    ) STRICT, WITHOUT ROWID;

    -- Without owner: closed.
    CREATE TABLE conversations (
        party BLOB NOT NULL,
        number INTEGER NOT NULL,
        owner TEXT,
        opened_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        closed_at INTEGER,
        PRIMARY KEY (party, number)
    ) STRICT, WITHOUT ROWID;

    -- `id` is the place in the log. `number`: of the conversation. Without author: the system. `subject`: whose key
    -- the body is sealed under, where it is not the party's. The body's item is the message or, without one, the
    -- party. It stands last because it may be long.
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        party BLOB NOT NULL,
        number INTEGER,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        author TEXT,
        message BLOB,
        about BLOB,
        detail TEXT,
        delivery INTEGER,
        delivery_reason TEXT,
        subject BLOB,
        body BLOB
    ) STRICT;
    CREATE INDEX entries_by_party ON entries (party, at);
    -- One message is one entry.
    CREATE UNIQUE INDEX entries_by_message ON entries (party, message) WHERE message IS NOT NULL;
    -- Which messages were taken back, whichever of the two came first.
    CREATE INDEX entries_taken_back ON entries (party, about) WHERE detail = 'unsend';

    CREATE TABLE contacts (
        tenant TEXT NOT NULL,
        contact BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (tenant, contact)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE party_contact (
        tenant TEXT NOT NULL,
        party BLOB NOT NULL,
        contact BLOB NOT NULL,
        PRIMARY KEY (tenant, party)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX party_contact_by_contact ON party_contact (tenant, contact);

    CREATE TABLE tags (
        tenant TEXT NOT NULL,
        contact BLOB NOT NULL,
        tag TEXT NOT NULL,
        PRIMARY KEY (tenant, contact, tag)
    ) STRICT, WITHOUT ROWID;

    -- Either the input's bytes, or the entry of the message that could not be understood.
    CREATE TABLE set_aside (
        aggregate TEXT NOT NULL,
        partition INTEGER NOT NULL,
        position INTEGER NOT NULL,
        place INTEGER NOT NULL,
        tenant TEXT,
        at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        entry INTEGER,
        bytes BLOB,
        PRIMARY KEY (aggregate, partition, position, place)
    ) STRICT;

    -- How far each log is in these rows; written with them.
    CREATE TABLE positions (
        aggregate TEXT NOT NULL,
        partition INTEGER NOT NULL,
        point BLOB NOT NULL,
        PRIMARY KEY (aggregate, partition)
    ) STRICT, WITHOUT ROWID;
";

/// The connection that writes. Creates the tables where they are missing or of an older version.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    let broken = |source: rusqlite::Error| Error::Open { path: path.to_owned(), source: source.into() };
    let mut db = connect(path).map_err(broken)?;
    let found = format(&db).map_err(broken)?;
    if found > FORMAT {
        return Err(Error::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    if found < FORMAT {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        // Another process may have been faster.
        if format(&tx).map_err(broken)? < FORMAT {
            create(&tx).map_err(broken)?;
        }
        tx.commit().map_err(broken)?;
    }
    Ok(db)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // A power cut may take the last transactions, rows and position alike: they are projected again.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "secure_delete", "ON")?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    db.pragma_update(None, "cache_size", -CACHE)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

pub(crate) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// Creates the tables, empty. Those that were there are dropped.
pub(crate) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(TABLES)?;
    db.pragma_update(None, "user_version", FORMAT)
}

fn format(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}
