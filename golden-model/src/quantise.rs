//! Activations to int8: absmax per row, as in BitNet b1.58.

use crate::round::Round;

/// Smallest absolute maximum that a row is scaled by: a row of zeros stays a row of zeros.
pub const FLOOR: f32 = 1e-5;

/// 1 / 127 in binary32.
pub const INV_127: f32 = 1.0 / 127.0;

/// 1 / 7 in binary32.
pub const INV_7: f32 = 1.0 / 7.0;

/// A row of int8 values; the real value is `values[i] * step`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantised {
    /// The integers, in -128..=127.
    pub values: Vec<i8>,
    /// The real value of one: `absmax * (1 / 127)`.
    pub step: f32,
}

/// Quantises a row: `a = max(|x_i|, 1e-5)`, `s = 127 / a`, `values[i] = round_half_even(x_i * s)`
/// clamped to -128..127, `step = a * (1 / 127)`. One divide a row.
///
/// NaN elements are ignored by the maximum and become 0; an infinite element makes `s` 0, so that
/// every value is 0 and the step infinite.
pub fn quantise(x: &[f32]) -> Quantised {
    quantise_to(x, 127.0, INV_127, 8)
}

/// Quantises a row of K or V to int4: as [`quantise`] with 7 in the place of 127, values clamped to
/// -8..7.
pub fn quantise_int4(x: &[f32]) -> Quantised {
    quantise_to(x, 7.0, INV_7, 4)
}

fn quantise_to(x: &[f32], largest: f32, inverse: f32, bits: u32) -> Quantised {
    let absmax = x.iter().fold(FLOOR, |max, v| max.max(v.abs()));
    let s = largest / absmax;
    let values = x.iter().map(|v| Round::HalfEven.to_int(v * s, bits) as i8).collect();
    Quantised { values, step: absmax * inverse }
}

/// The real value of integer products: `sums[i] * (step * scale)`.
///
/// A sum of at most 2^24 in magnitude converts to binary32 exactly.
pub fn dequantise(sums: &[i32], step: f32, scale: f32) -> Vec<f32> {
    let factor = step * scale;
    sums.iter().map(|&sum| sum as f32 * factor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absmax_maps_to_127_and_zeros_stay() {
        let q = quantise(&[-2.0, 1.0, 0.0, 2.0]);
        assert_eq!(q.values, [-127, 64, 0, 127], "63.5 ties to even");
        assert_eq!(q.step, 2.0 * INV_127);
        assert_eq!(quantise(&[0.0; 3]).values, [0; 3]);
    }

    #[test]
    fn int4_maps_absmax_to_7() {
        let q = quantise_int4(&[-2.0, 1.0, 0.1, 2.0]);
        assert_eq!(q.values, [-7, 4, 0, 7], "3.5 ties to even");
        assert_eq!(q.step, 2.0 * INV_7);
        assert_eq!(quantise_int4(&[f32::INFINITY, 1.0]).values, [0; 2]);
    }

    #[test]
    fn special_values_have_a_stated_result() {
        assert_eq!(quantise(&[f32::NAN, 1.0]).values, [0, 127]);
        let q = quantise(&[f32::INFINITY, 1.0, f32::NAN]);
        assert_eq!(q.values, [0; 3]);
        assert_eq!(q.step, f32::INFINITY);
        assert_eq!(quantise(&[1e-40, -1e-40]).values, [0, 0], "subnormals are below the floor");
    }
}
