//! AVX-512 with VNNI.

use super::{QUERIES, Query};
use crate::kv::{HeadCache, KEY_BLOCK, KEY_OFFSET, VALUE_BLOCK, VALUE_LANES};
use std::arch::x86_64::*;

/// Sums that a query's products are shared out to.
const CHAINS: usize = 4;
/// Bytes of a vector.
const VECTOR: usize = 64;
/// Blocks of values whose sums fit 32 bits: 4 * 255 * 128 each.
const FLUSH: usize = 8192;

/// Dot products of queries with the keys of whole blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub fn dots(cache: &HeadCache, queries: &[Query], blocks: usize, dots: &mut [Vec<i32>]) {
    match queries {
        [a] => dots_of([a], cache, blocks, dots),
        [a, b] => dots_of([a, b], cache, blocks, dots),
        [a, b, c] => dots_of([a, b, c], cache, blocks, dots),
        [a, b, c, d] => dots_of([a, b, c, d], cache, blocks, dots),
        _ => unreachable!("at most {QUERIES} queries"),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn dots_of<const Q: usize>(
    queries: [&Query; Q],
    cache: &HeadCache,
    blocks: usize,
    dots: &mut [Vec<i32>],
) {
    let elements = queries[0].values.len();
    assert!(queries.iter().all(|q| q.values.len() == elements) && elements.is_multiple_of(4));
    assert!(cache.keys.len() >= blocks * elements * KEY_BLOCK && dots.len() == Q);
    assert!(dots.iter().all(|dots| dots.len() >= blocks * KEY_BLOCK));
    // Keys are stored plus 128, which adds 128 times the query's sum.
    let offsets = queries.map(|q| _mm512_set1_epi32(-i32::from(KEY_OFFSET) * q.sum));
    for block in 0..blocks {
        // Several sums a query: a chain of dependent products would wait for each.
        let mut acc = [[_mm512_setzero_si512(); Q]; CHAINS];
        acc[0] = offsets;
        for four in 0..elements / 4 {
            // SAFETY: four < elements / 4 and block < blocks, within what was asserted.
            let keys = unsafe {
                let at = (block * elements + 4 * four) * KEY_BLOCK;
                _mm512_loadu_si512(cache.keys.as_ptr().add(at).cast())
            };
            for (acc, query) in acc[four % CHAINS].iter_mut().zip(queries) {
                // SAFETY: as above, of the query's elements.
                let q =
                    unsafe { query.values.as_ptr().add(4 * four).cast::<i32>().read_unaligned() };
                *acc = _mm512_dpbusd_epi32(*acc, keys, _mm512_set1_epi32(q));
            }
        }
        for (q, dots) in dots.iter_mut().enumerate() {
            let [a, b, c, d] = acc.map(|acc| acc[q]);
            let all = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
            // SAFETY: 16 dots of the block, asserted above.
            unsafe { _mm512_storeu_si512(dots.as_mut_ptr().add(block * KEY_BLOCK).cast(), all) };
        }
    }
}

/// Sums of values times weights of two bytes each.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub fn sums(values: &[i8], high: &[u8], low: &[u8], sums: &mut [i64]) {
    let vectors = sums.len().div_ceil(VALUE_LANES);
    let mut first = 0;
    while first < vectors {
        let sums = &mut sums[first * VALUE_LANES..];
        first += match vectors - first {
            8.. => sums_of::<8>(values, vectors, first, high, low, sums),
            4.. => sums_of::<4>(values, vectors, first, high, low, sums),
            2.. => sums_of::<2>(values, vectors, first, high, low, sums),
            _ => sums_of::<1>(values, vectors, first, high, low, sums),
        };
    }
}

/// Sums of D vectors of elements, from vector `first` of `vectors` on. Returns D.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn sums_of<const D: usize>(
    values: &[i8],
    vectors: usize,
    first: usize,
    high: &[u8],
    low: &[u8],
    sums: &mut [i64],
) -> usize {
    let blocks = high.len() / VALUE_BLOCK;
    assert!(high.len() == low.len() && values.len() >= blocks * vectors * VECTOR);
    assert!(first + D <= vectors);
    let mut from = 0;
    while from < blocks {
        let to = blocks.min(from + FLUSH);
        let mut acc = [[_mm512_setzero_si512(); 2]; D];
        for block in from..to {
            // SAFETY: block < blocks: four weights and `vectors` vectors of values.
            unsafe {
                let at = block * VALUE_BLOCK;
                let high = high.as_ptr().add(at).cast::<i32>().read_unaligned();
                let low = low.as_ptr().add(at).cast::<i32>().read_unaligned();
                let (high, low) = (_mm512_set1_epi32(high), _mm512_set1_epi32(low));
                for (d, acc) in acc.iter_mut().enumerate() {
                    let at = (block * vectors + first + d) * VECTOR;
                    let v = _mm512_loadu_si512(values.as_ptr().add(at).cast());
                    acc[0] = _mm512_dpbusd_epi32(acc[0], high, v);
                    acc[1] = _mm512_dpbusd_epi32(acc[1], low, v);
                }
            }
        }
        for (acc, sums) in acc.iter().zip(sums.chunks_mut(VALUE_LANES)) {
            let mut halves = [[0_i32; VALUE_LANES]; 2];
            for (half, acc) in halves.iter_mut().zip(acc) {
                // SAFETY: 16 numbers of 32 bits.
                unsafe { _mm512_storeu_si512(half.as_mut_ptr().cast(), *acc) };
            }
            for ((sum, high), low) in sums.iter_mut().zip(halves[0]).zip(halves[1]) {
                *sum += (i64::from(high) << 8) + i64::from(low);
            }
        }
        from = to;
    }
    D
}
