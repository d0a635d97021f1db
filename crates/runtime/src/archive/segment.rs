//! An immutable file of entries in the order of their keys.
//!
//! ```text
//! | magic | page | page | … | index | where the index begins | digest of the index |
//! ```
//!
//! The index (the first key, place and mark of every page, and a filter that tells most keys that are not here) stays in
//! memory, about two bytes for an entry; a page is read when it is asked for, and held against its mark. A file is named
//! by the digest of its index, which speaks for all of it.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek as _, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use data_encoding::HEXLOWER;
use domain::Timestamp;

use super::{Entry, Key, filter::Filter, tally::Tally};
use crate::portions::InPortions;

const MAGIC: &[u8; 8] = b"TRIBSEG1";
/// A page ends with the entry that makes it at least this long.
const PAGE: usize = 4_096;
const MARK: usize = 8;
const DIGEST: usize = 32;
const TRAILER: usize = 8 + DIGEST;

/// Sixteen bytes of the digest of the index.
pub(crate) type Name = [u8; 16];

/// Clones share the file and what is in memory of it.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(super) name: Name,
    path: PathBuf,
    file: Arc<File>,
    pub(super) index: Arc<Index>,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Index {
    pub(super) tally: Tally,
    pub(super) span: Span,
    filter: Filter,
    pages: Vec<Page>,
}

/// When the first and the last of some entries were put.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Span {
    pub(super) oldest: Timestamp,
    pub(super) newest: Timestamp,
}

impl Span {
    pub(super) fn at(at: Timestamp) -> Self {
        Span { oldest: at, newest: at }
    }

    pub(super) fn and(self, other: Span) -> Self {
        Span { oldest: self.oldest.min(other.oldest), newest: self.newest.max(other.newest) }
    }
}

#[derive(Clone, PartialEq, Debug)]
struct Page {
    first: Key,
    at: u64,
    length: u32,
    mark: [u8; MARK],
}

impl Segment {
    /// Writes entries, which come in the order of their keys, to a file in this folder, and opens it. Durable once this
    /// returns, but for its name in the folder. `about` is at least their number.
    pub(super) fn write(
        dir: &Path,
        about: u64,
        span: Span,
        entries: impl Iterator<Item = io::Result<Entry>>,
    ) -> io::Result<Segment> {
        let partial = partial_in(dir);
        let written = Segment::write_to(&partial, about, span, entries).and_then(|(name, index)| {
            let path = path_of(dir, &name);
            fs::rename(&partial, &path)?;
            Ok(Segment { name, file: File::open(&path)?.into(), path, index: index.into() })
        });
        if written.is_err() {
            // Where the disk is full, nothing may be left behind.
            let _ = fs::remove_file(&partial);
        }
        written
    }

    fn write_to(
        path: &Path,
        about: u64,
        span: Span,
        entries: impl Iterator<Item = io::Result<Entry>>,
    ) -> io::Result<(Name, Index)> {
        let mut out = BufWriter::new(InPortions::create(path)?);
        out.write_all(MAGIC)?;
        let mut index =
            Index { tally: Tally::default(), span, filter: Filter::for_about(about), pages: Vec::new() };
        let mut at = MAGIC.len() as u64;
        let (mut page, mut first) = (Vec::with_capacity(2 * PAGE), None);
        let mut entries = entries.peekable();
        while let Some(entry) = entries.next() {
            let (key, value) = entry?;
            first.get_or_insert(key);
            index.tally.add(Tally::of(&key, &value));
            index.filter.put(&key);
            page.extend_from_slice(&key);
            page.extend_from_slice(&u32::try_from(value.len()).map_err(io::Error::other)?.to_be_bytes());
            page.extend_from_slice(&value);
            if page.len() >= PAGE || entries.peek().is_none() {
                let length = u32::try_from(page.len()).map_err(io::Error::other)?;
                index.pages.push(Page { first: first.take().unwrap_or(key), at, length, mark: mark(&page) });
                out.write_all(&page)?;
                at += u64::from(length);
                page.clear();
            }
        }
        let encoded = index.encode();
        let digest = wire::digest(&encoded);
        out.write_all(&encoded)?;
        out.write_all(&at.to_be_bytes())?;
        out.write_all(&digest)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
        Ok((name_of(&digest), index))
    }

    /// Opens a segment, and holds its index against its name. Its pages are looked at when they are read.
    pub(super) fn open(dir: &Path, name: Name) -> io::Result<Segment> {
        let path = path_of(dir, &name);
        let file = File::open(&path)?;
        let length = file.metadata()?.len();
        let trailer_at = length.checked_sub(TRAILER as u64).ok_or_else(|| damaged("it ends too early"))?;
        let mut trailer = [0; TRAILER];
        file.read_exact_at(&mut trailer, trailer_at)?;
        let (index_at, digest) = trailer.split_at(8);
        let index_at = u64::from_be_bytes(std::array::from_fn(|i| index_at[i]));
        let index_length =
            trailer_at.checked_sub(index_at).ok_or_else(|| damaged("its index is not in it"))?;
        let mut index = vec![0; usize::try_from(index_length).map_err(io::Error::other)?];
        file.read_exact_at(&mut index, index_at)?;
        if wire::digest(&index) != digest || name_of(digest) != name {
            return Err(damaged("its index does not match its name"));
        }
        let index = Index::decode(&index).ok_or_else(|| damaged("its index cannot be read"))?;
        Ok(Segment { name, path, file: file.into(), index: index.into() })
    }

    /// Sees that it stands in this folder, too, and is found there from now on: each snapshot has its segments in a
    /// folder of its own, though they share the files.
    pub(super) fn move_to(&mut self, dir: &Path) -> io::Result<()> {
        let path = path_of(dir, &self.name);
        match fs::hard_link(&self.path, &path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // The other folder is gone, or cannot share.
            Err(_) => {
                let partial = partial_in(dir);
                let copied = self.copy_to(&partial).and_then(|()| fs::rename(&partial, &path));
                if let Err(error) = copied {
                    let _ = fs::remove_file(&partial);
                    return Err(error);
                }
            }
        }
        self.path = path;
        Ok(())
    }

    fn copy_to(&self, path: &Path) -> io::Result<()> {
        let mut from = &*self.file;
        from.seek(io::SeekFrom::Start(0))?;
        let mut to = File::create(path)?;
        io::copy(&mut from, &mut to)?;
        to.sync_all()
    }

    pub(super) fn get(&self, key: &Key) -> io::Result<Option<Vec<u8>>> {
        if !self.index.filter.may_have(key) {
            return Ok(None);
        }
        let behind = self.index.pages.partition_point(|page| page.first <= *key);
        let Some(page) = behind.checked_sub(1).and_then(|number| self.index.pages.get(number)) else {
            return Ok(None);
        };
        let found = self.read(page)?.into_iter().find(|(found, _)| found == key);
        Ok(found.map(|(_, value)| value))
    }

    /// All entries, in the order of their keys.
    pub(super) fn entries(&self) -> impl Iterator<Item = io::Result<Entry>> {
        self.index.pages.iter().flat_map(|page| match self.read(page) {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// Reads all of it, and holds it against its index.
    pub(super) fn check(&self) -> io::Result<()> {
        let mut tally = Tally::default();
        for entry in self.entries() {
            let (key, value) = entry?;
            tally.add(Tally::of(&key, &value));
        }
        if tally == self.index.tally {
            Ok(())
        } else {
            Err(damaged("its entries are not those it was made of"))
        }
    }

    fn read(&self, page: &Page) -> io::Result<Vec<Entry>> {
        let mut bytes = vec![0; usize::try_from(page.length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, page.at)?;
        if mark(&bytes) != page.mark {
            return Err(damaged("a page does not match its mark"));
        }
        let (mut rest, mut entries) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            entries.push(take_entry(&mut rest).ok_or_else(|| damaged("a page cannot be read"))?);
        }
        Ok(entries)
    }
}

fn take_entry(rest: &mut &[u8]) -> Option<Entry> {
    let key: Key = take_array(rest)?;
    let length = u32::from_be_bytes(take_array(rest)?);
    let (value, left) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = left;
    Some((key, value.to_vec()))
}

pub(super) fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

impl Index {
    fn encode(&self) -> Vec<u8> {
        let Index { tally, span, filter, pages } = self;
        let mut bytes = tally.encode().to_vec();
        bytes.extend(span.oldest.0.to_be_bytes());
        bytes.extend(span.newest.0.to_be_bytes());
        bytes.extend((filter.words().len() as u64).to_be_bytes());
        bytes.extend(filter.words().iter().flat_map(|word| word.to_be_bytes()));
        for Page { first, at, length, mark } in pages {
            bytes.extend(first);
            bytes.extend(at.to_be_bytes());
            bytes.extend(length.to_be_bytes());
            bytes.extend(mark);
        }
        bytes
    }

    fn decode(mut bytes: &[u8]) -> Option<Index> {
        let rest = &mut bytes;
        let tally = Tally::decode(&take_array(rest)?);
        let (oldest, newest) = (i64::from_be_bytes(take_array(rest)?), i64::from_be_bytes(take_array(rest)?));
        let span = Span { oldest: Timestamp(oldest), newest: Timestamp(newest) };
        let words = u64::from_be_bytes(take_array(rest)?);
        let filter = Filter::from_words((0..words).map(|_| take_array(rest).map(u64::from_be_bytes)))?;
        let mut pages = Vec::new();
        while !rest.is_empty() {
            pages.push(Page {
                first: take_array(rest)?,
                at: u64::from_be_bytes(take_array(rest)?),
                length: u32::from_be_bytes(take_array(rest)?),
                mark: take_array(rest)?,
            });
        }
        Some(Index { tally, span, filter, pages })
    }
}

fn mark(page: &[u8]) -> [u8; MARK] {
    let digest = wire::digest(page);
    std::array::from_fn(|i| digest[i])
}

fn name_of(digest: &[u8]) -> Name {
    std::array::from_fn(|i| digest[i])
}

/// A name that no one else writes to, in this process or another.
fn partial_in(dir: &Path) -> PathBuf {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    dir.join(format!("{}-{}.partial", process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed)))
}

pub(super) fn path_of(dir: &Path, name: &Name) -> PathBuf {
    dir.join(file_name(name))
}

pub(super) fn file_name(name: &Name) -> String {
    format!("{}.segment", HEXLOWER.encode(name))
}

pub(super) fn damaged(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
