//! The vocabulary head as jobs.

use super::Cpu;
use crate::{
    image::{Image, Part},
    level::{Level, at_every_level},
    multiply::{Activations, band},
    pool::Results,
    rows,
    tile::BAND_ROWS,
};
use std::sync::Arc;
use terntable_golden::head::{CANDIDATES, Candidate, Head, HeadMode};

/// Rows of the full head that a piece of work takes.
const FULL_ROWS: usize = 512;

/// Screen sums of some bands, and the largest score of every band and slot: `[band][slot]`.
struct Screened {
    bands: usize,
    sums: Vec<[i32; BAND_ROWS]>,
    largest: Vec<i64>,
}

impl Cpu {
    /// The ranked candidates of every slot: the best 256 of the two-stage head, every token of the full head.
    pub fn head(&self, mode: HeadMode, outputs: &Activations) -> Vec<Vec<Candidate>> {
        let x = Arc::new(outputs.clone());
        let ranked = match mode {
            HeadMode::TwoStage => self.two_stage(x),
            HeadMode::Full => self.full(x),
        };
        ranked.iter().cloned().collect()
    }

    fn two_stage(&self, x: Arc<Activations>) -> Results<Vec<Candidate>> {
        let total = self.image.screen().shape.bands();
        let each = self.share(total);
        let screened = self.screen(x.clone(), total, each);
        let (image, level) = (self.image.clone(), self.level);
        self.pool.run(x.slots(), move |slot| {
            let tokens = select(&image, &screened, x.slots(), slot);
            let mut candidates = exact(&image, level, &x, slot, &tokens);
            Head::rank(&mut candidates);
            candidates
        })
    }

    fn screen(&self, x: Arc<Activations>, total: usize, each: usize) -> Results<Screened> {
        let (image, level) = (self.image.clone(), self.level);
        self.pool.run(total.div_ceil(each), move |piece| {
            let first = piece * each;
            let bands = each.min(total - first);
            let screen = image.screen();
            let weights = image.screen_weights();
            let mut out = Screened {
                bands,
                sums: Vec::with_capacity(bands * x.slots()),
                largest: Vec::with_capacity(bands * x.slots()),
            };
            for at in 0..bands {
                let row = (first + at) * BAND_ROWS;
                let weights = &weights[row..weights.len().min(row + BAND_ROWS)];
                band(level, screen.band(first + at), &x, |_, sums| {
                    out.sums.push(*sums);
                    out.largest.push(largest(level, sums, weights));
                });
            }
            out
        })
    }

    fn full(&self, x: Arc<Activations>) -> Results<Vec<Candidate>> {
        let vocab = self.config().vocab;
        let (image, level, input) = (self.image.clone(), self.level, x.clone());
        // For each piece and slot the logits' ranks, best first.
        let pieces = self.pool.run(vocab.div_ceil(FULL_ROWS), move |piece| {
            let first = piece * FULL_ROWS;
            let tokens: Vec<u32> =
                (first..vocab.min(first + FULL_ROWS)).map(|t| t as u32).collect();
            let ranked = |slot| {
                let candidates = exact(&image, level, &input, slot, &tokens);
                let mut keys: Vec<u64> = candidates.iter().map(key).collect();
                keys.sort_unstable();
                (keys, candidates)
            };
            (0..input.slots()).map(ranked).collect::<Vec<_>>()
        });
        self.pool.run(x.slots(), move |slot| {
            let of_slot = || pieces.iter().filter_map(|piece| piece.get(slot));
            let mut keys: Vec<u64> = of_slot().flat_map(|(keys, _)| keys).copied().collect();
            // Stable sorting merges what is sorted already.
            keys.sort();
            let logits: Vec<&Candidate> =
                of_slot().flat_map(|(_, candidates)| candidates).collect();
            keys.iter().map(|key| *logits[*key as u32 as usize]).collect()
        })
    }
}

/// Orders as [`Head::rank`] does: the larger logit first, NaN last, then the lower id.
fn key(candidate: &Candidate) -> u64 {
    let logit = if candidate.logit.is_nan() { f32::NEG_INFINITY } else { candidate.logit };
    let bits = logit.to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!ascending) << 32 | u64::from(candidate.token)
}

at_every_level! {
    fn largest(sums: &[i32], weights: &[u16]) -> i64 {
        scores(sums, weights).fold(i64::MIN, i64::max)
    }
}

/// Scores of a band's rows.
#[inline(always)]
fn scores(sums: &[i32], weights: &[u16]) -> impl Iterator<Item = i64> {
    sums.iter().zip(weights).map(|(&sum, &weight)| i64::from(sum) * i64::from(weight))
}

/// The best [`CANDIDATES`] rows of a slot, ties to the lower id.
///
/// The 256th largest of the bands' best is a bound: at least 256 rows reach it, and only bands whose
/// best reaches it are looked into.
fn select(image: &Image, screened: &Results<Screened>, slots: usize, slot: usize) -> Vec<u32> {
    let of_slot = screened.iter().flat_map(|piece| piece.largest.iter().skip(slot).step_by(slots));
    let mut best: Vec<i64> = of_slot.copied().collect();
    let bound = if best.len() > CANDIDATES {
        let (_, bound, _) = best.select_nth_unstable_by(CANDIDATES - 1, |a, b| b.cmp(a));
        *bound
    } else {
        i64::MIN
    };
    let weights = image.screen_weights();
    let mut rows: Vec<(std::cmp::Reverse<i64>, u32)> = Vec::new();
    let mut first = 0;
    for piece in screened.iter() {
        for band in 0..piece.bands {
            let place = band * slots + slot;
            if piece.largest[place] >= bound {
                let of_band = scores(
                    &piece.sums[place],
                    &weights[first..weights.len().min(first + BAND_ROWS)],
                );
                let reach = (first as u32..).zip(of_band).filter(|(_, score)| *score >= bound);
                rows.extend(reach.map(|(token, score)| (std::cmp::Reverse(score), token)));
            }
            first += BAND_ROWS;
        }
    }
    if rows.len() > CANDIDATES {
        rows.select_nth_unstable(CANDIDATES - 1);
        rows.truncate(CANDIDATES);
    }
    rows.into_iter().map(|(_, token)| token).collect()
}

/// Exact logits of tokens.
fn exact(
    image: &Image,
    level: Level,
    x: &Activations,
    slot: usize,
    tokens: &[u32],
) -> Vec<Candidate> {
    let steps = image.floats(Part::HeadSteps);
    let (row, sum, step) = (x.row(slot), x.sum(slot), x.step(slot));
    // int8 plus 128.
    let head = image.part(Part::HeadRows);
    let candidate = |&token: &u32| {
        let id = token as usize;
        let dot = rows::dot(level, &head[id * row.len()..][..row.len()], row, sum);
        Candidate { token, logit: dot as f32 * (steps[id] * step) }
    };
    tokens.iter().map(candidate).collect()
}
