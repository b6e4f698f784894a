//! RMSNorm (Zhang and Sennrich, 2019), also used as the sub-norms of BitNet.

use crate::reduce;

/// `y_i = (x_i * r) * weight_i` with `r = 1 / sqrt(sum(x_i^2) * (1 / n) + eps)`.
///
/// The sum is [`reduce::sum`]; `1 / n` is a constant of the row length. One square root and one
/// divide a row.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let squares = reduce::sum(x.iter().map(|v| v * v));
    let r = inverse_rms(squares, 1.0 / x.len() as f32, eps);
    x.iter().zip(weight).map(|(v, w)| (v * r) * w).collect()
}

/// `r` from the sum of squares and 1 / n.
pub fn inverse_rms(squares: f32, inverse_n: f32, eps: f32) -> f32 {
    1.0 / (squares * inverse_n + eps).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_rows_become_the_weight() {
        let y = rms_norm(&[3.0; 64], &[2.0; 64], 0.0);
        assert!(y.iter().all(|v| (v - 2.0).abs() < 1e-6), "{y:?}");
        assert_eq!(rms_norm(&[0.0; 8], &[1.0; 8], 1e-5), [0.0; 8]);
    }
}
