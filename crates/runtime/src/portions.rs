//! Large files that are written beside a log.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom, Write},
    path::Path,
};

/// What is written between two syncs, in bytes.
const PORTION: usize = 4 << 20;

/// A new file that is synced as it grows: whoever else waits for the disk must not wait for all of it at once.
pub(crate) struct InPortions {
    file: File,
    unsynced: usize,
}

impl InPortions {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(InPortions { file: File::create(path)?, unsynced: 0 })
    }

    /// Puts these bytes in place of as many at the beginning. Nothing is written after them.
    pub(crate) fn begin_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(bytes)
    }

    /// Durable once this returns, but for its name in the folder.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for InPortions {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let portion = &bytes[..bytes.len().min(PORTION)];
        let written = self.file.write(portion)?;
        self.unsynced += written;
        if self.unsynced >= PORTION {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
