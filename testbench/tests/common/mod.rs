//! What the engine suites share: cases, their golden answers, and the comparison.
#![allow(dead_code)]

use terntable_golden::{card::config::Engine, pack, ternary::Ternary, tlmm};
use terntable_testbench::{
    engine::{EngineOptions, EngineParams, EngineSim, Job},
    report::first_difference,
    seed::{Random, seed},
};

/// Values of a vector or matrix.
#[derive(Debug, Clone, Copy)]
pub enum Fill {
    /// The whole range, at random.
    Random,
    /// One value.
    All(i8),
    /// The smallest and the largest value, at random.
    Ends,
}

/// A matrix times the activations of some slots.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub rows: usize,
    pub cols: usize,
    pub slots: usize,
    pub weights: Fill,
    pub activations: Fill,
}

impl Case {
    pub fn new(rows: usize, cols: usize, slots: usize) -> Self {
        Case { rows, cols, slots, weights: Fill::Random, activations: Fill::Random }
    }
}

/// A case with its bytes and its answer.
pub struct Prepared {
    pub address: u64,
    pub stream: Vec<i8>,
    pub expected: Vec<Vec<i32>>,
    pub case: Case,
}

/// Packs a case's weights into the engine's memory.
pub fn prepare(engine: &mut EngineSim, case: Case, random: &mut Random) -> Prepared {
    let Case { rows, cols, slots, weights, activations } = case;
    let weights: Vec<i8> = (0..rows * cols)
        .map(|_| match weights {
            Fill::Random => random.trit(),
            Fill::All(w) => w,
            Fill::Ends => 1 - 2 * (random.bits() & 1) as i8,
        })
        .collect();
    let xs: Vec<Vec<i8>> = (0..slots)
        .map(|_| {
            let value = |_| match activations {
                Fill::Random => random.int8(),
                Fill::All(a) => a,
                Fill::Ends => {
                    if random.bits() & 1 == 0 {
                        -128
                    } else {
                        127
                    }
                }
            };
            (0..cols).map(value).collect()
        })
        .collect();
    let matrix = Ternary::new(rows, cols, weights, 1.0).unwrap();
    let bytes = pack::pack_panel(&engine.params().geometry(), &matrix, 0, rows);
    let expected: Vec<Vec<i32>> = xs.iter().map(|x| tlmm::naive(&matrix, x)).collect();
    if rows * cols < 20_000 {
        // The card's way of computing it, in software: what the RTL implements.
        let lookup = tlmm::Tlmm::new(&matrix);
        assert!(xs.iter().zip(&expected).all(|(x, want)| lookup.multiply(x) == *want));
    }
    let slices: Vec<&[i8]> = xs.iter().map(Vec::as_slice).collect();
    let stream = engine.params().activations(&slices);
    Prepared { address: engine.load(bytes), stream, expected, case }
}

impl Prepared {
    pub fn job(&self, params: &EngineParams) -> Job<'_> {
        Job {
            address: self.address,
            tiles: params.tiles(self.case.rows),
            blocks: params.blocks(self.case.cols),
            slots: self.case.slots,
            activations: &self.stream,
        }
    }
}

/// Runs all cases as jobs queued one behind the other and compares every sum.
pub fn check(engine: &mut EngineSim, cases: &[Case]) {
    if let Err(report) = compare(engine, cases) {
        panic!("{report}");
    }
}

/// The same, with what went wrong as text.
pub fn compare(engine: &mut EngineSim, cases: &[Case]) -> Result<(), String> {
    let mut random = Random::new(seed(), "cases");
    let prepared: Vec<Prepared> =
        cases.iter().map(|&case| prepare(engine, case, &mut random)).collect();
    let params = *engine.params();
    let jobs: Vec<Job<'_>> = prepared.iter().map(|p| p.job(&params)).collect();
    let results = engine
        .run_jobs(&jobs)
        .map_err(|error| format!("{params}, {cases:?}, seed {:#x}: {error}", seed()))?;
    for (index, (sums, want)) in results.iter().zip(&prepared).enumerate() {
        let unit = format!("{params}, job {index}: {:?}", want.case);
        if let Some(difference) = first_difference(&unit, &want.expected, sums) {
            return Err(difference.to_string());
        }
    }
    Ok(())
}

/// The small engine in every make: with tables, without, with sums in DSP blocks.
pub const MAKES: [EngineParams; 4] = [
    EngineParams::SIM_SMALL,
    EngineParams { engine: Engine::Select, ..EngineParams::SIM_SMALL },
    EngineParams { dsp_sums: 1, ..EngineParams::SIM_SMALL },
    EngineParams { dsp_sums: 2, ..EngineParams::SIM_SMALL },
];

/// The small engine in every make.
pub fn makes(options: EngineOptions) -> impl Iterator<Item = EngineSim> {
    MAKES.into_iter().map(move |params| EngineSim::with(params, options.clone()).unwrap())
}

pub fn small(options: EngineOptions) -> EngineSim {
    EngineSim::with(EngineParams::SIM_SMALL, options).unwrap()
}
