//! Rates of the kernels, from cache, one thread: `cargo bench -p terntable-cpu`.
//!
//! Elements are multiply-accumulates of the real shape; the AVX-512 peak is 64 a cycle.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use terntable_cpu::{
    attention::{Query, Scratch, attend, score_constant},
    kv::{Block, POSITIONS},
    level::Level,
    multiply::{Activations, band},
    rows, tile, vector,
};
use terntable_golden::{sample::mix, ternary::Ternary};

/// The down projection of BitNet 2B-4T, a panel of it that fits the cache.
const ROWS: usize = 640;
const COLS: usize = 6912;

fn int8(seed: u64, n: usize) -> Vec<i8> {
    (0..n as u64).map(|i| mix(seed ^ i << 20) as i8).collect()
}

fn activations(cols: usize, slots: usize) -> Activations {
    let mut x = Activations::new(cols, slots);
    for slot in 0..slots {
        let row = int8(slot as u64, cols);
        x.push(&row, row.iter().map(|&v| i32::from(v)).sum(), 1.0);
    }
    x
}

fn multiply(c: &mut Criterion) {
    let trits = (0..ROWS * COLS).map(|i| (mix(i as u64) % 3) as i8 - 1).collect();
    let matrix = Ternary::new(ROWS, COLS, trits, 1.0).expect("trits");
    let bytes = tile::pack(&matrix);
    let shape = tile::Shape { rows: ROWS, cols: COLS };
    for level in Level::available() {
        let mut group = c.benchmark_group(format!("multiply {}", level.as_str()));
        for slots in [1, 2, 4, 8, 32] {
            let x = activations(COLS, slots);
            group.throughput(Throughput::Elements((ROWS * COLS * slots) as u64));
            group.bench_function(BenchmarkId::from_parameter(slots), |b| {
                b.iter(|| {
                    for bytes in bytes.chunks_exact(shape.band_bytes()) {
                        band(level, bytes, &x, |_, sums| {
                            black_box(sums);
                        });
                    }
                });
            });
        }
    }
}

fn head_row(c: &mut Criterion) {
    let (row, x) = (vec![200; 2560], int8(1, 2560));
    for level in Level::available() {
        let mut group = c.benchmark_group(format!("head row {}", level.as_str()));
        group.throughput(Throughput::Elements(2560));
        group.bench_function("2560", |b| b.iter(|| rows::dot(level, &row, black_box(&x), 0)));
    }
}

fn attention(c: &mut Criterion) {
    let head_dim = 128;
    let mut cache = vec![Block::new(1, head_dim); 1000_usize.div_ceil(POSITIONS)];
    for p in 0..1000 {
        let (key, value) = (int8(p as u64, head_dim), int8(!p as u64, head_dim));
        cache[p / POSITIONS].put(0, p % POSITIONS, (&key, 0.01), (&value, 0.01));
    }
    for level in Level::available() {
        let mut group = c.benchmark_group(format!("attend {}", level.as_str()));
        for positions in [128, 1000] {
            let query = |seed| Query {
                values: int8(seed, head_dim),
                sum: 0,
                factor: 0.01 * score_constant(head_dim),
                positions,
            };
            let queries: Vec<Query> = (0..4).map(query).collect();
            let (mut scratch, mut out) = (Scratch::default(), vec![0.0; 4 * head_dim]);
            group.throughput(Throughput::Elements((2 * 4 * positions * head_dim) as u64));
            group.bench_function(BenchmarkId::from_parameter(positions), |b| {
                b.iter(|| attend(level, &cache, 0, head_dim, &queries, &mut scratch, &mut out));
            });
        }
    }
}

fn rows_of_floats(c: &mut Criterion) {
    let n = 6912;
    let x: Vec<f32> = (0..n).map(|i| (i as f32).sin()).collect();
    let (weight, mut out) = (vec![1.0; n], vec![0; n]);
    for level in Level::available() {
        let mut group = c.benchmark_group(format!("norm {}", level.as_str()));
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function("6912", |b| {
            b.iter(|| vector::norm(level, black_box(&x), &weight, 1.0 / n as f32, 1e-5, &mut out));
        });
    }
}

criterion_group!(benches, multiply, head_row, attention, rows_of_floats);
criterion_main!(benches);
