//! `tt_host_card` with everything around it: card memory, registers, a bridge to the memory of a host
//! (`docs/host-interface.md`).
//!
//! ```text
//! HostCardSim ── registers (AXI-Lite): BAR0
//!    ├────────── HostBus: the memory that a driver brings, with a stated timing
//!    ├────────── AxiDram: card memory, striped over the ports
//!    └────────── messages: the vectors that the card asked for
//! ```
//!
//! It is a [`Function`], so whatever drives the golden host card drives the RTL.

use crate::{
    Error,
    agents::{AxiDram, AxiLite, BusTiming, DramTiming, HostBus},
    build::{ModelSpec, workspace_root},
    card::CardConfig,
    seed,
    sim::{Clock, Signal, Sim, SimOptions, trace_from_env},
};
use std::path::{Path, PathBuf};
use terntable_driver::{
    card::BAR_BYTES,
    function::Function,
    golden::{MEMORY_BASE, RING_BITS},
    memory::HostMemory,
};

/// Cycles that a turn of work takes at most.
const TURN: u64 = 64;
/// Interrupt vectors.
const VECTORS: usize = 2;

/// What surrounds a host card.
#[derive(Debug, Clone)]
pub struct HostCardOptions {
    /// How fast card memory is.
    pub memory: DramTiming,
    /// How fast host memory is.
    pub bus: BusTiming,
    /// Probability that a register access, or a message, waits, a cycle and handshake.
    pub stall: f64,
    /// The folder with the sources of the design.
    pub rtl: PathBuf,
    /// Where every random decision comes from.
    pub seed: u64,
}

impl Default for HostCardOptions {
    /// Ideal memories, no pauses, the run's seed.
    fn default() -> Self {
        HostCardOptions {
            memory: DramTiming::IDEAL,
            bus: BusTiming::IDEAL,
            stall: 0.0,
            rtl: workspace_root().join("rtl"),
            seed: seed::seed(),
        }
    }
}

/// Cycles without an answer after which a simulated card gives a bus up, as a power of two: less than on a
/// board, for tests.
pub const WATCHDOG_BITS: u32 = 16;

/// The clock: 250 MHz.
const PERIOD_PS: u64 = 4000;

/// `tt_host_card` with the parameters of a configuration, from the sources in a folder; card memory as that
/// of the golden host card.
pub fn host_card_model(config: &CardConfig, rtl: &Path) -> ModelSpec {
    // What the card has no parameter for is not its business yet.
    let parameters = config.parameters().into_iter().filter(|(name, _)| *name != "Engines");
    parameters
        .fold(ModelSpec::new("tt_host_card", [rtl]), |spec, (name, value)| {
            spec.parameter(name, value as u64)
        })
        .parameter("ConfigHash", config.hash())
        .parameter("WatchdogBits", WATCHDOG_BITS.into())
        .parameter("MemoryBase", MEMORY_BASE)
        .parameter("MemoryBytes", config.memory.bytes)
        .parameter("RingBits", RING_BITS.into())
}

/// The Verilated card behind a bridge.
pub struct HostCardSim {
    // Dropped first: tasks hold what follows.
    sim: Sim,
    clock: Clock,
    config: CardConfig,
    registers: AxiLite,
    memory: AxiDram,
    bus: HostBus,
    messages: Messages,
    busy: Signal,
    irq: Signal,
    reset: Signal,
    failure: Option<Error>,
}

struct Messages {
    valid: Signal,
    vector: Signal,
    ready: Signal,
    taken: [bool; VECTORS],
    stall: f64,
    random: seed::Random,
    held: bool,
    able: bool,
}

impl Messages {
    fn drive(&mut self) {
        self.able = !self.random.chance(self.stall) && !self.held;
        self.ready.set(self.able.into());
    }

    fn sample(&mut self) {
        if self.able && self.valid.high() {
            self.taken[self.vector.get() as usize % VECTORS] = true;
        }
    }
}

impl HostCardSim {
    /// A card after power-on.
    pub fn new(config: &CardConfig, options: HostCardOptions) -> Result<Self, Error> {
        let trace = trace_from_env();
        let spec = host_card_model(config, &options.rtl).trace(trace.is_some());
        let HostCardOptions { memory, bus, stall, seed, .. } = options;
        let sim = Sim::open(&spec.build()?, &SimOptions { seed, trace })?;
        let clock = sim.clock("clk_i", PERIOD_PS)?;
        let mut registers = AxiLite::new(&sim, &clock, "s_axil", seed)?;
        registers.set_stall(stall);
        let memory = AxiDram::new(&sim, &clock, "m_axi", memory, PERIOD_PS, seed)?;
        // Zeros that cost nothing until they are used.
        memory.store().add(MEMORY_BASE, vec![0; config.memory.bytes as usize])?;
        let messages = Messages {
            valid: sim.signal("irq_valid_o")?.output(1)?,
            vector: sim.signal("irq_vector_o")?.output(1)?,
            ready: sim.signal("irq_ready_i")?.input(1)?,
            taken: [false; VECTORS],
            stall,
            random: seed::Random::new(seed, "irq"),
            held: false,
            able: false,
        };
        let mut card = HostCardSim {
            bus: HostBus::new(&sim, "m_host", bus, seed)?,
            busy: sim.signal("busy_o")?.output(1)?,
            irq: sim.signal("irq_o")?.output(1)?,
            reset: sim.signal("rst_ni")?.input(1)?,
            sim,
            clock,
            config: config.clone(),
            registers,
            memory,
            messages,
            failure: None,
        };
        card.pulse_reset()?;
        Ok(card)
    }

    /// The configuration.
    pub fn config(&self) -> &CardConfig {
        &self.config
    }

    /// Cycles simulated so far.
    pub fn cycle(&self) -> u64 {
        self.clock.cycle()
    }

    /// Card memory: bytes, timing, injected errors.
    pub fn memory(&self) -> &AxiDram {
        &self.memory
    }

    /// The bridge: timing, silence, what it has seen.
    pub fn bus(&mut self) -> &mut HostBus {
        &mut self.bus
    }

    /// The level of the interrupt.
    pub fn irq(&self) -> bool {
        self.irq.high()
    }

    /// Whether an entry or a pass is worked on, as of the last cycle.
    pub fn busy(&self) -> bool {
        self.busy.high()
    }

    /// Why the simulation ended, if it did: a rule of a bus was broken, or an access was not answered. From
    /// then on the card reads as all ones, like one that fell off its bus.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Takes no message until this is called again with false.
    pub fn hold_messages(&mut self, hold: bool) {
        self.messages.held = hold;
    }

    /// Lets so many cycles pass, host memory at hand.
    pub fn run(&mut self, cycles: u64, memory: &dyn HostMemory) -> Result<(), Error> {
        for _ in 0..cycles {
            self.bus.drive(self.clock.cycle() + 1, memory);
            self.messages.drive();
            self.sim.block_on(self.clock.rising_edge())?;
            self.bus.sample(self.clock.cycle(), memory)?;
            self.messages.sample();
        }
        self.bus.pause();
        self.messages.ready.set(0);
        Ok(())
    }

    fn pulse_reset(&mut self) -> Result<(), Error> {
        self.reset.set(0);
        self.registers.idle();
        self.bus.reset();
        self.messages.taken = [false; VECTORS];
        self.messages.ready.set(0);
        self.sim.block_on(self.clock.cycles(4))?;
        self.reset.set(1);
        self.sim.block_on(self.clock.cycles(2))
    }

    /// The outcome of something, unless the simulation has ended before or ends by it.
    fn attempt<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, Error>) -> Option<T> {
        if self.failure.is_some() {
            return None;
        }
        act(self).map_err(|error| self.failure = Some(error)).ok()
    }
}

impl Function for HostCardSim {
    fn name(&self) -> String {
        format!("simulated card {}", self.config.name)
    }

    fn read32(&mut self, offset: usize) -> u32 {
        let read = |card: &mut Self| card.sim.block_on(card.registers.read32(offset))?;
        if offset >= BAR_BYTES {
            return 0;
        }
        self.attempt(read).unwrap_or(u32::MAX)
    }

    fn write32(&mut self, offset: usize, value: u32) {
        let write = |card: &mut Self| card.sim.block_on(card.registers.write32(offset, value))?;
        if offset < BAR_BYTES {
            self.attempt(write);
        }
    }

    fn work(&mut self, memory: &dyn HostMemory) -> bool {
        let ran = self.attempt(|card| card.run(TURN, memory));
        ran.is_some() && self.busy()
    }

    fn take_interrupt(&mut self) -> Option<u32> {
        let vector = (0..VECTORS).rev().find(|vector| self.messages.taken[*vector])?;
        self.messages.taken[vector] = false;
        Some(vector as u32)
    }

    fn reset(&mut self) {
        // A reset brings back a card that its bus lost, not a simulation that ended.
        self.attempt(Self::pulse_reset);
    }
}
