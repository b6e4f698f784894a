//! `tt_card` with everything around it: an image and state memory behind its AXI4 ports, registers,
//! the interrupt (`docs/card.md`).
//!
//! ```text
//! CardSim ── registers (AXI-Lite): regions, doorbell, status, counters, steps
//!    │  └─── irq_o: a pass is over
//!    ├────── AxiDram: image region, state region, striped over the ports, with a stated timing
//!    ├────── Buffers: what X, Y, A, Q, P, R hold, read from the model
//!    └────── Tracer: a Perfetto trace of units, commands and streams
//! ```
//!
//! The image stays loaded; simulated time stands still between calls.

mod buffers;
mod counters;
mod options;
mod pass;
mod tracer;

pub use buffers::{Buffer, Buffers};
pub use counters::CardCounters;
pub use options::{CardOptions, STATE_BASE, card_model};
pub use pass::{PassEnd, PassFailure, Stepped};
pub use terntable_golden::card::config::CardConfig;
pub use tracer::{Tracer, UNITS};

use crate::{
    Error,
    agents::{AxiDram, AxiLite, DramStatistics, DramTiming, client::STATE},
    sim::{Clock, Sim, SimOptions, trace_from_env},
};
use std::path::Path;
use terntable_driver::{RegisterPort, card_registers as registers};

/// The Verilated card, ready for passes.
pub struct CardSim {
    sim: Sim,
    clock: Clock,
    config: CardConfig,
    options: CardOptions,
    registers: AxiLite,
    memory: AxiDram,
    tracer: Option<Tracer>,
    watch: pass::Watch,
    image_bytes: usize,
    state_bytes: usize,
}

impl CardSim {
    /// A card in front of a memory with this timing. Without `trace`, `TERNTABLE_TRACE` may ask for
    /// a waveform. The seed is the run's ([`crate::seed::seed`]).
    pub fn new(
        config: &CardConfig,
        timing: DramTiming,
        trace: Option<&Path>,
    ) -> Result<Self, Error> {
        let trace = trace.map(Path::to_owned);
        Self::with(config, CardOptions { timing, trace, ..CardOptions::default() })
    }

    /// A card with all options.
    pub fn with(config: &CardConfig, options: CardOptions) -> Result<Self, Error> {
        let trace = options.trace.clone().or_else(trace_from_env);
        let built = options.model(config, trace.is_some()).build()?;
        let seed = options.seed;
        let sim = Sim::open(&built, &SimOptions { seed, trace })?;
        let clock = sim.clock("clk_i", options.period_ps)?;
        let mut registers = AxiLite::new(&sim, &clock, "s_axil", seed)?;
        registers.set_stall(options.register_stall);
        let memory = AxiDram::new(&sim, &clock, "m_axi", options.timing, options.period_ps, seed)?;
        let tracer = match &options.perfetto {
            Some(path) => Some(Tracer::new(&sim, &clock, path, options.period_ps)?),
            None => None,
        };
        let watch = pass::Watch::new(&sim)?;
        let mut card = CardSim {
            sim,
            clock,
            config: config.clone(),
            options,
            registers,
            memory,
            tracer,
            watch,
            image_bytes: 0,
            state_bytes: 0,
        };
        card.reset()?;
        card.check_identity()?;
        Ok(card)
    }

    /// The configuration.
    pub fn config(&self) -> &CardConfig {
        &self.config
    }

    /// Places an image (logical bytes) in memory, instead of the last one, and tells the card.
    pub fn load_image(&mut self, image: &[u8]) -> Result<(), Error> {
        self.memory.store().remove(self.options.image_base);
        self.memory.load_logical(self.options.image_base, image, image.len())?;
        self.image_bytes = image.len().next_multiple_of(self.memory.striping().block_bytes());
        self.write_regions()
    }

    /// Makes state memory of so many bytes, all zero, instead of the last one, and tells the card.
    pub fn new_state(&mut self, bytes: usize) -> Result<(), Error> {
        self.memory.store().remove(self.options.state_base);
        self.memory.load_logical(self.options.state_base, &[], bytes)?;
        self.state_bytes = bytes.next_multiple_of(self.memory.striping().block_bytes());
        self.write_regions()
    }

    /// Writes logical bytes at a card address: bit 39 set for the state.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        let (base, offset) = self.place(address);
        self.memory.write_logical(base, offset, bytes)
    }

    /// Reads logical bytes at a card address: bit 39 set for the state.
    pub fn read(&self, address: u64, count: usize) -> Result<Vec<u8>, Error> {
        let (base, offset) = self.place(address);
        self.memory.read_logical(base, offset, count)
    }

    /// Writes logical bytes at an offset of the state.
    pub fn write_state(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.write(STATE | offset, bytes)
    }

    /// Reads logical bytes at an offset of the state.
    pub fn read_state(&self, offset: u64, count: usize) -> Result<Vec<u8>, Error> {
        self.read(STATE | offset, count)
    }

    /// Bytes of the image region and of the state region.
    pub fn region_bytes(&self) -> (usize, usize) {
        (self.image_bytes, self.state_bytes)
    }

    fn place(&self, address: u64) -> (u64, u64) {
        if address & STATE == 0 {
            (self.options.image_base, address)
        } else {
            (self.options.state_base, address & !STATE)
        }
    }

    fn write_regions(&self) -> Result<(), Error> {
        let CardOptions { image_base, state_base, .. } = self.options;
        let values = [
            (registers::image_base_lo::OFFSET, image_base),
            (registers::image_bytes_lo::OFFSET, self.image_bytes as u64),
            (registers::state_base_lo::OFFSET, state_base),
            (registers::state_bytes_lo::OFFSET, self.state_bytes as u64),
        ];
        for (offset, value) in values {
            self.write32(offset, value as u32)?;
            self.write32(offset + 4, (value >> 32) as u32)?;
        }
        Ok(())
    }

    /// Resets the card and its memory controller; memory keeps its contents, the card is told the
    /// regions again and raises its interrupt at the end of a pass.
    pub fn reset(&mut self) -> Result<(), Error> {
        let reset = self.sim.signal("rst_ni")?.input(1)?;
        reset.set(0);
        self.registers.idle();
        self.sim.block_on(self.clock.cycles(4))?;
        reset.set(1);
        self.sim.block_on(self.clock.cycles(2))?;
        self.write_regions()?;
        let all = registers::irq_enable::PASS_DONE.mask() | registers::irq_enable::ERROR.mask();
        self.write32(registers::irq_enable::OFFSET, all as u32)
    }

    /// Sets the counters of the card and the statistics of the memory to zero.
    pub fn clear(&mut self) -> Result<(), Error> {
        self.memory.clear_statistics();
        let step = self.read32(registers::control::OFFSET)? & self.step_mode_mask();
        let clear = registers::control::CLEAR.mask() as u32;
        self.write32(registers::control::OFFSET, step | clear)
    }

    /// What the card counted.
    pub fn counters(&self) -> Result<CardCounters, Error> {
        self.sim.block_on(CardCounters::read(&self.registers))?
    }

    /// What the memory saw.
    pub fn memory_statistics(&self) -> DramStatistics {
        self.memory.statistics()
    }

    /// The memory: its bytes, timing and injected errors.
    pub fn memory(&self) -> &AxiDram {
        &self.memory
    }

    /// The buffers of the card, if it was made with `peek`.
    pub fn buffers(&self) -> Result<Buffers, Error> {
        Buffers::new(&self.sim)
    }

    /// The trace, if it was asked for.
    pub fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_ref()
    }

    /// Reads a register.
    pub fn read32(&self, offset: usize) -> Result<u32, Error> {
        self.sim.block_on(self.registers.read32(offset))?
    }

    /// Writes a register.
    pub fn write32(&self, offset: usize, value: u32) -> Result<(), Error> {
        self.sim.block_on(self.registers.write32(offset, value))?
    }

    /// Cycles simulated so far.
    pub fn cycle(&self) -> u64 {
        self.clock.cycle()
    }

    /// Lets so many cycles pass.
    pub fn wait(&self, cycles: u64) -> Result<(), Error> {
        self.sim.block_on(self.clock.cycles(cycles))
    }

    /// The simulation, for tests that look closer.
    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// The clock of the card.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Turns over one bit of storage that [`CardOptions::faults`] made writable, after so many
    /// cycles, in the middle of whatever runs then. `name` as in [`crate::sim::Handle::flip`].
    pub fn fault_after(&self, cycles: u64, name: &str, element: usize, bit: u32) {
        let (handle, wait) = ((*self.sim).clone(), self.clock.cycles(cycles));
        let name = name.to_owned();
        self.sim.spawn(async move {
            wait.await;
            if let Err(error) = handle.flip(&name, element, bit) {
                handle.fail(error);
            }
        });
    }

    /// Compares the identity registers with the configuration.
    fn check_identity(&self) -> Result<(), Error> {
        use registers::{config_hash_hi, config_hash_lo, geometry, limits, magic, memory};
        let config = &self.config;
        let hash = config.hash();
        let expected = [
            ("MAGIC", magic::OFFSET, magic::RESET),
            ("CONFIG_HASH_LO", config_hash_lo::OFFSET, hash as u32),
            ("CONFIG_HASH_HI", config_hash_hi::OFFSET, (hash >> 32) as u32),
            (
                "GEOMETRY",
                geometry::OFFSET,
                bytes([config.slots, config.rows, config.groups, config.lanes]),
            ),
            (
                "MEMORY",
                memory::OFFSET,
                bytes([config.ports, config.port_bytes, 0, 0]) | (config.page_rows as u32) << 16,
            ),
            (
                "LIMITS",
                limits::OFFSET,
                config.panel_tiles as u32 | (config.candidates as u32) << 16,
            ),
        ];
        for (name, offset, expected) in expected {
            let found = self.read32(offset)?;
            if found != expected {
                let card = &config.name;
                return Err(Error::Identity(format!(
                    "register {name} of the card {card}: expected {expected:#010x}, found \
                     {found:#010x}; build it from this checkout's rtl/ and cards/"
                )));
            }
        }
        Ok(())
    }

    fn step_mode_mask(&self) -> u32 {
        registers::control::STEP_MODE.mask() as u32
    }
}

fn bytes(fields: [usize; 4]) -> u32 {
    u32::from_le_bytes(fields.map(|f| f as u8))
}

impl RegisterPort for CardSim {
    type Error = Error;

    fn read32(&mut self, offset: usize) -> Result<u32, Error> {
        CardSim::read32(self, offset)
    }

    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error> {
        CardSim::write32(self, offset, value)
    }
}
