//! Entries of one kind: the newest in memory, the others in segments.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
};

use domain::{Millis, Timestamp};

use super::{
    Entry, Key,
    runs::Runs,
    segment::{Name, Segment, Span, damaged, take_array},
    tally::Tally,
};

/// A segment is put together with the one before it unless that one has more than so many times its entries: so there
/// are few, and each entry is written few times.
const STEP: u64 = 2;
/// Entries put together at most: the leader waits meanwhile. Segments this large stay as they are, and what they hold of
/// parties that left again later stays in them, too.
const MOST_MERGED: u64 = 1 << 19;

pub(super) struct Shelf {
    /// For how long entries are kept; for ever if none.
    kept_for: Option<Millis>,
    /// Of everything that was ever put.
    tally: Tally,
    /// Of what was put and is not here any more: forgotten, or replaced.
    gone: Tally,
    fresh: BTreeMap<Key, Box<[u8]>>,
    /// Fresh entries that are keys and nothing else.
    fresh_keys: Runs,
    span: Option<Span>,
    /// Oldest first. What stands in a later one counts.
    segments: Vec<Segment>,
}

impl Shelf {
    pub(super) fn new(kept_for: Option<Millis>) -> Self {
        Shelf {
            kept_for,
            tally: Tally::default(),
            gone: Tally::default(),
            fresh: BTreeMap::new(),
            fresh_keys: Runs::default(),
            span: None,
            segments: Vec::new(),
        }
    }

    /// Notes an entry without keeping it.
    pub(super) fn count(&mut self, key: &Key, value: &[u8]) {
        let tally = Tally::of(key, value);
        self.tally.add(tally);
        self.gone.add(tally);
    }

    pub(super) fn put(&mut self, at: Timestamp, key: Key, value: Vec<u8>) {
        self.tally.add(Tally::of(&key, &value));
        self.extend_span(at);
        if let Some(replaced) = self.fresh.insert(key, value.into_boxed_slice()) {
            self.gone.add(Tally::of(&key, &replaced));
        }
    }

    /// Puts keys that are in order.
    pub(super) fn put_keys(&mut self, at: Timestamp, keys: Vec<Key>) {
        keys.iter().for_each(|key| self.tally.add(Tally::of(key, &[])));
        self.extend_span(at);
        self.fresh_keys.push(keys);
    }

    fn extend_span(&mut self, at: Timestamp) {
        let at = Span::at(at);
        self.span = Some(self.span.map_or(at, |span| span.and(at)));
    }

    /// The entry's value, and the segment it stands in: no name's if it is fresh.
    pub(super) fn find(&self, key: &Key) -> Result<Option<(Name, Vec<u8>)>, Unreadable> {
        if let Some(value) = self.fresh.get(key) {
            return Ok(Some((Name::default(), value.to_vec())));
        }
        if self.fresh_keys.contains(key) {
            return Ok(Some((Name::default(), Vec::new())));
        }
        for segment in self.segments.iter().rev() {
            let unreadable = |source| Unreadable { segment: segment.name, source };
            if let Some(value) = segment.get(key).map_err(unreadable)? {
                return Ok(Some((segment.name, value)));
            }
        }
        Ok(None)
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Sees that everything stands in segments, and these in the folder. Nothing is lost if it fails.
    pub(super) fn settle(&mut self, dir: &Path, now: Timestamp) -> Result<(), Unsettled> {
        if let Some(kept_for) = self.kept_for {
            let (kept, forgotten) =
                self.segments.drain(..).partition(|segment| now - segment.index.span.newest <= kept_for);
            self.segments = kept;
            let forgotten: Vec<Segment> = forgotten;
            forgotten.iter().for_each(|segment| self.gone.add(segment.index.tally));
        }
        self.write_fresh(dir)?;
        for segment in &mut self.segments {
            fs::create_dir_all(dir)?;
            segment.move_to(dir)?;
        }
        match self.segments.is_empty() {
            true => Ok(()),
            false => Ok(File::open(dir)?.sync_all()?),
        }
    }

    /// Sees that everything stands in segments, new ones in the folder.
    pub(super) fn write_fresh(&mut self, dir: &Path) -> Result<(), Unsettled> {
        if let Some(span) = self.span {
            fs::create_dir_all(dir)?;
            let (keys, twice) = self.fresh_keys.in_order();
            if !keys.is_empty() {
                let entries = keys.iter().map(|key| Ok((*key, Vec::new())));
                self.segments.push(Segment::write(dir, keys.len() as u64, span, entries)?);
                twice.iter().for_each(|key| self.gone.add(Tally::of(key, &[])));
                self.fresh_keys = Runs::default();
            }
            if !self.fresh.is_empty() {
                let entries = self.fresh.iter().map(|(key, value)| Ok((*key, value.to_vec())));
                self.segments.push(Segment::write(dir, self.fresh.len() as u64, span, entries)?);
                self.fresh.clear();
            }
            self.span = None;
        }
        while let [.., older, newer] = &self.segments[..]
            && self.belong_together(older, newer)
        {
            let (merged, gone) = merge(dir, older, newer)?;
            self.gone.add(gone);
            self.segments.truncate(self.segments.len() - 2);
            self.segments.push(merged);
        }
        Ok(())
    }

    pub(super) fn in_memory(&self) -> usize {
        self.fresh.len() + self.fresh_keys.len()
    }

    fn belong_together(&self, older: &Segment, newer: &Segment) -> bool {
        let span = older.index.span.and(newer.index.span);
        // What is forgotten is forgotten by the segment: one that grew for ever would never be.
        let may = self.kept_for.is_none_or(|kept_for| span.newest - span.oldest <= Millis(kept_for.0 / 7));
        let (older, newer) = (older.index.tally.count, newer.index.tally.count);
        may && older <= STEP * newer && older + newer <= MOST_MERGED
    }

    /// Once all of it is in segments.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.tally.encode().to_vec();
        bytes.extend(self.gone.encode());
        bytes.extend((self.segments.len() as u64).to_be_bytes());
        bytes.extend(self.segments.iter().flat_map(|segment| segment.name));
        bytes
    }

    pub(super) fn decode(rest: &mut &[u8], dir: &Path, kept_for: Option<Millis>) -> io::Result<Self> {
        let cut = || damaged("what it says of its segments ends too early");
        let tally = Tally::decode(&take_array(rest).ok_or_else(cut)?);
        let gone = Tally::decode(&take_array(rest).ok_or_else(cut)?);
        let count = u64::from_be_bytes(take_array(rest).ok_or_else(cut)?);
        let mut segments = Vec::new();
        let mut found = gone;
        for _ in 0..count {
            let name: Name = take_array(rest).ok_or_else(cut)?;
            let segment = Segment::open(dir, name)?;
            found.add(segment.index.tally);
            segments.push(segment);
        }
        if found != tally {
            return Err(damaged("its segments do not hold what it was made of"));
        }
        Ok(Shelf { tally, gone, segments, ..Shelf::new(kept_for) })
    }

    /// Reads every segment.
    pub(super) fn check(&self) -> Result<(), Unreadable> {
        self.segments.iter().try_for_each(|segment| {
            segment.check().map_err(|source| Unreadable { segment: segment.name, source })
        })
    }
}

#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(super) segment: Name,
    pub(super) source: io::Error,
}

/// Why not everything could be put in order.
#[derive(Debug)]
pub(crate) enum Unsettled {
    /// It never will be: a segment is damaged.
    Unreadable(Unreadable),
    /// The disk takes nothing now.
    Unwritten(io::Error),
}

impl From<io::Error> for Unsettled {
    fn from(source: io::Error) -> Self {
        Unsettled::Unwritten(source)
    }
}

/// Both in one, and what of the older is replaced.
fn merge(dir: &Path, older: &Segment, newer: &Segment) -> Result<(Segment, Tally), Unsettled> {
    let mut gone = Tally::default();
    let about = older.index.tally.count + newer.index.tally.count;
    let span = older.index.span.and(newer.index.span);
    let damaged = Cell::new(None);
    let heed = |name| {
        let damaged = &damaged;
        move |entry: &io::Result<Entry>| {
            if entry.is_err() {
                damaged.set(Some(name));
            }
        }
    };
    let mut old = older.entries().inspect(heed(older.name)).peekable();
    let mut new = newer.entries().inspect(heed(newer.name)).peekable();
    let entries = std::iter::from_fn(|| -> Option<io::Result<Entry>> {
        match (old.peek(), new.peek()) {
            (Some(Ok((first, _))), Some(Ok((second, _)))) if first < second => old.next(),
            (Some(Ok((first, value))), Some(Ok((second, _)))) if first == second => {
                gone.add(Tally::of(first, value));
                old.next();
                new.next()
            }
            (_, Some(_)) => new.next(),
            (_, None) => old.next(),
        }
    });
    // An error on the older side comes up once the newer side has ended.
    let merged = Segment::write(dir, about, span, entries).map_err(|source| match damaged.get() {
        Some(segment) => Unsettled::Unreadable(Unreadable { segment, source }),
        None => Unsettled::Unwritten(source),
    })?;
    Ok((merged, gone))
}
