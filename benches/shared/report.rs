//! What a bench says: on what it measured, the spread of its rounds, and the figures.

use std::path::{Path, PathBuf};

use super::Outcome;

/// On the disk that builds are on, unless told otherwise; the system's temporary directory may be memory.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os("TRIBUTARY_BENCH_DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into()).into()
}

/// How long one measured stretch takes, in seconds. A shorter one is for trying the bench itself out.
pub(crate) fn seconds(default: u64) -> u64 {
    number("TRIBUTARY_BENCH_SECONDS", default).max(1)
}

/// What the environment asks for by this name.
pub(crate) fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    let asked = std::env::var(name).ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Says what machine this is.
pub(crate) fn machine() -> Outcome<()> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_prefix(':'));
        line.map_or_else(|| "unknown".to_owned(), |rest| rest.trim().to_owned())
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let memory = memory.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 20;
    println!(
        "measured on {} cores ({}), {memory} GiB of memory, {}, Linux {}, load {}",
        std::thread::available_parallelism()?,
        field(&read("/proc/cpuinfo"), "model name"),
        filesystem(&folder())?,
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or("unknown"),
    );
    Ok(())
}

fn filesystem(folder: &Path) -> Outcome<String> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let folder = folder.canonicalize()?;
    let nearest = mounts.filter(|(point, _)| folder.starts_with(point)).max_by_key(|(point, _)| point.len());
    Ok(nearest.map_or_else(|| "an unknown filesystem".into(), |(_, kind)| kind.to_owned()))
}

/// One value a round.
#[derive(Default)]
pub(crate) struct Rounds(Vec<f64>);

impl Rounds {
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Each round as a ratio to the same round of another.
    pub(crate) fn over(&self, other: &Rounds) -> Rounds {
        Rounds(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }

    pub(crate) fn median(&self) -> f64 {
        let values = self.sorted();
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut values = self.0.clone();
        values.sort_by(f64::total_cmp);
        values
    }

    /// Says the median with minimum and maximum.
    pub(crate) fn spread(&self, name: &str, unit: &str) {
        if let [min, .., max] = self.sorted()[..] {
            println!("{name}: median {:.2}, from {min:.2} to {max:.2} {unit}", self.median());
        }
    }

    pub(crate) fn at_least(&self, name: &str, unit: &str, target: f64) {
        self.figure(name, unit, target, self.median() >= target);
    }

    pub(crate) fn at_most(&self, name: &str, unit: &str, target: f64) {
        self.figure(name, unit, target, self.median() <= target);
    }

    fn figure(&self, name: &str, unit: &str, target: f64, reached: bool) {
        self.spread(name, unit);
        let verdict = if reached { "ok" } else { "short" };
        println!("figure {name} {:.2} {unit} reach {target} {verdict}", self.median());
    }
}

/// The value below which so many of a hundred lie.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
