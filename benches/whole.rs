//! Every role in one process: signed Messenger webhooks at a steady rate are made durable, routed, put to a bot that
//! answers the first message of each new party, and projected as they come; the answers leave through the Send API, for
//! which this process stands in.
//!
//! The lag is the time from the last acknowledgement until nothing is left to do: every worker has read its whole
//! intake, and every decision stands in the read model. A rate holds if 99 of 100 acknowledgements came within 40 ms of
//! when their webhook was due, and the lag is a second at most.
//! After every run each acknowledged webhook is looked up in the timelines, and the answers are counted.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod shared;

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, OpenFlags};
use shared::{
    Outcome,
    load::{CONNECTIONS, Loaded, Pace, Platform, load},
    process::{Effort, GREETED, Installation},
    report::{Rounds, machine, percentile, seconds},
    watch::{Watch, settled},
    webhooks::Webhooks,
};

const ROUNDS: usize = 3;
const NEW_EVERY: usize = 5;
/// The rate to hold.
const REACH: f64 = 7_000.0;
const MOST_P99_MS: f64 = 40.0;
const MOST_LAG: Duration = Duration::from_secs(1);
/// Rates are told apart to this part of the rate.
const STEP: f64 = 1.1;
/// A disk that was just written to a lot is slow for a while.
const PAUSE: Duration = Duration::from_secs(10);

fn main() -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench())
}

async fn bench() -> Outcome<()> {
    machine()?;
    let during = Duration::from_secs(seconds(20));
    println!(
        "{CONNECTIONS} connections, {during:?} a run, one in five webhooks from a new party, every role"
    );
    let (mut p99s, mut lags, mut memory) = (Rounds::default(), Rounds::default(), Rounds::default());
    let mut held = 0;
    for round in 0..ROUNDS {
        let run = run(REACH, during, round).await?;
        held += usize::from(run.holds());
        p99s.add(run.p99);
        lags.add(run.lag.as_secs_f64() * 1e3);
        memory.add(run.memory);
    }
    println!("{REACH}/s held in {held} of {ROUNDS} rounds");

    // Steps from there, up while it holds, or down until it does.
    let (mut rate, mut highest) = (REACH, 0.0);
    let up = 2 * held > ROUNDS;
    if up {
        highest = rate;
    }
    for number in ROUNDS.. {
        rate = if up { rate * STEP } else { rate / STEP };
        let run = run(rate, during, number).await?;
        if run.holds() {
            highest = rate;
        }
        if run.holds() != up || rate < 100.0 {
            break;
        }
    }
    println!("the highest rate that held, in steps of {STEP}: {highest:.0}/s");
    let mut rates = Rounds::default();
    rates.add(highest);
    rates.at_least("whole.rate", "webhooks/s", REACH);
    println!("at {REACH}/s:");
    p99s.at_most("whole.p99_ms", "ms", MOST_P99_MS);
    lags.at_most("whole.lag_ms", "ms", MOST_LAG.as_secs_f64() * 1e3);
    memory.at_most("whole.rss_mib", "MiB", 150.0);
    Ok(())
}

struct Run {
    p99: f64,
    lag: Duration,
    memory: f64,
}

impl Run {
    fn holds(&self) -> bool {
        self.p99 <= MOST_P99_MS && self.lag <= MOST_LAG
    }
}

async fn run(rate: f64, during: Duration, number: usize) -> Outcome<Run> {
    let count = (rate * during.as_secs_f64()) as usize;
    let webhooks = Arc::new(Webhooks::prepare(&format!("{number}"), count, NEW_EVERY, "Where is my parcel?"));
    let platform = Platform::open().await?;
    let installation = Installation::new(&GREETED.replace("PLATFORM", &platform.at.to_string()), &[]).await?;
    let server = installation.start(&[]).await?;
    let before = Watch::open(&installation)?.intakes().await?;
    let effort = Effort::of(server.id())?;
    let loaded = load(installation.at.http, &webhooks, Pace::PerSecond(rate)).await?;
    let effort = effort.told(count)?;
    let lag = settled(&installation, &server, &before).await?.saturating_duration_since(loaded.ended);
    let memory = server.peak_memory()?;
    println!("{rate:.0}/s offered: {}; {effort}; lag {lag:.1?}; peak memory {memory:.0} MiB", loaded.told());
    server.stop().await?;
    let missing = missing(&installation, &webhooks, &loaded)?;
    if missing > 0 {
        return Err(format!("{missing} acknowledged webhooks are in no timeline").into());
    }
    if platform.taken() != count.div_ceil(NEW_EVERY) {
        return Err(
            format!("{} answers to {} new parties", platform.taken(), count.div_ceil(NEW_EVERY)).into()
        );
    }
    drop(installation);
    tokio::time::sleep(PAUSE).await;
    let p99 = percentile(&loaded.waits(), 99);
    Ok(Run { p99, lag, memory })
}

/// How many acknowledged webhooks no timeline has.
fn missing(installation: &Installation, webhooks: &Webhooks, loaded: &Loaded) -> Outcome<usize> {
    let found = messages(&installation.data().join("readmodel").join("readmodel.sqlite"))?;
    let vault = installation.vault()?;
    let mut missing = 0;
    for one in &loaded.acknowledged {
        missing += usize::from(!found.contains(&webhooks.fact(&vault, one.number)?.0));
    }
    Ok(missing)
}

fn messages(path: &Path) -> Outcome<HashSet<[u8; 16]>> {
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = store.prepare("SELECT message FROM entries WHERE kind = 'message_received'")?;
    let found = statement.query_map([], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}
