//! Places where a vault can be: each has a folder of its own, and its keys there or on a server.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use vault::{Config, KeyStore, MasterKey, Subject, Vault};

#[cfg(feature = "postgres")]
use crate::postgres::{Database, shared};

/// A vault in a folder of its own, as a process would open it.
pub(crate) struct Place {
    folder: TempDir,
    keys: Keys,
}

enum Keys {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres(Database),
}

/// An empty place for each kind of key store that can be had here.
pub(crate) async fn everywhere() -> Vec<Place> {
    let mut places = vec![Place::new()];
    places.extend(Place::on_postgres().await);
    places
}

impl Place {
    /// With the keys in the folder.
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap(), keys: Keys::Sqlite }
    }

    #[cfg(feature = "postgres")]
    pub(crate) async fn on_postgres() -> Option<Place> {
        Some(Place::on(shared()?).await)
    }

    #[cfg(not(feature = "postgres"))]
    pub(crate) async fn on_postgres() -> Option<Place> {
        eprintln!("SKIPPED on PostgreSQL, which this build does not know (--features postgres)");
        None
    }

    #[cfg(feature = "postgres")]
    pub(crate) async fn on(url: &str) -> Place {
        let keys = Keys::Postgres(Database::new(url).await);
        Place { folder: tempfile::tempdir().unwrap(), keys }
    }

    /// Another of the same kind, and as empty as this one was.
    pub(crate) async fn another(&self) -> Place {
        match &self.keys {
            Keys::Sqlite => Place::new(),
            #[cfg(feature = "postgres")]
            Keys::Postgres(database) => Place::on(&database.server).await,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> Config {
        Config { keys: self.keys(), ..Config::new(self.path(), MasterKey::from_bytes([42; 32])) }
    }

    pub(crate) fn keys(&self) -> KeyStore {
        match &self.keys {
            Keys::Sqlite => KeyStore::Sqlite(self.file()),
            #[cfg(feature = "postgres")]
            Keys::Postgres(database) => database.keys(),
        }
    }

    /// Where the keys are on a server.
    #[cfg(feature = "postgres")]
    pub(crate) fn on_server(&self) -> &Database {
        match &self.keys {
            Keys::Postgres(database) => database,
            Keys::Sqlite => panic!("the keys are in the folder"),
        }
    }

    fn file(&self) -> PathBuf {
        self.path().join("keys.sqlite")
    }

    pub(crate) fn open(&self) -> Vault {
        Vault::open(self.config()).unwrap()
    }

    pub(crate) fn open_with_lease(&self, lease: Duration) -> Vault {
        Vault::open(Config { lease, ..self.config() }).unwrap()
    }

    /// The SQLite file, as another process sees it.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).unwrap()
    }

    /// How many parties there are: with a key, or erased.
    pub(crate) async fn parties(&self) -> u64 {
        match &self.keys {
            Keys::Sqlite => {
                self.database().query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).unwrap()
            }
            #[cfg(feature = "postgres")]
            Keys::Postgres(database) => database.number("SELECT count(*) FROM tributary_keys").await,
        }
    }

    pub(crate) async fn wrapped_key(&self, subject: &Subject) -> Vec<u8> {
        match &self.keys {
            Keys::Sqlite => {
                let find = "SELECT wrapped FROM keys WHERE party = ?";
                self.database().query_row(find, [subject.party], |row| row.get(0)).unwrap()
            }
            #[cfg(feature = "postgres")]
            Keys::Postgres(database) => {
                let find = "SELECT wrapped FROM tributary_keys WHERE party = $1";
                database.client().await.query_one(find, &[&&subject.party[..]]).await.unwrap().get(0)
            }
        }
    }

    pub(crate) async fn put_wrapped_key(&self, subject: &Subject, wrapped: &[u8]) {
        let put = match &self.keys {
            Keys::Sqlite => {
                let put = "UPDATE keys SET wrapped = ? WHERE party = ?";
                self.database().execute(put, (wrapped, subject.party)).unwrap() as u64
            }
            #[cfg(feature = "postgres")]
            Keys::Postgres(database) => {
                let put = "UPDATE tributary_keys SET wrapped = $1 WHERE party = $2";
                database.client().await.execute(put, &[&wrapped, &&subject.party[..]]).await.unwrap()
            }
        };
        assert_eq!(put, 1);
    }

    pub(crate) async fn set_format(&self, format: i32) {
        match &self.keys {
            Keys::Sqlite => self.database().pragma_update(None, "user_version", format).unwrap(),
            #[cfg(feature = "postgres")]
            Keys::Postgres(database) => {
                let set = "UPDATE tributary_key_store SET format = $1";
                database.client().await.execute(set, &[&format]).await.unwrap();
            }
        }
    }

    /// As long as what this yields is there, nobody else can write keys.
    pub(crate) async fn hold(&self) -> Hold {
        match &self.keys {
            Keys::Sqlite => {
                let db = self.database();
                db.execute_batch("BEGIN IMMEDIATE").unwrap();
                Hold::Sqlite(db)
            }
            #[cfg(feature = "postgres")]
            Keys::Postgres(database) => {
                let client = database.client().await;
                client.batch_execute("BEGIN; LOCK TABLE tributary_keys IN SHARE MODE").await.unwrap();
                Hold::Postgres(client)
            }
        }
    }

    /// Whether any file's content or name in the folder contains these bytes.
    pub(crate) fn contains(&self, needle: &[u8]) -> bool {
        files(self.path()).iter().any(|file| {
            let name = file.to_str().unwrap().as_bytes();
            [name, &fs::read(file).unwrap()]
                .iter()
                .any(|hay| hay.windows(needle.len()).any(|part| part == needle))
        })
    }

    pub(crate) fn blob_files(&self) -> Vec<PathBuf> {
        files(&self.path().join("blobs"))
    }
}

pub(crate) enum Hold {
    Sqlite(rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Postgres(tokio_postgres::Client),
}

impl Hold {
    pub(crate) async fn release(self) {
        match self {
            Hold::Sqlite(db) => db.execute_batch("ROLLBACK").unwrap(),
            #[cfg(feature = "postgres")]
            Hold::Postgres(client) => client.batch_execute("ROLLBACK").await.unwrap(),
        }
    }
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
