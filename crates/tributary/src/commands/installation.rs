//! An installation as a command finds it: its configuration, and what lies in its data directory, opened for reading.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::Context as _;
use domain::{Policies, Topology, workspace};
use log::Log;
use runtime::Standing;
use vault::Vault;

use crate::{
    args::Source,
    config::{self, Config, KeysAt, Layer, LogAt},
    exit::Unusable,
    key_store,
    layout::{self, Layout},
    opened,
};

/// What stands before the environment's part of the configuration: `TRIBUTARY__HTTP__LISTEN` is `http.listen`.
const PREFIX: &str = "TRIBUTARY__";
/// The configuration that is taken when none is named.
const HERE: &str = "tributary.toml";

pub struct Installation {
    pub config: Config,
    pub layout: Layout,
}

impl Source {
    /// The configuration, with the environment laid over the file.
    pub fn config(&self) -> anyhow::Result<Config> {
        match (&self.config, &self.data) {
            (Some(path), _) => read(path, Vec::new()),
            (None, Some(data)) => Ok(Config { data: data.clone(), ..Config::default() }),
            (None, None) if Path::new(HERE).is_file() => read(Path::new(HERE), Vec::new()),
            (None, None) => Ok(Config::default()),
        }
    }

    pub fn installation(&self) -> anyhow::Result<Installation> {
        let config = self.config()?;
        Ok(Installation { layout: Layout::new(&config.data), config })
    }
}

/// Reads a configuration: the file, the environment over it, and over that what the command line says.
pub fn read(path: &Path, arguments: Vec<Layer>) -> anyhow::Result<Config> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Unusable(format!("could not read the configuration {}: {error}", path.display())))?;
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        // What is not text is none of ours.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    let mut layers = environment(variables);
    layers.extend(arguments);
    Ok(config::read(path, &text, &layers)?)
}

/// The environment's part of the configuration, in the order of the names.
fn environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Layer> {
    let ours: BTreeMap<_, _> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    let layer = |(from, value): (String, String)| Layer {
        key: from[PREFIX.len()..].to_lowercase().replace("__", "."),
        value,
        from,
    };
    ours.into_iter().map(layer).collect()
}

impl Installation {
    /// The log, for reading, with the partition counts it was created with. Works while a server writes it.
    pub fn log(&self) -> anyhow::Result<(Arc<dyn Log>, Topology)> {
        opened::check(&self.config)?;
        if !self.has_log() {
            return Err(self.nothing("log", &self.layout.log()));
        }
        let log = opened::open_to_read(&self.config, &self.layout)?;
        let topology = layout::topology(&*log).context("the log lacks a topic")?;
        Ok((log, topology))
    }

    /// Whether there is a log, as far as can be told without asking anybody.
    pub fn has_log(&self) -> bool {
        self.config.log != LogAt::Local || self.layout.has_log()
    }

    /// For what only the embedded log knows; `instead` is what to do on Kafka.
    pub fn must_be_local(&self, command: &str, instead: &str) -> Result<(), Unusable> {
        match self.config.log {
            LogAt::Local => Ok(()),
            LogAt::Kafka(_) => {
                Err(Unusable(format!("`tributary {command}` is for the embedded log; on Kafka, {instead}")))
            }
        }
    }

    /// The vault that is there; none is made.
    pub fn vault(&self) -> anyhow::Result<Vault> {
        if self.config.keys.store == KeysAt::Sqlite && !self.layout.has_keys() {
            return Err(self.nothing("key store", &self.layout.keys()));
        }
        let found = key_store::vault(&self.config, &self.layout)?;
        Ok(Vault::open(vault::Config { create: false, ..found })?)
    }

    pub fn read_model(&self) -> anyhow::Result<projections::Store> {
        let dir = self.layout.read_model();
        if !self.layout.has_read_model() {
            return Err(Unusable(format!(
                "there is no read model in {}; a server with the role `projections` makes one, and so does \
                 `tributary rebuild`",
                dir.display()
            ))
            .into());
        }
        Ok(projections::Store::open(&dir)?)
    }

    pub fn nothing(&self, what: &str, at: &Path) -> anyhow::Error {
        Unusable(format!(
            "there is no {what} in {}; say which installation is meant by -c FILE or --data DIR",
            at.display()
        ))
        .into()
    }
}

/// The policies in force now, folded from the log.
pub async fn policies(log: &Arc<dyn Log>, topology: Topology) -> anyhow::Result<Policies> {
    let mut policies = Policies::default();
    for number in 0..topology.workspace {
        let mut standing = Standing::<workspace::Decider>::new(number, topology);
        let mut tail = standing.tail(log.clone());
        standing.catch_up(&mut tail).await.context("could not read the workspaces")?;
        standing.partition.state().in_force().all().for_each(|policy| policies.put(policy.clone()));
    }
    Ok(policies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_keys_by_double_underscores() {
        let variables = [
            ("TRIBUTARY__HTTP__LISTEN", "127.0.0.1:1"),
            ("TRIBUTARY__PUBLIC_URL", "https://x.example"),
            ("TRIBUTARY_TOKEN", "secret"),
            ("PATH", "/bin"),
        ];
        let layers =
            environment(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        let keys: Vec<_> = layers.iter().map(|layer| (layer.key.as_str(), layer.value.as_str())).collect();
        assert_eq!(keys, [("http.listen", "127.0.0.1:1"), ("public_url", "https://x.example")]);
        assert_eq!(layers[0].from, "TRIBUTARY__HTTP__LISTEN");
    }

    #[test]
    fn what_is_said_later_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.toml");
        std::fs::write(&path, "data = \"a\"\n[http]\nlisten = \"127.0.0.1:1\"\n").unwrap();
        let layer = Layer { key: "http.listen".into(), value: "127.0.0.1:2".into(), from: "--set".into() };
        let config = read(&path, vec![layer]).unwrap();
        assert_eq!((config.data, config.http.listen), ("a".into(), Some("127.0.0.1:2".parse().unwrap())));
    }

    #[test]
    fn what_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source { data: Some(dir.path().join("none")), ..Source::default() };
        let installation = source.installation().unwrap();
        let missing = installation.log().map(drop).unwrap_err();
        assert!(missing.is::<Unusable>() && missing.to_string().contains("--data DIR"), "{missing}");
        assert!(installation.vault().map(drop).is_err() && installation.read_model().map(drop).is_err());
        assert!(!dir.path().join("none").exists());
    }
}
