//! What was acknowledged is there after `kill -9`.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use log::{Limit, LocalConfig, LocalLog, Log, Topic};

const TOPIC: Topic = Topic("orders");
const PARTITIONS: u32 = 3;
const APPENDERS: u32 = 8;
const BATCH: u32 = 3;
const ROUNDS: u32 = 12;

/// Tells this program, started again by its own test, to be the one that is killed.
const VICTIM: &str = "TRIBUTARY_LOG_VICTIM";

fn open(dir: &Path) -> LocalLog {
    LocalLog::open(dir, &[(TOPIC, PARTITIONS)], LocalConfig::default()).expect("open")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_kill_nine() {
    if let Ok(dir) = std::env::var(VICTIM) {
        return append_until_killed(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let mut acknowledged = HashMap::new();
    for round in 0..ROUNDS {
        let news = run_and_kill(dir.path(), round);
        assert!(!news.is_empty(), "the victim of round {round} acknowledged nothing");
        acknowledged.extend(news);
        let log = open(dir.path());
        check(&log, &acknowledged).await;
        log.close().await;
    }
}

/// Starts a victim, lets it append for a random while, kills it. Yields what it acknowledged: place → text.
fn run_and_kill(dir: &Path, round: u32) -> HashMap<(u32, u64), String> {
    let mut victim = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "nothing_acknowledged_is_lost_by_kill_nine", "--nocapture"])
        .env(VICTIM, dir)
        .env("ROUND", round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the victim");
    let output = BufReader::new(victim.stdout.take().expect("its output"));
    let (first, works) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let lines = output.lines().map_while(Result::ok);
        let mut acknowledged = HashMap::new();
        for (place, text) in lines.filter_map(|line| acknowledgement(&line)) {
            if acknowledged.is_empty() {
                first.send(()).expect("the test waits for it");
            }
            acknowledged.insert(place, text);
        }
        acknowledged
    });
    works.recv_timeout(Duration::from_secs(60)).expect("the victim appends");
    // Then chance says when: also in the middle of a commit.
    std::thread::sleep(Duration::from_micros(RandomState::new().hash_one(round) % 300_000));
    victim.kill().expect("kill -9");
    victim.wait().expect("the end of the victim");
    reader.join().expect("what it said")
}

/// `ack PARTITION POSITION TEXT;` — a line cut short by the kill has no semicolon.
fn acknowledgement(line: &str) -> Option<((u32, u64), String)> {
    let (_, said) = line.split_once("ack ")?;
    let mut words = said.strip_suffix(';')?.split(' ');
    let place = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((place, words.next()?.to_owned()))
}

async fn append_until_killed(dir: &Path) {
    let log = open(dir);
    let round = std::env::var("ROUND").expect("the number of the round");
    let mut appenders = tokio::task::JoinSet::new();
    for appender in 0..APPENDERS {
        let (log, round) = (log.clone(), round.clone());
        appenders.spawn(async move {
            let number = appender % PARTITIONS;
            for n in 0.. {
                let text = |part| format!("{round}/{appender}/{n}/{part}");
                let batch = (0..BATCH).map(|part| Bytes::from(text(part))).collect();
                let last = log.append(TOPIC.partition(number), batch).await.expect("append");
                let mut out = std::io::stdout().lock();
                writeln!(out, "ack {number} {last} {};", text(BATCH - 1)).expect("say so");
            }
        });
    }
    appenders.join_all().await;
}

/// Everything acknowledged stands where it was; each appender's batches are whole, in order and without gaps.
async fn check(log: &LocalLog, acknowledged: &HashMap<(u32, u64), String>) {
    let mut found = HashMap::new();
    let mut expected_next: HashMap<(String, String), (u32, u32)> = HashMap::new();
    for number in 0..PARTITIONS {
        let partition = TOPIC.partition(number);
        let end = log.end(partition).await.expect("end");
        let mut from = 0;
        while from < end {
            for record in log.read(partition, from, Limit::default()).await.expect("read") {
                assert_eq!(record.position, from, "positions are dense");
                from += 1;
                let text = String::from_utf8(record.bytes.to_vec()).expect("text");
                let words: Vec<&str> = text.split('/').collect();
                let [round, appender, n, part] = words[..] else { panic!("{text} is none of ours") };
                let next = expected_next.entry((round.to_owned(), appender.to_owned())).or_default();
                let here = (n.parse().expect("n"), part.parse().expect("part"));
                assert_eq!(here, *next, "the records of appender {appender} in round {round}");
                *next = if here.1 + 1 == BATCH { (here.0 + 1, 0) } else { (here.0, here.1 + 1) };
                found.insert((number, record.position), text);
            }
        }
    }
    for (writer, next) in expected_next {
        assert_eq!(next.1, 0, "the last batch of {writer:?} is whole");
    }
    for (place, text) in acknowledged {
        assert_eq!(found.get(place), Some(text), "acknowledged at {place:?}");
    }
}
