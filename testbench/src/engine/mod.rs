//! `tt_engine` with everything around it: weights in memory, jobs through registers, activations
//! and results as streams (`docs/engine.md`).
//!
//! One [`EngineSim`] serves thousands of jobs: weights stay resident, simulated time stands still
//! between calls, and a job costs its own cycles and a few register writes.

mod faults;
mod params;
mod run;

pub use faults::FaultUnit;
pub use params::{EngineOptions, EngineParams};
pub use run::{Job, JobSums};

use crate::{
    Error,
    agents::{AxiLite, AxiMemory, Memory, MemoryStatistics, MemoryTiming, Sink, Source},
    sim::{Clock, Sim, SimOptions, trace_from_env},
};
use std::path::Path;
use terntable_driver::{Identity, RegisterPort, registers};

/// What the engine counted, since reset or [`EngineSim::clear`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Cycles in which a job or a result was in the engine.
    pub cycles: u64,
    /// Beats of weights consumed.
    pub beats: u64,
    /// Cycles lost: the tables were ready and no beat was there.
    pub lost_memory: u64,
    /// Cycles lost: a beat waited for its tables.
    pub lost_tables: u64,
    /// Cycles lost: the drain took the cycle.
    pub lost_drain: u64,
    /// Cycles lost: both banks of partial sums waited for the drain.
    pub lost_results: u64,
    /// Cycles lost: the partial sum of a beat was still on its way.
    pub lost_order: u64,
}

/// The Verilated engine, ready for jobs.
pub struct EngineSim {
    sim: Sim,
    clock: Clock,
    params: EngineParams,
    registers: AxiLite,
    memory: AxiMemory,
    activations: Source,
    results: Sink,
    run: run::State,
}

impl EngineSim {
    /// An engine with these parameters in front of a memory with this timing; streams never pause.
    /// Without `trace`, `TERNTABLE_TRACE` may ask for a waveform. The seed is the run's
    /// ([`crate::seed::seed`]).
    pub fn new(
        params: EngineParams,
        timing: MemoryTiming,
        trace: Option<&Path>,
    ) -> Result<Self, Error> {
        let trace = trace.map(Path::to_owned);
        Self::with(params, EngineOptions { timing, trace, ..EngineOptions::default() })
    }

    /// An engine with all options.
    pub fn with(params: EngineParams, options: EngineOptions) -> Result<Self, Error> {
        let trace = options.trace.clone().or_else(trace_from_env);
        let built = params.model(&options.rtl, trace.is_some(), options.faults).build()?;
        let seed = options.seed;
        let sim = Sim::open(&built, &SimOptions { seed, trace })?;
        let clock = sim.clock("clk_i", options.period_ps)?;
        let mut registers = AxiLite::new(&sim, &clock, "s_axil", seed)?;
        registers.set_stall(options.register_stall);
        let memory = Memory::new(options.memory_base, params.beat_bytes as u64);
        let memory = AxiMemory::new(&sim, &clock, "m_axi", memory, options.timing, seed)?;
        let activations = Source::new(&sim, &clock, "act", options.activation_stall, seed)?;
        let results = Sink::new(&sim, &clock, "res", options.result_stall, seed)?;
        let run = run::State::default();
        let mut engine =
            EngineSim { sim, clock, params, registers, memory, activations, results, run };
        engine.reset()?;
        engine.check_identity()?;
        Ok(engine)
    }

    /// The parameters.
    pub fn params(&self) -> &EngineParams {
        &self.params
    }

    /// Places the beats of a panel (or several) in memory and gives their card address.
    pub fn load(&mut self, bytes: impl Into<Vec<u8>>) -> u64 {
        self.memory.memory().load(bytes)
    }

    /// Removes what [`EngineSim::load`] placed at an address.
    pub fn unload(&mut self, address: u64) -> Option<Vec<u8>> {
        self.memory.memory().unload(address)
    }

    /// Resets the engine and everything around it. Memory keeps its contents.
    pub fn reset(&mut self) -> Result<(), Error> {
        let reset = self.sim.signal("rst_ni")?.input(1)?;
        reset.set(0);
        self.registers.idle();
        self.memory.reset();
        self.activations.reset();
        self.results.reset();
        self.run = run::State::default();
        self.sim.block_on(self.clock.cycles(4))?;
        reset.set(1);
        self.sim.block_on(self.clock.cycles(2))
    }

    /// Sets the counters and the sticky bits of STATUS to zero, and the memory's statistics.
    pub fn clear(&mut self) -> Result<(), Error> {
        self.memory.clear_statistics();
        self.write32(registers::control::OFFSET, registers::control::CLEAR.mask() as u32)
    }

    /// What the engine counted.
    pub fn counters(&self) -> Result<Counters, Error> {
        self.sim.block_on(async {
            let read = |offset| self.registers.read64(offset);
            Ok(Counters {
                cycles: read(registers::cycles::OFFSET).await?,
                beats: read(registers::beats::OFFSET).await?,
                lost_memory: read(registers::lost_memory::OFFSET).await?,
                lost_tables: read(registers::lost_tables::OFFSET).await?,
                lost_drain: read(registers::lost_drain::OFFSET).await?,
                lost_results: read(registers::lost_results::OFFSET).await?,
                lost_order: read(registers::lost_order::OFFSET).await?,
            })
        })?
    }

    /// What the memory saw.
    pub fn memory_statistics(&self) -> MemoryStatistics {
        self.memory.statistics()
    }

    /// The memory: its bytes, timing and injected errors.
    pub fn memory(&self) -> &AxiMemory {
        &self.memory
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

    /// The clock of the engine.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Compares the identity registers with the parameters.
    fn check_identity(&mut self) -> Result<(), Error> {
        let expected = self.params.identity();
        match Identity::expect(expected, self) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Identity(error.to_string())),
        }
    }
}

impl RegisterPort for EngineSim {
    type Error = Error;

    fn read32(&mut self, offset: usize) -> Result<u32, Error> {
        EngineSim::read32(self, offset)
    }

    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error> {
        EngineSim::write32(self, offset, value)
    }
}
