//! Snapshots: state at an accepted position, so that a restart need not fold from zero.
//!
//! One file a snapshot, `DIR/AGGREGATE-PARTITION/POSITION.snapshot`: a fixed header and the encoded state. Written to
//! another name, synced, renamed; verified against its digest when read; a damaged one is skipped with a
//! warning, because the log is the truth and a snapshot only saves time.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use domain::{Partition, Peer};
use wire::{Codec, Point};

use crate::Error;

const MAGIC: &[u8; 8] = b"TRIBSNP1";
/// Snapshots kept of each partition: the newest, and one to fall back on.
const KEPT: usize = 2;

/// Where snapshots are kept.
#[derive(Clone, Debug)]
pub struct Snapshots {
    dir: PathBuf,
}

pub struct Snapshot<A: Codec> {
    pub partition: Partition<A>,
    pub point: Point,
    pub intake_through: u64,
    pub digest: [u8; 32],
}

impl Snapshots {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Snapshots { dir: dir.into() }
    }

    /// Writes a snapshot and removes the ones it makes superfluous. Blocks on the disk.
    pub fn write(
        &self,
        peer: Peer,
        state: &[u8],
        point: &Point,
        intake_through: u64,
    ) -> Result<[u8; 32], Error> {
        let dir = self.dir_of(peer);
        fs::create_dir_all(&dir).map_err(failed("create the folder of", &dir))?;
        let path = dir.join(format!("{:020}.snapshot", point.position));
        let partial = path.with_extension("partial");
        let digest = wire::digest(state);
        let point = point.encode();
        let write = || -> io::Result<()> {
            let mut file = fs::File::create(&partial)?;
            file.write_all(MAGIC)?;
            file.write_all(&intake_through.to_be_bytes())?;
            file.write_all(&digest)?;
            file.write_all(&u32::try_from(point.len()).map_err(io::Error::other)?.to_be_bytes())?;
            file.write_all(&point)?;
            file.write_all(state)?;
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            fs::File::open(&dir)?.sync_all()
        };
        write().map_err(failed("write", &path))?;
        for old in self.list(peer).into_iter().rev().skip(KEPT) {
            fs::remove_file(&old).map_err(failed("remove", &old))?;
        }
        Ok(digest)
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

    /// Every snapshot of a partition that can be trusted, oldest first, and the reasons why others cannot.
    pub fn all<A: Codec>(&self, peer: Peer) -> Vec<Result<Snapshot<A>, String>> {
        let read = |path: PathBuf| read(&path).map_err(|reason| format!("{}: {reason}", path.display()));
        self.list(peer).into_iter().map(read).collect()
    }

    fn dir_of(&self, peer: Peer) -> PathBuf {
        self.dir.join(format!("{}-{}", peer.kind, peer.partition))
    }

    /// Oldest first.
    fn list(&self, peer: Peer) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir_of(peer)).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "snapshot"))
            .collect();
        paths.sort();
        paths
    }
}

fn read<A: Codec>(path: &Path) -> Result<Snapshot<A>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let mut rest = bytes.as_slice();
    if take(&mut rest, MAGIC.len())? != MAGIC {
        return Err("it does not begin as a snapshot does".into());
    }
    let intake_through = u64::from_be_bytes(array(take(&mut rest, 8)?));
    let digest: [u8; 32] = array(take(&mut rest, 32)?);
    let length = u32::from_be_bytes(array(take(&mut rest, 4)?));
    let point = take(&mut rest, usize::try_from(length).map_err(|error| error.to_string())?)?;
    let point = Point::decode(point).map_err(|error| error.to_string())?;
    if wire::digest(rest) != digest {
        return Err("its content does not match its digest".into());
    }
    let partition = wire::decode_state(rest).map_err(|error| error.to_string())?;
    Ok(Snapshot { partition, point, intake_through, digest })
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
