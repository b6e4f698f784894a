//! The gate of the feed-forward block and the residual.

use crate::round::Round;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Which function the gate of the feed-forward block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Gate {
    /// [`relu2_gate`].
    #[default]
    Relu2,
    /// [`silu_gate`].
    Silu,
}

impl Gate {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Gate::Relu2 => "relu2",
            Gate::Silu => "silu",
        }
    }

    /// The gated row.
    pub fn apply(self, gate: &[f32], up: &[f32]) -> Vec<f32> {
        match self {
            Gate::Relu2 => relu2_gate(gate, up),
            Gate::Silu => silu_gate(gate, up),
        }
    }
}

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

/// Entries of [`SIGMOID`].
pub const SIGMOID_ENTRIES: usize = 2048;

/// `SIGMOID[i] = round(2^17 / (1 + exp(-i / 128)))`, 18 bits: the logistic function of 0 to 16.
pub static SIGMOID: LazyLock<[u32; SIGMOID_ENTRIES]> = LazyLock::new(|| {
    std::array::from_fn(|i| {
        libm::round(f64::from(1 << 17) / (1.0 + libm::exp(-(i as f64) / 128.0))) as u32
    })
});

/// The logistic function by table, in units of 2^-17: entry `round_half_even(|g| * 128)`, the last
/// one from there on; `2^17 - entry` where g has its sign bit set.
pub fn sigmoid(g: f32) -> u32 {
    let index = Round::HalfEven.to_int(g.abs() * 128.0, 32) as usize;
    let entry = SIGMOID[index.min(SIGMOID_ENTRIES - 1)];
    if g.is_sign_negative() { (1 << 17) - entry } else { entry }
}

/// SiLU gate (Shazeer, 2020; Llama): `(gate * sigmoid(gate)) * up` with the table of [`sigmoid`], two
/// roundings. NaN stays NaN.
pub fn silu_gate(gate: &[f32], up: &[f32]) -> Vec<f32> {
    let unit = 1.0 / (1 << 17) as f32;
    gate.iter().zip(up).map(|(&g, &u)| (g * (sigmoid(g) as f32 * unit)) * u).collect()
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

    #[test]
    fn the_sigmoid_table_is_pinned_and_close() {
        assert_eq!((SIGMOID[0], SIGMOID[128], SIGMOID[2047]), (65536, 95_821, 131_072));
        assert!(SIGMOID.windows(2).all(|w| w[0] <= w[1]));
        let sum = SIGMOID.iter().fold(0_u64, |sum, &s| sum.wrapping_mul(31).wrapping_add(s.into()));
        assert_eq!(sum, 0xab74_d677_a946_9dc3, "{sum:#x}");
        for i in -4000..4000_i32 {
            let g = i as f32 / 200.0;
            let exact = 1.0 / (1.0 + (-f64::from(g)).exp());
            assert!((f64::from(sigmoid(g)) / f64::from(1 << 17) - exact).abs() < 1.1e-3, "{g}");
        }
    }

    #[test]
    fn silu_at_the_ends() {
        assert_eq!(silu_gate(&[0.0, -0.0, 20.0, -20.0], &[3.0; 4]), [0.0, -0.0, 60.0, -0.0]);
        assert_eq!(sigmoid(f32::INFINITY), 1 << 17);
        assert_eq!(sigmoid(-1e30), 0);
        assert!(silu_gate(&[f32::NAN], &[1.0])[0].is_nan());
        // Ties of the index go to even: 0.5 / 128 to entry 0, 1.5 / 128 to entry 2.
        assert_eq!(sigmoid(0.5 / 128.0), SIGMOID[0]);
        assert_eq!(sigmoid(1.5 / 128.0), SIGMOID[2]);
    }
}
