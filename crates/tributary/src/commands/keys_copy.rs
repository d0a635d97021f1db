//! `tributary keys copy`: the key store moves from one kind of database to another.

use std::{
    fmt,
    io::{self, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use vault::MasterKey;

use crate::{
    args::Source,
    config::{Config, KeysAt},
    exit::{self, Unusable},
    key_store,
    layout::Layout,
    progress::Progress,
};

const EXAMPLES: &str = "\
Examples:
  tributary keys copy --from sqlite:data/keys/keys.sqlite --to env:KEYS_URL
  tributary keys copy --from postgres://keys@db.example.com/keys --to sqlite:keys.sqlite

To grow from one machine to many: stop every process, copy, write keys.store and
vault.master_key into the configuration of each, and start them. What is erased from then on is
erased in the copy alone, so destroy the store it came from, and its backups, once all runs well.

Exit codes: 0 done, 1 failed, 2 usage or configuration.";

/// Works with the key store as a whole
#[derive(Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Copy(CopyArgs),
}

/// Copies all keys to another place, as they stand
///
/// From SQLite to PostgreSQL, or back. Where they go there must be no keys yet, and nobody may use either meanwhile: who
/// tries is told to come back. Afterwards the copy is opened with the master key and counted. The keys stay wrapped by
/// the same master key, which is not copied. Blobs are not in the key store, and stay where they are.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
struct CopyArgs {
    /// sqlite:FILE, postgres://USER@HOST/DATABASE, or env:NAME or file:PATH of such a URL, with its password
    #[arg(long, value_name = "STORE")]
    from: Place,
    /// The same; made where there is none
    #[arg(long, value_name = "STORE")]
    to: Place,
    /// Names the master key [default: tributary.toml where there is one; else master.key beside the SQLite file]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, PartialEq, Debug)]
enum Place {
    Sqlite(PathBuf),
    Server(KeysAt),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sqlite:") {
            Some(file) if !file.is_empty() => Ok(Place::Sqlite(file.into())),
            None if text != "sqlite" => Ok(Place::Server(KeysAt::try_from(text.to_owned())?)),
            _ => Err("write sqlite:FILE, as in sqlite:data/keys/keys.sqlite".into()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Place::Server(KeysAt::Postgres(url)) => f.write_str(url),
            Place::Server(KeysAt::Named(secret)) => fmt::Display::fmt(secret, f),
            Place::Server(KeysAt::Sqlite) => f.write_str("sqlite"),
        }
    }
}

impl Place {
    fn file(&self) -> Option<&Path> {
        match self {
            Place::Sqlite(file) => Some(file),
            Place::Server(_) => None,
        }
    }

    fn key_store(&self) -> anyhow::Result<vault::KeyStore> {
        match self {
            Place::Sqlite(file) => Ok(vault::KeyStore::Sqlite(file.clone())),
            Place::Server(at) => key_store::at(at, Path::new("")),
        }
    }

    /// As far as it can be told, nobody uses it: a file's process holds the lock of the log beside it.
    fn must_be_quiet(&self) -> anyhow::Result<()> {
        let data = self.file().and_then(Path::parent).and_then(Path::parent);
        match data.map(|data| Layout::new(data).writer()).transpose()?.flatten() {
            Some(writer) => Err(Unusable(format!("{writer} uses {self}: stop it first")).into()),
            None => Ok(()),
        }
    }
}

pub async fn run(args: KeysArgs) -> anyhow::Result<u8> {
    let Command::Copy(CopyArgs { from, to, config }) = args.command;
    if from == to {
        return Err(Unusable("that is one key store, twice".into()).into());
    }
    let config = Source { config, data: None }.config()?;
    let (source, target) = (from.key_store()?, to.key_store()?);
    let master = master_key(&config, &from, &to)?;
    if from.file().is_some_and(|file| !file.is_file()) {
        return Err(Unusable(format!("there is no key store in {from}")).into());
    }
    from.must_be_quiet()?;
    to.must_be_quiet()?;
    if let Some(folder) = to.file().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("could not make the folder {}", folder.display()))?;
    }
    let copied = tokio::task::spawn_blocking(move || {
        let progress = Progress::new("copying");
        vault::copy_keys(&source, &target, &master, &|done, total| progress.at(done, total))
    });
    let parties = copied.await?.with_context(|| format!("could not copy {from} to {to}"))?;
    writeln!(
        io::stdout(),
        "the keys of {parties} parties in {from} stand in {to} as well, counted and opened with the master key\n\
         {from} is as it was: let nobody use it again, and destroy it once all runs well with {to}"
    )
    .map_err(exit::writing)?;
    Ok(exit::DONE)
}

/// The one that is configured, or the one that lies beside a SQLite file.
fn master_key(config: &Config, from: &Place, to: &Place) -> anyhow::Result<MasterKey> {
    if config.vault.master_key.is_some() {
        return Layout::new(&config.data).master_key(config);
    }
    let beside = [from, to].into_iter().filter_map(Place::file).map(|file| file.with_file_name("master.key"));
    match beside.clone().find(|key| key.is_file()) {
        Some(key) => Ok(MasterKey::read(&key)?),
        None => Err(Unusable(
            "there is no master key beside a SQLite file, and none is configured: name a configuration with \
             vault.master_key by -c FILE"
                .into(),
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for text in
            ["sqlite:data/keys/keys.sqlite", "postgres://keys@db/keys", "env:KEYS_URL", "file:/etc/keys.url"]
        {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in ["", "sqlite", "sqlite:", "data/keys.sqlite", "postgres://keys:hunter2@db/keys"] {
            let refused = text.parse::<Place>().unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
