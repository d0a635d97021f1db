//! From a leader's folder to the store.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use domain::Peer;
use log::Log;

use super::{Kept, Mirror, POINTS, failed, folder, segment_object};
use crate::{
    Error, Snapshots, archive, metrics,
    off_thread::off_thread,
    snapshot::{self, Contents, KEPT, SEGMENTS},
};

/// After a failure.
const AGAIN: Duration = Duration::from_secs(60);
/// How long who stops leading tries to mirror its last snapshot.
const FAREWELL: Duration = Duration::from_secs(4);
/// A segment that no snapshot names stays for so long: a snapshot that names it may be on its way.
const GRACE: i64 = 60 * 60 * 1000;

impl Mirror {
    /// Mirrors a partition's snapshots as they are written here. Never ends.
    pub(crate) async fn keep(self, snapshots: Snapshots, log: Arc<dyn Log>, peer: Peer) {
        let mut written = self.written.subscribe();
        let mut is_away = false;
        loop {
            match self.upload(&snapshots, &*log, peer).await {
                Ok(done) => {
                    if std::mem::take(&mut is_away) {
                        tracing::info!(%peer, "snapshots are mirrored again");
                    }
                    // The sender lives as long as this.
                    let is_newer = |written: &u64| *written > done;
                    drop(written.wait_for(|written| written.get(&peer).is_some_and(is_newer)).await);
                    tokio::time::sleep(self.pause).await;
                }
                Err(error) => {
                    metrics::not_mirrored(peer.kind);
                    if !std::mem::replace(&mut is_away, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "a snapshot is not mirrored; it is tried again now and then");
                    }
                    tokio::time::sleep(AGAIN.min(self.pause)).await;
                }
            }
        }
    }

    /// Mirrors what was left last by who leads no more, if that is soon done.
    pub(crate) async fn send_off(&self, snapshots: &Snapshots, log: &dyn Log, peer: Peer) {
        match tokio::time::timeout(FAREWELL, self.upload(snapshots, log, peer)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                metrics::not_mirrored(peer.kind);
                tracing::warn!(error = &error as &dyn std::error::Error, "the last snapshot is not mirrored");
            }
            Err(_) => tracing::info!(%peer, "the last snapshot is not mirrored: there was no time"),
        }
    }

    /// Puts the newest snapshot there, unless the store is as far. Yields the position of what was looked at.
    async fn upload(&self, snapshots: &Snapshots, log: &dyn Log, peer: Peer) -> Result<u64, Error> {
        // It is never closed.
        let _turn = self.turns.acquire().await;
        let looked = snapshots.clone();
        let newest = off_thread(move || looked.last(peer).map(|path| (snapshot::contents(&path), path)));
        let (contents, path) = match newest.await.map_err(|source| Error::Fold { source })? {
            None => return Ok(0),
            Some((Ok(contents), path)) => (contents, path),
            Some((Err(reason), path)) => {
                // Most likely there is a newer one by now.
                tracing::debug!(path = %path.display(), reason, "a snapshot that is not mirrored");
                return Ok(position_of(&path));
            }
        };
        let position = contents.position;
        let ours = self.ours(log, peer).await?;
        if ours.iter().any(|kept| kept.position >= position) {
            return Ok(position);
        }
        match self.put(&ours, &contents, &path, peer).await {
            Ok(()) => {}
            // There are newer ones, and its files are gone.
            Err(_) if !path.exists() => return Ok(position),
            Err(error) => return Err(error),
        }
        metrics::mirrored(peer.kind);
        tracing::debug!(%peer, position, "snapshot mirrored");
        let points = snapshots.dir_of(peer).join(POINTS);
        if points.exists() {
            self.store
                .put_file(&format!("{}/{POINTS}", folder(peer)), &points)
                .await
                .map_err(failed(peer))?;
        }
        self.prune(log, peer).await?;
        Ok(position)
    }

    async fn put(&self, ours: &[Kept], contents: &Contents, path: &Path, peer: Peer) -> Result<(), Error> {
        let there: HashSet<String> = self.list(peer).await?.into_iter().map(|object| object.name).collect();
        let mut named = HashSet::new();
        for kept in ours {
            named.extend(self.segments_of(kept, peer).await?.unwrap_or_default());
        }
        for file in &contents.segments {
            let (object, from) = (segment_object(peer, file), path.with_extension(SEGMENTS).join(file));
            // One that nobody names may be about to be removed.
            if named.contains(file) && there.contains(&object) && !self.damaged().contains(&object) {
                continue;
            }
            // What is damaged here must not stand there under the name of what is whole.
            let checked = from.clone();
            let checked = off_thread(move || archive::check_file(&checked)).await;
            let unreadable = |source| Error::Snapshot {
                operation: "read a segment of",
                path: path.display().to_string(),
                source,
            };
            checked.map_err(|source| Error::Fold { source })?.map_err(unreadable)?;
            self.store.put_file(&object, &from).await.map_err(failed(peer))?;
            self.damaged().remove(&object);
        }
        let kept = Kept { position: contents.position, mark: contents.mark, check: contents.check };
        self.store.put_file(&kept.name(peer), path).await.map_err(failed(peer))
    }

    /// The snapshots there that are of this log.
    async fn ours(&self, log: &dyn Log, peer: Peer) -> Result<Vec<Kept>, Error> {
        let mut ours = Vec::new();
        for kept in self.list(peer).await?.iter().filter_map(Kept::of) {
            if self.is_of(&kept, log, peer).await? {
                ours.push(kept);
            }
        }
        Ok(ours)
    }

    /// Removes all but the newest snapshots of this log, and segments that none has named for long. What is of another
    /// log is another's, and stays.
    async fn prune(&self, log: &dyn Log, peer: Peer) -> Result<(), Error> {
        let ours = self.ours(log, peer).await?;
        let positions: BTreeSet<u64> = ours.iter().map(|kept| kept.position).collect();
        let Some(oldest) = positions.into_iter().rev().nth(KEPT - 1) else { return Ok(()) };
        for old in ours.iter().filter(|kept| kept.position < oldest) {
            self.store.remove(&old.name(peer)).await.map_err(failed(peer))?;
        }
        let listed = self.list(peer).await?;
        let mut named = HashSet::new();
        for kept in listed.iter().filter_map(Kept::of) {
            // Of one that cannot be read nobody knows what it names.
            let Some(segments) = self.segments_of(&kept, peer).await? else { return Ok(()) };
            named.extend(segments.iter().map(|file| segment_object(peer, file)));
        }
        // By the store's own clock.
        let now = listed.iter().map(|object| object.written_at).max().unwrap_or_default();
        for object in listed {
            let is_segment = object.name.ends_with(".segment");
            if is_segment && !named.contains(&object.name) && now - object.written_at > GRACE {
                self.store.remove(&object.name).await.map_err(failed(peer))?;
            }
        }
        Ok(())
    }
}

/// As its name has it.
fn position_of(path: &Path) -> u64 {
    path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or_default()
}
