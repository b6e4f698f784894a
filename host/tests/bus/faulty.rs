//! A card in this process that something happens to.

use std::{cell::Cell, rc::Rc, time::Duration};
use terntable_driver::{
    Error, Transport, card::HOST, golden::HostCard, host_registers as host, in_process::InProcess,
    memory::DmaMemory,
};
use terntable_golden::card::config::CardConfig;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The card does nothing any more.
    Stall,
    /// Registers read as all ones.
    AllOnes,
    /// A piece of an image arrives with another byte.
    DamagedPage,
    /// Interrupts are lost.
    LostInterrupt,
    /// The host's memory is not mapped any more.
    Unmapped,
    /// The function is reset in the middle of its work.
    Reset,
    /// A command of the program turns into none.
    ErrorCommand,
}

/// When, and whether a reset helps.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub fault: Fault,
    /// Doorbells before it happens.
    pub after: u32,
    /// A reset does not help.
    pub forever: bool,
    /// Where the image has commands.
    pub programs: (usize, usize),
}

/// A transport with a plan.
pub struct Faulty {
    inner: InProcess<HostCard>,
    plan: Plan,
    doorbells: u32,
    active: bool,
    happened: Rc<Cell<bool>>,
    memory: Option<DmaMemory>,
}

impl Faulty {
    /// Sets `happened` when it does.
    pub fn new(config: &CardConfig, plan: Plan, happened: Rc<Cell<bool>>) -> Self {
        let inner = InProcess::new(HostCard::new(config));
        Self { inner, plan, doorbells: 0, active: false, happened, memory: None }
    }

    /// The doorbell rings.
    fn ring(&mut self, value: u32) -> Result<(), Error> {
        let due = self.doorbells == self.plan.after || self.active && self.plan.forever;
        self.doorbells += 1;
        if due {
            self.active = true;
            self.happened.set(true);
            self.strike()?;
        }
        self.inner.write32(HOST + host::tail::OFFSET, value)?;
        if due && self.plan.fault == Fault::Reset {
            self.inner.wait(Duration::ZERO)?;
            self.inner.reset()?;
        }
        Ok(())
    }

    fn strike(&mut self) -> Result<(), Error> {
        let memory = self.memory.as_ref().expect("the driver maps memory first");
        match self.plan.fault {
            Fault::DamagedPage => {
                for piece in 0..4 {
                    let (at, mut byte) = (8192 + (piece << 19) + 100, [0]);
                    memory.mapping.read(at, &mut byte).unwrap();
                    memory.mapping.write(at, &[byte[0] ^ 0x10]).unwrap();
                }
            }
            Fault::Unmapped => self.inner.unmap(memory)?,
            Fault::ErrorCommand => {
                let (from, bytes) = self.plan.programs;
                let (image, _) = self.inner.function().machine().regions_mut();
                let programs = image.get_mut(from..from + bytes);
                // All but the first commands of the first program.
                for command in programs.into_iter().flat_map(|p| p.chunks_mut(64)).skip(5) {
                    command[0] = 0xee;
                }
            }
            Fault::Stall | Fault::AllOnes | Fault::LostInterrupt | Fault::Reset => {}
        }
        Ok(())
    }
}

impl Transport for Faulty {
    fn describe(&self) -> String {
        "the card of the test".into()
    }

    fn read32(&mut self, offset: usize) -> Result<u32, Error> {
        match self.active && self.plan.fault == Fault::AllOnes {
            true => Ok(u32::MAX),
            false => self.inner.read32(offset),
        }
    }

    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error> {
        match offset == HOST + host::tail::OFFSET {
            true => self.ring(value),
            false => self.inner.write32(offset, value),
        }
    }

    fn map(&mut self, bytes: usize) -> Result<DmaMemory, Error> {
        let memory = self.inner.map(bytes)?;
        self.memory = Some(memory.clone());
        Ok(memory)
    }

    fn unmap(&mut self, memory: &DmaMemory) -> Result<(), Error> {
        self.inner.unmap(memory)
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool, Error> {
        match (self.active, self.plan.fault) {
            (true, Fault::Stall | Fault::AllOnes) => {
                std::thread::sleep(at_most.min(Duration::from_millis(1)));
                Ok(false)
            }
            (true, Fault::LostInterrupt) => self.inner.wait(at_most).map(|_| false),
            _ => self.inner.wait(at_most),
        }
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.active &= self.plan.forever;
        self.inner.reset()
    }
}
