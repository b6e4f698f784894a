//! What passes on a card spent: cycles by unit and by what kept the weights away.

use serde::Serialize;
use std::fmt;
use terntable_testbench::card::CardCounters;

/// What passes on a card spent, by its own counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Clock cycles in which a pass ran.
    pub cycles: u64,
    /// Bytes read from card memory.
    pub bytes_read: u64,
    /// Bytes written to card memory.
    pub bytes_written: u64,
    /// Cycles in which a beat of weights was consumed.
    pub weight_beats: u64,
    /// Their share of the cycles.
    pub weight_share: f64,
    /// Cycles in which none was, by the reason.
    pub stalls: Stalls,
    /// Cycles in which each unit had work; units overlap.
    pub busy: Units,
    /// Cycles in which the next command of each unit waited for other units.
    pub waits: Units,
}

/// Cycles without a beat of weights: together with those that had one, all cycles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Stalls {
    /// The tables were ready and the memory had no beat there.
    pub memory: u64,
    /// A beat waited for its tables.
    pub tables: u64,
    /// The drain of results took the cycle.
    pub drain: u64,
    /// Both banks of partial sums waited for whoever takes the results.
    pub results: u64,
    /// The partial sum of the beat was still on its way.
    pub order: u64,
    /// There was no panel to multiply: other units had to finish first.
    pub no_panel: u64,
}

/// A figure for each unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Units {
    /// Norm weights and rotary rows.
    pub load: u64,
    /// Ternary weights.
    pub multiply: u64,
    /// binary32 work.
    pub vector: u64,
    /// Attention.
    pub attention: u64,
    /// The vocabulary head.
    pub head: u64,
    /// Checksums.
    pub check: u64,
}

impl From<[u64; 6]> for Units {
    fn from([load, multiply, vector, attention, head, check]: [u64; 6]) -> Self {
        Self { load, multiply, vector, attention, head, check }
    }
}

impl Units {
    /// Names and figures, in the order of the units.
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("load", self.load),
            ("multiply", self.multiply),
            ("vector", self.vector),
            ("attention", self.attention),
            ("head", self.head),
            ("check", self.check),
        ]
    }
}

impl From<[u64; 6]> for Stalls {
    fn from([memory, tables, drain, results, order, no_panel]: [u64; 6]) -> Self {
        Self { memory, tables, drain, results, order, no_panel }
    }
}

impl Stalls {
    /// Names and figures.
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("memory", self.memory),
            ("tables", self.tables),
            ("drain", self.drain),
            ("results", self.results),
            ("order", self.order),
            ("no panel", self.no_panel),
        ]
    }
}

impl Usage {
    /// From the counters of a card, which were clear before.
    pub fn new(counters: &CardCounters, beat_bytes: u64) -> Self {
        let c = counters;
        let [memory, tables, drain, results, order] =
            [c.lost_memory, c.lost_tables, c.lost_drain, c.lost_results, c.lost_order]
                .map(u64::from);
        let (cycles, weight_beats) = (u64::from(c.cycles), u64::from(c.weight_beats));
        let known = weight_beats + memory + tables + drain + results + order;
        let no_panel = cycles.saturating_sub(known);
        Self {
            cycles,
            bytes_read: u64::from(c.read_beats) * beat_bytes,
            bytes_written: u64::from(c.write_beats) * beat_bytes,
            weight_beats,
            weight_share: share(weight_beats, cycles),
            stalls: Stalls { memory, tables, drain, results, order, no_panel },
            busy: c.busy.map(u64::from).into(),
            waits: c.wait.map(u64::from).into(),
        }
    }

    /// Both together.
    fn plus(&self, other: &Self) -> Self {
        let weight_beats = self.weight_beats + other.weight_beats;
        let cycles = self.cycles + other.cycles;
        let units = |a: Units, b: Units| -> Units {
            std::array::from_fn(|i| a.named()[i].1 + b.named()[i].1).into()
        };
        Self {
            cycles,
            bytes_read: self.bytes_read + other.bytes_read,
            bytes_written: self.bytes_written + other.bytes_written,
            weight_beats,
            weight_share: share(weight_beats, cycles),
            stalls: std::array::from_fn(|i| self.stalls.named()[i].1 + other.stalls.named()[i].1)
                .into(),
            busy: units(self.busy, other.busy),
            waits: units(self.waits, other.waits),
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// What all passes spent together, and each of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spent {
    /// Together.
    #[serde(flatten)]
    pub total: Usage,
    /// Pass by pass.
    pub passes: Vec<Usage>,
}

impl Spent {
    /// Of these passes.
    pub fn new(passes: Vec<Usage>) -> Self {
        let total = passes.iter().fold(Usage::default(), |sum, pass| sum.plus(pass));
        Self { total, passes }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Usage { cycles, bytes_read, bytes_written, weight_share, stalls, .. } = self.total;
        write!(
            f,
            "{cycles} cycles, {bytes_read} bytes read and {bytes_written} written, a beat of weights \
             in {:.1} % of the cycles; without one:",
            100.0 * weight_share
        )?;
        for (why, count) in stalls.named().into_iter().filter(|(_, count)| *count > 0) {
            write!(f, " {why} {:.1} %", 100.0 * share(count, cycles))?;
        }
        write!(f, " (simulated)")
    }
}
