//! Ternary weights on the wire: trit bytes, units, beats and panels (`docs/engine.md`).

use crate::ternary::Ternary;

/// Weights that share a lookup on the card.
pub const GROUP: usize = 3;
/// Weights in a unit: three bytes, five groups.
pub const UNIT: usize = 15;
const UNIT_BYTES: usize = 3;

/// The shape of a beat of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Rows in a tile.
    pub rows: usize,
    /// Groups of three columns in a block; a multiple of 5.
    pub groups: usize,
    /// Bytes of a beat on the wire.
    pub beat_bytes: usize,
}

impl Geometry {
    /// The edge card: 7 rows of 15 groups in 64 bytes.
    pub const KV260: Geometry = Geometry { rows: 7, groups: 15, beat_bytes: 64 };
    /// The small card of quick simulations: 5 rows of 5 groups in 16 bytes.
    pub const SIM_SMALL: Geometry = Geometry { rows: 5, groups: 5, beat_bytes: 16 };

    /// Columns of a block.
    pub fn block_cols(&self) -> usize {
        self.groups * GROUP
    }

    /// Bytes of one row of a tile.
    pub fn row_bytes(&self) -> usize {
        self.groups / 5 * UNIT_BYTES
    }

    /// Tiles of a panel of `rows` rows.
    pub fn tiles(&self, rows: usize) -> usize {
        rows.div_ceil(self.rows)
    }

    /// Blocks of `cols` columns.
    pub fn blocks(&self, cols: usize) -> usize {
        cols.div_ceil(self.block_cols())
    }

    /// Bytes of a panel on the wire, padding included.
    pub fn panel_bytes(&self, rows: usize, cols: usize) -> usize {
        self.tiles(rows) * self.blocks(cols) * self.beat_bytes
    }

    /// Bits a weight on the wire, padding included.
    pub fn bits_per_weight(&self, rows: usize, cols: usize) -> f64 {
        self.panel_bytes(rows, cols) as f64 * 8.0 / (rows * cols) as f64
    }
}

/// Code of a triple of trits: twice the magnitude of `t0 + 3 t1 + 9 t2`, plus 1 if negative.
pub fn triple_code(t: &[i8]) -> u8 {
    let value = t[0] + 3 * t[1] + 9 * t[2];
    2 * value.unsigned_abs() + u8::from(value < 0)
}

/// Code of a pair of trits, 0..=8: `u(t3) + 3 u(t4)` with u of 0, 1, -1 being 0, 1, 2.
fn pair_code(t3: i8, t4: i8) -> u8 {
    let u = |t: i8| t.rem_euclid(3) as u8;
    u(t3) + 3 * u(t4)
}

/// Five trits to a byte.
pub fn encode_byte(triple: &[i8], t3: i8, t4: i8) -> u8 {
    let (c, p) = (triple_code(triple), pair_code(t3, t4));
    if p < 8 { p << 5 | c } else { (c & 0b11100) << 3 | 0b11100 | (c & 0b11) }
}

/// A byte to its five trits, or `None` for the 13 bytes that are no code.
pub fn decode_byte(byte: u8) -> Option<[i8; 5]> {
    let escape = byte >> 2 & 7 == 7;
    let c = if escape { byte >> 3 & 0b11100 | byte & 3 } else { byte & 31 };
    let p = if escape { 8 } else { byte >> 5 };
    let magnitude = (c >> 1) as i8;
    if magnitude > 13 || c == 1 {
        return None;
    }
    let mut value = if c & 1 == 1 { -magnitude } else { magnitude };
    let mut trits = [0; 5];
    for trit in &mut trits[..3] {
        *trit = (value + 1).rem_euclid(3) - 1;
        value = (value - *trit) / 3;
    }
    let t = |u: u8| if u == 2 { -1 } else { u as i8 };
    (trits[3], trits[4]) = (t(p % 3), t(p / 3));
    Some(trits)
}

/// Fifteen weights to a unit of three bytes.
pub fn encode_unit(w: &[i8; UNIT]) -> [u8; UNIT_BYTES] {
    [
        encode_byte(&w[0..3], w[9], w[10]),
        encode_byte(&w[3..6], w[11], w[12]),
        encode_byte(&w[6..9], w[13], w[14]),
    ]
}

/// A unit of three bytes to its fifteen weights.
pub fn decode_unit(bytes: &[u8]) -> Option<[i8; UNIT]> {
    let mut w = [0; UNIT];
    for (i, &byte) in bytes[..UNIT_BYTES].iter().enumerate() {
        let trits = decode_byte(byte)?;
        w[3 * i..3 * i + 3].copy_from_slice(&trits[..3]);
        w[9 + 2 * i..11 + 2 * i].copy_from_slice(&trits[3..]);
    }
    Some(w)
}

/// Rows `first .. first + count` of a matrix as a panel in stream order: blocks outer, tiles inner.
pub fn pack_panel(geometry: &Geometry, matrix: &Ternary, first: usize, count: usize) -> Vec<u8> {
    pack_planes(geometry, &[matrix], first, count)
}

/// The same rows of several matrices of one shape as one panel whose tiles take turns: tile t of plane
/// p is tile `planes * t + p` of the panel.
pub fn pack_planes(
    geometry: &Geometry,
    planes: &[&Ternary],
    first: usize,
    count: usize,
) -> Vec<u8> {
    let cols = planes.first().map_or(0, |matrix| matrix.cols);
    let mut bytes = Vec::with_capacity(planes.len() * geometry.panel_bytes(count, cols));
    for block in 0..geometry.blocks(cols) {
        for tile in 0..geometry.tiles(count) {
            for matrix in planes {
                let beat = bytes.len();
                bytes.resize(beat + geometry.beat_bytes, 0);
                for i in 0..geometry.rows.min(count - tile * geometry.rows) {
                    let row = matrix.row(first + tile * geometry.rows + i);
                    let at = beat + i * geometry.row_bytes();
                    pack_row_block(geometry, row, block, &mut bytes[at..]);
                }
            }
        }
    }
    bytes
}

fn pack_row_block(geometry: &Geometry, row: &[i8], block: usize, out: &mut [u8]) {
    for unit in 0..geometry.groups / 5 {
        let from = block * geometry.block_cols() + unit * UNIT;
        let mut w = [0; UNIT];
        if from < row.len() {
            let n = UNIT.min(row.len() - from);
            w[..n].copy_from_slice(&row[from..from + n]);
        }
        out[unit * UNIT_BYTES..][..UNIT_BYTES].copy_from_slice(&encode_unit(&w));
    }
}

/// The inverse of [`pack_panel`]: `rows * cols` weights row-major, or the offset of the first byte
/// that is no code.
pub fn unpack_panel(
    geometry: &Geometry,
    bytes: &[u8],
    rows: usize,
    cols: usize,
) -> Result<Vec<i8>, usize> {
    let mut weights = vec![0; rows * cols];
    for row in 0..rows {
        for unit in 0..geometry.blocks(cols) * geometry.groups / 5 {
            let (block, unit_in_block) =
                (unit / (geometry.groups / 5), unit % (geometry.groups / 5));
            let beat = block * geometry.tiles(rows) + row / geometry.rows;
            let at = beat * geometry.beat_bytes
                + row % geometry.rows * geometry.row_bytes()
                + unit_in_block * UNIT_BYTES;
            let decoded = bytes.get(at..at + UNIT_BYTES).and_then(decode_unit).ok_or(at)?;
            let from = unit * UNIT;
            if from < cols {
                let n = UNIT.min(cols - from);
                weights[row * cols + from..][..n].copy_from_slice(&decoded[..n]);
            }
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_byte_code_is_a_bijection_of_five_trits() {
        let mut seen = [false; 256];
        for n in 0..243_i32 {
            let t: Vec<i8> = (0..5).map(|i| (n / 3_i32.pow(i) % 3 - 1) as i8).collect();
            let byte = encode_byte(&t[..3], t[3], t[4]);
            assert!(!seen[byte as usize], "byte {byte:#04x} twice");
            seen[byte as usize] = true;
            assert_eq!(decode_byte(byte).unwrap(), t[..]);
        }
        for byte in 0..=255 {
            assert_eq!(decode_byte(byte).is_some(), seen[byte as usize], "{byte:#04x}");
        }
        assert_eq!(encode_byte(&[0, 0, 0], 0, 0), 0, "zero weights are zero bytes");
    }

    #[test]
    fn no_real_shape_needs_more_than_1_68_bits_a_weight() {
        let shapes_073b = [(1536, 1536), (4096, 1536), (1536, 4096), (8192, 1536), (4608, 1536)];
        let shapes_2b = [(2560, 2560), (640, 2560), (6912, 2560), (2560, 6912), (3840, 2560)];
        for (rows, cols) in shapes_073b.into_iter().chain(shapes_2b) {
            let bits = Geometry::KV260.bits_per_weight(rows, cols);
            println!("{rows:>5} x {cols:<5} {bits:.4} bits a weight");
            assert!(bits <= 1.68, "{rows} x {cols}: {bits}");
        }
    }

    proptest! {
        #[test]
        fn panels_unpack_to_what_was_packed(
            rows in 1_usize..40, cols in 1_usize..140, small in any::<bool>(), seed in any::<u64>(),
        ) {
            let geometry = if small { Geometry::SIM_SMALL } else { Geometry::KV260 };
            let weights: Vec<i8> = (0..rows * cols)
                .map(|i| (crate::sample::mix(seed ^ i as u64) % 3) as i8 - 1)
                .collect();
            let matrix = Ternary::new(rows, cols, weights.clone(), 1.0).unwrap();
            let bytes = pack_panel(&geometry, &matrix, 0, rows);
            prop_assert_eq!(bytes.len(), geometry.panel_bytes(rows, cols));
            prop_assert_eq!(unpack_panel(&geometry, &bytes, rows, cols), Ok(weights));
        }
    }
}
