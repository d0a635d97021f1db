//! What reading mail costs one core: parsing, text, the new part, bounces, all that `normalize` does. The mails are
//! the real ones of the shared corpora where these are there, and the samples of the tests otherwise.
#![allow(clippy::print_stdout)]

use std::{
    fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use channels::email::normalize;

const REACH: f64 = 100.0;
const RUNS: usize = 6;
const RUN: Duration = Duration::from_secs(1);

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpora = here.join("../../../shared/corpora/email/files");
    let (place, found) = if corpora.is_dir() {
        ("the corpora", corpora)
    } else {
        ("the tests' own samples", here.join("src/email/samples"))
    };
    let mut mails = Vec::new();
    collect(&found, &mut mails);
    let bytes: usize = mails.iter().map(Vec::len).sum();
    println!("# {} mails of {place}, {} KB each, one thread", mails.len(), bytes / mails.len().max(1) / 1000);

    let mut rates: Vec<f64> = (0..RUNS).map(|_| rate(&mails, bytes)).collect();
    rates.remove(0);
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    println!(
        "# email.read_mb_s: {:.0} to {:.0}, {} runs after a warm-up",
        rates[0],
        rates[rates.len() - 1],
        rates.len()
    );
    let verdict = if median >= REACH { "ok" } else { "short" };
    println!("figure email.read_mb_s {median:.0} MB/s reach {REACH:.0} {verdict}");
}

fn rate(mails: &[Vec<u8>], bytes: usize) -> f64 {
    let (begun, before, mut rounds) = (Instant::now(), busy(), 0);
    while begun.elapsed() < RUN {
        for mail in mails {
            _ = black_box(normalize(Some("email"), black_box(mail), None));
        }
        rounds += 1;
    }
    let took = busy().zip(before).map_or(begun.elapsed(), |(after, before)| after - before);
    (bytes * rounds) as f64 / 1e6 / took.as_secs_f64()
}

/// How long this thread had a core (Linux): what others take of it says nothing about us.
fn busy() -> Option<Duration> {
    let times = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(times.split(' ').next()?.parse().ok()?))
}

fn collect(folder: &Path, mails: &mut Vec<Vec<u8>>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("a folder of mails").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, mails);
        } else {
            mails.push(fs::read(path).expect("a mail"));
        }
    }
}
