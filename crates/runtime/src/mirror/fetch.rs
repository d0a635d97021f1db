//! From the store to a folder here.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use domain::Peer;
use log::Log;
use wire::Codec;

use super::{Kept, Mirror, failed, folder, segment_object};
use crate::{
    Error, Snapshot, Snapshots, archive, metrics,
    off_thread::off_thread,
    snapshot::{self, PARTIAL, SEGMENTS},
    standing::log_of,
};

/// Why a snapshot in the store is of no use.
enum Fault {
    /// It was removed meanwhile.
    Gone,
    Damaged(String),
    /// Not this one's fault.
    Failed(Error),
}

impl Mirror {
    /// Brings the newest snapshot that can be used into the folder here, if it is of a place behind `position` and folding
    /// to the end would take a while. False if there is none, or none to be had.
    pub(crate) async fn fetch(
        &self,
        snapshots: &Snapshots,
        log: &dyn Log,
        peer: Peer,
        position: u64,
    ) -> bool {
        self.try_fetch(snapshots, log, peer, position).await.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "no snapshot from the store; the log has it all");
            false
        })
    }

    async fn try_fetch(
        &self,
        snapshots: &Snapshots,
        log: &dyn Log,
        peer: Peer,
        position: u64,
    ) -> Result<bool, Error> {
        let end = log.end(log_of(peer)).await;
        let end = end.map_err(|source| Error::Log { peer, operation: "find the end of the log", source })?;
        if end.saturating_sub(position) <= snapshots.near() {
            return Ok(false);
        }
        let listed = self.list(peer).await?;
        let is_wanted =
            |kept: &Kept| kept.position > position && !snapshots.path(peer, kept.position).exists();
        let mut newer: Vec<_> = listed.iter().filter_map(Kept::of).filter(is_wanted).collect();
        newer.sort();
        for kept in newer.iter().rev() {
            let name = kept.name(peer);
            if !self.is_of(kept, log, peer).await? {
                tracing::warn!(store = %self.store, name, "skipping a snapshot of another log: is the store another's, too?");
                continue;
            }
            match self.download(kept, peer, &snapshots.dir_of(peer)).await {
                Ok(_) => {
                    metrics::fetched(peer.kind);
                    tracing::info!(%peer, position = kept.position, "began at a snapshot from the store");
                    return Ok(true);
                }
                Err(Fault::Gone) => {}
                Err(Fault::Damaged(reason)) => {
                    tracing::warn!(store = %self.store, name, reason, "skipping a damaged snapshot");
                }
                Err(Fault::Failed(error)) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Every snapshot of a partition in the store that is whole, and the reasons why others are of no use. They are
    /// brought here for that, one after the other, beside the folders of the snapshots here.
    pub(crate) async fn all<A: Codec>(
        &self,
        snapshots: &Snapshots,
        log: &dyn Log,
        peer: Peer,
    ) -> Vec<Result<Snapshot<A>, String>> {
        let shown = |name: &str, reason: String| format!("{}, {name}: {reason}", self.store);
        let listed = match self.list(peer).await {
            Ok(listed) => listed,
            Err(error) => return vec![Err(shown(&folder(peer), told(&error)))],
        };
        let mut kept: Vec<_> = listed.iter().filter_map(Kept::of).collect();
        kept.sort();
        let dir = snapshots.dir_of(peer).with_extension(format!("verify-{}", std::process::id()));
        let mut all = Vec::new();
        for kept in kept {
            let read = async {
                let is_ours = self.is_of(&kept, log, peer).await.map_err(|error| told(&error))?;
                if !is_ours {
                    return Err("it is of another log".to_owned());
                }
                let path = match self.download(&kept, peer, &dir).await {
                    Ok(path) => path,
                    Err(Fault::Gone) => return Ok(None),
                    Err(Fault::Damaged(reason)) => return Err(reason),
                    Err(Fault::Failed(error)) => return Err(told(&error)),
                };
                let read = off_thread(move || snapshot::read_whole::<A>(&path)).await;
                read.map_err(|error| error.to_string())?.map(Some)
            };
            match read.await {
                Ok(snapshot) => all.extend(snapshot.map(Ok)),
                Err(reason) => all.push(Err(shown(&kept.name(peer), reason))),
            }
            // What was opened can be read until it is dropped.
            let removed = dir.clone();
            let _ = off_thread(move || fs::remove_dir_all(removed)).await;
        }
        all
    }

    /// Brings one to this folder, where it appears once it is whole, with every segment verified. Yields its file. After a
    /// failure that is not its own, the next attempt goes on with the segments that are here.
    async fn download(&self, kept: &Kept, peer: Peer, dir: &Path) -> Result<PathBuf, Fault> {
        let path = dir.join(format!("{:020}.snapshot", kept.position));
        let (partial, segments) =
            (path.with_extension(format!("fetched.{PARTIAL}")), path.with_extension(SEGMENTS));
        let done = self.download_to(kept, peer, dir, &path, &partial, &segments).await;
        if matches!(done, Err(Fault::Gone | Fault::Damaged(_))) {
            let _ = off_thread(move || (fs::remove_file(partial), fs::remove_dir_all(segments))).await;
        }
        done.map(|()| path)
    }

    async fn download_to(
        &self,
        kept: &Kept,
        peer: Peer,
        dir: &Path,
        path: &Path,
        partial: &Path,
        segments: &Path,
    ) -> Result<(), Fault> {
        let create = segments.to_owned();
        on_disk(path, "make the folder of", move || fs::create_dir_all(create)).await?;
        if !self.store.get_file(&kept.name(peer), partial).await.map_err(away(peer))? {
            return Err(Fault::Gone);
        }
        let looked = partial.to_owned();
        let contents = off_thread(move || snapshot::contents(&looked)).await;
        let contents =
            contents.map_err(|source| Fault::Failed(Error::Fold { source }))?.map_err(Fault::Damaged)?;
        if (contents.position, contents.mark, contents.check) != (kept.position, kept.mark, kept.check) {
            return Err(Fault::Damaged("it is not what its name says".into()));
        }
        for file in &contents.segments {
            self.download_segment(file, peer, dir, segments).await?;
        }
        let [from, to, segments, dir] = [partial, path, segments, dir].map(Path::to_owned);
        on_disk(path, "put in place", move || {
            fs::File::open(&from)?.sync_all()?;
            fs::File::open(&segments)?.sync_all()?;
            fs::rename(from, to)?;
            fs::File::open(&dir)?.sync_all()
        })
        .await
    }

    /// Sees that a segment stands in this folder, from one beside it if that has it.
    async fn download_segment(
        &self,
        file: &str,
        peer: Peer,
        dir: &Path,
        segments: &Path,
    ) -> Result<(), Fault> {
        let to = segments.join(file);
        let (linked, name, beside) = (to.clone(), file.to_owned(), dir.to_owned());
        let is_here = off_thread(move || {
            let folders = fs::read_dir(beside).into_iter().flatten().flatten().map(|entry| entry.path());
            let mut others = folders.filter(|path| path.extension().is_some_and(|found| found == SEGMENTS));
            // One of them may be the folder itself, from an earlier attempt.
            let found =
                linked.exists() || others.any(|other| fs::hard_link(other.join(&name), &linked).is_ok());
            found && archive::check_file(&linked).is_ok()
        });
        if is_here.await.unwrap_or(false) {
            return Ok(());
        }
        let removed = to.clone();
        on_disk(&to, "remove", move || match fs::remove_file(removed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await?;
        let object = segment_object(peer, file);
        if !self.store.get_file(&object, &to).await.map_err(away(peer))? {
            return Err(Fault::Damaged(format!("its segment {file} is missing")));
        }
        let checked = to.clone();
        let checked = off_thread(move || {
            archive::check_file(&checked).inspect_err(|_| _ = fs::remove_file(&checked))?;
            fs::File::open(&checked)?.sync_all()
        });
        match checked.await.map_err(|source| Fault::Failed(Error::Fold { source }))? {
            Ok(()) => Ok(()),
            Err(error) => {
                self.damaged().insert(object);
                Err(Fault::Damaged(format!("its segment {file}: {error}")))
            }
        }
    }
}

fn away(peer: Peer) -> impl Fn(objects::Error) -> Fault {
    move |source| Fault::Failed(failed(peer)(source))
}

async fn on_disk(
    path: &Path,
    operation: &'static str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), Fault> {
    let done = off_thread(work).await.map_err(|source| Fault::Failed(Error::Fold { source }))?;
    let path = path.display().to_string();
    done.map_err(|source| Fault::Failed(Error::Snapshot { operation, path, source }))
}

/// With every cause.
fn told(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        told = format!("{told}: {source}");
        next = source.source();
    }
    told
}
