//! Seeds: every random decision of a run follows from one number, which is printed.

use crate::Error;
use std::sync::Once;

/// The seed of a run when nothing else is asked for.
pub const DEFAULT_SEED: u64 = 0x7e27_7ab1;

/// The seed of this run: `TERNTABLE_SEED` (decimal or 0x hexadecimal) or [`DEFAULT_SEED`]. The
/// first call prints it.
pub fn seed() -> u64 {
    static PRINT: Once = Once::new();
    let seed = match std::env::var("TERNTABLE_SEED") {
        Ok(text) => parse(&text).unwrap_or_else(|| {
            panic!("TERNTABLE_SEED: expected a decimal or 0x number, found `{text}`")
        }),
        Err(_) => DEFAULT_SEED,
    };
    PRINT.call_once(|| eprintln!("seed {seed:#x} (TERNTABLE_SEED={seed:#x} repeats this run)"));
    seed
}

/// Refuses a `TERNTABLE_SEED` that is no number; [`seed`] itself would end the test.
pub fn check() -> Result<(), Error> {
    match std::env::var("TERNTABLE_SEED") {
        Ok(text) if parse(&text).is_none() => Err(Error::Invalid {
            what: "TERNTABLE_SEED".into(),
            expected: "a decimal or 0x number".into(),
            found: text,
        }),
        _ => Ok(()),
    }
}

fn parse(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(&hex.replace('_', ""), 16).ok(),
        None => text.parse().ok(),
    }
}

/// A random source for one purpose: the same seed and purpose give the same numbers, whatever the
/// other sources do.
#[derive(Debug, Clone)]
pub struct Random(fastrand::Rng);

impl Random {
    /// A source from the run's seed and a purpose.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Random(fastrand::Rng::with_seed(mixed))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// A number of `low..=high`.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..=high)
    }

    /// True with the probability. Draws nothing for a probability of zero.
    pub fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && self.0.f64() < p
    }

    /// An activation, the whole range of int8.
    pub fn int8(&mut self) -> i8 {
        self.0.i8(..)
    }

    /// A weight: -1, 0 or 1.
    pub fn trit(&mut self) -> i8 {
        self.0.i8(-1..=1)
    }
}
