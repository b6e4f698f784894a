//! int8 rows of the head times an int8 input.
//!
//! Rows are stored plus 128, so that they are the unsigned operand; 128 times the input's sum is taken off
//! again.

use crate::level::{Level, Set, at_every_level};

/// Rows that a kernel takes at a time.
pub const ROWS: usize = 4;
/// What stored elements are larger by.
pub const OFFSET: u8 = 128;

/// Exact dot products of four rows with `x`, whose elements have the sum `sum`.
pub fn dots(level: Level, rows: [&[u8]; ROWS], x: &[i8], sum: i32) -> [i32; ROWS] {
    assert!(rows.iter().all(|row| row.len() == x.len()), "rows of {} elements", x.len());
    match level.set() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a level exists only where its instructions do.
        Set::Avx512 => unsafe { avx512(rows, x, sum) },
        _ => plain(level, rows, x),
    }
}

at_every_level! {
    fn plain(rows: [&[u8]; ROWS], x: &[i8]) -> [i32; ROWS] {
        rows.map(|row| {
            let products = row.iter().zip(x).map(|(&row, &x)| {
                i32::from(i16::from((row ^ OFFSET) as i8) * i16::from(x))
            });
            products.sum()
        })
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn avx512(rows: [&[u8]; ROWS], x: &[i8], sum: i32) -> [i32; ROWS] {
    use std::arch::x86_64::*;
    const VECTOR: usize = 64;
    let mut acc = [_mm512_setzero_si512(); ROWS];
    let mut at = 0;
    while at < x.len() {
        let left = (x.len() - at).min(VECTOR);
        let mask = u64::MAX >> (VECTOR - left);
        // SAFETY: `left` elements from `at` on exist, in x and in every row.
        unsafe {
            let x = _mm512_maskz_loadu_epi8(mask, x.as_ptr().add(at));
            for (acc, row) in acc.iter_mut().zip(rows) {
                let row = _mm512_maskz_loadu_epi8(mask, row.as_ptr().add(at).cast());
                *acc = _mm512_dpbusd_epi32(*acc, row, x);
            }
        }
        at += VECTOR;
    }
    acc.map(|acc| _mm512_reduce_add_epi32(acc).wrapping_sub(sum.wrapping_mul(i32::from(OFFSET))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use terntable_golden::sample::mix;

    #[test]
    fn every_level_equals_the_plain_product() {
        for n in [1, 5, 63, 64, 65, 200, 2560, 65_535] {
            for extreme in [false, true] {
                let element = |i: u64| if extreme { -128 } else { mix(i) as i8 };
                let x: Vec<i8> = (0..n as u64).map(element).collect();
                let rows: [Vec<u8>; ROWS] = std::array::from_fn(|r| {
                    (0..n as u64)
                        .map(|i| element(i ^ (r as u64 + 1) << 40) as u8 ^ OFFSET)
                        .collect()
                });
                let sum = x.iter().map(|&v| i32::from(v)).sum();
                let expected: [i32; ROWS] = rows.each_ref().map(|row| {
                    row.iter()
                        .zip(&x)
                        .map(|(&r, &x)| i32::from((r ^ OFFSET) as i8) * i32::from(x))
                        .sum()
                });
                for level in Level::available() {
                    let rows = rows.each_ref().map(Vec::as_slice);
                    assert_eq!(dots(level, rows, &x, sum), expected, "{n}, {}", level.as_str());
                }
            }
        }
    }
}
