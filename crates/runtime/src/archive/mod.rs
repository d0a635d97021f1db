//! What has left a partition's memory: retired parties, and the facts of former days.
//!
//! ```text
//!  fold ──departed──▶ fresh (memory) ──with each snapshot──▶ segments (files, immutable) ──▶ fewer, larger ones
//! ```
//!
//! The archive is a fold of the accepted prefix, like the state it stands beside, but no fold ever asks it: only a
//! leader does, before it decides. Its files are named by snapshots and belong to them; what came after the last
//! snapshot is in memory, and is folded again from the log. So there is no place of its own in the log to keep, and
//! nothing to repair.
//!
//! While a leader's snapshot is being written ([`crate::scribe`]) the archive is lent to it: both read the same memory and
//! files. What is kept meanwhile comes after the snapshot, and what was in memory before it goes once it stands in segments.

mod filter;
mod runs;
mod segment;
mod shelf;
mod tally;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use domain::{Batch, Departed, FACTS_KEPT, FactId, Party, Timestamp};
use wire::Codec;

pub(crate) use self::shelf::Unsettled;
use self::{
    segment::Segment,
    shelf::{Said, Shelf, Unreadable},
};

type Key = [u8; 16];
type Entry = (Key, Vec<u8>);

/// Why the archive cannot answer.
#[derive(Debug, thiserror::Error)]
#[error("the segment {segment} of the archive cannot be read")]
pub struct Error {
    /// The file's name, without its extension.
    pub segment: String,
    #[source]
    pub source: io::Error,
}

impl From<Unreadable> for Error {
    fn from(Unreadable { segment, source }: Unreadable) -> Self {
        Error { segment: HEXLOWER.encode(&segment), source }
    }
}

/// Of facts, of lasting facts, of parties.
const SHELVES: usize = 3;

pub struct Archive {
    facts: Shelf,
    lasting_facts: Shelf,
    parties: Shelf,
    /// Whether anything is kept, or only counted.
    keeps: bool,
}

impl Default for Archive {
    fn default() -> Self {
        Archive {
            facts: Shelf::new(Some(FACTS_KEPT)),
            lasting_facts: Shelf::new(None),
            parties: Shelf::new(None),
            keeps: true,
        }
    }
}

/// The files that an encoded archive needs.
pub(crate) fn file_names(mut encoded: &[u8]) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for _ in 0..SHELVES {
        names.extend(Said::decode(&mut encoded)?.names.iter().map(segment::file_name));
    }
    if encoded.is_empty() { Ok(names) } else { Err(segment::damaged("it says too much of its segments")) }
}

/// Reads a whole segment's file, and holds it against its name.
pub(crate) fn check_file(path: &Path) -> io::Result<()> {
    let name =
        path.file_stem().and_then(|stem| HEXLOWER.decode(stem.as_encoded_bytes()).ok()?.try_into().ok());
    let name = name.ok_or_else(|| segment::damaged("it has not the name of a segment"))?;
    Segment::open(path.parent().unwrap_or(Path::new("")), name)?.check()
}

impl Archive {
    /// For those who fold and never ask: it only says what it would hold.
    pub(crate) fn counting() -> Self {
        Archive { keeps: false, ..Archive::default() }
    }

    /// Takes in what left memory by steps that the log accepted.
    pub fn keep<A: Codec>(&mut self, departed: Departed<A>) {
        let Departed { facts, lasting_facts, parties } = departed;
        for (shelf, batches) in [(&mut self.facts, facts), (&mut self.lasting_facts, lasting_facts)] {
            for Batch { newest, ids } in batches {
                let keys: Vec<Key> = ids.into_iter().map(|id| id.0).collect();
                match self.keeps {
                    true => shelf.put_keys(newest, keys),
                    false => keys.iter().for_each(|key| shelf.count(key, &[])),
                }
            }
        }
        for (party, event) in parties {
            let value = wire::encode_event::<A>(&event);
            match self.keeps {
                true => self.parties.put(Timestamp::default(), party.0, value),
                false => self.parties.count(&party.0, &value),
            }
        }
    }

    /// Whether the fact was taken before it left memory.
    ///
    /// Like [`Archive::party`], this may read a page of a file or two, of four kilobytes each; for nearly every key that
    /// is not here it reads nothing.
    pub fn has_fact(&self, id: FactId) -> Result<bool, Error> {
        Ok(self.facts.find(&id.0)?.is_some() || self.lasting_facts.find(&id.0)?.is_some())
    }

    /// The event that brings the party back, as of when it was last retired, and its size. Meaningful only for a party
    /// that is not in memory.
    pub fn party<A: Codec>(&self, party: Party) -> Result<Option<(A::Event, usize)>, Error> {
        let Some((segment, bytes)) = self.parties.find(&party.0)? else { return Ok(None) };
        match wire::decode_event::<A>(&bytes) {
            Ok(event) => Ok(Some((event, bytes.len()))),
            Err(error) => {
                Err(Unreadable { segment, source: io::Error::new(io::ErrorKind::InvalidData, error) }.into())
            }
        }
    }

    /// What it comes to: equal archives give equal bytes, whatever the files they lie in.
    pub(crate) fn summary(&self) -> Vec<u8> {
        self.shelves().iter().flat_map(|shelf| shelf.tally().encode()).collect()
    }

    /// Sees that everything stands in segments in this folder, for a snapshot to name. Blocks on the disk.
    pub(crate) fn settle(&mut self, dir: &Path, now: Timestamp) -> Result<(), Unsettled> {
        [&mut self.facts, &mut self.lasting_facts, &mut self.parties]
            .into_iter()
            .try_for_each(|shelf| shelf.settle(dir, now))
    }

    /// Removes what else lies in the folder that it was settled in: segments that were put together, and what a crash left.
    pub(crate) fn tidy(&self, dir: &Path) -> io::Result<()> {
        let named: HashSet<PathBuf> = self
            .shelves()
            .iter()
            .flat_map(|shelf| shelf.names())
            .map(|name| segment::path_of(dir, &name))
            .collect();
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let path = entry?.path();
            if !named.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// For a snapshot: what is here now, in the same memory. From here on what is kept comes after it.
    pub(crate) fn lend(&mut self) -> Archive {
        Archive {
            facts: self.facts.lend(),
            lasting_facts: self.lasting_facts.lend(),
            parties: self.parties.lend(),
            keeps: self.keeps,
        }
    }

    /// Takes back what was lent last, once it is settled: its segments, in place of what was in memory then. What is not
    /// needed any more is left in `settled`.
    pub(crate) fn take_back(&mut self, settled: &mut Archive) {
        self.facts.take_back(&mut settled.facts);
        self.lasting_facts.take_back(&mut settled.lasting_facts);
        self.parties.take_back(&mut settled.parties);
    }

    fn shelves(&self) -> [&Shelf; SHELVES] {
        [&self.facts, &self.lasting_facts, &self.parties]
    }

    /// Once it is settled: what a snapshot says of it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.shelves().iter().flat_map(|shelf| shelf.encode()).collect()
    }

    /// The archive that a snapshot names. Its segments are opened, and read when they are asked.
    pub(crate) fn decode(mut bytes: &[u8], dir: &Path) -> io::Result<Self> {
        let rest = &mut bytes;
        let archive = Archive {
            facts: Shelf::decode(rest, dir, Some(FACTS_KEPT))?,
            lasting_facts: Shelf::decode(rest, dir, None)?,
            parties: Shelf::decode(rest, dir, None)?,
            ..Archive::default()
        };
        if rest.is_empty() { Ok(archive) } else { Err(segment::damaged("it says too much of its segments")) }
    }

    /// Reads everything that lies in files.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.shelves().iter().try_for_each(|shelf| shelf.check().map_err(Error::from))
    }
}
