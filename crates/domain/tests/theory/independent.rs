//! The desk against a simulator of others' making (ciw): priorities, and customers who give up. No formula covers both.
//! Where it cannot be had the tests say so and do nothing, unless `REQUIRE_CIW=1` makes that a failure.

use std::process::Command;

use crate::{
    BATCHES, Estimate, all_serve,
    hall::{Caller, Hall, Line},
    mean_wait,
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/ciw/run.sh");
const CUSTOMERS: usize = BATCHES * 2_500;

/// What the simulator measured of one line in one batch.
struct Batch {
    line: usize,
    came: f64,
    gave_up: f64,
    mean_wait: f64,
}

fn simulated(lines: &[Line], agents: u32, seconds: f64, seed: u64) -> Option<Vec<Batch>> {
    let line = |Line { priority, per_second, patience }: &Line| {
        let patience = patience.map_or_else(|| "-".to_owned(), |mean| mean.to_string());
        format!("{priority}:{per_second}:{patience}")
    };
    let lines: Vec<_> = lines.iter().map(line).collect();
    let numbers = [agents.to_string(), seconds.to_string(), seed.to_string(), CUSTOMERS.to_string()];
    let ran = Command::new(SCRIPT).arg(lines.join(",")).args(numbers).output();
    let said = match ran {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).expect("it prints text"),
        Ok(output) => return cannot(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => return cannot(&error.to_string()),
    };
    let batch = |text: &str| {
        let numbers: Vec<f64> = text.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [line, _, came, gave_up, mean_wait] = numbers[..] else { panic!("not a batch: {text}") };
        Batch { line: line as usize, came, gave_up, mean_wait }
    };
    Some(said.lines().map(batch).collect())
}

fn cannot<T>(why: &str) -> Option<T> {
    let required = std::env::var("REQUIRE_CIW").is_ok_and(|required| required == "1");
    assert!(!required, "REQUIRE_CIW=1, and there is no independent simulator: {why}");
    eprintln!("SKIPPED, for the independent simulator cannot be had: {why}");
    None
}

/// Of two runs with dice of their own, each estimate lies in the interval of their difference.
#[track_caller]
fn agree(what: &str, ours: &Estimate, theirs: &Estimate) {
    let within = ours.half_width.hypot(theirs.half_width);
    eprintln!(
        "{what}: {:.5} ± {:.5}, ciw {:.5} ± {:.5}",
        ours.mean, ours.half_width, theirs.mean, theirs.half_width
    );
    assert!(
        (ours.mean - theirs.mean).abs() <= within,
        "{what}: {} is not {} ± {within}",
        ours.mean,
        theirs.mean
    );
    assert!(within < 0.25 * theirs.mean, "{what}: ± {within} is too wide to tell");
}

fn agrees(lines: &[Line], agents: u32, seconds: f64, seed: u64) {
    let Some(batches) = simulated(lines, agents, seconds, seed) else { return };
    let callers = Hall::new(lines, seconds, &all_serve(lines.len(), agents), seed).serve(CUSTOMERS);
    let gave_up = |callers: &[&Caller]| crate::share(callers, |caller| caller.waited.is_none());
    for (number, line) in lines.iter().enumerate() {
        let of_line = || batches.iter().filter(|batch| batch.line == number);
        let theirs = Estimate::from(of_line().map(|batch| batch.mean_wait).collect());
        agree(
            &format!("mean wait in line {number}"),
            &Estimate::of(&callers, mean_wait, Some(number)),
            &theirs,
        );
        if line.patience.is_some() {
            let theirs = Estimate::from(of_line().map(|batch| batch.gave_up / batch.came).collect());
            let ours = Estimate::of(&callers, gave_up, Some(number));
            agree(&format!("share who gave up in line {number}"), &ours, &theirs);
        }
    }
}

fn line(priority: i32, per_hour: f64, patience: Option<f64>) -> Line {
    Line { priority, per_second: per_hour / 3_600.0, patience }
}

#[test]
fn giving_up_agrees_with_an_independent_simulator() {
    agrees(&[line(0, 150.0, Some(120.0))], 7, 180.0, 11);
}

#[test]
fn three_priorities_agree_with_an_independent_simulator() {
    agrees(&[line(2, 40.0, None), line(1, 45.0, None), line(0, 40.0, None)], 7, 180.0, 12);
}

#[test]
fn priorities_with_giving_up_agree_with_an_independent_simulator() {
    // More come than can be served: only that some give up makes it last.
    agrees(&[line(1, 50.0, Some(90.0)), line(0, 110.0, Some(240.0))], 7, 180.0, 13);
}
