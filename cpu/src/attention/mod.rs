//! Attention of query heads over [`Block`]s, with the contract's bits.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::{
    kv::{Block, Head, POSITIONS},
    level::{Level, Set, at_every_level},
    vector::{integer, maximum, wide_integer},
};
use std::sync::LazyLock;
use terntable_golden::attention::SCORE_LIMIT;

/// Queries that share the reading of keys.
pub const QUERIES: usize = 4;

/// 2^23 times the negative powers of two in steps of 2^(-1/256).
static POWERS: LazyLock<[u32; 256]> = LazyLock::new(|| {
    // 2^(-1/256) by eight square roots, multiplied up: each power is within 2^-40 of the real one, far
    // closer than any of the 256 lies to a rounding boundary (a test compares them).
    let root = (0..8).fold(0.5_f64, |x, _| x.sqrt());
    let mut power = 1.0;
    std::array::from_fn(|_| {
        let now = power;
        power *= root;
        (now * f64::from(1 << 23)).round() as u32
    })
});

/// A quantised query head.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The elements, zeros behind them up to a multiple of 16.
    pub values: Vec<i8>,
    /// Their sum.
    pub sum: i32,
    /// `step * (256 log2(e) / sqrt(head_dim))`.
    pub factor: f32,
    /// It attends to positions `0..positions`.
    pub positions: usize,
}

/// Room that attention needs, to be used again.
#[derive(Debug, Default)]
pub struct Scratch {
    dots: [Vec<i32>; QUERIES],
    /// Steps of keys and of values.
    steps: [Vec<[f32; POSITIONS]>; 2],
    weights: Weights,
    sums: Vec<i64>,
}

/// The 16-bit weights of a query's positions in two bytes each, those of a block together; zeros behind the last.
#[derive(Debug, Default)]
struct Weights {
    high: Vec<[u8; POSITIONS]>,
    low: Vec<[u8; POSITIONS]>,
}

/// `256 log2(e) / sqrt(head_dim)`, rounded to binary32 once.
pub fn score_constant(head_dim: usize) -> f32 {
    (256.0 * std::f64::consts::LOG2_E / (head_dim as f64).sqrt()) as f32
}

/// Attends up to [`QUERIES`] queries of key-value head `head`; `out` takes `head_dim` elements a query.
pub fn attend(
    level: Level,
    cache: &[Block],
    head: usize,
    head_dim: usize,
    queries: &[Query],
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let most = queries.iter().map(|q| q.positions).max().unwrap_or(0);
    let cache = &cache[..most.div_ceil(POSITIONS)];
    let blocks: &[Head<'_>] = &cache.iter().map(|block| block.head(head)).collect::<Vec<_>>();
    let Scratch { dots, steps, weights, sums } = scratch;
    for (i, steps) in steps.iter_mut().enumerate() {
        steps.clear();
        steps.extend(blocks.iter().map(|block| block.steps[i]));
    }
    let [key_steps, value_steps] = steps.each_ref().map(|steps| steps.as_flattened());
    let dots = &mut dots[..queries.len()];
    dots.iter_mut().for_each(|dots| dots.resize(blocks.len() * POSITIONS, 0));
    match level.set() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a level exists only where its instructions do.
        Set::Avx512 => unsafe { avx512::dots(blocks, queries, dots) },
        _ => portable::dots(level, blocks, queries, dots),
    }
    for ((query, dots), out) in queries.iter().zip(dots).zip(out.chunks_exact_mut(head_dim)) {
        let dots = &mut dots[..query.positions];
        let best = scores(level, dots, query.factor, key_steps);
        let factor = soften(level, dots, best, &value_steps[..query.positions], weights);
        sums.clear();
        sums.resize(head_dim, 0);
        match level.set() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a level exists only where its instructions do.
            Set::Avx512 => unsafe { avx512::sums(blocks, weights, sums) },
            _ => portable::sums(level, blocks, weights, sums),
        }
        reals(level, sums, factor, out);
    }
}

at_every_level! {
    /// Dot products become scores; returns the largest.
    fn scores(dots: &mut [i32], factor: f32, steps: &[f32]) -> i32 {
        let mut best = -SCORE_LIMIT;
        for (dot, step) in dots.iter_mut().zip(steps) {
            *dot = wide_integer(*dot as f32 * (factor * step), SCORE_LIMIT as f32);
            best = best.max(*dot);
        }
        best
    }

    /// Scores to weights; returns what the sums of weighted values are multiplied by.
    fn soften(scores: &mut [i32], best: i32, steps: &[f32], weights: &mut Weights) -> f32 {
        let powers = &*POWERS;
        let mut total = 0_u64;
        for score in scores.iter_mut() {
            let distance = (best - *score) as u32;
            // From a shift by 24 on nothing is left; 31 keeps the shift defined.
            let e = powers[(distance & 255) as usize] >> (distance >> 8).min(31);
            total += u64::from(e);
            *score = e as i32;
        }
        let largest = maximum(steps);
        let inverse = 32768.0 / largest;
        for half in [&mut weights.high, &mut weights.low] {
            half.clear();
            half.resize(scores.len().div_ceil(POSITIONS), [0; POSITIONS]);
        }
        let high = weights.high.as_flattened_mut().iter_mut();
        let bytes = high.zip(weights.low.as_flattened_mut());
        for ((&e, step), (high, low)) in scores.iter().zip(steps).zip(bytes) {
            let ratio = integer(step * inverse, 0.0, 65_536.0);
            let weight = (e as u64 * ratio as u64 + (1 << 22)) >> 23;
            (*high, *low) = ((weight >> 8) as u8, weight as u8);
        }
        if total == 0 { 0.0 } else { largest * 256.0 / total as f32 }
    }

    fn reals(sums: &[i64], factor: f32, out: &mut [f32]) {
        out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum as f32 * factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::ELEMENTS;
    use terntable_golden::{
        attention::{EXP2, KvCache, KvFormat, attend as golden},
        quantise::quantise,
        sample::mix,
    };

    fn sum(values: &[i8]) -> i32 {
        values.iter().map(|&v| i32::from(v)).sum()
    }

    #[test]
    fn powers_equal_the_golden_table() {
        assert_eq!(*POWERS, *EXP2);
    }

    #[test]
    fn every_level_equals_the_golden_model() {
        for seed in 0..240_u64 {
            let head_dim = [2, 16, 64, 96, 128, 70][seed as usize % 6];
            let format = [KvFormat::Int8, KvFormat::Int4][seed as usize % 2];
            let scale = 2.0_f32.powi((seed % 24) as i32 - 8);
            let real = |salt: u64| -> Vec<f32> {
                (0..head_dim as u64)
                    .map(|i| scale * mix(seed ^ salt << 16 ^ i) as i32 as f32 / 2.0_f32.powi(31))
                    .collect()
            };
            let length = 1 + mix(seed) as usize % 150;
            let mut cache = KvCache::new(1, head_dim, format);
            // The head of three that is filled.
            let head = seed as usize % 3;
            let mut ours = vec![Block::new(3, head_dim); length.div_ceil(POSITIONS)];
            for p in 0..length {
                cache.append(&real(2 * p as u64 + 1), &real(2 * p as u64 + 2));
                let (key, value) = (cache.key(p, 0), cache.value(p, 0));
                let (key, value) = ((key.values, key.step), (value.values, value.step));
                ours[p / POSITIONS].put(head, p % POSITIONS, key, value);
            }
            let count = 1 + seed as usize % QUERIES;
            let rows: Vec<Vec<f32>> = (0..count as u64).map(|q| real(1000 + q)).collect();
            let positions = |q: usize| length - (q * 5).min(length - 1);
            let queries: Vec<Query> = rows
                .iter()
                .enumerate()
                .map(|(q, row)| {
                    let q8 = quantise(row);
                    let mut values = q8.values;
                    values.resize(head_dim.next_multiple_of(ELEMENTS), 0);
                    let factor = q8.step * score_constant(head_dim);
                    Query { sum: sum(&values), values, factor, positions: positions(q) }
                })
                .collect();
            for level in Level::available() {
                let mut out = vec![0.0; count * head_dim];
                attend(level, &ours, head, head_dim, &queries, &mut Scratch::default(), &mut out);
                for (q, (row, out)) in rows.iter().zip(out.chunks_exact(head_dim)).enumerate() {
                    let expected = golden(row, &cache, 0, 0..positions(q));
                    let bits = |y: &[f32]| y.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(out), bits(&expected), "seed {seed}, {}", level.as_str());
                }
            }
        }
    }

    /// Contexts beyond what 32 bits of a weighted sum hold.
    #[test]
    fn long_contexts_stay_exact() {
        let (head_dim, length) = (16, 140_000);
        let row = vec![-128_i8; head_dim];
        let mut ours = vec![Block::new(1, head_dim); length / POSITIONS];
        for p in 0..length {
            ours[p / POSITIONS].put(0, p % POSITIONS, (&row, 1.0), (&row, 1.0));
        }
        let values = vec![0; head_dim];
        let query = Query { sum: sum(&values), values, factor: 1.0, positions: length };
        for level in Level::available() {
            let mut out = vec![0.0; head_dim];
            let queries = std::slice::from_ref(&query);
            attend(level, &ours, 0, head_dim, queries, &mut Scratch::default(), &mut out);
            let total = length as u64 * (1 << 23);
            let sum = length as i64 * -128 * 32768;
            assert_eq!(out[0], sum as f32 * (256.0 / total as f32), "{}", level.as_str());
        }
    }
}
