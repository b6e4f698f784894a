//! Ternary attention: causal softmax attention on integers, with *set semantics*.
//!
//! The result is a function of the set of positions, not of the order in which they are visited:
//! every step is a maximum or an exact integer sum. Over all positions j <= p:
//!
//! ```text
//! t_j = score of q and k_j, fixed point, 8 fraction bits, base 2      (saturated to 24 bits)
//! M   = max t_j            X = max of the steps of V's rows            (exact)
//! e_j = EXP2[(M - t_j) mod 256] >> ((M - t_j) / 256)                   (24 bits)
//! r_j = round_half_even(step_vj * (32768 / X))                         (16 bits)
//! w_j = (e_j * r_j + 2^22) >> 23                                       (16 bits, half up)
//! L   = sum e_j            O = sum w_j * v_j                           (exact in 48 bits)
//! y   = O * ((X * 256) / L)                                            (binary32)
//! ```
//!
//! K and V are always used as quantised in the cache, the own position included.

use crate::{
    quantise::{Quantised, quantise, quantise_int4},
    round::Round,
};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Fraction bits of a score.
pub const SCORE_FRACTION: u32 = 8;
/// A score saturates at this magnitude: 24 bits in two's complement, symmetric.
pub const SCORE_LIMIT: i32 = (1 << 23) - 1;
/// Most positions for which `L` and `O` cannot overflow 48 bits: e <= 2^23, |w v| <= 2^22.
pub const MAX_POSITIONS: usize = 1 << 24;

/// `EXP2[f] = round(2^23 * 2^(-f / 256))`, the table of negative powers of two.
pub static EXP2: LazyLock<[u32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|f| libm::round(libm::exp2(23.0 - f as f64 / 256.0)) as u32)
});

/// How the cache holds the elements of K and V.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum KvFormat {
    /// int8, by [`quantise`].
    #[default]
    Int8,
    /// int4, by [`quantise_int4`].
    Int4,
}

impl KvFormat {
    /// Bits of an element.
    pub fn bits(self) -> usize {
        match self {
            KvFormat::Int8 => 8,
            KvFormat::Int4 => 4,
        }
    }

    /// Quantises a row of a head.
    pub fn quantise(self, x: &[f32]) -> Quantised {
        match self {
            KvFormat::Int8 => quantise(x),
            KvFormat::Int4 => quantise_int4(x),
        }
    }
}

/// Keys and values of one layer and sequence: a row a position and key-value head.
#[derive(Debug, Clone)]
pub struct KvCache {
    format: KvFormat,
    kv_heads: usize,
    head_dim: usize,
    keys: Rows,
    values: Rows,
}

#[derive(Debug, Clone, Default)]
struct Rows {
    integers: Vec<i8>,
    steps: Vec<f32>,
}

impl Rows {
    fn push(&mut self, row: Quantised) {
        self.integers.extend(row.values);
        self.steps.push(row.step);
    }
}

/// One row of the cache.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The integers.
    pub values: &'a [i8],
    /// The real value of one.
    pub step: f32,
}

impl KvCache {
    /// An empty cache.
    pub fn new(kv_heads: usize, head_dim: usize, format: KvFormat) -> Self {
        Self { format, kv_heads, head_dim, keys: Rows::default(), values: Rows::default() }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.keys.steps.len() / self.kv_heads
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.keys.steps.is_empty()
    }

    /// Appends one position: `key` and `value` hold `kv_heads * head_dim` elements, the key after
    /// RoPE. Every head's row is quantised by itself.
    pub fn append(&mut self, key: &[f32], value: &[f32]) {
        for head in key.chunks_exact(self.head_dim) {
            self.keys.push(self.format.quantise(head));
        }
        for head in value.chunks_exact(self.head_dim) {
            self.values.push(self.format.quantise(head));
        }
    }

    /// Appends one position as it was quantised before: key and value of every head.
    pub fn append_rows<'a>(&mut self, heads: impl Iterator<Item = (Row<'a>, Row<'a>)>) {
        for (key, value) in heads {
            for (side, row) in [(&mut self.keys, key), (&mut self.values, value)] {
                side.integers.extend_from_slice(row.values);
                side.steps.push(row.step);
            }
        }
    }

    /// Forgets the positions from `length` on.
    pub fn truncate(&mut self, length: usize) {
        let rows = length * self.kv_heads;
        for side in [&mut self.keys, &mut self.values] {
            side.steps.truncate(rows);
            side.integers.truncate(rows * self.head_dim);
        }
    }

    /// Key-value heads.
    pub fn kv_heads(&self) -> usize {
        self.kv_heads
    }

    /// Elements of a head.
    pub fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// The key of a position and head.
    pub fn key(&self, position: usize, head: usize) -> Row<'_> {
        self.row(&self.keys, position, head)
    }

    /// The value of a position and head.
    pub fn value(&self, position: usize, head: usize) -> Row<'_> {
        self.row(&self.values, position, head)
    }

    fn row<'a>(&self, rows: &'a Rows, position: usize, head: usize) -> Row<'a> {
        let at = position * self.kv_heads + head;
        Row { values: &rows.integers[at * self.head_dim..][..self.head_dim], step: rows.steps[at] }
    }
}

/// `256 log2(e) / sqrt(head_dim)`, rounded to binary32 once.
pub fn score_constant(head_dim: usize) -> f32 {
    let scale = f64::from(1 << SCORE_FRACTION) * std::f64::consts::LOG2_E;
    (scale / libm::sqrt(head_dim as f64)) as f32
}

/// The query's part of a score's factor: `step_q * (256 log2(e) / sqrt(head_dim))`.
pub fn query_factor(step: f32, head_dim: usize) -> f32 {
    step * score_constant(head_dim)
}

/// A score: `round_half_even(dot * (factor * step_k))`, saturated to +-[`SCORE_LIMIT`].
pub fn score(dot: i32, factor: f32, step_k: f32) -> i32 {
    Round::HalfEven.to_int(dot as f32 * (factor * step_k), 24).max(-SCORE_LIMIT)
}

/// `e` of a score's distance from the maximum, in units of 2^-23.
pub fn exp2_negative(distance: u32) -> u32 {
    let whole = distance >> SCORE_FRACTION;
    if whole > 23 { 0 } else { EXP2[(distance & 255) as usize] >> whole }
}

/// `w`: `e` scaled by the ratio of a row's step to the largest step.
pub fn weight(e: u32, ratio: u32) -> i64 {
    Round::HalfUp.shift_right(u64::from(e) * u64::from(ratio), 23) as i64
}

/// Attends one query head to the positions that `order` yields (each once; the set is what counts).
///
/// `query` holds `head_dim` real elements after RoPE; `head` is the key-value head. Returns
/// `head_dim` elements. An empty set of positions gives zeros.
pub fn attend(
    query: &[f32],
    cache: &KvCache,
    head: usize,
    order: impl Iterator<Item = usize> + Clone,
) -> Vec<f32> {
    let q = quantise(query);
    let factor = query_factor(q.step, query.len());
    let rows = order.map(|position| (cache.key(position, head), cache.value(position, head)));
    attend_rows(&q.values, factor, rows)
}

/// Attends a quantised query head to rows of K and V, each position once, in any order.
pub fn attend_rows<'a>(
    query: &[i8],
    factor: f32,
    rows: impl Iterator<Item = (Row<'a>, Row<'a>)> + Clone,
) -> Vec<f32> {
    // K pass: scores into a buffer, maxima on the side.
    let mut scores = Vec::new();
    let (mut max_score, mut max_step) = (-SCORE_LIMIT, 0.0_f32);
    for (key, value) in rows.clone() {
        let t = score(dot(query, key.values), factor, key.step);
        max_score = max_score.max(t);
        max_step = max_step.max(value.step);
        scores.push(t);
    }

    // V pass.
    let per_step = 32768.0 / max_step;
    let mut total = 0_u64;
    let mut sums = vec![0_i64; query.len()];
    for ((_, value), t) in rows.zip(scores) {
        let e = exp2_negative((max_score - t) as u32);
        let ratio = Round::HalfEven.to_int(value.step * per_step, 32) as u32;
        let w = weight(e, ratio);
        total += u64::from(e);
        for (sum, &v) in sums.iter_mut().zip(value.values) {
            *sum += w * i64::from(v);
        }
    }
    if total == 0 {
        return vec![0.0; query.len()];
    }
    let factor = (max_step * 256.0) / total as f32;
    sums.iter().map(|&sum| sum as f32 * factor).collect()
}

fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::mix;
    use proptest::prelude::*;

    fn real(seed: u64, i: usize) -> f32 {
        (mix(seed ^ (i as u64) << 20) as i32) as f32 / 2.0_f32.powi(31)
    }

    fn random_cache(seed: u64, positions: usize, kv_heads: usize, head_dim: usize) -> KvCache {
        let mut cache = KvCache::new(kv_heads, head_dim, KvFormat::Int8);
        for p in 0..positions {
            let spread = 2.0_f32.powi((mix(seed ^ p as u64) % 9) as i32 - 4);
            let row = |salt: u64| -> Vec<f32> {
                (0..kv_heads * head_dim).map(|i| spread * real(seed ^ salt, p * 512 + i)).collect()
            };
            cache.append(&row(1), &row(2));
        }
        cache
    }

    fn shuffled(seed: u64, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, (mix(seed ^ i as u64) % (i as u64 + 1)) as usize);
        }
        order
    }

    proptest! {
        /// The contract's heart: forward, reversed (TeLLMe's prefill) and any permutation.
        #[test]
        fn any_order_gives_the_same_bits(
            seed in any::<u64>(), positions in 1_usize..200, peak in -6_i32..8,
        ) {
            let (kv_heads, head_dim) = (2, 16);
            let cache = random_cache(seed, positions, kv_heads, head_dim);
            let query: Vec<f32> =
                (0..head_dim).map(|i| 2.0_f32.powi(peak) * real(seed ^ 3, i)).collect();
            for head in 0..kv_heads {
                let bits = |y: Vec<f32>| y.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                let forward = bits(attend(&query, &cache, head, 0..positions));
                let reversed = bits(attend(&query, &cache, head, (0..positions).rev()));
                let order = shuffled(seed, positions);
                let permuted = bits(attend(&query, &cache, head, order.into_iter()));
                prop_assert_eq!(&forward, &reversed);
                prop_assert_eq!(&forward, &permuted);
            }
        }

        /// Close to real softmax attention, so that the integers mean what they should.
        #[test]
        fn approximates_softmax_attention(seed in any::<u64>(), positions in 1_usize..300) {
            let head_dim = 64;
            let cache = random_cache(seed, positions, 1, head_dim);
            let query: Vec<f32> = (0..head_dim).map(|i| 0.5 * real(seed ^ 5, i)).collect();
            let got = attend(&query, &cache, 0, 0..positions);
            let scores: Vec<f64> = (0..positions)
                .map(|p| {
                    let key = cache.key(p, 0);
                    let dot: f64 = query
                        .iter()
                        .zip(key.values)
                        .map(|(&q, &k)| f64::from(q) * f64::from(k) * f64::from(key.step))
                        .sum();
                    dot / (head_dim as f64).sqrt()
                })
                .collect();
            let max = scores.iter().copied().fold(f64::MIN, f64::max);
            let total: f64 = scores.iter().map(|s| (s - max).exp()).sum();
            let largest = (0..positions).map(|p| cache.value(p, 0).step).fold(0.0, f32::max);
            for (d, y) in got.iter().enumerate() {
                let exact: f64 = (0..positions)
                    .map(|p| {
                        let value = cache.value(p, 0);
                        let v = f64::from(value.values[d]) * f64::from(value.step);
                        (scores[p] - max).exp() / total * v
                    })
                    .sum();
                let error = (f64::from(*y) - exact).abs();
                prop_assert!(error < 0.02 * 127.0 * f64::from(largest), "{y} against {exact}");
            }
        }
    }

    #[test]
    fn one_position_gives_its_value_and_none_gives_zeros() {
        let mut cache = KvCache::new(1, 4, KvFormat::Int8);
        cache.append(&[1.0, 2.0, 3.0, 4.0], &[127.0, -64.0, 0.0, 1.0]);
        assert_eq!(attend(&[1.0; 4], &cache, 0, 0..1), [127.0, -64.0, 0.0, 1.0]);
        assert_eq!(attend(&[1.0; 4], &cache, 0, 0..0), [0.0; 4]);
    }

    #[test]
    fn scores_saturate_and_extremes_stay_exact() {
        assert_eq!(score(1 << 21, 1e30, 1e30), SCORE_LIMIT);
        assert_eq!(score(-(1 << 21), 1e30, 1e30), -SCORE_LIMIT);
        assert_eq!(exp2_negative(0), 1 << 23);
        assert_eq!(exp2_negative(256), 1 << 22);
        assert_eq!(exp2_negative(24 << 8), 0);
        assert_eq!(weight(1 << 23, 32768), 32768);
    }

    #[test]
    fn table_is_monotone_and_pinned() {
        assert!(EXP2.windows(2).all(|w| w[0] > w[1]));
        assert_eq!((EXP2[0], EXP2[128], EXP2[255]), (8_388_608, 5_931_642, 4_205_676));
    }

    #[test]
    fn truncate_rewinds() {
        let mut cache = random_cache(7, 20, 2, 8);
        let short = random_cache(7, 12, 2, 8);
        cache.truncate(12);
        assert_eq!(cache.len(), 12);
        let query = [0.5; 8];
        assert_eq!(attend(&query, &cache, 1, 0..12), attend(&query, &short, 1, 0..12));
    }

    #[test]
    fn int4_caches_hold_int4_values() {
        let mut cache = KvCache::new(1, 4, KvFormat::Int4);
        cache.append(&[1.0; 4], &[7.0, -7.0, 3.5, 0.4]);
        assert_eq!(cache.value(0, 0).values, [7, -7, 4, 0], "3.5 ties to even");
        assert_eq!(attend(&[1.0; 4], &cache, 0, 0..1), [7.0, -7.0, 4.0, 0.0]);
    }
}
