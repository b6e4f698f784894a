//! The vocabulary head: two stages by contract, or every row.
//!
//! *Two-stage*: an integer screen with ternary rows picks the best [`CANDIDATES`] rows, exact int8
//! scores rank those. *Full*: int8 scores of every row.

use crate::{
    Error,
    quantise::{Quantised, quantise},
    round::Round,
    ternary::{Ternary, row_absmean, ternarise},
};

/// Rows that pass the screen (C).
pub const CANDIDATES: usize = 256;

/// Which rows are scored exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadMode {
    /// Screen, then exact scores of the best [`CANDIDATES`] rows.
    TwoStage,
    /// Exact scores of every row.
    Full,
}

/// A scored token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Token id.
    pub token: u32,
    /// Its logit.
    pub logit: f32,
}

/// Some rows of the head, quantised.
#[derive(Debug, Clone, Default)]
pub struct HeadRows {
    /// int8 rows, row-major.
    pub rows: Vec<i8>,
    /// The real value of one in a row.
    pub steps: Vec<f32>,
    /// Ternary rows of the screen, row-major.
    pub trits: Vec<i8>,
    /// Mean absolute value of a row.
    pub means: Vec<f32>,
}

impl HeadRows {
    /// Quantises real rows of `hidden` elements.
    pub fn new(hidden: usize, real: &[f32]) -> Self {
        let mut all = Self::default();
        for row in real.chunks_exact(hidden) {
            let Quantised { values, step } = quantise(row);
            all.rows.extend(values);
            all.steps.push(step);
            let mean = row_absmean(row);
            all.trits.extend(ternarise(row, mean));
            all.means.push(mean);
        }
        all
    }
}

/// The 16-bit weights of the screen's rows, from the means of all rows.
pub fn screen_weights(means: &[f32]) -> Vec<u16> {
    let per_mean = 65535.0 / means.iter().copied().fold(0.0, f32::max);
    means.iter().map(|m| Round::HalfEven.to_int(m * per_mean, 32) as u16).collect()
}

/// The head of a model.
#[derive(Debug, Clone)]
pub struct Head {
    hidden: usize,
    /// int8 rows, `vocab * hidden`.
    rows: Vec<i8>,
    steps: Vec<f32>,
    /// Ternary rows of the screen; its scale is 1, the rows' scales are `weights`.
    screen: Ternary,
    /// 16-bit row scales of the screen, relative to the largest.
    weights: Vec<u16>,
}

impl Head {
    /// Quantises the real rows (`vocab * hidden`, row-major): int8 by [`quantise`]; ternary by the
    /// row's mean absolute value m, with the 16-bit weight `round_half_even(m * (65535 / max m))`.
    pub fn new(vocab: usize, hidden: usize, real: &[f32]) -> Result<Self, Error> {
        Self::from_parts(vocab, hidden, [Ok::<_, Error>(real)])
    }

    /// [`Head::new`] of rows that come part by part, whole rows in each.
    pub fn from_parts<E: From<Error>>(
        vocab: usize,
        hidden: usize,
        parts: impl IntoIterator<Item = Result<impl AsRef<[f32]>, E>>,
    ) -> Result<Self, E> {
        let mut head = Self {
            hidden,
            rows: Vec::with_capacity(vocab * hidden),
            steps: Vec::with_capacity(vocab),
            screen: Ternary::new(0, hidden, Vec::new(), 1.0)?,
            weights: Vec::new(),
        };
        let mut trits = Vec::with_capacity(vocab * hidden);
        let mut means = Vec::with_capacity(vocab);
        for part in parts {
            let part = HeadRows::new(hidden, part?.as_ref());
            head.rows.extend(part.rows);
            head.steps.extend(part.steps);
            trits.extend(part.trits);
            means.extend(part.means);
        }
        head.weights = screen_weights(&means);
        head.screen = Ternary::new(vocab, hidden, trits, 1.0)?;
        Ok(head)
    }

    /// Tokens in the vocabulary.
    pub fn vocab(&self) -> usize {
        self.steps.len()
    }

    /// The ternary rows of the screen, a linear layer like any other.
    pub fn screen(&self) -> &Ternary {
        &self.screen
    }

    /// The 16-bit row weights of the screen.
    pub fn screen_weights(&self) -> &[u16] {
        &self.weights
    }

    /// The real value of one in a token's row.
    pub fn step(&self, token: u32) -> f32 {
        self.steps[token as usize]
    }

    /// The int8 row of a token.
    pub fn row(&self, token: u32) -> &[i8] {
        &self.rows[token as usize * self.hidden..][..self.hidden]
    }

    /// Exact integer products of the tokens' rows with `x`.
    pub fn dots(&self, tokens: &[u32], x: &[i8]) -> Vec<i32> {
        let dot = |&token: &u32| {
            self.row(token).iter().zip(x).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum()
        };
        tokens.iter().map(dot).collect()
    }

    /// The best [`CANDIDATES`] rows by `screen sum * row weight`, ties to the lower id; `sums` are
    /// the integer products of [`Head::screen`]. Ids in ascending order.
    pub fn select(&self, sums: &[i32]) -> Vec<u32> {
        let key = |&id: &u32| {
            let score = i64::from(sums[id as usize]) * i64::from(self.weights[id as usize]);
            (std::cmp::Reverse(score), id)
        };
        let mut ids: Vec<u32> = (0..self.vocab() as u32).collect();
        if ids.len() > CANDIDATES {
            ids.select_nth_unstable_by_key(CANDIDATES - 1, key);
            ids.truncate(CANDIDATES);
        }
        ids.sort_unstable();
        ids
    }

    /// The logit of a token from its exact integer product: `dot * (step_row * step_x)`.
    pub fn logit(&self, token: u32, dot: i32, step: f32) -> f32 {
        dot as f32 * (self.steps[token as usize] * step)
    }

    /// Sorts by logit, largest first, ties to the lower id. NaN counts as the smallest.
    pub fn rank(candidates: &mut [Candidate]) {
        candidates.sort_unstable_by(|a, b| {
            let order = |logit: f32| if logit.is_nan() { f32::NEG_INFINITY } else { logit };
            order(b.logit).total_cmp(&order(a.logit)).then(a.token.cmp(&b.token))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sample::mix, tlmm::naive};

    #[test]
    fn the_screen_keeps_the_best_rows_and_ties_go_to_the_lower_id() {
        let (vocab, hidden) = (1000, 32);
        let real: Vec<f32> =
            (0..vocab * hidden).map(|i| mix(i as u64) as i32 as f32 / 2.0_f32.powi(31)).collect();
        let head = Head::new(vocab, hidden, &real).unwrap();
        let x: Vec<i8> = (0..hidden).map(|i| mix(99 + i as u64) as i8).collect();
        let sums = naive(head.screen(), &x);
        let ids = head.select(&sums);
        assert_eq!(ids.len(), CANDIDATES);
        let score = |id: u32| i64::from(sums[id as usize]) * i64::from(head.weights[id as usize]);
        let worst_kept = ids.iter().map(|&id| score(id)).min().unwrap();
        for id in (0..vocab as u32).filter(|id| !ids.contains(id)) {
            assert!(score(id) <= worst_kept);
        }
        let flat = head.select(&vec![0; vocab]);
        assert_eq!(flat, (0..CANDIDATES as u32).collect::<Vec<_>>());
    }

    #[test]
    fn ranking_is_total() {
        let c = |token, logit| Candidate { token, logit };
        let mut list = [c(3, 1.0), c(1, f32::NAN), c(2, 1.0), c(0, 2.0)];
        Head::rank(&mut list);
        assert_eq!(list.map(|c| c.token), [0, 2, 3, 1]);
    }
}
