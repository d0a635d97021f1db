//! Trimming: a partition's start moves at once, and what is below it leaves the file little by little.
//!
//! Each turn of the writer removes a bounded piece, between the appends of that turn and those of the next, so
//! nobody waits for a large trim. The pages it frees are used again; the file does not shrink.

use super::{
    block::bound_checksum,
    queue::Trim,
    room::Lack,
    writer::{Failure, Writer},
};
use crate::Error;

/// How many trimmed bytes one turn of the writer removes from the file, about: one block is always removed.
const PIECE: usize = 1 << 20;

impl Writer<'_> {
    /// Moves the starts of partitions; the records below are removed turn by turn.
    pub(super) fn trim(&mut self, trims: &mut Vec<Trim>) -> Result<usize, Failure> {
        let undone = match self.move_starts(trims) {
            Ok(()) => {
                for trim in trims.drain(..) {
                    self.shared.slots[trim.slot].trim(self.start_after(&trim));
                    if !self.unswept.contains(&trim.slot) {
                        self.unswept.push(trim.slot);
                    }
                    let _ = trim.done.send(Ok(()));
                }
                return Ok(2);
            }
            Err(error) => self.undo(error),
        };
        for trim in trims.drain(..) {
            let error = match &undone {
                Ok((Lack::Page, _)) => Error::DiskFull,
                Ok((Lack::Index, failure)) | Err(failure) => {
                    Error::Storage { operation: "trim a partition", source: failure.clone().into() }
                }
            };
            let _ = trim.done.send(Err(error));
        }
        undone.map(|_| 0)
    }

    fn start_after(&self, trim: &Trim) -> u64 {
        let slot = &self.shared.slots[trim.slot];
        trim.before.min(slot.end()).max(slot.start())
    }

    fn move_starts(&mut self, trims: &[Trim]) -> rusqlite::Result<()> {
        self.begin()?;
        for trim in trims {
            let (slot, start) = (&self.shared.slots[trim.slot], self.start_after(trim));
            self.connection.execute(
                "UPDATE partitions SET start = ?2, crc = ?3 WHERE id = ?1 AND start < ?2",
                (slot.id, start as i64, bound_checksum(slot.seed, start)),
            )?;
        }
        self.commit.execute([]).map(drop)
    }

    /// Removes some of a slot's trimmed records from the file, and comes back to it if there are more.
    pub(super) fn sweep(&mut self, index: usize) -> Result<usize, Failure> {
        match self.remove_some(index) {
            Ok(None) => Ok(0),
            Ok(Some(pages)) => {
                self.unswept.push(index);
                Ok(pages)
            }
            Err(error) => {
                self.undo(error)?;
                tracing::warn!(partition = %self.shared.slots[index].partition, "the disk is full: trimmed records stay for now");
                Ok(0)
            }
        }
    }

    /// Yields about how many pages that wrote, or nothing when there was nothing to remove.
    fn remove_some(&mut self, index: usize) -> rusqlite::Result<Option<usize>> {
        let (id, start) = (self.shared.slots[index].id, self.shared.slots[index].start());
        let connection = self.connection;
        // The length of a block is known without reading it.
        let mut blocks = connection.prepare_cached(&format!(
            "SELECT first, length(bytes) FROM blocks_{id} WHERE first + records <= ?1 ORDER BY first"
        ))?;
        let mut rows = blocks.query([start as i64])?;
        let (mut last, mut bytes, mut found) = (0, 0, 0);
        while bytes < PIECE
            && let Some(row) = rows.next()?
        {
            last = row.get::<_, i64>(0)?;
            bytes += row.get::<_, usize>(1)?;
            found += 1;
        }
        drop(rows);
        if found == 0 {
            return Ok(None);
        }
        self.begin()?;
        let remove = format!("DELETE FROM blocks_{id} WHERE first <= ?1");
        connection.prepare_cached(&remove)?.execute([last])?;
        self.commit.execute([])?;
        Ok(Some(found))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use rusqlite::Connection;
    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        Topic,
        local::{
            Shared, disk,
            ends::{Ends, Noted},
            queue::{Append, Work},
        },
    };

    const TOPIC: Topic = Topic("orders");

    /// A writer without its thread: the test takes its turns.
    fn with_writer(story: impl FnOnce(&Connection, &Shared, &mut Writer<'_>)) {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join(disk::FILE);
        let mut connection = disk::open_to_write(&path, true, None).expect("open");
        disk::lay_out(&mut connection, TOPIC, 2).expect("lay out");
        let shared = Arc::new(Shared::load(&connection, path.clone(), &[TOPIC]).expect("load"));
        let ends =
            Ends::open(dir.path(), Noted::read(dir.path()).expect("read"), &shared.slots).expect("notes");
        let mut writer = Writer::new(&connection, &path, &shared, ends, 0).expect("a writer");
        story(&connection, &shared, &mut writer);
    }

    fn append(slot: usize, records: Vec<Bytes>) -> (Work, oneshot::Receiver<Result<u64, Error>>) {
        let (done, outcome) = oneshot::channel();
        (Work { appends: vec![Append { slot, records, done }], trims: Vec::new() }, outcome)
    }

    fn trim(slot: usize, before: u64) -> Work {
        let (done, _) = oneshot::channel();
        Work { appends: Vec::new(), trims: vec![Trim { slot, before, done }] }
    }

    fn stored(connection: &Connection) -> (u64, usize) {
        let count = "SELECT coalesce(sum(records), 0), coalesce(sum(length(bytes)), 0) FROM blocks_1";
        connection.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("count")
    }

    #[test]
    fn an_append_waits_for_a_bounded_piece_of_a_large_trim() {
        with_writer(|connection, shared, writer| {
            const RECORDS: u64 = 1_000_000;
            let record = Bytes::from_static(b"a record of some bytes");
            for _ in 0..10 {
                let records = vec![record.clone(); RECORDS as usize / 10];
                writer.turn(&mut append(0, records).0).expect("fill");
            }
            writer.turn(&mut trim(0, RECORDS)).expect("trim");
            assert_eq!(shared.slots[0].start(), RECORDS, "readers see the trim at once");

            let mut turns = 0;
            while !writer.unswept.is_empty() {
                let (_, before) = stored(connection);
                let (mut work, mut outcome) = append(1, vec![record.clone()]);
                writer.turn(&mut work).expect("a turn");
                assert_eq!(outcome.try_recv().expect("answered in its turn").expect("append"), turns);
                let (_, after) = stored(connection);
                assert!(before - after < PIECE + (64 << 10), "{} bytes went in one turn", before - after);
                turns += 1;
            }
            assert_eq!(stored(connection), (0, 0));
            assert!(turns > 20, "it took {turns} turns");
        });
    }

    #[test]
    fn large_records_leave_one_by_one() {
        with_writer(|connection, _, writer| {
            let large = Bytes::from(vec![7; 3 << 20]);
            for _ in 0..4 {
                writer.turn(&mut append(0, vec![large.clone()]).0).expect("fill");
            }
            for left in (0..4).rev() {
                // The first of these turns also takes the trim itself.
                writer.turn(&mut trim(0, 4)).expect("a turn");
                assert_eq!(stored(connection).0, left);
            }
        });
    }
}
