//! TLMM: table-lookup matrix multiplication (TeLLMe, Qiao et al. 2025, names it so), and the naive
//! integer product that it must equal.

use crate::{
    table::{Kind, Table, value},
    ternary::Ternary,
};

/// Default group size.
pub const DEFAULT_GROUP: usize = 3;

/// The oracle: row by row, weight times activation, summed.
pub fn naive(matrix: &Ternary, x: &[i8]) -> Vec<i32> {
    (0..matrix.rows)
        .map(|r| matrix.row(r).iter().zip(x).map(|(&w, &a)| i32::from(w) * i32::from(a)).sum())
        .collect()
}

/// A ternary matrix prepared for lookup: the value of every group of `group` weights of a row.
#[derive(Debug, Clone)]
pub struct Tlmm {
    rows: usize,
    cols: usize,
    group: usize,
    kind: Kind,
    /// `rows * ceil(cols / group)` group values, row-major; a short last group is padded by zeros.
    values: Vec<i16>,
}

impl Tlmm {
    /// Prepares a matrix with mirrored tables and groups of three, as the card has them.
    pub fn new(matrix: &Ternary) -> Self {
        Self::with(matrix, DEFAULT_GROUP, Kind::Mirrored)
    }

    /// Prepares a matrix for any group size from 1 to 8 and either kind of table.
    pub fn with(matrix: &Ternary, group: usize, kind: Kind) -> Self {
        assert!((1..=8).contains(&group), "group size {group}; expected 1 to 8");
        let values =
            (0..matrix.rows).flat_map(|r| matrix.row(r).chunks(group).map(value)).collect();
        Self { rows: matrix.rows, cols: matrix.cols, group, kind, values }
    }

    /// The integer products of every row with `x`: tables of the activations are built once and
    /// looked up by every row. Exact; |sum| <= 128 * cols.
    pub fn multiply(&self, x: &[i8]) -> Vec<i32> {
        assert_eq!(x.len(), self.cols, "activations against columns");
        let tables: Vec<Table> = x.chunks(self.group).map(|a| Table::build(self.kind, a)).collect();
        (0..self.rows)
            .map(|row| {
                let values = &self.values[row * tables.len()..][..tables.len()];
                tables.iter().zip(values).map(|(table, &v)| table.lookup(v)).sum()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::mix;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lookup_equals_the_naive_product(
            rows in 1_usize..24, cols in 1_usize..100, group in 1_usize..=5,
            mirrored in any::<bool>(), extreme in 0_u8..4, seed in any::<u64>(),
        ) {
            let trit = |i: usize| (mix(seed ^ i as u64) % 3) as i8 - 1;
            let weights = (0..rows * cols).map(trit).collect();
            let matrix = Ternary::new(rows, cols, weights, 1.0).unwrap();
            let x: Vec<i8> = (0..cols)
                .map(|i| match extreme {
                    0 => -128,
                    1 => 127,
                    _ => mix(seed.wrapping_add(i as u64) ^ 0xabcd) as i8,
                })
                .collect();
            let kind = if mirrored { Kind::Mirrored } else { Kind::Full };
            prop_assert_eq!(Tlmm::with(&matrix, group, kind).multiply(&x), naive(&matrix, &x));
        }
    }

    #[test]
    fn the_largest_sums_are_exact() {
        for (w, a) in [(1, -128), (-1, -128), (1, 127), (-1, 127)] {
            let matrix = Ternary::new(1, 6912, vec![w; 6912], 1.0).unwrap();
            let got = Tlmm::new(&matrix).multiply(&vec![a; 6912]);
            assert_eq!(got, [6912 * i32::from(w) * i32::from(a)]);
        }
    }
}
