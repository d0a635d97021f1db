//! The fault suite: the real binary, its roles apart, on three real brokers, while something breaks; judged by counting.
//!
//! ```text
//! providers ─▶ edges ─▶ ┌─────────┐ ◀─▶ routers       agents, a subscriber, timelines
//!                       │ brokers │ ◀─▶ projections           ▲ │
//!                       └─────────┘ ◀─▶ API ──────────────────┘ ▼
//!                            └──────────────────────────────▶ count
//! ```
//!
//! The count knows nothing of the router: it reads the topics from their beginnings with a client of its own, by records
//! declared here, and holds them beside what providers were told, what left, and what readers saw.
//!
//! `cargo test -p tributary --features kafka --test faults` is one cycle of each fault; `just faults N` is N of all, at
//! other moments each, and ends with a table. `TRIBUTARY_SEED` repeats the choices of a run (not its timing),
//! `TRIBUTARY_FAULT` takes only those whose names contain it. `TRIBUTARY_SAID` names a folder for what the processes said,
//! `TRIBUTARY_BIN` a copy of the binary, which no build meanwhile replaces. `REQUIRE_KAFKA=1` makes it a failure that there are no
//! brokers to be had, which is otherwise said and passed over.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// Shared with the system tests, which use all of it.
#[allow(dead_code, unused_imports, reason = "the system tests use the rest")]
#[path = "../system/clients/mod.rs"]
mod clients;
#[allow(dead_code, reason = "the system tests use the rest")]
#[path = "../system/count/mod.rs"]
mod count;
#[allow(dead_code, reason = "the system tests use the rest")]
#[path = "../system/outbox.rs"]
mod outbox;
#[path = "../system/people/mod.rs"]
mod people;
#[allow(dead_code, reason = "the system tests use the rest")]
#[path = "../system/process.rs"]
mod process;

// The topics, and what must hold of them.
mod check;
mod records;
mod topics;

// What is broken, and how.
mod brokers;
mod faults;
mod fleet;
mod scene;
mod table;
mod wires;

use std::path::PathBuf;

use self::{
    brokers::Brokers, check::Judged, faults::Fault, people::Random, scene::Scene, table::Table, wires::Wires,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_by_any_fault() {
    let variable = |name: &str| std::env::var(name).ok();
    let number = |name: &str| variable(name).map(|text| text.parse::<u64>().expect("it is a number"));
    let cycles = number("TRIBUTARY_CYCLES");
    let seed = number("TRIBUTARY_SEED").unwrap_or_else(|| log::clock::now() as u64);
    let only = variable("TRIBUTARY_FAULT").unwrap_or_default();
    let said = std::env::var_os("TRIBUTARY_SAID").map(PathBuf::from);
    let chosen = Fault::ALL.into_iter().filter(|fault| fault.name().contains(&only));
    // The short run has no time for comparisons.
    let chosen: Vec<Fault> = chosen.filter(|fault| cycles.is_some() || *fault != Fault::Nothing).collect();
    assert!(!chosen.is_empty(), "no fault's name contains {only:?}");
    let Some(brokers) = tokio::task::spawn_blocking(Brokers::start).await.unwrap() else { return };
    let wires = Wires::lay(&brokers).await;
    eprintln!("{} cycles of {} faults with TRIBUTARY_SEED={seed}", cycles.unwrap_or(1), chosen.len());

    let mut random = Random::new(seed);
    let (mut table, mut violations) = (Table::default(), Vec::new());
    for cycle in 0..cycles.unwrap_or(1) {
        let mut order = chosen.clone();
        shuffle(&mut order, &mut random);
        let mut scene = Scene::set(&brokers, &wires, &format!("cycle-{cycle}."), random.next()).await;
        let mut judged = Judged::default();
        for fault in order {
            let (outcome, now) = scene.endure(fault, &judged).await;
            judged = now;
            eprintln!(
                "{:<42} {} violations, recovery {} ms; {} decisions in {} reigns, {} records count nowhere. {}",
                fault.name(),
                outcome.violations.len(),
                outcome.recovery.unwrap_or_default(),
                judged.decisions(),
                judged.reigns(),
                judged.ignored(),
                outcome.details,
            );
            if let Some(folder) = &said {
                scene.fleet.write_down(&folder.join(format!("{cycle}-{fault:?}")));
            }
            table.add(fault, &outcome);
            if !outcome.violations.is_empty() {
                eprintln!("after {} in cycle {cycle}: {:#?}", fault.name(), outcome.violations);
                violations.extend(outcome.violations);
                // What is wrong stays wrong in these topics.
                break;
            }
        }
    }
    eprintln!("\n{table}");
    assert!(violations.is_empty(), "{} violations with TRIBUTARY_SEED={seed}", violations.len());
}

fn shuffle<T>(all: &mut [T], random: &mut Random) {
    for last in (1..all.len()).rev() {
        all.swap(last, random.between(0, last as u64) as usize);
    }
}
