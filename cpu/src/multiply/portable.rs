//! Plain Rust, in loops that compilers turn into vector code.

use crate::tile::{BAND_ROWS, STEP_BYTES, TILE_COLS};

/// Steps whose products fit 16 bits: 5 planes of at most 128 each.
const FLUSH: usize = 48;

/// Sums of a band, as [`super::band`] describes.
#[inline(always)]
pub fn band(bytes: &[u8], rows: &[i8], stride: usize, sums: &mut [[i32; BAND_ROWS]]) {
    sums.iter_mut().for_each(|sums| sums.fill(0));
    for (part, bytes) in bytes.chunks(FLUSH * STEP_BYTES).enumerate() {
        let mut products = [[0_i16; STEP_BYTES]; super::SLOTS];
        for (step, bytes) in bytes.chunks_exact(STEP_BYTES).enumerate() {
            let at = (part * FLUSH + step) * TILE_COLS;
            let planes = trits(bytes.try_into().unwrap_or(&[0; STEP_BYTES]));
            for (products, row) in products.iter_mut().zip(rows.chunks_exact(stride)) {
                for (plane, trits) in planes.iter().enumerate() {
                    let x: [i8; 4] = std::array::from_fn(|c| row[at + 4 * plane + c]);
                    for (i, (product, &trit)) in products.iter_mut().zip(trits).enumerate() {
                        *product += i16::from(trit) * i16::from(x[i % 4]);
                    }
                }
            }
        }
        for (sums, products) in sums.iter_mut().zip(&products) {
            for (sum, four) in sums.iter_mut().zip(products.chunks_exact(4)) {
                *sum += four.iter().map(|&p| i32::from(p)).sum::<i32>();
            }
        }
    }
}

/// The trits of every byte of a step, plane by plane.
#[inline(always)]
fn trits(bytes: &[u8; STEP_BYTES]) -> [[i8; STEP_BYTES]; 5] {
    let mut planes = [[0; STEP_BYTES]; 5];
    let mut rest = *bytes;
    for (plane, power) in [(4, 81), (3, 27), (2, 9), (1, 3)] {
        for (trit, rest) in planes[plane].iter_mut().zip(&mut rest) {
            let digit = u8::from(*rest >= power) + u8::from(*rest >= 2 * power);
            *rest -= digit * power;
            *trit = digit as i8 - 1;
        }
    }
    for (trit, rest) in planes[0].iter_mut().zip(rest) {
        *trit = rest as i8 - 1;
    }
    planes
}
