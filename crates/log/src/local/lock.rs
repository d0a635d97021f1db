//! One writing process: a lock file beside the log, held for as long as the writer runs. The kernel frees it
//! when the process dies, however it dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
};

use crate::Error;

const FILE: &str = "log.lock";

pub(super) struct ProcessLock {
    /// Open for as long as it is ours.
    _file: File,
}

impl ProcessLock {
    pub(super) fn take(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let failed = |source: io::Error| Error::Storage { operation: "lock the log", source: source.into() };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked { path: path.display().to_string(), hint: hint(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // A full disk may not have room for it, and is no reason not to start.
        let _ = note_holder(&mut file);
        Ok(ProcessLock { _file: file })
    }
}

/// Who holds it is for people to read; the lock itself is the kernel's.
fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn hint(file: &mut File) -> String {
    let mut holder = String::new();
    let known = file.read_to_string(&mut holder).is_ok() && holder.parse::<u32>().is_ok();
    let who = if known { format!("process {holder}") } else { "a process".to_owned() };
    format!("{who} writes this log; stop it first, or give this one another directory")
}
