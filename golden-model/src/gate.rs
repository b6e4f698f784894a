//! The gate of the feed-forward block and the residual.

/// ReLU-squared gate (So et al., 2021; BitNet b1.58 2B4T): `(max(gate, 0)^2) * up`, two roundings.
pub fn relu2_gate(gate: &[f32], up: &[f32]) -> Vec<f32> {
    gate.iter()
        .zip(up)
        .map(|(&g, &u)| {
            let positive = if g > 0.0 { g } else { 0.0 };
            (positive * positive) * u
        })
        .collect()
}

/// `x += y`.
pub fn add_residual(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_and_nan_gates_close() {
        assert_eq!(relu2_gate(&[-1.0, 2.0, f32::NAN], &[5.0, 3.0, 1.0]), [0.0, 12.0, 0.0]);
    }
}
