//! `tributary restore`.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use clap::Args;
use vault::Vault;

use super::{
    backup::{Manifest, copy_file, hash, read_through, sync},
    installation::Installation,
};
use crate::{
    args::Source,
    config::KeysAt,
    exit::{self, Unusable},
    layout::Layout,
    progress::Progress,
};

const EXAMPLES: &str = "\
Examples:
  tributary restore -c tributary.toml /backups/2026-11-22
  tributary restore --data data /backups/today

What was acknowledged after the backup was taken is not in it. Providers that still redeliver fill part of that gap. An
answer that waited to leave then leaves now, perhaps for the second time. Positions, and the ids of outgoing messages
that are made of them, are given again: a provider that deduplicates by them may take a new message for one it knows.

Exit codes: 0 done, 1 failed (nothing is in place, unless it says that everything is), 2 usage or configuration.";

/// Puts a backup in place, in a data directory that is empty
///
/// Copies log, keys and blobs, reads every record with its checksum and the whole key store, and only then puts them in
/// place. Timelines and snapshots are made again by the next start.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RestoreArgs {
    #[command(flatten)]
    source: Source,
    /// The backup, as `tributary backup` made it; it stays as it is
    #[arg(value_name = "DIR")]
    from: PathBuf,
}

/// What is being restored, within the data directory: a rename puts it in place also where that is a mount point.
const PART: &str = "restore.part";
/// File systems put this into their empty root.
const LOST_AND_FOUND: &str = "lost+found";

pub async fn run(args: RestoreArgs) -> anyhow::Result<u8> {
    let installation = args.source.installation()?;
    if installation.config.keys.store != KeysAt::Sqlite {
        return Err(Unusable(
            "a backup holds a key store in SQLite: restore it with keys.store = \"sqlite\", then `tributary keys copy` \
             takes the keys to PostgreSQL"
                .into(),
        )
        .into());
    }
    let manifest = Manifest::read(&args.from)?;
    let data = installation.layout.data();
    let part = begin(data)?;
    let restored = restore(&args.from, &part, &manifest).await.and_then(|()| finish(&part, data));
    if let Err(error) = restored {
        // The next restore begins by removing what this could not.
        let _ = fs::remove_dir_all(&part);
        return Err(error.context(format!("nothing was restored from {}", args.from.display())));
    }
    let key = master_key(&installation)?;
    let Manifest { records, parties, blobs, taken_at, .. } = manifest;
    let data = data.display();
    writeln!(
        io::stdout(),
        "restored {records} records, the keys of {parties} parties and {blobs} blobs to {data}, as of {taken_at}\n\
         {key}\n\
         Next:\n  \
           tributary verify       folds the log and counts; name the installation as for this command\n  \
           tributary doctor       checks all that is around it\n  \
           then start it; timelines and snapshots are made again\n\
         What was acknowledged after {taken_at} is not in it; `tributary restore --help` says what follows from that."
    )
    .map_err(exit::writing)?;
    Ok(exit::DONE)
}

/// A folder for what is not whole yet, in a data directory that holds nothing else.
fn begin(data: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(data).with_context(|| format!("could not make the folder {}", data.display()))?;
    let reading = || format!("could not look into {}", data.display());
    for entry in fs::read_dir(data).with_context(reading)? {
        let name = entry.with_context(reading)?.file_name();
        if name != PART && name != LOST_AND_FOUND {
            return Err(Unusable(format!(
                "{} is not empty (it has {}): move that away first, or name another data directory",
                data.display(),
                name.display()
            ))
            .into());
        }
    }
    let part = data.join(PART);
    if part.exists() {
        fs::remove_dir_all(&part).with_context(|| {
            format!("could not remove what is left of another restore, {}", part.display())
        })?;
    }
    Ok(part)
}

async fn restore(backup: &Path, part: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let (from, to) = (Layout::new(backup), Layout::new(part));
    tokio::task::block_in_place(|| {
        fs::create_dir(part)?;
        let total = size(&from.log())? + size(&from.keys())?;
        let progress = Progress::counting("copying", "MB");
        let mut done = 0;
        let mut at = |bytes| {
            done += bytes;
            progress.at(done / 1_000_000, total.div_ceil(1_000_000));
        };
        copy_folder(&from.log(), &to.log(), &mut at)?;
        copy_folder(&from.keys(), &to.keys(), &mut at)
    })
    .with_context(|| format!("could not copy {}", backup.display()))?;

    ensure!(hash(&to)? == manifest.keys_blake3, "the key store is not the one that was backed up");
    let records = read_through(&to).await?;
    let found = vault::backup::look_over(&to.keys())?;
    let complete =
        (records, found.parties, found.blobs) == (manifest.records, manifest.parties, manifest.blobs);
    ensure!(
        complete,
        "the backup is not whole: it holds {records} records, {} parties and {} blobs of {}, {} and {}",
        found.parties,
        found.blobs,
        manifest.records,
        manifest.parties,
        manifest.blobs
    );
    Ok(())
}

/// Both or nothing; the log last, since without it there is no installation. What fails once both are in place is told,
/// and is no failure of the restore.
fn finish(part: &Path, data: &Path) -> anyhow::Result<()> {
    let (from, to) = (Layout::new(part), Layout::new(data));
    let putting = || format!("could not put what was restored in place in {}", data.display());
    fs::rename(from.keys(), to.keys()).with_context(putting)?;
    if let Err(error) = fs::rename(from.log(), to.log()) {
        let error = anyhow::Error::new(error).context(putting());
        return Err(match fs::rename(to.keys(), from.keys()) {
            Ok(()) => error,
            Err(back) => {
                let keys = to.keys();
                error.context(format!("{} could not be taken away again ({back}): remove it", keys.display()))
            }
        });
    }
    if let Err(error) = sync(data) {
        exit::say(format_args!(
            "warning: {} could not be synced ({error}): should the machine fail now, look whether all is there",
            data.display()
        ));
    }
    if let Err(error) = fs::remove_dir_all(part) {
        exit::say(format_args!("warning: {} could not be removed ({error}): remove it", part.display()));
    }
    Ok(())
}

/// Opens the key store, if the master key is there. A wrong one is told now rather than at the next start.
fn master_key(installation: &Installation) -> anyhow::Result<String> {
    let keys = installation.layout.keys();
    let master = match installation.layout.master_key(&installation.config) {
        Ok(master) => master,
        Err(missing) => {
            return Ok(format!(
                "the master key is not here yet ({missing}): put it there before the start, or nobody can read the keys"
            ));
        }
    };
    Vault::open(vault::Config::new(keys, master))
        .map(|_| "the master key opens the keys".to_owned())
        .with_context(|| {
            format!(
                "everything is in place in {}, but the key store does not open with this master key: put the right \
                 one there, and do not restore again",
                installation.layout.data().display()
            )
        })
}

fn size(folder: &Path) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        total += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(total)
}

fn copy_folder(from: &Path, to: &Path, copied: &mut impl FnMut(u64)) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target, copied)?;
        } else {
            copy_file(&entry.path(), &target)?;
            copied(entry.metadata()?.len());
        }
    }
    sync(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_and_the_keys_are_put_in_place_both_or_not_at_all() {
        let data = tempfile::tempdir().unwrap();
        let part = data.path().join(PART);
        fs::create_dir_all(part.join("keys")).unwrap();
        let error = finish(&part, data.path()).unwrap_err();
        assert!(format!("{error:#}").contains("in place in"), "{error:#}");
        assert!(!data.path().join("keys").exists() && part.join("keys").exists());

        fs::create_dir(part.join("log")).unwrap();
        finish(&part, data.path()).unwrap();
        assert!(data.path().join("keys").exists() && data.path().join("log").exists() && !part.exists());
    }
}
