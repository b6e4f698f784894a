//! The shape of an engine, and what surrounds it in a simulation.

use crate::{
    agents::MemoryTiming,
    build::{ModelSpec, Storage, workspace_root},
    seed,
};
use std::{fmt, path::PathBuf};
use terntable_driver::Identity;
use terntable_golden::{card::config::Engine, pack::Geometry};

/// Parameters of `tt_engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EngineParams {
    /// Token slots.
    pub slots: usize,
    /// Rows of a tile.
    pub rows: usize,
    /// Groups of three columns of a block; a multiple of 5.
    pub groups: usize,
    /// Bytes of a beat.
    pub beat_bytes: usize,
    /// Tiles of the largest panel.
    pub panel_tiles: usize,
    /// How products are made.
    pub engine: Engine,
    /// What adds up in DSP blocks: 0 nothing, 1 tables and trees, 2 partial sums as well.
    pub dsp_sums: usize,
}

impl EngineParams {
    /// The edge card.
    pub const KV260: EngineParams = EngineParams::of(Geometry::KV260, 16, 2048, 1);
    /// The small card of quick simulations.
    pub const SIM_SMALL: EngineParams = EngineParams::of(Geometry::SIM_SMALL, 4, 512, 0);

    const fn of(geometry: Geometry, slots: usize, panel_tiles: usize, dsp_sums: usize) -> Self {
        let Geometry { rows, groups, beat_bytes } = geometry;
        let engine = Engine::Table;
        EngineParams { slots, rows, groups, beat_bytes, panel_tiles, engine, dsp_sums }
    }

    /// The shape of its beats, by which panels are packed.
    pub fn geometry(&self) -> Geometry {
        Geometry { rows: self.rows, groups: self.groups, beat_bytes: self.beat_bytes }
    }

    /// Columns of a block, which are the bytes of a word of activations.
    pub fn block_cols(&self) -> usize {
        self.geometry().block_cols()
    }

    /// Slots of a result word.
    pub fn lanes(&self) -> usize {
        self.slots.min(4)
    }

    /// Tiles of so many rows.
    pub fn tiles(&self, rows: usize) -> usize {
        self.geometry().tiles(rows)
    }

    /// Blocks of so many columns.
    pub fn blocks(&self, cols: usize) -> usize {
        self.geometry().blocks(cols)
    }

    /// Rows of the largest panel.
    pub fn panel_rows(&self) -> usize {
        self.panel_tiles * self.rows
    }

    /// The activations of a job in stream order (`[block][slot][column]`), from one vector a slot,
    /// all of the same length; the last block is filled with zeros.
    pub fn activations(&self, slots: &[&[i8]]) -> Vec<i8> {
        let columns = slots.first().map_or(0, |x| x.len());
        let mut words = Vec::with_capacity(self.blocks(columns) * slots.len() * self.block_cols());
        for start in (0..columns).step_by(self.block_cols()) {
            for x in slots {
                let part = &x[start..columns.min(start + self.block_cols())];
                words.extend_from_slice(part);
                words.resize(words.len() + self.block_cols() - part.len(), 0);
            }
        }
        words
    }

    /// What the identity registers must say.
    pub fn identity(&self) -> Identity {
        Identity {
            major: 0,
            minor: 1,
            slots: self.slots,
            rows: self.rows,
            groups: self.groups,
            lanes: self.lanes(),
            beat_bytes: self.beat_bytes,
            panel_tiles: self.panel_tiles,
        }
    }

    /// The model to build, from the sources in some folders.
    pub fn model(&self, rtl: &[PathBuf], trace: bool, faults: bool) -> ModelSpec {
        let mut spec = ModelSpec::new("tt_engine", rtl)
            .parameter("Slots", self.slots as u64)
            .parameter("Rows", self.rows as u64)
            .parameter("Groups", self.groups as u64)
            .parameter("BeatBytes", self.beat_bytes as u64)
            .parameter("PanelTiles", self.panel_tiles as u64)
            .parameter("Engine", self.engine as u64)
            .parameter("DspSums", self.dsp_sums as u64)
            .trace(trace);
        if faults {
            let products = match self.engine {
                Engine::Table => ("tt_table", "memory"),
                Engine::Select => ("tt_select_slot", "block_q"),
            };
            let storage = [products, ("tt_fifo", "data_q"), ("tt_partial_sums", "memory")];
            spec = spec.storage(&storage.map(|(module, variable)| Storage {
                module: module.to_owned(),
                variable: variable.to_owned(),
            }));
        }
        spec
    }
}

impl fmt::Display for EngineParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EngineParams { slots, rows, groups, beat_bytes, panel_tiles, engine, dsp_sums } = self;
        write!(
            f,
            "tt_engine Slots={slots} Rows={rows} Groups={groups} BeatBytes={beat_bytes} \
             PanelTiles={panel_tiles} Engine={engine:?} DspSums={dsp_sums}"
        )
    }
}

/// What surrounds an engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// How fast the memory answers.
    pub timing: MemoryTiming,
    /// Probability of a pause before a word of activations.
    pub activation_stall: f64,
    /// Probability that a result is not taken in a cycle.
    pub result_stall: f64,
    /// Probability that a register access waits, a cycle and handshake.
    pub register_stall: f64,
    /// Address of the first panel.
    pub memory_base: u64,
    /// The folders with the sources of the design; of two files of a name the last counts.
    pub rtl: Vec<PathBuf>,
    /// Waveform to write.
    pub trace: Option<PathBuf>,
    /// Whether [`super::EngineSim::fault`] works; the model is slower then.
    pub faults: bool,
    /// Where every random decision comes from.
    pub seed: u64,
    /// The clock.
    pub period_ps: u64,
}

impl Default for EngineOptions {
    /// Ideal memory, no pauses, the run's seed, 250 MHz.
    fn default() -> Self {
        EngineOptions {
            timing: MemoryTiming::IDEAL,
            activation_stall: 0.0,
            result_stall: 0.0,
            register_stall: 0.0,
            memory_base: 0x1_0000_0000,
            rtl: vec![workspace_root().join("rtl")],
            trace: None,
            faults: false,
            seed: seed::seed(),
            period_ps: 4000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_blocks_of_slots() {
        let params = EngineParams { groups: 5, ..EngineParams::SIM_SMALL };
        let (a, b): (Vec<i8>, Vec<i8>) = ((0..20).collect(), (20..40).collect());
        let words = params.activations(&[&a, &b]);
        assert_eq!(words.len(), 2 * 2 * 15);
        assert_eq!(words[..15], a[..15]);
        assert_eq!(words[15..30], b[..15]);
        assert_eq!(words[30..35], a[15..]);
        assert_eq!(words[35..45], [0; 10]);
        assert_eq!(words[45..50], b[15..]);
    }
}
