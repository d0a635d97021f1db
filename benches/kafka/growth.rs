//! What more workers and more open conversations cost: the same number of messages over 4 partitions, routed by one, two
//! and four processes of this machine, in ten thousand, a hundred thousand and a million conversations, all of which stay
//! open.
//!
//! The rate is that of the whole fleet, from its first decision to its last; the machine's cores are shared by all of it and
//! by the broker, so more workers cannot be faster here: the table shows what they cost. Memory is that of all processes
//! together once everything is decided, less what as many take that have nothing to do; each partition has a standby, where
//! there is another process to be it. Then one process is killed: the takeover is how long it was until each of its partitions
//! had another leader, and most of that is the session that Kafka waits out.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::{Message as _, consumer::BaseConsumer};
use wire::Record;

use super::{
    PARTITIONS,
    cluster::Cluster,
    inputs::{Filler, Series},
    output::{Decisions, follow},
    shared::Outcome,
    sides::{Router, Running, Side as _},
};

const PREFIX: &str = "bench-growth.";
const WORKERS: [usize; 3] = [1, 2, 4];
const CONVERSATIONS: [usize; 3] = [10_000, 100_000, 1_000_000];
/// A fleet that has nothing to do yet, or nothing any more, comes to rest.
const REST: Duration = Duration::from_secs(5);
/// Who was killed is missed within this; longer than its session.
const MISSED: Duration = Duration::from_secs(25);

pub(crate) fn measure(cluster: &Cluster, messages: usize) -> Outcome<()> {
    let intake = super::intake(PREFIX);
    cluster.remove(&[PREFIX])?;
    cluster.create(&[(intake.clone(), PARTITIONS)])?;
    Router.install(cluster, PREFIX)?;
    let idle: Vec<f64> = WORKERS.into_iter().map(|workers| idle(cluster, workers)).collect::<Outcome<_>>()?;
    println!("{messages} messages of 500 bytes, over {PARTITIONS} partitions, by one process or several:");
    println!(
        "| workers | open conversations | messages/s | CPU s a million | MiB idle | MiB after | bytes a conversation | takeover, s |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    for conversations in CONVERSATIONS.into_iter().filter(|conversations| *conversations <= messages) {
        let series = Series { number: 5, messages, each: messages / conversations, redelivered: false };
        cluster.remove(&[&intake])?;
        cluster.create(&[(intake.clone(), PARTITIONS)])?;
        Filler::new(&cluster.brokers, &intake, "5")?.fill(series)?;
        for (workers, idle) in WORKERS.into_iter().zip(&idle) {
            let grown = grown(cluster, workers, series)?;
            println!(
                "| {workers} | {conversations} | {:.0} | {:.1} | {idle:.0} | {:.0} | {:.0} | {} |",
                grown.rate,
                grown.effort,
                grown.memory,
                (grown.memory - idle) * 1024.0 * 1024.0 / conversations as f64,
                grown.takeover.map_or("–".into(), |takeover| format!("{:.1}", takeover.as_secs_f64())),
            );
        }
    }
    cluster.remove(&[PREFIX])
}

struct Grown {
    rate: f64,
    effort: f64,
    memory: f64,
    takeover: Option<Duration>,
}

fn grown(cluster: &Cluster, workers: usize, series: Series) -> Outcome<Grown> {
    Router.prepare(cluster, PREFIX)?;
    let reader = cluster.read(&Router.decisions(PREFIX), PARTITIONS)?;
    let mut fleet = start(cluster, workers)?;
    let mut output = Decisions::new(&series.inputs_by_partition());
    let mut from = None;
    follow(&reader, &mut output, series.messages as u64, |through| {
        if from.is_none() && through > 0 {
            from = Some((Instant::now(), effort(&fleet)?, through));
        }
        Ok(())
    })?;
    let (began, before, through) = from.ok_or("nothing was decided")?;
    let measured = (series.messages as u64 - through) as f64;
    let (rate, effort) =
        (measured / began.elapsed().as_secs_f64(), (effort(&fleet)? - before) / measured * 1e6);
    std::thread::sleep(REST);
    let memory = memory(&fleet)?;
    let takeover = match workers {
        1 => None,
        _ => {
            announced(&reader, Duration::from_millis(200))?;
            drop(fleet.pop());
            announced(&reader, MISSED)?
        }
    };
    fleet.into_iter().try_for_each(|running| running.stop().map(drop))?;
    Ok(Grown { rate, effort, memory, takeover })
}

fn start(cluster: &Cluster, workers: usize) -> Outcome<Vec<Running>> {
    (0..workers).map(|_| Router.start(cluster, PREFIX)).collect()
}

/// What so many processes take that have nothing to do, in MiB.
fn idle(cluster: &Cluster, workers: usize) -> Outcome<f64> {
    Router.prepare(cluster, PREFIX)?;
    let fleet = start(cluster, workers)?;
    std::thread::sleep(2 * REST);
    let idle = memory(&fleet)?;
    fleet.into_iter().try_for_each(|running| running.stop().map(drop))?;
    Ok(idle)
}

/// How long it is until the last announcement that comes within this time.
fn announced(reader: &BaseConsumer, within: Duration) -> Outcome<Option<Duration>> {
    let (began, mut last) = (Instant::now(), None);
    while began.elapsed() < within {
        let Some(Ok(record)) = reader.poll(Duration::from_millis(10)) else { continue };
        let bytes = Bytes::copy_from_slice(record.payload().unwrap_or_default());
        if matches!(wire::decode_record::<domain::conversation::Decider>(&bytes)?, Record::Announce(_)) {
            last = Some(began.elapsed());
        }
    }
    Ok(last)
}

fn effort(fleet: &[Running]) -> Outcome<f64> {
    fleet.iter().map(Running::processor_time).sum()
}

/// In MiB, of all together.
fn memory(fleet: &[Running]) -> Outcome<f64> {
    fleet.iter().map(Running::memory).sum()
}
