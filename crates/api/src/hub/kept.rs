//! The hub's views on disk, so that a restart reads only what came since. The log is the truth: what is missing,
//! damaged or of another version is folded again from the beginning.
//!
//! One file: a magic word, the version of the domain's types, a BLAKE3 digest of the rest, the rest. Written to another
//! name, synced, renamed.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{AgentId, ConversationId, Peer, Policy, Sealed};
use projections::statistics::Statistics;
use serde::{Deserialize, Serialize};
use wire::{Point, STATE_VERSION};

use super::{Holdings, Turn, moments::Moments, turns::Unasked};

/// Its last character grows with every change of what is written, but for that of the domain's types, which
/// [`STATE_VERSION`] counts.
const MAGIC: &[u8; 8] = b"TRIBHUB8";
const FILE: &str = "hub.snapshot";

/// What the hub has made of the logs up to these points.
#[derive(Default, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Views {
    #[serde(with = "points")]
    pub(super) read_to: BTreeMap<Peer, Point>,
    pub(super) agents: Vec<(AgentId, Holdings)>,
    pub(super) turns: Vec<Arc<Turn>>,
    pub(super) unasked: Unasked,
    pub(super) policies: Vec<Arc<Policy>>,
    pub(super) notes: Vec<(ConversationId, Sealed)>,
    pub(super) moments: Moments,
    pub(super) statistics: Statistics,
}

impl Views {
    /// Where to go on in this partition.
    pub(super) fn point(&self, peer: Peer) -> Point {
        self.read_to.get(&peer).copied().unwrap_or_default()
    }

    /// How much there is of them, for those who weigh the writing.
    pub(super) fn len(&self) -> usize {
        self.agents
            .iter()
            .map(|(_, held)| {
                let held_of_conversations = held.snoozed.len() + held.consults.len();
                1 + held.offers.len() + held.assignments.len() + held.wrap_ups.len() + held_of_conversations
            })
            .sum::<usize>()
            + self.turns.len()
            + self.unasked.len()
            + self.notes.len()
            + self.statistics.len()
    }
}

/// The folder that the views are kept in.
#[derive(Clone, Debug)]
pub(super) struct Kept(PathBuf);

impl Kept {
    pub(super) fn new(dir: PathBuf) -> Kept {
        Kept(dir)
    }

    /// What was kept, if it can be trusted and is of logs that end here. Otherwise it goes, since logs that were cut
    /// short grow past it again. Blocks on the disk.
    pub(super) fn read(&self, ends: &BTreeMap<Peer, u64>) -> Option<Views> {
        let path = self.0.join(FILE);
        match read(&path, ends) {
            Ok(views) => Some(views),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "skipping what the hub kept: reading the logs from the beginning");
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "could not remove what the hub kept: remove it");
                }
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
        file.write_all(&STATE_VERSION.to_be_bytes())?;
        file.write_all(blake3::hash(&bytes).as_bytes())?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        fs::File::open(&self.0)?.sync_all()
    }
}

fn read(path: &Path, ends: &BTreeMap<Peer, u64>) -> io::Result<Views> {
    let bytes = fs::read(path)?;
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| bad("it ends too early"))?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(|| bad("it ends too early"))?;
    let (digest, rest) = rest.split_first_chunk::<32>().ok_or_else(|| bad("it ends too early"))?;
    if (magic, *version) != (MAGIC, STATE_VERSION.to_be_bytes()) {
        return Err(bad("it is of another version"));
    }
    if blake3::hash(rest).as_bytes() != digest {
        return Err(bad("its content does not match its digest"));
    }
    let (views, beyond) =
        postcard::take_from_bytes::<Views>(rest).map_err(|_| bad("it cannot be understood"))?;
    if !beyond.is_empty() {
        return Err(bad("there is more in it than is understood"));
    }
    if ends.iter().any(|(peer, end)| views.point(*peer).position > *end) {
        return Err(bad("it is of another log: ours ends before it"));
    }
    Ok(views)
}

/// Points as [`Point::encode`] writes them.
mod points {
    use std::collections::BTreeMap;

    use domain::Peer;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use wire::Point;

    pub(super) fn serialize<S: Serializer>(points: &BTreeMap<Peer, Point>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(points.iter().map(|(peer, point)| (peer, point.encode())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Peer, Point>, D::Error> {
        let encoded = BTreeMap::<Peer, Vec<u8>>::deserialize(from)?;
        let decode =
            |(peer, bytes): (Peer, Vec<u8>)| Ok((peer, Point::decode(&bytes).map_err(D::Error::custom)?));
        encoded.into_iter().map(decode).collect()
    }
}

#[cfg(test)]
mod tests {
    use domain::Kind;

    use super::*;

    const PEER: Peer = Peer { kind: Kind::Desk, partition: 3 };

    fn read(kept: &Kept) -> Option<Views> {
        kept.read(&BTreeMap::from([(PEER, 7)]))
    }

    fn views(position: u64) -> Views {
        let point = Point { position, epoch: Some(domain::Epoch([4; 16])), seq: 2 };
        Views {
            read_to: BTreeMap::from([(PEER, point)]),
            agents: vec![("acme/desk/ann".parse().unwrap(), Holdings::default())],
            ..Views::default()
        }
    }

    #[test]
    fn what_is_damaged_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path().into());
        assert!(read(&kept).is_none());
        kept.write(&views(7)).unwrap();
        assert_eq!(read(&kept).unwrap(), views(7));

        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        for at in [0, 8, 9, 10, 41, 42, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert!(read(&kept).is_none(), "a flipped bit at {at}");
            assert!(!path.exists(), "it is of no use");
        }
        fs::write(&path, &whole[..20]).unwrap();
        assert!(read(&kept).is_none());
    }

    #[test]
    fn what_is_sound_and_not_understood_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path().into());
        let path = dir.path().join(FILE);
        kept.write(&views(7)).unwrap();
        let whole = fs::read(&path).unwrap();
        let with = |content: &[u8]| {
            let digest = blake3::hash(content);
            fs::write(&path, [&whole[..10], digest.as_bytes(), content].concat()).unwrap();
            read(&kept)
        };
        assert_eq!(with(&whole[42..]).unwrap(), views(7));
        assert!(with(&[&whole[42..], b"more"].concat()).is_none());
        let of_point = |point: Vec<u8>| {
            let nothing: [(); 0] = [];
            let no_lists = [nothing.as_slice(); 5];
            let others = (Moments::default(), Statistics::default());
            postcard::to_allocvec(&(BTreeMap::from([(PEER, point)]), no_lists, others)).unwrap()
        };
        assert!(with(&of_point(views(7).point(PEER).encode())).is_some());
        assert!(with(&of_point(vec![0xff])).is_none());
    }

    #[test]
    fn what_is_ahead_of_the_log_goes_before_the_log_grows_past_it() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path().into());
        kept.write(&views(8)).unwrap();
        assert!(read(&kept).is_none());
        assert!(kept.read(&BTreeMap::from([(PEER, 9)])).is_none());
    }
}
