//! Snapshots: state at an accepted position, so that a restart need not fold from zero.
//!
//! One file a snapshot, `DIR/AGGREGATE-PARTITION/POSITION.snapshot`: a fixed header, what it says of the archive, and the
//! encoded state. The archive's segments stand in a folder of that name, and share their files with the snapshots before
//! and behind. Written to another name, synced, renamed; verified when read; a damaged one is skipped with a warning,
//! because the log is the truth and a snapshot only saves time. One of another log is told by the mark of the record
//! before its position.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{Partition, Peer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::{Codec, Point};

use crate::{
    Archive, Error,
    archive::Unsettled,
    mark::{MARK, Mark},
    portions::InPortions,
};

const MAGIC: &[u8; 8] = b"TRIBSNP3";
/// Snapshots kept of each partition: the newest, and one to fall back on.
const KEPT: usize = 2;
/// Of the folder with a snapshot's segments.
const SEGMENTS: &str = "segments";
/// Of a snapshot that is being written.
const PARTIAL: &str = "partial";
/// Steps between snapshots, unless told otherwise.
const EVERY: usize = 200_000;

/// Where snapshots are kept, and how often they are taken.
#[derive(Clone, Debug)]
pub struct Snapshots {
    dir: PathBuf,
    every: usize,
    turn: Arc<Semaphore>,
}

pub struct Snapshot<A: Codec> {
    pub partition: Partition<A>,
    pub archive: Archive,
    pub point: Point,
    /// Of the record before the point: see [`Mark::before`].
    pub mark: Mark,
    pub intake_through: u64,
    /// Of state and archive; see [`digest`].
    pub digest: [u8; 32],
}

/// Of a state, by its own digest, and of what has left it.
pub(crate) fn digest(state: [u8; 32], archive: &Archive) -> [u8; 32] {
    wire::digest(&[&state[..], &archive.summary()].concat())
}

impl Snapshots {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Snapshots { dir: dir.into(), every: EVERY, turn: Arc::new(Semaphore::new(1)) }
    }

    /// With so many steps between two snapshots of a partition. What leaves memory by them counts, too.
    pub fn every(self, steps: usize) -> Self {
        Snapshots { every: steps.max(1), ..self }
    }

    /// Whether a snapshot is due after so many steps.
    pub(crate) fn are_due(&self, steps: usize) -> bool {
        steps >= self.every
    }

    /// Whether who folds so many steps should leave one on the way: it may be stopped, and must not begin again so far
    /// back; nor should memory hold all that left the state by them.
    pub(crate) fn are_overdue(&self, steps: usize) -> bool {
        steps / 4 >= self.every
    }

    /// The turn to have a partition in memory for the second time; there is one in the process.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.turn.clone().acquire_owned().await.ok()
    }

    /// Writes a snapshot and removes the ones it makes superfluous. The archive is put in order on the way. Blocks on the
    /// disk.
    ///
    /// `mark` is of the record before the point, and `intake_through` what the last accepted decision says.
    pub fn write<A: Codec>(
        &self,
        peer: Peer,
        partition: &Partition<A>,
        archive: &mut Archive,
        point: &Point,
        mark: Mark,
        intake_through: u64,
    ) -> Result<[u8; 32], Error> {
        let dir = self.dir_of(peer);
        fs::create_dir_all(&dir).map_err(failed("create the folder of", &dir))?;
        let path = self.path(peer, point.position);
        let segments = path.with_extension(SEGMENTS);
        archive.settle(&segments, partition.decided_at()).map_err(|unsettled| match unsettled {
            Unsettled::Unreadable(unreadable) => Error::Archive { peer, source: unreadable.into() },
            Unsettled::Unwritten(source) => failed("put in order the archive of", &path)(source),
        })?;
        let partial = path.with_extension(PARTIAL);
        let state = wire::encode_state(partition);
        let of_state = wire::digest(&state);
        let digest = digest(of_state, archive);
        let head = Head { digest, mark, point: point.encode(), archive: archive.encode() }.encode();
        let write = || -> io::Result<()> {
            let mut file = InPortions::create(&partial)?;
            file.write_all(MAGIC)?;
            file.write_all(&intake_through.to_be_bytes())?;
            file.write_all(&check(intake_through, &head, of_state))?;
            file.write_all(&(head.len() as u64).to_be_bytes())?;
            file.write_all(&head)?;
            file.write_all(&state)?;
            file.finish()?;
            fs::rename(&partial, &path)?;
            fs::File::open(&dir)?.sync_all()
        };
        write().map_err(|source| {
            // Where the disk is full, nothing may be left behind.
            let _ = fs::remove_file(&partial);
            failed("write", &path)(source)
        })?;
        archive.tidy(&segments).map_err(failed("tidy the archive of", &path))?;
        self.prune(peer)?;
        Ok(digest)
    }

    /// Removes all but the newest, segments that are left of snapshots before them, and what nobody wrote to its end.
    fn prune(&self, peer: Peer) -> Result<(), Error> {
        for partial in self.paths(peer, PARTIAL) {
            fs::remove_file(&partial).map_err(failed("remove", &partial))?;
        }
        let mut kept = self.list(peer);
        let old = kept.drain(..kept.len().saturating_sub(KEPT)).collect::<Vec<_>>();
        for old in old {
            fs::remove_file(&old).map_err(failed("remove", &old))?;
        }
        let Some(oldest) = kept.first().map(|oldest| oldest.with_extension(SEGMENTS)) else { return Ok(()) };
        for segments in self.paths(peer, SEGMENTS).into_iter().filter(|segments| *segments < oldest) {
            fs::remove_dir_all(&segments).map_err(failed("remove", &segments))?;
        }
        Ok(())
    }

    /// Removes the snapshots that name this segment of the archive: it cannot be read.
    pub(crate) fn distrust(&self, peer: Peer, segment: &str) {
        let file = format!("{segment}.segment");
        for path in self.list(peer) {
            if path.with_extension(SEGMENTS).join(&file).exists() {
                let removed = fs::remove_file(&path);
                tracing::warn!(path = %path.display(), segment, ?removed, "removed a snapshot whose archive is damaged");
            }
        }
    }

    /// Removes the snapshot at this position: it is of another log. Among those of ours it would pass for the newest.
    pub(crate) fn discard(&self, peer: Peer, position: u64) -> io::Result<()> {
        let path = self.path(peer, position);
        fs::remove_file(&path)?;
        match fs::remove_dir_all(path.with_extension(SEGMENTS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The newest snapshot that can be trusted. Blocks on the disk.
    pub fn newest<A: Codec>(&self, peer: Peer) -> Option<Snapshot<A>> {
        self.list(peer).into_iter().rev().find_map(|path| match read(&path) {
            Ok(snapshot) => Some(snapshot),
            Err(reason) => {
                tracing::warn!(path = %path.display(), reason, "skipping a damaged snapshot");
                None
            }
        })
    }

    /// Every snapshot of a partition that can be trusted, oldest first, and the reasons why others cannot. Reads their
    /// archives whole.
    pub fn all<A: Codec>(&self, peer: Peer) -> Vec<Result<Snapshot<A>, String>> {
        let read = |path: PathBuf| {
            let whole = read::<A>(&path).and_then(|snapshot| match snapshot.archive.check() {
                Ok(()) => Ok(snapshot),
                Err(error) => Err(format!("{error}: {}", error.source)),
            });
            whole.map_err(|reason| format!("{}: {reason}", path.display()))
        };
        self.list(peer).into_iter().map(read).collect()
    }

    /// How far the intake was read at the oldest snapshot kept; none without one. Blocks on the disk.
    pub(crate) fn oldest_intake(&self, peer: Peer) -> Option<u64> {
        self.list(peer).iter().filter_map(|path| intake_through(path)).min()
    }

    pub(crate) fn dir_of(&self, peer: Peer) -> PathBuf {
        self.dir.join(format!("{}-{}", peer.kind, peer.partition))
    }

    fn path(&self, peer: Peer, position: u64) -> PathBuf {
        self.dir_of(peer).join(format!("{position:020}.snapshot"))
    }

    /// Oldest first.
    fn list(&self, peer: Peer) -> Vec<PathBuf> {
        self.paths(peer, "snapshot")
    }

    fn paths(&self, peer: Peer, extension: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir_of(peer)).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect();
        paths.sort();
        paths
    }
}

/// What stands between the fixed header and the state.
struct Head {
    digest: [u8; 32],
    mark: Mark,
    point: Vec<u8>,
    archive: Vec<u8>,
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let Head { digest, mark, point, archive } = self;
        [&digest[..], &mark.0, &(point.len() as u64).to_be_bytes(), point, archive].concat()
    }

    fn decode(mut bytes: &[u8]) -> Result<Self, String> {
        let rest = &mut bytes;
        let digest = array(take(rest, 32)?);
        let mark = Mark(array(take(rest, MARK)?));
        let length = u64::from_be_bytes(array(take(rest, 8)?));
        let point = take(rest, usize::try_from(length).map_err(|error| error.to_string())?)?.to_vec();
        Ok(Head { digest, mark, point, archive: rest.to_vec() })
    }
}

/// Speaks for everything in the file.
fn check(intake_through: u64, head: &[u8], state: [u8; 32]) -> [u8; 32] {
    wire::digest(&[&intake_through.to_be_bytes()[..], &wire::digest(head), &state].concat())
}

fn read<A: Codec>(path: &Path) -> Result<Snapshot<A>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let mut rest = bytes.as_slice();
    if take(&mut rest, MAGIC.len())? != MAGIC {
        return Err("it does not begin as a snapshot does".into());
    }
    let intake_through = u64::from_be_bytes(array(take(&mut rest, 8)?));
    let expected: [u8; 32] = array(take(&mut rest, 32)?);
    let length = u64::from_be_bytes(array(take(&mut rest, 8)?));
    let head = take(&mut rest, usize::try_from(length).map_err(|error| error.to_string())?)?;
    if check(intake_through, head, wire::digest(rest)) != expected {
        return Err("its content does not match its digest".into());
    }
    let Head { digest, mark, point, archive } = Head::decode(head)?;
    let point = Point::decode(&point).map_err(|error| error.to_string())?;
    let archive = Archive::decode(&archive, &path.with_extension(SEGMENTS));
    let archive = archive.map_err(|error| format!("its archive: {error}"))?;
    let partition = wire::decode_state(rest).map_err(|error| error.to_string())?;
    Ok(Snapshot { partition, archive, point, mark, intake_through, digest })
}

/// Of a file that begins as a snapshot does. Its content may be damaged all the same.
fn intake_through(path: &Path) -> Option<u64> {
    let mut head = [0; 16];
    io::Read::read_exact(&mut fs::File::open(path).ok()?, &mut head).ok()?;
    let (magic, through) = head.split_at(MAGIC.len());
    (magic == MAGIC).then(|| u64::from_be_bytes(array(through)))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    let (taken, left) = rest.split_at_checked(count).ok_or("it ends too early")?;
    *rest = left;
    Ok(taken)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i])
}

fn failed<'a>(operation: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Snapshot { operation, path: path.display().to_string(), source }
}
