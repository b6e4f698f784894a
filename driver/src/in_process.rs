//! A card in the process of its driver.

use crate::{
    Error,
    function::Function,
    memory::{DmaMemory, DmaTable, Mapping},
    transport::Transport,
};
use std::time::{Duration, Instant};

/// Where the first mapping lies for the card; beyond 4 GiB, as on a board it may be.
const FIRST_IOVA: u64 = 1 << 33;

/// A function behind no bus at all: the golden card or the simulated one. It works while its driver waits.
#[derive(Debug)]
pub struct InProcess<F> {
    function: F,
    memory: DmaTable,
    next: u64,
}

impl<F: Function> InProcess<F> {
    /// A function after power-on.
    pub fn new(function: F) -> Self {
        Self { function, memory: DmaTable::default(), next: FIRST_IOVA }
    }

    /// The function, for tests that damage it.
    pub fn function(&mut self) -> &mut F {
        &mut self.function
    }
}

impl<F: Function> Transport for InProcess<F> {
    fn describe(&self) -> String {
        format!("{} in this process", self.function.name())
    }

    fn read32(&mut self, offset: usize) -> Result<u32, Error> {
        Ok(self.function.read32(offset))
    }

    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error> {
        self.function.write32(offset, value);
        Ok(())
    }

    fn map(&mut self, bytes: usize) -> Result<DmaMemory, Error> {
        let failed = Error::io("mapping memory for a card in this process");
        let mapping = Mapping::anonymous(bytes, false).map_err(&failed)?;
        let iova = self.next;
        self.memory.map(iova, mapping.clone(), true).map_err(&failed)?;
        self.next += bytes as u64;
        Ok(DmaMemory { mapping, iova })
    }

    fn unmap(&mut self, memory: &DmaMemory) -> Result<(), Error> {
        self.memory.unmap(memory.iova, memory.mapping.bytes() as u64);
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool, Error> {
        let until = Instant::now() + at_most;
        while self.function.work(&self.memory) {
            if self.function.take_interrupt().is_some() {
                return Ok(true);
            }
            if Instant::now() >= until {
                break;
            }
        }
        Ok(self.function.take_interrupt().is_some())
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.function.reset();
        Ok(())
    }
}
