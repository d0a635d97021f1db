//! The pure rule by which every reader of a log partition tells what counts: a zombie's late writes, a doubled
//! announcement, a record out of sequence are invisible to all of them alike, without a lock.

use std::marker::PhantomData;

use bytes::Bytes;
use domain::Epoch;

use crate::{
    Announce, Codec, Decision, Error, Header, Record, decode_header, decode_record,
    message::{decode, encode, message},
    pb,
};

/// A place where a reader of one log partition may start. The beginning of the log is the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Point {
    /// The next position to read.
    pub position: u64,
    /// The epoch that rules there; none where nobody ruled yet.
    pub epoch: Option<Epoch>,
    /// Of the last decision accepted in that epoch; 0 if there was none.
    pub seq: u64,
}

/// Why a record that stands in the log does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ignored {
    /// It announces a leader who did not know the epoch that rules here.
    Late { announced: Epoch },
    /// It was decided in an epoch that does not rule here.
    Foreign { epoch: Epoch },
    /// It is of the ruling epoch, but another decision is next.
    OutOfSequence { seq: u64, expected: u64 },
}

/// What a record is at its place in the log.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict<A: Codec> {
    Ignored(Ignored),
    /// Its epoch rules from here on.
    Ruling(Announce),
    Accepted(Decision<A>),
}

/// The same without the decision's steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    Ignored(Ignored),
    Accepted(Header),
}

impl Point {
    /// Where a reader stands once it has read this record: either way behind it, and where the record counts, in
    /// its epoch and at its number.
    ///
    /// An announcement counts if it follows the epoch that rules here; a decision, if it is the next of that
    /// epoch. An epoch is announced by one record only, so it rules at most once.
    fn judge(self, position: u64, header: &Header) -> (Point, Option<Ignored>) {
        let behind = Point { position: position.saturating_add(1), ..self };
        match header {
            Header::Announce(announce)
                if announce.follows != self.epoch || Some(announce.epoch) == self.epoch =>
            {
                (behind, Some(Ignored::Late { announced: announce.epoch }))
            }
            Header::Announce(announce) => (Point { epoch: Some(announce.epoch), seq: 0, ..behind }, None),
            Header::Decision { epoch, .. } if Some(*epoch) != self.epoch => {
                (behind, Some(Ignored::Foreign { epoch: *epoch }))
            }
            Header::Decision { seq, .. } => match self.seq.saturating_add(1) {
                expected if *seq != expected => {
                    (behind, Some(Ignored::OutOfSequence { seq: *seq, expected }))
                }
                _ => (Point { seq: *seq, ..behind }, None),
            },
        }
    }

    /// For cursors, snapshots and indexes.
    pub fn encode(&self) -> Vec<u8> {
        encode::<pb::Point>(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Point, Error> {
        decode::<pb::Point, _>("a point of a log", bytes)
    }
}

message! {
    Point => Point { position, epoch, seq }
}

/// Reads one log partition in order and tells what counts. After an error it stands where it stood: a reader stops
/// at a record it cannot read, and never skips it.
#[derive(Clone, Debug)]
pub struct Reader<A> {
    point: Point,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: Codec> Reader<A> {
    /// Starts at a stored point: any other place would not tell which epoch rules.
    pub fn new(point: Point) -> Self {
        Reader { point, aggregate: PhantomData }
    }

    /// Where the next reader may start.
    pub fn point(&self) -> Point {
        self.point
    }

    /// Reads the next record, which stands at `position`. Of a record that does not count, the header alone.
    pub fn read(&mut self, position: u64, bytes: &Bytes) -> Result<Verdict<A>, Error> {
        let (point, header, ignored) = self.look(position, bytes)?;
        let verdict = match (ignored, header) {
            (Some(ignored), _) => Verdict::Ignored(ignored),
            (None, Header::Announce(announce)) => Verdict::Ruling(announce),
            (None, Header::Decision { .. }) => match decode_record(bytes) {
                Ok(Record::Decision(decision)) => Verdict::Accepted(decision),
                Ok(Record::Announce(announce)) => Verdict::Ruling(announce),
                Err(source) => return Err(Error::Record { position, source: Box::new(source) }),
            },
        };
        self.point = point;
        Ok(verdict)
    }

    /// Like [`Reader::read`], for readers that only count: the steps are never looked at.
    pub fn judge(&mut self, position: u64, bytes: &Bytes) -> Result<Judgement, Error> {
        let (point, header, ignored) = self.look(position, bytes)?;
        self.point = point;
        Ok(match ignored {
            Some(ignored) => Judgement::Ignored(ignored),
            None => Judgement::Accepted(header),
        })
    }

    fn look(&self, position: u64, bytes: &Bytes) -> Result<(Point, Header, Option<Ignored>), Error> {
        if position < self.point.position {
            return Err(Error::Backwards { position, next: self.point.position });
        }
        let header =
            decode_header(bytes).map_err(|source| Error::Record { position, source: Box::new(source) })?;
        let (point, ignored) = self.point.judge(position, &header);
        Ok((point, header, ignored))
    }
}
