//! Two hundred agents on streams of their own accept, decline, hesitate, drop out and come back at random, while
//! customers write. Afterwards it is counted, from what agents were told and from the log: no conversation ever had two
//! owners, and nobody was ever given more than fits.
//!
//! `TRIBUTARY_FLOOR_SECONDS` says for how long (10), `TRIBUTARY_SEED` repeats the choices of a run.

mod floor;
mod seen;
mod worker;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::{floor::Floor, seen::Seen, worker::Worker};
use crate::{
    clients::{Api, Channel, Message, Providers},
    people::Random,
    process::{Place, command},
};

const AGENTS: usize = 200;
const CAPACITY: usize = 2;
/// Connections on which customers write, and between two of their messages, in milliseconds: more than agents can take.
const LINES: usize = 4;
const PAUSES: (u64, u64) = (5, 35);
/// How long an agent has a conversation, in milliseconds.
const HELD: (u64, u64) = (1_000, 12_000);
const PATIENCE: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_agents_never_hold_what_is_anothers_nor_more_than_fits() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("it is a number"));
    let seconds = number("TRIBUTARY_FLOOR_SECONDS").unwrap_or(10);
    let seed = number("TRIBUTARY_SEED").unwrap_or_else(|| log::clock::now() as u64);
    eprintln!("{AGENTS} agents for {seconds} s with TRIBUTARY_SEED={seed}");
    let mut random = Random::new(seed);

    let place = Place::new();
    let floor = Floor::open(&place).await;
    let (writing, working) = (CancellationToken::new(), CancellationToken::new());
    let mut customers = JoinSet::new();
    for line in 0..LINES {
        let (providers, random) = (Providers::new(floor.at), Random::new(random.next()));
        customers.spawn(write(line, providers, random, writing.clone()));
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut agents = JoinSet::new();
    for number in 0..AGENTS {
        let (api, random) = (Api::new(floor.at, &name(number)), Random::new(random.next()));
        let worker = Worker { number, api, random, seen: seen.clone(), commands: 0 };
        agents.spawn(worker.work(working.clone()));
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    writing.cancel();
    let written: usize = all(&mut customers).await.into_iter().sum();
    working.cancel();
    all(&mut agents).await;

    let counted = std::mem::take(&mut *seen.lock().unwrap());
    let data = place.data();
    let verified = command(&["verify", "--data", data.to_str().unwrap()], b"").await;
    counted.tell(written);
    let mut violations = counted.violations();
    violations.extend(seen::owners(&Api::new(floor.at, "dev").events_after("").await.unwrap()));
    assert!(violations.is_empty(), "with TRIBUTARY_SEED={seed}: {violations:#?}");
    assert!(verified.code == Some(0) && verified.out.contains("no violation"), "{verified:?}");
    assert!(
        counted.assigned > 100 && counted.refused > 10 && counted.dropped > 10,
        "there was something to count"
    );
    floor.close().await;
}

/// What the tasks came to.
async fn all<T: 'static>(tasks: &mut JoinSet<T>) -> Vec<T> {
    let mut done = Vec::new();
    let waiting = async {
        while let Some(task) = tasks.join_next().await {
            done.push(task.unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("everyone comes to an end");
    done
}

fn name(agent: usize) -> String {
    format!("floor/agent-{agent:03}")
}

/// Customers write, each once. How many.
async fn write(line: usize, providers: Providers, mut random: Random, stop: CancellationToken) -> usize {
    let mut written = 0;
    while !stop.is_cancelled() {
        let from = format!("visitor-{line}-{written}");
        let message = Message::new(Channel::Generic, format!("{line}-{written}"), &from, "hello");
        providers.deliver_until_taken(&message).await;
        written += 1;
        tokio::time::sleep(Duration::from_millis(random.between(PAUSES.0, PAUSES.1))).await;
    }
    written
}
