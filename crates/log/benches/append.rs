//! How near the embedded log comes to bare SQLite: durable appends by many and by one, and reading from the
//! start. Both sides run in turns, three rounds, with the same records in the same batches, a table for each
//! partition and the same full sync; bare SQLite has one row for each record. Beside them, in the same turns, a plain
//! file: the same batches appended and synced, which is what the disk allows.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use log::{LocalConfig, LocalLog, Log, Tail, Topic, metrics::BATCH};
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use rusqlite::Connection;
use tempfile::TempDir;

const TOPIC: Topic = Topic("orders");
const PARTITIONS: u32 = 8;
const APPENDERS: u32 = 64;
const SIZE: usize = 500;
const ROUNDS: usize = 3;

/// A round goes in short turns, first ours, then bare SQLite's, so that a disk's moods meet both.
const TURNS: usize = 10;
const MANY: usize = 5_000;
const SINGLE: usize = 100;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let cores = std::thread::available_parallelism()?;
    println!("measured on {cores} cores, {}, {SIZE}-byte records, full sync", filesystem(&folder())?);
    println!("ratios are to bare SQLite with the same records in the same batches in the same run");

    let (mut rate, mut p99, mut many) = (Rounds::default(), Rounds::default(), Rounds::default());
    let mut disk = Rounds::default();
    for round in 0..=ROUNDS {
        let (mut ours, mut bare) = (Ours::open(PARTITIONS)?, Bare::open(PARTITIONS)?);
        let mut raw = Raw::open()?;
        for _ in 0..TURNS {
            let sizes = runtime.block_on(ours.append(APPENDERS, MANY))?;
            bare.append(&sizes)?;
            raw.append(&sizes)?;
        }
        runtime.block_on(ours.log.close());
        ours.waits.sort();
        let (median, slow) = (ours.waits[ours.waits.len() / 2], ours.waits[ours.waits.len() * 99 / 100]);
        println!(
            "{APPENDERS} appenders, {PARTITIONS} partitions: {:.0}/s, p50 {median:.1?}, p99 {slow:.1?}; bare {:.0}/s; a plain file {:.0}/s{}",
            ours.rate(),
            bare.rate(),
            raw.rate(),
            warm_up(round),
        );
        if round > 0 {
            rate.0.push(ours.rate());
            p99.0.push(slow.as_secs_f64() * 1e3);
            many.0.push(ours.rate() / bare.rate());
            disk.0.push(ours.rate() / raw.rate());
        }
    }

    let (mut single, mut lone) = (Rounds::default(), Rounds::default());
    for round in 0..=ROUNDS {
        let (mut ours, mut bare) = (Ours::open(1)?, Bare::open(1)?);
        for _ in 0..TURNS {
            bare.append(&runtime.block_on(ours.append(1, SINGLE))?)?;
        }
        runtime.block_on(ours.log.close());
        println!("one appender: {:.0}/s; bare {:.0}/s{}", ours.rate(), bare.rate(), warm_up(round));
        let scanned = runtime.block_on(read_all(ours.dir.path(), TURNS * SINGLE, 20))?;
        let ratio = bare.scan(TURNS * SINGLE, 20)?.as_secs_f64() / scanned.as_secs_f64();
        if round > 0 {
            single.0.push(ours.rate() / bare.rate());
            lone.0.push(ratio);
        }
    }

    let (mut scan, mut read) = (Rounds::default(), Rounds::default());
    let (mut ours, mut bare) = (Ours::open(1)?, Bare::open(1)?);
    bare.append(&runtime.block_on(ours.append(APPENDERS, TURNS * MANY))?)?;
    runtime.block_on(ours.log.close());
    for round in 0..=ROUNDS {
        let scanned = runtime.block_on(read_all(ours.dir.path(), TURNS * MANY, 1))?;
        let bare = bare.scan(TURNS * MANY, 1)?;
        println!(
            "read from the start what {APPENDERS} appenders wrote: {:.0}/s; bare scan {:.0}/s{}",
            (TURNS * MANY) as f64 / scanned.as_secs_f64(),
            (TURNS * MANY) as f64 / bare.as_secs_f64(),
            warm_up(round),
        );
        if round > 0 {
            scan.0.push(bare.as_secs_f64() / scanned.as_secs_f64());
            read.0.push((TURNS * MANY) as f64 / scanned.as_secs_f64());
        }
    }

    println!("peak resident memory of the whole bench: {}", peak_memory()?);
    println!("of a plain file's appends and syncs: {}", disk.spread(""));
    println!("read of what one appender wrote, one record a commit: {}", lone.spread("of bare"));
    rate.at_least("log.append.rate", "records/s", 120_000.0);
    p99.at_most("log.append.p99_ms", "ms", 3.0);
    many.at_least("log.append.ratio", "of_bare", 0.8);
    single.at_least("log.append_single.ratio", "of_bare", 0.7);
    scan.at_least("log.read.ratio", "of_bare", 0.7);
    read.at_least("log.read.rate", "records/s", 500_000.0);
    Ok(())
}

struct Ours {
    log: LocalLog,
    dir: TempDir,
    batches: Batches,
    partitions: u32,
    took: Duration,
    /// Each append's own time.
    waits: Vec<Duration>,
}

impl Ours {
    fn open(partitions: u32) -> Outcome<Self> {
        let dir = tempfile::tempdir_in(folder())?;
        let batches = Batches::default();
        let log = ::metrics::with_local_recorder(&batches, || {
            LocalLog::open(dir.path(), &[(TOPIC, partitions)], LocalConfig::default())
        })?;
        Ok(Ours { log, dir, batches, partitions, took: Duration::ZERO, waits: Vec::new() })
    }

    /// Appends so many records by so many tasks, each of which awaits one before the next. Yields how many
    /// records each commit held.
    async fn append(&mut self, appenders: u32, records: usize) -> Outcome<Vec<usize>> {
        let body = body();
        let left = Arc::new(AtomicUsize::new(records));
        let began = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for appender in 0..appenders {
            let (log, body, left) = (self.log.clone(), body.clone(), left.clone());
            let partition = TOPIC.partition(appender % self.partitions);
            tasks.spawn(async move {
                let mut waits = Vec::new();
                while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                    let asked = Instant::now();
                    log.append(partition, vec![body.clone()]).await?;
                    waits.push(asked.elapsed());
                }
                Ok::<_, log::Error>(waits)
            });
        }
        let waits = tasks.join_all().await;
        self.took += began.elapsed();
        for waits in waits {
            self.waits.extend(waits?);
        }
        Ok(std::mem::take(&mut *self.batches.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn rate(&self) -> f64 {
        self.waits.len() as f64 / self.took.as_secs_f64()
    }
}

/// What anybody would write: WAL, full sync, a prepared insert, one transaction a batch, one row a record.
struct Bare {
    connection: Connection,
    tables: i64,
    rows: i64,
    took: Duration,
    _dir: TempDir,
}

impl Bare {
    fn open(tables: u32) -> Outcome<Self> {
        let dir = tempfile::tempdir_in(folder())?;
        let connection = Connection::open(dir.path().join("bare.sqlite"))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        for table in 0..tables {
            connection.execute_batch(&format!(
                "CREATE TABLE records_{table} (position INTEGER PRIMARY KEY, appended_at INTEGER NOT NULL,
                 crc INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT"
            ))?;
        }
        Ok(Bare { connection, tables: tables.into(), rows: 0, took: Duration::ZERO, _dir: dir })
    }

    fn append(&mut self, batches: &[usize]) -> Outcome<()> {
        let insert = |table| {
            let sql = "(position, appended_at, crc, bytes) VALUES (?1, ?2, ?3, ?4)";
            self.connection.prepare(&format!("INSERT INTO records_{table} {sql}"))
        };
        let mut inserts = (0..self.tables).map(insert).collect::<rusqlite::Result<Vec<_>>>()?;
        let body = body();
        let began = Instant::now();
        for size in batches {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            for _ in 0..*size {
                let (table, position) = (self.rows % self.tables, self.rows / self.tables);
                inserts[table as usize].execute((position, 1_700_000_000_000_i64, 0x1234_5678, &body[..]))?;
                self.rows += 1;
            }
            self.connection.execute_batch("COMMIT")?;
        }
        self.took += began.elapsed();
        Ok(())
    }

    fn rate(&self) -> f64 {
        self.rows as f64 / self.took.as_secs_f64()
    }

    /// Looks at every column of every row and keeps nothing.
    fn scan(&self, records: usize, times: usize) -> Outcome<Duration> {
        let began = Instant::now();
        for _ in 0..times {
            let sql = "SELECT position, appended_at, crc, bytes FROM records_0 ORDER BY position";
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut bytes = 0;
            while let Some(row) = rows.next()? {
                let _: (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                bytes += row.get_ref(3)?.as_blob()?.len();
            }
            assert_eq!(bytes, records * SIZE);
        }
        Ok(began.elapsed())
    }
}

/// The same bytes at the end of a file, one sync of the data a batch.
struct Raw {
    file: File,
    rows: usize,
    took: Duration,
    _dir: TempDir,
}

impl Raw {
    fn open() -> Outcome<Self> {
        let dir = tempfile::tempdir_in(folder())?;
        Ok(Raw { file: File::create(dir.path().join("raw"))?, rows: 0, took: Duration::ZERO, _dir: dir })
    }

    fn append(&mut self, batches: &[usize]) -> Outcome<()> {
        let body = body();
        let began = Instant::now();
        for size in batches {
            self.file.write_all(&body.repeat(*size))?;
            self.file.sync_data()?;
            self.rows += size;
        }
        self.took += began.elapsed();
        Ok(())
    }

    fn rate(&self) -> f64 {
        self.rows as f64 / self.took.as_secs_f64()
    }
}

async fn read_all(dir: &Path, records: usize, times: usize) -> Outcome<Duration> {
    let log = LocalLog::open(dir, &[(TOPIC, 1)], LocalConfig::default())?;
    let reader = tokio::spawn(async move {
        let began = Instant::now();
        for _ in 0..times {
            let mut tail = Tail::new(Arc::new(log.clone()), TOPIC.partition(0), 0);
            let mut bytes = 0;
            while tail.next_position() < records as u64 {
                bytes += tail.batch().await?.iter().map(|record| record.bytes.len()).sum::<usize>();
            }
            assert_eq!(bytes, records * SIZE);
        }
        let took = began.elapsed();
        log.close().await;
        Ok::<_, log::Error>(took)
    });
    Ok(reader.await??)
}

/// One value a round.
#[derive(Default)]
struct Rounds(Vec<f64>);

impl Rounds {
    fn sorted(&self) -> Vec<f64> {
        let mut values = self.0.clone();
        values.sort_by(f64::total_cmp);
        values
    }

    fn spread(&self, unit: &str) -> String {
        let values = self.sorted();
        let [min, .., max] = values[..] else { return "too few rounds".into() };
        format!("median {:.2}, from {min:.2} to {max:.2} {unit}", values[values.len() / 2])
    }

    fn at_least(&self, name: &str, unit: &str, target: f64) {
        self.figure(name, unit, target, |median| median >= target);
    }

    fn at_most(&self, name: &str, unit: &str, target: f64) {
        self.figure(name, unit, target, |median| median <= target);
    }

    fn figure(&self, name: &str, unit: &str, target: f64, reached: impl Fn(f64) -> bool) {
        let values = self.sorted();
        let median = values[values.len() / 2];
        let verdict = if reached(median) { "ok" } else { "short" };
        println!("{name}: {}", self.spread(unit));
        println!("figure {name} {median:.2} {unit} reach {target} {verdict}");
    }
}

fn warm_up(round: usize) -> &'static str {
    if round == 0 { " (warm-up, not counted)" } else { "" }
}

fn body() -> Bytes {
    (0..SIZE).map(|n| (n * 31) as u8).collect()
}

/// On the disk that builds are on, unless told otherwise; the system's temporary directory may be memory.
fn folder() -> PathBuf {
    std::env::var_os("TRIBUTARY_BENCH_DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into()).into()
}

fn filesystem(folder: &Path) -> Outcome<String> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let folder = folder.canonicalize()?;
    let nearest = mounts.filter(|(point, _)| folder.starts_with(point)).max_by_key(|(point, _)| point.len());
    Ok(nearest.map_or_else(|| "an unknown filesystem".into(), |(_, kind)| kind.to_owned()))
}

fn peak_memory() -> Outcome<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(peak.map_or_else(|| "unknown".into(), |peak| peak.trim().to_owned()))
}

/// Notes the size of every batch, and nothing else.
#[derive(Default)]
struct Batches(Arc<Sizes>);

type Sizes = Mutex<Vec<usize>>;

struct Noting(Arc<Sizes>);

impl HistogramFn for Noting {
    fn record(&self, value: f64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value as usize);
    }
}

impl Recorder for Batches {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == BATCH {
            Histogram::from_arc(Arc::new(Noting(self.0.clone())))
        } else {
            Histogram::noop()
        }
    }
}
