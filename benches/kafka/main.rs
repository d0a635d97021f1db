//! Tributary's router against a Kafka Streams application that does the same work (benches/streams), on one broker, over
//! the same inputs; and against a bare loop over librdkafka with batches as large as the router's.
//!
//! **Rate, processor time, memory**: the whole intake stands in the log before a side starts. What is measured begins
//! when it has done the warm-up part, and ends when its last decision is seen by a reader of what is committed or
//! accepted. Memory is the process's highest, from its start. **Latency**: a side that has caught up is given 2,000
//! messages a second; each counts from when it was due until that reader sees its decision. After every run the output
//! is read again from the beginning: each message must be there exactly once, and both sides must have written the same
//! events.
//!
//! **Growth** (only where it is asked for): one, two and four routers over the same partitions, and ten thousand to a million
//! open conversations; see [`growth`].
//!
//! `KAFKA_BROKERS` names a cluster to use instead of a broker of its own (topics that begin with `bench.` and
//! `bench-waits.` are removed there), `TRIBUTARY_BENCH_SIDES` some of `bare,peer,router,growth`, `TRIBUTARY_BENCH_MESSAGES`
//! fewer than a million, `TRIBUTARY_BENCH_ROUNDS` other than three, `TRIBUTARY_BENCH_SECONDS` the length of a latency
//! run.

#![allow(clippy::print_stdout, reason = "a bench reports on standard output")]
#![allow(clippy::print_stderr, reason = "progress goes beside the report")]

mod bare;
#[allow(dead_code, reason = "the other bench of this folder uses the rest")]
mod cluster;
mod growth;
mod inputs;
mod output;
#[path = "../shared/mod.rs"]
mod shared;
mod sides;

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use domain::{Kind, Topology};

use bare::Copies;
use cluster::Cluster;
use inputs::{Filler, Series};
use output::{follow, verify, waits};
use shared::{
    Outcome,
    report::{Rounds, machine, number, percentile, seconds},
};
use sides::{Peer, Router, Side};

pub(crate) const PARTITIONS: u32 = 4;
const TOPOLOGY: Topology =
    Topology { conversation: PARTITIONS, desk: 2, delivery: PARTITIONS, contact: 2, workspace: 1 };
/// Where the rate is measured, and the waits.
const RATE: &str = "bench.";
const WAITS: &str = "bench-waits.";
/// What virtual machines need to warm up, and the broker.
const WARM: Series = Series { number: 1, messages: 200_000, each: 10, redelivered: true };
/// Messages a second, and how long before they count.
const PACE: f64 = 2_000.0;
const SETTLING: usize = 5;
/// A disk that was just written to a lot is slow for a while.
const PAUSE: Duration = Duration::from_secs(3);

fn main() -> Outcome<()> {
    machine()?;
    let messages = number("TRIBUTARY_BENCH_MESSAGES", 1_000_000).max(1);
    let rounds = number("TRIBUTARY_BENCH_ROUNDS", 3).max(1);
    let wanted = std::env::var("TRIBUTARY_BENCH_SIDES").unwrap_or_else(|_| "bare,peer,router".into());
    let has = |side: &str| wanted.split(',').any(|wanted| wanted == side);
    let mut sides: Vec<Box<dyn Side>> = Vec::new();
    if has("peer") {
        sides.push(Box::new(Peer::build()?));
    }
    if has("router") {
        sides.push(Box::new(Router));
    }
    let cluster = Cluster::start()?;
    if has("growth") {
        growth::measure(&cluster, messages)?;
    }
    if sides.is_empty() && !has("bare") {
        return Ok(());
    }
    let main = Series { number: 2, messages, each: 10, redelivered: false };
    println!(
        "{messages} messages of 500 bytes in {} conversations, over {PARTITIONS} partitions, on {}; before them {} to warm up",
        main.parties(),
        cluster.told(),
        WARM.messages,
    );
    let intake = intake(RATE);
    cluster.remove(&[RATE, WAITS])?;
    cluster.create(&[(intake.clone(), PARTITIONS)])?;
    for side in &sides {
        side.install(&cluster, RATE)?;
    }
    progress("filling the intake");
    let began = Instant::now();
    let mut filler = Filler::new(&cluster.brokers, &intake, "5")?;
    filler.fill(WARM)?;
    filler.fill(main)?;
    drop(filler);
    progress(&format!("filled in {:.1} s", began.elapsed().as_secs_f64()));

    let mut all: BTreeMap<&'static str, Measured> = BTreeMap::new();
    if has("bare") {
        // Once before it counts: a fresh broker is many times slower.
        copied(&cluster, main)?;
    }
    for round in 1..=rounds {
        progress(&format!("round {round} of {rounds}"));
        if has("bare") {
            let rate = copied(&cluster, main)?;
            println!("bare loop: {rate:.0} messages/s");
            all.entry("bare").or_default().rate.add(rate);
        }
        let mut events = Vec::new();
        for side in &sides {
            let (run, kinds) = routed(&cluster, &**side, main)?;
            println!(
                "{}: {:.0} messages/s, {:.1} CPU s a million, {:.0} MiB at most; {kinds:?}",
                side.name(),
                run.rate,
                run.effort,
                run.memory,
            );
            let measured = all.entry(side.name()).or_default();
            measured.rate.add(run.rate);
            measured.effort.add(run.effort);
            measured.memory.add(run.memory);
            events.push(kinds);
        }
        if events.windows(2).any(|two| two[0] != two[1]) {
            return Err("the sides did not decide the same".into());
        }
        for side in &sides {
            let waits = waited(&cluster, &**side)?;
            let (p50, p99) = (percentile(&waits, 50), percentile(&waits, 99));
            println!(
                "{}: {} messages at {PACE}/s: p50 {p50:.1} ms, p99 {p99:.1} ms, longest {:.1} ms",
                side.name(),
                waits.len(),
                percentile(&waits, 100),
            );
            let measured = all.entry(side.name()).or_default();
            measured.p50.add(p50);
            measured.p99.add(p99);
        }
    }
    cluster.remove(&[RATE, WAITS])?;
    report(&all);
    Ok(())
}

/// What the rounds gave for one side.
#[derive(Default)]
struct Measured {
    rate: Rounds,
    effort: Rounds,
    memory: Rounds,
    p50: Rounds,
    p99: Rounds,
}

struct Run {
    /// Messages a second.
    rate: f64,
    /// Processor seconds a million messages.
    effort: f64,
    /// MiB.
    memory: f64,
}

/// One side over the whole intake, and how many events of each kind it wrote.
fn routed(cluster: &Cluster, side: &dyn Side, main: Series) -> Outcome<(Run, BTreeMap<&'static str, usize>)> {
    side.prepare(cluster, RATE)?;
    std::thread::sleep(PAUSE);
    let decisions = side.decisions(RATE);
    let warm = if side.counts_inputs() { WARM.inputs() } else { WARM.messages } as u64;
    let total = warm + main.messages as u64;
    let filled: Vec<u64> = WARM
        .inputs_by_partition()
        .iter()
        .zip(main.inputs_by_partition())
        .map(|(warm, main)| warm + main)
        .collect();
    let mut running = side.start(cluster, RATE)?;
    let mut output = side.output(&filled);
    let mut from = None;
    let reader = cluster.read(&decisions, PARTITIONS)?;
    follow(&reader, &mut *output, total, |through| {
        if from.is_none() && through >= warm {
            from = Some((Instant::now(), running.processor_time()?, through));
        }
        Ok(())
    })
    .map_err(|error| format!("{}: {error}; {:?}", side.name(), running.still_runs()))?;
    let (began, effort, through) = from.ok_or("no warm-up")?;
    let took = began.elapsed().as_secs_f64();
    let measured = (total - through) as f64;
    let run = Run {
        rate: measured / took,
        effort: (running.processor_time()? - effort) / measured * 1e6,
        memory: running.peak_memory()?,
    };
    running.stop()?;
    drop(reader);
    let reader = cluster.read(&decisions, PARTITIONS)?;
    let kinds = verify(&reader, PARTITIONS, &mut *side.output(&filled), &[WARM, main])?;
    Ok((run, kinds))
}

/// What one side makes wait at a steady pace, having caught up: sorted, in milliseconds.
fn waited(cluster: &Cluster, side: &dyn Side) -> Outcome<Vec<f64>> {
    let intake = intake(WAITS);
    cluster.remove(&[WAITS])?;
    cluster.create(&[(intake.clone(), PARTITIONS)])?;
    side.install(cluster, WAITS)?;
    side.prepare(cluster, WAITS)?;
    // There are conversations, and virtual machines are warm.
    let before = Series { number: 3, messages: WARM.messages, each: 10, redelivered: false };
    Filler::new(&cluster.brokers, &intake, "5")?.fill(before)?;
    let running = side.start(cluster, WAITS)?;
    let reader = cluster.read(&side.decisions(WAITS), PARTITIONS)?;
    let mut output = side.output(&before.inputs_by_partition());
    follow(&reader, &mut *output, before.messages as u64, |_| Ok(()))?;
    std::thread::sleep(PAUSE);

    let messages = (seconds(20) as usize + SETTLING) * PACE as usize;
    let paced = Series { number: 4, messages, each: 10, redelivered: false };
    let filler = Filler::new(&cluster.brokers, &intake, "0")?;
    let began = Instant::now() + Duration::from_millis(200);
    let due = |at: usize| (paced.id(at), began + Duration::from_secs_f64(at as f64 / PACE));
    let counted: HashMap<_, _> = (SETTLING * PACE as usize..messages).map(due).collect();
    let waits = std::thread::scope(|scope| {
        let pacing = scope.spawn(move || filler.pace(paced, began, PACE));
        let waits = waits(&reader, &mut *output, counted);
        pacing.join().map_err(|_| "the pacing failed")??;
        waits
    })?;
    running.stop()?;
    Ok(waits)
}

/// The bare loop over the whole intake: messages a second, behind the warm-up.
fn copied(cluster: &Cluster, main: Series) -> Outcome<f64> {
    let to = format!("{RATE}bare");
    cluster.remove(&[&to])?;
    cluster.create(&[(to.clone(), PARTITIONS)])?;
    std::thread::sleep(PAUSE);
    let from = cluster.read(&intake(RATE), PARTITIONS)?;
    let reader = cluster.read(&to, PARTITIONS)?;
    let (warm, total) = (WARM.inputs() as u64, (WARM.inputs() + main.messages) as u64);
    let mut began = None;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| bare::copy(&cluster.brokers, &from, &to, &stop));
        let followed = follow(&reader, &mut Copies, total, |through| {
            if began.is_none() && through >= warm {
                began = Some((Instant::now(), through));
            }
            Ok(())
        });
        stop.store(true, Relaxed);
        copying.join().map_err(|_| "the bare loop failed")??;
        followed
    })?;
    let (began, through) = began.ok_or("no warm-up")?;
    let rate = (total - through) as f64 / began.elapsed().as_secs_f64();
    cluster.remove(&[&to])?;
    Ok(rate)
}

fn report(all: &BTreeMap<&'static str, Measured>) {
    for (side, measured) in all {
        measured.rate.spread(&format!("{side}, rate"), "messages/s");
        measured.effort.spread(&format!("{side}, processor time"), "s a million messages");
        measured.memory.spread(&format!("{side}, peak memory"), "MiB");
        measured.p50.spread(&format!("{side}, p50 at {PACE}/s"), "ms");
        measured.p99.spread(&format!("{side}, p99 at {PACE}/s"), "ms");
    }
    let Some(ours) = all.get("Tributary") else { return };
    if let Some(peer) = all.get("Kafka Streams") {
        println!("each as a ratio of Tributary to Kafka Streams, round by round:");
        ours.rate.over(&peer.rate).at_least("kafka.streams.ratio", "of_its_rate", 3.0);
        ours.p50.over(&peer.p50).at_most("kafka.streams.p50", "of_its_p50", 0.1);
        ours.p99.over(&peer.p99).at_most("kafka.streams.p99", "of_its_p99", 0.2);
        ours.memory.over(&peer.memory).at_most("kafka.streams.memory", "of_its_memory", 0.2);
        ours.effort.over(&peer.effort).at_most("kafka.streams.cpu", "of_its_processor_time", 0.2);
    }
    if let Some(bare) = all.get("bare") {
        ours.rate.over(&bare.rate).at_least("kafka.bare.ratio", "of_a_bare_loop", 0.6);
    }
}

fn intake(prefix: &str) -> String {
    format!("{prefix}{}", Kind::Conversation.intake_topic())
}

fn progress(what: &str) {
    eprintln!("{what}");
}
