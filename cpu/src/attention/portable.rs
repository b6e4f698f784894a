//! Plain Rust.

use super::Query;
use crate::kv::{HeadCache, KEY_BLOCK, KEY_OFFSET, VALUE_BLOCK, VALUE_LANES};
use crate::level::at_every_level;

at_every_level! {
    /// Dot products of queries with the keys of whole blocks.
    pub fn dots(cache: &HeadCache, queries: &[Query], blocks: usize, dots: &mut [Vec<i32>]) {
        for (query, dots) in queries.iter().zip(dots) {
            let bytes = query.values.len() * KEY_BLOCK;
            let keys = cache.keys.chunks_exact(bytes).take(blocks);
            for (keys, dots) in keys.zip(dots.chunks_exact_mut(KEY_BLOCK)) {
                dots.fill(0);
                for (four, keys) in query.values.chunks_exact(4).zip(keys.chunks_exact(4 * KEY_BLOCK)) {
                    for (dot, key) in dots.iter_mut().zip(keys.chunks_exact(4)) {
                        for (&k, &q) in key.iter().zip(four) {
                            *dot += i32::from(i16::from((k ^ KEY_OFFSET) as i8) * i16::from(q));
                        }
                    }
                }
            }
        }
    }

    /// Sums of values times weights of two bytes each.
    pub fn sums(values: &[i8], high: &[u8], low: &[u8], sums: &mut [i64]) {
        let bytes = sums.len().next_multiple_of(VALUE_LANES) * VALUE_BLOCK;
        let weights = high.chunks_exact(VALUE_BLOCK).zip(low.chunks_exact(VALUE_BLOCK));
        for (block, (high, low)) in values.chunks_exact(bytes).zip(weights) {
            let w: [i32; VALUE_BLOCK] =
                std::array::from_fn(|i| i32::from(high[i]) << 8 | i32::from(low[i]));
            for (sum, v) in sums.iter_mut().zip(block.chunks_exact(VALUE_BLOCK)) {
                // At most 4 * 2^15 * 2^7.
                let four: i32 = w.iter().zip(v).map(|(&w, &v)| w * i32::from(v)).sum();
                *sum += i64::from(four);
            }
        }
    }
}
