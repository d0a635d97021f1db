//! `tributary backup`, and what `tributary restore` shares with it.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use log::{LocalLog, Log, Tail, clock};
use serde::{Deserialize, Serialize};

use super::installation::Installation;
use crate::{
    args::Source,
    config::KeysAt,
    exit::{self, Unusable},
    layout::{Layout, every_topic},
    progress::Progress,
};

const EXAMPLES: &str = "\
Examples:
  tributary backup -c tributary.toml /backups/2026-11-22
  tributary backup --data data /backups/today

Whoever has a backup and the master key can read what people wrote. A backup keeps the keys it was taken with: what
was destroyed later can still be read with it, so let old ones go in time.

Exit codes: 0 done, 1 failed, 2 usage or configuration.";

/// Copies all that cannot be made again, also while a server runs
///
/// One moment of the log, then the keys, the sealed blobs and the master key, unless the configuration keeps them
/// elsewhere. Timelines and snapshots are left out: they are made again from the log. Every record of the copy is read once.
/// The backup has its name only when it is whole; until then it is DIR.part.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct BackupArgs {
    #[command(flatten)]
    source: Source,
    /// The backup; a folder that does not exist yet
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

/// What a backup says of itself, in `backup.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// Of the Tributary that took it.
    pub version: String,
    pub taken_at: Timestamp,
    pub records: u64,
    pub parties: u64,
    pub blobs: u64,
    pub master_key: bool,
    /// BLAKE3 of the key store's file, whose keys only the master key could check. Records and blobs are checked by
    /// themselves.
    pub keys_blake3: String,
}

const MANIFEST: &str = "backup.toml";
const FORMAT: u32 = 1;

pub async fn run(args: BackupArgs) -> anyhow::Result<u8> {
    let installation = args.source.installation()?;
    if installation.config.keys.store != KeysAt::Sqlite {
        return Err(Unusable(
            "`tributary backup` copies a key store in SQLite, and this one is on PostgreSQL, which has its own means: \
             copy the log first (on Kafka the brokers' disks, else DATA/log while no process runs), then the key store's \
             database with `pg_dump`, then the blobs, so that every record of the copy has its key; keep the master key \
             elsewhere"
                .into(),
        )
        .into());
    }
    let instead =
        "the brokers keep the log; copy the keys with their master key, DATA/keys, while no process runs";
    installation.must_be_local("backup", instead)?;
    drop(installation.log()?);
    if !installation.layout.has_keys() {
        return Err(installation.nothing("key store", &installation.layout.keys()));
    }
    let part = begin(&args.to)?;
    let taken = take(&installation, &part).await;
    let manifest = match taken.and_then(|manifest| finish(&part, &args.to).map(|()| manifest)) {
        Ok(manifest) => manifest,
        Err(error) => {
            // What is left of it is of no use; that it stays is said by the next backup to this place.
            let _ = fs::remove_dir_all(&part);
            return Err(error);
        }
    };
    let Manifest { records, parties, blobs, .. } = manifest;
    let key = match (manifest.master_key, &installation.config.vault.master_key) {
        (true, _) => "the master key is in it: keep it as safe as what people wrote".to_owned(),
        (false, Some(secret)) => {
            format!("the master key ({secret}) is not in it: keep a copy of that elsewhere")
        }
        (false, None) => {
            "there was no master key beside the keys: find it, or nobody can read them".to_owned()
        }
    };
    let elsewhere = match &installation.config.blobs.store {
        Some(store) => format!("\nblobs are in {store} and not in it: copy that store after every backup"),
        None => String::new(),
    };
    let to = args.to.display();
    writeln!(
        io::stdout(),
        "backed up {records} records, the keys of {parties} parties and {blobs} blobs to {to}\n{key}{elsewhere}"
    )
    .map_err(exit::writing)?;
    Ok(exit::DONE)
}

/// The folder for what is not whole yet.
fn begin(to: &Path) -> anyhow::Result<PathBuf> {
    let name = to.file_name().ok_or_else(|| Unusable(format!("{} is no name for a backup", to.display())))?;
    if to.symlink_metadata().is_ok() {
        return Err(Unusable(format!("{} exists already; a backup is a new folder", to.display())).into());
    }
    let part = to.with_file_name([name, ".part".as_ref()].into_iter().collect::<OsString>());
    let mut folder = fs::DirBuilder::new();
    match folder.recursive(false).mode(0o700).create(&part) {
        Ok(()) => Ok(part),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Unusable(format!(
            "{} exists: another backup is being taken, or one was interrupted; if so, remove it",
            part.display()
        ))
        .into()),
        Err(error) => Err(error).with_context(|| format!("could not make the folder {}", part.display())),
    }
}

/// The log first: the keys of a record are older than the record, so they are in what is copied later.
async fn take(installation: &Installation, part: &Path) -> anyhow::Result<Manifest> {
    let (from, to) = (&installation.layout, Layout::new(part));
    for folder in [to.log(), to.keys()] {
        fs::create_dir(&folder).with_context(|| format!("could not make the folder {}", folder.display()))?;
    }
    let taken_at = Timestamp::from_millisecond(clock::now()).context("the clock is beyond all calendars")?;
    tokio::task::block_in_place(|| {
        let progress = Progress::counting("copying the log", "MB");
        let at = |done: u64, total: u64| progress.at(done / 1_000_000, total.div_ceil(1_000_000));
        log::local::back_up(&from.log(), &every_topic(), &to.log(), &at)
    })
    .context("could not copy the log")?;
    let contents = tokio::task::block_in_place(|| {
        let progress = Progress::counting("copying the blobs", "files");
        vault::backup::back_up(&from.keys(), &to.keys(), &|done, total| progress.at(done, total))
    })
    .context("could not copy the keys")?;
    // Where the configuration names another place, what lies beside the keys may open nothing, or something else.
    let master_key = installation.config.vault.master_key.is_none() && from.master_key_file().is_file();
    if master_key {
        copy_file(&from.master_key_file(), &to.master_key_file()).context("could not copy the master key")?;
    }
    let records = read_through(&to).await?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let vault::backup::Contents { parties, blobs } = contents;
    let keys_blake3 = hash(&to)?;
    let manifest =
        Manifest { format: FORMAT, version, taken_at, records, parties, blobs, master_key, keys_blake3 };
    fs::write(part.join(MANIFEST), toml::to_string(&manifest)?)
        .context("could not write down what is in it")?;
    Ok(manifest)
}

fn finish(part: &Path, to: &Path) -> anyhow::Result<()> {
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync(&part.join(MANIFEST))
        .and_then(|()| sync(&part.join("keys")))
        .and_then(|()| sync(part))
        .and_then(|()| fs::rename(part, to))
        .and_then(|()| sync(parent))
        .with_context(|| format!("could not finish the backup {}", to.display()))
}

impl Manifest {
    pub fn read(backup: &Path) -> anyhow::Result<Manifest> {
        let path = backup.join(MANIFEST);
        let unusable = |why: String| Unusable(format!("{} is no backup to restore: {why}", backup.display()));
        let text =
            fs::read_to_string(&path).map_err(|error| unusable(format!("{}: {error}", path.display())))?;
        // Of another format only this much is known.
        let other: toml::Table =
            toml::from_str(&text).map_err(|error| unusable(error.message().to_owned()))?;
        match other.get("format").and_then(toml::Value::as_integer) {
            Some(format) if format != i64::from(FORMAT) => {
                Err(unusable(format!("its format is {format}, and this version reads {FORMAT}")).into())
            }
            _ => Ok(toml::from_str(&text).map_err(|error| unusable(error.message().to_owned()))?),
        }
    }
}

/// Reads every record of a log with its checksum. Yields how many there are.
pub async fn read_through(layout: &Layout) -> anyhow::Result<u64> {
    let log =
        LocalLog::open_read_only(&layout.log(), &every_topic()).context("could not open the log's copy")?;
    let log: Arc<dyn Log> = Arc::new(log);
    let mut partitions = Vec::new();
    for topic in every_topic() {
        for number in 0..log.partitions(topic)? {
            let partition = topic.partition(number);
            partitions.push((partition, log.start(partition).await?, log.end(partition).await?));
        }
    }
    let total = partitions.iter().map(|(_, start, end)| end - start).sum();
    let progress = Progress::new("reading the log's copy");
    let mut done = 0;
    for (partition, start, end) in partitions {
        let mut tail = Tail::new(log.clone(), partition, start);
        let mut left = end - start;
        while left > 0 {
            let read = tail.batch().await.context("the log's copy is damaged")?.len() as u64;
            left = left.saturating_sub(read);
            done += read;
            progress.at(done, total);
        }
    }
    Ok(total)
}

/// Of the key store's file.
pub fn hash(layout: &Layout) -> anyhow::Result<String> {
    let path = layout.keys().join("keys.sqlite");
    let hash = || -> io::Result<String> {
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut File::open(&path)?, &mut hasher)?;
        Ok(hasher.finalize().to_hex().to_string())
    };
    hash().with_context(|| format!("could not read {}", path.display()))
}

/// Copies a file with its permissions. It is on disk when this returns, its name once its folder is synced.
pub fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    sync(to)
}

/// Also of a folder: then it is its names.
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
