//! Stories of leaders and zombies: what counts and what does not is read off the log alone.

use bytes::Bytes;
use domain::{Cause, Epoch, Step, Timestamp, contact, desk};
use wire::{
    Announce, Decision, Error, Header, Ignored, Judgement, Point, Reader, Verdict, encode_announce,
    encode_decision,
};

use crate::samples::{Dice, decision};

type Desk = desk::Decider;

const A: Epoch = Epoch([0xa; 16]);
const B: Epoch = Epoch([0xb; 16]);
const C: Epoch = Epoch([0xc; 16]);

fn announce(epoch: Epoch, follows: Option<Epoch>) -> Bytes {
    encode_announce(&Announce { epoch, follows, leader: "worker-1".into(), version: 1, at: Timestamp(5) })
}

fn decide(epoch: Epoch, seq: u64) -> Bytes {
    let steps = vec![Step { cause: Cause::Report, events: Vec::new(), answers: Vec::new(), set_aside: None }];
    let decided_at = Timestamp(10);
    encode_decision(&Decision::<Desk> { epoch, seq, intake_through: seq * 10, decided_at, steps })
}

/// What a reader makes of a record, in short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Is {
    Ruling(Epoch),
    Accepted(Epoch, u64),
    Late,
    Foreign,
    OutOfSequence,
}

fn why(ignored: Ignored) -> Is {
    match ignored {
        Ignored::Late { .. } => Is::Late,
        Ignored::Foreign { .. } => Is::Foreign,
        Ignored::OutOfSequence { .. } => Is::OutOfSequence,
    }
}

/// Reads the records from the point on, once whole and once by their headers: both must agree.
fn read(point: Point, records: &[Bytes]) -> (Vec<Is>, Point) {
    let (mut reader, mut judge) = (Reader::<Desk>::new(point), Reader::<Desk>::new(point));
    let mut seen = Vec::new();
    for (position, bytes) in (point.position..).zip(records) {
        let is = match reader.read(position, bytes).expect("a readable record") {
            Verdict::Ignored(ignored) => why(ignored),
            Verdict::Ruling(announce) => Is::Ruling(announce.epoch),
            Verdict::Accepted(decision) => Is::Accepted(decision.epoch, decision.seq),
        };
        let judged = match judge.judge(position, bytes).expect("a readable header") {
            Judgement::Ignored(ignored) => why(ignored),
            Judgement::Accepted(Header::Announce(announce)) => Is::Ruling(announce.epoch),
            Judgement::Accepted(Header::Decision { epoch, seq, .. }) => Is::Accepted(epoch, seq),
        };
        assert_eq!(is, judged);
        assert_eq!(reader.point(), judge.point());
        assert_eq!(reader.point().position, position + 1);
        seen.push(is);
    }
    (seen, reader.point())
}

fn check<const N: usize>(records: [(Bytes, Is); N]) -> Point {
    let (bytes, expected): (Vec<_>, Vec<_>) = records.into_iter().unzip();
    let (seen, point) = read(Point::default(), &bytes);
    assert_eq!(seen, expected);
    point
}

#[test]
fn one_leader_after_the_other() {
    let point = check([
        (announce(A, None), Is::Ruling(A)),
        (decide(A, 1), Is::Accepted(A, 1)),
        (decide(A, 2), Is::Accepted(A, 2)),
        (announce(B, Some(A)), Is::Ruling(B)),
        (decide(B, 1), Is::Accepted(B, 1)),
    ]);
    assert_eq!(point, Point { position: 5, epoch: Some(B), seq: 1 });
}

#[test]
fn nobody_decides_without_ruling() {
    check([(decide(A, 1), Is::Foreign), (announce(A, None), Is::Ruling(A)), (decide(B, 1), Is::Foreign)]);
}

#[test]
fn a_zombies_late_writes_are_invisible() {
    check([
        (announce(A, None), Is::Ruling(A)),
        (decide(A, 1), Is::Accepted(A, 1)),
        (announce(B, Some(A)), Is::Ruling(B)),
        (decide(A, 2), Is::Foreign),
        (decide(B, 1), Is::Accepted(B, 1)),
        (decide(A, 3), Is::Foreign),
        (decide(B, 2), Is::Accepted(B, 2)),
    ]);
}

#[test]
fn two_rivals_settle_by_log_order() {
    check([
        (announce(A, None), Is::Ruling(A)),
        (announce(B, Some(A)), Is::Ruling(B)),
        (announce(C, Some(A)), Is::Late),
        (decide(C, 1), Is::Foreign),
        (decide(B, 1), Is::Accepted(B, 1)),
        (announce(C, Some(B)), Is::Ruling(C)),
    ]);
}

#[test]
fn a_doubled_announcement_changes_nothing() {
    check([
        (announce(A, None), Is::Ruling(A)),
        (announce(A, None), Is::Late),
        (decide(A, 1), Is::Accepted(A, 1)),
        (announce(A, None), Is::Late),
        (decide(A, 2), Is::Accepted(A, 2)),
        (announce(B, Some(A)), Is::Ruling(B)),
        (announce(B, Some(A)), Is::Late),
        (announce(A, None), Is::Late),
        (decide(B, 1), Is::Accepted(B, 1)),
    ]);
}

#[test]
fn an_epoch_does_not_follow_itself() {
    check([
        (announce(A, None), Is::Ruling(A)),
        (decide(A, 1), Is::Accepted(A, 1)),
        (announce(A, Some(A)), Is::Late),
        (decide(A, 2), Is::Accepted(A, 2)),
    ]);
}

#[test]
fn an_announcement_that_saw_nobody_is_late_once_someone_rules() {
    check([
        (announce(A, None), Is::Ruling(A)),
        (announce(B, None), Is::Late),
        (announce(B, Some(C)), Is::Late),
    ]);
}

#[test]
fn nothing_follows_a_lost_record_in_its_epoch() {
    check([
        (announce(A, None), Is::Ruling(A)),
        (decide(A, 1), Is::Accepted(A, 1)),
        (decide(A, 3), Is::OutOfSequence),
        (decide(A, 1), Is::OutOfSequence),
        (decide(A, 0), Is::OutOfSequence),
        (decide(A, 2), Is::Accepted(A, 2)),
        (decide(A, 2), Is::OutOfSequence),
    ]);
}

#[test]
fn from_any_point_the_rest_reads_the_same() {
    let log = [
        announce(A, None),
        decide(A, 1),
        decide(A, 3),
        announce(B, Some(A)),
        announce(C, Some(A)),
        decide(A, 2),
        decide(B, 1),
        decide(B, 2),
        announce(C, Some(B)),
        decide(B, 3),
        decide(C, 1),
    ];
    let (whole, end) = read(Point::default(), &log);
    for start in 0..=log.len() {
        let (first, point) = read(Point::default(), &log[..start]);
        let (rest, reached) = read(Point::decode(&point.encode()).expect("a point"), &log[start..]);
        assert_eq!([first, rest].concat(), whole);
        assert_eq!(reached, end);
    }
}

#[test]
fn positions_may_have_gaps_but_never_go_back() {
    let mut reader = Reader::<Desk>::new(Point::default());
    reader.read(3, &announce(A, None)).expect("a readable record");
    reader.read(9, &decide(A, 1)).expect("a readable record");
    assert_eq!(reader.point(), Point { position: 10, epoch: Some(A), seq: 1 });
    let again = reader.read(9, &decide(A, 2));
    assert!(matches!(again, Err(Error::Backwards { position: 9, next: 10 })), "{again:?}");
}

/// An accepted record that cannot be read stops the reader where it stands; the same record of an epoch that does
/// not rule is passed over unread.
#[test]
fn a_reader_stops_at_what_it_cannot_read() {
    let foreign_body =
        |epoch, seq| encode_decision(&Decision { epoch, seq, ..decision::<contact::Decider>(&mut Dice(1)) });
    let mut reader = Reader::<Desk>::new(Point::default());
    reader.read(0, &announce(A, None)).expect("a readable record");
    let zombie = reader.read(1, &foreign_body(B, 1));
    assert!(matches!(zombie, Ok(Verdict::Ignored(Ignored::Foreign { epoch: B }))), "{zombie:?}");

    let before = reader.point();
    let stopped = reader.read(2, &foreign_body(A, 1));
    assert!(matches!(stopped, Err(Error::Record { position: 2, .. })), "{stopped:?}");
    let no_header = reader.read(2, &Bytes::from_static(b"\xff\xff\xff"));
    assert!(matches!(no_header, Err(Error::Record { position: 2, .. })), "{no_header:?}");
    let empty = reader.read(2, &Bytes::new());
    assert!(matches!(empty, Err(Error::Record { position: 2, .. })), "{empty:?}");
    assert_eq!(reader.point(), before);

    let counted = reader.judge(2, &foreign_body(A, 1));
    assert!(matches!(counted, Ok(Judgement::Accepted(Header::Decision { seq: 1, .. }))), "{counted:?}");
}
