//! The vault from outside, on a real folder.
#![allow(clippy::unwrap_used)]

mod backup;
mod blobs;
mod erasing;
mod sealing;
mod store;

use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;
use vault::{Config, Id, MasterKey, Opened, Subject, Vault};

const ITEM: Id = [1; 16];

/// A marker that ciphertext will not contain by chance.
const SECRET: &[u8] = b"Ann Example lives at 12 Rosebud Lane";

/// A vault in a folder of its own, as a process would open it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self) -> Config {
        Config::new(self.path(), MasterKey::from_bytes([42; 32]))
    }

    fn open(&self) -> Vault {
        Vault::open(self.config()).unwrap()
    }

    fn open_with_lease(&self, lease: Duration) -> Vault {
        Vault::open(Config { lease, ..self.config() }).unwrap()
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path().join("keys.sqlite")).unwrap()
    }

    /// Whether any file's content or name in the folder contains these bytes.
    fn contains(&self, needle: &[u8]) -> bool {
        files(self.path()).iter().any(|file| {
            let name = file.to_str().unwrap().as_bytes();
            [name, &fs::read(file).unwrap()]
                .iter()
                .any(|hay| hay.windows(needle.len()).any(|part| part == needle))
        })
    }

    fn blob_files(&self) -> Vec<std::path::PathBuf> {
        files(&self.path().join("blobs"))
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn subject(vault: &Vault, address: &str) -> Subject {
    Subject { tenant: "acme".into(), party: vault.party("acme", "email", address) }
}

fn plain(bytes: &[u8]) -> Opened {
    Opened::Plain(bytes.to_vec())
}

/// Large enough to become a blob, with the marker at its start and its end.
fn large() -> Vec<u8> {
    [SECRET, &vec![b'.'; vault::INLINE_MAX], SECRET].concat()
}
