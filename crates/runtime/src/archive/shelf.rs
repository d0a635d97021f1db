//! Entries of one kind: the newest in memory, the others in segments.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
    sync::Arc,
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
/// Entries put together at most, so that nothing large is written again and again. Segments this large stay as they are,
/// and what they hold of parties that left again later stays in them, too.
const MOST_MERGED: u64 = 1 << 19;

pub(super) struct Shelf {
    /// For how long entries are kept; for ever if none.
    kept_for: Option<Millis>,
    /// Of everything that was ever written to segments.
    written: Tally,
    /// Of what was written and is not here any more: forgotten, or replaced.
    gone: Tally,
    /// Oldest first. What stands in a later one counts.
    segments: Vec<Segment>,
    /// In memory until the snapshot that is being written has them, oldest first.
    leaving: Vec<Arc<Fresh>>,
    fresh: Fresh,
}

/// Entries in memory.
#[derive(Default)]
struct Fresh {
    /// Of everything that was put.
    tally: Tally,
    /// Of what was put and is replaced already.
    gone: Tally,
    entries: BTreeMap<Key, Box<[u8]>>,
    /// Entries that are keys and nothing else.
    keys: Runs,
    span: Option<Span>,
}

impl Fresh {
    fn extend_span(&mut self, at: Timestamp) {
        let at = Span::at(at);
        self.span = Some(self.span.map_or(at, |span| span.and(at)));
    }

    fn find(&self, key: &Key) -> Option<Vec<u8>> {
        let value = self.entries.get(key).map(|value| value.to_vec());
        value.or_else(|| self.keys.contains(key).then(Vec::new))
    }

    /// Everything in segments in this folder, of keys and of entries, and what of it was replaced.
    fn write(&self, dir: &Path) -> io::Result<(Vec<Segment>, Tally)> {
        let (mut segments, mut gone) = (Vec::new(), self.gone);
        let Some(span) = self.span else { return Ok((segments, gone)) };
        let (keys, twice) = self.keys.in_order();
        if !keys.is_empty() {
            let entries = keys.iter().map(|key| Ok((*key, Vec::new())));
            segments.push(Segment::write(dir, keys.len() as u64, span, entries)?);
            twice.iter().for_each(|key| gone.add(Tally::of(key, &[])));
        }
        if !self.entries.is_empty() {
            let entries = self.entries.iter().map(|(key, value)| Ok((*key, value.to_vec())));
            segments.push(Segment::write(dir, self.entries.len() as u64, span, entries)?);
        }
        Ok((segments, gone))
    }
}

impl Shelf {
    pub(super) fn new(kept_for: Option<Millis>) -> Self {
        Shelf {
            kept_for,
            written: Tally::default(),
            gone: Tally::default(),
            segments: Vec::new(),
            leaving: Vec::new(),
            fresh: Fresh::default(),
        }
    }

    /// Notes an entry without keeping it.
    pub(super) fn count(&mut self, key: &Key, value: &[u8]) {
        self.fresh.tally.add(Tally::of(key, value));
    }

    pub(super) fn put(&mut self, at: Timestamp, key: Key, value: Vec<u8>) {
        let fresh = &mut self.fresh;
        fresh.tally.add(Tally::of(&key, &value));
        fresh.extend_span(at);
        if let Some(replaced) = fresh.entries.insert(key, value.into_boxed_slice()) {
            fresh.gone.add(Tally::of(&key, &replaced));
        }
    }

    /// Puts keys that are in order.
    pub(super) fn put_keys(&mut self, at: Timestamp, keys: Vec<Key>) {
        keys.iter().for_each(|key| self.fresh.tally.add(Tally::of(key, &[])));
        self.fresh.extend_span(at);
        self.fresh.keys.push(keys);
    }

    /// For a snapshot: what is here now, in the same memory. From here on what is put comes after it.
    pub(super) fn lend(&mut self) -> Shelf {
        self.cut();
        Shelf {
            written: self.written,
            gone: self.gone,
            segments: self.segments.clone(),
            leaving: self.leaving.clone(),
            ..Shelf::new(self.kept_for)
        }
    }

    fn cut(&mut self) {
        if self.fresh.tally.count > 0 {
            self.leaving.push(std::mem::take(&mut self.fresh).into());
        }
    }

    /// Takes back what was lent last, once it is settled, and leaves there what is not needed any more.
    pub(super) fn take_back(&mut self, settled: &mut Shelf) {
        (self.written, self.gone) = (settled.written, settled.gone);
        std::mem::swap(&mut self.segments, &mut settled.segments);
        std::mem::swap(&mut self.leaving, &mut settled.leaving);
    }

    /// The entry's value, and the segment it stands in: no name's if it is fresh.
    pub(super) fn find(&self, key: &Key) -> Result<Option<(Name, Vec<u8>)>, Unreadable> {
        if let Some(value) = self.in_memory().rev().find_map(|fresh| fresh.find(key)) {
            return Ok(Some((Name::default(), value)));
        }
        for segment in self.segments.iter().rev() {
            let unreadable = |source| Unreadable { segment: segment.name, source };
            if let Some(value) = segment.get(key).map_err(unreadable)? {
                return Ok(Some((segment.name, value)));
            }
        }
        Ok(None)
    }

    /// Of everything that was ever put.
    pub(super) fn tally(&self) -> Tally {
        let mut tally = self.written;
        self.in_memory().for_each(|fresh| tally.add(fresh.tally));
        tally
    }

    /// Oldest first.
    fn in_memory(&self) -> impl DoubleEndedIterator<Item = &Fresh> {
        self.leaving.iter().map(Arc::as_ref).chain(std::iter::once(&self.fresh))
    }

    /// Sees that everything stands in segments, and these in the folder, if there is anything. Nothing is lost if it fails.
    pub(super) fn settle(&mut self, dir: &Path, now: Timestamp) -> Result<(), Unsettled> {
        if let Some(kept_for) = self.kept_for {
            let (kept, forgotten) =
                self.segments.drain(..).partition(|segment| now - segment.index.span.newest <= kept_for);
            self.segments = kept;
            let forgotten: Vec<Segment> = forgotten;
            forgotten.iter().for_each(|segment| self.gone.add(segment.index.tally));
        }
        self.cut();
        if self.segments.is_empty() && self.leaving.is_empty() {
            return Ok(());
        }
        fs::create_dir_all(dir)?;
        while let Some(oldest) = self.leaving.first() {
            let (segments, gone) = oldest.write(dir)?;
            self.written.add(oldest.tally);
            self.gone.add(gone);
            self.segments.extend(segments);
            self.leaving.remove(0);
        }
        while let [.., older, newer] = &self.segments[..]
            && self.belong_together(older, newer)
        {
            let (merged, gone) = merge(dir, older, newer)?;
            self.gone.add(gone);
            self.segments.truncate(self.segments.len() - 2);
            self.segments.push(merged);
        }
        self.segments.iter_mut().try_for_each(|segment| segment.move_to(dir))?;
        Ok(File::open(dir)?.sync_all()?)
    }

    /// The names of its segments.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> {
        self.segments.iter().map(|segment| segment.name)
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
        let mut bytes = self.written.encode().to_vec();
        bytes.extend(self.gone.encode());
        bytes.extend((self.segments.len() as u64).to_be_bytes());
        bytes.extend(self.names().flatten());
        bytes
    }

    pub(super) fn decode(rest: &mut &[u8], dir: &Path, kept_for: Option<Millis>) -> io::Result<Self> {
        let Said { written, gone, names } = Said::decode(rest)?;
        let mut segments = Vec::new();
        let mut found = gone;
        for name in names {
            let segment = Segment::open(dir, name)?;
            found.add(segment.index.tally);
            segments.push(segment);
        }
        if found != written {
            return Err(damaged("its segments do not hold what it was made of"));
        }
        Ok(Shelf { written, gone, segments, ..Shelf::new(kept_for) })
    }

    /// Reads every segment.
    pub(super) fn check(&self) -> Result<(), Unreadable> {
        self.segments.iter().try_for_each(|segment| {
            segment.check().map_err(|source| Unreadable { segment: segment.name, source })
        })
    }
}

/// What a snapshot says of a shelf.
pub(super) struct Said {
    written: Tally,
    gone: Tally,
    pub(super) names: Vec<Name>,
}

impl Said {
    pub(super) fn decode(rest: &mut &[u8]) -> io::Result<Self> {
        let cut = || damaged("what it says of its segments ends too early");
        let written = Tally::decode(&take_array(rest).ok_or_else(cut)?);
        let gone = Tally::decode(&take_array(rest).ok_or_else(cut)?);
        let count = u64::from_be_bytes(take_array(rest).ok_or_else(cut)?);
        let names = (0..count).map(|_| take_array(rest).ok_or_else(cut));
        Ok(Said { written, gone, names: names.collect::<io::Result<_>>()? })
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
