//! Rotary position embedding (Su et al., 2021) from a stated table.

/// Cosines and sines of every position and frequency.
#[derive(Debug, Clone)]
pub struct Rope {
    half: usize,
    /// What each frequency was divided by, unless nothing.
    divisors: Option<Vec<f32>>,
    /// `(cos, sin)` at `position * half + i`.
    table: Vec<(f32, f32)>,
}

impl Rope {
    /// The table of `positions` positions for heads of `head_dim` elements (even).
    ///
    /// Frequency i is `theta^(-2 i / head_dim)` rounded to binary32, the angle is its binary32
    /// product with the position, and cosine and sine are those of the angle, taken in binary64 by
    /// the `libm` crate (the same bits on every machine) and rounded to binary32.
    pub fn new(head_dim: usize, theta: f32, positions: usize) -> Self {
        Self::divided(head_dim, theta, None, positions)
    }

    /// The table of [`Rope::new`] with frequency i divided by `divisors[i]` before it is rounded, as
    /// models that were stretched to a longer context want it (`head_dim / 2` positive numbers).
    pub fn divided(
        head_dim: usize,
        theta: f32,
        divisors: Option<Vec<f32>>,
        positions: usize,
    ) -> Self {
        let half = head_dim / 2;
        let divisor = |i: usize| divisors.as_ref().map_or(1.0, |d| f64::from(d[i]));
        let frequency = |i: usize| {
            (libm::pow(f64::from(theta), -2.0 * i as f64 / head_dim as f64) / divisor(i)) as f32
        };
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let table = (0..positions)
            .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f))
            .map(|angle| {
                let angle = f64::from(angle);
                (libm::cos(angle) as f32, libm::sin(angle) as f32)
            })
            .collect();
        Self { half, divisors, table }
    }

    /// What each frequency was divided by, unless nothing.
    pub fn divisors(&self) -> Option<&[f32]> {
        self.divisors.as_deref()
    }

    /// Cosine and sine of every frequency at a position.
    pub fn row(&self, position: usize) -> &[(f32, f32)] {
        &self.table[position * self.half..][..self.half]
    }

    /// Rotates one head in place, by [`rotate`].
    pub fn rotate(&self, head: &mut [f32], position: usize) {
        rotate(head, self.row(position));
    }
}

/// Rotates one head in place: element i pairs with element i + head_dim / 2;
/// `(a, b)` becomes `(a cos - b sin, b cos + a sin)`, each product and sum rounded.
pub fn rotate(head: &mut [f32], row: &[(f32, f32)]) {
    let (low, high) = head.split_at_mut(row.len());
    for ((a, b), (cos, sin)) in low.iter_mut().zip(high).zip(row) {
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_zero_is_the_identity_and_lengths_are_kept() {
        let rope = Rope::new(8, 10_000.0, 100);
        let mut head = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let before = head;
        rope.rotate(&mut head, 0);
        assert_eq!(head, before);
        rope.rotate(&mut head, 99);
        for i in 0..4 {
            let length = |h: &[f32; 8]| h[i].hypot(h[i + 4]);
            assert!((length(&head) - length(&before)).abs() < 1e-5);
        }
    }

    /// A frequency divided by f turns at position f * p as the plain one does at p.
    #[test]
    fn divided_frequencies_turn_slower() {
        let plain = Rope::new(4, 10_000.0, 8);
        let slow = Rope::divided(4, 10_000.0, Some(vec![1.0, 4.0]), 32);
        assert_eq!(slow.divisors(), Some(&[1.0, 4.0][..]));
        for position in 0..8 {
            assert_eq!(slow.row(position)[0], plain.row(position)[0]);
            assert_eq!(slow.row(4 * position)[1], plain.row(position)[1]);
        }
    }

    /// The table is part of the contract: a change of its bits must be seen.
    #[test]
    fn table_bits_are_pinned() {
        let rope = Rope::new(64, 10_000.0, 512);
        let hash = rope.table.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, (c, s)| {
            [c, s]
                .iter()
                .fold(h, |h, v| (h ^ u64::from(v.to_bits())).wrapping_mul(0x0100_0000_01b3))
        });
        assert_eq!(hash, 0x62c0_756d_455f_b50b, "{hash:#018x}");
    }
}
