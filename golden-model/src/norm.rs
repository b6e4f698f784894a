//! RMSNorm (Zhang and Sennrich, 2019) and absmax quantisation as one operation: what feeds every
//! linear layer and the head.

use crate::{
    quantise::{FLOOR, INV_127, Quantised},
    reduce,
    round::Round,
};

/// 127 / 1e-5: the scale of a row whose largest element is at the floor.
pub const FLOOR_SCALE: f32 = 127.0 / FLOOR;

/// What a norm makes of a row's sum of squares and largest product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scales {
    /// `1 / sqrt(squares * (1 / n) + eps)`.
    pub r: f32,
    /// What a product is multiplied by to become an integer.
    pub s: f32,
    /// The real value of one.
    pub step: f32,
}

impl Scales {
    /// From the sum of squares, the largest product and `1 / n`.
    ///
    /// `min` and `max` ignore NaN: a row whose `r` is NaN has the floor's step.
    pub fn new(squares: f32, largest: f32, inverse_n: f32, eps: f32) -> Self {
        let r = 1.0 / (squares * inverse_n + eps).sqrt();
        Self {
            r,
            s: (127.0 / largest).min(FLOOR_SCALE * r),
            step: (largest * r).max(FLOOR) * INV_127,
        }
    }

    /// The integer of an element and its weight, in -128..=127.
    pub fn integer(&self, x: f32, weight: f32) -> i8 {
        Round::HalfEven.to_int(x * weight * self.s, 8) as i8
    }
}

/// The larger of `so_far` and the products of a row with its weights; NaN is ignored.
pub fn largest(so_far: f32, x: &[f32], weight: &[f32]) -> f32 {
    x.iter().zip(weight).fold(so_far, |largest, (x, w)| largest.max((x * w).abs()))
}

/// Norm and quantisation of a row: with `t_i = x_i * weight_i`,
///
/// ```text
/// r    = 1 / sqrt(sum(x_i^2) * (1 / n) + eps)          m = max |t_i|
/// step = max(m * r, 1e-5) * (1 / 127)                  s = min(127 / m, (127 / 1e-5) * r)
/// values[i] = round_half_even(t_i * s)
/// ```
///
/// In real numbers this is the absmax quantisation of `x_i * r * weight_i`, whose integers `r` drops
/// out of. The sum is [`reduce::sum`]; `1 / n` is a constant of the row length. One square root and two
/// divides a row.
pub fn quantise(x: &[f32], weight: &[f32], eps: f32) -> Quantised {
    quantise_by(x, weight, 1.0 / x.len() as f32, eps)
}

fn quantise_by(x: &[f32], weight: &[f32], inverse_n: f32, eps: f32) -> Quantised {
    let scales = Scales::new(squares(x), largest(0.0, x, weight), inverse_n, eps);
    let values = x.iter().zip(weight).map(|(&x, &w)| scales.integer(x, w)).collect();
    Quantised { values, step: scales.step }
}

fn squares(x: &[f32]) -> f32 {
    reduce::sum(x.iter().map(|v| v * v))
}

/// Every weight of an identity norm: `sqrt(eps)`, for a positive `eps`.
pub fn identity_weight(eps: f32) -> f32 {
    eps.sqrt()
}

/// Quantisation of a row that no norm precedes, by the *identity norm*: weights [`identity_weight`] and
/// 0 in the place of `1 / n`, so that `r` is `1 / sqrt(eps)` and `x_i * r * weight_i` is `x_i`.
///
/// Whatever computes [`quantise`] computes it; within two roundings it is [`crate::quantise::quantise`].
pub fn quantise_identity(x: &[f32], eps: f32) -> Quantised {
    quantise_by(x, &vec![identity_weight(eps); x.len()], 0.0, eps)
}

/// RMSNorm alone, for a row that another norm takes: `(x_i * r) * weight_i` with the `r` of
/// [`quantise`], two roundings.
pub fn apply(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let r = Scales::new(squares(x), 0.0, 1.0 / x.len() as f32, eps).r;
    x.iter().zip(weight).map(|(x, w)| (x * r) * w).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::mix;

    /// A row of binary32 values with magnitudes of 2^-spread to 2^spread.
    fn row(seed: u64, n: usize, spread: u64) -> Vec<f32> {
        let value = |i: u64| {
            let bits = mix(seed ^ i << 40);
            let power = (bits >> 40) % (2 * spread + 1);
            let fraction = (bits as u32 & 0x807f_ffff) | 0x3f80_0000;
            f32::from_bits(fraction) * 2.0_f32.powi(power as i32 - spread as i32)
        };
        (0..n as u64).map(value).collect()
    }

    #[test]
    fn constant_rows_become_127() {
        let q = quantise(&[3.0; 64], &[2.0; 64], 0.0);
        assert_eq!(q.values, [127; 64]);
        assert!((q.step - 2.0 / 127.0).abs() < 1e-8, "{q:?}");
        assert_eq!(quantise(&[0.0; 8], &[1.0; 8], 1e-5).values, [0; 8]);
    }

    /// Against RMSNorm followed by absmax quantisation in binary64: integers differ at most where the
    /// real value is beside a tie, the step by a few roundings.
    #[test]
    fn it_is_the_norm_and_then_the_quantisation() {
        for seed in 0..500_u64 {
            let n = 1 + mix(seed) as usize % 300;
            let scale = [1.0, 1e-6, 1e4][seed as usize % 3];
            let x: Vec<f32> = row(seed, n, 8).iter().map(|v| v * scale).collect();
            let (weight, eps) = (row(!seed, n, 2), 1e-5_f32);
            let q = quantise(&x, &weight, eps);

            let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n as f64;
            let r = 1.0 / (mean + f64::from(eps)).sqrt();
            let y: Vec<f64> =
                x.iter().zip(&weight).map(|(&x, &w)| f64::from(x) * r * f64::from(w)).collect();
            let a = y.iter().fold(1e-5, |a: f64, y| a.max(y.abs()));
            assert!((f64::from(q.step) * 127.0 / a - 1.0).abs() < 1e-5, "seed {seed}");
            for (i, (&q, y)) in q.values.iter().zip(&y).enumerate() {
                let real = y * 127.0 / a;
                assert!((f64::from(q) - real).abs() < 0.5 + 1e-3, "seed {seed}, {i}: {q}, {real}");
                assert!(q.unsigned_abs() <= 127, "seed {seed}, {i}: {q}");
            }
        }
    }

    /// The identity norm against the quantisation of the row as it is: the step within three roundings
    /// (weight, r, their product with the row), integers where the real value is beside a tie.
    #[test]
    fn the_identity_norm_changes_nothing() {
        for seed in 0..500_u64 {
            let n = 1 + mix(seed) as usize % 300;
            let scale = [1.0, 1e-7, 1e4][seed as usize % 3];
            let eps = [1e-5, 1e-6, 1e-12][seed as usize / 3 % 3];
            let x: Vec<f32> = row(seed, n, 8).iter().map(|v| v * scale).collect();
            let (ours, plain) = (quantise_identity(&x, eps), crate::quantise::quantise(&x));
            assert!((ours.step / plain.step - 1.0).abs() < 5e-7, "seed {seed}");
            for (i, (a, b)) in ours.values.iter().zip(&plain.values).enumerate() {
                let real = f64::from(x[i]) / f64::from(plain.step);
                let beside_a_tie = (real.abs().fract() - 0.5).abs() < 1e-4;
                assert!(a == b || beside_a_tie, "seed {seed}, {i}: {a}, {b}, {real}");
            }
        }
        let zeros = quantise_identity(&[0.0; 4], 1e-5);
        assert_eq!((zeros.values, zeros.step), (vec![0; 4], FLOOR * INV_127));
        // A sum of squares that overflows makes r NaN: the integers stay, the step is the floor's.
        let large = quantise_identity(&[1e30, -1e30], 1e-5);
        assert_eq!((large.values, large.step), (vec![127, -127], FLOOR * INV_127));
    }

    #[test]
    fn a_norm_alone_is_rms_norm() {
        for seed in 0..100_u64 {
            let n = 1 + mix(seed) as usize % 300;
            let (x, weight, eps) = (row(seed, n, 4), row(!seed, n, 2), 1e-5_f32);
            let mean = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n as f64;
            let r = 1.0 / (mean + f64::from(eps)).sqrt();
            for ((y, x), w) in apply(&x, &weight, eps).iter().zip(&x).zip(&weight) {
                let real = f64::from(*x) * r * f64::from(*w);
                assert!((f64::from(*y) - real).abs() <= real.abs() * 1e-6, "seed {seed}");
            }
        }
    }

    #[test]
    fn the_largest_product_becomes_127_and_none_more() {
        for seed in 0..2000_u64 {
            let x = row(seed, 4, 40);
            let q = quantise(&x, &[1.0; 4], 0.0);
            let most = q.values.iter().map(|q| q.unsigned_abs()).max();
            assert_eq!(most, Some(127), "seed {seed}: {x:?}, {q:?}");
        }
    }

    #[test]
    fn special_values_have_a_stated_result() {
        let floor = FLOOR * INV_127;
        // A row of zeros without an eps: r is infinite, m * r and s * 0 are NaN.
        let zeros = quantise(&[0.0, -0.0], &[1.0; 2], 0.0);
        assert_eq!((zeros.values, zeros.step), (vec![0, 0], floor));
        // NaN makes r NaN; the others are scaled by the largest.
        let nan = quantise(&[f32::NAN, 1.0, -2.0], &[1.0; 3], 1e-5);
        assert_eq!((nan.values, nan.step), (vec![0, 64, -127], floor));
        // A weight that is NaN is that element's business alone.
        let weight = quantise(&[1.0, 1.0], &[f32::NAN, 1.0], 0.0);
        assert_eq!((weight.values, weight.step), (vec![0, 127], INV_127));
        // An infinite product: s is 0. With an infinite sum of squares r is 0 and m * r NaN.
        let infinite = quantise(&[f32::INFINITY, 1.0], &[1.0; 2], 0.0);
        assert_eq!((infinite.values, infinite.step), (vec![0, 0], floor));
        let product = quantise(&[2.0, 1.0], &[f32::MAX, 1.0], 0.0);
        assert_eq!((product.values, product.step), (vec![0, 0], f32::INFINITY));
        // An infinite sum of squares alone: s is 0 through r.
        assert_eq!(quantise(&[1e30, 1.0], &[1.0; 2], 0.0).values, [0, 0]);
        // Without an eps and with squares that vanish, s is infinite: only here is -128 met.
        assert_eq!(quantise(&[1e-40, -1e-40, 0.0], &[1.0; 3], 0.0).values, [127, -128, 0]);
    }

    /// Rounding is monotone: the order of the products is the order of the integers.
    #[test]
    fn integers_are_in_the_order_of_the_products() {
        for seed in 0..200_u64 {
            let mut x = row(seed, 64, 6);
            x.sort_by(f32::total_cmp);
            let q = quantise(&x, &[0.7; 64], 1e-5);
            assert!(q.values.is_sorted(), "seed {seed}");
        }
    }
}
