//! The real desk against queueing theory: customers come by chance (Poisson), each is served for an exponential time,
//! and all of it happens in virtual time. What is measured must be what theory says, within a 95 % confidence interval.
//! The dice are seeded, so a run is the same every time.

mod formulas;
mod hall;
mod independent;

use formulas::Load;
use hall::{Caller, Hall, Line};

/// Independent stretches of a run, each long enough to forget how it began.
const BATCHES: usize = 20;
/// Student's t for 19 degrees of freedom, two-sided 95 %.
const T: f64 = 2.093;

/// What is estimated of each batch, and the interval that holds the truth with 95 %.
struct Estimate {
    mean: f64,
    half_width: f64,
}

impl Estimate {
    fn of(callers: &[Caller], figure: impl Fn(&[&Caller]) -> f64, line: Option<usize>) -> Estimate {
        let batches = callers.chunks_exact(callers.len() / BATCHES).map(|batch| {
            let batch: Vec<_> =
                batch.iter().filter(|caller| line.is_none_or(|line| caller.line == line)).collect();
            figure(&batch)
        });
        Estimate::from(batches.collect())
    }

    /// From what each batch came to.
    fn from(batches: Vec<f64>) -> Estimate {
        assert_eq!(batches.len(), BATCHES);
        let mean = batches.iter().sum::<f64>() / BATCHES as f64;
        let spread = batches.iter().map(|batch| (batch - mean).powi(2)).sum::<f64>() / (BATCHES - 1) as f64;
        Estimate { mean, half_width: T * (spread / BATCHES as f64).sqrt() }
    }

    #[track_caller]
    fn agrees(&self, what: &str, truth: f64) {
        let Estimate { mean, half_width } = self;
        eprintln!("{what}: {mean:.5} ± {half_width:.5}, theory {truth:.5}");
        assert!(
            (mean - truth).abs() <= *half_width,
            "{what}: {mean} ± {half_width}, but theory says {truth}"
        );
        // An interval that holds everything would prove nothing.
        assert!(*half_width < 0.35 * truth, "{what}: ± {half_width} is too wide to tell");
    }
}

fn share(callers: &[&Caller], of: impl Fn(&Caller) -> bool) -> f64 {
    callers.iter().filter(|caller| of(caller)).count() as f64 / callers.len() as f64
}

fn mean_wait(callers: &[&Caller]) -> f64 {
    let served = || callers.iter().filter_map(|caller| caller.waited);
    served().sum::<f64>() / served().count() as f64
}

/// So many agents, all of whom serve so many lines.
fn all_serve(lines: usize, agents: u32) -> Vec<Vec<usize>> {
    (0..agents).map(|_| (0..lines).collect()).collect()
}

/// One line, `per_hour` customers of `seconds` each, so many agents.
fn agrees_with_erlang(per_hour: f64, seconds: f64, agents: u32, seed: u64, expected: [f64; 3]) {
    let load = Load { per_second: per_hour / 3_600.0, seconds, agents };
    let theory = [load.probability_of_waiting(), load.mean_wait(), load.served_within(20.0)];
    for (computed, published) in theory.iter().zip(expected) {
        assert!((computed - published).abs() < 6e-4, "{computed} is not {published}");
    }
    let lines = [Line { priority: 0, per_second: load.per_second, patience: None }];
    let callers = Hall::new(&lines, seconds, &all_serve(1, agents), seed).serve(BATCHES * 2_500);
    let waited =
        |callers: &[&Caller]| share(callers, |caller| caller.waited.is_some_and(|waited| waited > 0.0));
    let in_time =
        |callers: &[&Caller]| share(callers, |caller| caller.waited.is_some_and(|waited| waited <= 20.0));
    Estimate::of(&callers, waited, None).agrees("probability of waiting", theory[0]);
    Estimate::of(&callers, mean_wait, None).agrees("mean wait", theory[1]);
    Estimate::of(&callers, in_time, None).agrees("served within 20 s", theory[2]);
}

#[test]
fn eight_agents_agree_with_erlang() {
    agrees_with_erlang(100.0, 180.0, 8, 1, [0.16727, 10.036, 0.88015]);
}

#[test]
fn twenty_three_agents_agree_with_erlang() {
    agrees_with_erlang(240.0, 300.0, 23, 2, [0.41574, 41.574, 0.65962]);
}

#[test]
fn ninety_agents_agree_with_erlang() {
    agrees_with_erlang(960.0, 300.0, 90, 3, [0.19514, 5.854, 0.89981]);
}

/// Two lines, one before the other: each waits as long as Cobham says.
#[test]
fn priorities_agree_with_cobham() {
    let load = Load { per_second: 120.0 / 3_600.0, seconds: 180.0, agents: 7 };
    let shares = [0.4, 0.6];
    let lines = [
        Line { priority: 1, per_second: load.per_second * shares[0], patience: None },
        Line { priority: 0, per_second: load.per_second * shares[1], patience: None },
    ];
    let callers = Hall::new(&lines, load.seconds, &all_serve(2, load.agents), 4).serve(BATCHES * 2_500);
    let [first, second] = load.mean_waits_by_priority(shares);
    Estimate::of(&callers, mean_wait, Some(0)).agrees("mean wait in the line that goes first", first);
    Estimate::of(&callers, mean_wait, Some(1)).agrees("mean wait in the other", second);
}

/// Who came first is served first, by the agent who has been idle the longest, of those who can: each line waits as long as
/// the product form says.
fn agrees_with_the_product_form(rates: &[f64], serves: &[Vec<usize>], seed: u64) {
    let seconds = 180.0;
    let lines: Vec<_> =
        rates.iter().map(|rate| Line { priority: 0, per_second: rate / seconds, patience: None }).collect();
    let callers = Hall::new(&lines, seconds, serves, seed).serve(BATCHES * 4_000);
    let per_second: Vec<_> = lines.iter().map(|line| line.per_second).collect();
    let waits = formulas::mean_waits_by_skill(&per_second, serves, seconds);
    for (line, wait) in waits.into_iter().enumerate() {
        Estimate::of(&callers, mean_wait, Some(line)).agrees(&format!("mean wait in line {line}"), wait);
    }
}

/// Some serve one line, the others both.
#[test]
fn the_n_of_skills_agrees_with_the_product_form() {
    agrees_with_the_product_form(&[2.2, 1.1], &[vec![0], vec![0], vec![0, 1], vec![0, 1]], 5);
}

/// Two lines have agents of their own, and some serve both.
#[test]
fn the_w_of_skills_agrees_with_the_product_form() {
    agrees_with_the_product_form(&[1.4, 2.0], &[vec![0], vec![0, 1], vec![0, 1], vec![1], vec![1]], 6);
}
