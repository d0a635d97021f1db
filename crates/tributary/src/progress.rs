//! How far something long has come, on standard error: a line that is drawn anew on a terminal, a line every few
//! seconds elsewhere. Nothing at all for what is done within a second.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What takes less is not worth a word.
const PATIENCE: Duration = Duration::from_secs(1);
const ON_TERMINAL: Duration = Duration::from_millis(100);
const ELSEWHERE: Duration = Duration::from_secs(5);
const BAR: u64 = 24;

/// Shows itself when it is told how far things are; takes itself away when dropped.
pub struct Progress {
    what: &'static str,
    unit: &'static str,
    began: Instant,
    terminal: bool,
    shown: Mutex<Option<Instant>>,
}

impl Progress {
    /// `what` is being done, as a verb's form: `verifying`. It is counted in records.
    pub fn new(what: &'static str) -> Self {
        Progress::counting(what, "records")
    }

    /// The same, counted in something else.
    pub fn counting(what: &'static str, unit: &'static str) -> Self {
        Progress {
            what,
            unit,
            began: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            shown: Mutex::new(None),
        }
    }

    /// So many of so many are done.
    pub fn at(&self, done: u64, total: u64) {
        let took = self.began.elapsed();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let every = if self.terminal { ON_TERMINAL } else { ELSEWHERE };
        if took < PATIENCE || shown.is_some_and(|last| last.elapsed() < every) {
            return;
        }
        *shown = Some(Instant::now());
        let line = line(self.what, self.unit, done, total, took);
        // Nobody to tell is no reason to stop.
        let _ = match self.terminal {
            true => write!(std::io::stderr(), "\r\x1b[K[{}] {line}", bar(done, total)),
            false => writeln!(std::io::stderr(), "{line}"),
        };
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if self.terminal && shown.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn bar(done: u64, total: u64) -> String {
    let filled = share(done, total) * BAR / 100;
    (0..BAR).map(|at| if at < filled { '=' } else { ' ' }).collect()
}

/// In percent, rounded down.
fn share(done: u64, total: u64) -> u64 {
    match u128::from(done.min(total)) * 100 / u128::from(total.max(1)) {
        _ if total == 0 => 100,
        share => u64::try_from(share).unwrap_or(100),
    }
}

fn line(what: &str, unit: &str, done: u64, total: u64, took: Duration) -> String {
    let rate = done as f64 / took.as_secs_f64().max(0.001);
    let percent = share(done, total);
    let mut line = format!("{what}: {percent} %, {} of {} {unit}", count(done), count(total));
    if done > 0 {
        let seconds = (total.saturating_sub(done) as f64 / rate).min(f64::from(u32::MAX));
        let left = span(Duration::from_secs_f64(seconds));
        line.push_str(&format!(", {} a second, {left} left", count(rate as u64)));
    }
    line
}

/// Three digits are enough to watch by.
fn count(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{} k", number / 1_000),
        _ => format!("{:.1} M", number as f64 / 1e6),
    }
}

fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let text = line("verifying", "records", 250_000, 1_000_000, Duration::from_secs(5));
        assert_eq!(text, "verifying: 25 %, 250 k of 1.0 M records, 50 k a second, 15 s left");
        let text = line("verifying", "records", 0, 10, Duration::from_secs(2));
        assert_eq!(text, "verifying: 0 %, 0 of 10 records");
    }

    #[test]
    fn nothing_to_do_is_done() {
        assert_eq!(share(0, 0), 100);
        assert_eq!(share(5, 4), 100);
        assert_eq!(bar(1, 2).trim_end().len(), 12);
        assert_eq!(bar(2, 2).len(), BAR as usize);
    }

    #[test]
    fn numbers_and_spans_stay_short() {
        assert_eq!(
            ["9999", "10 k", "12.3 M"].map(str::to_owned),
            [count(9_999), count(10_500), count(12_345_678)]
        );
        let spans = [59, 600, 10_000].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["59 s", "10 min", "2 h"]);
    }
}
