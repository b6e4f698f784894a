//! Cycles of the edge card's engine on the layers of a 2-billion-parameter model, against what its
//! memory could have delivered.
//!
//! `cargo run --release -p terntable-testbench --example cycles [-- --json]`

use serde_json::json;
use std::time::Instant;
use terntable_golden::{pack, ternary::Ternary, tlmm};
use terntable_testbench::{
    agents::MemoryTiming,
    engine::{EngineOptions, EngineParams, EngineSim, Job},
    report::first_difference,
    seed::{Random, seed},
};

const SHAPES: [(usize, usize); 2] = [(2560, 2560), (2560, 6912)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json_wanted = std::env::args().any(|a| a == "--json");
    let params = EngineParams::KV260;
    let slow = MemoryTiming { latency: 32, stall: 0.1, ..MemoryTiming::IDEAL };
    let mut runs = Vec::new();
    for (name, timing) in [("always ready", MemoryTiming::IDEAL), ("latency 32, 10 % stalls", slow)]
    {
        let mut engine = EngineSim::with(params, EngineOptions { timing, ..Default::default() })?;
        for (rows, cols) in SHAPES {
            runs.push((name, measure(&mut engine, rows, cols)?));
        }
    }
    if json_wanted {
        let list: Vec<_> = runs.iter().map(|(name, run)| run.json(name)).collect();
        let report = json!({ "tier": "simulated", "engine": params.to_string(), "seed": seed(), "runs": list });
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    println!("{params}, {} slots used (simulated)", params.slots);
    println!(
        "{:<24} {:>11} {:>8} {:>8} {:>8} {:>7} {:>7}   lost to memory tables drain results order",
        "memory", "rows x K", "cycles", "beats", "offered", "share", "busy"
    );
    for (name, run) in &runs {
        let c = run.counters;
        println!(
            "{name:<24} {:>4} x {:>4} {:>8} {:>8} {:>8} {:>5.1} % {:>5.1} %   {:>14} {:>6} {:>5} {:>7} {:>5}",
            run.rows,
            run.cols,
            c.cycles,
            c.beats,
            run.memory.offered,
            100.0 * run.memory.share(),
            100.0 * c.beats as f64 / c.cycles as f64,
            c.lost_memory,
            c.lost_tables,
            c.lost_drain,
            c.lost_results,
            c.lost_order,
        );
    }
    let (cycles, seconds): (u64, f64) =
        runs.iter().fold((0, 0.0), |(c, s), (_, run)| (c + run.simulated, s + run.seconds));
    println!("simulator: {:.0} cycles/s (measured)", cycles as f64 / seconds);
    Ok(())
}

struct Run {
    rows: usize,
    cols: usize,
    counters: terntable_testbench::engine::Counters,
    memory: terntable_testbench::agents::MemoryStatistics,
    simulated: u64,
    seconds: f64,
}

impl Run {
    fn json(&self, name: &str) -> serde_json::Value {
        let c = self.counters;
        json!({
            "memory": name, "rows": self.rows, "columns": self.cols,
            "cycles": c.cycles, "beats": c.beats, "beats_offered": self.memory.offered,
            "share_of_offered": self.memory.share(),
            "beats_a_cycle": c.beats as f64 / c.cycles as f64,
            "lost": { "memory": c.lost_memory, "tables": c.lost_tables, "drain": c.lost_drain,
                      "results": c.lost_results, "order": c.lost_order },
            "simulated_cycles": self.simulated, "wall_seconds": self.seconds,
        })
    }
}

/// One matrix times one vector a slot, checked against the golden model.
fn measure(
    engine: &mut EngineSim,
    rows: usize,
    cols: usize,
) -> Result<Run, Box<dyn std::error::Error>> {
    let params = *engine.params();
    let mut random = Random::new(seed(), "cycles");
    let weights = (0..rows * cols).map(|_| random.trit()).collect();
    let matrix = Ternary::new(rows, cols, weights, 1.0)?;
    let xs: Vec<Vec<i8>> =
        (0..params.slots).map(|_| (0..cols).map(|_| random.int8()).collect()).collect();
    let address = engine.load(pack::pack_panel(&params.geometry(), &matrix, 0, rows));
    let slices: Vec<&[i8]> = xs.iter().map(Vec::as_slice).collect();
    let activations = params.activations(&slices);
    let job = Job {
        address,
        tiles: params.tiles(rows),
        blocks: params.blocks(cols),
        slots: params.slots,
        activations: &activations,
    };
    engine.clear()?;
    let (start, first) = (Instant::now(), engine.cycle());
    let sums = engine.run_jobs(&[job])?.remove(0);
    let (seconds, simulated) = (start.elapsed().as_secs_f64(), engine.cycle() - first);
    let expected: Vec<Vec<i32>> = xs.iter().map(|x| tlmm::naive(&matrix, x)).collect();
    if let Some(difference) = first_difference(&params.to_string(), &expected, &sums) {
        return Err(difference.to_string().into());
    }
    let (counters, memory) = (engine.counters()?, engine.memory_statistics());
    engine.unload(address);
    Ok(Run { rows, cols, counters, memory, simulated, seconds })
}
