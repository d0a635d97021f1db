//! Snapshots: state at an accepted position, so that a restart need not fold from zero.
//!
//! One file a snapshot, `DIR/AGGREGATE-PARTITION/POSITION.snapshot`: a fixed header, what it says of the archive, and the
//! encoded state. The archive's segments stand in a folder of that name, and share their files with the snapshots before
//! and behind. Written to another name, synced, renamed; verified when read; a damaged one is skipped with a warning,
//! because the log is the truth and a snapshot only saves time. One of another log is told by the mark of the record
//! before its position.
//!
//! Where there is a [mirror](crate::mirror), other machines find them there; here is where all work is done.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{Partition, Peer};
use tokio::sync::Semaphore;
use wire::{Codec, Point};

use crate::{
    Archive, Error,
    archive::{self, Unsettled},
    mark::{MARK, Mark},
    mirror::Mirror,
    portions::InPortions,
    scribe::Turn,
};

const MAGIC: &[u8; 8] = b"TRIBSNP3";
/// Snapshots kept of each partition: the newest, and one to fall back on.
pub(crate) const KEPT: usize = 2;
/// Of the folder with a snapshot's segments.
pub(crate) const SEGMENTS: &str = "segments";
/// Of a snapshot that is being written.
pub(crate) const PARTIAL: &str = "partial";
/// Steps between snapshots, unless told otherwise.
const EVERY: usize = 200_000;
/// See [`Snapshots::near`].
const NEAR: u64 = 1_000;

/// Where snapshots are kept, and how often they are taken.
#[derive(Clone, Debug)]
pub struct Snapshots {
    dir: PathBuf,
    every: usize,
    turn: Arc<Semaphore>,
    mirror: Option<Mirror>,
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

impl<A: Codec> Snapshot<A> {
    /// Whether it holds the same, whatever it says of itself.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let says =
            |snapshot: &Self| (snapshot.point, snapshot.mark, snapshot.intake_through, snapshot.digest);
        let holds = |snapshot: &Self| digest(wire::digest_of_state(&snapshot.partition), &snapshot.archive);
        says(self) == says(other) && holds(self) == holds(other)
    }
}

/// Of a state, by its own digest, and of what has left it.
pub(crate) fn digest(state: [u8; 32], archive: &Archive) -> [u8; 32] {
    wire::digest(&[&state[..], &archive.summary()].concat())
}

impl Snapshots {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Snapshots { dir: dir.into(), every: EVERY, turn: Arc::new(Semaphore::new(1)), mirror: None }
    }

    /// With so many steps between two snapshots of a partition. What leaves memory by them counts, too.
    pub fn every(self, steps: usize) -> Self {
        Snapshots { every: steps.max(1), ..self }
    }

    /// With a mirror: whoever leads a partition keeps its snapshots there, too, and who has none, or only old ones, begins
    /// at one from there.
    pub fn mirrored(self, mirror: Mirror) -> Self {
        Snapshots { mirror: Some(mirror), ..self }
    }

    pub(crate) fn mirror(&self) -> Option<&Mirror> {
        self.mirror.as_ref()
    }

    /// How many records are folded sooner than a store is asked for a snapshot.
    pub(crate) fn near(&self) -> u64 {
        (self.every as u64).min(NEAR)
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

    /// The turn to write one beside a leader, if nobody has it.
    pub(crate) fn turn(&self) -> Option<Turn> {
        self.turn.clone().try_acquire_owned().ok()
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
        let begin = |of_state: [u8; 32]| {
            let digest = digest(of_state, archive);
            let head = Head { digest, mark, point: point.encode(), archive: archive.encode() }.encode();
            let check = check(intake_through, &head, of_state);
            let length = (head.len() as u64).to_be_bytes();
            ([&MAGIC[..], &intake_through.to_be_bytes(), &check, &length, &head].concat(), digest)
        };
        let write = || -> io::Result<[u8; 32]> {
            let mut file = InPortions::create(&partial)?;
            // Room for what is known only once the state has passed: a state is not in memory twice.
            file.write_all(&begin([0; 32]).0)?;
            let of_state = wire::write_state(partition, &mut file)?;
            let (begin, digest) = begin(of_state);
            file.begin_with(&begin)?;
            file.finish()?;
            fs::rename(&partial, &path)?;
            fs::File::open(&dir)?.sync_all()?;
            Ok(digest)
        };
        let digest = write().map_err(|source| {
            // Where the disk is full, nothing may be left behind.
            let _ = fs::remove_file(&partial);
            failed("write", &path)(source)
        })?;
        archive.tidy(&segments).map_err(failed("tidy the archive of", &path))?;
        self.prune(peer)?;
        if let Some(mirror) = &self.mirror {
            mirror.is_written(peer, point.position);
        }
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
        let read = |path: PathBuf| match read_whole(&path) {
            // Meanwhile it made room for a newer one.
            Err(_) if !path.exists() => None,
            read => Some(read.map_err(|reason| format!("{}: {reason}", path.display()))),
        };
        self.list(peer).into_iter().filter_map(read).collect()
    }

    /// How far the intake was read at the oldest snapshot kept; none without one. Blocks on the disk.
    pub(crate) fn oldest_intake(&self, peer: Peer) -> Option<u64> {
        self.list(peer).iter().filter_map(|path| intake_through(path)).min()
    }

    pub(crate) fn dir_of(&self, peer: Peer) -> PathBuf {
        self.dir.join(format!("{}-{}", peer.kind, peer.partition))
    }

    /// The newest file of a partition, whatever it is worth.
    pub(crate) fn last(&self, peer: Peer) -> Option<PathBuf> {
        self.list(peer).pop()
    }

    pub(crate) fn path(&self, peer: Peer, position: u64) -> PathBuf {
        self.dir_of(peer).join(format!("{position:020}.snapshot"))
    }

    /// Oldest first.
    fn list(&self, peer: Peer) -> Vec<PathBuf> {
        self.paths(peer, "snapshot")
    }

    pub(crate) fn paths(&self, peer: Peer, extension: &str) -> Vec<PathBuf> {
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

    fn segments(&self) -> Result<Vec<String>, String> {
        archive::file_names(&self.archive).map_err(|error| format!("its archive: {error}"))
    }
}

const NO_MATCH: &str = "its content does not match its digest";

/// Speaks for everything in the file.
fn check(intake_through: u64, head: &[u8], state: [u8; 32]) -> [u8; 32] {
    wire::digest(&[&intake_through.to_be_bytes()[..], &wire::digest(head), &state].concat())
}

/// The fixed header.
struct Beginning {
    intake_through: u64,
    check: [u8; 32],
    /// How long the head behind it is.
    head: u64,
}

impl Beginning {
    const LENGTH: usize = 56;

    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), String> {
        let mut rest = bytes;
        if take(&mut rest, MAGIC.len())? != MAGIC {
            return Err("it does not begin as a snapshot does".into());
        }
        let intake_through = u64::from_be_bytes(array(take(&mut rest, 8)?));
        let check = array(take(&mut rest, 32)?);
        let head = u64::from_be_bytes(array(take(&mut rest, 8)?));
        Ok((Beginning { intake_through, check, head }, rest))
    }
}

fn read<A: Codec>(path: &Path) -> Result<Snapshot<A>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let (Beginning { intake_through, check: expected, head: length }, mut state) = Beginning::read(&bytes)?;
    let head = take(&mut state, usize::try_from(length).map_err(|error| error.to_string())?)?;
    if check(intake_through, head, wire::digest(state)) != expected {
        return Err(NO_MATCH.into());
    }
    let Head { digest, mark, point, archive } = Head::decode(head)?;
    let point = Point::decode(&point).map_err(|error| error.to_string())?;
    let archive = Archive::decode(&archive, &path.with_extension(SEGMENTS));
    let archive = archive.map_err(|error| format!("its archive: {error}"))?;
    let partition = wire::decode_state(state).map_err(|error| error.to_string())?;
    Ok(Snapshot { partition, archive, point, mark, intake_through, digest })
}

/// With every page of its archive.
pub(crate) fn read_whole<A: Codec>(path: &Path) -> Result<Snapshot<A>, String> {
    let snapshot = read::<A>(path)?;
    let checked = snapshot.archive.check();
    checked.map(|()| snapshot).map_err(|error| format!("{error}: {}", error.source))
}

/// What tells one snapshot's file from another, and the files that it needs beside it.
pub(crate) struct Contents {
    pub(crate) position: u64,
    pub(crate) mark: Mark,
    /// The first bytes of what its content was held against.
    pub(crate) check: Mark,
    /// File names.
    pub(crate) segments: Vec<String>,
}

/// Looks a file over, but for its segments. Its state passes without being in memory.
pub(crate) fn contents(path: &Path) -> Result<Contents, String> {
    let io = |error: io::Error| error.to_string();
    let mut file = fs::File::open(path).map_err(io)?;
    let mut beginning = [0; Beginning::LENGTH];
    file.read_exact(&mut beginning).map_err(io)?;
    let (Beginning { intake_through, check: expected, head: length }, _) = Beginning::read(&beginning)?;
    let mut head = Vec::new();
    (&mut file).take(length).read_to_end(&mut head).map_err(io)?;
    let state = wire::digest_of(&mut file).map_err(io)?;
    if check(intake_through, &head, state) != expected {
        return Err(NO_MATCH.into());
    }
    let head = Head::decode(&head)?;
    let position = Point::decode(&head.point).map_err(|error| error.to_string())?.position;
    let check = Mark(array(&expected[..MARK]));
    Ok(Contents { position, mark: head.mark, check, segments: head.segments()? })
}

/// The segments' file names, of a file of which only the beginning is there: if that is too little, how much it takes.
pub(crate) fn segments_named(beginning: &[u8]) -> Result<Result<Vec<String>, usize>, String> {
    let (Beginning { head, .. }, rest) = Beginning::read(beginning)?;
    let length = usize::try_from(head).map_err(|error| error.to_string())?;
    match rest.get(..length) {
        Some(head) => Head::decode(head)?.segments().map(Ok),
        None => Ok(Err(length.saturating_add(Beginning::LENGTH))),
    }
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
