//! Where each partition ends, noted beside the log.
//!
//! SQLite lets its write-ahead log end at the first frame whose checksum is wrong. That is right for a commit that
//! was cut short, but it is silent when acknowledged commits are damaged, or cut off, before they are folded back.
//! So what was committed is also noted here before it is acknowledged: a cell for each partition, its end with a
//! checksum. A log that ends before its notes has lost records, and is not opened.
//!
//! The notes wait for no sync. When the process dies they are exact; when the machine does, they may be some
//! seconds behind, but never ahead, since what an opener recovers is synced before it is noted. They are written over in place, which needs no room on a full disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

use super::{block, recent::Slot};
use crate::Error;

pub(super) const FILE: &str = "log.ends";

/// Eight bytes of end and four of checksum, little-endian, and four to spare, so that no cell lies across two
/// sectors of a disk. The cell's number is the partition's in the file.
const CELL: usize = 16;

/// What was noted when somebody looked. To be read before the log itself, which only grows.
#[derive(Default)]
pub(super) struct Noted(Vec<u8>);

impl Noted {
    /// Nothing is noted of a log that has no notes.
    pub(super) fn read(dir: &Path) -> Result<Self, Error> {
        match std::fs::read(dir.join(FILE)) {
            Ok(cells) => Ok(Noted(cells)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Noted(Vec::new())),
            Err(error) => Err(failed(error)),
        }
    }

    /// Nothing is known of a log here.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every partition reaches as far as was noted, or [`Error::Damaged`] says which does not.
    pub(super) fn check(&self, slots: &[Slot]) -> Result<(), Error> {
        match slots.iter().find_map(|slot| Some((slot, self.end(slot).filter(|&noted| noted > slot.end())?)))
        {
            None => Ok(()),
            Some((slot, noted)) => Err(Error::Damaged {
                partition: slot.partition,
                position: slot.end(),
                reason: format!(
                    "the log ends here, but records up to {} were acknowledged: its file or write-ahead file is \
                     damaged or older than {FILE}; restore a backup, or, to go on without them, remove {FILE} and \
                     what was made of them, the folders snapshots/ and readmodel/ (subscribers' cursors may have to \
                     begin again)",
                    noted - 1
                ),
            }),
        }
    }

    /// A cell that was cut short by a crash of the machine says nothing.
    fn end(&self, slot: &Slot) -> Option<u64> {
        let cell: [u8; CELL] = self.0.get(place(slot))?.try_into().ok()?;
        let end = u64::from_le_bytes(cell[..8].try_into().ok()?);
        (self::cell(slot, end) == cell).then_some(end)
    }
}

/// The writer's side.
pub(super) struct Ends {
    /// `None` once it could not be written: then the notes stay behind, which is late but not wrong.
    file: Option<File>,
    cells: Vec<u8>,
    /// What differs from the file.
    changed: Range<usize>,
}

impl Ends {
    /// Brings the notes up to what the log says.
    pub(super) fn open(dir: &Path, noted: Noted, slots: &[Slot]) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let open = || OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let mut ends = Ends { file: None, cells: noted.0, changed: 0..0 };
        for slot in slots {
            ends.note(slot);
        }
        ends.changed = 0..ends.cells.len();
        let file = open().map_err(failed)?;
        file.write_all_at(&ends.cells, 0).and_then(|()| file.sync_data()).map_err(failed)?;
        ends.changed = 0..0;
        ends.file = Some(file);
        Ok(ends)
    }

    /// Notes where the slot ends now, to be written with others.
    pub(super) fn note(&mut self, slot: &Slot) {
        let place = place(slot);
        if self.cells.len() < place.end {
            self.cells.resize(place.end, 0);
        }
        self.cells[place.clone()].copy_from_slice(&cell(slot, slot.end()));
        self.changed = match self.changed.is_empty() {
            true => place,
            false => self.changed.start.min(place.start)..self.changed.end.max(place.end),
        };
    }

    pub(super) fn write(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        if let Some(file) = &self.file
            && let Err(error) = file.write_all_at(&self.cells[changed.clone()], changed.start as u64)
        {
            let error: &dyn std::error::Error = &error;
            tracing::error!(
                error,
                "{FILE} cannot be written: damage to the write-ahead log could go unnoticed"
            );
            self.file = None;
        }
    }

    /// For the orderly end.
    pub(super) fn sync(&self) {
        // What does not reach the disk is late, not wrong.
        let _ = self.file.as_ref().map(File::sync_data);
    }
}

fn place(slot: &Slot) -> Range<usize> {
    // SQLite numbers the rows from one, densely.
    let first = slot.id as usize * CELL;
    first..first + CELL
}

fn cell(slot: &Slot, end: u64) -> [u8; CELL] {
    let mut cell = [0; CELL];
    cell[..8].copy_from_slice(&end.to_le_bytes());
    cell[8..12].copy_from_slice(&block::bound_checksum(slot.seed, end).to_le_bytes());
    cell
}

fn failed(source: io::Error) -> Error {
    Error::Storage { operation: "note where the log ends", source: source.into() }
}
