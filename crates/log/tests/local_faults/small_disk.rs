//! A small file system of its own, and something that fills it.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

pub(crate) struct SmallDisk {
    at: TempDir,
}

impl SmallDisk {
    /// Mounts one in memory. Only root may: elsewhere the test says that it is skipped.
    pub(crate) fn of_mib(size: u32) -> Option<SmallDisk> {
        let at = tempfile::tempdir().expect("tempdir");
        let size = format!("size={size}m");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tributary-test"])
            .arg(at.path())
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(SmallDisk { at }),
            refused => {
                eprintln!("SKIPPED, nothing was tested: a small file system cannot be mounted: {refused:?}");
                None
            }
        }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.at.path().join("data")
    }

    fn ballast(&self) -> PathBuf {
        self.at.path().join("ballast")
    }

    /// Takes all the room there is, but for so many bytes.
    pub(crate) fn fill(&self, leaving: u64) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.ballast()).expect("ballast");
        for size in [1 << 20, 4_096] {
            while write(&mut ballast, size) {}
        }
        let filled = ballast.metadata().expect("its size").len();
        ballast.set_len(filled.saturating_sub(leaving)).expect("leave some");
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("remove the ballast");
    }
}

fn write(ballast: &mut File, size: usize) -> bool {
    match ballast.write_all(&vec![0; size]) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
            false
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.at.path());
    }
}

fn unmount(at: &Path) {
    // Lazily: a failed test may still have files open.
    let done = Command::new("umount").arg("-l").arg(at).status();
    assert!(done.is_ok_and(|status| status.success()), "could not unmount {}", at.display());
}
