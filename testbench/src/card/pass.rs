//! Passes: rung in, waited for, stepped through.

use super::{CardSim, UNITS};
use crate::{
    Error,
    sim::{Signal, Sim},
};
use std::fmt;
use terntable_driver::card_registers as registers;
use terntable_golden::card::machine::ErrorCode;

/// Cycles between two looks at the progress of a pass.
const LOOK: u64 = 4096;

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassEnd {
    /// All of its commands are done.
    Done,
    /// The card stopped it.
    Failed(PassFailure),
}

impl PassEnd {
    /// The failure as an error.
    pub fn ok(self) -> Result<(), Error> {
        match self {
            PassEnd::Done => Ok(()),
            PassEnd::Failed(failure) => Err(Error::Pass { failure }),
        }
    }
}

/// Why the card stopped a pass, as its registers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassFailure {
    /// ERROR_CODE.
    pub code: u8,
    /// ERROR_COMMAND: the index of the command.
    pub command: u32,
    /// ERROR_ADDRESS.
    pub address: u64,
}

impl fmt::Display for PassFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.code {
            0x20 => "memory: an access outside of its region, or one answered by an error",
            0x40 => "nothing happened until the watchdog bit",
            0x41 => "aborted",
            code => ErrorCode::of(code).map_or("an unknown error", ErrorCode::text),
        };
        let PassFailure { code, command, address } = self;
        write!(f, "{text} (error {code:#04x}, command {command}, address {address:#x})")
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// The next command waits for its step; its index.
    Paused(u32),
    /// The pass is over.
    Over(PassEnd),
}

/// What tells that a pass gets on.
pub(super) struct Watch {
    irq: Signal,
    busy: Signal,
    wait: Signal,
    command: Signal,
}

impl Watch {
    pub fn new(sim: &Sim) -> Result<Self, Error> {
        Ok(Watch {
            irq: sim.signal("irq_o")?.output(1)?,
            busy: sim.signal("unit_busy_o")?.output(6)?,
            wait: sim.signal("unit_wait_o")?.output(6)?,
            command: sim.signal("unit_command_o")?.output(96)?,
        })
    }

    fn describe(&self) -> String {
        let (busy, wait) = (self.busy.get(), self.wait.get());
        let units = UNITS.iter().enumerate().map(|(u, name)| {
            let state = match (busy >> u & 1, wait >> u & 1) {
                (0, 0) => "idle",
                (0, _) => "waits",
                (_, 0) => "busy",
                _ => "busy, waits",
            };
            format!("{name} {state} at command {}", self.command.get_at(2 * u, 2))
        });
        units.collect::<Vec<_>>().join("; ")
    }
}

impl CardSim {
    /// Runs the pass whose descriptor is at a card address, and waits for its interrupt. The error
    /// of a pass that gets stuck names what the units do.
    pub fn run_pass(&mut self, descriptor: u64) -> Result<PassEnd, Error> {
        self.doorbell(descriptor)?;
        self.wait_pass(u64::MAX)
    }

    /// Starts the pass whose descriptor is at a card address.
    pub fn doorbell(&mut self, descriptor: u64) -> Result<(), Error> {
        if let Some(tracer) = &self.tracer {
            tracer.begin_pass();
        }
        self.write32(registers::doorbell_lo::OFFSET, descriptor as u32)?;
        self.write32(registers::doorbell_hi::OFFSET, (descriptor >> 32) as u32)
    }

    /// Waits for the interrupt of a pass, for at most `limit` cycles, and takes it.
    pub fn wait_pass(&mut self, limit: u64) -> Result<PassEnd, Error> {
        self.sim.block_on(self.wait_irq(limit))??;
        let status = self.read32(registers::irq_status::OFFSET)?;
        self.write32(registers::irq_status::OFFSET, status)?;
        let failed = status & registers::irq_status::ERROR.mask() as u32 != 0;
        if let Some(tracer) = &self.tracer {
            tracer.end_pass(failed);
        }
        if !failed {
            return Ok(PassEnd::Done);
        }
        Ok(PassEnd::Failed(self.failure()?))
    }

    /// What the error registers say.
    pub fn failure(&self) -> Result<PassFailure, Error> {
        let low = self.read32(registers::error_address_lo::OFFSET)?;
        let high = self.read32(registers::error_address_hi::OFFSET)?;
        Ok(PassFailure {
            code: self.read32(registers::error_code::OFFSET)? as u8,
            command: self.read32(registers::error_command::OFFSET)?,
            address: u64::from(high) << 32 | u64::from(low),
        })
    }

    async fn wait_irq(&self, limit: u64) -> Result<(), Error> {
        let start = self.clock.cycle();
        let (mut progress, mut since) = (self.progress(), start);
        loop {
            let looked = self.clock.cycle();
            let irq = &self.watch.irq;
            let cycles = LOOK.min((start.saturating_add(limit)).saturating_sub(looked)).max(1);
            if self.clock.until(cycles, "", || irq.high()).await.is_ok() {
                return Ok(());
            }
            let now = self.clock.cycle();
            let later = self.progress();
            if later != progress {
                (progress, since) = (later, now);
            }
            let stuck = now - since >= self.options.stuck_cycles;
            if stuck || now - start >= limit {
                let (waited, why) = if stuck {
                    (now - since, "nothing moved meanwhile")
                } else {
                    (now - start, "the pass was still running")
                };
                let statistics = self.memory.statistics();
                let (reads, writes) = (statistics.reads, statistics.writes);
                return Err(Error::Timeout {
                    what: format!(
                        "the interrupt of the pass, {why}: {}; {reads} transfers were read and \
                         {writes} written",
                        self.watch.describe()
                    ),
                    cycles: waited,
                    now,
                });
            }
        }
    }

    fn progress(&self) -> (u64, u64, u64, u64) {
        let statistics = self.memory.statistics();
        let commands = (self.watch.command.get_at(0, 8), self.watch.command.get_at(8, 4));
        (statistics.reads, statistics.writes, commands.0, commands.1 << 6 | self.watch.busy.get())
    }

    /// Turns step mode on or off.
    pub fn set_step_mode(&mut self, on: bool) -> Result<(), Error> {
        let value = if on { self.step_mode_mask() } else { 0 };
        self.write32(registers::control::OFFSET, value)
    }

    /// In step mode, waits until the pass stands before a command, or is over.
    pub fn wait_step(&mut self) -> Result<Stepped, Error> {
        let start = self.clock.cycle();
        loop {
            let status = self.read32(registers::status::OFFSET)?;
            if self.watch.irq.high() {
                return Ok(Stepped::Over(self.wait_pass(LOOK)?));
            }
            if u64::from(status) & registers::status::PAUSED.mask() != 0 {
                return Ok(Stepped::Paused(registers::status::NEXT.get(u64::from(status)) as u32));
            }
            let now = self.clock.cycle();
            if now - start > self.options.stuck_cycles {
                let units = self.watch.describe();
                let what = format!("the pass to stand before a command: {units}");
                return Err(Error::Timeout { what, cycles: now - start, now });
            }
            self.wait(8)?;
        }
    }

    /// In step mode, runs the next command and waits until it is finished.
    pub fn step(&mut self) -> Result<Stepped, Error> {
        self.write32(registers::step::OFFSET, 1)?;
        self.wait(2)?;
        self.wait_step()
    }

    /// Stops the running pass; its interrupt follows.
    pub fn stop(&mut self) -> Result<(), Error> {
        let step = self.read32(registers::control::OFFSET)? & self.step_mode_mask();
        self.write32(registers::control::OFFSET, step | registers::control::STOP.mask() as u32)
    }
}
