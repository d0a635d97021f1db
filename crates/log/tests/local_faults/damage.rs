//! Files that were changed behind the log's back. Each harm is done to a copy; then either the copy is refused, or it
//! yields the true records up to the harm and an error there, or the harm met nothing that matters.

use std::{fs, path::Path};

use log::{Error, Log};
use tempfile::{TempDir, tempdir};

use super::{Acknowledged, PARTITIONS, append_some, assert_whole, contents, open};

const FILE: &str = "log.sqlite";
const WAL: &str = "log.sqlite-wal";
const ENDS: &str = "log.ends";

/// A log as a killed process leaves it: much of it in the write-ahead log.
async fn killed() -> (TempDir, Acknowledged) {
    let (dir, left) = (tempdir().expect("tempdir"), tempdir().expect("tempdir"));
    let log = open(dir.path()).expect("open");
    let acknowledged = append_some(&log, 60).await;
    copy(dir.path(), left.path());
    (left, acknowledged)
}

/// A log that was closed: all of it in its file.
async fn closed() -> (TempDir, Acknowledged) {
    let dir = tempdir().expect("tempdir");
    let log = open(dir.path()).expect("open");
    let acknowledged = append_some(&log, 300).await;
    log.close().await;
    (dir, acknowledged)
}

fn copy(from: &Path, to: &Path) {
    for name in [FILE, WAL, ENDS] {
        fs::copy(from.join(name), to.join(name)).expect("copy");
    }
}

/// Does the harm to a copy's file and yields the copy.
fn harmed(original: &Path, name: &str, harm: impl FnOnce(&mut Vec<u8>)) -> TempDir {
    let dir = tempdir().expect("tempdir");
    copy(original, dir.path());
    let mut bytes = fs::read(dir.path().join(name)).expect("read");
    harm(&mut bytes);
    fs::write(dir.path().join(name), bytes).expect("write");
    dir
}

#[derive(PartialEq, Eq, Debug)]
enum Outcome {
    /// The log is not opened.
    Refused,
    /// A reader is stopped.
    Stopped,
    Harmless,
}

/// Whatever was done, nothing false is read and nothing is silently missing.
async fn judge(dir: &Path, acknowledged: &Acknowledged, harm: &str) -> Outcome {
    let log = match open(dir) {
        Ok(log) => log,
        Err(Error::Damaged { .. } | Error::Storage { .. } | Error::OtherCount { .. }) => {
            return Outcome::Refused;
        }
        Err(other) => panic!("{harm}: {other:?}"),
    };
    let mut outcome = Outcome::Harmless;
    for partition in 0..PARTITIONS {
        let (found, error) = contents(&log, partition).await;
        let expected = &acknowledged[&partition];
        assert!(expected.starts_with(&found), "{harm}: partition {partition} yields what was never written");
        match error {
            None => assert_eq!(found.len(), expected.len(), "{harm}: partition {partition} ends silently"),
            Some(Error::Damaged { .. } | Error::Storage { .. }) => outcome = Outcome::Stopped,
            Some(other) => panic!("{harm}: {other:?}"),
        }
    }
    outcome
}

/// Harms one byte after another, some way apart. Yields how many copies were refused, stopped readers, or neither.
async fn flip_all_over(original: &Path, name: &str, acknowledged: &Acknowledged, apart: usize) -> [usize; 3] {
    let length = fs::metadata(original.join(name)).expect("its size").len() as usize;
    let mut outcomes = [0; 3];
    for (flip, at) in (0..length).step_by(apart).enumerate() {
        let harm = format!("bit {} of byte {at} of {length} in {name}", flip % 8);
        let dir = harmed(original, name, |bytes| bytes[at] ^= 1 << (flip % 8));
        outcomes[judge(dir.path(), acknowledged, &harm).await as usize] += 1;
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_of_the_file_is_never_read_as_something_else() {
    let (original, acknowledged) = closed().await;
    let [refused, stopped, harmless] = flip_all_over(original.path(), FILE, &acknowledged, 1_009).await;
    assert!(refused + stopped > harmless, "{refused} refused, {stopped} stopped, {harmless} met nothing");
    // The beginning of each page says what the rest means, and the first says what the file is.
    let file = fs::read(original.path().join(FILE)).expect("read");
    for at in (0..150).chain((4_096..file.len()).step_by(4_096).flat_map(|page| page..page + 4)) {
        let harm = format!("byte {at} of {FILE}");
        let dir = harmed(original.path(), FILE, |bytes| bytes[at] ^= 0x10);
        judge(dir.path(), &acknowledged, &harm).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_start_has_nothing_removed() {
    let (original, acknowledged) = closed().await;
    let dir = tempdir().expect("tempdir");
    copy(original.path(), dir.path());
    let file = rusqlite::Connection::open(dir.path().join(FILE)).expect("open");
    file.execute("UPDATE partitions SET start = 64 WHERE number = 1", []).expect("harm");
    assert!(matches!(open(dir.path()).err(), Some(Error::Damaged { .. })));
    file.execute("UPDATE partitions SET start = 0 WHERE number = 1", []).expect("mend");
    drop(file);
    assert_whole(&open(dir.path()).expect("open"), &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_of_the_write_ahead_log_does_not_let_its_tail_vanish() {
    let (original, acknowledged) = killed().await;
    assert_whole(&open(harmed(original.path(), WAL, |_| ()).path()).expect("open"), &acknowledged).await;
    let [refused, stopped, harmless] = flip_all_over(original.path(), WAL, &acknowledged, 2_503).await;
    assert!(refused > 20, "{refused} refused, {stopped} stopped, {harmless} met nothing");
    assert_eq!((stopped, harmless), (0, 0), "every frame of this write-ahead log matters");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_ahead_log_cut_short_is_told_with_the_place() {
    let (original, acknowledged) = killed().await;
    let length = fs::metadata(original.path().join(WAL)).expect("its size").len() as usize;
    // The last commit alone, half of it, nearly all, all.
    for kept in [length - 1, length - 4_120, length / 2, 4_152, 31, 0] {
        let dir = harmed(original.path(), WAL, |bytes| bytes.truncate(kept));
        let outcome = judge(dir.path(), &acknowledged, &format!("{kept} of {length} bytes of {WAL}")).await;
        assert_eq!(outcome, Outcome::Refused, "{kept} of {length} bytes");
    }
    let dir = harmed(original.path(), WAL, |bytes| bytes.truncate(length - 1));
    let Some(Error::Damaged { partition, position, reason }) = open(dir.path()).err() else {
        panic!("a lost commit goes unnoticed")
    };
    let last = acknowledged[&partition.number].len() as u64 - 1;
    assert_eq!(position, last, "the last commit is lost, and it was one record");
    for what in ["log.ends", "snapshots/", "readmodel/", &last.to_string()] {
        assert!(reason.contains(what), "no {what} in {reason}");
    }
    // Readers beside a writer are told as well.
    let beside = log::LocalLog::open_read_only(dir.path(), &[super::TOPIC]);
    assert!(matches!(beside.err(), Some(Error::Damaged { .. })));

    // Whoever decides to go on without them can.
    fs::remove_file(dir.path().join(ENDS)).expect("remove the notes");
    let log = open(dir.path()).expect("open");
    assert_eq!(contents(&log, partition.number).await.0.len() as u64, last);
    assert_eq!(log.append(partition, vec!["again".into()]).await.expect("append"), last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_short_is_damage() {
    let (original, acknowledged) = closed().await;
    let length = fs::metadata(original.path().join(FILE)).expect("its size").len() as usize;
    for kept in (0..length).step_by(7_001) {
        let dir = harmed(original.path(), FILE, |bytes| bytes.truncate(kept));
        let outcome = judge(dir.path(), &acknowledged, &format!("{kept} of {length} bytes of {FILE}")).await;
        assert_ne!(outcome, Outcome::Harmless, "{kept} of {length} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_is_not_begun_anew() {
    let (original, _) = closed().await;
    for name in [FILE, WAL] {
        fs::remove_file(original.path().join(name)).expect("remove");
    }
    for _ in 0..2 {
        let error = open(original.path()).err().expect("refused");
        assert!(error.to_string().contains("open the log"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_notes_are_no_notes() {
    let (original, acknowledged) = killed().await;
    let length = fs::metadata(original.path().join(ENDS)).expect("its size").len() as usize;
    for at in 0..length {
        let dir = harmed(original.path(), ENDS, |bytes| bytes[at] ^= 0x40);
        assert_whole(&open(dir.path()).expect("open"), &acknowledged).await;
    }
    for kept in 0..length {
        let dir = harmed(original.path(), ENDS, |bytes| bytes.truncate(kept));
        assert_whole(&open(dir.path()).expect("open"), &acknowledged).await;
    }
}
