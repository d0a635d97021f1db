//! A kept corpus, damaged step by step: what is read in a way that was not seen before is damaged further, so a run works its
//! way into a reader instead of staying at its door. A seed alone repeats a run; what fails is written to a file, which
//! belongs into the target's corpus once it is mended.

use std::{
    collections::HashSet,
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::{Duration, Instant},
};

/// Those that once found something, and some more.
const SEEDS: [u64; 9] = [1, 2, 3, 5, 8, 13, 21, 34, 100_053];
/// Readings of one seed.
const ROUNDS: usize = 150;
/// What one run works with at most, and the octets of a piece of it.
const MOST: usize = 512;
const LONGEST: usize = 64 * 1024;

/// A reader of bytes.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Folders, from the crate's own; one that is not there holds nothing.
    pub(crate) corpus: &'static [&'static str],
    /// What means something to it.
    pub(crate) pieces: &'static [&'static [u8]],
    /// Reads, and panics where the reading is not sound. The same number for what was read alike, see [`alike`].
    pub(crate) read: fn(&[u8]) -> u64,
}

/// A number for what a reading came to.
pub(crate) fn alike(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

impl Target {
    #[allow(clippy::print_stderr, reason = "a long run says which seeds it has tried")]
    pub(crate) fn run(&self) {
        let corpus = self.corpus();
        let number = |name: &str| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
        for seed in SEEDS {
            self.damage(seed, &corpus);
        }
        let Some(seconds) = number("TRIBUTARY_FUZZ_SECONDS") else { return };
        let begun = Instant::now();
        let first = number("TRIBUTARY_SEED").unwrap_or_else(|| log::clock::now().unsigned_abs());
        let mut next = first;
        while begun.elapsed() < Duration::from_secs(seconds) {
            self.damage(next, &corpus);
            next += 1;
        }
        eprintln!("{}: seeds {first} to {next}, {} samples", self.name, corpus.len());
    }

    /// In the order of their names, so that a seed means the same everywhere.
    fn corpus(&self) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for folder in self.corpus {
            collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
        }
        assert!(!found.is_empty(), "{} has no corpus", self.name);
        found
    }

    fn damage(&self, seed: u64, kept: &[Vec<u8>]) {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (mut corpus, mut seen) = (Vec::new(), HashSet::new());
        for _ in 0..ROUNDS {
            let own = !corpus.is_empty() && dice.below(2) == 0;
            let from: &[Vec<u8>] = if own { &corpus } else { kept };
            let mut bytes = from[dice.below(from.len())].clone();
            for _ in 0..=dice.below(6) {
                self.change(&mut bytes, &mut dice, kept);
            }
            let read = catch_unwind(AssertUnwindSafe(|| (self.read)(&bytes)));
            let Ok(how) = read else { self.keep(seed, &bytes) };
            if seen.insert(how) && corpus.len() < MOST && bytes.len() <= LONGEST {
                corpus.push(bytes);
            }
        }
    }

    fn keep(&self, seed: u64, bytes: &[u8]) -> ! {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{seed}", self.name));
        fs::write(&place, bytes).expect("what failed can be written");
        panic!("{}: seed {seed} is not read soundly; it is in {}", self.name, place.display());
    }

    fn change(&self, bytes: &mut Vec<u8>, dice: &mut Dice, kept: &[Vec<u8>]) {
        let (one, other) = (dice.below(bytes.len() + 1), dice.below(bytes.len() + 1));
        let (start, end) = (one.min(other), one.max(other));
        match dice.below(6) {
            0 => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte ^= 1 << (end % 8);
                }
            }
            1 => drop(bytes.drain(start..end.min(start + 200))),
            2 => {
                let again = bytes[start..end.min(start + 200)].to_vec();
                bytes.splice(start..start, again);
            }
            3 => {
                let piece = self.pieces[dice.below(self.pieces.len())];
                bytes.splice(start..start, piece.iter().copied());
            }
            4 => bytes.truncate(end),
            _ => {
                let other = &kept[dice.below(kept.len())];
                let from = dice.below(other.len());
                let piece = other[from..].iter().copied().take(400);
                bytes.splice(start..end.min(start + 200), piece);
            }
        }
    }
}

fn collect(folder: &Path, found: &mut Vec<Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.extend(fs::read(path).ok().filter(|bytes| !bytes.is_empty()));
        }
    }
}

/// A small generator (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).expect("it is below a length")
    }
}

/// A run that meets a reader which is not sound says so, and a reader that is meets more than the door.
#[test]
fn the_harness_finds_what_is_planted() {
    let target = |read| Target { name: "planted", corpus: &["src/email/samples"], pieces: &[b"\0"], read };
    let unsound = target(|bytes| {
        assert!(!bytes.contains(&0), "a NUL");
        0
    });
    assert!(catch_unwind(AssertUnwindSafe(|| unsound.run())).is_err());
    target(|bytes| alike(&bytes.len())).run();
}
