//! Where an installation keeps what it keeps, under its one data directory.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use domain::{Kind, Topology};
use log::{Log, Topic};
use vault::MasterKey;

use crate::config::Config;

#[derive(Clone, Debug)]
pub struct Layout {
    data: PathBuf,
}

impl Layout {
    pub fn new(data: &Path) -> Self {
        Layout { data: data.to_owned() }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    pub fn log(&self) -> PathBuf {
        self.data.join("log")
    }

    /// The key store and the sealed blobs.
    pub fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// Where the master key is, unless the configuration names another place.
    pub fn master_key_file(&self) -> PathBuf {
        self.keys().join("master.key")
    }

    pub fn read_model(&self) -> PathBuf {
        self.data.join("readmodel")
    }

    pub fn snapshots(&self) -> PathBuf {
        self.data.join("snapshots")
    }

    /// What the sandbox senders sent.
    pub fn outbox(&self) -> PathBuf {
        self.data.join("outbox")
    }

    pub fn has_log(&self) -> bool {
        self.log().join("log.sqlite").is_file()
    }

    /// The key store, unless the configuration names another place.
    pub fn key_store_file(&self) -> PathBuf {
        self.keys().join("keys.sqlite")
    }

    pub fn has_keys(&self) -> bool {
        self.key_store_file().is_file()
    }

    pub fn has_read_model(&self) -> bool {
        self.read_model().join("readmodel.sqlite").is_file()
    }

    /// The master key that the configuration names, or `keys/master.key`, which is created together with the key
    /// store but never after it: another key would open nothing.
    pub fn master_key(&self, config: &Config) -> anyhow::Result<MasterKey> {
        let Some(secret) = &config.vault.master_key else {
            let path = self.master_key_file();
            let key = if self.has_keys() { MasterKey::read(&path) } else { MasterKey::create_or_read(&path) };
            return Ok(key?);
        };
        // A reference names its kind and place; the vault reads the key from there itself and keeps it wiped.
        match secret.to_string().split_once(':') {
            Some(("env", name)) => Ok(MasterKey::from_env(name)?),
            Some(("file", path)) => Ok(MasterKey::read(Path::new(path))?),
            _ => anyhow::bail!("vault.master_key is named by `env:NAME` or `file:PATH`, not written down"),
        }
    }

    /// Who writes the log now: nobody, or the process that holds its lock, by its id where that is known.
    pub fn writer(&self) -> anyhow::Result<Option<String>> {
        let path = self.log().join("log.lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("could not open {}", path.display())),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(&path).unwrap_or_default();
                let known = holder.trim().parse::<u32>().is_ok();
                Ok(Some(if known { format!("process {}", holder.trim()) } else { "a process".into() }))
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("could not look at the lock {}", path.display()))
            }
        }
    }
}

/// Every topic; a log that exists knows how many partitions each has.
pub fn every_topic() -> Vec<Topic> {
    Kind::ALL.into_iter().flat_map(|kind| [Topic(kind.intake_topic()), Topic(kind.log_topic())]).collect()
}

/// Every topic, with its number of partitions.
pub fn topics(topology: Topology) -> Vec<(Topic, u32)> {
    let of = |kind: Kind| {
        let count = topology.partitions(kind);
        [(Topic(kind.intake_topic()), count), (Topic(kind.log_topic()), count)]
    };
    Kind::ALL.into_iter().flat_map(of).collect()
}

/// The partition counts that a log was created with.
pub fn topology(log: &dyn Log) -> Result<Topology, log::Error> {
    let count = |kind: Kind| log.partitions(Topic(kind.log_topic()));
    Ok(Topology {
        conversation: count(Kind::Conversation)?,
        desk: count(Kind::Desk)?,
        delivery: count(Kind::Delivery)?,
        contact: count(Kind::Contact)?,
        workspace: count(Kind::Workspace)?,
    })
}

#[cfg(test)]
mod tests {
    use log::{LocalConfig, LocalLog};

    use super::*;
    use crate::config::Secret;

    fn config(data: &Path) -> Config {
        Config { data: data.into(), ..Config::default() }
    }

    #[tokio::test]
    async fn a_log_tells_its_topology_and_its_writer() {
        let data = tempfile::tempdir().unwrap();
        let layout = Layout::new(data.path());
        let counts = Topology { conversation: 3, desk: 2, delivery: 4, contact: 1, workspace: 1 };
        assert_eq!(layout.writer().unwrap(), None);
        let log = LocalLog::open(&layout.log(), &topics(counts), LocalConfig::default()).unwrap();
        assert!(layout.has_log());
        assert_eq!(topology(&log).unwrap(), counts);
        assert_eq!(layout.writer().unwrap(), Some(format!("process {}", std::process::id())));
        log.close().await;
        assert_eq!(layout.writer().unwrap(), None);
    }

    #[test]
    fn a_lost_master_key_is_not_replaced() {
        let data = tempfile::tempdir().unwrap();
        let layout = Layout::new(data.path());
        let config = config(data.path());
        let key = layout.master_key(&config).unwrap();
        drop(vault::Vault::open(vault::Config::new(layout.keys(), key)).unwrap());
        let again = layout.master_key(&config).unwrap();
        drop(vault::Vault::open(vault::Config::new(layout.keys(), again)).unwrap());
        std::fs::remove_file(layout.keys().join("master.key")).unwrap();
        assert!(layout.master_key(&config).is_err());
        assert!(!layout.keys().join("master.key").exists());
    }

    #[test]
    fn a_named_master_key_is_read_from_where_it_is() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("key");
        std::fs::write(&path, "07".repeat(32)).unwrap();
        let mut config = config(data.path());
        let layout = Layout::new(data.path());
        config.vault.master_key = Some(Secret::reference(format!("file:{}", path.display())));
        layout.master_key(&config).unwrap();
        config.vault.master_key = Some(Secret::reference("07".repeat(32)));
        let error = layout.master_key(&config).unwrap_err().to_string();
        assert!(error.contains("not written down") && !error.contains("0707"), "{error}");
    }
}
