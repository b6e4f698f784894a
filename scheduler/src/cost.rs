//! What a pass takes on the edge card: a model of its cycles, fitted to simulated layers and heads.
//!
//! A pass of L layers takes `before + L * layer + head`; one that nobody wants candidates of ends in the last
//! layer, after its keys and values: `before + (L - 1) * layer + after`. Of a layer, attention has its own
//! part: nothing else runs beside it. All but attention grows linearly with the slots.
//!
//! Attention of a run of q slots that see n rows streams K and V of these rows, or multiplies queries with
//! pages, whichever takes longer (docs/card.md). Where the scores of a run do not fit the score store, its two
//! passes follow each other and K comes twice.

use serde::Deserialize;
use std::time::Duration;
use thiserror::Error;

/// The simulated layers and heads that the model is fitted to.
const SIMULATED: &str = include_str!("../../docs/results/cycles-card-kv260.json");
/// Positions of a page of the card.
const PAGE_ROWS: usize = 16;
/// Pages of scores that the card holds for a key-value head.
const SCORE_PAGES: usize = 1024;

/// Neighbouring slots of one sequence in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Slots.
    pub slots: usize,
    /// Rows of the cache that the last of them sees.
    pub rows: usize,
    /// Slots that want candidates.
    pub wanted: usize,
}

/// No such simulated rows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct CostError(String);

/// A straight line through the values at 1 and at 16.
#[derive(Debug, Clone, Copy)]
struct Line {
    one: f64,
    sixteen: f64,
}

impl Line {
    fn at(self, n: usize) -> f64 {
        self.one + (self.sixteen - self.one) * (n as f64 - 1.0) / 15.0
    }
}

/// Cycles of passes of a model's shape on the card.
#[derive(Debug, Clone)]
pub struct Cost {
    layers: usize,
    heads: usize,
    group: usize,
    clock_hz: f64,
    before: Line,
    /// A layer without attention.
    layer: Line,
    after: Line,
    head: Line,
    /// Cycles a row of K and V.
    stream: f64,
    /// Cycles a query head and page.
    query: f64,
    /// What attention takes whatever it sees: a run of so many slots.
    start: Line,
}

#[derive(Deserialize)]
struct Simulated {
    megahertz: f64,
    runs: Vec<SimulatedLayer>,
    heads: Vec<SimulatedHead>,
}

#[derive(Deserialize)]
struct SimulatedLayer {
    shape: String,
    case: String,
    sequences: usize,
    tokens: usize,
    history: usize,
    before_layer: Cycles,
    layer: Cycles,
    after_layer: Cycles,
}

#[derive(Deserialize)]
struct SimulatedHead {
    shape: String,
    full: bool,
    slots: usize,
    head: Cycles,
}

#[derive(Deserialize)]
struct Cycles {
    cycles: f64,
    busy: Busy,
}

#[derive(Deserialize)]
struct Busy {
    attention: f64,
}

/// Layers, query heads and key-value heads of the shapes that were simulated.
const SHAPES: [(&str, [usize; 3]); 2] =
    [("bitnet-0.73b", [24, 16, 16]), ("bitnet-2b4t", [30, 20, 5])];

impl Simulated {
    fn read() -> Result<Self, CostError> {
        let wrong = |e| CostError(format!("docs/results/cycles-card-kv260.json: {e}"));
        serde_json::from_str(SIMULATED).map_err(wrong)
    }

    fn layer(
        &self,
        shape: &str,
        [sequences, tokens, history]: [usize; 3],
    ) -> Result<&SimulatedLayer, CostError> {
        let is = |run: &&SimulatedLayer| {
            run.shape == shape
                && [run.sequences, run.tokens, run.history] == [sequences, tokens, history]
                && !run.case.ends_with("int4")
        };
        self.runs.iter().find(is).ok_or_else(|| {
            CostError(format!(
                "no simulated layer of {shape} with {sequences} sequences, {tokens} tokens and {history} rows \
                 before; run `cargo xtask cycles layers` with --json"
            ))
        })
    }

    fn head(&self, shape: &str, slots: usize) -> Result<f64, CostError> {
        let mut heads = self.heads.iter();
        let found = heads.find(|h| h.shape == shape && !h.full && h.slots == slots);
        found.map(|h| h.head.cycles).ok_or_else(|| {
            CostError(format!(
                "no simulated head of {shape} with {slots} slots; run `cargo xtask cycles layers --heads` \
                 with --json"
            ))
        })
    }
}

impl Cost {
    /// The `kv260` card with DDR4 at its assumed clock, and a model of the shape of that name.
    pub fn kv260(shape: &str) -> Result<Self, CostError> {
        let Some(&(_, [layers, heads, kv_heads])) = SHAPES.iter().find(|(name, _)| *name == shape)
        else {
            let known = SHAPES.map(|(name, _)| name).join(", ");
            return Err(CostError(format!(
                "no cycles of shape {shape:?} on kv260; expected {known}"
            )));
        };
        let simulated = Simulated::read()?;
        let prompt = |history| simulated.layer(shape, [1, 16, history]);
        let (short, many) =
            (simulated.layer(shape, [1, 1, 127])?, simulated.layer(shape, [16, 1, 999])?);
        let (near, far) = (prompt(112)?, prompt(1008)?);
        let attention = |layer: &SimulatedLayer| layer.layer.busy.attention;
        let rest = |layer: &SimulatedLayer| layer.layer.cycles - attention(layer);

        let stream = attention(many) / (16 * 1000) as f64;
        let group = heads / kv_heads;
        let works = |rows: usize| works(16, group, rows) * (16 * heads) as f64;
        let query = (attention(far) - attention(near)) / (works(1024) - works(128));
        let start = Line {
            one: attention(short) - 128.0 * stream,
            sixteen: attention(near) - query * works(128),
        };
        Ok(Self {
            layers,
            heads,
            group,
            clock_hz: simulated.megahertz * 1e6,
            before: Line { one: short.before_layer.cycles, sixteen: near.before_layer.cycles },
            layer: Line { one: rest(short), sixteen: rest(near) },
            after: Line { one: short.after_layer.cycles, sixteen: near.after_layer.cycles },
            head: Line { one: simulated.head(shape, 1)?, sixteen: simulated.head(shape, 16)? },
            stream,
            query,
            start,
        })
    }

    /// What a pass takes.
    pub fn pass(&self, runs: &[Run]) -> Duration {
        Duration::from_secs_f64(self.cycles(runs) / self.clock_hz)
    }

    /// Cycles of a pass.
    pub fn cycles(&self, runs: &[Run]) -> f64 {
        let slots: usize = runs.iter().map(|run| run.slots).sum();
        let wanted: usize = runs.iter().map(|run| run.wanted).sum();
        if slots == 0 {
            return 0.0;
        }
        let layer = self.layer_cycles(runs);
        let (layers, last) = match wanted {
            0 => (self.layers - 1, self.after.at(slots)),
            wanted => (self.layers, self.head.at(wanted)),
        };
        self.before.at(slots) + layers as f64 * layer + last
    }

    fn layer_cycles(&self, runs: &[Run]) -> f64 {
        let slots = runs.iter().map(|run| run.slots).sum();
        let attention: f64 = runs.iter().map(|run| self.attention(run)).sum();
        self.layer.at(slots) + self.start.one + attention
    }

    /// Attention of a run in a layer, after the start of the first.
    fn attention(&self, run: &Run) -> f64 {
        let works = works(run.slots, self.group, run.rows) * (run.slots * self.heads) as f64;
        let again = if fits(run.slots, self.group, run.rows) { 1.0 } else { 1.5 };
        let stream = self.stream * run.rows as f64 * again;
        (self.start.at(run.slots) - self.start.one) + stream.max(works * self.query)
    }
}

/// Whether the scores of a run fit the store.
fn fits(slots: usize, group: usize, rows: usize) -> bool {
    slots * group * rows.div_ceil(PAGE_ROWS) <= SCORE_PAGES
}

/// Pages that a query goes through, one pass after the other if scores do not fit.
fn works(slots: usize, group: usize, rows: usize) -> f64 {
    let passes = if fits(slots, group, rows) { 1 } else { 2 };
    (rows.div_ceil(PAGE_ROWS) * passes) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(sequences: usize, tokens: usize, history: usize) -> Vec<Run> {
        vec![Run { slots: tokens, rows: history + tokens, wanted: 0 }; sequences]
    }

    /// The rows that no constant was taken from.
    #[test]
    fn layers_that_were_not_fitted_are_within_two_percent() {
        let simulated = Simulated::read().unwrap();
        for (shape, _) in SHAPES {
            let cost = Cost::kv260(shape).unwrap();
            for case in [[16, 1, 127], [1, 1, 999], [1, 16, 0]] {
                let found = simulated.layer(shape, case).unwrap().layer.cycles;
                let modelled = cost.layer_cycles(&runs(case[0], case[1], case[2]));
                let error = modelled / found - 1.0;
                println!(
                    "{shape} {case:?}: {found} cycles, modelled {modelled:.0}, {:+.2} %",
                    100.0 * error
                );
                assert!(error.abs() < 0.02, "{shape} {case:?}: {error}");
            }
        }
    }

    #[test]
    fn layers_that_were_fitted_come_out_again() {
        let simulated = Simulated::read().unwrap();
        for (shape, _) in SHAPES {
            let cost = Cost::kv260(shape).unwrap();
            for case in [[1, 1, 127], [16, 1, 999], [1, 16, 112], [1, 16, 1008]] {
                let found = simulated.layer(shape, case).unwrap().layer.cycles;
                let modelled = cost.layer_cycles(&runs(case[0], case[1], case[2]));
                assert!(
                    (modelled / found - 1.0).abs() < 2e-3,
                    "{shape} {case:?}: {modelled} for {found}"
                );
            }
        }
    }

    #[test]
    fn decode_takes_what_the_readme_says_and_an_unknown_shape_is_refused() {
        let cost = Cost::kv260("bitnet-2b4t").unwrap();
        let rate = |n: usize| {
            n as f64 / cost.pass(&vec![Run { slots: 1, rows: 128, wanted: 1 }; n]).as_secs_f64()
        };
        assert!(
            (rate(1) - 30.8).abs() < 0.1 && (rate(16) - 384.0).abs() < 8.0,
            "{} {}",
            rate(1),
            rate(16)
        );
        assert!(
            Cost::kv260("llama3-8b").unwrap_err().to_string().contains("expected bitnet-0.73b")
        );
        assert_eq!(cost.cycles(&[]), 0.0);
    }
}
