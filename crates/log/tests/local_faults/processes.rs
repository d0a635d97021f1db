//! What takes a process of its own: a limit on the size of its files, and its lock.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use log::{Error, Log};
use tokio::signal::unix::{SignalKind, signal};

use super::{Acknowledged, TOPIC, assert_whole, open, record};

/// Tells this program, started again by its own test, which folder to write.
const WRITER: &str = "TRIBUTARY_LOG_WRITER";

/// `SIGXFSZ` on Linux. Its default is to end the process.
const FILE_TOO_LARGE: i32 = 25;

/// Appends for ever and says what became of each record: `ack NUMBER` or `full NUMBER`.
async fn append_for_ever(dir: &str) {
    let _caught = signal(SignalKind::from_raw(FILE_TOO_LARGE)).expect("catch the signal");
    let log = open(Path::new(dir)).expect("open");
    for number in 0.. {
        let said = match log.append(TOPIC.partition(0), vec![record(number)]).await {
            Ok(_) => "ack",
            Err(Error::DiskFull) => "full",
            Err(error) => panic!("{error:?}"),
        };
        writeln!(std::io::stdout(), "\nsaid {said} {number};").expect("say so");
        if said == "full" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A writer in another process.
struct Writer {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    acknowledged: Acknowledged,
}

impl Writer {
    fn start(test: &str, dir: &Path) -> Writer {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", test, "--nocapture"])
            .env(WRITER, dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the writer");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Writer { child, lines, acknowledged: Acknowledged::new() }
    }

    /// Listens until it has said something so many times.
    fn until(&mut self, awaited: &str, times: usize) {
        let mut heard = 0;
        while heard < times {
            let line = self.lines.next().expect("the writer lives").expect("a line");
            let Some(said) = line.strip_prefix("said ").and_then(|line| line.strip_suffix(';')) else {
                continue;
            };
            let (said, number) = said.split_once(' ').expect("what became of which");
            if said == "ack" {
                let record = record(number.parse().expect("a number"));
                self.acknowledged.entry(0).or_default().push(record);
            }
            heard += usize::from(said == awaited);
        }
    }

    fn limit_files_to(&self, bytes: &str) {
        let limit = format!("--fsize={bytes}:");
        let id = self.child.id().to_string();
        let done = Command::new("prlimit").args(["--pid", &id, &limit]).status().expect("prlimit");
        assert!(done.success(), "prlimit could not set {bytes}");
    }

    /// What it says after this it says to nobody, so at most one more record is acknowledged.
    fn kill(mut self) -> Acknowledged {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("its end");
        for line in self.lines.by_ref().map_while(Result::ok) {
            let said = line.strip_prefix("said ack ").and_then(|line| line.strip_suffix(';'));
            if let Some(number) = said.and_then(|number| number.parse().ok()) {
                self.acknowledged.entry(0).or_default().push(record(number));
            }
        }
        std::mem::take(&mut self.acknowledged)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_size_limit_is_a_full_disk() {
    if let Ok(dir) = std::env::var(WRITER) {
        return append_for_ever(&dir).await;
    }
    if Command::new("prlimit").output().is_err() {
        return eprintln!("SKIPPED, nothing was tested: there is no prlimit to set limits with");
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let mut writer = Writer::start("processes::a_file_size_limit_is_a_full_disk", dir.path());
    writer.until("ack", 20);
    for _ in 0..3 {
        let wal = std::fs::metadata(dir.path().join("log.sqlite-wal")).expect("the write-ahead log").len();
        // In the middle of a page.
        writer.limit_files_to(&(wal + 50_000).to_string());
        writer.until("full", 3);
        writer.limit_files_to("unlimited");
        writer.until("ack", 20);
    }
    let mut acknowledged = writer.kill();
    let log = open(dir.path()).expect("open");
    // The last one may have been written and not been acknowledged.
    let (found, _) = super::contents(&log, 0).await;
    let expected = acknowledged.entry(0).or_default();
    if found.len() == expected.len() + 1 {
        expected.extend(found.last().cloned());
    }
    assert_whole(&log, &acknowledged).await;
    assert!(!dir.path().join("log.probe").exists(), "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_another_process_writes_is_refused_until_that_one_dies() {
    if let Ok(dir) = std::env::var(WRITER) {
        return append_for_ever(&dir).await;
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let test = "processes::a_log_that_another_process_writes_is_refused_until_that_one_dies";
    let mut writer = Writer::start(test, dir.path());
    writer.until("ack", 1);
    match open(dir.path()).err() {
        Some(Error::Locked { path, hint }) => {
            assert!(path.ends_with("log.lock"), "{path}");
            assert!(hint.contains(&format!("process {}", writer.child.id())), "{hint}");
        }
        other => panic!("{other:?}"),
    }
    writer.until("ack", 1);
    writer.kill();
    open(dir.path()).expect("the kernel has freed the lock");
}
