//! The simulated card: every linear layer runs through the Verilated RTL, register writes, weight
//! stream and all; what the RTL does not have yet runs in the golden model.

use crate::Error;
use serde::Serialize;
use std::{collections::HashMap, fmt, path::Path};
use terntable_golden::{
    Error as ModelError,
    attention::{KvCache, attend},
    model::{Device, Linear, Model},
    pack::{Geometry, pack_panel},
    quantise::Quantised,
};
pub use terntable_testbench::engine::FaultUnit;
use terntable_testbench::{
    engine::{EngineOptions, EngineParams, EngineSim, Job, JobSums},
    seed,
};

/// Cycles from the start of a layer to an injected fault: its first block is being looked up then.
const FAULT_CYCLE: u64 = 120;

/// The Verilated engine with a model's weights in its memory.
pub struct Sim<'a> {
    model: &'a Model,
    engine: EngineSim,
    panels: HashMap<Linear, Vec<Panel>>,
    fault: Option<Fault>,
}

/// A panel of a matrix in card memory.
struct Panel {
    address: u64,
    rows: usize,
    tiles: usize,
    blocks: usize,
}

/// One bit to flip inside the card, in every layer until something is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub unit: FaultUnit,
    /// Which bit of it.
    pub bit: usize,
}

/// Bits of a unit that the first layer of any model uses.
pub fn fault_bits(unit: FaultUnit) -> usize {
    let card = Geometry::KV260;
    match unit {
        // The first table of slot 0: fourteen entries of ten bits.
        FaultUnit::Table => 14 * 10,
        // The rows of a beat; what is left of it is padding.
        FaultUnit::Weight => 8 * card.rows * card.row_bytes(),
        // The first tile: 24 bits a sum, row by row, slot by slot.
        FaultUnit::Accumulator => 24 * card.rows * EngineParams::KV260.slots,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.unit, self.bit)
    }
}

/// What the simulated card spent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Usage {
    /// Clock cycles in which a job was in the engine.
    pub cycles: u64,
    /// Bytes of weights that it consumed.
    pub weight_bytes: u64,
    /// Share of the cycles in which a beat of weights was consumed.
    pub utilisation: f64,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cycles, {} weight bytes streamed, a beat in {:.1} % of the cycles (simulated)",
            self.cycles,
            self.weight_bytes,
            100.0 * self.utilisation
        )
    }
}

impl<'a> Sim<'a> {
    /// Builds (once) and starts the engine of the edge card and loads every matrix.
    pub fn open(model: &'a Model) -> Result<Self, Error> {
        seed::check().map_err(simulator)?;
        Self::with(model, EngineParams::KV260, EngineOptions::default())
    }

    /// The same, ready for faults, with a waveform if one is asked for.
    pub fn open_for_faults(model: &'a Model, trace: Option<&Path>) -> Result<Self, Error> {
        seed::check().map_err(simulator)?;
        let trace = trace.map(Path::to_owned);
        let options = EngineOptions { faults: true, trace, ..EngineOptions::default() };
        Self::with(model, EngineParams::KV260, options)
    }

    /// An engine of any parameters.
    pub fn with(
        model: &'a Model,
        params: EngineParams,
        options: EngineOptions,
    ) -> Result<Self, Error> {
        let mut engine = EngineSim::with(params, options).map_err(simulator)?;
        let panels = model.linears().map(|linear| (linear, load(&mut engine, model, linear)));
        let panels = panels.collect();
        engine.clear().map_err(simulator)?;
        Ok(Self { model, engine, panels, fault: None })
    }

    /// Flips a bit in every layer from now on.
    pub fn inject(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// What was spent since [`Sim::open`].
    pub fn usage(&mut self) -> Result<Usage, Error> {
        let counters = self.engine.counters().map_err(simulator)?;
        Ok(Usage {
            cycles: counters.cycles,
            weight_bytes: counters.beats * self.engine.params().beat_bytes as u64,
            utilisation: counters.beats as f64 / counters.cycles.max(1) as f64,
        })
    }

    /// The cycle that the simulation has come to.
    pub fn cycle(&self) -> u64 {
        self.engine.cycle()
    }

    /// Sums of the given slots, `[linear][slot][row]`; at most as many slots as the engine has.
    fn multiply_slots(
        &mut self,
        linears: &[Linear],
        x: &[Quantised],
    ) -> Result<Vec<Vec<Vec<i32>>>, ModelError> {
        let slots: Vec<&[i8]> = x.iter().map(|x| x.values.as_slice()).collect();
        let activations = self.engine.params().activations(&slots);
        let job = |panel: &Panel| Job {
            address: panel.address,
            tiles: panel.tiles,
            blocks: panel.blocks,
            slots: x.len(),
            activations: &activations,
        };
        let panels = linears.iter().flat_map(|linear| &self.panels[linear]);
        let jobs: Vec<Job<'_>> = panels.map(job).collect();
        if let Some(Fault { unit, bit }) = self.fault {
            self.engine.fault_after(FAULT_CYCLE, unit, bit);
        }
        let done = self.engine.run_jobs(&jobs).map_err(|e| ModelError::Device(e.to_string()))?;
        let mut done = done.iter();
        let sums = linears.iter().map(|linear| {
            let panels = &self.panels[linear];
            let parts: Vec<(&JobSums, usize)> =
                panels.iter().zip(done.by_ref()).map(|(panel, sums)| (sums, panel.rows)).collect();
            let slot =
                |s| parts.iter().flat_map(move |(sums, rows)| &sums.slot(s)[..*rows]).copied();
            (0..x.len()).map(|s| slot(s).collect()).collect()
        });
        Ok(sums.collect())
    }
}

/// Packs a matrix and places it in the engine's memory, a panel after the other.
fn load(engine: &mut EngineSim, model: &Model, linear: Linear) -> Vec<Panel> {
    let params = *engine.params();
    let geometry = params.geometry();
    let matrix = model.matrix(linear);
    let starts = (0..matrix.rows).step_by(params.panel_rows());
    let place = |first: usize| {
        let rows = params.panel_rows().min(matrix.rows - first);
        let address = engine.load(pack_panel(&geometry, matrix, first, rows));
        Panel { address, rows, tiles: geometry.tiles(rows), blocks: geometry.blocks(matrix.cols) }
    };
    starts.map(place).collect()
}

fn simulator(error: terntable_testbench::Error) -> Error {
    Error::Simulator(error.to_string())
}

impl Device for Sim<'_> {
    fn multiply(
        &mut self,
        linears: &[Linear],
        x: &[Quantised],
    ) -> Result<Vec<Vec<Vec<i32>>>, ModelError> {
        let mut all = vec![Vec::with_capacity(x.len()); linears.len()];
        for slots in x.chunks(self.engine.params().slots) {
            for (all, sums) in all.iter_mut().zip(self.multiply_slots(linears, slots)?) {
                all.extend(sums);
            }
        }
        Ok(all)
    }

    fn attend(
        &mut self,
        query: &[f32],
        cache: &KvCache,
        head: usize,
        positions: usize,
    ) -> Result<Vec<f32>, ModelError> {
        Ok(attend(query, cache, head, 0..positions))
    }

    fn head_dots(&mut self, tokens: &[u32], x: &[i8]) -> Result<Vec<i32>, ModelError> {
        Ok(self.model.head.dots(tokens, x))
    }
}
