//! Ternary weights: a matrix of -1, 0 and 1 with one scale.

use crate::{Error, reduce, round::Round};

/// A matrix of ternary weights, row-major, with one multiplier: the real weight is
/// `weights[row * cols + col] * scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Ternary {
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub cols: usize,
    /// `rows * cols` values of -1, 0 or 1.
    pub weights: Vec<i8>,
    /// Multiplies the integer product. Positive and finite.
    pub scale: f32,
}

impl Ternary {
    /// Checks the shape and that every weight is ternary.
    pub fn new(rows: usize, cols: usize, weights: Vec<i8>, scale: f32) -> Result<Self, Error> {
        if weights.len() != rows * cols {
            return Err(Error::Shape {
                name: "ternary matrix".into(),
                expected: format!("{rows} x {cols} weights"),
                found: format!("{} weights", weights.len()),
            });
        }
        if let Some(at) = weights.iter().position(|w| !(-1..=1).contains(w)) {
            return Err(Error::Config(format!(
                "weight {} at row {}, column {} is not ternary; expected -1, 0 or 1",
                weights[at],
                at / cols,
                at % cols
            )));
        }
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Error::Config(format!(
                "a weight scale of {scale}; expected a positive finite number"
            )));
        }
        Ok(Self { rows, cols, weights, scale })
    }

    /// Quantises real weights as BitNet b1.58 does (Ma et al., 2024): `scale = mean |w|`, at least
    /// 1e-5; weights `w / scale` rounded half to even and clamped to -1..1.
    pub fn absmean(rows: usize, cols: usize, real: &[f32]) -> Result<Self, Error> {
        // A checkpoint quantises itself in binary32 in an order of its own; binary64 makes the mean
        // independent of any order to far below the distance at which a weight could round apart.
        let sum: f64 = real.iter().map(|w| f64::from(w.abs())).sum();
        let scale = ((sum / real.len().max(1) as f64) as f32).max(1e-5);
        Self::new(rows, cols, ternarise(real, scale), scale)
    }

    /// The weights of one row.
    pub fn row(&self, row: usize) -> &[i8] {
        &self.weights[row * self.cols..][..self.cols]
    }
}

/// Real values to trits: `x * (1 / scale)`, rounded half to even, clamped to -1..1.
pub fn ternarise(real: &[f32], scale: f32) -> Vec<i8> {
    let inverse = 1.0 / scale;
    real.iter().map(|x| Round::HalfEven.to_int(x * inverse, 8).clamp(-1, 1) as i8).collect()
}

/// Mean of the absolute values of one row, in the contract's order of summation, at least 1e-5.
pub fn row_absmean(row: &[f32]) -> f32 {
    (reduce::sum(row.iter().map(|x| x.abs())) * (1.0 / row.len() as f32)).max(1e-5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absmean_follows_the_reference() {
        let t = Ternary::absmean(1, 4, &[0.5, -1.5, 0.1, 1.9]).unwrap();
        assert_eq!(t.scale, 1.0);
        assert_eq!(t.weights, [0, -1, 0, 1], "0.5 ties to even, 1.9 clamps");
    }

    #[test]
    fn refuses_what_is_not_ternary() {
        let error = Ternary::new(1, 2, vec![0, 2], 1.0).unwrap_err().to_string();
        assert!(error.contains("row 0, column 1"), "{error}");
        assert!(Ternary::new(1, 2, vec![0, 1], f32::NAN).is_err());
        assert!(Ternary::new(1, 2, vec![0, 1], 0.0).is_err());
        assert!(Ternary::new(2, 2, vec![0, 1], 1.0).is_err());
    }
}
