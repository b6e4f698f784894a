//! AVX-512 with VNNI.

use super::{QUERIES, Query, Weights};
use crate::kv::{ELEMENTS, Head, KEY_OFFSET, Line, POSITIONS};
use std::arch::x86_64::*;

/// Blocks whose dot products fill a vector.
const BLOCKS: usize = 4;
/// Blocks whose sums of values fit 32 bits: 4 * 255 * 128 each.
const FLUSH: usize = 8192;

/// Dot products of queries with the keys of blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub fn dots(blocks: &[Head<'_>], queries: &[Query], dots: &mut [Vec<i32>]) {
    match queries {
        [a] => dots_of([a], blocks, dots),
        [a, b] => dots_of([a, b], blocks, dots),
        [a, b, c] => dots_of([a, b, c], blocks, dots),
        [a, b, c, d] => dots_of([a, b, c, d], blocks, dots),
        _ => unreachable!("at most {QUERIES} queries"),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn dots_of<const Q: usize>(queries: [&Query; Q], blocks: &[Head<'_>], dots: &mut [Vec<i32>]) {
    let lines = queries[0].values.len() / ELEMENTS;
    assert!(queries.iter().all(|q| q.values.len() == lines * ELEMENTS) && dots.len() == Q);
    assert!(dots.iter().all(|dots| dots.len() >= blocks.len() * POSITIONS));
    // Keys are stored plus 128, which adds 128 times the query's sum.
    let offsets = queries.map(|q| _mm512_set1_epi32(-i32::from(KEY_OFFSET) * q.sum));
    for (at, four) in blocks.chunks(BLOCKS).enumerate() {
        let nearest = |from: usize, i: usize| blocks[(from + i).min(blocks.len() - 1)];
        let next: [Head<'_>; BLOCKS] = std::array::from_fn(|i| nearest((at + 1) * BLOCKS, i));
        let now: [Head<'_>; BLOCKS] = std::array::from_fn(|i| nearest(at * BLOCKS, i));
        let mut acc = [[_mm512_setzero_si512(); BLOCKS]; Q];
        for line in 0..lines {
            let query = queries.map(|query| broadcast(&query.values, line * ELEMENTS));
            for block in 0..BLOCKS {
                // Blocks lie anywhere: no prefetcher of the machine knows where the next ones are.
                fetch::<_MM_HINT_T0>(&next[block].keys()[line]);
                fetch::<_MM_HINT_T1>(&now[block].values()[line]);
                let keys = load(&now[block].keys()[line]);
                for (acc, query) in acc.iter_mut().zip(query) {
                    acc[block] = _mm512_dpbusd_epi32(acc[block], keys, query);
                }
            }
        }
        let kept = four.len() * POSITIONS;
        let mask = (u32::MAX >> (32 - kept)) as __mmask16;
        for ((dots, acc), offset) in dots.iter_mut().zip(acc).zip(offsets) {
            let all = _mm512_add_epi32(fold(acc), offset);
            let dots = &mut dots[at * BLOCKS * POSITIONS..][..kept];
            // SAFETY: `kept` dots, those that the mask lets through.
            unsafe { _mm512_mask_storeu_epi32(dots.as_mut_ptr(), mask, all) };
        }
    }
}

/// The sums of every four neighbours: those of vector b and quarter p at 4 b + p.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold([a, b, c, d]: [__m512i; BLOCKS]) -> __m512i {
    let pairs = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (ab, cd) = (pairs(a, b), pairs(c, d));
    let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_permutexvar_epi32(order, all)
}

/// 16 elements from `at` on in every quarter.
#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(values: &[i8], at: usize) -> __m512i {
    let elements = &values[at..at + ELEMENTS];
    // SAFETY: 16 bytes.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(elements.as_ptr().cast()) })
}

/// Sums of values times weights of two bytes each.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub fn sums(blocks: &[Head<'_>], weights: &Weights, sums: &mut [i64]) {
    let lines = sums.len().div_ceil(ELEMENTS);
    let mut first = 0;
    while first < lines {
        let sums = &mut sums[first * ELEMENTS..];
        first += match lines - first {
            8.. => sums_of::<8>(blocks, first, weights, sums),
            6.. => sums_of::<6>(blocks, first, weights, sums),
            4.. => sums_of::<4>(blocks, first, weights, sums),
            2.. => sums_of::<2>(blocks, first, weights, sums),
            _ => sums_of::<1>(blocks, first, weights, sums),
        };
    }
}

/// Sums of D lines of elements, from line `first` of every value on. Returns D.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn sums_of<const D: usize>(
    blocks: &[Head<'_>],
    first: usize,
    weights: &Weights,
    sums: &mut [i64],
) -> usize {
    let weights = weights.high.chunks(FLUSH).zip(weights.low.chunks(FLUSH));
    for (blocks, (high, low)) in blocks.chunks(FLUSH).zip(weights) {
        let mut acc = [[_mm512_setzero_si512(); 2]; D];
        for (block, (&high, &low)) in blocks.iter().zip(high.iter().zip(low)) {
            let high = _mm512_set1_epi32(i32::from_le_bytes(high));
            let low = _mm512_set1_epi32(i32::from_le_bytes(low));
            for (acc, values) in acc.iter_mut().zip(&block.values()[first..first + D]) {
                let values = load(values);
                acc[0] = _mm512_dpbusd_epi32(acc[0], high, values);
                acc[1] = _mm512_dpbusd_epi32(acc[1], low, values);
            }
        }
        for (acc, sums) in acc.iter().zip(sums.chunks_mut(ELEMENTS)) {
            let mut halves = [[0_i32; ELEMENTS]; 2];
            for (half, acc) in halves.iter_mut().zip(acc) {
                // SAFETY: 16 numbers of 32 bits.
                unsafe { _mm512_storeu_si512(half.as_mut_ptr().cast(), *acc) };
            }
            for ((sum, high), low) in sums.iter_mut().zip(halves[0]).zip(halves[1]) {
                *sum += (i64::from(high) << 8) + i64::from(low);
            }
        }
    }
    D
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> __m512i {
    // SAFETY: a line has 64 bytes and their alignment.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

/// Asks for a line that is read soon.
#[inline]
#[target_feature(enable = "avx512f")]
fn fetch<const HINT: i32>(line: &Line) {
    _mm_prefetch::<HINT>(std::ptr::from_ref(line).cast());
}
