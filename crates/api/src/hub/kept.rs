//! The hub's views on disk, so that a restart reads only what came since. The log is the truth: what is missing,
//! damaged or of another version is folded again from the beginning.
//!
//! One file: a magic word, a BLAKE3 digest of the rest, the rest. Written to another name, synced, renamed.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{AgentId, Peer, Policy};
use serde::{Deserialize, Serialize};
use wire::Point;

use super::{Holdings, Turn};

/// Its last character grows with every change of what is written.
const MAGIC: &[u8; 8] = b"TRIBHUB1";
const FILE: &str = "hub.snapshot";

/// What the hub has made of the logs up to these points.
#[derive(Default, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Views {
    /// Encoded as [`Point::encode`] does.
    pub(super) read_to: BTreeMap<Peer, Vec<u8>>,
    pub(super) agents: Vec<(AgentId, Holdings)>,
    pub(super) turns: Vec<Arc<Turn>>,
    pub(super) policies: Vec<Arc<Policy>>,
}

impl Views {
    /// Where to go on in this partition.
    pub(super) fn point(&self, peer: Peer) -> Point {
        self.read_to.get(&peer).and_then(|bytes| Point::decode(bytes).ok()).unwrap_or_default()
    }

    /// How much there is of them, for those who weigh the writing.
    pub(super) fn len(&self) -> usize {
        self.agents.iter().map(|(_, held)| 1 + held.offers.len() + held.assignments.len()).sum::<usize>()
            + self.turns.len()
    }
}

/// The folder that the views are kept in.
#[derive(Clone, Debug)]
pub(super) struct Kept(PathBuf);

impl Kept {
    pub(super) fn new(dir: PathBuf) -> Kept {
        Kept(dir)
    }

    /// What was kept, if it can be trusted. Blocks on the disk.
    pub(super) fn read(&self) -> Option<Views> {
        let path = self.0.join(FILE);
        match read(&path) {
            Ok(views) => Some(views),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "skipping what the hub kept: reading the logs from the beginning");
                None
            }
        }
    }

    /// Blocks on the disk.
    pub(super) fn write(&self, views: &Views) -> io::Result<()> {
        let bytes = postcard::to_allocvec(views).map_err(io::Error::other)?;
        fs::create_dir_all(&self.0)?;
        let path = self.0.join(FILE);
        let partial = path.with_extension("partial");
        let mut file = fs::File::create(&partial)?;
        file.write_all(MAGIC)?;
        file.write_all(blake3::hash(&bytes).as_bytes())?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        fs::File::open(&self.0)?.sync_all()
    }
}

fn read(path: &Path) -> io::Result<Views> {
    let bytes = fs::read(path)?;
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| bad("it ends too early"))?;
    let (digest, rest) = rest.split_first_chunk::<32>().ok_or_else(|| bad("it ends too early"))?;
    if magic != MAGIC {
        return Err(bad("it is of another version"));
    }
    if blake3::hash(rest).as_bytes() != digest {
        return Err(bad("its content does not match its digest"));
    }
    postcard::from_bytes(rest).map_err(|_| bad("it cannot be understood"))
}

#[cfg(test)]
mod tests {
    use domain::Kind;

    use super::*;

    #[test]
    fn what_is_damaged_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path().into());
        assert!(kept.read().is_none());
        let peer = Peer { kind: Kind::Desk, partition: 3 };
        let point = Point { position: 7, epoch: Some(domain::Epoch([4; 16])), seq: 2 };
        let views = Views {
            read_to: BTreeMap::from([(peer, point.encode())]),
            agents: vec![("acme/desk/ann".parse().unwrap(), Holdings::default())],
            ..Views::default()
        };
        kept.write(&views).unwrap();
        assert_eq!(kept.read().unwrap().point(peer), point);
        assert_eq!(kept.read().unwrap(), views);

        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        for at in [0, 8, 39, 40, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert!(kept.read().is_none(), "a flipped bit at {at}");
        }
        fs::write(&path, &whole[..20]).unwrap();
        assert!(kept.read().is_none());
    }
}
