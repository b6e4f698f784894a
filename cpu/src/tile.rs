//! How a ternary matrix lies in memory: five trits a byte, in the order in which kernels read it.
//!
//! A *tile* is 16 rows by 20 columns in 64 bytes. Byte `4 r + c` (r in 0..16, c in 0..4) holds the
//! trits of row r in columns c, c + 4, c + 8, c + 12 and c + 16, each plus one, as the digits of a
//! number in base 3, lowest first. A *band* is 32 rows: the two tiles of columns 0..20, then those of
//! columns 20..40, and so on. A matrix is its bands one after the other. Rows and columns that the matrix
//! lacks are zero trits.
//!
//! 1.6 bits a weight. Base 3 in AVX-512 registers, 16 rows by 4 columns to a vector, activations
//! broadcast: no horizontal sums, and the same bytes serve one slot and many.

use terntable_golden::ternary::Ternary;

/// Rows of a band.
pub const BAND_ROWS: usize = 32;
/// Columns of a tile.
pub const TILE_COLS: usize = 20;
/// Bytes of a tile.
pub const TILE_BYTES: usize = 64;
/// Rows of a tile.
pub const TILE_ROWS: usize = 16;
/// Bytes of the two tiles that share columns.
pub const STEP_BYTES: usize = 2 * TILE_BYTES;
/// A byte of five zero trits: every digit is 1.
pub const ZERO: u8 = 121;

/// Rows, columns and scale of a packed matrix.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Shape {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
}

impl Shape {
    /// Tiles beside each other in a band.
    pub fn steps(&self) -> usize {
        self.cols.div_ceil(TILE_COLS)
    }

    /// Bands.
    pub fn bands(&self) -> usize {
        self.rows.div_ceil(BAND_ROWS)
    }

    /// Bytes of a band.
    pub fn band_bytes(&self) -> usize {
        self.steps() * STEP_BYTES
    }

    /// Bytes of the matrix.
    pub fn bytes(&self) -> usize {
        self.bands() * self.band_bytes()
    }
}

/// Packs a band of a matrix of row-major trits.
fn pack_band(shape: Shape, weights: &[i8], band: usize, out: &mut [u8]) {
    let first = band * BAND_ROWS;
    out.fill(ZERO);
    for row in first..shape.rows.min(first + BAND_ROWS) {
        let (tile, lane) = ((row - first) / TILE_ROWS, (row - first) % TILE_ROWS);
        let trits = &weights[row * shape.cols..][..shape.cols];
        for (step, columns) in trits.chunks(TILE_COLS).enumerate() {
            let at = step * STEP_BYTES + tile * TILE_BYTES + 4 * lane;
            for (c, trit) in columns.iter().enumerate() {
                let digit = POWERS[c / 4] * (trit + 1) as u8;
                // ZERO has a 1 in every digit; this one is replaced.
                let byte = &mut out[at + c % 4];
                *byte = *byte - POWERS[c / 4] + digit;
            }
        }
    }
}

const POWERS: [u8; 5] = [1, 3, 9, 27, 81];

/// Packs a matrix into all of `out`.
pub fn pack_into(matrix: &Ternary, out: &mut [u8]) {
    let shape = Shape { rows: matrix.rows, cols: matrix.cols };
    for (band, out) in out.chunks_exact_mut(shape.band_bytes()).enumerate() {
        pack_band(shape, &matrix.weights, band, out);
    }
}

/// Packs a matrix.
pub fn pack(matrix: &Ternary) -> Vec<u8> {
    let mut bytes = vec![0; Shape { rows: matrix.rows, cols: matrix.cols }.bytes()];
    pack_into(matrix, &mut bytes);
    bytes
}

/// The trits of a byte, lowest column first. Bytes above 242 are no code; their digits are what the
/// kernels make of them.
pub fn trits(byte: u8) -> [i8; 5] {
    std::array::from_fn(|plane| ((byte / POWERS[plane]) % 3) as i8 - 1)
}

/// The inverse of [`pack`]: row-major trits.
pub fn unpack(shape: Shape, bytes: &[u8]) -> Vec<i8> {
    let mut weights = vec![0; shape.rows * shape.cols];
    for row in 0..shape.rows {
        let (band, lane) = (row / BAND_ROWS, row % BAND_ROWS);
        let at = band * shape.band_bytes() + lane / TILE_ROWS * TILE_BYTES + lane % TILE_ROWS * 4;
        for col in 0..shape.cols {
            let (step, c) = (col / TILE_COLS, col % TILE_COLS);
            weights[row * shape.cols + col] = trits(bytes[at + step * STEP_BYTES + c % 4])[c / 4];
        }
    }
    weights
}

/// Whether every byte is a code.
pub fn all_codes(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte < 243)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use terntable_golden::sample::mix;

    proptest! {
        #[test]
        fn matrices_unpack_to_what_was_packed(
            rows in 1_usize..80, cols in 1_usize..90, seed in any::<u64>(),
        ) {
            let weights: Vec<i8> =
                (0..rows * cols).map(|i| (mix(seed ^ i as u64) % 3) as i8 - 1).collect();
            let matrix = Ternary::new(rows, cols, weights.clone(), 1.0).unwrap();
            let bytes = pack(&matrix);
            prop_assert!(all_codes(&bytes));
            prop_assert_eq!(unpack(Shape { rows, cols }, &bytes), weights);
        }
    }

    #[test]
    fn real_shapes_take_at_most_1_67_bits_a_weight() {
        for (rows, cols) in [(1536, 1536), (4096, 1536), (1536, 4096), (640, 2560), (2560, 6912)] {
            let bits = Shape { rows, cols }.bytes() as f64 * 8.0 / (rows * cols) as f64;
            println!("{rows:>5} x {cols:<5} {bits:.4} bits a weight");
            assert!((1.6..=1.67).contains(&bits), "{rows} x {cols}: {bits}");
        }
    }
}
