//! Element-wise work on rows, as loops that become vector code of each level.
//!
//! Every operation is the contract's, one correctly rounded binary32 operation after the other; sums
//! follow the order of 64 partial sums, so that lanes do not show.

use crate::level::at_every_level;
use terntable_golden::{
    attention::KvFormat,
    gate::{Gate, SIGMOID, SIGMOID_ENTRIES},
    quantise::{FLOOR, INV_7, INV_127},
    reduce::PARTIALS,
};

/// HalfEven to an integer of `low..=high`, both within +-2^22; NaN is 0.
///
/// Beside 1.5 * 2^23 neighbours are 1 apart, so that the addition rounds, ties to even, and leaves the integer in
/// the low bits. A cast would saturate by itself, but not in vector code.
#[inline(always)]
pub(crate) fn integer(x: f32, low: f32, high: f32) -> i32 {
    const MAGIC: f32 = 1.5 * (1 << 23) as f32;
    let x = if x.is_nan() { 0.0 } else { x };
    let x = if x > low { x } else { low };
    let x = if x < high { x } else { high };
    (x + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()) as i32
}

/// As [`integer`], for limits within +-2^31.
#[inline(always)]
pub(crate) fn wide_integer(x: f32, limit: f32) -> i32 {
    const MAGIC: f64 = 1.5 * (1_u64 << 52) as f64;
    let x = if x.is_nan() { 0.0 } else { x };
    let x = if x > -limit { x } else { -limit };
    let x = if x < limit { x } else { limit };
    (f64::from(x) + MAGIC).to_bits() as i32
}

/// The largest of non-negative numbers, 0 of none; NaN is ignored.
#[inline(always)]
pub(crate) fn maximum(values: &[f32]) -> f32 {
    let mut most = [0.0_f32; PARTIALS];
    for values in values.chunks(PARTIALS) {
        most.iter_mut().zip(values).for_each(|(most, &v)| *most = larger(*most, v));
    }
    fold(most, larger)
}

/// The last index of the table of the logistic function.
const LAST_ENTRY: f32 = (SIGMOID_ENTRIES - 1) as f32;

/// The larger, `largest` where `x` is NaN.
#[inline(always)]
fn larger(largest: f32, x: f32) -> f32 {
    if x > largest { x } else { largest }
}

/// 64 partial sums folded in halves.
#[inline(always)]
fn fold(mut partial: [f32; PARTIALS], combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = PARTIALS / 2;
    while half > 0 {
        for i in 0..half {
            partial[i] = combine(partial[i], partial[i + half]);
        }
        half /= 2;
    }
    partial[0]
}

at_every_level! {
    /// Norm and quantisation of a row; `inverse_n` is 1 / n, or 0 for the identity norm. Returns the step.
    pub fn norm(x: &[f32], weight: &[f32], inverse_n: f32, eps: f32, out: &mut [i8]) -> f32 {
        let (mut squares, mut largest) = ([0.0_f32; PARTIALS], [0.0_f32; PARTIALS]);
        for (x, w) in x.chunks(PARTIALS).zip(weight.chunks(PARTIALS)) {
            let partial = squares.iter_mut().zip(&mut largest).zip(x.iter().zip(w));
            for ((square, most), (x, w)) in partial {
                *square += x * x;
                *most = larger(*most, (x * w).abs());
            }
        }
        let squares = fold(squares, |a, b| a + b);
        let largest = fold(largest, larger);
        let r = 1.0 / (squares * inverse_n + eps).sqrt();
        let s = (127.0 / largest).min(127.0 / FLOOR * r);
        for ((out, x), w) in out.iter_mut().zip(x).zip(weight) {
            *out = integer(x * w * s, -128.0, 127.0) as i8;
        }
        (largest * r).max(FLOOR) * INV_127
    }

    /// A norm alone, for a row that another norm takes.
    pub fn norm_alone(x: &mut [f32], weight: &[f32], inverse_n: f32, eps: f32) {
        let mut squares = [0.0_f32; PARTIALS];
        for x in x.chunks(PARTIALS) {
            squares.iter_mut().zip(x).for_each(|(square, x)| *square += x * x);
        }
        let r = 1.0 / (fold(squares, |a, b| a + b) * inverse_n + eps).sqrt();
        x.iter_mut().zip(weight).for_each(|(x, w)| *x = (*x * r) * w);
    }

    /// Absmax quantisation of a row. Returns the step.
    pub fn quantise(x: &[f32], format: KvFormat, out: &mut [i8]) -> f32 {
        let (top, inverse) = match format {
            KvFormat::Int8 => (127.0, INV_127),
            KvFormat::Int4 => (7.0, INV_7),
        };
        let mut largest = [FLOOR; PARTIALS];
        for x in x.chunks(PARTIALS) {
            largest.iter_mut().zip(x).for_each(|(most, x)| *most = larger(*most, x.abs()));
        }
        let largest = fold(largest, larger);
        let s = top / largest;
        for (out, x) in out.iter_mut().zip(x) {
            *out = integer(x * s, -top - 1.0, top) as i8;
        }
        largest * inverse
    }

    /// Rotates a head by the cosines and sines of a position.
    pub fn rotate(head: &mut [f32], row: &[[f32; 2]]) {
        let (low, high) = head.split_at_mut(row.len());
        for ((a, b), [cos, sin]) in low.iter_mut().zip(high).zip(row) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }

    /// `gate` becomes the gated row.
    pub fn gate(gate: Gate, row: &mut [f32], up: &[f32]) {
        match gate {
            Gate::Relu2 => {
                for (g, u) in row.iter_mut().zip(up) {
                    let positive = if *g > 0.0 { *g } else { 0.0 };
                    *g = (positive * positive) * u;
                }
            }
            Gate::Silu => {
                let table = &*SIGMOID;
                for (g, u) in row.iter_mut().zip(up) {
                    let index = integer(g.abs() * 128.0, 0.0, LAST_ENTRY) as usize;
                    let entry = table[index.min(SIGMOID_ENTRIES - 1)];
                    let sigmoid = if g.is_sign_negative() { (1 << 17) - entry } else { entry };
                    *g = (*g * (sigmoid as f32 * (1.0 / (1 << 17) as f32))) * u;
                }
            }
        }
    }

    /// The sum of a row's integers.
    pub fn sum(row: &[i8]) -> i32 {
        row.iter().map(|&v| i32::from(v)).sum()
    }

    /// `x += y`.
    pub fn add(x: &mut [f32], y: &[f32]) {
        x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
    }

    /// Sums of a linear layer as real numbers.
    pub fn dequantise(sums: &[i32], factor: f32, out: &mut [f32]) {
        out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum as f32 * factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;
    use terntable_golden::{norm as golden_norm, quantise as golden, rope, sample::mix};

    /// Rows of all lengths and magnitudes, with special values sprinkled in.
    fn row(seed: u64, n: usize) -> Vec<f32> {
        let special = [f32::NAN, f32::INFINITY, -f32::INFINITY, 0.0, -0.0, 1e-42, f32::MAX];
        (0..n as u64)
            .map(|i| {
                let bits = mix(seed ^ i << 40);
                if seed.is_multiple_of(5) && bits.is_multiple_of(50) {
                    return special[(bits >> 8) as usize % special.len()];
                }
                let power = (bits >> 40) % 17;
                let fraction = f32::from_bits((bits as u32 & 0x807f_ffff) | 0x3f80_0000);
                fraction * 2.0_f32.powi(power as i32 - 8) * [1.0, 1e-6, 1e4][seed as usize % 3]
            })
            .collect()
    }

    fn bits(row: &[f32]) -> Vec<u32> {
        row.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect()
    }

    #[test]
    fn every_level_equals_the_golden_model() {
        for level in Level::available() {
            for seed in 0..600_u64 {
                let n = 1 + mix(seed) as usize % 300;
                let (x, w) = (row(seed, n), row(!seed, n));
                let mut out = vec![0; n];
                let step = norm(level, &x, &w, 1.0 / n as f32, 1e-5, &mut out);
                let expected = golden_norm::quantise(&x, &w, 1e-5);
                assert_eq!(out, expected.values, "norm, seed {seed}, {}", level.as_str());
                assert_eq!(step.to_bits(), expected.step.to_bits(), "norm, seed {seed}");
                let identity = vec![golden_norm::identity_weight(1e-5); n];
                let step = norm(level, &x, &identity, 0.0, 1e-5, &mut out);
                let expected = golden_norm::quantise_identity(&x, 1e-5);
                assert_eq!((&out, step), (&expected.values, expected.step), "seed {seed}");
                let mut alone = x.clone();
                norm_alone(level, &mut alone, &w, 1.0 / n as f32, 1e-5);
                assert_eq!(bits(&alone), bits(&golden_norm::apply(&x, &w, 1e-5)), "seed {seed}");

                for (format, expected) in [
                    (KvFormat::Int8, golden::quantise(&x)),
                    (KvFormat::Int4, golden::quantise_int4(&x)),
                ] {
                    let step = quantise(level, &x, format, &mut out);
                    assert_eq!((&out, step), (&expected.values, expected.step), "seed {seed}");
                }
                for kind in [Gate::Relu2, Gate::Silu] {
                    let mut gated = x.clone();
                    gate(level, kind, &mut gated, &w);
                    assert_eq!(bits(&gated), bits(&kind.apply(&x, &w)), "seed {seed}, {kind:?}");
                }
                let half = n / 2;
                let turn: Vec<[f32; 2]> = w[..half].iter().map(|w| [*w, 1.0 - w]).collect();
                let pairs: Vec<(f32, f32)> = turn.iter().map(|[a, b]| (*a, *b)).collect();
                let (mut ours, mut expected) = (x[..2 * half].to_vec(), x[..2 * half].to_vec());
                rotate(level, &mut ours, &turn);
                rope::rotate(&mut expected, &pairs);
                assert_eq!(bits(&ours), bits(&expected), "seed {seed}");
            }
        }
    }
}
