//! int8 rows of the head times an int8 input.
//!
//! Rows are stored plus 128, so that they are the unsigned operand; 128 times the input's sum is taken off
//! again.

use crate::level::{Level, Set, at_every_level};

/// What stored elements are larger by.
pub const OFFSET: u8 = 128;

/// The exact dot product of a row with `x`, whose elements have the sum `sum`.
pub fn dot(level: Level, row: &[u8], x: &[i8], sum: i32) -> i32 {
    assert_eq!(row.len(), x.len(), "elements of a row");
    match level.set() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a level exists only where its instructions do.
        Set::Avx512 => unsafe { avx512(row, x, sum) },
        _ => plain(level, row, x),
    }
}

at_every_level! {
    fn plain(row: &[u8], x: &[i8]) -> i32 {
        let products = row.iter().zip(x).map(|(&row, &x)| {
            i32::from(i16::from((row ^ OFFSET) as i8) * i16::from(x))
        });
        products.sum()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn avx512(row: &[u8], x: &[i8], sum: i32) -> i32 {
    use std::arch::x86_64::*;
    const VECTOR: usize = 64;
    // Several sums: a chain of dependent products would wait for each.
    const CHAINS: usize = 4;
    let mut acc = [_mm512_setzero_si512(); CHAINS];
    for (i, (row, x)) in row.chunks(VECTOR).zip(x.chunks(VECTOR)).enumerate() {
        let mask = u64::MAX >> (VECTOR - row.len().min(x.len()));
        // SAFETY: as many elements as the mask lets through.
        let (row, x) = unsafe {
            let row = _mm512_maskz_loadu_epi8(mask, row.as_ptr().cast());
            (row, _mm512_maskz_loadu_epi8(mask, x.as_ptr()))
        };
        acc[i % CHAINS] = _mm512_dpbusd_epi32(acc[i % CHAINS], row, x);
    }
    let [a, b, c, d] = acc;
    let all = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
    _mm512_reduce_add_epi32(all).wrapping_sub(sum.wrapping_mul(i32::from(OFFSET)))
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
                let row: Vec<i8> = (0..n as u64).map(|i| element(i ^ 1 << 40)).collect();
                let stored: Vec<u8> = row.iter().map(|&r| r as u8 ^ OFFSET).collect();
                let sum = x.iter().map(|&v| i32::from(v)).sum();
                let expected: i32 =
                    row.iter().zip(&x).map(|(&r, &x)| i32::from(r) * i32::from(x)).sum();
                for level in Level::available() {
                    assert_eq!(dot(level, &stored, &x, sum), expected, "{n}, {}", level.as_str());
                }
            }
        }
    }
}
