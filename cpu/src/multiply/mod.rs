//! Ternary matrix times int8 activations: exact sums, any number of slots.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::{
    level::{Level, Set},
    tile::{BAND_ROWS, STEP_BYTES, TILE_COLS},
};

/// Slots that a kernel takes at a time.
pub const SLOTS: usize = 8;

/// int8 rows, the input of linear layers: a row a slot, zeros behind its elements up to whole tiles.
#[derive(Debug, Clone, Default)]
pub struct Activations {
    cols: usize,
    stride: usize,
    values: Vec<i8>,
    /// Sum of each row's elements: trits are stored plus one, so it is taken off every sum.
    sums: Vec<i32>,
    steps: Vec<f32>,
}

impl Activations {
    /// No rows yet, each of `cols` elements.
    pub fn new(cols: usize, slots: usize) -> Self {
        let stride = cols.next_multiple_of(TILE_COLS).next_multiple_of(4);
        Self {
            cols,
            stride,
            values: Vec::with_capacity(slots * stride),
            sums: Vec::with_capacity(slots),
            steps: Vec::with_capacity(slots),
        }
    }

    /// Appends a row of integers, whose sum is `sum`; `step` is the real value of one.
    pub fn push(&mut self, row: &[i8], sum: i32, step: f32) {
        assert_eq!(row.len(), self.cols, "elements of a row");
        let end = self.values.len() + self.stride;
        self.values.extend_from_slice(row);
        self.values.resize(end, 0);
        self.sums.push(sum);
        self.steps.push(step);
    }

    /// Some of the rows.
    pub fn select(&self, slots: std::ops::Range<usize>) -> Self {
        let mut some = Self::new(self.cols, slots.len());
        for slot in slots {
            some.push(self.row(slot), self.sums[slot], self.steps[slot]);
        }
        some
    }

    /// Rows.
    pub fn slots(&self) -> usize {
        self.steps.len()
    }

    /// The integers of a slot.
    pub fn row(&self, slot: usize) -> &[i8] {
        &self.values[slot * self.stride..][..self.cols]
    }

    /// The sum of a slot's integers.
    pub fn sum(&self, slot: usize) -> i32 {
        self.sums[slot]
    }

    /// The real value of one in a slot's row.
    pub fn step(&self, slot: usize) -> f32 {
        self.steps[slot]
    }
}

/// Multiplies one band of a packed matrix by every slot: calls `take` with a slot and the exact sums
/// of the band's rows. A row of sums fits i32 as long as it has at most 65,535 columns.
#[inline]
pub fn band(
    level: Level,
    bytes: &[u8],
    x: &Activations,
    mut take: impl FnMut(usize, &[i32; BAND_ROWS]),
) {
    let steps = x.cols.div_ceil(TILE_COLS);
    assert_eq!(bytes.len(), steps * STEP_BYTES, "a band for {} columns", x.cols);
    let mut sums = [[0; BAND_ROWS]; SLOTS];
    let mut slot = 0;
    while slot < x.slots() {
        let count = group(x.slots() - slot);
        let sums = &mut sums[..count];
        let rows = &x.values[slot * x.stride..][..count * x.stride];
        let offsets = &x.sums[slot..slot + count];
        match level.set() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a level exists only where its instructions do.
            Set::Avx2 => unsafe { avx2::band(bytes, rows, x.stride, offsets, sums) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a level exists only where its instructions do.
            Set::Avx512 => unsafe { avx512::band(bytes, rows, x.stride, offsets, sums) },
            _ => portable::band(bytes, rows, x.stride, sums),
        }
        for (i, sums) in sums.iter().enumerate() {
            take(slot + i, sums);
        }
        slot += count;
    }
}

/// The next slots to take of so many: groups as even as they can be, because decoding the weights costs
/// the same for each.
fn group(slots: usize) -> usize {
    slots.div_ceil(slots.div_ceil(SLOTS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::{Shape, pack};
    use proptest::prelude::*;
    use terntable_golden::{sample::mix, ternary::Ternary, tlmm::naive};

    /// Sums of every slot by a level.
    fn sums(level: Level, matrix: &Ternary, x: &Activations) -> Vec<Vec<i32>> {
        let shape = Shape { rows: matrix.rows, cols: matrix.cols };
        let mut all = vec![Vec::new(); x.slots()];
        for bytes in pack(matrix).chunks_exact(shape.band_bytes()) {
            band(level, bytes, x, |slot, sums| all[slot].extend(sums));
        }
        all.iter_mut().for_each(|sums| sums.truncate(matrix.rows));
        all
    }

    fn check(matrix: &Ternary, rows: &[Vec<i8>]) {
        let mut x = Activations::new(matrix.cols, rows.len());
        for row in rows {
            x.push(row, row.iter().map(|&v| i32::from(v)).sum(), 1.0);
        }
        for level in Level::available() {
            for (slot, sums) in sums(level, matrix, &x).iter().enumerate() {
                let expected = naive(matrix, &rows[slot]);
                assert_eq!(*sums, expected, "{} slot {slot}", level.as_str());
            }
        }
    }

    proptest! {
        #[test]
        fn every_level_equals_the_naive_product(
            rows in 1_usize..100, cols in 1_usize..150, slots in 1_usize..20, seed in any::<u64>(),
        ) {
            let weights: Vec<i8> =
                (0..rows * cols).map(|i| (mix(seed ^ i as u64) % 3) as i8 - 1).collect();
            let matrix = Ternary::new(rows, cols, weights, 1.0).unwrap();
            let x: Vec<Vec<i8>> = (0..slots as u64)
                .map(|s| (0..cols as u64).map(|i| mix(seed ^ s << 32 ^ i << 8) as i8).collect())
                .collect();
            check(&matrix, &x);
        }
    }

    #[test]
    fn the_largest_sums_are_exact() {
        for cols in [1, 20, 6912, 65_535] {
            for w in [1, -1, 0] {
                let matrix = Ternary::new(3, cols, vec![w; 3 * cols], 1.0).unwrap();
                for slots in [1, 2, 3, 8, 11] {
                    let x: Vec<Vec<i8>> =
                        (0..slots).map(|s| vec![[-128, 127][s % 2]; cols]).collect();
                    check(&matrix, &x);
                }
            }
        }
    }

    #[test]
    fn groups_are_even() {
        for slots in 1..100 {
            let (mut left, mut groups) = (slots, Vec::new());
            while left > 0 {
                groups.push(group(left));
                left -= groups.last().unwrap();
            }
            assert_eq!(groups.len(), slots.div_ceil(SLOTS));
            assert!(groups.iter().max().unwrap() - groups.iter().min().unwrap() <= 1, "{groups:?}");
        }
    }
}
