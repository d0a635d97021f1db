//! The key store as a SQLite file.
//!
//! Content that is deleted is overwritten (`secure_delete`), and the write-ahead log is cut after an erasure, because
//! the wrapped key still stands in its older pages.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::store::{self, FORMAT, NewKey, Row, Store};
use crate::{Error, Subject};

/// Another process holds the write lock only for a short transaction; longer means something is wrong.
const PATIENCE: Duration = Duration::from_secs(2);

/// In pages of 4 KiB. New parties land on random pages, so a longer log saves writing the same page again.
const CHECKPOINT_PAGES: u32 = 4_000;

/// In rows.
const PAGE: usize = 10_000;

pub(crate) struct Sqlite {
    db: Connection,
}

impl Sqlite {
    fn find_all(&self, subjects: &[Subject]) -> rusqlite::Result<Vec<Option<Row>>> {
        let mut found =
            self.db.prepare_cached("SELECT generation, wrapped FROM keys WHERE tenant = ? AND party = ?")?;
        let mut find = |subject: &Subject| {
            let row = |row: &rusqlite::Row<'_>| Ok(Row { generation: row.get(0)?, wrapped: row.get(1)? });
            found.query_row(params![&*subject.tenant, subject.party], row).optional()
        };
        subjects.iter().map(&mut find).collect()
    }

    fn issue_all(&mut self, keys: &[NewKey]) -> rusqlite::Result<Vec<bool>> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stands = {
            let mut put = tx.prepare_cached(
                "INSERT INTO keys (tenant, party, generation, wrapped) VALUES (?, ?, ?, ?)
                 ON CONFLICT (tenant, party)
                 DO UPDATE SET generation = excluded.generation, wrapped = excluded.wrapped
                 WHERE keys.wrapped IS NULL AND keys.generation = excluded.generation - 1",
            )?;
            let mut put = |NewKey { subject, generation, wrapped }: &NewKey| {
                put.execute(params![&*subject.tenant, subject.party, generation, wrapped])
                    .map(|rows| rows == 1)
            };
            keys.iter().map(&mut put).collect::<Result<_, _>>()?
        };
        tx.commit()?;
        Ok(stands)
    }

    fn erase_all(&mut self, doomed: &[(Subject, u32)]) -> rusqlite::Result<()> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut erase = tx.prepare_cached(
                "UPDATE keys SET wrapped = NULL WHERE tenant = ? AND party = ? AND generation = ?",
            )?;
            for (subject, generation) in doomed {
                erase.execute(params![&*subject.tenant, subject.party, generation])?;
            }
        }
        tx.commit()
    }

    /// Moves the write-ahead log into the database and cuts it to nothing. Fails while another process reads.
    fn cut_log(&self) -> rusqlite::Result<()> {
        let busy: bool = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
            return Err(rusqlite::Error::SqliteFailure(code, Some("another process is reading".into())));
        }
        Ok(())
    }
}

impl Store for Sqlite {
    fn find(&mut self, subjects: &[Subject]) -> Result<Vec<Option<Row>>, Error> {
        self.find_all(subjects).map_err(Error::unavailable("read keys"))
    }

    fn issue(&mut self, keys: &[NewKey]) -> Result<Vec<bool>, Error> {
        self.issue_all(keys).map_err(Error::unavailable("store new keys"))
    }

    /// Also what an earlier one could not cut is cut, whether or not there is a key left to destroy.
    fn erase(&mut self, doomed: &[(Subject, u32)]) -> Result<(), Error> {
        self.erase_all(doomed).map_err(Error::unavailable("destroy keys"))?;
        self.cut_log().map_err(Error::unavailable("cut destroyed keys from the key store's log"))
    }
}

/// Its transaction is the connection's own, so that the store can follow it.
pub(crate) struct Whole {
    db: Connection,
    path: PathBuf,
}

impl Whole {
    pub(crate) fn begin(path: &Path, create: bool) -> Result<Whole, Error> {
        if !create && !path.is_file() {
            return Err(Error::NoStore { place: path.display().to_string() });
        }
        let opened = connect(path).and_then(|db| db.execute_batch("BEGIN IMMEDIATE").map(|()| db));
        opened.map(|db| Whole { db, path: path.to_owned() }).map_err(|source| failed(path, source))
    }

    fn done<T>(&self, done: rusqlite::Result<T>) -> Result<T, Error> {
        done.map_err(|source| failed(&self.path, source))
    }

    fn create_all(&self, root: &[u8]) -> rusqlite::Result<()> {
        self.db.execute_batch(
            "CREATE TABLE root (wrapped BLOB NOT NULL) STRICT;
             CREATE TABLE keys (
                 tenant TEXT NOT NULL,
                 party BLOB NOT NULL,
                 generation INTEGER NOT NULL,
                 wrapped BLOB,
                 PRIMARY KEY (tenant, party)
             ) STRICT, WITHOUT ROWID;",
        )?;
        self.db.execute("INSERT INTO root (wrapped) VALUES (?)", [root])?;
        self.db.pragma_update(None, "user_version", FORMAT)
    }

    fn read_root(&self) -> rusqlite::Result<Option<(u32, Vec<u8>)>> {
        let format = self.db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if format == 0 {
            return Ok(None);
        }
        let wrapped = self.db.query_row("SELECT wrapped FROM root", [], |row| row.get(0))?;
        Ok(Some((format, wrapped)))
    }

    fn read_page(&self, tenant: &str, party: &[u8]) -> rusqlite::Result<Vec<(Subject, Row)>> {
        let mut page = self.db.prepare_cached(
            "SELECT tenant, party, generation, wrapped FROM keys WHERE (tenant, party) > (?, ?)
             ORDER BY tenant, party LIMIT ?",
        )?;
        let rows = page.query_map(params![tenant, party, PAGE], |row| {
            let tenant: String = row.get(0)?;
            let subject = Subject { tenant: tenant.into(), party: row.get(1)? };
            Ok((subject, Row { generation: row.get(2)?, wrapped: row.get(3)? }))
        })?;
        rows.collect()
    }

    fn put_all(&self, rows: &[(Subject, Row)]) -> rusqlite::Result<()> {
        let mut put = self
            .db
            .prepare_cached("INSERT INTO keys (tenant, party, generation, wrapped) VALUES (?, ?, ?, ?)")?;
        for (subject, Row { generation, wrapped }) in rows {
            put.execute(params![&*subject.tenant, subject.party, generation, wrapped])?;
        }
        Ok(())
    }
}

impl store::Whole for Whole {
    fn root(&mut self) -> Result<Option<(u32, Vec<u8>)>, Error> {
        self.done(self.read_root())
    }

    fn create(&mut self, wrapped_root: &[u8]) -> Result<(), Error> {
        self.done(self.create_all(wrapped_root))
    }

    /// Nobody writes beside an immediate transaction.
    fn hold_still(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn count(&mut self) -> Result<u64, Error> {
        self.done(self.db.query_row("SELECT count(*) FROM keys", [], |row| row.get(0)))
    }

    fn page(&mut self, after: Option<&Subject>) -> Result<Vec<(Subject, Row)>, Error> {
        let (tenant, party) = after.map_or(("", &[][..]), |subject| (&*subject.tenant, &subject.party[..]));
        self.done(self.read_page(tenant, party))
    }

    fn put(&mut self, rows: &[(Subject, Row)]) -> Result<(), Error> {
        self.done(self.put_all(rows))
    }

    fn commit(self: Box<Self>) -> Result<Box<dyn Store>, Error> {
        self.done(self.db.execute_batch("COMMIT"))?;
        Ok(Box::new(Sqlite { db: self.db }))
    }
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

fn failed(path: &Path, source: rusqlite::Error) -> Error {
    Error::Open { place: path.display().to_string(), source: Arc::new(source) }
}
