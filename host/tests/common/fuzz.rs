//! Fuzzing led by outcomes: damage that leads to a message not seen before is kept, and damaged further.
//!
//! A case is a good file's number and the seeds of what was done to it, so a corpus is a short list of numbers:
//! one line a case, `base seed seed ...`, seeds in hexadecimal.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};
use terntable_golden::sample::mix;

/// Longest chain of damage.
const DEPTH: usize = 12;
/// Most time of the processor that a case may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most memory that the process may ever hold.
const MEMORY: u64 = 400 << 20;
/// Seconds of a soak: see `cargo xtask soak`.
const SECONDS: &str = "TERNTABLE_SOAK";

/// A file and what is done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Which good file.
    pub base: usize,
    /// Seeds of the changes, the first one first.
    pub damage: Vec<u64>,
}

impl Case {
    fn line(&self) -> String {
        let seeds = self.damage.iter().map(|seed| format!(" {seed:x}"));
        std::iter::once(self.base.to_string()).chain(seeds).collect()
    }

    fn parse(line: &str) -> Self {
        let (base, damage) = line.split_once(' ').expect("a base and seeds");
        let seed = |text| u64::from_str_radix(text, 16).expect("a seed");
        Self { base: base.parse().expect("a base"), damage: damage.split(' ').map(seed).collect() }
    }
}

/// What came out.
#[derive(Debug, Default)]
pub struct Tally {
    /// Cases that were taken as good.
    pub taken: usize,
    /// Cases that were refused.
    pub refused: usize,
    /// Lines of the corpus to keep: old and new cases, each with an outcome of its own.
    pub corpus: Vec<String>,
}

/// Runs the corpus, then new cases for `time`. `run` is given a case and says why it was refused; whether the
/// message is good enough it checks itself. A panic, a slow case or one that takes much memory ends the test
/// with the line to add to the corpus.
pub fn fuzz(
    bases: usize,
    corpus: &str,
    time: Duration,
    mut run: impl FnMut(&Case) -> Result<(), String>,
) -> Tally {
    let seed = terntable_testbench::seed::seed();
    let (mut tally, mut outcomes, mut kept) = (Tally::default(), BTreeSet::new(), Vec::new());
    let mut attempt = |case: Case, kept: &mut Vec<Case>| {
        let start = processor_time();
        let result = catch_unwind(AssertUnwindSafe(|| run(&case)));
        let line = case.line();
        let result = result.unwrap_or_else(|_| panic!("found: `{line}` panics"));
        let took = processor_time().saturating_sub(start);
        assert!(took < PATIENCE, "found: `{line}` takes {took:?}");
        let held = peak_memory();
        assert!(held < MEMORY, "found: after `{line}` {held} bytes were held");
        match &result {
            Ok(()) => tally.taken += 1,
            Err(_) => tally.refused += 1,
        }
        if outcomes.insert(shape(result.err().as_deref().unwrap_or("taken"))) {
            tally.corpus.push(line);
            kept.push(case);
        }
    };
    corpus.lines().for_each(|line| attempt(Case::parse(line), &mut kept));
    let start = Instant::now();
    let mut number = 0_u64;
    while start.elapsed() < time {
        let draw = |salt: u64| mix(mix(seed ^ number) ^ salt);
        let fresh = Case { base: draw(0) as usize % bases, damage: Vec::new() };
        let parent = match kept.len() {
            0 => fresh,
            // Half of the cases begin with a good file, half with one that led somewhere.
            n if draw(1).is_multiple_of(2) => kept[draw(2) as usize % n].clone(),
            _ => fresh,
        };
        let Case { base, mut damage } = parent;
        damage.truncate(DEPTH - 1);
        damage.push(draw(3));
        attempt(Case { base, damage }, &mut kept);
        number += 1;
    }
    println!("{} taken, {} refused, {} outcomes", tally.taken, tally.refused, tally.corpus.len());
    tally
}

/// How long a soak is to run.
pub fn soak_time() -> Duration {
    let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// The plain words of a message: names, paths and numbers differ from case to case.
fn shape(message: &str) -> String {
    let plain = |word: &&str| {
        let word = word.trim_end_matches([',', ':', ';', '.']);
        word.len() < 13 && word.chars().all(|c| c.is_ascii_lowercase())
    };
    message.split_whitespace().filter(plain).take(12).collect::<Vec<_>>().join(" ")
}

/// Time that this thread has had a processor, where the system tells: a busy machine does not add to it.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// The most memory that this process has held, where the system tells.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(0, |kib| kib * 1024)
}
