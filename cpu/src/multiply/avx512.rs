//! AVX-512 with VNNI and VBMI.
//!
//! A byte is first split: taking 81 off twice where it fits leaves `q`, the four lower digits, and
//! `byte - q` is 81 times the fifth. One `vpermi2b` by q gives the four digits two bits each. With few
//! slots the digits stay where they are, each plane in sums of its own that are scaled at the end; with
//! more they are moved down, so that a row and slot needs one sum.

use crate::tile::{BAND_ROWS, STEP_BYTES, TILE_BYTES, TILE_COLS};
use std::arch::x86_64::*;

/// Digits of q in 0..81, two bits each; the rest is never looked up by a code.
static DIGITS: [u8; 128] = {
    let mut table = [0; 128];
    let mut q = 0;
    while q < 81 {
        table[q] = ((q % 3) | ((q / 3 % 3) << 2) | ((q / 9 % 3) << 4) | ((q / 27) << 6)) as u8;
        q += 1;
    }
    table
};

/// Bytes between what is read and what is asked for.
const AHEAD: usize = 2048;

/// 81 times this is 1 modulo 2^32: divides multiples of 81 exactly.
const INVERSE_81: i32 = {
    let mut inverse = 1_u32;
    let mut i = 0;
    while i < 5 {
        inverse = inverse.wrapping_mul(2_u32.wrapping_sub(81_u32.wrapping_mul(inverse)));
        i += 1;
    }
    inverse as i32
};
const _: () = assert!((INVERSE_81 as u32).wrapping_mul(81) == 1);

/// Sums of a band, as [`super::band`] describes; `rows` holds `sums.len()` rows of `stride` bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub fn band(
    bytes: &[u8],
    rows: &[i8],
    stride: usize,
    offsets: &[i32],
    sums: &mut [[i32; BAND_ROWS]],
) {
    match sums.len() {
        1 => few::<1>(bytes, rows, stride, offsets, sums),
        2 => few::<2>(bytes, rows, stride, offsets, sums),
        3 => many::<3>(bytes, rows, stride, offsets, sums),
        4 => many::<4>(bytes, rows, stride, offsets, sums),
        5 => many::<5>(bytes, rows, stride, offsets, sums),
        6 => many::<6>(bytes, rows, stride, offsets, sums),
        7 => many::<7>(bytes, rows, stride, offsets, sums),
        8 => many::<8>(bytes, rows, stride, offsets, sums),
        n => unreachable!("groups have 1 to 8 slots, not {n}"),
    }
}

/// What the kernels need of a call, checked: pointers stay inside while `step < steps`.
#[inline(always)]
fn check<const S: usize>(bytes: &[u8], rows: &[i8], stride: usize, offsets: &[i32]) -> usize {
    let steps = bytes.len() / STEP_BYTES;
    assert!(stride >= steps * TILE_COLS && rows.len() >= S * stride && offsets.len() == S);
    steps
}

struct Constants {
    table: [__m512i; 2],
    e81: __m512i,
}

impl Constants {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new() -> Self {
        // SAFETY: the table has 128 bytes.
        let table = unsafe {
            [
                _mm512_loadu_si512(DIGITS.as_ptr().cast()),
                _mm512_loadu_si512(DIGITS.as_ptr().add(64).cast()),
            ]
        };
        Self { table, e81: _mm512_set1_epi8(81) }
    }

    /// The digits of a tile, one a vector, lowest first.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn digits(&self, bytes: &[u8], at: usize) -> [__m512i; 5] {
        let (x, f) = self.split(load(bytes, at));
        let mask = _mm512_set1_epi8(3);
        // Bits that a shift brings in from the byte beside fall to the mask. 81 and 162 have 1 and 2 in
        // their upper two bits.
        [
            _mm512_and_si512(x, mask),
            _mm512_and_si512(_mm512_srli_epi16::<2>(x), mask),
            _mm512_and_si512(_mm512_srli_epi16::<4>(x), mask),
            _mm512_and_si512(_mm512_srli_epi16::<6>(x), mask),
            _mm512_and_si512(_mm512_srli_epi16::<6>(f), mask),
        ]
    }

    /// A vector of bytes to the four lower digits, two bits each, and 81 times the fifth.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn split(&self, v: __m512i) -> (__m512i, __m512i) {
        // Unsigned: where 81 does not fit the difference wraps to something larger.
        let q = _mm512_min_epu8(v, _mm512_sub_epi8(v, self.e81));
        let q = _mm512_min_epu8(q, _mm512_sub_epi8(q, self.e81));
        (_mm512_permutex2var_epi8(self.table[0], q, self.table[1]), _mm512_sub_epi8(v, q))
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn few<const S: usize>(
    bytes: &[u8],
    rows: &[i8],
    stride: usize,
    offsets: &[i32],
    sums: &mut [[i32; BAND_ROWS]],
) {
    let steps = check::<S>(bytes, rows, stride, offsets);
    let constants = Constants::new();
    let masks = [3, 12, 48, 192_u8 as i8].map(|mask| _mm512_set1_epi8(mask));
    let mut acc = [[[_mm512_setzero_si512(); 5]; 2]; S];
    for step in 0..steps {
        let mut fields = [[_mm512_setzero_si512(); 5]; 2];
        for (tile, fields) in fields.iter_mut().enumerate() {
            let at = step * STEP_BYTES + tile * TILE_BYTES;
            let (x, f) = constants.split(load(bytes, at));
            *fields = [
                _mm512_and_si512(x, masks[0]),
                _mm512_and_si512(x, masks[1]),
                _mm512_and_si512(x, masks[2]),
                _mm512_and_si512(x, masks[3]),
                f,
            ];
        }
        for (slot, acc) in acc.iter_mut().enumerate() {
            for plane in 0..5 {
                let y = broadcast(rows, slot * stride + step * TILE_COLS + 4 * plane);
                for tile in 0..2 {
                    acc[tile][plane] =
                        _mm512_dpbusd_epi32(acc[tile][plane], fields[tile][plane], y);
                }
            }
        }
    }
    for (slot, acc) in acc.iter().enumerate() {
        let offset = _mm512_set1_epi32(offsets[slot]);
        for (tile, [a, b, c, d, e]) in acc.iter().enumerate() {
            let low = _mm512_add_epi32(*a, _mm512_srai_epi32::<2>(*b));
            let high = _mm512_add_epi32(_mm512_srai_epi32::<4>(*c), _mm512_srai_epi32::<6>(*d));
            let fifth = _mm512_mullo_epi32(*e, _mm512_set1_epi32(INVERSE_81));
            let all = _mm512_add_epi32(_mm512_add_epi32(low, high), fifth);
            store(&mut sums[slot], tile, _mm512_sub_epi32(all, offset));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn many<const S: usize>(
    bytes: &[u8],
    rows: &[i8],
    stride: usize,
    offsets: &[i32],
    sums: &mut [[i32; BAND_ROWS]],
) {
    let steps = check::<S>(bytes, rows, stride, offsets);
    let constants = Constants::new();
    let mut acc = [[_mm512_setzero_si512(); 2]; S];
    for (acc, offset) in acc.iter_mut().zip(offsets) {
        *acc = [_mm512_set1_epi32(-offset); 2];
    }
    for step in 0..steps {
        prefetch(bytes, step * STEP_BYTES);
        let first = constants.digits(bytes, step * STEP_BYTES);
        let second = constants.digits(bytes, step * STEP_BYTES + TILE_BYTES);
        for (plane, (first, second)) in first.into_iter().zip(second).enumerate() {
            for (slot, acc) in acc.iter_mut().enumerate() {
                let y = broadcast(rows, slot * stride + step * TILE_COLS + 4 * plane);
                acc[0] = _mm512_dpbusd_epi32(acc[0], first, y);
                acc[1] = _mm512_dpbusd_epi32(acc[1], second, y);
            }
        }
    }
    for (sums, acc) in sums.iter_mut().zip(acc) {
        for (tile, acc) in acc.into_iter().enumerate() {
            store(sums, tile, acc);
        }
    }
}

/// A tile; in bounds by `check`.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8], at: usize) -> __m512i {
    debug_assert!(at + TILE_BYTES <= bytes.len());
    // SAFETY: `check`: `bytes` holds two tiles for every step.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().add(at).cast()) }
}

/// Asks for the tiles that come some steps later, in this band or the next.
#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch(bytes: &[u8], at: usize) {
    let ahead = bytes.as_ptr().wrapping_add(at + AHEAD);
    _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(TILE_BYTES).cast());
}

/// Four elements in every lane; in bounds by `check`.
#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(rows: &[i8], at: usize) -> __m512i {
    debug_assert!(at + 4 <= rows.len());
    // SAFETY: `check`: S rows of `stride` bytes, and 20 bytes a step fit the stride.
    _mm512_set1_epi32(unsafe { rows.as_ptr().add(at).cast::<i32>().read_unaligned() })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: &mut [i32; BAND_ROWS], tile: usize, value: __m512i) {
    // SAFETY: a tile is 16 of the 32 sums.
    unsafe { _mm512_storeu_si512(sums.as_mut_ptr().add(tile * 16).cast(), value) }
}
