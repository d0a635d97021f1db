//! The one thread that writes: takes what gathered, commits it as one transaction with full sync, makes it
//! visible, wakes readers, acknowledges.
//!
//! A full disk refuses the batch, which is then not there, and the writer goes on; so does a file-size limit or a
//! quota. Any other failure leaves the outcome open; the writer stops for good, since a sync that failed once may succeed the second time
//! without having written anything.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::Instant,
};

use rusqlite::{Connection, ErrorCode, Statement};
use tokio::sync::{oneshot, watch};

use super::{
    Shared,
    block::{Block, Head},
    checkpoint::Checkpointer,
    ends::Ends,
    lock::ProcessLock,
    queue::{Append, Pace, Queue, Work},
    room::{Lack, lacking},
};
use crate::{Error, Record, clock};

/// A failure of the disk or the file, told to everybody it concerns.
pub(super) type Failure = Arc<rusqlite::Error>;

/// Starts the thread. The receiver turns true when it has ended and the lock is free.
pub(super) fn start(
    connection: Connection,
    path: PathBuf,
    lock: ProcessLock,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    ends: Ends,
    recent_bytes: usize,
) -> Result<(JoinHandle<()>, watch::Receiver<bool>), Error> {
    let checkpointer = Checkpointer::start(&path)?;
    let (ended, closed) = watch::channel(false);
    let work = move || {
        // Dropped last, and also when this thread panics.
        let _farewell = Farewell { shared: shared.clone(), queue: queue.clone(), lock: Some(lock), ended };
        if let Err(error) = write(&connection, &path, &shared, &queue, checkpointer, ends, recent_bytes) {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "the log's writer stopped; restart the process once the cause is found");
        }
    };
    let thread = std::thread::Builder::new()
        .name("log-writer".into())
        .spawn(work)
        .map_err(|source| Error::Storage { operation: "start the log's writer", source: source.into() })?;
    Ok((thread, closed))
}

struct Farewell {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    lock: Option<ProcessLock>,
    ended: watch::Sender<bool>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.queue.abandon();
        for slot in &self.shared.slots {
            slot.shut();
        }
        self.lock = None;
        self.ended.send_replace(true);
    }
}

fn write(
    connection: &Connection,
    path: &Path,
    shared: &Shared,
    queue: &Queue,
    mut checkpointer: Checkpointer,
    ends: Ends,
    recent_bytes: usize,
) -> Result<(), Failure> {
    let mut writer = Writer::new(connection, path, shared, ends, recent_bytes)?;
    writer.run(queue, &mut checkpointer)?;
    checkpointer.finish(connection)?;
    writer.ends.sync();
    Ok(())
}

pub(super) struct Writer<'a> {
    pub(super) connection: &'a Connection,
    pub(super) shared: &'a Shared,
    path: &'a Path,
    ends: Ends,
    begin: Statement<'a>,
    pub(super) commit: Statement<'a>,
    /// One for each slot, made when it is first needed.
    inserts: Vec<Option<Statement<'a>>>,
    block: Block,
    pace: Pace,
    /// Slots of the batch at hand, whose readers are to be woken.
    touched: Vec<usize>,
    /// Who is told of the batch at hand once readers see it.
    acknowledgements: Vec<(oneshot::Sender<Result<u64, Error>>, u64)>,
    /// What is in memory, oldest first: slot, end, bytes.
    kept: VecDeque<(usize, u64, usize)>,
    kept_bytes: usize,
    kept_bound: usize,
    /// Slots with trimmed records still in the file.
    pub(super) unswept: Vec<usize>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        path: &'a Path,
        shared: &'a Shared,
        ends: Ends,
        kept_bound: usize,
    ) -> rusqlite::Result<Self> {
        let slots = &shared.slots;
        Ok(Writer {
            connection,
            shared,
            path,
            ends,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            inserts: slots.iter().map(|_| None).collect(),
            block: Block::default(),
            pace: Pace::default(),
            touched: Vec::new(),
            acknowledgements: Vec::new(),
            kept: VecDeque::new(),
            kept_bytes: 0,
            kept_bound,
            // A trim may have been cut short by the end of the last process.
            unswept: (0..slots.len()).filter(|&slot| slots[slot].start() > 0).collect(),
        })
    }

    /// Works until the queue is closed and empty.
    fn run(&mut self, queue: &Queue, checkpointer: &mut Checkpointer) -> Result<(), Failure> {
        let mut work = Work::default();
        while queue.take(&mut work, self.unswept.is_empty(), &self.pace) {
            let pages = self.turn(&mut work)?;
            checkpointer.after_commit(self.connection, pages)?;
        }
        Ok(())
    }

    /// Does what gathered, and a bounded piece of what can wait. Yields about how many pages that wrote.
    pub(super) fn turn(&mut self, work: &mut Work) -> Result<usize, Failure> {
        let mut pages = 0;
        if !work.trims.is_empty() {
            pages += self.trim(&mut work.trims)?;
        }
        if !work.appends.is_empty() {
            pages += self.append(&mut work.appends)?;
        }
        if let Some(index) = self.unswept.pop() {
            pages += self.sweep(index)?;
        }
        Ok(pages)
    }

    /// Commits the appends as one transaction and answers them. Yields about how many pages that wrote.
    fn append(&mut self, appends: &mut Vec<Append>) -> Result<usize, Failure> {
        let began = Instant::now();
        let appended_at = clock::now();
        // Brings each partition's appends together, in the order in which they came.
        appends.sort_by_key(|append| append.slot);
        let pages = match self.commit_appends(appends, appended_at) {
            Ok(size) => {
                self.pace = Pace { appends: appends.len(), took: began.elapsed() };
                self.shared.meters.committed(appends.len(), size.records, size.bytes, self.pace.took);
                self.publish(appends, appended_at);
                // What they fill, and of each block's table an edge and its parent.
                1 + 2 * size.blocks + size.bytes / 4_096
            }
            Err(error) => {
                self.refuse(appends, error)?;
                0
            }
        };
        Ok(pages)
    }

    /// Nobody else should write to the file; who does all the same holds us up, and that is all.
    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        loop {
            match self.begin.execute([]) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    tracing::warn!("appends wait: somebody else holds the write lock of the log's file");
                }
                outcome => return outcome.map(drop),
            }
        }
    }

    fn commit_appends(&mut self, appends: &[Append], appended_at: i64) -> rusqlite::Result<Size> {
        let mut size = Size::default();
        self.begin()?;
        for together in appends.chunk_by(|one, next| one.slot == next.slot) {
            let index = together[0].slot;
            let slot = &self.shared.slots[index];
            let insert = match &mut self.inserts[index] {
                Some(insert) => insert,
                none => none.insert(self.connection.prepare(&format!(
                    "INSERT INTO blocks_{} (first, records, appended_at, crc, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
                    slot.id
                ))?),
            };
            let mut first = slot.end();
            let mut records = together.iter().flat_map(|append| &append.records);
            while self.block.fill(&mut records) {
                let head = Head { first, records: self.block.records(), appended_at };
                let bytes = self.block.seal();
                let crc = head.checksum(slot.seed, bytes);
                insert.execute((first as i64, head.records, appended_at, crc, bytes))?;
                first = head.end();
                size.blocks += 1;
                size.records += head.records as usize;
                size.bytes += bytes.len();
            }
        }
        self.commit.execute([])?;
        Ok(size)
    }

    /// Makes the batch visible to readers, notes how far it reaches, then acknowledges it.
    fn publish(&mut self, appends: &mut Vec<Append>, appended_at: i64) {
        for Append { slot, records, done } in appends.drain(..) {
            let size = records.iter().map(|bytes| bytes.len() + size_of::<Record>()).sum();
            let end = self.shared.slots[slot].publish(appended_at, records);
            self.keep(slot, end, size);
            self.acknowledgements.push((done, end.saturating_sub(1)));
            if self.touched.last() != Some(&slot) {
                self.touched.push(slot);
            }
        }
        for &slot in &self.touched {
            self.ends.note(&self.shared.slots[slot]);
        }
        self.ends.write();
        for slot in self.touched.drain(..) {
            self.shared.slots[slot].announce();
        }
        for (done, last) in self.acknowledgements.drain(..) {
            // Who dropped the future does not want to know.
            let _ = done.send(Ok(last));
        }
    }

    /// Notes what a slot now has in memory, and lets the oldest of all slots go for it.
    fn keep(&mut self, slot: usize, end: u64, size: usize) {
        self.kept.push_back((slot, end, size));
        self.kept_bytes += size;
        while self.kept_bytes > self.kept_bound
            && let Some((slot, end, size)) = self.kept.pop_front()
        {
            self.shared.slots[slot].forget(end);
            self.kept_bytes -= size;
        }
    }

    /// Answers a batch that failed. An error of its own means that the writer cannot go on.
    fn refuse(&mut self, appends: &mut Vec<Append>, error: rusqlite::Error) -> Result<(), Failure> {
        let undone = self.undo(error);
        for Append { slot, done, .. } in appends.drain(..) {
            let unknown = |source: &Failure| Error::Unknown {
                partition: self.shared.slots[slot].partition,
                source: Some(source.clone().into()),
            };
            let error = match &undone {
                Ok((Lack::Page, _)) => Error::DiskFull,
                Ok((Lack::Index, error)) | Err(error) => unknown(error),
            };
            self.shared.meters.refused(&error);
            // Who dropped the future does not want to know.
            let _ = done.send(Err(error));
        }
        undone.map(drop)
    }

    /// Leaves the transaction that failed. Yields what there was no room for; any other failure is the end.
    pub(super) fn undo(&self, error: rusqlite::Error) -> Result<(Lack, Failure), Failure> {
        let Some(lack) = lacking(self.path, &error) else { return Err(error.into()) };
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        Ok((lack, error.into()))
    }
}

/// How much a batch wrote.
#[derive(Default)]
struct Size {
    blocks: usize,
    records: usize,
    bytes: usize,
}
