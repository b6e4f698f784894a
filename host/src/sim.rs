//! The simulated card: the Verilated RTL of the whole card behind the same trait as any other.

use crate::usage::{Spent, Usage};
use crate::{
    Error,
    card::{Card, state_range},
};
use std::{fmt, path::PathBuf};
use terntable_golden::card::{
    command::STATE,
    config::{CardConfig, Engine},
};
pub use terntable_testbench::engine::FaultUnit;
use terntable_testbench::{
    build::Storage,
    card::{CardOptions, CardSim},
    seed,
};

/// Cycles from the start of a multiply to an injected fault: its first block is being looked up then.
const FAULT_CYCLE: u64 = 120;

/// What to record of a simulation.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// Waveform to write (FST).
    pub trace: Option<PathBuf>,
    /// Perfetto trace to write (JSON).
    pub perfetto: Option<PathBuf>,
}

impl Recording {
    /// Whether anything is recorded.
    pub fn wanted(&self) -> bool {
        self.trace.is_some() || self.perfetto.is_some()
    }
}

/// The Verilated card.
pub struct SimCard {
    sim: CardSim,
    config: CardConfig,
    state_bytes: usize,
    passes: Vec<Usage>,
}

/// One bit to flip inside the card, in every multiply until something is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub unit: FaultUnit,
    /// Which bit of it.
    pub bit: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.unit, self.bit)
    }
}

/// Bits of a unit of a card that the first multiply of any model uses.
pub fn fault_bits(unit: FaultUnit, card: &CardConfig) -> usize {
    let geometry = card.geometry();
    match unit {
        // The first table of slot 0: fourteen entries of ten bits.
        FaultUnit::Table if card.engine == Engine::Table => 14 * 10,
        // The activations of slot 0.
        FaultUnit::Table => 8 * geometry.block_cols(),
        // The rows of a beat; what is left of it is padding.
        FaultUnit::Weight => 8 * geometry.rows * geometry.row_bytes(),
        // The first tile: 24 bits a sum, row by row, slot by slot.
        FaultUnit::Accumulator => 24 * geometry.rows * card.slots,
    }
}

/// The storage that a fault of a unit changes.
pub fn fault_storage(unit: FaultUnit, engine: Engine) -> Storage {
    match unit {
        FaultUnit::Table if engine == Engine::Table => Storage::new("tt_table", "memory"),
        FaultUnit::Table => Storage::new("tt_select_slot", "block_q"),
        FaultUnit::Weight => Storage::new("tt_fifo", "data_q"),
        FaultUnit::Accumulator => Storage::new("tt_partial_sums", "memory"),
    }
}

pub(crate) fn simulator(error: terntable_testbench::Error) -> Error {
    Error::Simulator(error.to_string())
}

impl SimCard {
    /// Builds (once) and starts the card.
    pub fn open(config: &CardConfig, recording: &Recording) -> Result<Self, Error> {
        let Recording { trace, perfetto } = recording.clone();
        Self::with(config, CardOptions { trace, perfetto, peek: false, ..CardOptions::default() })
    }

    /// A card with all options of the testbench.
    pub fn with(config: &CardConfig, options: CardOptions) -> Result<Self, Error> {
        seed::check().map_err(simulator)?;
        let sim = CardSim::with(config, options).map_err(simulator)?;
        Ok(Self { sim, config: config.clone(), state_bytes: 0, passes: Vec::new() })
    }

    /// The simulation, for those who look closer.
    pub fn sim(&mut self) -> &mut CardSim {
        &mut self.sim
    }

    /// Flips a bit a little after the multiply that starts now. The card must have been made with its
    /// storage writable: [`fault_storage`].
    pub fn fault_in_multiply(&mut self, Fault { unit, bit }: Fault) {
        let (name, element, bit) = match unit {
            FaultUnit::Table if self.config.engine == Engine::Table => {
                ("gen_slot[0].u_tables.gen_group[0].u_table.memory", bit / 10, bit % 10)
            }
            FaultUnit::Table => ("gen_slot[0].u_slot.block_q", 0, bit),
            FaultUnit::Weight => ("u_multiply.u_reader.u_beats.data_q", 0, bit),
            FaultUnit::Accumulator => ("u_tlmm.u_sums.memory", 0, bit),
        };
        self.sim.fault_after(FAULT_CYCLE, name, element, bit as u32);
    }

    /// What every pass spent since the image was loaded.
    pub fn spent(&self) -> Spent {
        Spent::new(self.passes.clone())
    }

    /// Begins to count for a pass.
    pub fn begin_counting(&mut self) -> Result<(), Error> {
        self.sim.clear().map_err(simulator)
    }

    /// A pass is over: what was counted is what it spent.
    pub fn end_counting(&mut self) -> Result<(), Error> {
        let counters = self.sim.counters().map_err(simulator)?;
        self.passes.push(Usage::new(&counters, self.config.beat_bytes() as u64));
        Ok(())
    }
}

impl Card for SimCard {
    fn config(&self) -> &CardConfig {
        &self.config
    }

    fn load(&mut self, image: &[u8], state_bytes: u64) -> Result<(), Error> {
        self.state_bytes = state_bytes as usize;
        self.passes.clear();
        self.sim.load_image(image).map_err(simulator)?;
        self.sim.new_state(self.state_bytes).map_err(simulator)
    }

    fn write_state(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        state_range(address, bytes.len(), self.state_bytes)?;
        self.sim.write_state(address & !STATE, bytes).map_err(simulator)
    }

    fn read_state(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        state_range(address, bytes.len(), self.state_bytes)?;
        let read = self.sim.read_state(address & !STATE, bytes.len()).map_err(simulator)?;
        bytes.copy_from_slice(&read);
        Ok(())
    }

    fn run_pass(&mut self, descriptor: u64) -> Result<(), Error> {
        self.begin_counting()?;
        let end = self.sim.run_pass(descriptor).map_err(simulator)?;
        self.end_counting()?;
        end.ok().map_err(|e| Error::Card(e.to_string()))
    }
}
