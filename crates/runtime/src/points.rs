//! A sparse index of places where a reader may start: every few thousand records, the position, the epoch that rules
//! there and its last number. Whoever wants to read near the end need not learn from the beginning who ruled when.
//!
//! One file a partition, `points.index`, beside its snapshots. It holds entries of one size, each with a mark of the
//! record it stands behind. What is missing, damaged, or of another log is found by that and made again from the log:
//! the index saves time, and is never trusted further. Where snapshots are mirrored, so is the index, and who has none
//! takes it from there.

use std::{fs, io, io::Write as _, path::PathBuf, sync::Arc, time::Duration};

use domain::{Epoch, Peer, workspace};
use log::{Log, Record, Tail};
use wire::{Judgement, Point, Reader};

use crate::{Error, Mark, Snapshots, off_thread::off_thread, standing::log_of};

/// Records between two points, at least.
const SPACING: u64 = 4_096;
/// After a failure.
const PAUSE: Duration = Duration::from_secs(60);
const ENTRY: usize = 56;

/// Where the points of all partitions are kept.
#[derive(Clone, Debug)]
pub struct Points {
    beside: Snapshots,
    spacing: u64,
}

/// A point, and the record that it stands behind.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Entry {
    point: Point,
    last: u64,
    mark: Mark,
}

impl Points {
    pub fn new(beside: Snapshots) -> Self {
        Points { beside, spacing: SPACING }
    }

    /// With points at least `records` apart.
    pub fn with_spacing(self, records: u64) -> Self {
        Points { spacing: records.max(1), ..self }
    }

    /// The last known point at or before `position` of a partition's decisions: the beginning, where none is known.
    pub async fn before(&self, log: &dyn Log, peer: Peer, position: u64) -> Point {
        self.last(log, peer, |entry| entry.point.position <= position).await
    }

    /// The last known point before the epoch that rules at the end began to: the beginning, where none is known.
    pub async fn before_epoch(&self, log: &dyn Log, peer: Peer, ruling: Epoch) -> Point {
        self.last(log, peer, |entry| entry.point.epoch != Some(ruling)).await
    }

    /// The last of the points before the first that is not `wanted`, if it stands in the log.
    async fn last(&self, log: &dyn Log, peer: Peer, mut wanted: impl FnMut(&Entry) -> bool) -> Point {
        let Ok(Ok(mut entries)) = self.read(peer).await else { return Point::default() };
        if entries.is_empty() {
            entries = self.mirrored(peer).await;
        }
        match entries.iter().take_while(|entry| wanted(entry)).last() {
            Some(entry) if entry.stands_in(log, peer).await => entry.point,
            _ => Point::default(),
        }
    }

    /// Adds the points that are missing, through what stands in the log now. Yields from where on the next is due.
    pub async fn extend(&self, log: Arc<dyn Log>, peer: Peer) -> Result<u64, Error> {
        let entries =
            self.read(peer).await.map_err(stopped)?.map_err(|source| self.failed("read", peer, source))?;
        let entries = match entries.is_empty() {
            true => self.adopt(peer).await?,
            false => entries,
        };
        let last = match entries.last() {
            None => Point::default(),
            Some(entry) if entry.stands_in(&*log, peer).await => entry.point,
            Some(_) => {
                tracing::warn!(%peer, "the index of reading points is of another log, and is made again");
                self.write(peer, 0, Vec::new()).await?;
                Point::default()
            }
        };
        let kept = if last.position == 0 { 0 } else { entries.len() };
        let failed = |operation| move |source| Error::Log { peer, operation, source };
        let end = log.end(log_of(peer)).await.map_err(failed("find the end of the log"))?;
        let mut tail = Tail::new(log, log_of(peer), last.position);
        // Who counts is told by headers alone, which are the same for every aggregate.
        let mut reader = Reader::<workspace::Decider>::new(last);
        let (mut last, mut found) = (last, Vec::new());
        while tail.next_position() < end {
            let records = tail.ready().await.map_err(failed("read the log"))?;
            if records.is_empty() {
                break;
            }
            for Record { position, bytes, .. } in records {
                let judged = reader.judge(position, &bytes);
                let judged = judged.map_err(|source| Error::Unreadable { peer, position, source })?;
                if matches!(judged, Judgement::Accepted(_)) && position + 1 >= last.position + self.spacing {
                    last = reader.point();
                    found.push(Entry { point: last, last: position, mark: Mark::of(&bytes) });
                }
            }
            // A log in memory never makes us wait; others want to run too.
            tokio::task::yield_now().await;
        }
        if !found.is_empty() {
            self.write(peer, kept, found).await?;
        }
        let due = last.position + self.spacing;
        // Where nothing counted for that long, look again after as much more.
        Ok(if due > tail.next_position() { due } else { tail.next_position() + self.spacing })
    }

    /// Keeps the index of a partition as the log grows. Never ends.
    pub(crate) async fn keep(self, log: Arc<dyn Log>, peer: Peer) {
        loop {
            let extended = self.extend(log.clone(), peer).await;
            let grown = match extended {
                Ok(due) => log.wait(log_of(peer), due).await,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "no more reading points for now"
                    );
                    tokio::time::sleep(PAUSE).await;
                    Ok(())
                }
            };
            if grown.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn path(&self, peer: Peer) -> PathBuf {
        self.beside.dir_of(peer).join("points.index")
    }

    /// The entries up to the first that is damaged.
    async fn read(&self, peer: Peer) -> Result<io::Result<Vec<Entry>>, tokio::task::JoinError> {
        let path = self.path(peer);
        let read = move || match fs::read(path) {
            Ok(bytes) => Ok(Entry::decode_all(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        off_thread(read).await
    }

    /// The entries in the mirror.
    async fn mirrored(&self, peer: Peer) -> Vec<Entry> {
        let Some(mirror) = self.beside.mirror() else { return Vec::new() };
        mirror.points(peer).await.map(|bytes| Entry::decode_all(&bytes)).unwrap_or_default()
    }

    /// Puts those here.
    async fn adopt(&self, peer: Peer) -> Result<Vec<Entry>, Error> {
        let entries = self.mirrored(peer).await;
        if !entries.is_empty() {
            self.write(peer, 0, entries.clone()).await?;
        }
        Ok(entries)
    }

    /// Puts the entries behind the first `kept`, and drops what else was there. Not synced: what a crash leaves out or
    /// spoils is found when it is read.
    async fn write(&self, peer: Peer, kept: usize, entries: Vec<Entry>) -> Result<(), Error> {
        let (path, dir) = (self.path(peer), self.beside.dir_of(peer));
        let write = move || -> io::Result<()> {
            fs::create_dir_all(dir)?;
            let mut file = fs::OpenOptions::new().append(true).create(true).open(path)?;
            file.set_len((kept * ENTRY) as u64)?;
            file.write_all(&entries.iter().flat_map(Entry::encode).collect::<Vec<_>>())
        };
        let written = off_thread(write).await.map_err(stopped)?;
        written.map_err(|source| self.failed("write", peer, source))
    }

    fn failed(&self, operation: &'static str, peer: Peer, source: io::Error) -> Error {
        Error::Points { operation, path: self.path(peer).display().to_string(), source }
    }
}

fn stopped(source: tokio::task::JoinError) -> Error {
    Error::Fold { source }
}

impl Entry {
    /// Whether the log has the record that this stands behind.
    async fn stands_in(&self, log: &dyn Log, peer: Peer) -> bool {
        let found = Mark::before(log, peer, self.last.saturating_add(1)).await;
        found.is_ok_and(|found| found == Some(self.mark))
    }

    fn encode(&self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&self.point.position.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.point.seq.to_be_bytes());
        // Behind an accepted record somebody rules.
        bytes[16..32].copy_from_slice(&self.point.epoch.map_or([0; 16], |epoch| epoch.0));
        bytes[32..40].copy_from_slice(&self.last.to_be_bytes());
        bytes[40..48].copy_from_slice(&self.mark.0);
        let check = Mark::of(&bytes[..48]);
        bytes[48..].copy_from_slice(&check.0);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Entry> {
        let bytes: &[u8; ENTRY] = bytes.try_into().ok()?;
        let number = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
        if Mark::of(&bytes[..48]).0 != bytes[48..] {
            return None;
        }
        let epoch = Some(Epoch(std::array::from_fn(|i| bytes[16 + i])));
        let point = Point { position: number(0), epoch, seq: number(8) };
        Some(Entry { point, last: number(32), mark: Mark(std::array::from_fn(|i| bytes[40 + i])) })
    }

    fn decode_all(bytes: &[u8]) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for entry in bytes.chunks(ENTRY).map_while(Entry::decode) {
            if entries.last().is_some_and(|last| entry.point.position <= last.point.position) {
                break;
            }
            entries.push(entry);
        }
        entries
    }
}
