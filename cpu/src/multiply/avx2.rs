//! AVX2.
//!
//! Digits are taken off a byte from the top by compares: a digit is how often its power fits. Products of
//! digits and int8 elements are added in pairs to 16 bits, a step's five planes at most 2,560 in
//! magnitude, then to 32 bits.

use crate::tile::{BAND_ROWS, STEP_BYTES, TILE_COLS};
use std::arch::x86_64::*;

/// Rows of a vector: 8 rows of 4 columns in 32 bytes.
const LANES: usize = 8;

/// Sums of a band, as [`super::band`] describes; `rows` holds `sums.len()` rows of `stride` bytes.
#[target_feature(enable = "avx2")]
pub fn band(
    bytes: &[u8],
    rows: &[i8],
    stride: usize,
    offsets: &[i32],
    sums: &mut [[i32; BAND_ROWS]],
) {
    match sums.len() {
        1 => slots::<1>(bytes, rows, stride, offsets, sums),
        2 => slots::<2>(bytes, rows, stride, offsets, sums),
        3 => slots::<3>(bytes, rows, stride, offsets, sums),
        4 => slots::<4>(bytes, rows, stride, offsets, sums),
        5 => slots::<5>(bytes, rows, stride, offsets, sums),
        6 => slots::<6>(bytes, rows, stride, offsets, sums),
        7 => slots::<7>(bytes, rows, stride, offsets, sums),
        8 => slots::<8>(bytes, rows, stride, offsets, sums),
        n => unreachable!("groups have 1 to 8 slots, not {n}"),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn slots<const S: usize>(
    bytes: &[u8],
    rows: &[i8],
    stride: usize,
    offsets: &[i32],
    sums: &mut [[i32; BAND_ROWS]],
) {
    let steps = bytes.len() / STEP_BYTES;
    assert!(stride >= steps * TILE_COLS && rows.len() >= S * stride && offsets.len() == S);
    let ones = _mm256_set1_epi16(1);
    for part in 0..BAND_ROWS / LANES {
        let mut acc = [_mm256_setzero_si256(); S];
        for (acc, offset) in acc.iter_mut().zip(offsets) {
            *acc = _mm256_set1_epi32(-offset);
        }
        for step in 0..steps {
            // SAFETY: 32 of the step's 128 bytes; `bytes` holds `steps` steps.
            let v = unsafe {
                _mm256_loadu_si256(bytes.as_ptr().add(step * STEP_BYTES + part * 32).cast())
            };
            let fields = digits(v);
            for (slot, acc) in acc.iter_mut().enumerate() {
                let mut pairs = _mm256_setzero_si256();
                for (plane, &field) in fields.iter().enumerate() {
                    let at = slot * stride + step * TILE_COLS + 4 * plane;
                    // SAFETY: S rows of `stride` bytes, and 20 bytes a step fit the stride.
                    let y = unsafe { rows.as_ptr().add(at).cast::<i32>().read_unaligned() };
                    let product = _mm256_maddubs_epi16(field, _mm256_set1_epi32(y));
                    pairs = _mm256_add_epi16(pairs, product);
                }
                *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(pairs, ones));
            }
        }
        for (sums, acc) in sums.iter_mut().zip(acc) {
            // SAFETY: 8 of the 32 sums.
            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().add(part * LANES).cast(), acc) };
        }
    }
}

/// The five digits of every byte, lowest first.
#[inline]
#[target_feature(enable = "avx2")]
fn digits(v: __m256i) -> [__m256i; 5] {
    let mut rest = v;
    let mut fields = [v; 5];
    for (plane, power) in [(4, 81_i8), (3, 27), (2, 9), (1, 3)] {
        let power = _mm256_set1_epi8(power);
        // Unsigned: where the power does not fit the difference wraps to something larger.
        let once = _mm256_min_epu8(rest, _mm256_sub_epi8(rest, power));
        let twice = _mm256_min_epu8(once, _mm256_sub_epi8(once, power));
        // A compare of what changed is 0 or -1; two of them count down from 2.
        let kept = _mm256_add_epi8(_mm256_cmpeq_epi8(once, rest), _mm256_cmpeq_epi8(twice, once));
        fields[plane] = _mm256_add_epi8(kept, _mm256_set1_epi8(2));
        rest = twice;
    }
    fields[0] = rest;
    fields
}
