//! From `kill -9` to ready again with a million open conversations, each greeted by its bot and waiting for its
//! customer. They are made by a million signed webhooks of new parties, so this bench takes some minutes. After the
//! last start one more message must be answered by 200 and reach its conversation.
//!
//! `TRIBUTARY_BENCH_CONVERSATIONS` asks for another number.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]

mod shared;

use std::{sync::Arc, time::Duration};

use shared::{
    Outcome,
    load::{Pace, Platform, load},
    process::{GREETED, Installation, processor_time},
    report::{Rounds, machine, number},
    watch::{Watch, settled},
    webhooks::Webhooks,
};
use tokio::time::Instant;

const ROUNDS: usize = 3;
const CONVERSATIONS: usize = 1_000_000;
/// Webhooks that are held in memory at a time.
const CHUNK: usize = 50_000;
const AT_MOST: f64 = 5.0;

fn main() -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench())
}

async fn bench() -> Outcome<()> {
    machine()?;
    let count = number("TRIBUTARY_BENCH_CONVERSATIONS", CONVERSATIONS);
    let platform = Platform::open().await?;
    let installation = Installation::new(&GREETED.replace("PLATFORM", &platform.at.to_string()), &[]).await?;
    let mut server = installation.start(&[]).await?;
    let before = Watch::open(&installation)?.intakes().await?;
    let began = Instant::now();
    for chunk in 0..count.div_ceil(CHUNK) {
        let size = CHUNK.min(count - chunk * CHUNK);
        let webhooks = Arc::new(Webhooks::prepare(&format!("{chunk}"), size, 1, "Where is my parcel?"));
        let loaded = load(installation.at.http, &webhooks, Pace::Full(Duration::from_secs(3600))).await?;
        println!("{} conversations; the last {size} at {:.0}/s", chunk * CHUNK + size, loaded.rate());
    }
    settled(&installation, &server, &before).await?;
    println!(
        "{count} conversations opened in {:.0?}, {} greeted; peak memory {:.0} MiB",
        began.elapsed(),
        platform.taken(),
        server.peak_memory()?
    );

    let mut ready = Rounds::default();
    for _ in 0..ROUNDS {
        // Killed, not stopped.
        drop(server);
        let began = Instant::now();
        server = installation.start(&[]).await?;
        let took = began.elapsed();
        println!(
            "ready {took:.2?} after the kill; {:.2} s of processor time, {:.0} MiB",
            processor_time(server.id())?,
            server.peak_memory()?
        );
        ready.add(took.as_secs_f64());
    }
    let before = Watch::open(&installation)?.intakes().await?;
    let webhooks = Arc::new(Webhooks::prepare("again", 1, 1, "Hello?"));
    load(installation.at.http, &webhooks, Pace::Full(Duration::from_secs(10))).await?;
    let after = Watch::open(&installation)?.intakes().await?;
    if after == before {
        return Err("a message after the restart reached no intake".into());
    }
    server.stop().await?;
    ready.at_most("worker.restart_seconds", "s", AT_MOST);
    Ok(())
}
