//! Plain Rust.

use super::{Query, Weights};
use crate::kv::{ELEMENTS, Head, KEY_OFFSET, POSITIONS};
use crate::level::at_every_level;

at_every_level! {
    /// Dot products of queries with the keys of blocks.
    pub fn dots(blocks: &[Head<'_>], queries: &[Query], dots: &mut [Vec<i32>]) {
        for (query, dots) in queries.iter().zip(dots) {
            for (block, dots) in blocks.iter().zip(dots.chunks_exact_mut(POSITIONS)) {
                dots.fill(0);
                for (query, line) in query.values.chunks_exact(ELEMENTS).zip(block.keys()) {
                    let keys = bytemuck::bytes_of(line).chunks_exact(ELEMENTS);
                    for (dot, key) in dots.iter_mut().zip(keys) {
                        let products = key.iter().zip(query).map(|(&k, &q)| {
                            i32::from(i16::from((k ^ KEY_OFFSET) as i8) * i16::from(q))
                        });
                        *dot += products.sum::<i32>();
                    }
                }
            }
        }
    }

    /// Sums of values times weights of two bytes each.
    pub fn sums(blocks: &[Head<'_>], weights: &Weights, sums: &mut [i64]) {
        let weights = weights.high.iter().zip(&weights.low);
        for (block, (high, low)) in blocks.iter().zip(weights) {
            let w: [i32; POSITIONS] =
                std::array::from_fn(|i| i32::from(high[i]) << 8 | i32::from(low[i]));
            let values: &[[i8; POSITIONS]] = bytemuck::cast_slice(block.values());
            for (sum, v) in sums.iter_mut().zip(values) {
                // At most 4 * 2^15 * 2^7.
                let four: i32 = w.iter().zip(v).map(|(&w, &v)| w * i32::from(v)).sum();
                *sum += i64::from(four);
            }
        }
    }
}
