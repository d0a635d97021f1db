//! What the vault costs an edge: the cached path that every message takes, and the path of new parties, which
//! waits for the disk together with others. The reference for the latter is a bare loop of one commit a key.
#![allow(clippy::print_stdout)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use vault::{Config, Id, MasterKey, Subject, Vault};

const ITEM: Id = [7; 16];
const NEW: u64 = 4_000;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let vault = Vault::open(Config::new(folder.path(), MasterKey::from_bytes([1; 32]))).expect("a vault");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    println!("# one thread, text of 200 bytes, median of 5 runs (minimum to maximum), after a warm-up");
    let ann = Subject { tenant: "acme".into(), party: vault.party("acme", "email", "ann@example.test") };
    let text = [b'x'; 200];
    let sealed = runtime.block_on(vault.seal(&ann, &ITEM, &text)).expect("sealed");

    each("vault.party", 1.0, || _ = black_box(vault.party("acme", "email", black_box("ann@example.test"))));
    each("vault.fact", 1.0, || _ = black_box(vault.fact("email", "message", black_box(&text[..40]))));
    each("vault.reference", 2.0, || _ = black_box(vault.reference("reply", black_box(&ITEM))));
    runtime.block_on(async {
        let (mut times, mut opens) = (Vec::new(), Vec::new());
        for _ in 0..6 {
            let begun = Instant::now();
            for _ in 0..20_000 {
                _ = black_box(vault.seal(&ann, &ITEM, &text).await);
            }
            times.push(begun.elapsed());
            let begun = Instant::now();
            for _ in 0..20_000 {
                _ = black_box(vault.open_sealed(&ann, &ITEM, &sealed).await);
            }
            opens.push(begun.elapsed());
        }
        figure("vault.seal.cached", 2.0, &mut times);
        figure("vault.open.cached", 2.0, &mut opens);
    });

    let bare = bare_commits(Duration::from_secs(1));
    let mut rates: Vec<f64> = (0..4).map(|run| runtime.block_on(new_parties(&vault, run))).collect();
    rates.remove(0);
    rates.sort_by(f64::total_cmp);
    println!(
        "# {NEW} new parties at once: {:.0} to {:.0} a second; bare commits: {bare:.0}",
        rates[0], rates[2]
    );
    report("vault.keys.new.rate", rates[1], "per_second", 4_000.0, rates[1] >= 4_000.0);
    println!("# vault.keys.new.ratio is to bare SQLite commits of one row each, measured above");
    report("vault.keys.new.ratio", rates[1] / bare, "times", 5.0, rates[1] / bare >= 5.0);
}

fn each(name: &str, reach: f64, mut work: impl FnMut()) {
    let mut times = Vec::new();
    for _ in 0..6 {
        let begun = Instant::now();
        (0..20_000).for_each(|_| work());
        times.push(begun.elapsed());
    }
    figure(name, reach, &mut times);
}

/// Times of 20,000 calls each, the first of them the warm-up.
fn figure(name: &str, reach: f64, times: &mut Vec<Duration>) {
    times.remove(0);
    times.sort();
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / 20_000.0;
    println!("# {name}: {:.2} to {:.2} microseconds", micros(times[0]), micros(times[4]));
    report(name, micros(times[2]), "us", reach, micros(times[2]) <= reach);
}

fn report(name: &str, value: f64, unit: &str, reach: f64, ok: bool) {
    println!("figure {name} {value:.2} {unit} reach {reach} {}", if ok { "ok" } else { "short" });
}

async fn new_parties(vault: &Vault, run: u64) -> f64 {
    let tenant: Arc<str> = format!("run {run}").into();
    let begun = Instant::now();
    let sealing: Vec<_> = (0..NEW)
        .map(|n| {
            let (vault, tenant) = (vault.clone(), tenant.clone());
            tokio::spawn(async move {
                let party = vault.party(&tenant, "email", &n.to_string());
                vault.seal(&Subject { tenant, party }, &ITEM, b"hello").await.expect("sealed").len()
            })
        })
        .collect();
    for task in sealing {
        task.await.expect("no panic");
    }
    NEW as f64 / begun.elapsed().as_secs_f64()
}

fn bare_commits(during: Duration) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = rusqlite::Connection::open(folder.path().join("bare.sqlite")).expect("a database");
    db.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    db.pragma_update(None, "synchronous", "FULL").expect("full sync");
    db.execute("CREATE TABLE keys (party BLOB PRIMARY KEY, wrapped BLOB) WITHOUT ROWID", [])
        .expect("a table");
    let (begun, mut count) = (Instant::now(), 0u32);
    while begun.elapsed() < during {
        let party = blake3::hash(&count.to_le_bytes());
        db.execute("INSERT INTO keys VALUES (?, ?)", (&party.as_bytes()[..16], [0u8; 72])).expect("inserted");
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}
