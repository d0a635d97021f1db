//! `kill -9`, again and again, while customers write and agents answer. Providers deliver again what was not
//! acknowledged, and some of what was; agents come, go and repeat what was not answered; a subscriber follows by
//! its cursors. Afterwards everything is counted.
//!
//! `TRIBUTARY_KILLS` says how often, `TRIBUTARY_SEED` repeats the choices of a run (not its timing, which is the
//! machine's).

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    clients::{Api, Channel, Follower, Providers},
    count::{self, Evidence},
    people::{self, Random, Said},
    process::{Addresses, Binary, Place, command},
};

/// Connections of each provider.
const LINES: usize = 2;
/// Between messages of one line, in milliseconds.
const PAUSES: (u64, u64) = (10, 60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("it is a number"));
    let kills = number("TRIBUTARY_KILLS").unwrap_or(5);
    let seed = number("TRIBUTARY_SEED").unwrap_or_else(|| log::clock::now() as u64);
    eprintln!("{kills} kills with TRIBUTARY_SEED={seed}");
    let mut random = Random::new(seed);

    let place = Place::new();
    let data = place.data();
    let mut binary = Binary::start(&data, Addresses::lasting()).await;
    let at = binary.at;
    let admin = Api::new(at, "dev");
    let follower = Follower::start(admin.clone());
    let (writing, working) = (CancellationToken::new(), CancellationToken::new());

    let taken = Arc::new(Mutex::new(BTreeSet::new()));
    let mut customers = JoinSet::new();
    for (line, channel) in (0..LINES).flat_map(|line| Channel::ALL.map(|channel| (line, channel))) {
        // Their own connections and choices.
        let (providers, random) = (Providers::new(at), Random::new(random.next()));
        let writing =
            people::write((channel, line), PAUSES, providers, random, taken.clone(), writing.clone());
        customers.spawn(writing);
    }
    let said = Arc::new(Mutex::new(Said::default()));
    let mut agents = JoinSet::new();
    for name in ["agent-1", "agent-2"] {
        let (api, random) = (Api::new(at, &format!("dev-{name}")), Random::new(random.next()));
        agents.spawn(people::work(name, api, random, said.clone(), working.clone()));
    }

    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.between(100, 1_500))).await;
        binary.kill();
        tokio::time::sleep(Duration::from_millis(random.between(0, 300))).await;
        if random.percent(30) {
            // And again, before it is ready.
            let starting = Binary::spawn(&data, at);
            tokio::time::sleep(Duration::from_millis(random.between(0, 300))).await;
            starting.kill();
        }
        binary = Binary::start(&data, at).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;

    writing.cancel();
    ended("the customers' last messages to be taken", &binary, &mut customers).await;
    working.cancel();
    ended("the agents' last commands to be answered", &binary, &mut agents).await;
    let (taken, said) = (taken.lock().unwrap().clone(), std::mem::take(&mut *said.lock().unwrap()));
    let evidence = Evidence::settled(&admin, &data, &taken).await;
    let (record, all) = follower.record_and_all(&admin).await;
    eprintln!(
        "{} messages taken, {} replies accepted, {} rejected, {} events",
        taken.len(),
        said.accepted.len(),
        said.rejected.len(),
        evidence.events.len()
    );
    let mut violations = evidence.violations();
    violations.extend(evidence.received(&taken));
    violations.extend(evidence.replies(&said.accepted, &said.rejected));
    violations.extend(count::differences(&record, &all));
    assert!(violations.is_empty(), "with TRIBUTARY_SEED={seed}: {violations:#?}");
    assert!(taken.len() > 50 && said.accepted.len() > 5, "there was something to count");

    let (took, tail) = binary.stop().await;
    assert!(took < Duration::from_secs(10), "stopping took {took:?}:{tail}");
    let verified = command(&["verify", "--data", data.to_str().unwrap()], b"").await;
    assert!(verified.code == Some(0) && verified.out.contains("no violation"), "{verified:?}");
}

async fn ended(awaited: &str, binary: &Binary, tasks: &mut JoinSet<()>) {
    let all = async {
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
    };
    if tokio::time::timeout(Duration::from_secs(40), all).await.is_err() {
        panic!("awaited in vain: {awaited}; the binary said last:{}", binary.tail());
    }
}
