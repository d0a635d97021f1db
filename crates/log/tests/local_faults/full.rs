//! Full disks: appends are refused, nothing acknowledged is lost, and with room they go on.

use bytes::Bytes;
use log::{Error, Log};

use super::{Acknowledged, TOPIC, assert_whole, open, record, small_disk::SmallDisk};

/// Appends until one is refused, and yields what it was told.
async fn append_until_refused(
    log: &log::LocalLog,
    acknowledged: &mut Acknowledged,
    number: &mut usize,
) -> Error {
    loop {
        let partition = *number as u32 % 2;
        let records: Vec<Bytes> = (0..10).map(|n| record(*number + n)).collect();
        *number += 10;
        match log.append(TOPIC.partition(partition), records.clone()).await {
            Ok(_) => acknowledged.entry(partition).or_default().extend(records),
            Err(error) => return error,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_loses_nothing_and_goes_on_with_room() {
    let Some(disk) = SmallDisk::of_mib(64) else { return };
    let mut log = open(&disk.dir()).expect("open");
    let (mut acknowledged, mut number) = (Acknowledged::new(), 0);
    for round in 0..8 {
        // Another place each time for the disk to end in: the write-ahead log, or the file while it is folded back.
        disk.fill((round % 4) * 5_000_000 + 300_000);
        let error = append_until_refused(&log, &mut acknowledged, &mut number).await;
        assert!(matches!(error, Error::DiskFull) && !error.is_unknown(), "round {round}: {error:?}");
        let error = append_until_refused(&log, &mut acknowledged, &mut number).await;
        assert!(matches!(error, Error::DiskFull), "round {round}, still full: {error:?}");
        assert_whole(&log, &acknowledged).await;
        if round % 2 == 1 {
            // A process that starts on a full disk finds everything and refuses as well.
            log.close().await;
            log = open(&disk.dir()).expect("open on a full disk");
            assert_whole(&log, &acknowledged).await;
            disk.fill(0);
            let error = append_until_refused(&log, &mut acknowledged, &mut number).await;
            assert!(matches!(error, Error::DiskFull), "round {round}, opened again: {error:?}");
        }
        disk.make_room();
        log.append(TOPIC.partition(2), vec![record(round as usize)]).await.expect("there is room again");
        acknowledged.entry(2).or_default().push(record(round as usize));
    }
    log.close().await;
    assert_whole(&open(&disk.dir()).expect("open"), &acknowledged).await;
}

/// SQLite has an index of the write-ahead log, a file that grows after the commit is on disk. What fails then was
/// not acknowledged, may come back with a crash, and must not end the writer.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_that_cannot_hold_the_index_leaves_the_outcome_open() {
    /// What the first piece of the index holds, of frames of one page each and a header.
    const PIECE: u64 = 4_062 * (4_096 + 24);
    let Some(disk) = SmallDisk::of_mib(64) else { return };
    let log = open(&disk.dir()).expect("open");
    let mut acknowledged = Acknowledged::new();
    let mut append = async |bytes: Bytes| {
        let outcome = log.append(TOPIC.partition(0), vec![bytes.clone()]).await;
        if outcome.is_ok() {
            acknowledged.entry(0).or_default().push(bytes);
        }
        outcome
    };
    append(record(0)).await.expect("append");
    // Whoever reads for long keeps the write-ahead log from starting anew.
    let reader = rusqlite::Connection::open(disk.dir().join("log.sqlite")).expect("open");
    reader.execute_batch("BEGIN; SELECT count(*) FROM partitions").expect("read");
    let wal = || std::fs::metadata(disk.dir().join("log.sqlite-wal")).expect("the write-ahead log").len();
    while wal() + 100_000 < PIECE {
        append(Bytes::from(vec![7; 30_000])).await.expect("append");
    }
    let error = loop {
        // Room for a commit, but not for another piece of 32 KiB.
        disk.fill(28 << 10);
        if let Err(error) = append(record(1)).await {
            break error;
        }
    };
    assert!(matches!(error, Error::Unknown { .. }) && error.is_unknown(), "{error:?}");
    disk.make_room();
    append(record(2)).await.expect("the writer goes on");
    drop(reader);
    assert_whole(&log, &acknowledged).await;
    log.close().await;
    assert_whole(&open(&disk.dir()).expect("open"), &acknowledged).await;
}
