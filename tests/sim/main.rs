//! The simulator: the real workers of a small town on a log in memory, on one thread, in a time of their own.
//!
//! ```text
//! seed ─▶ plan of actions ─▶ customers, bots, agents, providers ─▶ X.in ─▶ workers ─▶ X.log ─▶ oracle
//!                       └──▶ crashes, rivals, lost and late appends, blind readers, full disks
//! ```
//!
//! One seed decides everything, so a run can be told again; a run that fails is shrunk to a short story. What is checked
//! after every action, and when all is mended, are the invariants of the design by their numbers.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::print_stdout, reason = "a run says what it did")]

mod action;
mod bugs;
mod crew;
mod dice;
mod door;
mod kept;
mod mirror;
mod oracle;
mod people;
mod run;
mod story;
mod town;

use std::time::{Duration, Instant};

use bugs::Bug;
use run::{Tally, run};
use story::{Story, check};

/// Seeds of an ordinary test run.
const BUDGET: u64 = 250;
/// Steps a second in a release build.
const REACH: f64 = 20_000.0;
/// Seeds within which each planted bug must be found.
const SEEDS_TO_FIND_A_BUG: u64 = 60;

#[test]
fn whatever_happens_the_invariants_hold() {
    let mut tally = Tally::default();
    let began = Instant::now();
    for seed in 1..=BUDGET {
        let outcome = check(Story::of(seed), None).unwrap_or_else(|told| panic!("{told}"));
        tally.add(&outcome.tally);
    }
    report(&tally, began.elapsed(), 0);
}

#[test]
fn runs_that_failed_once_are_run_for_ever() {
    for line in include_str!("seeds.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let story = Story::parse(line).unwrap_or_else(|| panic!("this is no story: {line}"));
        check(story, None).unwrap_or_else(|told| panic!("{told}"));
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let mut digests = std::collections::BTreeSet::new();
    for seed in 1..=6 {
        let story = Story::of(seed);
        let [once, again] = [(); 2].map(|()| run(seed, &story.plan, None));
        assert_eq!(once.digest, again.digest, "seed {seed}");
        assert_eq!(once.tally.wakes, again.tally.wakes, "seed {seed}");
        digests.insert(once.digest);
    }
    assert_eq!(digests.len(), 6, "another seed gives another run");
}

#[test]
fn a_story_is_written_as_it_is_read() {
    for line in ["7", "7:1,3-5,9"] {
        assert_eq!(Story::parse(line).map(|story| story.line()).as_deref(), Some(line));
    }
    assert_eq!(Story::parse("7:1,3-5").map(|story| story.plan.len()), Some(4));
    assert!(Story::parse("seven").is_none() && Story::parse("7:x").is_none());
}

fn finds(bug: Bug) {
    for seed in 1..=SEEDS_TO_FIND_A_BUG {
        let story = Story::of(seed);
        let Some(violation) = run(seed, &story.plan, Some(bug)).violation else { continue };
        let whole = story.plan.len();
        let (shortest, violation) = story.shrink(violation, Some(bug));
        println!("{bug:?} is found by seed {seed}:\n{}", shortest.tell(&violation));
        assert!(shortest.plan.len() <= whole);
        let clean = run(seed, &shortest.plan, None).violation;
        assert_eq!(clean, None, "it is the bug that makes the story fail");
        return;
    }
    panic!("{bug:?} is not found by {SEEDS_TO_FIND_A_BUG} seeds");
}

#[test]
fn a_worker_that_skips_the_read_back_is_found() {
    finds(Bug::SkipsTheReadBack);
}

#[test]
fn a_worker_that_forgets_the_dedup_is_found() {
    finds(Bug::ForgetsTheDedup);
}

#[test]
fn a_worker_that_acts_before_announcing_is_found() {
    finds(Bug::ActsBeforeAnnouncing);
}

#[test]
fn a_worker_that_takes_relays_out_of_order_is_found() {
    finds(Bug::TakesRelaysOutOfOrder);
}

#[test]
fn a_worker_that_goes_on_after_a_failed_append_is_found() {
    finds(Bug::GoesOnAfterAFailedAppend);
}

#[test]
fn a_worker_that_sends_before_send_started_is_read_back_is_found() {
    finds(Bug::SendsBeforeSendStarted);
}

#[test]
fn a_worker_that_announces_itself_where_nobody_asks_it_to_is_found() {
    finds(Bug::AnnouncesUnasked);
}

/// `TRIBUTARY_SIM=SEED` or `SEED:KEPT` tells one story again.
#[test]
fn replays() {
    let Ok(line) = std::env::var("TRIBUTARY_SIM") else {
        println!("skipped: TRIBUTARY_SIM names no story to tell again");
        return;
    };
    let story = Story::parse(&line).expect("TRIBUTARY_SIM is SEED or SEED:1,5,9-12");
    for planned in &story.plan {
        println!("  {planned}");
    }
    let outcome = run(story.seed, &story.plan, None);
    println!("{:?}", outcome.tally);
    if let Some(violation) = outcome.violation {
        panic!("after action {:?}: {violation}", outcome.at);
    }
}

/// `TRIBUTARY_SOAK=MINUTES` runs new seeds for that long, from `TRIBUTARY_SEED` on where that is set.
#[test]
fn soaks() {
    let Some(minutes) = number("TRIBUTARY_SOAK") else {
        println!("skipped: TRIBUTARY_SOAK names no minutes (see `just soak`)");
        return;
    };
    let first = number("TRIBUTARY_SEED").unwrap_or_else(|| log::clock::now().unsigned_abs());
    println!("from seed {first}");
    let began = Instant::now();
    let (mut tally, mut told, mut violations) = (Tally::default(), Duration::from_secs(60), 0);
    for seed in first.. {
        match check(Story::of(seed), None) {
            Ok(outcome) => tally.add(&outcome.tally),
            Err(story) => {
                violations += 1;
                println!("{story}");
            }
        }
        let elapsed = began.elapsed();
        if elapsed >= told || elapsed.as_secs() >= minutes * 60 {
            told = elapsed + Duration::from_secs(60);
            report(&tally, elapsed, violations);
        }
        if elapsed.as_secs() >= minutes * 60 {
            break;
        }
    }
    let rate = tally.steps() as f64 / began.elapsed().as_secs_f64();
    let reached = if rate >= REACH { "ok" } else { "short" };
    println!("figure sim.rate {rate:.0} steps/s reach {REACH:.0} {reached}");
    assert_eq!(violations, 0, "violations");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn report(tally: &Tally, elapsed: Duration, violations: u64) {
    let a_second = |count: u64| count as f64 / elapsed.as_secs_f64();
    println!(
        "{} seeds in {:.1} s: {:.1} seeds a second, {:.0} steps a second",
        tally.seeds,
        elapsed.as_secs_f64(),
        a_second(tally.seeds),
        a_second(tally.steps()),
    );
    println!("  {} actions, {} appends, {} wake-ups of workers", tally.actions, tally.appends, tally.wakes);
    println!("  faults:");
    for (fault, times) in &tally.faults {
        println!("  {times:>8} {fault}");
    }
    println!("  and what came of it all:");
    for (what, times) in &tally.happened {
        println!("  {times:>8} {what}");
    }
    println!("  {violations} violations");
}
