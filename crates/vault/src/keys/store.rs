//! The key store's database: one row a party, one root secret.
//!
//! A row holds the party's latest generation and its wrapped key; once erased, the generation alone. Content that
//! is deleted is overwritten (`secure_delete`), and the write-ahead log is cut after an erasure, because the
//! wrapped key still stands in its older pages.

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use zeroize::Zeroizing;

use crate::{Error, MasterKey, Subject, cipher::Secret, random};

const FORMAT: u32 = 1;

/// Another process holds the write lock only for a short transaction; longer means something is wrong.
const PATIENCE: Duration = Duration::from_secs(2);

/// In pages of 4 KiB. New parties land on random pages, so a longer log saves writing the same page again.
const CHECKPOINT_PAGES: u32 = 4_000;

pub(crate) struct Store {
    db: Connection,
}

pub(crate) struct Row {
    pub(crate) generation: u32,
    /// `None`: erased.
    pub(crate) wrapped: Option<Vec<u8>>,
}

impl Store {
    /// Opens or creates the store, and proves that `master` is its master key by unwrapping the root secret.
    pub(crate) fn open(path: &Path, master: &MasterKey) -> Result<(Store, Secret), Error> {
        let broken = |source| Error::Open { path: path.to_owned(), source: Arc::new(source) };
        let mut db = connect(path).map_err(broken)?;
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        let found: u32 = tx.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(broken)?;
        if found > FORMAT {
            return Err(Error::Newer { path: path.to_owned(), found, known: FORMAT });
        }
        if found == 0 {
            let root = Zeroizing::new(random::bytes()?);
            create(&tx, &master.wrap(b"root", &root)?).map_err(broken)?;
        }
        let wrapped: Vec<u8> =
            tx.query_row("SELECT wrapped FROM root", [], |row| row.get(0)).map_err(broken)?;
        let root = master.unwrap(b"root", &wrapped).ok_or(Error::WrongMasterKey { path: path.to_owned() })?;
        tx.commit().map_err(broken)?;
        Ok((Store { db }, root))
    }

    pub(crate) fn find(&self, subject: &Subject) -> rusqlite::Result<Option<Row>> {
        find(&self.db, subject)
    }

    pub(crate) fn change(&mut self) -> rusqlite::Result<Change<'_>> {
        Ok(Change(self.db.transaction_with_behavior(TransactionBehavior::Immediate)?))
    }

    /// Moves the write-ahead log into the database and cuts it to nothing. Fails while another process reads.
    pub(crate) fn cut_log(&self) -> rusqlite::Result<()> {
        let busy: bool = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
            return Err(rusqlite::Error::SqliteFailure(code, Some("another process is reading".into())));
        }
        Ok(())
    }
}

/// One transaction; nothing of it stays unless it is committed.
pub(crate) struct Change<'a>(Transaction<'a>);

impl Change<'_> {
    pub(crate) fn find(&self, subject: &Subject) -> rusqlite::Result<Option<Row>> {
        find(&self.0, subject)
    }

    pub(crate) fn put(&self, subject: &Subject, generation: u32, wrapped: &[u8]) -> rusqlite::Result<()> {
        self.0
            .prepare_cached(
                "INSERT OR REPLACE INTO keys (tenant, party, generation, wrapped) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![&*subject.tenant, subject.party, generation, wrapped])?;
        Ok(())
    }

    /// Yields the generation erased through; 0 when there never was a key.
    pub(crate) fn erase(&self, subject: &Subject) -> rusqlite::Result<u32> {
        self.0
            .prepare_cached(
                "UPDATE keys SET wrapped = NULL WHERE tenant = ? AND party = ? RETURNING generation",
            )?
            .query_row(params![&*subject.tenant, subject.party], |row| row.get(0))
            .optional()
            .map(Option::unwrap_or_default)
    }

    pub(crate) fn commit(self) -> rusqlite::Result<()> {
        self.0.commit()
    }
}

fn find(db: &Connection, subject: &Subject) -> rusqlite::Result<Option<Row>> {
    db.prepare_cached("SELECT generation, wrapped FROM keys WHERE tenant = ? AND party = ?")?
        .query_row(params![&*subject.tenant, subject.party], |row| {
            Ok(Row { generation: row.get(0)?, wrapped: row.get(1)? })
        })
        .optional()
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(PATIENCE)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "secure_delete", "ON")?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    Ok(db)
}

fn create(tx: &Transaction<'_>, root: &[u8]) -> rusqlite::Result<()> {
    tx.execute_batch(
        "CREATE TABLE root (wrapped BLOB NOT NULL) STRICT;
         CREATE TABLE keys (
             tenant TEXT NOT NULL,
             party BLOB NOT NULL,
             generation INTEGER NOT NULL,
             wrapped BLOB,
             PRIMARY KEY (tenant, party)
         ) STRICT, WITHOUT ROWID;",
    )?;
    tx.execute("INSERT INTO root (wrapped) VALUES (?)", [root])?;
    tx.pragma_update(None, "user_version", FORMAT)
}
