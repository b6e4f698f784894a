//! Attention of query heads over a [`HeadCache`], with the contract's bits.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::{
    kv::{HeadCache, KEY_BLOCK, VALUE_BLOCK},
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
    /// The elements, zeros behind them up to a multiple of 4.
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
    weights: Weights,
}

/// The 16-bit weights of a query's positions in two bytes each, zeros up to whole blocks.
#[derive(Debug, Default)]
struct Weights {
    high: Vec<u8>,
    low: Vec<u8>,
}

/// `256 log2(e) / sqrt(head_dim)`, rounded to binary32 once.
pub fn score_constant(head_dim: usize) -> f32 {
    (256.0 * std::f64::consts::LOG2_E / (head_dim as f64).sqrt()) as f32
}

/// Attends up to [`QUERIES`] queries of a key-value head; `out` takes `head_dim` elements a query.
pub fn attend(
    level: Level,
    cache: &HeadCache,
    head_dim: usize,
    queries: &[Query],
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let most = queries.iter().map(|q| q.positions).max().unwrap_or(0);
    let blocks = most.div_ceil(KEY_BLOCK);
    for dots in &mut scratch.dots[..queries.len()] {
        dots.resize(blocks * KEY_BLOCK, 0);
    }
    let dots = &mut scratch.dots[..queries.len()];
    match level.set() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a level exists only where its instructions do.
        Set::Avx512 => unsafe { avx512::dots(cache, queries, blocks, dots) },
        _ => portable::dots(level, cache, queries, blocks, dots),
    }
    for ((query, dots), out) in queries.iter().zip(dots).zip(out.chunks_exact_mut(head_dim)) {
        let n = query.positions;
        let weights = &mut scratch.weights;
        let dots = &mut dots[..n];
        let steps = &cache.value_steps[..n];
        let best = scores(level, dots, query.factor, &cache.key_steps[..n]);
        let factor = soften(level, dots, best, steps, weights);
        let mut sums = vec![0_i64; head_dim];
        match level.set() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a level exists only where its instructions do.
            Set::Avx512 => unsafe {
                avx512::sums(&cache.values, &weights.high, &weights.low, &mut sums);
            },
            _ => portable::sums(level, &cache.values, &weights.high, &weights.low, &mut sums),
        }
        reals(level, &sums, factor, out);
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
        let padded = scores.len().next_multiple_of(VALUE_BLOCK);
        weights.high.clear();
        weights.low.clear();
        weights.high.resize(padded, 0);
        weights.low.resize(padded, 0);
        let bytes = weights.high.iter_mut().zip(&mut weights.low);
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
            let mut ours = HeadCache::default();
            for p in 0..length {
                cache.append(&real(2 * p as u64 + 1), &real(2 * p as u64 + 2));
                let (key, value) = (cache.key(p, 0), cache.value(p, 0));
                ours.put(p, (key.values, key.step), (value.values, value.step));
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
                    values.resize(head_dim.next_multiple_of(4), 0);
                    let factor = q8.step * score_constant(head_dim);
                    Query { sum: sum(&values), values, factor, positions: positions(q) }
                })
                .collect();
            for level in Level::available() {
                let mut out = vec![0.0; count * head_dim];
                attend(level, &ours, head_dim, &queries, &mut Scratch::default(), &mut out);
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
        let mut ours = HeadCache::default();
        for p in 0..length {
            ours.put(p, (&row, 1.0), (&row, 1.0));
        }
        let values = vec![0; head_dim];
        let query = Query { sum: sum(&values), values, factor: 1.0, positions: length };
        for level in Level::available() {
            let mut out = vec![0.0; head_dim];
            let queries = std::slice::from_ref(&query);
            attend(level, &ours, head_dim, queries, &mut Scratch::default(), &mut out);
            let total = length as u64 * (1 << 23);
            let sum = length as i64 * -128 * 32768;
            assert_eq!(out[0], sum as f32 * (256.0 / total as f32), "{}", level.as_str());
        }
    }
}
