//! The file: how it is laid out, opened and read.
//!
//! Each partition has a table of [blocks](super::block) of its own. Appends then always go to a table's right
//! edge, which SQLite fills page by page; one table for all would split pages in its middle (measured with 8 and
//! 64 partitions: 1.5 times the time and 2 times the write-ahead log).

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, config::DbConfig};
use tokio::sync::Semaphore;

use super::{
    Shared,
    block::{self, Head},
    lock,
    recent::Slot,
};
use crate::{Error, Limit, Record, Topic};

pub(super) const FILE: &str = "log.sqlite";

/// Marks the file as ours: "TRIB".
const APPLICATION: i64 = 0x5452_4942;
/// The layout below. Another layout gets another number.
const FORMAT: i64 = 2;

/// How many reads of older records run at once.
const READERS: usize = 2;

/// What the write-ahead log keeps for its next round, in bytes. It grows beyond while somebody reads for long.
const WAL_KEPT: i64 = 64 << 20;

/// Only recovery after a crash makes anybody wait for a lock, and it is short.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn failed(operation: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |source| Error::Storage { operation, source: source.into() }
}

/// `new` says that nothing is known of a log here, so an empty file may be made one.
pub(super) fn open_to_write(path: &Path, new: bool, max_bytes: Option<u64>) -> Result<Connection, Error> {
    let open = || {
        let connection = Connection::open(path)?;
        prepare(&connection)?;
        // Where WAL cannot be had the answer is another mode, and readers would block the writer.
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| {
            match row.get::<_, String>(0)?.as_str() {
                "wal" => Ok(()),
                _ => Err(rusqlite::Error::InvalidQuery),
            }
        })?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT, |_| Ok(()))?;
        connection.pragma_update(None, "cache_size", -8 * 1024)?;
        if let Some(bytes) = max_bytes {
            let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let pages = (bytes / page).max(1);
            connection.pragma_update_and_check(None, "max_page_count", pages as i64, |_| Ok(()))?;
        }
        Ok(connection)
    };
    let connection = open().map_err(failed("open the log for writing"))?;
    if new {
        claim(&connection).map_err(failed("lay out the log"))?;
    }
    check_format(&connection)?;
    Ok(connection)
}

/// SQLite recovers whatever frames a killed process left, also those that were written and never synced. Whoever reads
/// them may note them elsewhere, so they are made durable first: else the machine's death could take back what was read.
pub(super) fn sync_recovered(path: &Path) -> Result<(), Error> {
    let sync = || match File::open(path.with_extension("sqlite-wal")) {
        Ok(wal) => {
            wal.sync_data()?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    sync().map_err(|source: io::Error| Error::Storage {
        operation: "sync the log's write-ahead file",
        source: source.into(),
    })
}

pub(super) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection)?;
        connection.pragma_update(None, "cache_size", -1024)?;
        Ok(connection)
    };
    open().map_err(failed("open the log for reading"))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    // Checkpoints are ours to make, and a log that failed must stay as it fell.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// Makes an empty file ours.
fn claim(connection: &Connection) -> rusqlite::Result<()> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 {
        return Ok(());
    }
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         PRAGMA application_id = {APPLICATION};
         PRAGMA user_version = {FORMAT};
         CREATE TABLE partitions (
             id INTEGER PRIMARY KEY,
             topic TEXT NOT NULL,
             number INTEGER NOT NULL,
             start INTEGER NOT NULL,
             crc INTEGER NOT NULL,
             UNIQUE (topic, number)
         ) STRICT;
         COMMIT;"
    ))
}

pub(super) fn check_format(connection: &Connection) -> Result<(), Error> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let found = number("application_id").and_then(|id| Ok((id, number("user_version")?)));
    match found.map_err(failed("read the log's format"))? {
        (APPLICATION, FORMAT) => Ok(()),
        (APPLICATION, other) => Err(Error::Storage {
            operation: "open the log",
            source: format!("its format is {other}; this version of Tributary reads {FORMAT}").into(),
        }),
        _ => Err(Error::Storage {
            operation: "open the log",
            source: "its file is empty, or is not a log's; restore a backup".into(),
        }),
    }
}

/// Creates the topic's partitions, or checks that there are as many as asked for.
pub(super) fn lay_out(connection: &mut Connection, topic: Topic, count: u32) -> Result<(), Error> {
    let mut work = || {
        let stored: u32 =
            connection
                .query_row("SELECT count(*) FROM partitions WHERE topic = ?1", [topic.0], |row| row.get(0))?;
        if stored > 0 {
            return Ok(stored);
        }
        let transaction = connection.transaction()?;
        for number in 0..count {
            let add = "INSERT INTO partitions (topic, number, start, crc) VALUES (?1, ?2, 0, ?3)";
            let crc = block::bound_checksum(block::seed(topic.partition(number)), 0);
            transaction.execute(add, (topic.0, number, crc))?;
            transaction.execute_batch(&format!(
                "CREATE TABLE blocks_{} (
                     first INTEGER PRIMARY KEY,
                     records INTEGER NOT NULL,
                     appended_at INTEGER NOT NULL,
                     crc INTEGER NOT NULL,
                     bytes BLOB NOT NULL
                 ) STRICT",
                transaction.last_insert_rowid()
            ))?;
        }
        transaction.commit()?;
        Ok(count)
    };
    let stored = work().map_err(failed("lay out a topic"))?;
    if stored == count { Ok(()) } else { Err(Error::OtherCount { topic, stored, asked: count }) }
}

/// The topic's partitions as they stand in the file, by number. A start that is not what was written would have
/// records removed that nobody trimmed, so it is [`Error::Damaged`].
pub(super) fn load(connection: &Connection, topic: Topic) -> Result<Vec<Slot>, Error> {
    let work = || {
        let list = "SELECT id, number, start, crc FROM partitions WHERE topic = ?1 ORDER BY number";
        let mut statement = connection.prepare(list)?;
        let mut rows = statement.query([topic.0])?;
        let mut slots = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, number, start): (i64, u32, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (partition, start) = (topic.partition(number), start as u64);
            if block::bound_checksum(block::seed(partition), start) != row.get::<_, u32>(3)? {
                let reason = "the checksum of where the partition starts does not match".into();
                return Ok(Err(Error::Damaged { partition, position: start, reason }));
            }
            slots.push(Slot::new(partition, id, start, end(connection, id, start)?));
        }
        Ok(Ok(slots))
    };
    let slots = work().map_err(failed("read the log's partitions"))??;
    if slots.is_empty() { Err(Error::NoTopic(topic)) } else { Ok(slots) }
}

pub(super) fn start(connection: &Connection, id: i64) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT start FROM partitions WHERE id = ?1")?;
    statement.query_row([id], |row| row.get::<_, i64>(0)).map(|start| start as u64)
}

/// One past the last record, also when all were trimmed.
pub(super) fn end(connection: &Connection, id: i64, start: u64) -> rusqlite::Result<u64> {
    let sql = format!("SELECT first + records FROM blocks_{id} ORDER BY first DESC LIMIT 1");
    let end: Option<i64> = connection.prepare_cached(&sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(end.map_or(start, |end| start.max(end as u64)))
}

/// Connections for reading what has left memory.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Readers { path, idle: Mutex::default(), permits: Semaphore::new(READERS) }
    }
}

/// Reads from the file, off the runtime's own threads. Everything in `from..end` is durable.
pub(super) async fn read(
    shared: Arc<Shared>,
    index: usize,
    from: u64,
    end: u64,
    limit: Limit,
) -> Result<Vec<Record>, Error> {
    let _permit = shared.readers.permits.acquire().await.map_err(|_| Error::Closed)?;
    let task = {
        let shared = shared.clone();
        tokio::task::spawn_blocking(move || {
            let readers = &shared.readers;
            let idle = lock(&readers.idle).pop();
            let connection = idle.map_or_else(|| open_to_read(&readers.path), Ok)?;
            let records = read_blocks(&connection, &shared.slots[index], from, end, limit)?;
            lock(&readers.idle).push(connection);
            Ok(records)
        })
    };
    task.await.unwrap_or_else(|broken| {
        Err(Error::Storage { operation: "read older records", source: broken.into() })
    })
}

/// Reads block after block until the limit is reached or the partition ends.
fn read_blocks(
    connection: &Connection,
    slot: &Slot,
    from: u64,
    end: u64,
    limit: Limit,
) -> Result<Vec<Record>, Error> {
    let mut found: Vec<Record> = Vec::new();
    let mut bytes_found = 0;
    let mut next = from;
    let mut work = || -> rusqlite::Result<Option<String>> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT first, records, appended_at, crc, bytes FROM blocks_{0}
             WHERE first >= (SELECT max(first) FROM blocks_{0} WHERE first <= ?1) ORDER BY first",
            slot.id
        ))?;
        let mut rows = statement.query([from as i64])?;
        while next < end && found.len() < limit.records.max(1) && bytes_found < limit.bytes.max(1) {
            let Some(row) = rows.next()? else { return Ok(Some("it is missing".into())) };
            let head =
                Head { first: row.get::<_, i64>(0)? as u64, records: row.get(1)?, appended_at: row.get(2)? };
            let bytes = row.get_ref(4)?.as_blob()?;
            if head.checksum(slot.seed, bytes) != row.get::<_, u32>(3)? {
                return Ok(Some("the checksum of its block does not match".into()));
            }
            // The first block may begin before what is wanted, later ones begin where the last one ended.
            if head.first > next || head.end() <= next || (head.first < next && next != from) {
                return Ok(Some("it is missing".into()));
            }
            let Some(records) = head.open(bytes) else {
                return Ok(Some("the lengths in its block do not add up".into()));
            };
            let wanted = records.skip((next - head.first) as usize);
            found.extend(wanted.inspect(|record| bytes_found += record.bytes.len()));
            next = head.end();
        }
        Ok(None)
    };
    let damage = match work() {
        Ok(damage) => damage,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Some(error.to_string())
        }
        Err(error) => return Err(failed("read older records")(error)),
    };
    match damage {
        // What is before the damage is sound and is delivered; the reader meets the damage next.
        Some(reason) if found.is_empty() => {
            let partition = slot.partition;
            let start = start(connection, slot.id).map_err(failed("read a partition's start"))?;
            if from < start {
                return Err(Error::Trimmed { partition, from, start });
            }
            Err(Error::Damaged { partition, position: from, reason })
        }
        _ => {
            found.truncate(limit.fitting(&found));
            Ok(found)
        }
    }
}
