//! The engine against the golden model, bit for bit: ragged shapes, extreme values, partial slots,
//! queued jobs, pauses on every stream, slow memories.

mod common;

use common::{Case, Fill, MAKES, check, makes};
use terntable_testbench::{
    agents::{MemoryTiming, Refresh},
    engine::{EngineOptions, EngineParams, EngineSim},
    seed::{Random, seed},
};

const RAGGED: [usize; 10] = [1, 7, 8, 14, 15, 16, 45, 46, 91, 130];

#[test]
fn ragged_shapes_of_the_small_card() {
    for mut engine in makes(EngineOptions::default()) {
        for rows in RAGGED {
            for cols in RAGGED {
                check(&mut engine, &[Case::new(rows, cols, 4)]);
            }
        }
    }
}

#[test]
fn ragged_shapes_of_the_edge_card() {
    let mut engine = EngineSim::with(EngineParams::KV260, EngineOptions::default()).unwrap();
    for (rows, cols) in [(1, 1), (7, 45), (8, 46), (45, 7), (46, 91), (91, 8), (200, 333)] {
        for slots in [1, 3, 4, 5, 16] {
            check(&mut engine, &[Case::new(rows, cols, slots)]);
        }
    }
}

/// The edge card's tile in every make, with few slots and an odd number of them.
#[test]
fn the_edge_cards_tile_in_every_make() {
    for make in MAKES {
        let EngineParams { engine, dsp_sums, .. } = make;
        let params = EngineParams { slots: 3, engine, dsp_sums, ..EngineParams::KV260 };
        let mut engine = EngineSim::with(params, EngineOptions::default()).unwrap();
        for (rows, cols) in [(7, 45), (45, 7), (91, 138), (30, 700)] {
            for activations in [Fill::Random, Fill::Ends, Fill::All(-128)] {
                let weights = if rows == 45 { Fill::All(-1) } else { Fill::Random };
                for slots in [1, 3] {
                    let case = Case { weights, activations, ..Case::new(rows, cols, slots) };
                    check(&mut engine, &[case]);
                }
            }
        }
    }
}

#[test]
fn one_slot() {
    for make in MAKES {
        let params = EngineParams { slots: 1, ..make };
        let mut engine = EngineSim::with(params, EngineOptions::default()).unwrap();
        for (rows, cols) in [(1, 1), (46, 91), (300, 15)] {
            check(&mut engine, &[Case::new(rows, cols, 1)]);
        }
    }
}

#[test]
fn extreme_values() {
    for mut engine in makes(EngineOptions::default()) {
        for weights in [Fill::All(1), Fill::All(-1), Fill::Random] {
            for activations in [Fill::All(-128), Fill::All(127), Fill::Ends] {
                for (rows, cols) in [(11, 46), (6, 7001)] {
                    check(
                        &mut engine,
                        &[Case { weights, activations, ..Case::new(rows, cols, 4) }],
                    );
                }
            }
        }
    }
}

#[test]
fn the_longest_row_is_exact() {
    for mut engine in makes(EngineOptions::default()) {
        let case = Case {
            weights: Fill::All(-1),
            activations: Fill::All(-128),
            ..Case::new(3, 65_535, 2)
        };
        check(&mut engine, &[case]);
    }
}

#[test]
fn the_largest_panel() {
    for mut engine in makes(EngineOptions::default()) {
        let rows = engine.params().panel_rows();
        check(&mut engine, &[Case::new(rows, 33, 4), Case::new(rows, 16, 4)]);
    }
}

#[test]
fn jobs_are_queued() {
    for mut engine in makes(EngineOptions::default()) {
        let mut random = Random::new(seed(), "queue");
        let cases: Vec<Case> = (0..40)
            .map(|_| {
                let [rows, cols] = [60, 150].map(|limit| random.range(1, limit) as usize);
                Case::new(rows, cols, random.range(1, 4) as usize)
            })
            .collect();
        check(&mut engine, &cases);
    }
}

#[test]
fn pauses_on_every_stream() {
    let mut random = Random::new(seed(), "pauses");
    for _ in 0..24 {
        let mut p = || [0.0, 0.05, 0.3, 0.8][random.range(0, 3) as usize];
        let timing = MemoryTiming { stall: p(), request_stall: p(), ..MemoryTiming::IDEAL };
        let (activation_stall, result_stall, register_stall) = (p(), p(), p());
        let options = EngineOptions {
            timing,
            activation_stall,
            result_stall,
            register_stall,
            seed: random.bits(),
            ..EngineOptions::default()
        };
        for mut engine in makes(options) {
            let cases = [Case::new(46, 91, 4), Case::new(5, 130, 3), Case::new(91, 8, 1)];
            check(&mut engine, &cases);
        }
    }
}

#[test]
fn memories_of_every_speed() {
    for latency in [1, 2, 7, 32, 150] {
        for (stall, outstanding) in [(0.0, 64), (0.1, 4), (0.5, 1)] {
            let refresh = (latency == 32).then_some(Refresh { interval: 200, cycles: 40 });
            let timing =
                MemoryTiming { latency, stall, outstanding, refresh, request_stall: stall };
            for mut engine in makes(EngineOptions { timing, ..EngineOptions::default() }) {
                check(&mut engine, &[Case::new(46, 91, 4), Case::new(101, 46, 2)]);
            }
        }
    }
}

/// Weights that come late find the tables of two blocks ready, and beats of one tile would follow
/// each other faster than its partial sum comes back.
#[test]
fn panels_smaller_than_the_pipeline_is_deep() {
    let timing = MemoryTiming { latency: 150, ..MemoryTiming::IDEAL };
    for mut engine in makes(EngineOptions { timing, ..EngineOptions::default() }) {
        for tiles in 1..=9 {
            for slots in [1, 4] {
                check(&mut engine, &[Case::new(5 * tiles, 200, slots)]);
            }
        }
    }
}

#[test]
fn panels_that_straddle_four_kibibytes() {
    for mut engine in makes(EngineOptions::default()) {
        // Each load shifts the next one by an odd number of beats.
        for rows in [3, 8, 13, 23, 33] {
            check(&mut engine, &[Case::new(rows, 1500, 2)]);
        }
    }
}
