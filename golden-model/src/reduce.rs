//! Sums of binary32 values in a fixed order that any number of lanes can follow.

/// Number of interleaved partial sums.
pub const PARTIALS: usize = 64;

/// A sum in the making: element i goes into partial sum i mod 64.
#[derive(Debug, Clone, PartialEq)]
pub struct Partials([f32; PARTIALS]);

impl Default for Partials {
    fn default() -> Self {
        Self([0.0; PARTIALS])
    }
}

impl Partials {
    /// Adds element `index`.
    pub fn add(&mut self, index: usize, value: f32) {
        self.0[index % PARTIALS] += value;
    }

    /// Partial sum i takes partial sum i + 32, then i + 16, and so on to 1.
    pub fn finish(&self) -> f32 {
        let mut partial = self.0;
        let mut half = PARTIALS / 2;
        while half > 0 {
            for i in 0..half {
                partial[i] += partial[i + half];
            }
            half /= 2;
        }
        partial[0]
    }
}

/// Sums values: element i goes into partial sum i mod 64, each partial sum starts at +0 and adds its
/// elements in order; then the partial sums are added in the order of [`Partials::finish`].
///
/// Every lane count that divides 64 can follow this order without waiting for its own adder.
pub fn sum(values: impl IntoIterator<Item = f32>) -> f32 {
    let mut partials = Partials::default();
    values.into_iter().enumerate().for_each(|(i, value)| partials.add(i, value));
    partials.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_lane_count_gives_the_same_bits() {
        let values: Vec<f32> =
            (0..1000).map(|i| ((i * 7919) % 1013) as f32 * 1.0e-3 - 0.37).collect();
        let expected = sum(values.iter().copied());
        for lanes in [1, 2, 4, 8, 16, 32, 64] {
            // A machine of `lanes` lanes takes `lanes` elements a cycle; lane l owns the 64 / lanes
            // partial sums congruent to l and knows nothing of the others. Lane after lane:
            let mut partial = [0.0_f32; 64];
            for lane in 0..lanes {
                for (cycle, value) in values[lane..].iter().step_by(lanes).enumerate() {
                    partial[cycle % (64 / lanes) * lanes + lane] += value;
                }
            }
            for half in [32, 16, 8, 4, 2, 1] {
                for i in 0..half {
                    partial[i] += partial[i + half];
                }
            }
            assert_eq!(partial[0].to_bits(), expected.to_bits(), "{lanes} lanes");
        }
    }
}
